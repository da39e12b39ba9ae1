package processor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// What a nightly run costs live events: the time from when an event should have left its producer until a
// reader of availability has it, without a run and with one in progress, from one process and one broker.
// The load is open-loop: an event that is late waits on nobody's clock but its own. Rounds take turns, so
// that a machine that others use too slows both alike.
func BenchmarkNightlyLatency(b *testing.B) {
	for _, rate := range []float64{200, 5000} {
		b.Run(fmt.Sprintf("%.0f_events_a_second", rate), func(b *testing.B) {
			for b.Loop() {
				benchNightlyLatency(b, rate)
			}
		})
	}
}

const (
	latencyActive = 20_000 // SKUs that the run has to emit
	latencyRounds = 4
	latencyRound  = 3 * time.Second
	latencySKUs   = 20_000 // that live events are for
)

func benchNightlyLatency(b *testing.B, rate float64) {
	b.Helper()
	cluster := testenv.StartKfake(b)
	const prefix = topics.Prefix("latency.")
	if _, err := topics.Ensure(b.Context(), kadm.NewClient(cluster.Client(b)), topics.EnsureConfig{
		Prefix: prefix, Partitions: benchPartitions, SinkPartitions: 1, AllowDeleteChangelog: true,
	}); err != nil {
		b.Fatal(err)
	}
	w := &wall{}
	p, err := processor.New(processor.Config{
		Brokers: cluster.Brokers, Prefix: prefix, InstanceID: "bench", StateDir: b.TempDir(), Workers: benchLanes,
		CommitInterval: benchInterval, Policy: state.Policy{ReturnsReserve: true}, EmbeddedBroker: true, Now: w.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	preload(b, cluster, prefix, latencyActive, latencyActive, 0)
	if err := testenv.WaitQuiet(b.Context(), cluster, prefix); err != nil {
		b.Fatal(err)
	}
	seen := watchAvailability(b, cluster, prefix)
	var quiet, busy []time.Duration
	serial := 0
	for range latencyRounds {
		quiet = append(quiet, liveRound(b, cluster, prefix, seen, rate, &serial)...)
		command(b, cluster, prefix)
		waitNights(b, p, true)
		began := emitted(p)
		busy = append(busy, liveRound(b, cluster, prefix, seen, rate, &serial)...)
		if n := emitted(p) - began; n < latencyRound.Milliseconds() {
			b.Fatalf("the run emitted %d SKUs during the round: it was not in progress", n)
		}
		waitNights(b, p, false)
	}
	if err := testenv.Check(b.Context(), cluster, testenv.CheckConfig{Prefix: prefix, Policy: policy()}); err != nil {
		b.Fatalf("the answer is wrong, so its speed means nothing: %v", err)
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		without, with := quantile(quiet, q.at), quantile(busy, q.at)
		b.ReportMetric(float64(without.Microseconds())/1000, q.name+"-ms")
		b.ReportMetric(float64(with.Microseconds())/1000, q.name+"-ms-with-run")
		b.ReportMetric(with.Seconds()/without.Seconds(), q.name+"-ratio")
	}
}

func quantile(list []time.Duration, q float64) time.Duration {
	slices.Sort(list)
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

// command asks every partition for a nightly run.
func command(b *testing.B, c *testenv.Cluster, prefix topics.Prefix) {
	b.Helper()
	cl := c.Client(b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range int32(benchPartitions) {
		r := &kgo.Record{Topic: prefix.Name(topics.Commands), Partition: n, Value: []byte(`{"id":"bench","command":"nightly"}`)}
		if err := cl.ProduceSync(b.Context(), r).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// waitNights waits until a run is in progress, or none is.
func waitNights(b *testing.B, p *processor.Processor, running bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	last := int64(-1)
	err := testenv.Until(ctx, 100*time.Millisecond, func(context.Context) error {
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

// sightings are when availability records of input records were seen.
type sightings struct {
	mu sync.Mutex
	at map[testenv.Place]time.Time
}

// watchAvailability notes when a reader has the availability of each mutation.
func watchAvailability(b *testing.B, c *testenv.Cluster, prefix topics.Prefix) *sightings {
	b.Helper()
	s := &sightings{at: map[testenv.Place]time.Time{}}
	cl := c.Client(b, kgo.ConsumeTopics(prefix.Name(topics.AvailabilityTopic)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()))
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			fetches := cl.PollFetches(ctx)
			now := time.Now()
			s.mu.Lock()
			fetches.EachRecord(func(r *kgo.Record) {
				if !strings.HasPrefix(string(r.Key), "LIVE") {
					return
				}
				if a, err := topics.DecodeAvailability(r.Value); err == nil {
					for _, cause := range a.Causes {
						s.at[testenv.Place{Topic: topics.Mutations, Partition: cause.Partition, Offset: cause.Offset}] = now
					}
				}
			})
			s.mu.Unlock()
		}
	})
	b.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return s
}

// liveRound produces at a rate for a while, and returns how long each event took.
func liveRound(
	b *testing.B, c *testenv.Cluster, prefix topics.Prefix, seen *sightings, rate float64, serial *int,
) []time.Duration {
	b.Helper()
	next := func() testenv.Event {
		*serial++
		m := topics.Mutation{
			SKU: fmt.Sprintf("LIVE-%05d", *serial%latencySKUs), LineID: fmt.Sprint("live/", *serial), Version: 1,
			Warehouse: "WH-JKT-01", Qty: topics.One, EffectiveAt: topics.TimeOf(time.Now()),
		}
		return testenv.Event{Topic: topics.Mutations, Key: []byte(m.SKU), Value: m.AppendJSON(nil)}
	}
	done, err := testenv.Produce(b.Context(), c, next, testenv.ProduceConfig{
		Prefix: prefix, Events: int(rate * latencyRound.Seconds()), Rate: rate,
	})
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	err = testenv.Until(ctx, 20*time.Millisecond, func(context.Context) error {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		took = took[:0]
		for _, ack := range done.Acks {
			at, ok := seen.at[ack.Place]
			if !ok {
				return fmt.Errorf("%s was not seen", ack.Place)
			}
			took = append(took, at.Sub(ack.Intended))
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return took
}
