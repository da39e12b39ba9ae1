package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// market is an adapter for tests whose shop has a catalogue.
type market struct {
	dialect
	sells  map[string][]topics.Target // by SKU; guarded by dialect.mu, as all else
	passes []time.Time
	finds  [][]string
	fault  error
	// meanwhile, if set, happens once in the middle of the next pass.
	meanwhile func()
}

func newMarket(skus string) *market {
	m := &market{dialect: dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}, sells: map[string][]topics.Target{}}
	m.offers(skus)
	return m
}

// offers makes the shop sell SKUs, each under a product of its own.
func (m *market) offers(skus string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for sku := range strings.SplitSeq(skus, ",") {
		if sku != "" {
			m.sells[sku] = []topics.Target{{ProductID: "p-" + sku, Status: topics.TargetActive, Tracked: true}}
		}
	}
}

// drops makes the shop sell SKUs no more.
func (m *market) drops(skus string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for sku := range strings.SplitSeq(skus, ",") {
		delete(m.sells, sku)
	}
}

func (m *market) Open(sinks.Account) (sinks.Session, error) { return m, nil }

func (m *market) Catalogue(_ context.Context, found func(topics.Listing) error) error {
	m.mu.Lock()
	m.passes = append(m.passes, time.Now())
	skus := slices.Sorted(maps.Keys(m.sells))
	fault, meanwhile := m.fault, m.meanwhile
	m.meanwhile = nil
	m.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	for _, sku := range skus {
		m.mu.Lock()
		targets := slices.Clone(m.sells[sku])
		m.mu.Unlock()
		for _, t := range targets { // one call for each product
			if err := found(topics.Listing{SKU: sku, Targets: []topics.Target{t}}); err != nil {
				return err
			}
		}
	}
	return fault
}

// finder is a market that looks single SKUs up.
type finder struct{ *market }

func (m finder) Open(sinks.Account) (sinks.Session, error) { return m, nil }

func (m finder) Find(_ context.Context, skus []string, found func(topics.Listing) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finds = append(m.finds, skus)
	for _, sku := range skus {
		if targets, ok := m.sells[sku]; ok {
			if err := found(topics.Listing{SKU: sku, Targets: targets}); err != nil {
				return err
			}
		}
	}
	return m.fault
}

// looks returns how often the catalogue was read, and which SKUs were looked up.
func (m *market) looks() (passes int, finds []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, skus := range m.finds {
		finds = append(finds, skus...)
	}
	return len(m.passes), finds
}

// reads starts an instance with the store "s", which is the market's.
func (w *world) reads(a sinks.Adapter, change ...func(s *topics.Store)) *instance {
	w.Helper()
	w.market(change...)
	w.mu.Lock()
	delete(w.stores, "s")
	w.unlogged = true
	w.mu.Unlock()
	return w.start("one", func(c *sinks.Config) {
		c.Adapters, c.CatalogInterval = []sinks.Adapter{a}, interval
	})
}

// near waits until the status of a pair says something, and which texts are its near misses.
func (w *world) near(sku, says, near string) {
	w.Helper()
	w.says("s", sku, says)
	w.eventually("near misses of "+sku, func() error {
		if got := fmt.Sprint(w.status("s", sku).Evidence["near_misses"]); got != near {
			return fmt.Errorf("got %s, want %s", got, near)
		}
		return nil
	})
}

// interval is the time between two passes in tests.
const interval = 20 * time.Minute

// market writes the record of the store "s".
func (w *world) market(change ...func(s *topics.Store)) {
	w.Helper()
	w.store("s", append([]func(*topics.Store){func(s *topics.Store) { s.Marketplace = "test" }}, change...)...)
	w.mu.Lock()
	delete(w.stores, "s")
	w.mu.Unlock()
}

