package processor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// patience is how long a test waits for what normally takes a fraction of a second.
const patience = 30 * time.Second

func until(t *testing.T, cond func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := testenv.Until(ctx, 10*time.Millisecond, cond); err != nil {
		t.Fatal(err)
	}
}

// upstream is a producer that says itself where a record goes.
type upstream struct {
	t      *testing.T
	client *kgo.Client
	prefix topics.Prefix
	n      int32 // partitions
	serial int
}

func newUpstream(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, partitions int32) *upstream {
	t.Helper()
	return &upstream{t: t, prefix: prefix, n: partitions, client: c.Client(t,
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20),
		kgo.MaxBufferedRecords(1<<20), kgo.ProducerBatchCompression(kgo.SnappyCompression()),
	)}
}

// send produces records whose topics are base names, and returns when all are acknowledged.
func (u *upstream) send(records ...*kgo.Record) []testenv.Ack {
	u.t.Helper()
	for _, r := range records {
		r.Topic = u.prefix.Name(r.Topic)
	}
	var acks []testenv.Ack
	for _, r := range u.client.ProduceSync(u.t.Context(), records...) {
		if r.Err != nil {
			u.t.Fatalf("produce to %s: %v", r.Record.Topic, r.Err)
		}
		base, _ := u.prefix.Base(r.Record.Topic)
		acks = append(acks, testenv.Ack{Place: testenv.Place{
			Topic: base, Partition: r.Record.Partition, Offset: r.Record.Offset,
		}})
	}
	return acks
}

// at returns a record for a partition of a topic.
func at(base string, partition int32, key, value string, headers ...kgo.RecordHeader) *kgo.Record {
	return &kgo.Record{
		Topic: base, Partition: partition, Key: []byte(key), Value: []byte(value), Headers: headers,
	}
}

// delta returns a new ledger line that moves one unit of a SKU, for the partition it belongs to.
func (u *upstream) delta(sku string) *kgo.Record {
	u.serial++
	return u.mutation(&topics.Mutation{
		LineID: fmt.Sprintf("test/%d", u.serial), Version: 1, SKU: sku, Warehouse: "WH-JKT-01", Qty: topics.One,
		EffectiveAt: someDay, Reason: "purchase_receipt",
	})
}

// mutation returns a record for the partition it belongs to.
func (u *upstream) mutation(m *topics.Mutation) *kgo.Record {
	return at(topics.Mutations, topics.PartitionOf([]byte(m.SKU), u.n), m.SKU, string(m.AppendJSON(nil)))
}

// someDay is when things happen where it does not matter.
const someDay = topics.Time(1767323045000000) // 2026-01-02T03:04:05Z

// skuOn returns a SKU that belongs to a partition.
func (u *upstream) skuOn(partition int32) string {
	for i := 0; ; i++ {
		sku := fmt.Sprintf("SKU-%d-%d", partition, i)
		if topics.PartitionOf([]byte(sku), u.n) == partition {
			return sku
		}
	}
}

// read returns the committed records of a topic, each partition in its order.
func read(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, base string) []*kgo.Record {
	t.Helper()
	name := prefix.Name(base)
	client := c.Client(t, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := admin.ListCommittedOffsets(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for p, end := range ends[name] {
		if start := starts[name][p].Offset; start < end.Offset {
			from[p], left[p] = kgo.NewOffset().At(start), end.Offset
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{name: from})
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", name, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		}
	}
	return records
}

// availability returns the latest record of each SKU.
func availability(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) map[string]*topics.Availability {
	t.Helper()
	latest := map[string]*topics.Availability{}
	for _, a := range emissions(t, c, prefix) {
		latest[a.SKU] = a
	}
	return latest
}

// emissions returns every availability record.
func emissions(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) []*topics.Availability {
	t.Helper()
	var list []*topics.Availability
	for _, r := range read(t, c, prefix, topics.AvailabilityTopic) {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// counters returns the sum of an instance's counters.
func counters(i *instance) state.Counters {
	var sum state.Counters
	for _, t := range i.Tasks() {
		sum.Consumed += t.Counters.Consumed
		sum.Applied += t.Counters.Applied
		sum.Duplicate += t.Counters.Duplicate
		sum.DeadLettered += t.Counters.DeadLettered
		sum.Forwarded += t.Counters.Forwarded
	}
	return sum
}

// metric returns the value of a counter or gauge, summed over the series whose label has that value; an empty
// label is all of them.
func metric(t *testing.T, reg prometheus.Gatherer, name, label, value string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			matches := label == ""
			for _, l := range m.GetLabel() {
				matches = matches || l.GetName() == label && l.GetValue() == value
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
