package processor_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

const (
	nightlyFew    = 20_000 // active SKUs, unless a person wants more: a run takes ten seconds at the default rate
	nightlyRounds = 4
	nightlyRound  = 3 * time.Second
)

// nightlyActive returns how many SKUs are active, and in how many partitions a round asks for a run: of many
// SKUs not all, because nothing ends a run before its time.
func nightlyActive(b *testing.B) (active, partitions int) {
	b.Helper()
	text := os.Getenv("BENCH_ACTIVE")
	if text == "" {
		return nightlyFew, benchPartitions
	}
	active, err := strconv.Atoi(text)
	if err != nil || active < nightlyFew {
		b.Fatalf("BENCH_ACTIVE is %q, want a number from %d on", text, nightlyFew)
	}
	return active, max(1, benchPartitions*nightlyFew/active)
}

// BenchmarkNightlyLatency measures what a nightly run costs live events: how long they take from when they
// should have been sent until the transaction that folds them is committed, without a run and with one in
// progress. Rounds take turns, so that a machine that others use too slows both alike.
//
//	make bench BENCH=NightlyLatency                                     20,000 active SKUs: 2 minutes
//	make bench BENCH=NightlyLatency BENCH_ACTIVE=1000000 TIMEOUT=60m    a million: 20 minutes, 18 GB of memory
func BenchmarkNightlyLatency(b *testing.B) {
	for _, rate := range []int{200, 5000} {
		b.Run(fmt.Sprintf("%d_events_a_second", rate), func(b *testing.B) {
			for b.Loop() {
				benchNightlyLatency(b, rate)
			}
		})
	}
}

func benchNightlyLatency(b *testing.B, rate int) {
	b.Helper()
	c := startBenchBroker(b, false)
	p, stop := runBench(b, c)
	defer stop()
	active, partitions := nightlyActive(b)
	next, n := ledgerLines(active, 0), 3*active
	if _, err := testenv.Produce(b.Context(), c.Cluster, next, testenv.ProduceConfig{Prefix: benchPrefix, Events: n}); err != nil {
		b.Fatal(err)
	}
	waitFolded(b, p, n)
	quiet, busy := hdrhistogram.New(1, time.Minute.Microseconds(), 3), hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	round := func(took *hdrhistogram.Histogram) {
		watch := watchCommits(p)
		m := int(nightlyRound.Seconds() * float64(rate))
		made, err := testenv.Produce(b.Context(), c.Cluster, next, testenv.ProduceConfig{Prefix: benchPrefix, Events: m, Rate: float64(rate)})
		if err != nil {
			b.Fatal(err)
		}
		n += m
		waitFolded(b, p, n)
		commits := watch()
		for _, a := range made.Acks {
			if err := took.RecordValue(commits.at(a.Place).Sub(a.Intended).Microseconds()); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range nightlyRounds {
		round(quiet)
		askBench(b, c.Cluster, i*partitions, partitions)
		waitNights(b, p, true)
		before := emitted(p)
		round(busy)
		if n := emitted(p) - before; n < nightlyRound.Milliseconds() {
			b.Fatalf("the run emitted %d SKUs during the round: it was not in progress", n)
		}
		waitNights(b, p, false)
	}
	if err := testenv.Check(b.Context(), c.Cluster, testenv.CheckConfig{Prefix: benchPrefix, Policy: policy()}); err != nil {
		b.Fatalf("the answer is wrong, so its speed means nothing: %v", err)
	}
	for _, q := range []float64{50, 99} {
		without, with := quiet.ValueAtQuantile(q), busy.ValueAtQuantile(q)
		b.ReportMetric(float64(without)/1000, fmt.Sprintf("p%.0f-ms", q))
		b.ReportMetric(float64(with)/1000, fmt.Sprintf("p%.0f-ms-with-run", q))
		b.ReportMetric(float64(with)/float64(without), fmt.Sprintf("p%.0f-ratio", q))
	}
}

// askBench asks so many partitions for a nightly run.
func askBench(b *testing.B, c *testenv.Cluster, first, partitions int) {
	b.Helper()
	cl := c.Client(b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range partitions {
		r := &kgo.Record{
			Topic: benchPrefix.Name(topics.Commands), Partition: int32((first + n) % benchPartitions),
			Value: []byte(`{"id":"bench","command":"nightly"}`),
		}
		if err := cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// waitNights waits until a run is in progress, or until none is and none begins. One that makes no headway is
// not waited for.
func waitNights(b *testing.B, p *processor.Processor, running bool) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	stuck := time.AfterFunc(2*time.Minute, cancel)
	defer stuck.Stop()
	last := int64(-1)
	err := testenv.Until(ctx, 200*time.Millisecond, func(context.Context) error {
		n, some := emitted(p), false
		for _, t := range p.Tasks() {
			some = some || t.Nightly.Running
		}
		still := n == last
		if last = n; !still {
			stuck.Reset(2 * time.Minute)
		}
		if some != running || !running && !still {
			return fmt.Errorf("running %v, %d emitted", some, n)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// emitted is how many SKUs the runs in progress or the last ones have emitted.
func emitted(p *processor.Processor) (n int64) {
	for _, t := range p.Tasks() {
		n += t.Nightly.Reemitted
	}
	return n
}