// TestCatalogue_ListsWhatTheShopSellsAndSendsIt ensures the way from nothing: what the shop sells is read at the start,
// written as listings, and brought to its stock; a SKU that it does not sell is none of its pairs.
func TestCatalogue_ListsWhatTheShopSellsAndSendsIt(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		m := newMarket("A,B")
		m.sells["B"] = append(m.sells["B"], topics.Target{ProductID: "p-B2", VariantID: "v", Status: topics.TargetActive, Tracked: true})
		w.stock("A=5 B=6 C=7")
		w.reads(m)
		w.says("s", "A", "synced in_sync")
		b := w.says("s", "B", "synced in_sync")
		if len(b.Delivered.Targets) != 2 {
			t.Errorf("got %+v, want both products of B", b.Delivered.Targets)
		}
		if w.status("s", "C") != nil {
			t.Error("got a status of a SKU that the shop does not sell")
		}
		w.pass(interval - time.Minute)
		if passes, _ := m.looks(); passes != 1 {
			t.Errorf("got %d passes, want one", passes)
		}
		w.pass(interval)
		if passes, _ := m.looks(); passes != 2 {
			t.Errorf("got %d passes, want two", passes)
		}
		if got := len(w.logOf("s", "A")); got > 2 {
			t.Errorf("got %d log records of A, want nothing done for a catalogue that did not change", got)
		}
	})
}

// TestCatalogue_FollowsTheShop ensures that a product which is banned, comes up, goes or changes its SKU is seen by the
// next pass, and that listings of other origins are left alone.
func TestCatalogue_FollowsTheShop(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		m := newMarket("A,B,C,D,E,F,mine")
		w.stock("A=5 B=5 C=5 D=5 E=5 F=5 G=5 mine=5")
		w.list("mine", "my-product")
		w.reads(m)
		for sku := range strings.FieldsSeq("A B C D E F mine") {
			w.says("s", sku, "synced in_sync")
		}
		w.pass(time.Minute)
		m.set(func() { m.sells["A"][0].Status = topics.TargetBanned })
		m.drops("B,mine")
		m.offers("b ,G")
		w.pass(interval)
		w.says("s", "A", "blocked listing_banned")
		w.near("B", "unmapped sku_mismatch", "[b ]")
		w.near("b ", "unmapped sku_mismatch", "[B]")
		w.says("s", "G", "synced in_sync")
		w.says("s", "mine", "synced in_sync")
		m.set(func() { m.sells["A"][0].Status = topics.TargetActive })
		m.drops("b ")
		m.offers("B")
		w.pass(interval)
		for sku := range strings.FieldsSeq("A B") {
			s := w.says("s", sku, "synced in_sync")
			if s.Delivered.Revision == 0 || len(s.Delivered.Targets) != 1 {
				t.Errorf("%s: got %+v", sku, s.Delivered)
			}
		}
		var products []string
		for _, text := range m.products() {
			products = append(products, strings.Fields(text)...)
		}
		if !slices.Contains(products, "mine:my-product=5") || slices.Contains(products, "mine:p-mine=5") {
			t.Errorf("got %q, want the person's product of the listing and not the catalogue's", products)
		}
	})
}

// TestCatalogue_APassThatLosesTooMuchChangesNothing ensures that a catalogue which is cut short takes no listing away,
// and that a person can say that it is right.
func TestCatalogue_APassThatLosesTooMuchChangesNothing(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		m := newMarket("A,B,C,D,E,F,G,H,I,J")
		i := w.reads(m, func(s *topics.Store) { s.AutoDisableUnmatched = new(true) })
		w.stock("A=5 B=5 C=5 D=5 E=5 F=5 G=5 H=5 I=5 J=5")
		w.says("s", "J", "synced in_sync")
		m.drops("A,B,C,D")
		w.pass(interval + time.Minute)
		w.says("s", "A", "synced in_sync")
		if got := i.metric(`stocksync_sinks_catalogue_passes_total{outcome="refused",store="s"}`); got != "1" {
			t.Errorf("got %s refused passes, want 1", got)
		}
		w.stock("A=4")
		w.eventually("sent all the same", func() error { return wantRevision(w.status("s", "A"), w.revision) })
		m.offers("A")
		w.pass(interval) // three of ten: as many as may go
		w.says("s", "D", "disabled auto_disabled")
		w.says("s", "A", "synced in_sync")
		m.drops("A,E,F")
		w.pass(interval)
		w.says("s", "A", "synced in_sync")
		w.market(func(s *topics.Store) {
			s.AutoDisableUnmatched, s.BrakeReleasedAt = new(true), topics.TimeOf(time.Now())
		})
		w.pass(interval)
		w.says("s", "A", "disabled auto_disabled")
		w.says("s", "G", "synced in_sync")
	})
}

