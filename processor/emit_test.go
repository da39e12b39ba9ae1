package processor_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// desk is one partition with one instance, for what its availability says after each commit.
type desk struct {
	*site
	seen int
}

func newDesk(t *testing.T, c *testenv.Cluster) *desk {
	t.Helper()
	d := &desk{site: &site{t: t, c: c, prefix: ensure(t, c, 1)}}
	d.cfg = config(t, c, d.prefix, "one")
	d.cfg.Workers = 1
	d.up = newUpstream(t, c, d.prefix, 1)
	return d
}

// says returns the availability records that these input records brought about when they are folded in one
// commit, which they are by being there when the instance starts.
func (d *desk) says(records ...*kgo.Record) []*topics.Availability {
	d.t.Helper()
	d.up.send(records...)
	i := d.start()
	settle(d.t, d.c, d.prefix)
	d.end(i)
	all := emissions(d.t, d.c, d.prefix)
	fresh := all[d.seen:]
	d.seen = len(all)
	return fresh
}

// line returns one version of a ledger line of SKU A.
func (d *desk) line(id string, version int64, qty topics.Quantity, status topics.MutationStatus) *kgo.Record {
	return d.up.mutation(&topics.Mutation{
		LineID: id, Version: version, SKU: "A", Warehouse: "W", Qty: qty, Status: status, EffectiveAt: someDay,
	})
}

func (d *desk) touch(sku string) *kgo.Record {
	return d.up.mutation(&topics.Mutation{SKU: sku, Kind: topics.KindTouch})
}

// said is what a test compares of an availability record.
type said struct {
	actual  topics.Quantity
	trigger topics.Trigger
	changed bool
	causes  int
}

func compareSaid(t *testing.T, got []*topics.Availability, want ...said) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d availability records, want %d", len(got), len(want))
	}
	for i, a := range got {
		if s := (said{a.Actual, a.Trigger, a.Changed, a.CausesTotal}); s != want[i] {
			t.Errorf("record %d: got %+v, want %+v", i, s, want[i])
		}
	}
}

// Ensure every accepted event emits its SKU again, whether or not a number changed: that is how people force a
// shop to be brought in line.
func TestEmit_ADummyEntryAndItsCancellation(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		d := newDesk(t, c)
		compareSaid(t, d.says(d.line("L", 1, 5*topics.One, topics.StatusPosted)),
			said{5 * topics.One, topics.TriggerEvent, true, 1})
		both := d.says(d.line("dummy", 1, topics.One, topics.StatusPosted), d.line("dummy", 2, topics.One, topics.StatusCancelled))
		compareSaid(t, both, said{5 * topics.One, topics.TriggerEvent, false, 2})
		compareSaid(t, d.says(d.line("dummy", 3, topics.One, topics.StatusPosted)),
			said{6 * topics.One, topics.TriggerEvent, true, 1})
		compareSaid(t, d.says(d.line("dummy", 4, topics.One, topics.StatusCancelled)),
			said{5 * topics.One, topics.TriggerEvent, true, 1})
		compareSaid(t, d.says(d.line("nothing", 1, 0, topics.StatusPosted)),
			said{5 * topics.One, topics.TriggerEvent, false, 1})
		compareSaid(t, d.says(d.line("dummy", 4, topics.One, topics.StatusCancelled), d.line("L", 0, 9, topics.StatusPosted)))
		check(t, c, d.prefix, nil)
	})
}

func TestEmit_ATouch(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		d := newDesk(t, c)
		first := d.says(d.line("L", 1, 5*topics.One, topics.StatusPosted))
		again := d.says(d.touch("A"))
		compareSaid(t, again, said{5 * topics.One, topics.TriggerManual, false, 1})
		if a, b := again[0], first[0]; a.LastMutationAt != b.LastMutationAt || a.AsOf != b.AsOf || a.FirstSeenAt != b.FirstSeenAt {
			t.Errorf("times: got %v %v %v, want %v %v %v of before", a.FirstSeenAt, a.LastMutationAt, a.AsOf,
				b.FirstSeenAt, b.LastMutationAt, b.AsOf)
		}
		if again[0].Revision <= first[0].Revision {
			t.Errorf("revision: got %d, want more than %d", again[0].Revision, first[0].Revision)
		}
		unknown := d.says(d.touch("B"))
		compareSaid(t, unknown, said{0, topics.TriggerManual, false, 1})
		if a := unknown[0]; a.SKU != "B" || len(a.Warehouses) != 0 || a.Available != 0 || !a.FirstSeenAt.IsZero() ||
			!a.LastMutationAt.IsZero() || !a.LastOrderAt.IsZero() || !a.AsOf.IsZero() {
			t.Errorf("an unknown SKU: got %+v, want zeros and no times", a)
		}
		compareSaid(t, d.says(d.touch("A"), d.touch("A")), said{5 * topics.One, topics.TriggerManual, false, 2})
		compareSaid(t, d.says(d.line("L", 2, 7*topics.One, topics.StatusPosted), d.touch("A")),
			said{7 * topics.One, topics.TriggerManual, true, 2})
		check(t, c, d.prefix, nil)
	})
}

// Ensure what one commit folds of a SKU is one record, which counts its causes and names the newest four.
func TestEmit_OneRecordForACommit(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		d := newDesk(t, c)
		var records []*kgo.Record
		for range 10 {
			records = append(records, d.up.delta("A"))
		}
		got := d.says(records...)
		compareSaid(t, got, said{10 * topics.One, topics.TriggerEvent, true, 10})
		for i, cause := range got[0].Causes {
			if want := int64(6 + i); cause.Offset != want || cause.Topic != d.prefix.Name(topics.Mutations) {
				t.Errorf("cause %d: got %+v, want offset %d", i, cause, want)
			}
		}
		if n := len(got[0].Causes); n != topics.MaxCauses {
			t.Errorf("got %d causes, want %d", n, topics.MaxCauses)
		}
	})
}
