package processor_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// BenchmarkPeerRecovery holds what a restart costs beside the same in Kafka Streams: after kill -9 under load, with
// an empty state directory, and of one instance of two. Each time counts from the start, or the death, until an
// event of every partition, produced then, is in the committed output.
func BenchmarkPeerRecovery(b *testing.B) {
	eachContender(b, func(b *testing.B, p *peerBench, c *contender) {
		b.Helper()
		// Both from the start: Streams would let one that comes later wait for minutes.
		first, second := c.start(b, "a", b.TempDir()), c.start(b, "b", b.TempDir())
		p.catchUp(b, c.name, c.group, first)
		p.awaitMembers(b, c)
		if err := first.Kill(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(p.awaitProbes(b, c).Seconds(), "failover-s")

		stop := p.load(b)
		p.awaitProbes(b, c)
		if err := second.Kill(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(p.revive(b, c, second).Seconds(), "restart-s")
		stop()
		p.stop(b, second)

		cold := c.start(b, "b", b.TempDir())
		b.ReportMetric(p.awaitProbes(b, c).Seconds(), "cold-start-s")
		p.stop(b, cold)
	})
}

// BenchmarkPeerLatency measures how long an event takes from when it should have been sent until it is in the
// committed output, at 10,000 events a second and equal commit intervals. One event in a hundred is of a SKU of its
// own, whose only record tells when.
func BenchmarkPeerLatency(b *testing.B) {
	const perSecond, seconds, warmUp, every = 10_000, 30, 10, 100
	eachContender(b, func(b *testing.B, p *peerBench, c *contender) {
		b.Helper()
		app := c.start(b, "a", b.TempDir())
		p.catchUp(b, c.name, c.group, app)
		seen := p.watch(b, c.out)
		next, n, lines := peerEvents(100_000), 0, ledgerLines(1, 0)
		own := fmt.Sprintf("%s-%d-", c.name, time.Now().UnixNano())
		made, err := testenv.Produce(b.Context(), p.cluster, func() testenv.Event {
			if n++; n%every > 0 {
				return next()
			}
			return ownEvent(lines(), own+strconv.Itoa(n))
		}, testenv.ProduceConfig{Prefix: p.prefix, Events: perSecond * seconds, Rate: perSecond})
		if err != nil {
			b.Fatal(err)
		}
		began := made.Acks[0].Intended
		for _, a := range made.Acks {
			if a.Intended.Before(began) {
				began = a.Intended
			}
		}
		took := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
		for i := warmUp * perSecond; i < perSecond*seconds; i++ {
			if (i+1)%every > 0 {
				continue
			}
			intended := began.Add(time.Duration(i) * time.Second / perSecond)
			at, err := seen.at(b.Context(), own+strconv.Itoa(i+1))
			if err == nil {
				err = took.RecordValue(max(1, at.Sub(intended).Microseconds()))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(took.ValueAtQuantile(50))/1000, "p50-ms")
		b.ReportMetric(float64(took.ValueAtQuantile(99))/1000, "p99-ms")
		p.stop(b, app)
	})
}

// contender is one of the two that do the same job.
type contender struct {
	name, group, out string
	start            func(b *testing.B, id, dir string) *testenv.Process
}

// eachContender runs a benchmark with each of the two, on one real broker with one preloaded input.
func eachContender(b *testing.B, bench func(b *testing.B, p *peerBench, c *contender)) {
	b.Helper()
	if os.Getenv("STOCKSYNC_PEER") == "" {
		return
	}
	p := newPeerBench(b)
	p.ensure(b)
	p.preload(b)
	for _, c := range []*contender{p.streamsContender(), p.stocksyncContender()} {
		if c.name == "streams" {
			if _, err := p.admin.CreateTopic(b.Context(), benchPartitions, 1, nil, c.out); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				bench(b, p, c)
			}
		})
	}
}

// load produces 2,000 events a second until the function it returns is called.
func (p *peerBench) load(b *testing.B) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	next := peerEvents(100_000)
	go func() {
		defer close(done)
		const rate, most = 2000, 600 * 2000
		_, _ = testenv.Produce(ctx, p.cluster, next, testenv.ProduceConfig{Prefix: p.prefix, Events: most, Rate: rate})
	}()
	return func() { cancel(); <-done }
}

