package sinks_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

const (
	sessionTimeout = 8 * time.Second  // the default of the group
	requestTimeout = 10 * time.Second // the default of a request
)

// owned returns the id of the instance that wrote the newest status of a store, of SKU A.
func (w *world) owned(store string) string {
	if s := w.status(store, "A"); s != nil {
		return s.Owner.Instance
	}
	return "nobody"
}

// storesOf waits until the instances own this many stores each.
func storesOf(w *world, instances map[*instance]string) {
	w.Helper()
	for i, n := range instances {
		w.eventually("stores of "+i.cfg.InstanceID, func() error {
			if got := i.metric("stocksync_sinks_stores"); got != n {
				return fmt.Errorf("got %s, want %s", got, n)
			}
			return i.Ready()
		})
	}
}

// spread sets up one store in each of the four partitions, and returns their ids.
func spread(w *world) []string {
	w.Helper()
	ids := make([]string, 4)
	for i, left := 0, 4; left > 0; i++ {
		id := fmt.Sprint("s", i)
		if p := topics.PartitionOf([]byte(id), 4); ids[p] == "" {
			ids[p] = id
			left--
			w.store(id)
		}
	}
	return ids
}

// TestOwner_InstancesShareTheStoresAndHandThemOverWithoutAWait ensures that whoever joins gets its part, that
// a clean end gives it back at once, and that nothing is sent twice for it.
func TestOwner_InstancesShareTheStoresAndHandThemOverWithoutAWait(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		spread(w)
		one := w.start("one")
		w.stock("A=5 B=6")
		w.settled()
		two := w.start("two")
		storesOf(w, map[*instance]string{one: "2", two: "2"})
		before := w.mark()
		w.pass(time.Minute)
		if got := w.mark() - before; got > 0 {
			t.Errorf("got %d requests because stores changed hands, want none", got)
		}
		w.stock("A=4")
		w.settled()
		began := time.Now()
		two.stop()
		w.stock("A=3")
		w.settled()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s from the stop to the next delivery, want no wait for requests that are none", took)
		}
		storesOf(w, map[*instance]string{one: "4"})
	})
}

// TestOwner_LetsGoWhenItsRequestsAreAnswered ensures that a store changes hands only after the answer to its
// last request, and that the answer is in the status.
func TestOwner_LetsGoWhenItsRequestsAreAnswered(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5")
		w.settled()
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: 6 * time.Second})
		w.stock("A=4")
		w.pass(time.Second)
		delivered := w.revision
		w.stock("A=3") // waits behind
		two := w.start("two")
		w.pass(time.Second)
		one.stop()
		s := w.status("s", "A")
		if s.Delivered.Revision != delivered || s.Owner.Instance != "one" {
			t.Errorf("got %+v, want what the last request brought, by its sender", s.Delivered)
		}
		w.settled()
		if got := w.owned("s"); got != "two" {
			t.Errorf("got owner %s, want two", got)
		}
		_ = two
		for _, r := range w.since(0, "s")[2:] {
			if r.at.Before(w.since(0, "s")[1].at.Add(6 * time.Second)) {
				t.Errorf("a request at %s, while one of before was underway", r.at)
			}
		}
	})
}

// TestOwner_AfterACrashTheSuccessorWaitsForRequestsInFlight ensures S2: takeover is quick, and one request
// timeout later than the group's.
func TestOwner_AfterACrashTheSuccessorWaitsForRequestsInFlight(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		ids := spread(w)
		one := w.start("one")
		two := w.start("two")
		w.stock("A=5")
		w.settled()
		storesOf(w, map[*instance]string{one: "2", two: "2"})
		w.stock("A=4")
		w.settled()
		var lost string
		for _, id := range ids {
			if w.owned(id) == "two" {
				lost = id
			}
		}
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultHang, Store: lost})
		w.stock("A=3")
		w.pass(time.Second)
		crashed, before := time.Now(), w.mark()
		two.crash()
		w.stock("A=2")
		w.settled()
		first := w.since(before, lost)[0].at.Sub(crashed)
		if first < requestTimeout || first > sessionTimeout+requestTimeout+5*time.Second {
			t.Errorf("the successor's first request came %s after the crash, want a session and a request later at most", first)
		}
		storesOf(w, map[*instance]string{one: "4"})
		w.stock("A=1")
		w.settled()
	})
}

