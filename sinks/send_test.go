package sinks_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// options sets the options of a webhook store beside its url.
func (w *world) options(store, text string) func(s *topics.Store) {
	return func(s *topics.Store) { s.Options = topics.RawJSON(fmt.Sprintf(`{"url":%q,%s}`, w.url(store), text)) }
}

// many returns "P00=q P01=q ..." for some SKUs.
func many(prefix string, n, q int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%02d=%d ", prefix, i, q)
	}
	return b.String()
}

// TestSend_EveryPassingFaultIsOvercome ensures that a shop with a fault shows what it should soon after, and
// that nothing is sent without end meanwhile.
func TestSend_EveryPassingFaultIsOvercome(t *testing.T) {
	for _, f := range []testenv.SandboxFault{
		{Kind: testenv.FaultThrottle, RetryAfter: "3"},
		{Kind: testenv.FaultThrottle, RetryAfter: "-"},
		{Kind: testenv.FaultThrottle, RetryAfter: "-1"},
		{Kind: testenv.FaultThrottle, RetryAfter: "soon"},
		{Kind: testenv.FaultThrottle, RetryAfter: "315360000"},
		{Kind: testenv.FaultUnavailable},
		{Kind: testenv.FaultReset},
		{Kind: testenv.FaultAppliedError},
		{Kind: testenv.FaultHang},
		{Kind: testenv.FaultSlow, Delay: 9 * time.Second},
		{Kind: testenv.FaultSlow, Delay: 11 * time.Second},
		{Kind: testenv.FaultPartial},
		{Kind: testenv.FaultPartial, Outcome: "throttle"},
		{Kind: testenv.FaultPartial, Outcome: "token"},
		{Kind: testenv.FaultPartial, Outcome: "what?"},
		{Kind: testenv.FaultRefuse},
		{Kind: testenv.FaultWrongSKU},
		{Kind: testenv.FaultGarbage},
		{Kind: testenv.FaultEndlessBody},
	} {
		t.Run(fmt.Sprint(f.Kind, f.RetryAfter, f.Outcome, f.Delay), func(t *testing.T) {
			t.Parallel()
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s")
				w.store("t")
				w.start("one")
				w.stock(many("A", 30, 5))
				w.settled()
				f.Store, f.Count = "s", 2
				injected, began := w.shop.Inject(f), time.Now()
				before := w.mark()
				w.stock(many("A", 30, 4))
				w.eventually("the other shop", func() error { return w.shopShows("t", many("A", 30, 4)) })
				if took := time.Since(began); took > time.Second {
					t.Errorf("the other shop took %s, want it untouched", took)
				}
				w.eventually("all faults", func() error { return want(injected.Hits(), 2) })
				if f.RetryAfter == "315360000" { // ten years count as an hour
					w.pass(time.Hour)
				}
				w.settled()
				if n := len(w.since(before, "s")); n > 40 {
					t.Errorf("got %d requests, want some", n)
				}
				if s := w.status("s", "A00"); s.Attempts != 0 || s.Error != nil || s.NextAttemptAt != 0 {
					t.Errorf("delivered, and the status still speaks of a failure: %+v", s)
				}
			})
		})
	}
}

// shopShows compares a shop with "A=5 B=0".
func (w *world) shopShows(store, text string) error {
	for one := range strings.FieldsSeq(text) {
		sku, number, _ := strings.Cut(one, "=")
		if got, _, ok := w.shop.Quantity(store, sku); !ok || got.String() != number {
			return fmt.Errorf("%s shows %s of %s, want %s", store, got, sku, number)
		}
	}
	return nil
}

