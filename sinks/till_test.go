package sinks_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// till is an adapter for tests whose shop sells by itself and can be read.
type till struct {
	dialect
	shelf map[string]*shelf // by product; guarded by dialect.mu, as all else
	reads int
	// between, if set, happens once after the next reading.
	between func(s *till)
	// answer, if set, takes the place of what the shop says of one update; ok is false when nothing is applied.
	answer func(u *sinks.Update) (o sinks.Outcome, applied bool)
	unread int           // so many readings fail first
	mute   bool          // the answers show nothing
	every  time.Duration // between two readings of a sample; 0: none in a test
}

// shelf is what the shop holds of one product.
type shelf struct{ qty, allocated, threshold topics.Quantity }

func newTill(t sinks.Traits) *till {
	if t.Batch == 0 {
		t.Batch, t.InFlight = 10, 1
	}
	return &till{dialect: dialect{listed: true, traits: t}, shelf: map[string]*shelf{}}
}

func (s *till) Open(sinks.Account) (sinks.Session, error) { return s, nil }

// on returns the shelf of a product. The caller holds the mutex.
func (s *till) on(product string) *shelf {
	if s.shelf[product] == nil {
		s.shelf[product] = &shelf{}
	}
	return s.shelf[product]
}

func (s *till) ReadBack(_ context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.unread > 0 {
		s.unread--
		return nil, sinks.Outcome{Class: sinks.ClassTransient, Code: "unread"}
	}
	readings := make([]sinks.Reading, len(updates))
	for i, u := range updates {
		if held := s.shelf[u.Target.ProductID]; held != nil {
			readings[i] = sinks.Reading{Found: true, Qty: held.qty, Allocated: held.allocated, Threshold: held.threshold}
		}
	}
	if f := s.between; f != nil {
		s.between = nil
		f(s)
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

func (s *till) Push(_ context.Context, updates []sinks.Update) sinks.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed = append(s.pushed, updates)
	r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}}
	for i := range updates {
		u := &updates[i]
		o, applied := sinks.Outcome{Class: sinks.ClassOK}, true
		if s.answer != nil {
			o, applied = s.answer(u)
		}
		held := s.on(u.Target.ProductID)
		if applied {
			held.qty = u.Qty
		}
		r.Items = append(r.Items, o)
		if !s.mute {
			r.Readings = append(r.Readings, sinks.Reading{Found: true, Qty: held.qty, Allocated: held.allocated, Threshold: held.threshold})
		}
	}
	return r
}

// refuse makes the next update get an answer of a class, whether it is applied or not. The caller holds the mutex.
func (s *till) refuse(c sinks.Class, applied bool) {
	s.answer = func(*sinks.Update) (sinks.Outcome, bool) {
		s.answer = nil
		return sinks.Outcome{Class: c, Code: "refused"}, applied
	}
}

// sell sells some of a product. The caller holds the mutex.
func (s *till) sell(product string, n topics.Quantity) {
	if s.traits.Number == sinks.NumberPhysical {
		s.on(product).allocated += n * qty
	} else {
		s.on(product).qty -= n * qty
	}
}

// shows waits until the shop offers a quantity of a product.
func (s *till) shows(w *world, product string, want topics.Quantity) {
	w.Helper()
	w.eventually("the shop's offer of "+product, func() error {
		if got := s.offer(product); got != want*qty {
			return fmt.Errorf("got %s, want %d; status %+v", got, want, w.status("s", "A"))
		}
		return nil
	})
}

func (s *till) offer(product string) topics.Quantity {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.on(product)
	return h.qty - h.allocated - h.threshold
}

// counted returns how often the shop was read and written.
func (s *till) counted() (reads, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, len(s.pushed)
}

// trades starts an instance with the store "s", which is the till's.
func (w *world) trades(s *till, change ...func(s *topics.Store)) *instance {
	w.Helper()
	w.store("s", append([]func(*topics.Store){func(s *topics.Store) { s.Marketplace = "test" }}, change...)...)
	w.mu.Lock()
	delete(w.stores, "s")
	w.unlogged = true
	w.mu.Unlock()
	return w.start("one", func(c *sinks.Config) {
		c.Adapters, c.ReadBackEvery, c.NightlyAt = []sinks.Adapter{s}, cmp.Or(s.every, 24*time.Hour), 23*time.Hour
	})
}

// sold makes availability that the store's orders have taken some of.
func sold(n topics.Quantity) func(a *topics.Availability) {
	return func(a *topics.Availability) {
		a.Warehouses[0].ByStore = topics.StoreStocks{{Store: "s", Taken: n * qty}}
		a.OrdersFrom = topics.StoreRevisions{{Store: "s", Revision: a.Revision}}
	}
}

