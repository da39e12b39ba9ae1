package sinks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// saying counts the pairs of a store whose status says something.
func (w *world) saying(store, what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for key, s := range w.statuses {
		if strings.HasPrefix(key, store+"|") && string(s.State)+" "+string(s.Reason) == what {
			n++
		}
	}
	return n
}

// becomes waits until so many pairs of a store say something.
func (w *world) becomes(store, what string, n int) {
	w.Helper()
	w.eventually(what, func() error { return want(w.saying(store, what), n) })
}

// byOrder makes availability that follows from an order.
func byOrder(a *topics.Availability) {
	a.Causes = []topics.Cause{{Topic: "stock.orders", ID: "order"}}
}

// TestBrake_ManyZerosAtOnceWaitForAPerson ensures that a mistake which would empty a store is held, whatever it is,
// that the rest goes on, that a restart lets nothing go, and that a person does.
func TestBrake_ManyZerosAtOnceWaitForAPerson(t *testing.T) {
	for name, mistake := range map[string]func(w *world){
		"a warehouse left out": func(w *world) {
			w.store("s", func(s *topics.Store) { s.ExcludeWarehouses = []string{"W1"} })
		},
		"a count of nothing": func(w *world) { w.stock(many("A", 60, 0)) },
		"a buffer for all":   func(w *world) { w.store("*", func(s *topics.Store) { s.Buffer = new(5 * qty) }) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s")
				i := w.start("one")
				w.stock(many("A", 60, 5) + many("B", 40, 9))
				w.settled()
				before := w.mark()
				mistake(w)
				w.eventually("braked", func() error {
					if n := w.saying("s", "blocked braked"); n < 60 {
						return fmt.Errorf("got %d pairs braked, want 60 at least", n)
					}
					return nil
				})
				held := w.saying("s", "blocked braked")
				if got := i.metric(`stocksync_sinks_braked{store="s"}`); got != fmt.Sprint(held) {
					t.Errorf("got %s braked in the metrics, want %d", got, held)
				}
				w.stock("new=8")
				w.eventually("the rest goes on", func() error { return want(w.attempts("s", "new"), 1) })
				w.pass(15 * time.Minute)
				i.stop()
				i = i.again()
				w.pass(5 * time.Minute)
				for _, r := range w.since(before, "s") {
					for _, sku := range r.skus {
						if strings.HasPrefix(sku, "A") {
							t.Fatalf("%s was sent at %s, want it to wait for a person", sku, r.at)
						}
					}
				}
				w.store("s", func(s *topics.Store) {
					s.BrakeReleasedAt = topics.TimeOf(time.Now())
					if name == "a warehouse left out" {
						s.ExcludeWarehouses = []string{"W1"}
					}
				})
				w.becomes("s", "blocked braked", 0)
				w.shows("s", "A00", 0)
				w.shows("s", "A59", 0)
				if got := i.metric(`stocksync_sinks_braked{store="s"}`); got != "0" {
					t.Errorf("got %s braked in the metrics, want 0", got)
				}
			})
		})
	}
}

// TestBrake_LetsGoWhatIsNoMistake ensures what does not set the brake.
func TestBrake_LetsGoWhatIsNoMistake(t *testing.T) {
	for name, tc := range map[string]struct {
		store  func(s *topics.Store)
		pairs  int
		falls  int
		change []func(a *topics.Availability)
	}{
		"orders":             {func(*topics.Store) {}, 100, 100, []func(a *topics.Availability){byOrder}},
		"few":                {func(*topics.Store) {}, 60, 49, nil},
		"a small part":       {func(*topics.Store) {}, 200, 60, nil},
		"as many as allowed": {func(s *topics.Store) { s.BrakePercent = new(60 * qty) }, 100, 60, nil},
		"all are allowed":    {func(s *topics.Store) { s.BrakePercent = new(100 * qty) }, 60, 60, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s", tc.store)
				w.start("one")
				w.stock(hundreds("A", tc.pairs, 5))
				w.settled()
				w.stock(hundreds("A", tc.falls, 0), tc.change...)
				w.settled()
			})
		})
	}
}

// hundreds is many for more than a hundred SKUs.
func hundreds(prefix string, n, q int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%03d=%d ", prefix, i, q)
	}
	return b.String()
}

// TestBrake_CountsWhatFallsWithinTenMinutes ensures that zeros which come one after the other set it too, that those
// sent before stay sent, and that slow ones never do.
func TestBrake_CountsWhatFallsWithinTenMinutes(t *testing.T) {
	for _, tc := range []struct {
		every  time.Duration
		braked int
	}{{5 * time.Second, 11}, {13 * time.Second, 0}} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			w.store("s")
			w.start("one")
			w.stock(hundreds("A", 100, 5))
			w.settled()
			for n := range 60 {
				w.stock(fmt.Sprintf("A%03d=0", n))
				w.pass(tc.every)
			}
			w.pass(time.Minute)
			if got := w.saying("s", "blocked braked"); got != tc.braked {
				t.Errorf("one in %s: got %d pairs braked, want %d", tc.every, got, tc.braked)
			}
			if got := w.saying("s", "synced zero_available"); got != 60-tc.braked {
				t.Errorf("one in %s: got %d pairs at 0, want %d", tc.every, got, 60-tc.braked)
			}
		})
	}
}

// TestBrake_AMistakeThatIsMendedNeedsNoRelease ensures that a pair which should be above 0 again is sent.
func TestBrake_AMistakeThatIsMendedNeedsNoRelease(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock(many("A", 60, 5))
		w.settled()
		w.stock(many("A", 60, 0))
		w.becomes("s", "blocked braked", 60)
		w.stock(many("A", 60, 4))
		w.settled()
		w.becomes("s", "synced in_sync", 60)
		w.pass(11 * time.Minute)
		w.stock("A00=0")
		w.settled()
	})
}

// TestMetrics_TellWhereAShopOffersTooMuch ensures an alert while a campaign keeps a number from being lowered.
func TestMetrics_TellWhereAShopOffersTooMuch(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
		end := time.Now().Add(10 * time.Minute)
		d.push = func(u []sinks.Update) sinks.Reply {
			if u[0].Qty < 5*qty && time.Now().Before(end) {
				return ok(u, map[string]sinks.Outcome{"1": {Class: sinks.ClassRaiseOnly, Code: "campaign", Until: end}})
			}
			return ok(u, nil)
		}
		i := w.speak(d)
		w.list("A", "1")
		w.stock("A=5")
		w.says("s", "A", "synced in_sync")
		w.stock("A=2")
		w.says("s", "A", "blocked raise_only")
		risk := func(n string) func() error {
			return func() error {
				if got := i.metric(`stocksync_sinks_oversell_risk{store="s"}`); got != n {
					return fmt.Errorf("got %s pairs at risk, want %s", got, n)
				}
				return nil
			}
		}
		w.eventually("the alert", risk("1"))
		w.stock("A=7") // a raise is taken
		w.says("s", "A", "synced in_sync")
		w.eventually("no alert", risk("0"))
		w.stock("A=1")
		w.says("s", "A", "blocked raise_only")
		w.pass(time.Until(end) + time.Second)
		w.says("s", "A", "synced in_sync")
		w.eventually("no alert", risk("0"))
	})
}