// TestSend_APermanentAnswerIsNotAskedForAgain ensures the state and reason of each class, one request for it,
// and that a new event asks again where there is no catalogue to tell.
func TestSend_APermanentAnswerIsNotAskedForAgain(t *testing.T) {
	for outcome, says := range map[string]string{
		"not_found": "unmapped sku_mismatch", "not_editable": "blocked listing_inactive",
		"location": "blocked location_missing", "managed_elsewhere": "blocked managed_elsewhere",
		"quantity": "blocked quantity_refused", "below_reserved": "blocked below_reserved",
		"promo_lock": "blocked promo_locked", "raise_only": "blocked raise_only",
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s")
				one := w.start("one")
				w.stock("A=5 B=5")
				w.settled()
				w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultRefuse, SKU: "A", Count: -1, Outcome: outcome})
				w.stock("A=9")
				s := w.says("s", "A", says)
				if s.Error == nil || s.Error.Code != outcome || s.Attempts != 1 || s.Delivered.Qty != 5*qty || s.Wanted.Qty != 9*qty {
					t.Errorf("got %+v, want what was refused, and what was delivered before", s)
				}
				window := outcome == "promo_lock" || outcome == "raise_only"
				if window {
					w.pass(25 * time.Minute)
				}
				w.pass(4 * time.Minute)
				if got := w.attempts("s", "A"); got != 2 {
					t.Errorf("got %d attempts, want 2 with the first delivery", got)
				}
				w.pass(2 * time.Minute)
				if got, want := w.attempts("s", "A"), map[bool]int{false: 2, true: 3}[window]; got != want {
					t.Errorf("got %d attempts after it, want %d", got, want)
				}
				one.stop()
				again := one.again() // a new owner knows what was refused
				w.eventually("ready", again.Ready)
				w.pass(time.Minute)
				if got, want := w.attempts("s", "A"), map[bool]int{false: 2, true: 3}[window]; got != want {
					t.Errorf("got %d attempts after a restart, want %d", got, want)
				}
				w.shop.ClearFaults()
				w.stock("A=8", func(a *topics.Availability) { a.Trigger = topics.TriggerManual })
				w.settled()
			})
		})
	}
}

// TestSend_AStoreThatRefusesUsIsLeftAlone ensures that 401, 403, redirects and the like stop a store until
// its record changes, that every pair says so, and that nothing is sent where a redirect points.
func TestSend_AStoreThatRefusesUsIsLeftAlone(t *testing.T) {
	for status, says := range map[int]string{
		401: "blocked shop_unauthorised", 403: "blocked shop_unauthorised", 405: "blocked config_error",
		301: "blocked config_error", 307: "blocked config_error",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s")
				one := w.start("one")
				w.stock("A=5 B=5")
				w.settled()
				w.answers(func(request) (int, string) { return status, "" })
				w.stock("A=4")
				w.says("s", "A", says)
				w.says("s", "B", says)
				if got := one.metric(`stocksync_sinks_store_stopped{store="s"}`); got != "1" {
					t.Errorf("got stopped %s in the metrics, want 1", got)
				}
				w.stock("B=4 C=1")
				w.pass(5 * time.Minute)
				if got := len(w.requests); got != 2 {
					t.Errorf("got %d requests, want the first delivery and the one that was refused", got)
				}
				w.answers(nil)
				w.store("s")
				w.settled()
				if got := one.metric(`stocksync_sinks_store_stopped{store="s"}`); got != "0" {
					t.Errorf("got stopped %s in the metrics, want 0", got)
				}
			})
		})
	}
}

// TestSend_NothingGoesBeforeRetryAfterIsOver ensures that a shop is left alone as long as it asked to be,
// whatever else is answered meanwhile and whatever a person changes.
func TestSend_NothingGoesBeforeRetryAfterIsOver(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":4`))
		w.start("one")
		w.stock("A=5 B=5 C=5 D=5")
		w.settled()
		slow := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, SKU: "A", Delay: -1})
		later := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, SKU: "C", Delay: -1})
		w.stock("A=4 C=4")
		w.eventually("both in flight", func() error { return want(slow.Hits()+later.Hits(), 2) })
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultThrottle, SKU: "B", RetryAfter: "60"})
		w.stock("B=4")
		w.says("s", "B", "retrying rate_limited")
		throttled, before := time.Now(), w.mark()
		w.pass(time.Second)
		slow.Release() // a success that was underway
		w.says("s", "A", "synced in_sync")
		w.stock("D=4")
		w.store("s", w.options("s", `"batch":1,"in_flight":4`), func(s *topics.Store) { s.Name = "a new name" })
		w.pass(time.Second)
		later.Release()
		w.settled()
		for _, r := range w.since(before, "s") {
			if r.at.Before(throttled.Add(59 * time.Second)) {
				t.Errorf("request for %v %s after a 429 that asked for 60 s", r.skus, r.at.Sub(throttled))
			}
		}
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultThrottle, RetryAfter: "3600"})
		w.stock("A=3")
		w.says("s", "A", "retrying rate_limited")
		w.store("s", w.options("s", `"batch":2`)) // another door
		moved := time.Now()
		w.settled()
		if took := time.Since(moved); took > time.Minute {
			t.Errorf("with other options it took %s, want what was said before forgotten", took)
		}
	})
}

