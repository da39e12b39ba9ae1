package testenv_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

func scenarios(t *testing.T) []testenv.Scenario {
	t.Helper()
	all, err := testenv.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("got %d scenarios", len(all))
	}
	return all
}

func refold(
	tb testing.TB, policy state.Policy, records []*kgo.Record, partitions ...int32,
) *testenv.Truth {
	tb.Helper()
	truth, err := testenv.Refold(records, testenv.RefoldConfig{Policy: policy, Partitions: partitions})
	if err != nil {
		tb.Fatal(err)
	}
	return truth
}

// stockText writes the truth as the results of scenarios are written.
func stockText(truth *testenv.Truth) string {
	var b strings.Builder
	for _, sku := range slices.Sorted(maps.Keys(truth.Items)) {
		it := truth.Items[sku]
		a := topics.Availability{
			SKU: sku, Actual: it.Actual, Reserved: it.Reserved, Net: it.Net, Available: it.Available,
			Warehouses: it.Warehouses,
		}
		for _, s := range it.OrdersFrom {
			a.OrdersFrom = append(a.OrdersFrom, topics.StoreRevision{Store: s, Revision: 1})
		}
		b.WriteString(testenv.FormatStock(&a))
	}
	return b.String()
}

// refusedText writes the inputs that were not applied, by their place in the scenario.
func refusedText(s *testenv.Scenario, truth *testenv.Truth) string {
	var b strings.Builder
	next := map[string]int{}
	for i, in := range s.Inputs {
		topic := in.Event().Topic
		j := truth.Inputs[topic][0][next[topic]]
		next[topic]++
		switch j.Verdict {
		case testenv.VerdictApplied:
		case testenv.VerdictDead:
			fmt.Fprintf(&b, "input %d %s\n", i+1, j.Reason)
		default:
			fmt.Fprintf(&b, "input %d %s\n", i+1, j.Verdict)
		}
	}
	return b.String()
}

func TestRefold_EqualsHandWorkedScenarios(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.Name, func(t *testing.T) {
			truth := refold(t, s.Policy, s.Records(topics.DefaultPrefix), 1)
			if diff := cmp.Diff(stockText(truth), s.Stock); diff != "" {
				t.Errorf("stock: got -, want +\n%s", diff)
			}
			if diff := cmp.Diff(refusedText(&s, truth), s.Refused); diff != "" {
				t.Errorf("not applied: got -, want +\n%s", diff)
			}
		})
	}
}

// Ensure the order of arrival changes no number, but where a scenario says so (F2).
func TestRefold_NumbersDoNotDependOnArrival(t *testing.T) {
	for _, s := range scenarios(t) {
		if s.Arrival {
			continue
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			r.Shuffle(len(s.Inputs), func(i, j int) { s.Inputs[i], s.Inputs[j] = s.Inputs[j], s.Inputs[i] })
			truth := refold(t, s.Policy, s.Records(topics.DefaultPrefix), 1)
			if diff := cmp.Diff(stockText(truth), s.Stock); diff != "" {
				t.Fatalf("%s: in another order: got -, want +\n%s", s.Name, diff)
			}
		}
	}
}

func TestParseScenarios_NamesTheLine(t *testing.T) {
	for _, text := range []string{
		"delta A L 1 W 5 02T09:00", "== x\nsell A", "== x\ndelta A L one W 5 02T09:00", "== x\ndelta A L 1 W 5",
		"== x\ndelta A L 1 W 1.0000001 02T09:00", "== x\ndelta A L 1 W 5 02T9:00", "== x\norder A O 1 W sold 5",
		"== x\npolicy none", "== x\ncount A L 1 W 5 02T09:00 colour=red", "== x\ntouch",
	} {
		if _, err := testenv.ParseScenarios(text); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: got error %v, want one that names the line", text, err)
		}
	}
}

// placedRecord is a record at a place, with the time of its offset.
func placedRecord(e testenv.Event, partition int32, offset int64) *kgo.Record {
	return &kgo.Record{
		Topic: "stock." + e.Topic, Partition: partition, Offset: offset, Key: e.Key, Value: e.Value,
		Timestamp: time.UnixMilli(1_700_000_000_000 + offset),
	}
}

func receipt(sku, line string, version int64, qty topics.Quantity) testenv.Event {
	m := topics.Mutation{
		SKU: sku, LineID: line, Version: version, Warehouse: "W", Qty: qty,
		EffectiveAt: topics.TimeOf(time.Unix(1_700_000_000, 0)),
	}
	return testenv.Event{Topic: topics.Mutations, Key: []byte(sku), Value: m.AppendJSON(nil)}
}

// skuOf returns a SKU whose key belongs to a partition.
func skuOf(partition, n int32) string {
	for i := 0; ; i++ {
		if sku := "S" + strconv.Itoa(i); topics.PartitionOf([]byte(sku), n) == partition {
			return sku
		}
	}
}

// copyTo is what the owner of a partition makes of a record that belongs to another, at its place there.
func copyTo(r *kgo.Record, partition int32, offset int64) *kgo.Record {
	c := topics.Forward(r, partition)
	c.Offset, c.Timestamp = offset, time.UnixMilli(1_700_000_100_000+offset)
	return c
}

