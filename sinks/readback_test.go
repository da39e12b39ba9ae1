package sinks_test

import (
	"fmt"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// handChange makes the shop show another number, as a person who changes it there does.
func (s *till) handChange(product string, n topics.Quantity) {
	s.set(func() { s.on(product).qty = n * qty })
}

// TestReadBack_MoreThanWasDeliveredIsRepairedAtOnce ensures that a number which a person raised on the marketplace is
// found, said and brought back, and that the status goes on telling of it.
func TestReadBack_MoreThanWasDeliveredIsRepairedAtOnce(t *testing.T) {
	for _, first := range []bool{false, true} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			s := newTill(sinks.Traits{ReadFirst: first})
			s.every = time.Minute
			s.shelf["1"] = &shelf{}
			i := w.trades(s)
			w.list("A", "1")
			w.stock("A=10")
			w.says("s", "A", "synced in_sync")
			hold := make(chan struct{})
			s.set(func() {
				s.answer = func(*sinks.Update) (sinks.Outcome, bool) {
					s.answer = nil
					s.mu.Unlock()
					<-hold
					s.mu.Lock()
					return sinks.Outcome{Class: sinks.ClassOK}, true
				}
			})
			s.handChange("1", 50)
			status := w.says("s", "A", "pending changed_on_marketplace")
			if d := status.LastDrift; d == nil || d.Seen != 50*qty || d.Ours != 10*qty {
				t.Errorf("got drift %+v, want 50 seen and 10 ours", d)
			}
			close(hold)
			status = w.says("s", "A", "synced in_sync")
			s.shows(w, "1", 10)
			if status.LastDrift == nil || status.Wanted.Cause != topics.SyncReadback {
				t.Errorf("got %+v, want the drift kept and readback as the cause", status)
			}
			if got := i.metric(`stocksync_sinks_drifts_total{direction="above",store="s"}`); got != "1" {
				t.Errorf("got %s drifts in the metrics, want 1", got)
			}
			w.pass(10 * time.Minute)
			if _, writes := s.counted(); writes != 2 {
				t.Errorf("got %d writes, want the delivery and the repair", writes)
			}
		})
	}
}

// TestReadBack_LessThanWasDeliveredIsSoldUntilTheGraceIsOver ensures that a shop which offers less is left alone while
// an order may come for it, and is repaired when none does.
func TestReadBack_LessThanWasDeliveredIsSoldUntilTheGraceIsOver(t *testing.T) {
	for _, first := range []bool{false, true} {
		for _, reported := range []bool{false, true} {
			t.Run(fmt.Sprintf("read first %v, reported %v", first, reported), func(t *testing.T) {
				bubble(t, testenv.SandboxConfig{}, func(w *world) {
					s := newTill(sinks.Traits{ReadFirst: first})
					s.every = time.Minute
					s.shelf["1"] = &shelf{}
					i := w.trades(s, func(s *topics.Store) { s.OrderGrace = topics.Duration(20 * time.Minute) })
					w.list("A", "1")
					w.stock("A=10")
					w.says("s", "A", "synced in_sync")
					w.pass(time.Minute)
					s.handChange("1", 8)
					w.pass(19 * time.Minute)
					s.shows(w, "1", 8)
					if got := w.says("s", "A", "synced in_sync"); got.LastDrift != nil {
						t.Errorf("got drift %+v within the grace, want none", got.LastDrift)
					}
					if reported {
						w.stock("A=8", sold(2))
						w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
					}
					w.pass(10 * time.Minute)
					want, drifts := topics.Quantity(10), "1"
					if reported {
						want, drifts = 8, "nothing"
					}
					s.shows(w, "1", want)
					status := w.says("s", "A", "synced in_sync")
					if status.Delivered.Qty != want*qty || status.Delivered.Unseen != 0 || reported != (status.LastDrift == nil) {
						t.Errorf("got %+v and %+v, want %d delivered", status.Delivered, status.LastDrift, want)
					}
					if got := i.metric(`stocksync_sinks_drifts_total{direction="below",store="s"}`); got != drifts {
						t.Errorf("got %s drifts, want %s", got, drifts)
					}
				})
			})
		}
	}
}

// TestReadBack_SamplesByDayAndReadsEverythingAtNight ensures that a large store is read a little at a time by day, and
// whole at night, once.
func TestReadBack_SamplesByDayAndReadsEverythingAtNight(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{Batch: 10, InFlight: 1})
		w.store("s", func(s *topics.Store) { s.Marketplace = "test" })
		w.mu.Lock()
		delete(w.stores, "s")
		w.unlogged = true
		w.mu.Unlock()
		w.start("one", func(c *sinks.Config) {
			c.Adapters, c.ReadBackEvery, c.NightlyAt = []sinks.Adapter{s}, 10*time.Minute, time.Hour // tests begin at midnight
		})
		w.stock(hundreds("A", 95, 5))
		for n := range 95 {
			w.list(fmt.Sprintf("A%03d", n), fmt.Sprintf("p%03d", n))
		}
		w.becomes("s", "synced in_sync", 95)
		before, _ := s.counted()
		w.pass(45 * time.Minute)
		reads, _ := s.counted()
		if got := reads - before; got < 3 || got > 5 {
			t.Errorf("got %d readings in 45 minutes, want one in ten", got)
		}
		s.handChange("p077", 9)
		w.pass(16 * time.Minute)
		w.pass(10 * time.Second)
		s.shows(w, "p077", 5)
		after, _ := s.counted()
		if got := after - reads; got < 10 || got > 13 {
			t.Errorf("got %d readings around the night, want each pair once: 10", got)
		}
		w.pass(30 * time.Minute)
		if last, _ := s.counted(); last-after > 4 {
			t.Errorf("got %d readings after the night, want one in ten minutes", last-after)
		}
	})
}

// TestReadBack_WhatIsUnderWayIsNoDrift ensures that a number which was read while another one was sent is not taken
// for a change by hand.
func TestReadBack_WhatIsUnderWayIsNoDrift(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		s := newTill(sinks.Traits{Batch: 1, InFlight: 2})
		s.every = time.Minute
		s.shelf["1"] = &shelf{}
		i := w.trades(s)
		w.list("A", "1")
		w.stock("A=10")
		w.says("s", "A", "synced in_sync")
		s.set(func() {
			s.between = func(s *till) { // the reading of the sample is on its way while a new number is delivered
				s.mu.Unlock()
				w.stock("A=20")
				w.eventually("delivered", func() error { return wantRevision(w.status("s", "A"), w.revision) })
				s.mu.Lock()
			}
		})
		w.pass(5 * time.Minute)
		if got := i.metric(`stocksync_sinks_drifts_total{direction="below",store="s"}`); got != "nothing" {
			t.Errorf("got %s drifts, want none", got)
		}
		if got := w.says("s", "A", "synced in_sync"); got.LastDrift != nil {
			t.Errorf("got drift %+v, want none", got.LastDrift)
		}
	})
}