// TestSend_RequestsInFlightTogetherFailOnce ensures that four answers to one outage are one failure: they
// neither make an outage nor a long wait.
func TestSend_RequestsInFlightTogetherFailOnce(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":4`))
		w.start("one")
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultUnavailable, Count: 4})
		began := time.Now()
		w.stock("A=4 B=4 C=4 D=4")
		w.settled()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %s, want about a second", took)
		}
		if strings.Contains(w.logs.all(), "store fails") {
			t.Error("four failures together count as an outage")
		}
	})
}

// TestSend_AnOutageCostsOthersNothingAndItselfLittle ensures that a store in trouble delays no other, that it
// is asked now and then, and that it has all soon after it answers again.
func TestSend_AnOutageCostsOthersNothingAndItselfLittle(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.store("t")
		w.start("one")
		w.stock(many("A", 90, 5))
		w.settled()
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultHang, Store: "s", Count: -1})
		before := w.mark()
		for n := range 12 {
			began := time.Now()
			w.stock(many("A", 90, 100+n))
			w.eventually("the other shop", func() error { return w.shopShows("t", fmt.Sprintf("A00=%d A89=%d", 100+n, 100+n)) })
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("round %d: the other shop took %s", n, took)
			}
			w.pass(30 * time.Second)
		}
		w.says("s", "A00", "retrying marketplace_error")
		w.says("s", "A89", "retrying marketplace_error")
		if got := len(w.since(before, "s")); got > 24 {
			t.Errorf("got %d requests in 6 minutes to a shop that hangs, want at most one in 15 s", got)
		}
		w.shop.ClearFaults()
		began, healed := time.Now(), w.mark()
		w.settled()
		if took := time.Since(began); took > 45*time.Second {
			t.Errorf("took %s after the outage, want the longest wait and a request at most", took)
		}
		if got := len(w.since(healed, "s")); got > 30 {
			t.Errorf("got %d requests for 90 pairs after the outage, want batches", got)
		}
	})
}

// TestSend_FindsTheUpdateThatSpoilsABatch ensures that a shop which refuses a whole batch for one update gets
// all others, in few requests, and that the one says why.
func TestSend_FindsTheUpdateThatSpoilsABatch(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":64`))
		w.start("one")
		w.answers(func(r request) (int, string) {
			if slices.Contains(r.skus, "A33") {
				return 400, ""
			}
			return 0, ""
		})
		began := time.Now()
		w.stock(many("A", 64, 5))
		w.says("s", "A33", "blocked quantity_refused")
		w.eventually("all others", func() error {
			for i := range 64 {
				sku := fmt.Sprintf("A%02d", i)
				if s := w.status("s", sku); i != 33 && (s == nil || s.State != topics.StateSynced) {
					return fmt.Errorf("status of %s is %+v", sku, s)
				}
			}
			return nil
		})
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %s, want no waits", took)
		}
		w.pass(5 * time.Minute)
		if got := w.mark(); got > 16 {
			t.Errorf("got %d requests, want about two for each halving", got)
		}
		if got := w.attempts("s", "A33"); got != 7 {
			t.Errorf("got %d attempts of the bad one, want 7", got)
		}
		w.answers(nil)
		w.stock("A33=4")
		w.settled()
	})
}

// TestSend_ACampaignHoldsBackNoOtherOfItsBatch ensures that a shop which refuses a whole batch for one update that a
// campaign forbids, and does not say which, gets all others at once.
func TestSend_ACampaignHoldsBackNoOtherOfItsBatch(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{together: true, traits: sinks.Traits{Batch: 16, InFlight: 1}}
		d.push = func(updates []sinks.Update) sinks.Reply {
			if slices.ContainsFunc(updates, func(u sinks.Update) bool { return u.SKU == "A07" }) {
				return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassRaiseOnly, Code: "4170"}}
			}
			r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}}
			for range updates {
				r.Items = append(r.Items, r.Whole)
			}
			return r
		}
		w.speak(d)
		began := time.Now()
		w.stock(many("A", 16, 5))
		w.says("s", "A07", "blocked raise_only")
		for i := range 16 {
			if i != 7 {
				w.says("s", fmt.Sprintf("A%02d", i), "synced in_sync")
			}
		}
		if pushed, _ := d.counts(); pushed > 12 || time.Since(began) > 2*time.Second {
			t.Errorf("got %d requests in %s, want about two for each halving, and no waits", pushed, time.Since(began))
		}
	})
}

