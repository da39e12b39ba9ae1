package sinks_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// TestReconciler_ARevisionWithTheSameNumberIsDeliveredAgain ensures that a dummy entry forces a re-sync: a
// person may have changed the number on the marketplace.
func TestReconciler_ARevisionWithTheSameNumberIsDeliveredAgain(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock("A=5")
		w.settled()
		w.stock("A=5", func(a *topics.Availability) { a.Changed = false })
		w.settled()
		w.stock("A=5", func(a *topics.Availability) { a.Trigger = topics.TriggerNightly })
		w.settled()
		w.stock("A=5", func(a *topics.Availability) { a.Trigger = topics.TriggerManual })
		w.settled()
		w.pass(5 * time.Minute)
		var got []topics.SyncCause
		for _, l := range w.logOf("s", "A") {
			got = append(got, l.Trigger)
		}
		want := []topics.SyncCause{topics.SyncEvent, topics.SyncEvent, topics.SyncNightly, topics.SyncManual}
		if !slices.Equal(got, want) {
			t.Errorf("got deliveries for %v, want %v", got, want)
		}
	})
}

func TestReconciler_FollowsSettingsWhileItRuns(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.store("t")
		w.start("one")
		w.stock("A=100 B=100")
		w.settled()
		w.setting("s", "A", func(s *topics.ItemSettings) { s.Buffer = new(10 * qty) })
		w.shows("s", "A", 90)
		w.setting("*", "A", func(s *topics.ItemSettings) { s.Buffer, s.Percent = new(1*qty), new(50*qty) })
		w.shows("s", "A", 45)
		w.shows("t", "A", 49)
		w.store("s", func(s *topics.Store) { s.Max = new(7 * qty) })
		w.shows("s", "A", 7)
		w.shows("s", "B", 7)
		w.store("*", func(s *topics.Store) { s.Max, s.Buffer = new(3*qty), new(99*qty) })
		w.shows("t", "B", 1)
		w.says("t", "B", "synced in_sync")
		w.store("*", func(s *topics.Store) { s.ExcludeWarehouses = []string{"W1"} })
		w.shows("t", "B", 0)
		w.says("t", "B", "synced zero_available")
		w.produce(topics.Stores, []byte("*"), nil)
		w.shows("t", "B", 100)
		w.store("s")
		w.shows("s", "B", 100)
		w.produce(topics.ItemSettingsTopic, []byte("*|A"), nil)
		w.shows("t", "A", 100)
		w.shows("s", "A", 90)
		w.setting("s", "A", func(s *topics.ItemSettings) { s.Buffer = new(100 * qty) })
		w.shows("s", "A", 0)
		w.says("s", "A", "synced zero_by_rule")
		w.produce(topics.ItemSettingsTopic, []byte("s|A"), nil)
		w.settled()
		if s := w.status("t", "A"); s.Wanted.Cause != topics.SyncSettings || s.Wanted.Qty != 100*qty {
			t.Errorf("got wanted %+v, want 100 for settings", s.Wanted)
		}
	})
}

