package processor_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"stocksync/testenv"
)

// BenchmarkMemory measures what a processor of its own process holds in memory when BENCH_SKUS (1000000) SKUs have
// one ledger line each: while it catches up with them on a real Kafka, and a minute of trickle later.
func BenchmarkMemory(b *testing.B) {
	if os.Getenv("STOCKSYNC_KAFKA") != "1" {
		return
	}
	skus, err := strconv.Atoi(os.Getenv("BENCH_SKUS"))
	if err != nil {
		skus = 1_000_000
	}
	for b.Loop() {
		p := newPeerBench(b)
		p.ensure(b)
		produce := func(n int, rate float64) {
			lines, i := ledgerLines(1, 0), 0
			_, err := testenv.Produce(b.Context(), p.cluster, func() testenv.Event {
				i++
				return ownEvent(lines(), fmt.Sprintf("SKU-%08d", i))
			}, testenv.ProduceConfig{Prefix: p.prefix, Events: n, Rate: rate})
			if err != nil {
				b.Fatal(err)
			}
		}
		produce(skus, 0)
		c := p.stocksyncContender()
		app := c.start(b, "a", b.TempDir())
		p.catchUp(b, c.name, c.group, app)
		_, most, err := app.Memory()
		if err != nil {
			b.Fatal(err)
		}
		produce(6000, 100)
		now, _, err := app.Memory()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(most>>20), "peak-MiB")
		b.ReportMetric(float64(now>>20), "later-MiB")
		b.ReportMetric(p.restart(b, c, app).Seconds(), "warm-restart-s")
		p.stop(b, app)
	}
}

// restart ends a process in order and starts it again, and returns how long the start takes.
func (p *peerBench) restart(b *testing.B, c *contender, app *testenv.Process) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if _, err := app.Terminate(ctx); err != nil {
		b.Fatal(err)
	}
	return p.revive(b, c, app)
}