// TestUnseen_SalesThatNobodyHasReportedStaySold ensures, for either meaning of the number, that an update for another
// cause does not offer again what the shop sold, that a report counts once, and that sales which nobody reports are
// forgotten after the grace and the number is sent again.
func TestUnseen_SalesThatNobodyHasReportedStaySold(t *testing.T) {
	for _, number := range []sinks.Number{sinks.NumberAvailable, sinks.NumberPhysical} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			s := newTill(sinks.Traits{Number: number, ReadFirst: true})
			s.shelf["1"] = &shelf{qty: 77 * qty}
			if number == sinks.NumberPhysical {
				s.shelf["1"].threshold = 3 * qty
			}
			w.trades(s, func(s *topics.Store) { s.OrderGrace = topics.Duration(20 * time.Minute) })
			w.list("A", "1")
			w.stock("A=10")
			s.shows(w, "1", 10)
			s.set(func() { s.sell("1", 2) })
			w.stock("A=9") // one went elsewhere
			s.shows(w, "1", 7)
			w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
			if d := w.status("s", "A").Delivered; d.Unseen != 2*qty || d.Qty != 7*qty || d.Shown == nil || *d.Shown != 8*qty {
				t.Errorf("got %+v, want 7 delivered, 8 shown before and 2 unseen", d)
			}
			w.stock("A=8", sold(1))
			w.eventually("the report", func() error { return wantUnseen(w.status("s", "A"), 1) })
			s.shows(w, "1", 7)

			w.pass(15 * time.Minute)
			w.stock("A=8", sold(1)) // nothing new: the grace goes on
			w.eventually("the same", func() error { return wantRevision(w.status("s", "A"), w.revision) })
			s.shows(w, "1", 7)
			w.pass(4 * time.Minute)
			s.shows(w, "1", 7)
			w.pass(2 * time.Minute)
			s.shows(w, "1", 8)
			w.eventually("forgotten", func() error { return wantUnseen(w.status("s", "A"), 0) })
			log := w.logOf("s", "A")
			if last := log[len(log)-1]; last.Trigger != topics.SyncReadback {
				t.Errorf("got %s for the forgotten sale, want readback", last.Trigger)
			}
		})
	}
}

func wantUnseen(s *topics.SyncStatus, n topics.Quantity) error {
	if s == nil || s.Delivered == nil || s.Delivered.Unseen != n*qty {
		return fmt.Errorf("got %+v, want %d unseen", s, n)
	}
	return nil
}

// TestUnseen_AnOrderBetweenReadingAndWritingIsSeenInTheAnswer ensures that a physical number which allocates more by
// the time it is written is read and sent again at once.
func TestUnseen_AnOrderBetweenReadingAndWritingIsSeenInTheAnswer(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{Number: sinks.NumberPhysical, ReadFirst: true})
		s.shelf["1"] = &shelf{qty: 50 * qty, allocated: 4 * qty}
		s.between = func(s *till) { s.sell("1", 1) }
		w.trades(s)
		w.list("A", "1")
		w.stock("A=10")
		s.shows(w, "1", 9)
		w.eventually("delivered", func() error { return wantUnseen(w.status("s", "A"), 1) })
		w.pass(10 * time.Minute)
		if reads, writes := s.counted(); reads != 2 || writes != 1 {
			// The second reading shows what would be written: 9 + 5 allocated is what lies there.
			t.Errorf("got %d readings and %d writes, want 2 and 1", reads, writes)
		}
		s.set(func() { s.between = func(s *till) { s.on("1").allocated -= 2 * qty } }) // cancelled in the shop
		w.stock("A=8")
		s.shows(w, "1", 8)
	})
}

// TestUnseen_AnAttemptThatMayHaveBeenAppliedIsNoSale ensures that a number which went through without an answer is
// not taken for units that the shop sold.
func TestUnseen_AnAttemptThatMayHaveBeenAppliedIsNoSale(t *testing.T) {
	for name, tc := range map[string]struct {
		applied bool
		from    int
		to      int
		sells   topics.Quantity
		want    topics.Quantity
	}{
		"applied, less":             {true, 10, 4, 0, 4},
		"applied, more":             {true, 4, 10, 0, 10},
		"applied, more, and sold":   {true, 4, 10, 1, 9},
		"lost, less":                {false, 10, 4, 0, 4},
		"lost, less, and sold":      {false, 10, 4, 1, 3},
		"lost, more, and sold":      {false, 4, 10, 1, 9},
		"applied, less, and sold":   {true, 10, 4, 1, 3},
		"applied to 0":              {true, 10, 0, 0, 0},
		"lost, to 0, and sold one ": {false, 10, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				s := newTill(sinks.Traits{ReadFirst: true})
				s.shelf["1"] = &shelf{}
				w.trades(s)
				w.list("A", "1")
				w.stock(fmt.Sprintf("A=%d", tc.from))
				s.shows(w, "1", topics.Quantity(tc.from))
				s.set(func() { s.refuse(sinks.ClassTransient, tc.applied) })
				w.stock(fmt.Sprintf("A=%d", tc.to))
				w.eventually("the attempt", func() error { _, writes := s.counted(); return want(writes, 2) })
				s.set(func() { s.sell("1", tc.sells) })
				w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
				if got := s.offer("1"); got != tc.want*qty {
					t.Errorf("got %s offered, want %d", got, tc.want)
				}
				if got := w.status("s", "A").Delivered; got.Unseen != tc.sells*qty {
					t.Errorf("got %+v, want %d unseen", got, tc.sells)
				}
			})
		})
	}
}

