package processor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

const (
	nightlyActive = 20_000 // SKUs that the run has to emit: ten seconds at the default rate
	nightlyRounds = 4
	nightlyRound  = 3 * time.Second
)

// BenchmarkNightlyLatency measures what a nightly run costs live events: how long they take from when they
// should have been sent until the transaction that folds them is committed, without a run and with one in
// progress. Rounds take turns, so that a machine that others use too slows both alike.
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
	c := benchTopics(b)
	p, stop := runBench(b, c)
	defer stop()
	next, n := ledgerLines(nightlyActive, 0), 3*nightlyActive
	if _, err := testenv.Produce(b.Context(), c, next, testenv.ProduceConfig{Prefix: benchPrefix, Events: n}); err != nil {
		b.Fatal(err)
	}
	waitFolded(b, p, n)
	quiet, busy := hdrhistogram.New(1, time.Minute.Microseconds(), 3), hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	round := func(took *hdrhistogram.Histogram) {
		watch := watchCommits(p)
		m := int(nightlyRound.Seconds() * float64(rate))
		made, err := testenv.Produce(b.Context(), c, next, testenv.ProduceConfig{Prefix: benchPrefix, Events: m, Rate: float64(rate)})
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
	for range nightlyRounds {
		round(quiet)
		askBench(b, c)
		waitNights(b, p, true)
		before := emitted(p)
		round(busy)
		if n := emitted(p) - before; n < nightlyRound.Milliseconds() {
			b.Fatalf("the run emitted %d SKUs during the round: it was not in progress", n)
		}
		waitNights(b, p, false)
	}
	if err := testenv.Check(b.Context(), c, testenv.CheckConfig{Prefix: benchPrefix, Policy: policy()}); err != nil {
		b.Fatalf("the answer is wrong, so its speed means nothing: %v", err)
	}
	for _, q := range []float64{50, 99} {
		without, with := quiet.ValueAtQuantile(q), busy.ValueAtQuantile(q)
		b.ReportMetric(float64(without)/1000, fmt.Sprintf("p%.0f-ms", q))
		b.ReportMetric(float64(with)/1000, fmt.Sprintf("p%.0f-ms-with-run", q))
		b.ReportMetric(float64(with)/float64(without), fmt.Sprintf("p%.0f-ratio", q))
	}
}

// askBench asks every partition for a nightly run.
func askBench(b *testing.B, c *testenv.Cluster) {
	b.Helper()
	cl := c.Client(b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range int32(benchPartitions) {
		r := &kgo.Record{
			Topic: benchPrefix.Name(topics.Commands), Partition: n, Value: []byte(`{"id":"bench","command":"nightly"}`),
		}
		if err := cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// waitNights waits until a run is in progress, or until none is and none begins.
func waitNights(b *testing.B, p *processor.Processor, running bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	last := int64(-1)
	err := testenv.Until(ctx, 200*time.Millisecond, func(context.Context) error {
		n, some := emitted(p), false
		for _, t := range p.Tasks() {
			some = some || t.Nightly.Running
		}
		still := n == last
		last = n
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
