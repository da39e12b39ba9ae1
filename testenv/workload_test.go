package testenv_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

func take(w *testenv.Workload, n int) []testenv.Event {
	events := make([]testenv.Event, n)
	for i := range events {
		events[i] = w.Next()
	}
	return events
}

func TestWorkload_OneSeedIsOneStream(t *testing.T) {
	first := take(testenv.NewWorkload(testenv.RealisticWorkload(7)), 20_000)
	second := take(testenv.NewWorkload(testenv.RealisticWorkload(7)), 20_000)
	if !slices.EqualFunc(first, second, sameEvent) {
		t.Fatal("the same seed gave another stream")
	}
	other := take(testenv.NewWorkload(testenv.RealisticWorkload(8)), 20_000)
	if slices.EqualFunc(first, other, sameEvent) {
		t.Error("another seed gave the same stream")
	}
}

func sameEvent(a, b testenv.Event) bool {
	return a.Topic == b.Topic && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		a.WrongPartition == b.WrongPartition && a.What == b.What
}

func TestWorkload_WithoutFaultsEveryRecordIsValid(t *testing.T) {
	for _, e := range take(testenv.NewWorkload(testenv.WorkloadConfig{Seed: 3, Backdated: 0.2, Window: 20}), 50_000) {
		if why := decode(e.Topic, e.Key, e.Value, 1<<20); why != nil {
			t.Fatalf("%s: %v\n%s", e.What, why, e.Value)
		}
		if e.WrongPartition {
			t.Fatalf("%s: goes to a wrong partition", e.What)
		}
	}
}

func decode(topic string, key, value []byte, maxBytes int) *topics.Reject {
	if topic == topics.Orders {
		return topics.DecodeOrder(key, value, maxBytes, new(topics.Order))
	}
	return topics.DecodeMutation(key, value, maxBytes, new(topics.Mutation))
}

func TestBadRecords_AreRejectedForTheirReason(t *testing.T) {
	const oversize = 4096
	for _, sku := range []string{testenv.SKUName(0), testenv.SKUName(17), testenv.SKUName(23)} {
		bad := testenv.BadRecords(sku, oversize)
		if len(bad) < 80 {
			t.Fatalf("got %d kinds of bad records", len(bad))
		}
		for _, b := range bad {
			why := decode(b.Topic, b.Key, b.Value, oversize)
			if why == nil || why.Reason != b.Reason {
				t.Errorf("%s: got %v, want %s\n%.200q", b.Name, why, b.Reason, b.Value)
			}
		}
	}
}

// Ensure a realistic stream has every kind of business and every fault, and that the oracle sees each of
// its verdicts: a generator that goes quiet tests nothing.
func TestWorkload_HasEverythingThatHappens(t *testing.T) {
	cfg := testenv.RealisticWorkload(5)
	cfg.OversizedBytes = 1 << 20
	events := take(testenv.NewWorkload(cfg), 60_000)
	seen := map[string]int{}
	for _, e := range events {
		what, again := strings.CutSuffix(e.What, ", again")
		seen[what]++
		if again {
			seen["duplicate"]++
		}
		if e.WrongPartition {
			seen["wrong partition"]++
		}
	}
	for _, want := range []string{
		"order placed", "draft submitted", "put on hold", "taken off hold", "ordered quantity changed",
		"order line moved", "order closed", "order cancelled", "order line removed", "shipped", "partly shipped",
		"over-delivered", "returned", "received", "issued", "transferred out", "transferred in", "counted", "stock taken",
		"line corrected", "line unlinked", "line moved", "line re-dated", "count made of a line, or back",
		"line cancelled", "line posted again", "touched", "version conflict", "duplicate", "wrong partition",
		"garbage: too long", "garbage: mutations: not JSON", "garbage: mutations: null value",
	} {
		if seen[want] == 0 {
			t.Errorf("%q never happens", want)
		}
	}

	truth := refold(t, state.Policy{ReturnsReserve: true}, place(events, 4), 4)
	verdicts := truth.Counts[0]
	if verdicts.Applied == 0 || verdicts.Duplicate == 0 || verdicts.DeadLettered == 0 || verdicts.Forwarded == 0 {
		t.Errorf("partition 0: got %+v, want some of each", verdicts)
	}
	reasons := map[topics.Reason]int{}
	for _, j := range truth.Dead {
		reasons[j.Reason]++
	}
	for _, want := range []topics.Reason{
		topics.ReasonNullValue, topics.ReasonEmptyKey, topics.ReasonOversized, topics.ReasonUndecodable,
		topics.ReasonInvalid, topics.ReasonKeyMismatch, topics.ReasonVersionConflict,
	} {
		if reasons[want] == 0 {
			t.Errorf("no record is dead of %s", want)
		}
	}
	var counted, negative, reserving, stores int
	for _, it := range truth.Items {
		if !it.LastCountAt.IsZero() {
			counted++
		}
		if it.Net < 0 {
			negative++
		}
		if it.Reserved > 0 {
			reserving++
		}
		stores += len(it.OrdersFrom)
	}
	if counted == 0 || negative == 0 || reserving == 0 || stores == 0 {
		t.Errorf("SKUs: %d counted, %d below zero, %d reserving, %d stores; want some of each",
			counted, negative, reserving, stores)
	}
}

