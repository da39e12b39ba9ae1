package sinks_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// change writes new revisions of one SKU, each a number, in one transaction.
func (w *world) change(sku string, numbers ...int) {
	w.Helper()
	var list []*topics.Availability
	for _, n := range numbers {
		a := available(sku, 0, topics.Quantity(n)*qty)
		w.mu.Lock()
		w.revision = max(w.revision+1, time.Now().UnixMilli())
		a.Revision, a.ProcessedAt = w.revision, topics.TimeOf(time.Now())
		w.latest[sku] = a
		w.mu.Unlock()
		list = append(list, a)
	}
	w.commit(list, kgo.TryCommit)
}

// TestShow_AHotSKUCostsAsManyCallsAsTheLimitAllows ensures that 10,000 changes of one SKU in 10 seconds, in a store
// that takes 5 calls a second and has others to serve, cost 60 calls at most, that the last number is shown, and that
// a stock-out in the midst of it is there within one call slot.
func TestShow_AHotSKUCostsAsManyCallsAsTheLimitAllows(t *testing.T) {
	bubble(t, testenv.SandboxConfig{Rate: 5, Burst: 1}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":1,"rate":5`))
		w.start("one")
		w.stock("hot=100000")
		w.settled()
		w.pass(time.Second)
		before, began := w.mark(), time.Now()
		out := began.Add(7 * time.Second)
		var outAt time.Time
		for n := range 1000 {
			numbers := make([]int, 10)
			for i := range numbers {
				numbers[i] = 90_000 - 10*n - i
			}
			if outAt.IsZero() && !time.Now().Before(out) {
				numbers[9], outAt = 0, time.Now()
			}
			w.change("hot", numbers...)
			w.pass(time.Until(began.Add(time.Duration(n+1) * 10 * time.Millisecond)))
			if !outAt.IsZero() && time.Since(outAt) < 500*time.Millisecond {
				w.pass(500 * time.Millisecond) // the shop is out of it for a while
			}
		}
		w.settled()
		calls := w.since(before, "s")
		if len(calls) > 60 {
			t.Errorf("got %d calls, want 60 at most", len(calls))
		}
		if got, _, _ := w.shop.Quantity("s", "hot"); got != topics.Quantity(90_000-9999)*qty {
			t.Errorf("got %s shown, want the last number", got)
		}
		first := slices.IndexFunc(w.shop.Writes(), func(x testenv.Write) bool { return x.Qty == 0 })
		if first < 0 {
			t.Fatal("the stock-out was never shown")
		}
		if took := w.shop.Writes()[first].At.Sub(outAt); took > 210*time.Millisecond {
			t.Errorf("the stock-out was shown after %s, want within a call slot of 200 ms", took)
		}
		if got := w.shop.Stats().Refused; got > 0 {
			t.Errorf("%d calls were beyond the limit", got)
		}
	})
}

// TestShow_AStockOutGoesBeforeAllThatWaits ensures that it is within one call slot also where a long queue waits.
func TestShow_AStockOutGoesBeforeAllThatWaits(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":1,"rate":5`))
		w.start("one")
		w.stock("out=5")
		w.settled()
		w.stock(many("A", 99, 5))
		w.pass(3 * time.Second)
		for n := range 5 {
			at := time.Now()
			w.stock("out=0")
			revision := w.revision
			w.eventually("the stock-out", func() error { return wantRevisionShown(w, "out", revision) })
			// The eighth request serves whoever has waited longest, so that nothing starves.
			if took := time.Since(at); took > 410*time.Millisecond {
				t.Errorf("stock-out %d was shown after %s, want within a call slot or, once in eight, two", n, took)
			}
			w.stock("out=5")
			revision = w.revision
			w.eventually("back", func() error { return wantRevisionShown(w, "out", revision) })
		}
	})
}

func wantRevisionShown(w *world, sku string, revision int64) error {
	if _, got, ok := w.shop.Quantity("s", sku); !ok || got < revision {
		return fmt.Errorf("the shop has %d, want %d", got, revision)
	}
	return nil
}

// TestShow_ADeadOrSlowStoreDelaysNoOther ensures that a store which is dead, slow or refuses everything changes the
// others' latency by less than a tenth, at the 99th percentile and in virtual time.
func TestShow_ADeadOrSlowStoreDelaysNoOther(t *testing.T) {
	calm := latency(t, nil)
	for name, fault := range map[string]testenv.SandboxFault{
		"dead":     {Kind: testenv.FaultHang, Store: "s0", Count: -1},
		"slow":     {Kind: testenv.FaultSlow, Store: "s0", Count: -1, Delay: 8 * time.Second},
		"throttle": {Kind: testenv.FaultThrottle, Store: "s0", Count: -1, RetryAfter: "30"},
		"refuses":  {Kind: testenv.FaultRefuse, Store: "s0", Count: -1, Outcome: "transient"},
	} {
		if got := latency(t, &fault); got > calm+calm/10 {
			t.Errorf("with a store that is %s: got a p99 of %s at the others, want %s and a tenth at most", name, got, calm)
		}
	}
}

// latency runs four stores for a while, one of them with a fault, and returns how long the others' updates took from
// the processor to the shop, at the 99th percentile.
func latency(t *testing.T, fault *testenv.SandboxFault) (p99 time.Duration) {
	t.Helper()
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		for n := range 4 {
			id := fmt.Sprintf("s%d", n)
			w.store(id, w.options(id, `"batch":1,"in_flight":2,"rate":25`))
		}
		w.start("one")
		w.stock(many("A", 10, 5))
		w.settled()
		if fault != nil {
			w.shop.Inject(*fault)
		}
		before := len(w.shop.Writes())
		sent := map[int64]time.Time{}
		for n := range 12 {
			w.stock(many("A", 10, 6+n), func(a *topics.Availability) { sent[a.Revision] = time.Now() })
			w.pass(500 * time.Millisecond)
		}
		w.eventually("the others", func() error {
			for n := 1; n < 4; n++ {
				if _, revision, _ := w.shop.Quantity(fmt.Sprintf("s%d", n), "A09"); revision != w.revision {
					return fmt.Errorf("store s%d has %d, want %d", n, revision, w.revision)
				}
			}
			return nil
		})
		var took []time.Duration
		for _, x := range w.shop.Writes()[before:] {
			if x.Store != "s0" {
				took = append(took, x.At.Sub(sent[x.Revision]))
			}
		}
		slices.Sort(took)
		p99 = took[len(took)*99/100]
		w.mu.Lock()
		w.unlogged = true // requests to the faulty store are cut off at the end
		w.mu.Unlock()
	})
	return p99
}
