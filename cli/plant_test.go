package cli_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// planter plants differences into an installation whose processor has stopped.
type planter struct {
	t      *testing.T
	cfg    cli.Config
	client *kgo.Client
	all    map[string][]*kgo.Record // by topic, as the processor left them
}

func newPlanter(t *testing.T, c *testenv.Cluster, cfg cli.Config) *planter {
	t.Helper()
	p := &planter{t: t, cfg: cfg, client: c.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner())), all: map[string][]*kgo.Record{}}
	for _, base := range []string{topics.Changelog, topics.AvailabilityTopic, topics.Mutations} {
		p.all[base] = records(t, c, cfg, base)
	}
	return p
}

// produce writes a record to a partition and returns its offset.
func (p *planter) produce(base string, partition int32, key, value []byte, headers ...kgo.RecordHeader) int64 {
	p.t.Helper()
	r := &kgo.Record{Topic: p.cfg.TopicPrefix + base, Partition: partition, Key: key, Value: value, Headers: headers}
	if err := p.client.ProduceSync(p.t.Context(), r).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
	return r.Offset
}

// chunk returns the last value of one chunk of a SKU.
func (p *planter) chunk(sku string, number uint32) *kgo.Record {
	p.t.Helper()
	for _, r := range slices.Backward(p.all[topics.Changelog]) {
		if state.IsTaskKey(r.Key) {
			continue
		}
		if s, n, err := state.SplitChunkKey(r.Key); err == nil && string(s) == sku && n == number {
			return r
		}
	}
	p.t.Fatalf("%s has no chunk %d", sku, number)
	return nil
}

// patch rewrites chunk 1 of a SKU, of which a sequence of bytes is replaced.
func (p *planter) patch(sku, old, with string) {
	p.t.Helper()
	r := p.chunk(sku, 1)
	if bytes.Count(r.Value, []byte(old)) != 1 {
		p.t.Fatalf("%s: %q is %d times in %q", sku, old, bytes.Count(r.Value, []byte(old)), r.Value)
	}
	p.produce(topics.Changelog, r.Partition, r.Key, bytes.Replace(r.Value, []byte(old), []byte(with), 1))
}

// availability rewrites the availability record of a SKU; nil leaves a tombstone.
func (p *planter) availability(sku string, change func(a *topics.Availability, r *kgo.Record)) {
	p.t.Helper()
	for _, r := range slices.Backward(p.all[topics.AvailabilityTopic]) {
		if string(r.Key) != sku {
			continue
		}
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			p.t.Fatal(err)
		}
		copied := *r
		copied.Headers = slices.Clone(r.Headers)
		if change != nil {
			change(a, &copied)
			copied.Value = a.AppendJSON(nil)
		} else {
			copied.Value = nil
		}
		p.produce(topics.AvailabilityTopic, r.Partition, r.Key, copied.Value, copied.Headers...)
		return
	}
	p.t.Fatalf("%s has no availability", sku)
}

// pass moves a task past one more record of mutations, as if it had folded it.
func (p *planter) pass(partition int32, offset int64, count func(*state.Counters)) {
	p.t.Helper()
	for i, r := range slices.Backward(p.all[topics.Changelog]) {
		if !state.IsTaskKey(r.Key) || r.Partition != partition {
			continue
		}
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			p.t.Fatal(err)
		}
		record.Inputs[state.InputMutations].Next = offset + 1
		record.Counters.Consumed++
		count(&record.Counters)
		next := *r
		next.Value = record.Append(nil)
		p.all[topics.Changelog][i] = &next
		p.produce(topics.Changelog, partition, r.Key, next.Value)
		return
	}
	p.t.Fatalf("partition %d has no task record", partition)
}

func duplicate(c *state.Counters) { c.Duplicate++ }