// TestOwner_TakesOverOnARealBroker ensures the same where the group is Kafka's own.
func TestOwner_TakesOverOnARealBroker(t *testing.T) {
	testenv.KafkaOnly(t, func(t *testing.T, c *testenv.Cluster) {
		real(t, c, testenv.SandboxConfig{}, func(w *world) {
			short := func(c *sinks.Config) { c.SessionTimeout, c.RequestTimeout = 6*time.Second, 2*time.Second }
			spread(w)
			one, two := w.start("one", short), w.start("two", short)
			storesOf(w, map[*instance]string{one: "2", two: "2"})
			w.stock("A=5")
			w.settled()
			crashed, before := time.Now(), w.mark()
			two.crash()
			w.stock("A=4")
			w.settled()
			for _, r := range w.since(before, "") {
				t.Logf("%s: %v after %s", r.store, r.skus, r.at.Sub(crashed))
			}
			storesOf(w, map[*instance]string{one: "4"})
		})
	})
}

// TestOwner_OneThatHearsNothingOfTheGroupStopsSending ensures S3: an instance whose brokers are out of reach,
// and that has much left to send, has stopped before its successor begins.
func TestOwner_OneThatHearsNothingOfTheGroupStopsSending(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", w.options("s", `"batch":1,"in_flight":1,"rate":1`))
		one := w.start("one")
		w.stock("A=5")
		w.settled()
		w.stock(many("A", 60, 5))
		w.pass(5 * time.Second)
		stalled := time.Now()
		one.wire.Stall()
		two := w.start("two")
		w.pass(60 * time.Second)
		var last, first time.Duration
		for _, r := range w.since(0, "s") {
			after := r.at.Sub(stalled)
			if after > 0 && after <= sessionTimeout {
				last = after
			}
			if after > sessionTimeout && first == 0 {
				first = after
			}
		}
		if last < sessionTimeout-4*time.Second || first-last < requestTimeout {
			t.Errorf("the last request came %s after the silence began and the successor's first %s after it; want it "+
				"sending for most of a session, and a successor that waits for one request more", last, first)
		}
		one.wire.Resume()
		w.settled()
		w.eventually("both ready", func() error { return errors.Join(one.Ready(), two.Ready()) })
		w.mu.Lock()
		w.unlogged = true // what the first did in its last seconds it may not have logged
		w.mu.Unlock()
	})
}

// TestOwner_AStatusOfALaterOwnerEndsTheSending ensures that an owner which missed that it was replaced, for a
// reason nobody thought of, leaves the store to the other.
func TestOwner_AStatusOfALaterOwnerEndsTheSending(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.store("t")
		w.start("one")
		w.stock("A=5")
		w.settled()
		s := *w.status("s", "A")
		s.Owner = topics.Owner{Instance: "later", Generation: s.Owner.Generation + 1}
		record := &kgo.Record{
			Topic: w.prefix.Name(topics.SyncStatusTopic), Key: s.Key(), Value: s.Encode(),
			Headers: []kgo.RecordHeader{{Key: "generation", Value: fmt.Append(nil, s.Owner.Generation)}},
		}
		if err := w.out.ProduceSync(w.limit(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		before := w.mark()
		w.stock("A=4")
		w.shows("t", "A", 4)
		w.pass(5 * time.Minute)
		if got := w.since(before, "s"); len(got) > 0 {
			t.Errorf("got requests %+v, want none", got)
		}
		if got := w.owned("s"); got != "later" {
			t.Errorf("got owner %s, want the later one", got)
		}
	})
}

// TestOwner_AStoreThatIsTakenAwayLeavesNoStatus ensures that a tombstone ends a store whoever owns it, and
// nobody too.
func TestOwner_AStoreThatIsTakenAwayLeavesNoStatus(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.store("t")
		w.store("u")
		one := w.start("one")
		w.stock(many("A", 50, 5))
		w.settled()
		gone := func(store string) func() error {
			return func() error {
				w.mu.Lock()
				defer w.mu.Unlock()
				for i := range 50 {
					if key := fmt.Sprintf("%s|A%02d", store, i); w.statuses[key] != nil || !w.removed[key] {
						return fmt.Errorf("status of %s is there", key)
					}
				}
				return nil
			}
		}
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Store: "s", Delay: 3 * time.Second})
		w.stock("A00=4")
		w.pass(time.Second)
		w.removeStore("s") // with a request in flight
		w.eventually("statuses of s", gone("s"))
		one.stop()
		w.removeStore("t") // while nobody owns it
		w.pass(time.Minute)
		one.again()
		w.eventually("statuses of t", gone("t"))
		before := w.mark()
		w.stock(many("A", 50, 3))
		w.settled() // u alone
		if got := len(w.since(before, "s")) + len(w.since(before, "t")); got > 0 {
			t.Errorf("got %d requests to stores that are gone", got)
		}
	})
}