func TestReconciler_ADisabledPairIsNotSentAndEnablingSendsAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		off, on func(w *world)
		reason  string
	}{
		"store": {
			func(w *world) { w.store("s", func(s *topics.Store) { s.DisableStockUpdate = true }) },
			func(w *world) { w.store("s") }, "disabled store_disabled",
		},
		"kill switch": {
			func(w *world) { w.store("*", func(s *topics.Store) { s.DisableStockUpdate = true }) },
			func(w *world) { w.store("*") }, "disabled store_disabled",
		},
		"item": {
			func(w *world) { w.setting("s", "A", func(s *topics.ItemSettings) { s.DisableStockUpdate = new(true) }) },
			func(w *world) {
				w.setting("s", "A", func(s *topics.ItemSettings) { s.DisableStockUpdate = new(false) })
			},
			"disabled item_disabled",
		},
		"item everywhere": {
			func(w *world) { w.setting("*", "A", func(s *topics.ItemSettings) { s.DisableStockUpdate = new(true) }) },
			func(w *world) { w.produce(topics.ItemSettingsTopic, []byte("*|A"), nil) }, "disabled item_disabled",
		},
		"for an hour": {
			func(w *world) {
				w.setting("s", "A", func(s *topics.ItemSettings) {
					s.DisableStockUpdate, s.DisabledUntil = new(true), topics.TimeOf(time.Now().Add(time.Hour))
				})
			},
			func(w *world) { w.pass(50 * time.Minute) }, "disabled item_disabled",
		},
		"preview": {
			func(w *world) { w.store("s", func(s *topics.Store) { s.Mode = topics.ModePreview }) },
			func(w *world) { w.store("s") }, "blocked preview",
		},
		"no warehouse": {
			func(w *world) { w.store("s", func(s *topics.Store) { s.Warehouses = nil }) },
			func(w *world) { w.store("s") }, "blocked no_warehouse",
		},
		"invalid record": {
			func(w *world) {
				w.produce(topics.Stores, []byte("s"), []byte(`{"store":"s","marketplace":"webhook","percent":2000}`))
			},
			func(w *world) { w.store("s") }, "blocked config_error",
		},
		"record of another store": {
			func(w *world) {
				w.produce(topics.Stores, []byte("s"), (&topics.Store{Store: "t", Marketplace: "webhook"}).Encode())
			},
			func(w *world) { w.store("s") }, "blocked config_error",
		},
		"unknown marketplace": {
			func(w *world) { w.store("s", func(s *topics.Store) { s.Marketplace = "bukalapak" }) },
			func(w *world) { w.store("s") }, "blocked config_error",
		},
		"bad options": {
			func(w *world) {
				w.store("s", func(s *topics.Store) { s.Options = topics.RawJSON(`{"url":"ftp://x"}`) })
			},
			func(w *world) { w.store("s") }, "blocked config_error",
		},
		"unknown credentials": {
			func(w *world) { w.store("s", func(s *topics.Store) { s.CredentialsRef = "other" }) },
			func(w *world) { w.store("s") }, "blocked config_error",
		},
		"invalid settings": {
			func(w *world) {
				w.produce(topics.ItemSettingsTopic, []byte("s|A"), []byte(`{"store":"s","sku":"A","percent":-1}`))
			},
			func(w *world) { w.produce(topics.ItemSettingsTopic, []byte("s|A"), nil) }, "blocked config_error",
		},
		"settings of another pair": {
			func(w *world) {
				w.produce(topics.ItemSettingsTopic, []byte("s|A"), []byte(`{"store":"s","sku":"B","buffer":1}`))
			},
			func(w *world) { w.produce(topics.ItemSettingsTopic, []byte("s|A"), nil) }, "blocked config_error",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				w.store("s")
				w.start("one")
				w.stock("A=5")
				w.settled()
				tc.off(w)
				w.says("s", "A", tc.reason)
				before := w.mark()
				w.stock("A=4")
				w.stock("A=3")
				w.pass(5 * time.Minute)
				if got := w.since(before, "s"); len(got) > 0 {
					t.Errorf("got requests %+v, want none", got)
				}
				w.says("s", "A", tc.reason)
				tc.on(w)
				w.settled()
				if log := w.logOf("s", "A"); log[len(log)-1].Revision != w.revision || len(w.since(before, "s")) != 1 {
					t.Errorf("got %+v last and %d requests, want one, of the newest revision", log[len(log)-1], len(w.since(before, "s")))
				}
			})
		})
	}
}

func TestReconciler_SaysWhatAPreviewWouldSend(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s", func(s *topics.Store) { s.Mode, s.Buffer = topics.ModePreview, new(2*qty) })
		w.start("one")
		w.stock("A=5")
		s := w.says("s", "A", "blocked preview")
		if s.Wanted.Qty != 3*qty || s.Wanted.Revision != w.revision || s.Delivered != nil || len(w.requests) > 0 {
			t.Errorf("got %+v and %d requests, want 3 at %d wanted and nothing sent", s, len(w.requests), w.revision)
		}
	})
}

func TestReconciler_SKUsWithoutATransactionAreNeverSent(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock("A=0", func(a *topics.Availability) {
			a.LastMutationAt, a.LastOrderAt, a.Trigger = 0, 0, topics.TriggerManual
		})
		w.says("s", "A", "never no_transaction_yet")
		w.setting("s", "B", func(*topics.ItemSettings) {})
		w.says("s", "B", "never no_transaction_yet")
		if w.mark() > 0 {
			t.Errorf("got %d requests, want none", w.mark())
		}
		w.stock("A=0")
		w.says("s", "A", "synced zero_available")
	})
}