func TestRefold_CountsForwardedRecordsWhereTheyCameAndFoldsTheirCopies(t *testing.T) {
	sku := skuOf(1, 4)
	wrong := placedRecord(receipt(sku, "L1", 1, 5*topics.One), 3, 10)
	right := copyTo(wrong, 1, 7)
	truth := refold(t, state.Policy{}, []*kgo.Record{right, wrong}, 4)
	if len(truth.Faults) > 0 {
		t.Errorf("got faults %q, want none", truth.Faults)
	}
	want := map[int32]testenv.VerdictCounts{3: {Consumed: 1, Forwarded: 1}, 1: {Consumed: 1, Applied: 1}}
	if diff := cmp.Diff(truth.Counts, want); diff != "" {
		t.Errorf("counts: got -, want +\n%s", diff)
	}
	it := truth.Items[sku]
	if it.Actual != 5*topics.One || it.LastMutationAt != topics.TimeOf(right.Timestamp) {
		t.Errorf("got actual %s at %s, want 5 at the copy's time", it.Actual, it.LastMutationAt)
	}
}

func TestRefold_NamesForwardingFaults(t *testing.T) {
	sku := skuOf(1, 4)
	wrong := placedRecord(receipt(sku, "L1", 1, 5*topics.One), 3, 10)
	changed := copyTo(wrong, 1, 7)
	changed.Value = receipt(sku, "L1", 1, 6*topics.One).Value
	wrong.Headers = []kgo.RecordHeader{{Key: "ce_id", Value: []byte("7")}}
	bare := copyTo(wrong, 1, 7)
	bare.Headers = slices.DeleteFunc(bare.Headers, func(h kgo.RecordHeader) bool { return h.Key == "ce_id" })
	own := placedRecord(receipt(sku, "L2", 1, topics.One), 1, 3)
	for name, c := range map[string]struct {
		records []*kgo.Record
		want    string
	}{
		"no copy":         {[]*kgo.Record{wrong}, "has no copy"},
		"two copies":      {[]*kgo.Record{wrong, copyTo(wrong, 1, 7), copyTo(wrong, 1, 8)}, "forwarded 2 times"},
		"another value":   {[]*kgo.Record{wrong, changed}, "another key or value"},
		"a header less":   {[]*kgo.Record{wrong, bare}, `lacks header "ce_id"`},
		"the wrong place": {[]*kgo.Record{wrong, copyTo(wrong, 0, 7)}, "never owned its key"},
		"without need":    {[]*kgo.Record{own, copyTo(own, 1, 9)}, "was not forwarded"},
	} {
		truth := refold(t, state.Policy{}, c.records, 4)
		if !strings.Contains(strings.Join(truth.Faults, "\n"), c.want) {
			t.Errorf("%s: got %q, want %q", name, truth.Faults, c.want)
		}
	}
}

func TestRefold_ARecordForwardedTwiceIsNotForwardedAgain(t *testing.T) {
	r := placedRecord(receipt(skuOf(1, 4), "L1", 1, topics.One), 3, 10)
	once := copyTo(r, 0, 5)
	twice := copyTo(once, 2, 6)
	truth := refold(t, state.Policy{}, []*kgo.Record{r, once, twice}, 4)
	if len(truth.Dead) != 1 || truth.Dead[0].Record != twice || truth.Dead[0].Reason != topics.ReasonMisrouted {
		t.Fatalf("got dead letters %v, want the second copy, misrouted", truth.Dead)
	}
}

// Ensure a SKU that a scale moved is folded as one: at its old partition until the copies begin, at its
// new one from then on, with the first version of a conflict found at the old one.
func TestRefold_FollowsASKUThroughAScale(t *testing.T) {
	sku := ""
	for i := 0; sku == ""; i++ {
		if k := []byte("S" + strconv.Itoa(i)); topics.PartitionOf(k, 4) == 0 && topics.PartitionOf(k, 2) == 0 {
			continue
		} else if topics.PartitionOf(k, 4) == 3 {
			sku = string(k)
		}
	}
	old := placedRecord(receipt(sku, "L1", 1, 5*topics.One), 1, 0)
	late := placedRecord(receipt(sku, "L2", 1, 7*topics.One), 1, 1)
	conflict := placedRecord(receipt(sku, "L1", 1, 6*topics.One), 3, 0)
	truth := refold(t, state.Policy{}, []*kgo.Record{old, late, conflict, copyTo(late, 3, 1)}, 2, 4)
	if len(truth.Faults) > 0 {
		t.Errorf("got faults %q, want none", truth.Faults)
	}
	if got := truth.Items[sku].Actual; got != 12*topics.One {
		t.Errorf("actual: got %s, want 12", got)
	}
	want := map[int32]testenv.VerdictCounts{
		1: {Consumed: 2, Applied: 1, Forwarded: 1}, 3: {Consumed: 2, Applied: 1, DeadLettered: 1},
	}
	if diff := cmp.Diff(truth.Counts, want); diff != "" {
		t.Errorf("counts: got -, want +\n%s", diff)
	}
}

func TestRefold_TakesRefusalsOfTheProcessorAtTheirWord(t *testing.T) {
	r := placedRecord(receipt("A", "L1", 1, topics.One), 0, 4)
	again := placedRecord(receipt("A", "L1", 1, 2*topics.One), 0, 5)
	truth, err := testenv.Refold([]*kgo.Record{r, again}, testenv.RefoldConfig{
		Partitions: []int32{1},
		Refused: map[testenv.Place]topics.Reason{
			{Topic: topics.Mutations, Partition: 0, Offset: 4}: topics.ReasonOverflow,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := truth.Items["A"].Actual; got != 2*topics.One {
		t.Errorf("actual: got %s, want 2: a refused version is no rival of a later one", got)
	}
}

func TestRefold_WantsAPartitionCount(t *testing.T) {
	if _, err := testenv.Refold(nil, testenv.RefoldConfig{}); err == nil {
		t.Error("got no error")
	}
}