// revive starts a killed process again, and returns how long it takes.
func (p *peerBench) revive(b *testing.B, c *contender, app *testenv.Process) time.Duration {
	b.Helper()
	if err := app.Restart(); err != nil {
		b.Fatal(err)
	}
	return p.awaitProbes(b, c)
}

// awaitProbes produces an event of a new SKU to every partition, and returns how long it takes until the committed
// output has all of them.
func (p *peerBench) awaitProbes(b *testing.B, c *contender) time.Duration {
	b.Helper()
	seen, began := p.watch(b, c.out), time.Now()
	lines, waiting := ledgerLines(1, 0), map[int32]string{}
	var records []*kgo.Record
	for n := 0; len(waiting) < benchPartitions; n++ {
		sku := fmt.Sprintf("PROBE-%d-%d", began.UnixNano(), n)
		partition := topics.PartitionOf([]byte(sku), benchPartitions)
		if waiting[partition] == "" {
			waiting[partition] = sku
			e := ownEvent(lines(), sku)
			records = append(records, &kgo.Record{Topic: p.prefix.Name(e.Topic), Key: e.Key, Value: e.Value})
		}
	}
	if err := p.cluster.Client(b).ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	for _, sku := range waiting {
		if _, err := seen.at(b.Context(), sku); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// ownEvent makes an event one of another SKU.
func ownEvent(e testenv.Event, sku string) testenv.Event {
	var m topics.Mutation
	if reject := topics.DecodeMutation(e.Key, e.Value, 1<<20, &m); reject != nil {
		panic(reject.Message) // it comes from the line above
	}
	m.SKU, m.LineID = sku, sku+"/1"
	return testenv.Event{Topic: topics.Mutations, Key: []byte(sku), Value: m.AppendJSON(nil)}
}

// awaitMembers waits until the group is stable and both instances have partitions.
func (p *peerBench) awaitMembers(b *testing.B, c *contender) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	err := testenv.Until(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		described, err := p.admin.DescribeGroups(ctx, c.group)
		if err != nil {
			return err
		}
		g := described[c.group]
		busy := 0
		for _, m := range g.Members {
			if a, ok := m.Assigned.AsConsumer(); ok && len(a.Topics) > 0 {
				busy++
			}
		}
		if g.State != "Stable" || busy < 2*benchLanes {
			return fmt.Errorf("group %s is %s, %d members have partitions", c.group, g.State, busy)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// arrivals are the times at which SKUs were first seen in a topic.
type arrivals struct {
	seen chan map[string]time.Time // holds the one map
}

// watch notes from now on when a SKU's first record is in the committed output.
func (p *peerBench) watch(b *testing.B, topic string) *arrivals {
	b.Helper()
	client, err := p.cluster.NewClient(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(10*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	ends, err := kadm.NewClient(client).ListEndOffsets(b.Context(), topic)
	if err != nil {
		b.Fatal(err)
	}
	at := map[string]map[int32]kgo.Offset{topic: {}}
	ends.Each(func(o kadm.ListedOffset) { at[topic][o.Partition] = kgo.NewOffset().At(o.Offset) })
	client.AddConsumePartitions(at)
	a := &arrivals{seen: make(chan map[string]time.Time, 1)}
	a.seen <- map[string]time.Time{}
	go func() {
		for {
			fetches := client.PollFetches(b.Context())
			if fetches.IsClientClosed() || b.Context().Err() != nil {
				return
			}
			now, seen := time.Now(), <-a.seen
			fetches.EachRecord(func(r *kgo.Record) {
				if _, ok := seen[string(r.Key)]; !ok {
					seen[string(r.Key)] = now
				}
			})
			a.seen <- seen
		}
	}()
	return a
}

// at waits for a SKU and returns when it came.
func (a *arrivals) at(ctx context.Context, sku string) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err = testenv.Until(ctx, time.Millisecond, func(context.Context) error {
		seen := <-a.seen
		defer func() { a.seen <- seen }()
		var ok bool
		if at, ok = seen[sku]; !ok {
			return fmt.Errorf("%s has not come", sku)
		}
		return nil
	})
	return at, err
}