// TestUnseen_OneOfSeveralAttemptsMayHaveBeenApplied ensures that a number which went through without an answer is not
// taken for a sale either when other attempts failed after it, which were not applied or did not even come to writing.
func TestUnseen_OneOfSeveralAttemptsMayHaveBeenApplied(t *testing.T) {
	for name, later := range map[string]func(s *till){
		"not read":  func(s *till) { s.unread = 1 },
		"throttled": func(s *till) { s.refuse(sinks.ClassThrottle, false) },
		"lost":      func(s *till) { s.refuse(sinks.ClassTransient, false) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				s := newTill(sinks.Traits{ReadFirst: true})
				s.shelf["1"] = &shelf{}
				w.trades(s)
				w.list("A", "1")
				w.stock("A=10")
				s.shows(w, "1", 10)
				s.set(func() { s.refuse(sinks.ClassTransient, true) })
				w.stock("A=4")
				s.shows(w, "1", 4)
				attempts := func(n int) func() error {
					return func() error { return want(w.status("s", "A").Attempts, n) }
				}
				w.eventually("the first attempt", attempts(1))
				s.set(func() { later(s) })
				w.stock("A=7")
				w.eventually("the second attempt", attempts(2))
				w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
				if got := s.offer("1"); got != 7*qty {
					t.Errorf("got %s offered, want 7: nothing was sold", got)
				}
			})
		})
	}
}

// TestUnseen_WhatIsReadDecidesForEveryTarget ensures that the sales of several products of a pair add up, and that
// each product gets what is left, whatever requests they share.
func TestUnseen_WhatIsReadDecidesForEveryTarget(t *testing.T) {
	for _, together := range []bool{false, true} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			s := newTill(sinks.Traits{ReadFirst: true})
			s.together = together
			s.shelf["1"], s.shelf["2"] = &shelf{}, &shelf{}
			w.trades(s)
			w.list("A", "1", "2")
			w.stock("A=10")
			s.shows(w, "1", 10)
			s.shows(w, "2", 10)
			s.set(func() { s.sell("1", 2); s.sell("2", 3) })
			w.stock("A=9")
			s.shows(w, "1", 4)
			s.shows(w, "2", 4)
			w.eventually("delivered", func() error { return wantUnseen(w.status("s", "A"), 5) })
			w.stock("A=4", sold(5))
			w.eventually("reported", func() error { return wantUnseen(w.status("s", "A"), 0) })
			w.pass(10 * time.Minute)
			s.shows(w, "1", 4)
			s.shows(w, "2", 4)
			w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
			if _, writes := s.counted(); writes > 6 {
				t.Errorf("got %d writes, want two for each number at most", writes)
			}
		})
	}
}

// TestSend_AnUnchangedNumberIsReadWhereThatIsCheap ensures that a re-send which finds the number there writes
// nothing and counts as delivered, and that another number is repaired.
func TestSend_AnUnchangedNumberIsReadWhereThatIsCheap(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{Cheap: true})
		s.shelf["1"] = &shelf{}
		w.trades(s)
		w.list("A", "1")
		w.stock("A=10")
		s.shows(w, "1", 10)
		w.stock("A=10", func(a *topics.Availability) { a.Trigger = topics.TriggerNightly })
		w.eventually("verified", func() error { return wantRevision(w.status("s", "A"), w.revision) })
		if reads, writes := s.counted(); reads != 1 || writes != 1 {
			t.Errorf("got %d readings and %d writes, want one each", reads, writes)
		}
		s.set(func() { s.on("1").qty = 12 * qty })
		w.stock("A=10")
		s.shows(w, "1", 10)
		w.stock("A=9")
		s.shows(w, "1", 9)
		w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
		var outcomes []topics.SyncOutcome
		for _, l := range w.logOf("s", "A") {
			if l.Outcome != sinks.OutcomeDecided {
				outcomes = append(outcomes, l.Outcome)
			}
		}
		want := []topics.SyncOutcome{topics.OutcomeOK, topics.OutcomeVerified, topics.OutcomeOK, topics.OutcomeOK}
		if !slices.Equal(outcomes, want) {
			t.Errorf("got outcomes %v, want %v", outcomes, want)
		}
		if reads, writes := s.counted(); reads != 2 || writes != 3 {
			t.Errorf("got %d readings and %d writes, want 2 and 3: a changed number is not read first", reads, writes)
		}
	})
}

