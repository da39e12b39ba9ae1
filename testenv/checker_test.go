package testenv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

func createTopics(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, partitions int32) {
	t.Helper()
	_, err := topics.Ensure(t.Context(), kadm.NewClient(c.Client(t)), topics.EnsureConfig{
		Prefix: prefix, Partitions: partitions, SinkPartitions: 1, ReplicationFactor: 1, AllowDeleteChangelog: !c.Real(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readTopics returns what is committed in topics of a prefix.
func readTopics(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, bases ...string) []*kgo.Record {
	t.Helper()
	var records []*kgo.Record
	for _, base := range bases {
		err := testenv.Scan(t.Context(), c, prefix.Name(base), func(r *kgo.Record) error {
			records = append(records, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// place gives events the places that a producer would.
func place(events []testenv.Event, partitions int32) []*kgo.Record {
	var records []*kgo.Record
	next := map[[2]string]int64{}
	for _, e := range events {
		p := topics.PartitionOf(e.Key, partitions)
		if e.WrongPartition {
			p = (p + 1) % partitions
		}
		k := [2]string{e.Topic, strconv.Itoa(int(p))}
		records = append(records, placedRecord(e, p, next[k]))
		next[k]++
	}
	return records
}

// produceWorkload puts a realistic stream and a few commands into the inputs.
func produceWorkload(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, seed uint64, n int) []testenv.Ack {
	t.Helper()
	cfg := testenv.RealisticWorkload(seed)
	cfg.SKUs, cfg.Garbage, cfg.Conflicts, cfg.WrongPartition = 60, 0.03, 0.03, 0.05
	w := testenv.NewWorkload(cfg)
	left := []testenv.Event{
		{Topic: topics.Commands, Value: []byte(`{"id":"1","command":"dance","requested_by":"x","requested_at":"2026-01-02T03:04:05Z"}`)},
		{Topic: topics.Commands, Value: []byte(`{`)},
	}
	done, err := testenv.Produce(t.Context(), c, func() testenv.Event {
		if len(left) > 0 {
			e := left[0]
			left = left[1:]
			return e
		}
		return w.Next()
	}, testenv.ProduceConfig{Prefix: prefix, Events: n})
	if err != nil {
		t.Fatal(err)
	}
	return done.Acks
}

func returnsReserve() state.Policy { return state.Policy{ReturnsReserve: true} }

func config(prefix topics.Prefix) testenv.CheckConfig {
	return testenv.CheckConfig{Prefix: prefix, Policy: returnsReserve()}
}

// Ensure oracle and fold agree on realistic streams under every policy, on kfake and on a real broker.
func TestCheck_AcceptsAFaithfulFold(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		for seed, policy := range []state.Policy{
			{ReturnsReserve: true}, {}, {OnHoldReserves: true}, {ReturnsReserve: true, OnHoldReserves: true},
		} {
			prefix := c.Prefix(t)
			createTopics(t, c, prefix, 4)
			acks := produceWorkload(t, c, prefix, uint64(seed), 4000)
			newFolder(t, c, prefix, 4, policy).run(c)
			if err := testenv.WaitQuiet(t.Context(), c, prefix); err != nil {
				t.Fatal(err)
			}
			cfg := testenv.CheckConfig{Prefix: prefix, Policy: policy, Acked: acks}
			if err := testenv.Check(t.Context(), c, cfg); err != nil {
				t.Errorf("policy %+v: %v", policy, err)
			}
			cfg.Policy.OnHoldReserves = !policy.OnHoldReserves
			if err := testenv.Check(t.Context(), c, cfg); err == nil {
				t.Errorf("policy %+v read as %+v: got no difference", policy, cfg.Policy)
			}
		}
	})
}

// Ensure a refusal by overflow, which the interleaving of two topics may decide, is taken from the dead
// letters where it can be true. What overflows here is what an order line was delivered: a later count
// keeps Actual at zero.
func TestCheck_TakesOverflowFromTheProcessor(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 1)
	shipped := func(line string, qty topics.Quantity) testenv.Event {
		m := topics.Mutation{
			SKU: "A", LineID: line, Version: 1, Warehouse: "W", Qty: qty, OrderLineID: "O1",
			EffectiveAt: topics.TimeOf(time.Unix(1_700_000_000, 0)),
		}
		return testenv.Event{Topic: topics.Mutations, Key: []byte("A"), Value: m.AppendJSON(nil)}
	}
	const fit = 9_223 // times 1e9 units
	n := 0
	_, err := testenv.Produce(t.Context(), c, func() testenv.Event {
		n++
		switch n {
		case 1:
			m := topics.Mutation{
				SKU: "A", LineID: "C", Version: 1, Warehouse: "W", Kind: topics.KindCount,
				EffectiveAt: topics.TimeOf(time.Unix(1_800_000_000, 0)),
			}
			return testenv.Event{Topic: topics.Mutations, Key: []byte("A"), Value: m.AppendJSON(nil)}
		case 1 + fit + 3:
			return shipped("back", topics.MaxQuantity)
		}
		return shipped("L"+strconv.Itoa(n), -topics.MaxQuantity)
	}, testenv.ProduceConfig{Prefix: "p.", Events: 1 + fit + 5})
	if err != nil {
		t.Fatal(err)
	}
	newFolder(t, c, "p.", 1, returnsReserve()).run(c)
	if err := testenv.Check(t.Context(), c, config("p.")); err != nil {
		t.Error(err)
	}
	if dead := readTopics(t, c, "p.", topics.DeadLetters); len(dead) != 3 {
		t.Errorf("got %d dead letters, want 3: two before the line that makes room, one after", len(dead))
	}
}

// spoil changes the nth record of a topic that it likes.
func spoil(topic string, nth int, likes func(*kgo.Record) bool, how func(*kgo.Record) *kgo.Record) func(string, *kgo.Record) *kgo.Record {
	return func(base string, r *kgo.Record) *kgo.Record {
		if base != topic || !likes(r) {
			return r
		}
		if nth--; nth != 0 {
			return r
		}
		return how(r)
	}
}

func any1(*kgo.Record) bool        { return true }
func lose(*kgo.Record) *kgo.Record { return nil }
func isTask(r *kgo.Record) bool    { return state.IsTaskKey(r.Key) }
func alter(f func(*topics.Availability)) func(*kgo.Record) *kgo.Record {
	return func(r *kgo.Record) *kgo.Record {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			return r
		}
		f(a)
		r.Value = a.AppendJSON(nil)
		return r
	}
}

func alterTask(f func(*state.TaskRecord)) func(*kgo.Record) *kgo.Record {
	return func(r *kgo.Record) *kgo.Record {
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			return r
		}
		f(record)
		r.Value = record.Append(nil)
		return r
	}
}

func header(name, value string) func(*kgo.Record) *kgo.Record {
	return func(r *kgo.Record) *kgo.Record {
		r.Headers = slices.Clone(r.Headers)
		for i := range r.Headers {
			if r.Headers[i].Key == name {
				r.Headers[i].Value = []byte(value)
			}
		}
		return r
	}
}

// Ensure the checker sees each way in which a processor may go wrong. A checker that finds nothing in a
// spoilt history proves nothing by finding nothing in a good one.
func TestCheck_NamesEachDifference(t *testing.T) {
	c := testenv.StartKfake(t)
	many := func(r *kgo.Record) bool {
		a, err := topics.DecodeAvailability(r.Value)
		return err == nil && len(a.Causes) > 1 && len(a.Warehouses) > 0 && a.Changed
	}
	first, spoilt := int64(0), false
	for i, row := range []struct {
		name   string
		want   string
		change func(base string, r *kgo.Record) *kgo.Record
		count  func(state.Outcome) state.Outcome
	}{
		{"a lost dead letter", "has no dead letter", spoil(topics.DeadLetters, 3, any1, lose), nil},
		{"a dead letter of another reason", "reason: got", spoil(topics.DeadLetters, 3, any1, header("reason", "oversized")), nil},
		{"a dead letter of another place", "a dead letter too many", spoil(topics.DeadLetters, 3, any1, header("origin_offset", "99999")), nil},
		{"a dead letter with other bytes", "value: got", spoil(topics.DeadLetters, 3, any1, func(r *kgo.Record) *kgo.Record {
			r.Value = append(slices.Clone(r.Value), 'x')
			return r
		}), nil},
		{"a false word about overflow", "do not overflow", spoil(topics.DeadLetters, 1, func(r *kgo.Record) bool {
			return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return string(h.Value) == "version_conflict" })
		}, header("reason", "overflow")), nil},
		{"a lost copy", "has no copy", spoil(topics.Mutations, 1, any1, lose), nil},
		{"a lost chunk", "changelog/", func(base string, r *kgo.Record) *kgo.Record {
			if base == topics.Changelog && bytes.HasSuffix(r.Key, []byte{0, 0, 0, 0, 1}) {
				return nil // chunk 1, each time
			}
			return r
		}, nil},
		{"a position that goes back", "position goes back", spoil(topics.Changelog, 4, isTask, alterTask(func(r *state.TaskRecord) {
			r.Inputs[state.InputMutations].Next = 0
		})), nil},
		{"a position ahead of its counters", "counters", spoil(topics.Changelog, 4, isTask, alterTask(func(r *state.TaskRecord) {
			r.Inputs[state.InputMutations].Next++
		})), nil},
		{"another partition count", "partitions: got 7", spoil(topics.Changelog, 2, isTask, alterTask(func(r *state.TaskRecord) {
			r.Partitions = 7
		})), nil},
		{"duplicates that count as applied", "counters", nil, func(o state.Outcome) state.Outcome {
			if o == state.Duplicate {
				return state.Applied
			}
			return o
		}},
		{"a lost availability record", "causes_total, summed up", spoil(topics.AvailabilityTopic, 5, func(r *kgo.Record) bool {
			return bytes.Contains(r.Value, []byte(`"SKU-000000"`))
		}, lose), nil},
		{"another actual", "actual", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Actual++ })), nil},
		{"available below zero", "available", spoil(topics.AvailabilityTopic, 1, func(r *kgo.Record) bool {
			return bytes.Contains(r.Value, []byte(`"net":-`))
		}, alter(func(a *topics.Availability) { a.Available = a.Net })), nil},
		{"a warehouse's net", "net in", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Warehouses[0].Net++ })), nil},
		{"changed untold", "changed: got false", spoil(topics.AvailabilityTopic, 30, many, alter(func(a *topics.Availability) { a.Changed = false })), nil},
		{"a cause of another SKU", "cause ", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Causes[0].Offset = 0 })), nil},
		{"a cause from nowhere", "is not in the input", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Causes[0].Offset = 1 << 40 })), nil},
		{"too few causes", "causes: got", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Causes = a.Causes[1:] })), nil},
		{"another trigger", "trigger", spoil(topics.AvailabilityTopic, 5, many, alter(func(a *topics.Availability) { a.Trigger = topics.TriggerNightly })), nil},
		{"a revision twice", "was used twice", func(base string, r *kgo.Record) *kgo.Record {
			a, err := topics.DecodeAvailability(r.Value)
			if base != topics.AvailabilityTopic || err != nil || a.SKU != "SKU-000000" {
				return r
			}
			if first == 0 {
				first = a.Revision
			}
			before := first
			if a.Revision == first || spoilt {
				return r
			}
			spoilt = true
			return header(topics.HeaderRevision, strconv.FormatInt(before, 10))(
				alter(func(a *topics.Availability) { a.Revision = before })(r))
		}, nil},
		{"a header that lies", "header revision", spoil(topics.AvailabilityTopic, 5, any1, header(topics.HeaderRevision, "12")), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			prefix := topics.Prefix("p" + strconv.Itoa(i) + ".")
			createTopics(t, c, prefix, 2)
			produceWorkload(t, c, prefix, 4, 900)
			f := newFolder(t, c, prefix, 2, returnsReserve())
			f.change, f.count = row.change, row.count
			f.run(c)
			err := testenv.Check(t.Context(), c, config(prefix))
			var d *testenv.Differences
			if !errors.As(err, &d) {
				t.Fatalf("got %v, want differences", err)
			}
			if len(d.First) > 20 || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v\nwant one that says %q", err, row.want)
			}
		})
	}
}