// TestSend_APairThatMakesEveryRequestFailDelaysNoOther ensures that a SKU which the shop cannot digest is
// found, is tried now and then alone, and is not taken for an outage.
func TestSend_APairThatMakesEveryRequestFailDelaysNoOther(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":64`))
		w.start("one")
		w.answers(func(r request) (int, string) {
			if slices.Contains(r.skus, "A33") {
				return 500, ""
			}
			return 0, ""
		})
		w.stock(many("A", 64, 5))
		w.eventually("all others", func() error {
			for i := range 64 {
				if i != 33 {
					if err := w.shopShows("s", fmt.Sprintf("A%02d=5", i)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		w.pass(5 * time.Minute)
		w.says("s", "A33", "retrying marketplace_error")
		for n := range 20 {
			began := time.Now()
			w.stock(fmt.Sprintf("A00=%d A01=0 A33=%d", n, n))
			w.shows("s", "A00", topics.Quantity(n))
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("round %d: another pair took %s", n, took)
			}
			w.says("s", "A00", map[bool]string{true: "synced zero_available", false: "synced in_sync"}[n == 0])
			w.pass(21 * time.Second)
		}
		if got := w.attempts("s", "A33"); got > 60 {
			t.Errorf("got %d attempts of the bad one in 12 minutes, want one in 15 s at most", got)
		}
		w.answers(nil)
		w.settled()
	})
}

// TestSend_WhatMayOversellGoesFirst ensures the order of sending: to 0, less, more, the same.
func TestSend_WhatMayOversellGoesFirst(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":1`))
		w.start("one")
		w.stock("first=1 same=5 more=5 less=5 out=5 night=5 seventh=1") // the eighth request serves the oldest
		w.settled()
		slow := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: -1})
		before := w.mark()
		w.stock("first=2")
		w.eventually("in flight", func() error { return want(slow.Hits(), 1) })
		w.stock("night=9", func(a *topics.Availability) { a.Trigger = topics.TriggerNightly })
		w.pass(time.Millisecond)
		w.stock("same=5 new=7")
		w.pass(time.Millisecond)
		w.stock("more=6")
		w.stock("less=4")
		w.stock("out=0")
		w.pass(time.Second)
		slow.Release()
		w.settled()
		var got []string
		for _, r := range w.since(before, "s") {
			got = append(got, r.skus...)
		}
		if want := strings.Fields("first out less new more night same"); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestSend_NothingStarvesWhileTheRateHoldsEverythingBack ensures that whoever has waited longest has one request in
// eight, whatever else comes, where it is the rate and not the answers that the next request waits for.
func TestSend_NothingStarvesWhileTheRateHoldsEverythingBack(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"rate":4`))
		w.start("one")
		w.stock("more=5 " + many("A", 60, 100))
		w.settled()
		before := w.mark()
		w.stock("A00=99")
		w.pass(time.Millisecond)
		w.stock("more=6")
		w.pass(time.Millisecond)
		for n := range topics.Quantity(20) { // fifteen times what the rate lets through
			w.stock(many("A", 60, int(99-n)))
			w.pass(time.Second)
		}
		at := slices.IndexFunc(w.since(before, "s"), func(r request) bool { return r.skus[0] == "more" })
		if at < 0 || at > 8 {
			t.Errorf("the increase was request %d, want one of the first nine", at)
		}
		w.settled()
	})
}

func TestSend_KeepsTheRateOfTheOptions(t *testing.T) {
	bubble(t, testenv.SandboxConfig{Rate: 5, Burst: 2}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"rate":5`))
		w.start("one")
		w.stock(many("A", 60, 5))
		w.settled()
		for i := range w.requests {
			if j := i + 7; j < len(w.requests) && w.requests[j].at.Sub(w.requests[i].at) < time.Second {
				t.Errorf("8 requests from %s to %s, want 5 a second", w.requests[i].at, w.requests[j].at)
			}
		}
		if got := w.shop.Stats().Refused; got > 0 {
			t.Errorf("%d requests were too many", got)
		}
	})
}