// TestUnseen_ReadsOnlyWhereItIsAskedTo ensures what in_flight says over what the adapter does, and that a store which
// cannot be read says so.
func TestUnseen_ReadsOnlyWhereItIsAskedTo(t *testing.T) {
	flight := func(f topics.InFlight) func(s *topics.Store) { return func(s *topics.Store) { s.InFlight = f } }
	for name, tc := range map[string]struct {
		traits  sinks.Traits
		change  func(s *topics.Store)
		reads   int
		offered topics.Quantity
	}{
		"the adapter's default": {sinks.Traits{ReadFirst: true}, flight(""), 2, 7},
		"off":                   {sinks.Traits{ReadFirst: true}, flight(topics.InFlightOff), 0, 9},
		"by choice":             {sinks.Traits{}, flight(topics.InFlightRead), 2, 7},
		"no default":            {sinks.Traits{}, flight(""), 0, 9},
		"physical, off":         {sinks.Traits{Number: sinks.NumberPhysical, ReadFirst: true}, flight(topics.InFlightOff), 2, 9},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				s := newTill(tc.traits)
				s.shelf["1"] = &shelf{}
				w.trades(s, tc.change)
				w.list("A", "1")
				w.stock("A=10")
				s.shows(w, "1", 10)
				s.set(func() { s.sell("1", 2) })
				w.stock("A=9")
				w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
				s.shows(w, "1", tc.offered)
				if reads, _ := s.counted(); reads != tc.reads {
					t.Errorf("got %d readings, want %d", reads, tc.reads)
				}
			})
		})
	}
	for name, traits := range map[string]sinks.Traits{
		"in_flight": {Batch: 1, InFlight: 1}, "physical": {Batch: 1, InFlight: 1, Number: sinks.NumberPhysical},
	} {
		t.Run("no reading: "+name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				d := &dialect{traits: traits}
				w.speak(d)
				w.store("s", func(s *topics.Store) { s.Marketplace, s.InFlight = "test", topics.InFlightRead })
				w.stock("A=10")
				w.says("s", "A", "blocked config_error")
			})
		})
	}
}

// TestUnseen_ATargetThatIsNotShownIsNotFound ensures that a product which the reading does not find is not written.
func TestUnseen_ATargetThatIsNotShownIsNotFound(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{ReadFirst: true})
		s.shelf["2"] = &shelf{}
		w.trades(s)
		w.list("A", "1", "2")
		w.stock("A=10")
		w.says("s", "A", "unmapped sku_mismatch")
		s.shows(w, "2", 10)
		if _, writes := s.counted(); writes != 1 {
			t.Errorf("got %d writes, want one, of the other product", writes)
		}
	})
}

// TestUnseen_ASuccessorOfACrashTakesNoUpdateForSales ensures that what a killed owner had sent without saying so is
// not taken for units that the shop sold.
func TestUnseen_ASuccessorOfACrashTakesNoUpdateForSales(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{ReadFirst: true})
		s.shelf["1"] = &shelf{}
		one := w.trades(s)
		w.list("A", "1")
		w.stock("A=10")
		w.says("s", "A", "synced in_sync")
		hold := make(chan struct{})
		s.set(func() {
			s.answer = func(u *sinks.Update) (sinks.Outcome, bool) {
				s.answer = nil
				s.on("1").qty = u.Qty
				s.mu.Unlock()
				<-hold // killed before it hears of it
				s.mu.Lock()
				return sinks.Outcome{Class: sinks.ClassTransient}, false
			}
		})
		w.stock("A=4")
		s.shows(w, "1", 4)
		one.crash()
		close(hold)
		w.start("two", func(c *sinks.Config) { c.Adapters = []sinks.Adapter{s} })
		w.eventually("delivered by the successor", func() error { return wantRevision(w.status("s", "A"), w.revision) })
		s.shows(w, "1", 4)
		if got := w.status("s", "A").Delivered; got.Unseen != 0 {
			t.Errorf("got %+v, want nothing unseen", got)
		}
	})
}
