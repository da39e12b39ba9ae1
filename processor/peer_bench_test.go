package processor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/testenv"
	"stocksync/topics"
)

// BenchmarkPeer holds the processor beside the same job in Kafka Streams, on one real broker, with the same
// preloaded topics, in the same minutes, one round of each after the other: `make bench-peer`. Each catches up from
// the start with two threads, and its answer is checked before its speed is printed. Events per CPU-second count
// application and broker together, over the last three quarters of the input: the JVM has warmed up by then.
func BenchmarkPeer(b *testing.B) {
	if os.Getenv("STOCKSYNC_PEER") == "" {
		return
	}
	for b.Loop() {
		benchPeer(b)
	}
}

const peerCommit = 100 * time.Millisecond

func newPeerBench(b *testing.B) *peerBench {
	b.Helper()
	cluster := testenv.StartKafka(b, 1)
	if !cluster.Killable() {
		b.Fatal("the broker's processor time is measured: it must be one of the test's own, not KAFKA_BROKERS")
	}
	return &peerBench{cluster: cluster, prefix: "peer.", admin: kadm.NewClient(cluster.Client(b)), events: benchEvents()}
}

func benchPeer(b *testing.B) {
	b.Helper()
	p := newPeerBench(b)
	p.ensure(b)
	p.preload(b)
	var peer, ours [2]float64
	for round := range peer {
		peer[round] = p.streams(b, round)
		ours[round] = p.stocksync(b, round)
	}
	b.ReportMetric((peer[0]+peer[1])/2, "streams-events/CPU-s")
	b.ReportMetric((ours[0]+ours[1])/2, "stocksync-events/CPU-s")
	b.ReportMetric((ours[0]+ours[1])/(peer[0]+peer[1]), "stocksync/streams")
}

// peerBench is one comparison.
type peerBench struct {
	cluster *testenv.Cluster
	prefix  topics.Prefix
	admin   *kadm.Client
	events  int
}

func (p *peerBench) ensure(b *testing.B) {
	b.Helper()
	_, err := topics.Ensure(b.Context(), p.admin, topics.EnsureConfig{
		Prefix: p.prefix, Partitions: benchPartitions, SinkPartitions: 1,
	})
	if err != nil {
		b.Fatal(err)
	}
}

// preload produces the peer's kinds of events: deltas, order lines, cancellations, shipments and repeats.
func (p *peerBench) preload(b *testing.B) {
	b.Helper()
	next := peerEvents(100_000)
	done, err := testenv.Produce(b.Context(), p.cluster, next, testenv.ProduceConfig{Prefix: p.prefix, Events: p.events})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d events preloaded in %.1f s", len(done.Acks), done.Elapsed.Seconds())
}

// peerEvents returns a source of events over that many SKUs.
func peerEvents(skus int) func() testenv.Event {
	r := rand.New(rand.NewPCG(7, 7))
	at := topics.TimeOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	var seq int64
	var orders []*topics.Order
	var recent []testenv.Event
	event := func(base, sku string, value []byte) testenv.Event {
		e := testenv.Event{Topic: base, Key: []byte(sku), Value: value}
		if len(recent) < 4096 {
			recent = append(recent, e)
		} else {
			recent[r.IntN(len(recent))] = e
		}
		return e
	}
	return func() testenv.Event {
		seq++
		at += 1000
		if len(recent) > 1000 && r.IntN(20) == 0 {
			return recent[r.IntN(len(recent))] // sent again
		}
		sku, warehouse := fmt.Sprintf("SKU-%07d", r.IntN(skus)), fmt.Sprintf("WH-JKT-%02d", r.IntN(3))
		if r.IntN(10) < 4 {
			o := &topics.Order{
				OrderLineID: fmt.Sprintf("erp1/SO-26-%08d/1", seq), Version: 1, SKU: sku, Warehouse: warehouse,
				Status: topics.OrderOpen, OrderedQty: topics.Quantity(1+r.IntN(9)) * topics.One, OrderedAt: at,
				OrderID: fmt.Sprintf("SO-26-%08d", seq), Store: fmt.Sprintf("store-%d", r.IntN(4)), Source: "erp1",
			}
			if len(orders) > 1000 && r.IntN(8) == 0 { // one of before is cancelled instead
				o = orders[r.IntN(len(orders))]
				o.Version++
				o.Status = topics.OrderCancelled
			}
			if len(orders) < 100_000 {
				orders = append(orders, o)
			} else {
				orders[r.IntN(len(orders))] = o
			}
			return event(topics.Orders, o.SKU, o.AppendJSON(nil))
		}
		m := topics.Mutation{
			LineID: fmt.Sprintf("erp1/SINV-26-%08d/1/out", seq), Version: 1, SKU: sku, Warehouse: warehouse,
			Qty: topics.Quantity(r.IntN(40)-10) * topics.One, EffectiveAt: at, Reason: "sales_invoice",
			VoucherType: "Sales Invoice", VoucherNo: fmt.Sprintf("SINV-26-%08d", seq), Source: "erp1",
		}
		if len(orders) > 100 && r.IntN(5) == 0 {
			o := orders[r.IntN(len(orders))]
			m.SKU, m.Warehouse, m.OrderLineID, m.Qty = o.SKU, o.Warehouse, o.OrderLineID, -o.OrderedQty
		}
		return event(topics.Mutations, m.SKU, m.AppendJSON(nil))
	}
}