// TestSend_FindsTheRateOfAShopThatTellsNone ensures that a store without a declared rate comes down to what
// the shop takes.
func TestSend_FindsTheRateOfAShopThatTellsNone(t *testing.T) {
	bubble(t, testenv.SandboxConfig{Rate: 5, Burst: 1}, func(w *world) {
		w.store("s", w.options("s", `"batch":1`))
		w.start("one")
		began := time.Now()
		w.stock(many("A", 99, 5))
		w.settled()
		took, refused := time.Since(began), w.shop.Stats().Refused
		if refused > 25 || took > 2*time.Minute {
			t.Errorf("took %s with %d requests too many, want about 20 s, and few", took, refused)
		}
	})
}

func TestSend_TextsOfTheShopAreCutAndShowNoSecret(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.answers(func(request) (int, string) {
			message := "key " + canary + " is wrong " + strings.Repeat("é", 150_000)
			return 200, fmt.Sprintf(`{"results":[{"sku":"A","outcome":"not_found","message":%q},{"sku":"B","outcome":%q},{"sku":"C","outcome":"ok","message":%q}]}`, message, message, message)
		})
		w.stock("A=5 B=5 C=5")
		for sku, says := range map[string]string{"A": "unmapped sku_mismatch", "B": "retrying marketplace_error", "C": "synced in_sync"} {
			s := w.says("s", sku, says)
			if s.Error != nil && (len(s.Error.Message) > sinks.AnswerTextMost || !strings.Contains(s.Error.Message, "***")) {
				t.Errorf("%s: got a text of %d bytes, %.100s", sku, len(s.Error.Message), s.Error.Message)
			}
		}
		w.pass(time.Minute) // more records of the log
	})
}

// dialect is an adapter for tests whose answers a test gives.
type dialect struct {
	listed   bool
	together bool // any updates share a request
	traits   sinks.Traits

	mu      sync.Mutex
	push    func([]sinks.Update) sinks.Reply
	refresh func() sinks.Outcome
	pushed  [][]sinks.Update
	renewed []time.Time
}

func (d *dialect) Marketplace() string { return "test" }
func (d *dialect) Listed() bool        { return d.listed }

func (d *dialect) Open(sinks.Account) (sinks.Session, error) { return d, nil }

func (d *dialect) Traits() sinks.Traits { return d.traits }

// Group is the product, unless all share.
func (d *dialect) Group(u *sinks.Update) string {
	if d.together {
		return ""
	}
	return u.Target.ProductID
}

func (d *dialect) Push(_ context.Context, updates []sinks.Update) sinks.Reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pushed = append(d.pushed, updates)
	if d.push != nil {
		return d.push(updates)
	}
	r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}, RequestID: fmt.Sprint("r", len(d.pushed))}
	for range updates {
		r.Items = append(r.Items, r.Whole)
	}
	return r
}

func (d *dialect) Refresh(context.Context) sinks.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.renewed = append(d.renewed, time.Now())
	return d.refresh()
}

// set changes how the shop answers.
func (d *dialect) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *dialect) counts() (pushed, renewed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pushed), len(d.renewed)
}

// speak starts an instance that speaks a test's dialect with the store "s".
func (w *world) speak(d *dialect) *instance {
	w.Helper()
	w.store("s", func(s *topics.Store) { s.Marketplace = "test" })
	w.mu.Lock()
	delete(w.stores, "s") // the sandbox does not know it, and its requests have no ids
	w.unlogged = true
	w.mu.Unlock()
	return w.start("one", func(c *sinks.Config) { c.Adapters = []sinks.Adapter{d} })
}

// TestSend_AnExpiredTokenIsRefreshedOnceWithNothingInFlight ensures that one refresh serves all requests.
func TestSend_AnExpiredTokenIsRefreshedOnceWithNothingInFlight(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 1, InFlight: 4}}
		valid := false
		var first, last time.Time // of the requests: how soon the broker tells of a commit is another matter
		d.refresh = func() sinks.Outcome { valid = true; return sinks.Outcome{Class: sinks.ClassOK} }
		d.push = func([]sinks.Update) sinks.Reply {
			if last = time.Now(); first.IsZero() {
				first = last
			}
			if !valid {
				return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassToken, Code: "expired"}}
			}
			return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: []sinks.Outcome{{Class: sinks.ClassOK}}}
		}
		w.speak(d)
		w.stock(many("A", 10, 5))
		for i := range 10 {
			w.says("s", fmt.Sprintf("A%02d", i), "synced in_sync")
		}
		pushed, renewed := d.counts()
		if took := last.Sub(first); renewed != 1 || pushed > 14 || took > time.Second {
			t.Errorf("got %d refreshes and %d requests in %s, want one, at once", renewed, pushed, took)
		}
	})
}