// TestReconciler_AResyncAskedForInFlightIsCarriedOutAfter ensures that neither the request is forgotten nor
// that there is anything but an update in what follows.
func TestReconciler_AResyncAskedForInFlightIsCarriedOutAfter(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		slow := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: -1})
		w.stock("A=5")
		w.eventually("request in flight", func() error { return want(slow.Hits(), 1) })
		w.pass(time.Second)
		w.setting("s", "A", func(s *topics.ItemSettings) { s.ResyncRequestedAt = topics.TimeOf(time.Now()) })
		w.pass(time.Second)
		slow.Release()
		w.eventually("second request", func() error { return want(w.attempts("s", "A"), 2) })
		w.settled()
		w.pass(5 * time.Minute)
		log := w.logOf("s", "A")
		if len(log) != 2 || log[1].Trigger != topics.SyncResync {
			t.Errorf("got %d records %+v, want a delivery and a resync", len(log), log)
		}
	})
}

// want returns an error unless two numbers are the same.
func want(got, want int) error {
	if got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return nil
}

func TestReconciler_ResyncsOnRequest(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.store("t")
		w.start("one")
		w.stock("A=5 B=6")
		w.settled()
		w.pass(time.Minute)
		now := func() topics.Time {
			w.pass(time.Second)
			return topics.TimeOf(time.Now())
		}
		w.setting("s", "A", func(s *topics.ItemSettings) { s.ResyncRequestedAt = now() })
		w.eventually("the pair", func() error { return want(w.attempts("s", "A"), 2) })
		w.setting("*", "A", func(s *topics.ItemSettings) { s.ResyncRequestedAt = now() })
		w.eventually("the SKU", func() error { return want(w.attempts("s", "A")*10+w.attempts("t", "A"), 32) })
		w.store("s", func(s *topics.Store) { s.ResyncRequestedAt = now() })
		w.eventually("the store", func() error { return want(w.attempts("s", "A")*10+w.attempts("s", "B"), 42) })
		w.store("*", func(s *topics.Store) { s.ResyncRequestedAt = topics.TimeOf(time.Now().Add(time.Minute)) })
		w.pass(30 * time.Second)
		if got := w.attempts("t", "B"); got != 1 {
			t.Errorf("a request in the future: got %d attempts, want it to wait", got)
		}
		w.eventually("all", func() error {
			return want(w.attempts("s", "A")*1000+w.attempts("s", "B")*100+w.attempts("t", "A")*10+w.attempts("t", "B"), 5332)
		})
		w.pass(5 * time.Minute)
		w.settled()
		if got := w.mark(); got > 12 {
			t.Errorf("got %d requests, want each request for resync carried out once", got)
		}
	})
}

// TestReconciler_LatestWinsWhileARequestIsInFlight ensures that of many revisions only the newest follows,
// and that those it replaced are counted.
func TestReconciler_LatestWinsWhileARequestIsInFlight(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		slow := w.shop.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: -1})
		w.stock("A=50")
		w.eventually("request in flight", func() error { return want(slow.Hits(), 1) })
		first := w.revision
		for n := range 7 {
			w.stock(fmt.Sprintf("A=%d", 49-n))
		}
		w.pass(3 * time.Second)
		w.says("s", "A", "sending waiting")
		slow.Release()
		w.settled()
		log := w.logOf("s", "A")
		if len(log) != 2 || log[0].Revision != first || log[0].Superseded != 0 || log[1].Superseded != 6 {
			t.Errorf("got %d records %+v, want the first revision, and the newest in the place of 6 others", len(log), log)
		}
		if log[0].CauseID != fmt.Sprintf("line-%d", first) || log[1].CauseID != fmt.Sprintf("line-%d", w.revision) {
			t.Errorf("got causes %s and %s, want those of the revisions sent", log[0].CauseID, log[1].CauseID)
		}
		if prev := log[1].PreviousQty; log[0].PreviousQty != nil || prev == nil || *prev != 50*qty {
			t.Errorf("got previous quantities %v and %v, want none and 50", log[0].PreviousQty, prev)
		}
		if got := one.metric(`stocksync_sinks_superseded_total{store="s"}`); got != "6" {
			t.Errorf("got %s superseded in the metrics, want 6", got)
		}
	})
}

