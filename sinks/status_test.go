package sinks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
	"stocksync/topics"
)

// TestStatus_ADeliveryCostsOneStatus ensures that states which pass at once are not written.
func TestStatus_ADeliveryCostsOneStatus(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock(many("A", 20, 5))
		w.settled()
		w.stock(many("A", 20, 4))
		w.settled()
		w.pass(time.Minute)
		if got := one.metric("stocksync_sinks_statuses_total"); got != "40" {
			t.Errorf("got %s statuses for 2 deliveries of 20 pairs, want 40", got)
		}
		s := w.status("s", "A00")
		if s.Wanted.Revision != s.Delivered.Revision || s.Wanted.Cause != topics.SyncEvent || s.Wanted.At.IsZero() || s.Wanted.At > s.Delivered.At {
			t.Errorf("got wanted %+v of what was delivered %+v, want it and why", s.Wanted, s.Delivered)
		}
	})
}

// TestStatus_APairThatWaitsSaysSo ensures that pending and sending are written when they last.
func TestStatus_APairThatWaitsSaysSo(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":1`))
		w.start("one")
		slow := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: 5 * time.Second})
		w.stock("A=5")
		w.eventually("in flight", func() error { return want(slow.Hits(), 1) })
		w.stock("B=5")
		began := time.Now()
		w.says("s", "A", "sending waiting")
		b := w.says("s", "B", "pending waiting")
		if took := time.Since(began); took > 2*time.Second || b.Wanted.Qty != 5*qty || b.Delivered != nil {
			t.Errorf("got %+v after %s, want what waits, after a second", b, took)
		}
		since := b.Since
		w.stock("B=4")
		w.pass(2 * time.Second)
		if b := w.status("s", "B"); b.Since != since {
			t.Errorf("got since %s, want %s: a newer revision changes neither state nor reason", b.Since, since)
		}
		w.settled()
	})
}

// TestStatus_OneThatKafkaRefusedIsWrittenAgain ensures that a status is not lost for an error of the brokers,
// nor a tombstone.
func TestStatus_OneThatKafkaRefusedIsWrittenAgain(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		refuse := func(n int) {
			w.c.Fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: w.prefix.Name(topics.SyncStatusTopic), Err: kerr.MessageTooLarge, Count: n,
			})
		}
		refuse(6)
		w.stock(many("A", 20, 5))
		w.settled()
		refuse(6)
		w.removeStore("s")
		w.eventually("no status", func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			return want(len(w.statuses), 0)
		})
		w.store("s")
		w.settled()
	})
}

// TestStatus_DecisionsAreLoggedOnce ensures a record of the log for each reason that is not an attempt's.
func TestStatus_DecisionsAreLoggedOnce(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", func(s *topics.Store) { s.Mode = topics.ModePreview })
		w.start("one")
		w.stock("A=5")
		w.says("s", "A", "blocked preview")
		w.stock("A=4")
		w.store("s", func(s *topics.Store) { s.DisableStockUpdate = true })
		w.says("s", "A", "disabled store_disabled")
		w.pass(time.Minute)
		w.store("s")
		w.settled()
		w.pass(time.Minute)
		var got []string
		for _, l := range w.logOf("s", "A") {
			got = append(got, fmt.Sprint(l.Outcome, " ", l.Reason, " ", l.Qty))
		}
		if text, want := strings.Join(got, ", "), "decided preview 5, decided store_disabled 4, ok  4"; text != want {
			t.Errorf("got %s, want %s", text, want)
		}
	})
}

// TestStatus_SaysNothingOfAnAttemptThatIsNotPlanned ensures that a pair which was being retried and is
// disabled now has no next attempt.
func TestStatus_SaysNothingOfAnAttemptThatIsNotPlanned(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultRefuse, Count: -1})
		w.stock("A=5")
		s := w.says("s", "A", "retrying marketplace_error")
		if s.NextAttemptAt.IsZero() || s.Attempts == 0 || s.Error == nil {
			t.Errorf("got %+v, want the error, how often, and when next", s)
		}
		w.setting("s", "A", func(s *topics.ItemSettings) { s.DisableStockUpdate = new(true) })
		if s := w.says("s", "A", "disabled item_disabled"); !s.NextAttemptAt.IsZero() {
			t.Errorf("got a next attempt at %s, want none", s.NextAttemptAt)
		}
	})
}