func TestWorkload_KeyLaws(t *testing.T) {
	share := func(cfg testenv.WorkloadConfig) float64 {
		n, hot := 0, 0
		for _, e := range take(testenv.NewWorkload(cfg), 20_000) {
			n++
			if string(e.Key) == testenv.SKUName(0) {
				hot++
			}
		}
		return float64(hot) / float64(n)
	}
	for name, c := range map[string]struct {
		cfg      testenv.WorkloadConfig
		low, top float64
	}{
		"uniform": {testenv.WorkloadConfig{SKUs: 100}, 0.002, 0.03},
		"Zipf":    {testenv.WorkloadConfig{SKUs: 100, Zipf: 1.2}, 0.15, 0.6},
		"one hot": {testenv.WorkloadConfig{SKUs: 100, Hot: 1}, 1, 1},
		"mostly":  {testenv.WorkloadConfig{SKUs: 100, Hot: 0.5}, 0.4, 0.6},
	} {
		if got := share(c.cfg); got < c.low || got > c.top {
			t.Errorf("%s: the first SKU has %.3f of the events, want %.3f to %.3f", name, got, c.low, c.top)
		}
	}
}

// Ensure a flash sale is one: for some time most orders are for one SKU that has no share to speak of.
func TestWorkload_FlashSales(t *testing.T) {
	most := 0
	for window := range slices.Chunk(take(testenv.NewWorkload(testenv.WorkloadConfig{FlashSales: 0.001}), 50_000), 200) {
		orders := map[string]int{}
		for _, e := range window {
			if e.What == "order placed" {
				orders[string(e.Key)]++
				most = max(most, orders[string(e.Key)])
			}
		}
	}
	if most < 30 {
		t.Errorf("got at most %d orders for one SKU among 200 events", most)
	}
}

func TestProduce_ReturnsWhatWasAcknowledged(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "w.", 4)
	cfg := testenv.RealisticWorkload(1)
	cfg.WrongPartition = 0.5
	w := testenv.NewWorkload(cfg)
	p, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{Prefix: "w.", Events: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Acks) != 2000 || p.Failed != 0 {
		t.Fatalf("got %d acknowledged, %d failed; want 2000, 0", len(p.Acks), p.Failed)
	}
	var records, wrong int
	for _, r := range readTopics(t, c, "w.", topics.Mutations, topics.Orders) {
		records++
		if len(r.Key) > 0 && topics.PartitionOf(r.Key, 4) != r.Partition {
			wrong++
		}
	}
	if records != 2000 || wrong < 400 || wrong > 1100 {
		t.Errorf("got %d records, %d in a wrong partition; want 2000, some 750", records, wrong)
	}
}

func TestProduce_KeepsTheIntendedTimesOfItsRate(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "w.", 1)
	w := testenv.NewWorkload(testenv.WorkloadConfig{})
	p, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{Prefix: "w.", Events: 400, Rate: 2000})
	if err != nil {
		t.Fatal(err)
	}
	first, last := p.Acks[0].Intended, p.Acks[0].Intended
	for _, a := range p.Acks {
		if a.Intended.Before(first) {
			first = a.Intended
		}
		if a.Intended.After(last) {
			last = a.Intended
		}
		if a.At.Before(a.Intended) {
			t.Fatalf("acknowledged %s before it was due", a.Intended.Sub(a.At))
		}
	}
	if got, want := last.Sub(first), 399*time.Second/2000; (got - want).Abs() > time.Microsecond {
		t.Errorf("intended times span %s, want %s", got, want)
	}
}

func TestProduce_EndsWithItsContext(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "w.", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w := testenv.NewWorkload(testenv.WorkloadConfig{})
	p, err := testenv.Produce(ctx, c, w.Next, testenv.ProduceConfig{Prefix: "w.", Events: 1 << 30, Rate: 1000})
	if err == nil || len(p.Acks) == 0 {
		t.Errorf("got %d acknowledged and error %v, want some and one", len(p.Acks), err)
	}
}

func BenchmarkWorkload(b *testing.B) {
	w := testenv.NewWorkload(testenv.RealisticWorkload(1))
	b.ReportAllocs()
	for b.Loop() {
		w.Next()
	}
}

func BenchmarkRefold(b *testing.B) {
	const events = 200_000
	records := place(take(testenv.NewWorkload(testenv.RealisticWorkload(1)), events), 16)
	for b.Loop() {
		refold(b, state.Policy{ReturnsReserve: true}, records, 16)
	}
	b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
}