func TestReconciler_RotatedSecretsAreUsedAtOnceAndWrongOnesStopTheStore(t *testing.T) {
	const next = "whsec_bmV4dC1uZXh0LW5leHQtbmV4dC1uZXh0LW5leHQ="
	bubble(t, testenv.SandboxConfig{Secrets: map[string]string{"new": next}}, func(w *world) {
		w.store("old")
		w.store("new")
		w.rotate("shop", map[string]string{"secret": canary, "secret_next": next})
		w.start("one")
		w.stock("A=5")
		w.settled() // by the old secret there, by the new one here
		w.rotate("shop", map[string]string{"secret": next})
		w.stock("A=4")
		w.shows("new", "A", 4)
		s := w.says("old", "A", "blocked shop_unauthorised")
		if s.Error == nil || s.Error.Code != "401" {
			t.Errorf("got error %+v, want 401", s.Error)
		}
		before := w.mark()
		w.stock("A=3")
		w.pass(10 * time.Minute)
		if got := w.since(before, "old"); len(got) > 1 {
			t.Errorf("got %d requests to the store that refused us, want one at most, since the secrets are others", len(got))
		}
		w.rotate("shop", map[string]string{"secret": canary, "secret_next": next})
		w.settled()
	})
}

// TestReconciler_SecretsThatCannotBeReadForAMomentStopItForAMoment ensures that the store goes on by itself,
// although the secrets are the same as before.
func TestReconciler_SecretsThatCannotBeReadForAMomentStopItForAMoment(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock("A=5")
		w.settled()
		w.rotate("shop", nil)
		w.stock("A=4")
		w.says("s", "A", "blocked config_error")
		w.pass(2 * sinks.RecheckEvery)
		w.says("s", "A", "blocked config_error")
		w.rotate("shop", map[string]string{"secret": canary})
		w.settled()
	})
}

func TestReconciler_RestartedWithItsTablesSendsOnlyWhatIsNew(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5 B=6 C=7")
		w.settled()
		one.stop()
		before, logged := w.mark(), len(w.logged)
		two := one.again()
		w.eventually("ready", two.Ready)
		w.pass(10 * time.Minute)
		if got := w.since(before, "s"); len(got) > 0 || len(w.logged) != logged {
			t.Errorf("got requests %+v and %d log records more, want none", got, len(w.logged)-logged)
		}
		two.stop()
		w.stock("B=5")
		w.setting("s", "C", func(s *topics.ItemSettings) { s.Buffer = new(1 * qty) })
		one.again()
		w.shows("s", "B", 5)
		w.shows("s", "C", 6)
		w.pass(time.Minute)
		if got := w.attempts("s", "A"); got != 1 {
			t.Errorf("got %d attempts of A, want 1", got)
		}
	})
}

// TestReconciler_AnEmptyDirectoryIsFilledFromTheTopics ensures that the tables are a cache.
func TestReconciler_AnEmptyDirectoryIsFilledFromTheTopics(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5 B=6")
		w.settled()
		one.stop()
		before := w.mark()
		two := w.start("two")
		w.eventually("ready", two.Ready)
		w.pass(time.Minute)
		if got := w.since(before, "s"); len(got) > 0 {
			t.Errorf("got requests %+v, want none: the statuses say what was delivered", got)
		}
		w.stock("A=4")
		w.settled()
	})
}

// TestReconciler_AnInvalidRecordMakesNoPairsThatAreNone ensures that a store of a marketplace with a
// catalogue does not get a status for every SKU while its record cannot be read.
func TestReconciler_AnInvalidRecordMakesNoPairsThatAreNone(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.produce(topics.Stores, []byte("s"), []byte(`{"store":"s"`))
		list := topics.Listing{Store: "s", SKU: "A", Origin: topics.OriginUpstream, Targets: []topics.Target{{ProductID: "1", Status: topics.TargetActive, Tracked: true}}}
		w.produce(topics.Listings, list.Key(), list.Encode())
		w.produce(topics.Stores, []byte("t"), []byte(`{"store":"t"`))
		w.start("one")
		w.stock("A=5 B=6")
		w.says("s", "A", "blocked config_error")
		w.says("t", "B", "blocked config_error")
		w.pass(time.Minute)
		if s := w.status("s", "B"); s != nil {
			t.Errorf("got status %+v of a pair that is none", s)
		}
	})
}