// TestCatalogue_AFailedPassDecidesNothing ensures that a SKU stays pending until a pass is complete, for a day at
// most, and that the pass is tried again.
func TestCatalogue_AFailedPassDecidesNothing(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		m := newMarket("B")
		m.fault = errors.New("page 7 is missing")
		w.reads(m, func(s *topics.Store) { s.AutoDisableUnmatched = new(true) })
		first := time.Now().Add(15*time.Minute - 24*time.Hour)
		w.stock("A=5", func(a *topics.Availability) { a.FirstSeenAt = topics.TimeOf(first) })
		w.setting("s", "A", func(*topics.ItemSettings) {})
		s := w.says("s", "A", "unmapped mapping_pending")
		if until := s.Evidence["until"]; until != topics.TimeOf(first.Add(24*time.Hour)).String() {
			t.Errorf("got until %v, want a day after %s", until, first)
		}
		w.pass(10 * time.Minute)
		if passes, _ := m.looks(); passes < 3 || passes > 12 {
			t.Errorf("got %d passes in 10 minutes, want some", passes)
		}
		w.pass(time.Until(first.Add(24*time.Hour + time.Minute)))
		w.says("s", "A", "unmapped sku_mismatch") // and not disabled: no pass has decided that
		m.set(func() { m.fault = nil })
		w.says("s", "A", "disabled auto_disabled")
	})
}

// TestCatalogue_WhatIsNotSeenYetIsLookedUpAtOnce ensures, with a shop that looks single SKUs up and with one that does
// not, that a new SKU, an order from the store and a product that is not found are looked into without waiting.
func TestCatalogue_WhatIsNotSeenYetIsLookedUpAtOnce(t *testing.T) {
	for _, finds := range []bool{true, false} {
		for name, tc := range map[string]struct {
			happens func(w *world, m *market)
			want    string // SKUs looked up
		}{
			"a SKU never seen": {func(w *world, m *market) {
				m.offers("new")
				w.stock("new=5")
				w.says("s", "new", "synced in_sync")
			}, "new"},
			"an order": {func(w *world, m *market) {
				m.offers("old")
				w.stock("old=4", sold(1))
				w.says("s", "old", "synced in_sync")
			}, "old"},
			"not found": {func(w *world, m *market) {
				m.set(func() {
					m.sells["A"] = []topics.Target{{ProductID: "p-A-2", Status: topics.TargetActive, Tracked: true}}
					m.push = func(u []sinks.Update) sinks.Reply {
						return ok(u, map[string]sinks.Outcome{"p-A": {Class: sinks.ClassNotFound, Code: "gone"}})
					}
				})
				w.stock("A=4")
				w.eventually("the other product", func() error {
					s := w.status("s", "A")
					if s.Delivered == nil || len(s.Delivered.Targets) != 1 || s.Delivered.Targets[0].ProductID != "p-A-2" {
						return fmt.Errorf("got %+v", s.Delivered)
					}
					return nil
				})
			}, "A"},
			"nothing new": {func(w *world, _ *market) {
				w.stock("old=3")
				w.stock("old=2", sold(0))
				w.pass(time.Minute)
			}, "old"}, // for the order
		} {
			t.Run(fmt.Sprintf("%s, finds %v", name, finds), func(t *testing.T) {
				bubble(t, testenv.SandboxConfig{}, func(w *world) {
					m := newMarket("A")
					w.stock("A=5 old=5")
					var a sinks.Adapter = m
					if finds {
						a = finder{m}
					}
					w.reads(a)
					w.says("s", "A", "synced in_sync")
					w.pass(12 * time.Minute)
					began := time.Now()
					tc.happens(w, m)
					if took := time.Since(began); took > 2*time.Minute {
						t.Errorf("took %s, want it at once", took)
					}
					w.pass(6 * time.Minute)
					passes, looked := m.looks()
					if got := strings.Join(looked, " "); finds && (got != tc.want || passes != 1) {
						t.Errorf("got %d passes and %q looked up, want %q", passes, got, tc.want)
					}
					if !finds && passes != 2 {
						t.Errorf("got %d passes, want another one", passes)
					}
				})
			})
		}
	}
}