// TestSend_ARefreshThatFailsIsTriedAgainWithWaits ensures that neither the refresh nor the requests go on
// without a pause, and that a shop which took its consent back is left alone.
func TestSend_ARefreshThatFailsIsTriedAgainWithWaits(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 10, InFlight: 4}}
		d.refresh = func() sinks.Outcome { return sinks.Outcome{Class: sinks.ClassTransient, Code: "503"} }
		d.push = func([]sinks.Update) sinks.Reply {
			return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassToken, Code: "expired"}}
		}
		w.speak(d)
		w.stock("A=5")
		w.says("s", "A", "retrying auth_expired")
		w.pass(10 * time.Minute)
		if pushed, renewed := d.counts(); pushed > 1 || renewed < 20 || renewed > 50 {
			t.Errorf("got %d requests and %d refreshes in 10 minutes, want one, and one refresh in 15 to 30 s", pushed, renewed)
		}
		d.set(func() { d.refresh = func() sinks.Outcome { return sinks.Outcome{Class: sinks.ClassOK} } })
		w.pass(10 * time.Minute) // refreshed, and refused all the same
		if pushed, renewed := d.counts(); pushed > 100 || renewed > 100 {
			t.Errorf("got %d requests and %d refreshes, want waits between them", pushed, renewed)
		}
		d.set(func() {
			d.refresh = func() sinks.Outcome { return sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "revoked"} }
		})
		w.says("s", "A", "blocked shop_unauthorised")
		before, beforeRenewed := d.counts()
		w.pass(time.Hour)
		if pushed, renewed := d.counts(); pushed != before || renewed != beforeRenewed {
			t.Errorf("got %d requests and %d refreshes after the consent was gone, want none", pushed-before, renewed-beforeRenewed)
		}
	})
}

// list writes the listing of a SKU of store "s".
func (w *world) list(sku string, products ...string) {
	w.Helper()
	l := topics.Listing{Store: "s", SKU: sku, Origin: topics.OriginUpstream}
	for _, p := range products {
		l.Targets = append(l.Targets, topics.Target{ProductID: p, Status: topics.TargetActive, Tracked: true})
	}
	w.produce(topics.Listings, l.Key(), l.Encode())
}

// products returns the products of requests, one text a request.
func (d *dialect) products() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for _, updates := range d.pushed {
		text := ""
		for _, u := range updates {
			text += fmt.Sprintf("%s:%s=%s ", u.SKU, u.Target.ProductID, u.Qty)
		}
		list = append(list, strings.TrimSpace(text))
	}
	return list
}

// TestSend_EveryTargetGetsTheFullQuantity ensures that a pair of several products is delivered when all have
// it, that a failed one alone is tried again, and that other products are other pairs' requests.
func TestSend_EveryTargetGetsTheFullQuantity(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
		fails := true
		d.push = func(u []sinks.Update) sinks.Reply {
			r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: []sinks.Outcome{{Class: sinks.ClassOK}}}
			if u[0].Target.ProductID == "2" && fails {
				fails = false
				r.Items[0] = sinks.Outcome{Class: sinks.ClassTransient, Code: "x"}
			}
			return r
		}
		w.speak(d)
		w.stock("A=5 B=6")
		w.list("A", "1", "2", "3")
		s := w.says("s", "A", "synced in_sync")
		if got, want := d.products(), []string{"A:1=5", "A:2=5", "A:2=5", "A:3=5"}; !slices.Equal(got, want) {
			t.Errorf("got requests %q, want %q", got, want)
		}
		if len(s.Delivered.Targets) != 3 {
			t.Errorf("got targets %+v, want all three", s.Delivered.Targets)
		}
		if w.status("s", "B") != nil {
			t.Error("got a status of a SKU that the store does not list")
		}
		w.list("A", "3", "4")
		w.eventually("the new target", func() error { return want(len(d.products()), 6) })
		if got, want := d.products()[4:], []string{"A:3=5", "A:4=5"}; !slices.Equal(got, want) {
			t.Errorf("after a change of the listing: got %q, want %q", got, want)
		}
		w.pass(5 * time.Minute)
		w.stock("A=0")
		w.says("s", "A", "synced zero_available")
		if got := len(d.products()); got != 8 {
			t.Errorf("got %d requests, want 8: %q", got, d.products())
		}
	})
}