// TestOwner_AStoreThatComesBackIsBroughtToEverythingAnew ensures that a store which is set up again, at once or
// later, gets all SKUs, and that its statuses stay.
func TestOwner_AStoreThatComesBackIsBroughtToEverythingAnew(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock(many("A", 50, 5))
		w.settled()
		for _, wait := range []time.Duration{0, time.Millisecond, time.Minute} {
			for range 3 { // away and back, several times in a row
				w.removeStore("s")
				w.pass(wait)
				w.store("s")
			}
			w.pass(time.Minute)
			w.settled()
			w.stock(many("A", 50, 6))
			w.settled()
		}
	})
}

func TestOwner_StoresComeUpWhileItRuns(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		one := w.start("one")
		w.eventually("ready", one.Ready)
		w.stock("A=5")
		for i := range 8 {
			w.store(fmt.Sprint("s", i))
			w.store(fmt.Sprint("s", i), func(s *topics.Store) { s.Name = "again" })
		}
		w.settled()
		storesOf(w, map[*instance]string{one: "8"})
	})
}

// TestOwner_EndsWithoutItsBrokers ensures that a stop takes bounded time when Kafka is gone for good.
func TestOwner_EndsWithoutItsBrokers(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5")
		w.settled()
		w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultHang})
		w.stock("A=4")
		w.pass(time.Second)
		one.wire.Cut()
		w.mu.Lock()
		w.unlogged = true
		w.mu.Unlock()
		w.pass(time.Second)
		began := time.Now()
		one.stop()
		if took := time.Since(began); took > 3*requestTimeout {
			t.Errorf("took %s to stop", took)
		}
	})
}

func TestSinks_AStopBeforeAnythingWasReadIsNoFault(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, time.Second} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			w.store("s")
			one := w.start("one", func(*sinks.Config) {})
			two := w.start("two")
			two.wire.Stall() // waits for its brokers
			w.pass(after)
			one.stop()
			two.stop()
			two.wire.Resume()
		})
	}
}

// TestOwner_AStormOfInstancesLeavesEveryShopRight ensures that whatever joins, stops, crashes and is cut off
// from its brokers, in whatever order, no two send one pair at a time, no revision goes back, and every shop
// is right in the end.
func TestOwner_AStormOfInstancesLeavesEveryShopRight(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			bubble(t, testenv.SandboxConfig{Seed: seed}, func(w *world) {
				rng := rand.New(rand.NewPCG(seed, 1))
				w.unlogged = true // and what was sent last may not be logged
				ids := spread(w)
				for _, kind := range []testenv.FaultKind{
					testenv.FaultThrottle, testenv.FaultUnavailable, testenv.FaultReset, testenv.FaultAppliedError, testenv.FaultHang,
					testenv.FaultPartial, testenv.FaultWrongSKU, testenv.FaultGarbage,
				} {
					w.shop.Inject(testenv.SandboxFault{Kind: kind, Count: -1, Chance: 0.02})
				}
				w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Count: -1, Chance: 0.2, Delay: 700 * time.Millisecond})
				// kfake waits for a member that died between join and sync until nobody has joined for a
				// rebalance timeout: with a short one that time comes.
				short := func(c *sinks.Config) { c.SessionTimeout, c.RequestTimeout = 3*time.Second, time.Second }
				running := []*instance{w.start("i0", short)}
				started := 1
				stock := func() {
					text := ""
					for range 1 + rng.IntN(30) {
						text += fmt.Sprintf("A%d=%d ", rng.IntN(100), rng.IntN(20))
					}
					w.stock(text)
				}
				for range 50 {
					stock()
					w.pass(time.Duration(rng.IntN(3000)) * time.Millisecond)
					switch n := rng.IntN(12); {
					case n < 3 && len(running) < 3:
						running = append(running, w.start(fmt.Sprint("i", started), short))
						started++
					case n == 3 && len(running) > 1:
						victim := rng.IntN(len(running))
						running[victim].crash()
						running = append(running[:victim], running[victim+1:]...)
					case n == 4 && len(running) > 1:
						victim := rng.IntN(len(running))
						running[victim].stop()
						running[victim] = running[victim].again()
					case n == 5:
						i := running[rng.IntN(len(running))]
						i.wire.Stall()
						w.pass(time.Duration(rng.IntN(8)) * time.Second)
						i.wire.Resume()
					case n == 6:
						id := ids[rng.IntN(len(ids))]
						w.store(id, func(s *topics.Store) { s.Name = fmt.Sprint(rng.Int()) })
					case n == 7:
						id := ids[rng.IntN(len(ids))]
						w.removeStore(id)
						w.pass(time.Duration(rng.IntN(2)) * time.Second)
						w.store(id)
					}
				}
				w.shop.ClearFaults()
				stock()
				w.settled()
			})
		})
	}
}