// TestCatalogue_SaysWhatTheMarketplaceAnswered ensures that a catalogue whose token has expired has it refreshed, and
// that a shop which took its consent back is left alone.
func TestCatalogue_SaysWhatTheMarketplaceAnswered(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		m := newMarket("A")
		m.fault = &sinks.OutcomeError{Outcome: sinks.Outcome{Class: sinks.ClassToken, Code: "expired"}}
		m.refresh = func() sinks.Outcome { m.fault = nil; return sinks.Outcome{Class: sinks.ClassOK} }
		w.stock("A=5")
		w.reads(m)
		began := time.Now()
		w.says("s", "A", "synced in_sync")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s, want the token refreshed at once", took)
		}
		m.set(func() {
			m.fault = &sinks.OutcomeError{Outcome: sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "revoked"}}
		})
		w.pass(interval)
		w.says("s", "A", "blocked shop_unauthorised")
	})
}

// TestTokopedia_TheStory is the story of design 5.5 as a seller sees it: a SKU that the shop does not have is switched
// off with the reason; when the shop has it and an order comes in for it, it is switched on and its stock is sent; and
// what a person has switched off stays off.
func TestTokopedia_TheStory(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		shop := newMarket("kaos-hitam-l,SEPATU-42")
		shop.traits.AutoDisable = true // Tokopedia
		w.reads(finder{shop})

		// The seller's SKU is KAOS-HITAM-L. The listing's differs by case, so nobody can tell that they are one.
		w.stock("KAOS-HITAM-L=12 SEPATU-42=3 TOPI-1=7")
		w.says("s", "SEPATU-42", "synced in_sync")
		w.pass(interval)                                                   // the next pass over the catalogue
		w.near("KAOS-HITAM-L", "disabled auto_disabled", "[kaos-hitam-l]") // it differs by case

		// The seller corrects the listing, and a buyer orders one.
		shop.drops("kaos-hitam-l")
		shop.offers("KAOS-HITAM-L")
		w.stock("KAOS-HITAM-L=11", sold(1))
		on := w.says("s", "KAOS-HITAM-L", "synced in_sync")
		if on.AutoDisabled || on.AutoEnabledBy != "order" || on.Delivered.Qty != 11*qty {
			t.Errorf("got %+v, want it switched on by the order, and 11 sent", on)
		}

		// A person's word is the last: an order does not switch on what they have switched off.
		w.setting("s", "KAOS-HITAM-L", func(s *topics.ItemSettings) { s.DisableStockUpdate, s.ChangedBy = new(true), "ani" })
		w.says("s", "KAOS-HITAM-L", "disabled item_disabled")
		w.stock("KAOS-HITAM-L=10", sold(2))
		w.pass(interval + time.Minute)
		if s := w.says("s", "KAOS-HITAM-L", "disabled item_disabled"); s.Evidence["by"] != "ani" {
			t.Errorf("got evidence %v, want who switched it off", s.Evidence)
		}

		// And what they switch on is sent, or said not to be listed, whatever the automaton thinks.
		w.setting("s", "TOPI-1", func(s *topics.ItemSettings) { s.DisableStockUpdate, s.ChangedBy = new(false), "budi" })
		s := w.says("s", "TOPI-1", "unmapped sku_mismatch")
		if s.Evidence["auto_disable"] != "overridden" || s.Evidence["by"] != "budi" {
			t.Errorf("got evidence %v, want whose setting overrides", s.Evidence)
		}
	})
}

// TestCatalogue_WhatComesUpByItIsJudgedByIt ensures that a SKU which becomes a pair because the first pass found a near
// miss of it does not wait for the next pass: it comes up while that one ends.
func TestCatalogue_WhatComesUpByItIsJudgedByIt(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.stock("KAOS-L=5")
		began := time.Now()
		w.reads(newMarket("kaos-l"))
		w.near("KAOS-L", "unmapped sku_mismatch", "[kaos-l]")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %s, want it judged by the first pass", took)
		}
	})
}
