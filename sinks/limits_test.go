package sinks_test

import (
	"fmt"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// TestStatus_SaysWhereAPairStandsInTheQueueOfALimitedStore ensures that what waits for a store's limit says so, with
// its place and about when its turn comes, in the order of sending.
func TestStatus_SaysWhereAPairStandsInTheQueueOfALimitedStore(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 1, InFlight: 1, Rate: sinks.Rate{PerSecond: 1}}}
		w.speak(d)
		began := time.Now()
		w.stock(many("A", 20, 5))
		w.pass(100 * time.Millisecond)
		w.stock("B=0") // the shop may show more: before the others
		w.pass(2 * time.Second)
		seen := map[string]bool{}
		for n := range 20 {
			s := w.status("s", fmt.Sprintf("A%02d", n))
			if s == nil || s.Reason != topics.SyncRateLimited {
				continue
			}
			position, _ := s.Evidence["position"].(float64)
			at, err := topics.ParseTime(fmt.Sprint(s.Evidence["estimate"]))
			if err != nil || position < 2 || position > 21 || seen[fmt.Sprint(position)] {
				t.Errorf("got evidence %v (%v), want a place of its own, and when", s.Evidence, err)
			}
			seen[fmt.Sprint(position)] = true
			if off := at.Time().Sub(began.Add(time.Duration(position) * time.Second)).Abs(); off > 3*time.Second {
				t.Errorf("place %v: got %s, want about a second each", position, at.Time().Sub(began))
			}
		}
		if len(seen) < 15 {
			t.Errorf("got %d pairs that say it, want nearly all of 20", len(seen))
		}
		w.eventually("all", func() error { return want(w.saying("s", "synced in_sync"), 20) })
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("took %s, want 21 s", took)
		}
	})
}

// TestSend_AClosedShopIsLeftAloneForAWhile ensures that a shop on holiday is no fault of its products: every pair says
// so, nothing is sent, and all goes out when it is open.
func TestSend_AClosedShopIsLeftAloneForAWhile(t *testing.T) {
	for _, whole := range []bool{false, true} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			d := &dialect{listed: true, together: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
			closed := sinks.Outcome{Class: sinks.ClassNotEditable, Code: sinks.CodeShopClosed, Message: "on holiday"}
			holiday := true
			d.push = func(u []sinks.Update) sinks.Reply {
				r := ok(u, nil)
				switch {
				case holiday && whole:
					r.Whole = closed
				case holiday:
					for i := range r.Items {
						r.Items[i] = closed
					}
				}
				return r
			}
			w.speak(d)
			for n := range 5 {
				w.list(fmt.Sprintf("A%02d", n), fmt.Sprint(n))
			}
			w.stock(many("A", 5, 5))
			for n := range 5 {
				w.says("s", fmt.Sprintf("A%02d", n), "blocked shop_closed")
			}
			before, _ := d.counts()
			w.pass(29 * time.Minute)
			if pushed, _ := d.counts(); pushed != before {
				t.Errorf("got %d requests while it is closed, want none", pushed-before)
			}
			w.pass(2 * time.Minute)
			if pushed, _ := d.counts(); pushed != before+1 {
				t.Errorf("got %d requests after half an hour, want one", pushed-before)
			}
			d.set(func() { holiday = false })
			w.pass(31 * time.Minute)
			for n := range 5 {
				w.says("s", fmt.Sprintf("A%02d", n), "synced in_sync")
			}
		})
	}
}

// TestSend_AListingIsChangedOnlySoOftenADay ensures that a marketplace which allows so many changes of a listing a day
// gets no more, that the status says until when, that other listings go on, and that a stock-out still goes.
func TestSend_AListingIsChangedOnlySoOftenADay(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{
			Batch: 10, InFlight: 1, Rate: sinks.Rate{Revisions: 20, Zone: "Atlantic/Azores"},
		}}
		i := w.speak(d)
		midnight := w.midnight("Atlantic/Azores")
		w.list("A", "1")
		w.list("B", "2")
		count := func(product string) (n int) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, updates := range d.pushed {
				for _, u := range updates {
					if u.Target.ProductID == product {
						n++
					}
				}
			}
			return n
		}
		for n := range 300 {
			w.stock(fmt.Sprintf("A=%d", 1000+n))
			w.pass(10 * time.Second)
		}
		if got := count("1"); got > 16 || got < 12 {
			t.Errorf("got %d changes in 50 minutes, want most of the 16 that are for increases", got)
		}
		s := w.says("s", "A", "retrying rate_limited")
		if s.Evidence["until"] == nil {
			t.Errorf("got evidence %v, want until when", s.Evidence)
		}
		w.stock("B=3")
		w.says("s", "B", "synced in_sync")
		i.stop()
		i.again()
		w.stock("A=0")
		w.says("s", "A", "synced zero_available")
		for n := range 10 {
			w.stock(fmt.Sprintf("A=%d", n%2))
			w.pass(time.Second)
		}
		if got := count("1"); got > 20 {
			t.Errorf("got %d changes of a listing, want 20 a day", got)
		}
		w.stock("A=7")
		w.pass(time.Until(midnight) + time.Minute)
		if s := w.says("s", "A", "synced in_sync"); s.Delivered.Qty != 7*qty {
			t.Errorf("got %+v, want the newest number on the next day", s.Delivered)
		}
	})
}