// fold folds a mutation that no topic holds, and writes what the processor would have written at that time.
func (p *planter) fold(m *topics.Mutation, at time.Time) {
	p.t.Helper()
	n := topics.PartitionOf([]byte(m.SKU), p.cfg.Partitions)
	store, err := state.Open(state.Config{Dir: p.t.TempDir()})
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	task, err := store.OpenTask(p.t.Context(), n, state.Policy{ReturnsReserve: true}, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	defer task.Close()
	var changes []state.Change
	for _, r := range p.all[topics.Changelog] {
		if r.Partition == n {
			changes = append(changes, state.Change{Key: r.Key, Value: r.Value})
		}
	}
	if err := task.Replay(changes, 1, time.Now()); err != nil {
		p.t.Fatal(err)
	}
	if o, reject, err := task.Mutation(m, &state.Arrival{Time: topics.TimeOf(at)}); o != state.Applied || err != nil {
		p.t.Fatal(o, reject, err)
	}
	task.Prepare(time.Now(), func(o state.Output) {
		switch {
		case o.Kind == state.ToAvailability:
			p.produce(topics.AvailabilityTopic, n, o.Key, o.Value, kgo.RecordHeader{Key: topics.HeaderRevision, Value: o.Revision})
		case !state.IsTaskKey(o.Key):
			p.produce(topics.Changelog, n, o.Key, o.Value)
		}
	})
}

// stockOf gives a SKU two ledger lines and two order lines, which fill its first chunk: in JKT 40 in, 3 of order
// SO/1 out, so Actual 37; SO/1 of store web has 4 of 7 left, SO/2 of none 2: Reserved 6.
func stockOf(t *testing.T, c *testenv.Cluster, cfg cli.Config, sku string) {
	t.Helper()
	line := func(id string, version int, more string) {
		produce(t, c, cfg, topics.Mutations, sku, fmt.Sprintf(
			`{"line_id":"%s/%s","version":%d,"sku":%q,"warehouse":"JKT","effective_at":"2026-01-31T08:00:00Z",%s}`, sku, id, version, sku, more))
	}
	order := func(id string, more string) {
		produce(t, c, cfg, topics.Orders, sku, fmt.Sprintf(
			`{"order_line_id":"%s/%s","version":1,"sku":%q,"warehouse":"JKT","status":"open","ordered_at":"2026-01-30T08:00:00Z","order_id":"SO",%s}`,
			sku, id, sku, more))
	}
	line("in", 1, `"qty":40`)
	line("out", 1, `"qty":-3,"order_line_id":"`+sku+`/SO/1"`)
	order("SO/1", `"ordered_qty":7,"store":"web"`)
	order("SO/2", `"ordered_qty":2`)
}

// collapsed writes chunk 1 of a SKU as a nightly run would have left it; package state documents the format.
type collapsed struct {
	a               *topics.Availability
	base, delivered topics.Quantity // of the warehouse; of the order line that is held
	frontier        topics.Time     // of lines and order lines
	count           topics.Time
	order, store    string // what is left
	taken           topics.Quantity
}

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func (c *collapsed) chunk() []byte {
	b := make([]byte, 5) // format, length of the header
	number := func(v uint64) { b = binary.AppendUvarint(b, v) }
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	qty := func(q topics.Quantity) { number(zigzag(int64(q/topics.One)) << 1) }
	moment := func(t topics.Time) {
		if t.IsZero() {
			number(0)
			return
		}
		number(zigzag(int64(c.a.AsOf-t)) + 1)
	}
	position := func(t topics.Time, id string) {
		moment(t)
		number(0)
		text(id)
	}
	// In entries times and days count from 2020, in microseconds here: the even numbers.
	const epochDay = 18262
	const epoch = topics.Time(epochDay*86_400*1_000_000) + 1
	day := func() { number(zigzag(int64(c.a.AsOf.UTCDay() - epochDay))) }
	at := func(t topics.Time) { number(zigzag(int64(t-epoch))<<1 + 2) }
	number(uint64(c.a.Revision))
	number(uint64(c.a.AsOf))
	b = append(b, 1, 0) // RETURNS_RESERVE; every chunk is live
	for _, t := range []topics.Time{c.a.FirstSeenAt, c.a.LastMutationAt, c.a.LastOrderAt, c.a.LastCountAt} {
		moment(t)
	}
	b = append(b, 0, 1) // active on the day of as_of; one store
	text(c.store)
	b = append(b, 1) // one warehouse
	w := c.a.Warehouses[0]
	text(w.Warehouse)
	qty(w.Actual)
	qty(w.Reserved)
	b = append(b, 1, 0)
	qty(w.ByStore[0].Reserved)
	qty(w.ByStore[0].Taken)
	b = append(b, 1, 0)
	number(zigzag(c.a.Revision - c.a.OrdersFrom[0].Revision))
	b = append(b, 1|2|4)
	qty(c.base)
	position(c.count, "C/count")
	b = append(b, 1, 0)
	qty(c.taken)
	position(c.frontier, "~")
	moment(c.frontier)
	b[0] = 1
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-5))
	entries := byte(2)
	if c.order != "" {
		entries++
	}
	b = append(b, entries)
	line := func(id string, q topics.Quantity, effective topics.Time) {
		b = append(b, 0) // a delta
		text(id)
		b = append(b, byte(zigzag(1)), 0)
		qty(q)
		at(effective)
		b = append(b, 0) // seq
		day()
	}
	line("C/new", 2*topics.One, c.frontier+1)
	line("C/old", 100*topics.One, c.count-1)
	if c.order != "" {
		b = append(b, 1|byte(topics.OrderOpen)<<1|1<<4|1<<5|1<<6)
		text(c.order)
		day()
		b = append(b, byte(zigzag(1)), 0)
		qty(7 * topics.One)
		at(c.frontier)
		text("SO")
		b = append(b, 0)
		qty(c.delivered)
		qty(0)
	}
	return b
}