// streams lets the peer catch up, and returns its events per CPU-second.
func (p *peerBench) streams(b *testing.B, round int) float64 {
	b.Helper()
	c := p.streamsContender()
	out := fmt.Sprintf("peer-out-%d", round)
	c.out, c.group = out, fmt.Sprintf("peer-%d", round)
	if _, err := p.admin.CreateTopic(b.Context(), benchPartitions, 1, nil, out); err != nil {
		b.Fatal(err)
	}
	app := c.start(b, "bench", b.TempDir())
	rate := p.catchUp(b, c.name, c.group, app)
	p.stop(b, app)
	err := testenv.CheckTotals(b.Context(), p.cluster, testenv.CheckConfig{Prefix: p.prefix, Policy: policy()}, out)
	if err != nil {
		b.Fatalf("the peer's answer is wrong, so its speed means nothing: %v", err)
	}
	return rate
}

// streamsContender is the peer.
func (p *peerBench) streamsContender() *contender {
	c := &contender{name: "streams", group: "peer", out: "peer-out"}
	c.start = func(b *testing.B, _, dir string) *testenv.Process {
		b.Helper()
		return testenv.StartPeer(b, testenv.PeerConfig{
			Brokers: p.cluster.Brokers, Prefix: p.prefix, Out: c.out, Group: c.group, StateDir: dir, Threads: benchLanes,
			CommitInterval: peerCommit, Compression: "snappy",
		})
	}
	return c
}

// stocksyncContender is the processor.
func (p *peerBench) stocksyncContender() *contender {
	c := &contender{name: "stocksync", group: p.prefix.Name("processor"), out: p.prefix.Name(topics.AvailabilityTopic)}
	c.start = func(b *testing.B, id, dir string) *testenv.Process {
		b.Helper()
		return testenv.StartProcess(b, testenv.ProcessConfig{Args: []string{"processor"}, Env: map[string]string{
			"KAFKA_BROKERS": p.cluster.Brokers[0], "TOPIC_PREFIX": string(p.prefix), "INSTANCE_ID": id,
			"STATE_DIR": dir, "PROCESSOR_WORKERS": strconv.Itoa(benchLanes), "COMMIT_INTERVAL": peerCommit.String(),
		}})
	}
	return c
}

// stocksync lets the processor catch up, and returns its events per CPU-second.
func (p *peerBench) stocksync(b *testing.B, round int) float64 {
	b.Helper()
	group := p.prefix.Name("processor")
	if round > 0 { // as new
		outputs := []string{topics.Changelog, topics.AvailabilityTopic, topics.DeadLetters}
		for i := range outputs {
			outputs[i] = p.prefix.Name(outputs[i])
		}
		if _, err := p.admin.DeleteTopics(b.Context(), outputs...); err != nil {
			b.Fatal(err)
		}
		if _, err := p.admin.DeleteGroups(b.Context(), group); err != nil {
			b.Fatal(err)
		}
		err := testenv.Until(b.Context(), 100*time.Millisecond, func(ctx context.Context) error {
			_, err := topics.Ensure(ctx, p.admin, topics.EnsureConfig{
				Prefix: p.prefix, Partitions: benchPartitions, SinkPartitions: 1,
			})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	c := p.stocksyncContender()
	app := c.start(b, "bench", b.TempDir())
	rate := p.catchUp(b, c.name, group, app)
	p.stop(b, app)
	if err := testenv.Check(b.Context(), p.cluster, testenv.CheckConfig{Prefix: p.prefix, Policy: policy()}); err != nil {
		b.Fatalf("the answer is wrong, so its speed means nothing: %v", err)
	}
	return rate
}

func (p *peerBench) stop(b *testing.B, app *testenv.Process) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if _, err := app.Terminate(ctx); err != nil {
		b.Fatal(err)
	}
}

// reading is what was read of the clocks when a group had come to some offset.
type reading struct {
	at          time.Time
	done        int64
	app, broker time.Duration
}

// catchUp waits until a group has committed all of the input, and returns events per CPU-second over the last three
// quarters.
func (p *peerBench) catchUp(b *testing.B, name, group string, app *testenv.Process) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	var first, quarter, last reading
	err := testenv.Until(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		now, end, err := p.read(ctx, group, app)
		if err != nil {
			return err
		}
		if first.at.IsZero() && now.done > 0 {
			first = now
		}
		if quarter.at.IsZero() && now.done >= end/4 {
			quarter = now
		}
		last = now
		if now.done < end {
			return fmt.Errorf("%s has committed %d of %d", name, now.done, end)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	_, most, err := app.Memory()
	if err != nil {
		b.Fatal(err)
	}
	n := float64(last.done - quarter.done)
	wall, a, k := last.at.Sub(quarter.at).Seconds(), (last.app - quarter.app).Seconds(), (last.broker - quarter.broker).Seconds()
	b.Logf("%-10s %8.0f events/s  %8.0f events/CPU-s  application %.2f us, broker %.2f us an event; from first commit to end %.1f s; peak memory %d MiB",
		name, n/wall, n/(a+k), a/n*1e6, k/n*1e6, last.at.Sub(first.at).Seconds(), most>>20)
	return n / (a + k)
}

// read returns how far a group is, how far it has to go, and the processor times.
func (p *peerBench) read(ctx context.Context, group string, app *testenv.Process) (r reading, end int64, err error) {
	inputs := []string{p.prefix.Name(topics.Mutations), p.prefix.Name(topics.Orders)}
	committed, err := p.admin.FetchOffsets(ctx, group)
	if err != nil {
		return r, 0, err
	}
	ends, err := p.admin.ListEndOffsets(ctx, inputs...)
	if err != nil {
		return r, 0, err
	}
	for _, topic := range inputs {
		for n, o := range ends[topic] {
			end += o.Offset
			if at, ok := committed.Lookup(topic, n); ok && at.At > 0 {
				r.done += at.At
			}
		}
	}
	r.at = time.Now()
	if r.app, err = app.CPU(); err != nil {
		return r, 0, err
	}
	r.broker, err = p.cluster.CPU()
	return r, end, err
}