// TestSend_ATargetThatIsNoneAnyMoreCountsForNothing ensures that a listing which changes between the requests
// of one pair costs no request more than its targets.
func TestSend_ATargetThatIsNoneAnyMoreCountsForNothing(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
		d.push = func(u []sinks.Update) sinks.Reply {
			class := sinks.ClassOK
			if u[0].Target.ProductID == "2" {
				class = sinks.ClassThrottle
			}
			return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: []sinks.Outcome{{Class: class}}, RetryAfter: time.Minute}
		}
		w.speak(d)
		w.stock("A=5")
		w.list("A", "1", "2")
		w.says("s", "A", "retrying rate_limited")
		w.list("A", "2", "3")
		d.set(func() { d.push = nil })
		s := w.says("s", "A", "synced in_sync")
		w.pass(5 * time.Minute)
		if got, want := d.products(), []string{"A:1=5", "A:2=5", "A:2=5", "A:3=5"}; !slices.Equal(got, want) {
			t.Errorf("got requests %q, want %q", got, want)
		}
		if len(s.Delivered.Targets) != 2 {
			t.Errorf("got targets %+v, want the two of now", s.Delivered.Targets)
		}
	})
}

// TestSend_AnAnswerIsAboutTheProductThatWasAsked ensures that the refusal of an old product is not taken for
// one of the product that took its place while the request was in flight.
func TestSend_AnAnswerIsAboutTheProductThatWasAsked(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
		hold, arrived := make(chan struct{}), make(chan struct{})
		d.push = func(u []sinks.Update) sinks.Reply {
			r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: []sinks.Outcome{{Class: sinks.ClassOK}}}
			if u[0].Target.ProductID == "old" {
				close(arrived)
				<-hold
				r.Items[0] = sinks.Outcome{Class: sinks.ClassNotFound, Code: "gone"}
			}
			return r
		}
		w.speak(d)
		w.stock("A=5")
		w.list("A", "old")
		<-arrived
		w.list("A", "new")
		w.pass(time.Second)
		close(hold)
		s := w.says("s", "A", "synced in_sync")
		if len(s.Delivered.Targets) != 1 || s.Delivered.Targets[0].ProductID != "new" {
			t.Errorf("got targets %+v, want the new product", s.Delivered.Targets)
		}
	})
}

// TestSend_ACampaignWhoseEndIsPastIsNotAskedWithoutEnd ensures waits between requests when the marketplace
// names an end that is over by our clock.
func TestSend_ACampaignWhoseEndIsPastIsNotAskedWithoutEnd(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 10, InFlight: 1}}
		d.push = func([]sinks.Update) sinks.Reply {
			return sinks.Reply{
				Whole: sinks.Outcome{Class: sinks.ClassOK},
				Items: []sinks.Outcome{{Class: sinks.ClassPromoLock, Code: "flash", Until: time.Now().Add(-time.Hour)}},
			}
		}
		w.speak(d)
		w.stock("A=5")
		w.says("s", "A", "blocked promo_locked")
		w.pass(5 * time.Minute)
		if pushed, _ := d.counts(); pushed < 10 || pushed > 25 {
			t.Errorf("got %d requests in 5 minutes, want one in 15 to 30 s", pushed)
		}
		end := time.Now().Add(30 * time.Minute)
		d.set(func() {
			d.push = func([]sinks.Update) sinks.Reply {
				return sinks.Reply{
					Whole: sinks.Outcome{Class: sinks.ClassOK},
					Items: []sinks.Outcome{{Class: sinks.ClassPromoLock, Code: "flash", Until: end}},
				}
			}
		})
		w.eventually("the end is known", func() error { return wantTime(w.status("s", "A").NextAttemptAt, end) })
		before, _ := d.counts()
		d.set(func() { d.push = nil })
		w.pass(25 * time.Minute)
		if pushed, _ := d.counts(); pushed != before {
			t.Errorf("got %d requests before the end, want none", pushed-before)
		}
		w.pass(5 * time.Minute)
		w.says("s", "A", "synced in_sync")
	})
}

func wantTime(got topics.Time, want time.Time) error {
	if got != topics.TimeOf(want) {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	return nil
}