func TestCheck_NamesARecordThatWasAcknowledgedAndIsGone(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 1)
	produceWorkload(t, c, "p.", 1, 50)
	newFolder(t, c, "p.", 1, returnsReserve()).run(c)
	cfg := config("p.")
	cfg.Acked = []testenv.Ack{{Place: testenv.Place{Topic: topics.Orders, Offset: 4711}}}
	if err := testenv.Check(t.Context(), c, cfg); err == nil || !strings.Contains(err.Error(), "orders/0@4711: was acknowledged") {
		t.Errorf("got %v", err)
	}
}

func TestCheck_ComparesStores(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 2)
	produceWorkload(t, c, "p.", 1, 500)
	newFolder(t, c, "p.", 2, returnsReserve()).run(c)
	shop := testenv.StoreCheck{Store: "s", Warehouses: []string{testenv.WarehouseName(0)}, Quantities: map[string]topics.Quantity{}}
	for _, r := range readTopics(t, c, "p.", topics.AvailabilityTopic) {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		shop.Quantities[a.SKU] = 0
		for _, w := range a.Warehouses {
			if w.Warehouse == testenv.WarehouseName(0) {
				shop.Quantities[a.SKU] = w.Available / topics.One * topics.One
			}
		}
		shop.Writes = append(shop.Writes, testenv.Write{Store: "s", SKU: a.SKU, Qty: shop.Quantities[a.SKU], Revision: a.Revision})
	}
	shop.Writes = append(shop.Writes, testenv.Write{Store: "other", SKU: shop.Writes[0].SKU, Revision: 3})
	cfg := config("p.")
	cfg.Stores = []testenv.StoreCheck{shop}
	if err := testenv.Check(t.Context(), c, cfg); err != nil {
		t.Fatal(err)
	}
	sku := shop.Writes[0].SKU
	shop.Quantities[sku] += topics.One
	shop.Writes[0].Qty += topics.One
	shop.Writes = append(shop.Writes, testenv.Write{Store: "s", SKU: sku, Revision: 3})
	cfg.Stores = []testenv.StoreCheck{shop}
	err := testenv.Check(t.Context(), c, cfg)
	if err == nil {
		t.Fatal("got no difference")
	}
	for _, want := range []string{
		"store s: " + sku, "revision goes back", "no record has that revision",
		fmt.Sprintf("write 0 of revision %d: quantity", shop.Writes[0].Revision),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestWaitQuiet_NamesWhatIsMissing(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 2)
	wait := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		return testenv.WaitQuiet(ctx, c, "p.")
	}
	if err := wait(); err == nil || !strings.Contains(err.Error(), "has no task record") {
		t.Errorf("before any task: got %v", err)
	}
	f := newFolder(t, c, "p.", 2, returnsReserve())
	f.run(c)
	if err := wait(); err != nil {
		t.Errorf("empty inputs: got %v", err)
	}
	produceWorkload(t, c, "p.", 1, 100)
	if err := wait(); err == nil || !strings.Contains(err.Error(), "a record is not folded yet") {
		t.Errorf("input left: got %v", err)
	}
	f.run(c)
	if err := wait(); err != nil {
		t.Errorf("all folded, markers of forwarded records behind the positions: got %v", err)
	}
	other := c.Client(t, kgo.TransactionalID("other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: "p.mutations", Key: []byte("A"), Value: []byte("{}")}
	if err := other.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err == nil || !strings.Contains(err.Error(), "a transaction is open") {
		t.Errorf("open transaction: got %v", err)
	}
	if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Errorf("aborted records behind the positions: got %v", err)
	}
}
