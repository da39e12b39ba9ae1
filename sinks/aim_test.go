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

// target changes the nth target of the pair's listing.
func (p *pair) target(n int, change func(t *topics.Target)) { change(&p.Listing.Targets[n]) }

// listedInSync is a pair of a listed store that shows the 10 that it should on each of some products.
func listedInSync(products ...string) *pair {
	p := inSync()
	p.targets(products...)
	p.delivered(products...)
	return p
}

// TestJudge_TheWorstTargetIsTheReasonAndTheOthersAreSent ensures that what the marketplace says of one product
// keeps no other from its number.
func TestJudge_TheWorstTargetIsTheReasonAndTheOthersAreSent(t *testing.T) {
	status := func(n int, s topics.TargetStatus) func(p *pair) {
		return func(p *pair) { p.target(n, func(t *topics.Target) { t.Status = s }) }
	}
	untracked := func(p *pair) { p.target(0, func(t *topics.Target) { t.Tracked = false }) }
	for name, tc := range map[string]struct {
		change []func(p *pair)
		want   string // when all was delivered
		sent   string // of a new revision: what goes, and to which products
	}{
		"both active":            {nil, "synced in_sync", "waiting 1=9 2=9"},
		"deleted":                {[]func(*pair){status(0, topics.TargetDeleted)}, "blocked listing_deleted", "listing_deleted+waiting 2=9"},
		"banned":                 {[]func(*pair){status(0, topics.TargetBanned)}, "blocked listing_banned", "listing_banned+waiting 2=9"},
		"archived":               {[]func(*pair){status(0, topics.TargetArchived)}, "blocked listing_archived", "listing_archived+waiting 2=9"},
		"inactive":               {[]func(*pair){status(1, topics.TargetInactive)}, "blocked listing_inactive", "listing_inactive+waiting 1=9"},
		"untracked":              {[]func(*pair){untracked}, "blocked listing_untracked", "listing_untracked+waiting 2=9"},
		"inactive and untracked": {[]func(*pair){status(0, topics.TargetInactive), untracked}, "blocked listing_inactive", "listing_inactive+waiting 2=9"},
		"inactive and banned": {
			[]func(*pair){status(0, topics.TargetInactive), status(1, topics.TargetBanned)},
			"blocked listing_banned+listing_inactive", "listing_banned+listing_inactive",
		},
		"store off too": {
			[]func(*pair){status(0, topics.TargetBanned), func(p *pair) { p.store.DisableStockUpdate = true }},
			"disabled store_disabled+listing_banned", "store_disabled+listing_banned",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := listedInSync("1", "2")
			for _, f := range tc.change {
				f(p)
			}
			if got, _ := p.judge(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			p.want(101, 9*qty)
			_, v := p.judge()
			if got := sending(v); got != tc.sent {
				t.Errorf("a new revision: got %s, want %s", got, tc.sent)
			}
		})
	}
}

// sending describes what a verdict sends: reasons, and quantities by product and location.
func sending(v sinks.Verdict) string {
	reasons := string(v.Reason)
	for _, also := range v.Also {
		reasons += "+" + string(also)
	}
	words := []string{reasons}
	for _, u := range v.Sends {
		word := fmt.Sprintf("%s=%s", u.Target.ProductID, u.Qty)
		for _, l := range u.Locations {
			word += fmt.Sprintf("@%s=%s", l.LocationID, l.Qty)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// TestJudge_ATargetThatWasHeldIsSentWhenItMayBe ensures that a product which comes back is brought to its number
// also when that did not change: the marketplace may have changed it meanwhile.
func TestJudge_ATargetThatWasHeldIsSentWhenItMayBe(t *testing.T) {
	p := listedInSync("1", "2")
	p.target(0, func(t *topics.Target) { t.Status = topics.TargetBanned })
	_, v := p.judge()
	p.Status.State, p.Status.Reason, p.Status.Evidence = v.State, v.Reason, v.Kept
	if got, _ := p.judge(); got != "blocked listing_banned" {
		t.Errorf("while it is banned: got %s", got)
	}
	p.target(0, func(t *topics.Target) { t.Status = topics.TargetActive })
	if got, v := p.judge(); v.Cause != topics.SyncEnabled {
		t.Errorf("when it is back: got %s, want it due", got)
	}
}

// TestJudge_ARefusedTargetLeavesThePairAtRest ensures that a pair whose other product has its number is not sent again
// because one was refused, whatever the refusal.
func TestJudge_ARefusedTargetLeavesThePairAtRest(t *testing.T) {
	for _, c := range []sinks.Class{
		sinks.ClassNotFound, sinks.ClassNotEditable, sinks.ClassManagedElsewhere, sinks.ClassLocation,
		sinks.ClassQuantity, sinks.ClassBelowReserved, sinks.ClassPromoLock, sinks.ClassRaiseOnly,
	} {
		p := listedInSync("1")
		p.refused(c, 55) // the only one of then
		p.targets("1", "2")
		p.Status.Delivered.Targets = []topics.DeliveredTarget{{ProductID: "2", Qty: 10 * qty}}
		_, v := p.judge()
		p.Status.State, p.Status.Reason, p.Status.Evidence = v.State, v.Reason, v.Kept
		if got, v := p.judge(); v.Cause != "" {
			t.Errorf("%s: got %s, want it at rest", c, got)
		}
	}
}

// TestJudge_CampaignsHoldWhileTheyRun ensures what each kind of campaign does, from its first moment to its last.
func TestJudge_CampaignsHoldWhileTheyRun(t *testing.T) {
	promo := func(kind topics.PromoKind, from, until int, floor topics.Quantity) topics.Promo {
		p := topics.Promo{Kind: kind, From: at(from), Until: at(until), Floor: floor * qty}
		if until == 0 {
			p.Until = 0
		}
		return p
	}
	for name, tc := range map[string]struct {
		promos []topics.Promo
		net    topics.Quantity
		want   string
		short  topics.Quantity
		wake   topics.Time
	}{
		"lock":                 {[]topics.Promo{promo(topics.PromoLock, 50, 70, 0)}, 9, "promo_locked", 0, at(70)},
		"lock without end":     {[]topics.Promo{promo(topics.PromoLock, 50, 0, 0)}, 9, "promo_locked", 0, 0},
		"lock from now on":     {[]topics.Promo{promo(topics.PromoLock, 60, 70, 0)}, 9, "promo_locked", 0, at(70)},
		"lock until now":       {[]topics.Promo{promo(topics.PromoLock, 50, 60, 0)}, 9, "waiting 1=9", 0, 0},
		"lock to come":         {[]topics.Promo{promo(topics.PromoLock, 61, 70, 0)}, 9, "waiting 1=9", 0, at(61)},
		"raise only, raise":    {[]topics.Promo{promo(topics.PromoRaiseOnly, 50, 70, 0)}, 11, "waiting 1=11", 0, at(70)},
		"raise only, same":     {[]topics.Promo{promo(topics.PromoRaiseOnly, 50, 70, 0)}, 10, "waiting 1=10", 0, at(70)},
		"raise only, less":     {[]topics.Promo{promo(topics.PromoRaiseOnly, 50, 70, 0)}, 9, "raise_only", 0, at(70)},
		"floor below":          {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5)}, 9, "waiting 1=9", 0, at(70)},
		"floor at":             {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 9)}, 9, "waiting 1=9", 0, at(70)},
		"floor above":          {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5)}, 2, "below_reserved+waiting 1=5", 3, at(70)},
		"floor above nothing":  {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5)}, -4, "below_reserved+waiting 1=5", 5, at(70)},
		"floor that is over":   {[]topics.Promo{promo(topics.PromoFloor, 50, 60, 5)}, 2, "waiting 1=2", 0, 0},
		"two floors":           {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5), promo(topics.PromoFloor, 50, 65, 7)}, 2, "below_reserved+waiting 1=7", 5, at(65)},
		"floor and raise only": {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5), promo(topics.PromoRaiseOnly, 50, 70, 0)}, 2, "raise_only", 0, at(70)},
		"floor and lock":       {[]topics.Promo{promo(topics.PromoFloor, 50, 70, 5), promo(topics.PromoLock, 50, 80, 0)}, 2, "promo_locked", 0, at(70)},
	} {
		t.Run(name, func(t *testing.T) {
			p := listedInSync("1")
			p.target(0, func(t *topics.Target) { t.Promos = tc.promos })
			p.want(101, tc.net*qty)
			_, v := p.judge()
			if got := sending(v); got != tc.want || v.Shortfall != tc.short*qty {
				t.Errorf("got %s, short of %s, want %s, short of %d", got, v.Shortfall, tc.want, tc.short)
			}
			if v.WakeAt != tc.wake {
				t.Errorf("wakes at %s, want %s", v.WakeAt, tc.wake)
			}
		})
	}
}

// TestJudge_SpreadsAQuantityOverLocations ensures the rule of locations: in their order, each at most what lies
// there, never more than the quantity, and nothing for those that the store does not name.
func TestJudge_SpreadsAQuantityOverLocations(t *testing.T) {
	stock := []topics.WarehouseStock{
		{Warehouse: "W1", Net: 5 * qty}, {Warehouse: "W2", Net: 7*qty + qty/2}, {Warehouse: "W3", Net: -2 * qty},
	}
	three := []topics.StoreLocation{
		{LocationID: "L1", Warehouses: []string{"W1"}},
		{LocationID: "L2", Warehouses: []string{"W2"}},
		{LocationID: "L3", Warehouses: []string{"W3"}},
	}
	both := []topics.StoreLocation{{LocationID: "L1", Warehouses: []string{"W1", "W2"}}, {LocationID: "L2", Warehouses: []string{"*"}}}
	for name, tc := range map[string]struct {
		locations []topics.StoreLocation
		at        string // the target's
		change    func(p *pair)
		want      string
	}{
		"no locations":             {nil, "", nil, "waiting 1=10"},
		"the target's only one":    {nil, "X", nil, "waiting 1=10@X=10"},
		"the target's several":     {nil, "X Y", nil, "location_missing"},
		"in order":                 {three, "", nil, "waiting 1=10@L1=5@L2=5@L3=0"},
		"the target's own too":     {three, "L1 L2 L3 X", nil, "waiting 1=10@L1=5@L2=5@L3=0@X=0"},
		"the target is not at one": {three, "L2 L3", nil, "waiting 1=7@L2=7@L3=0"},
		"the target is at no one":  {three, "X", nil, "location_missing"},
		"several fill one":         {both, "", nil, "waiting 1=10@L1=10@L2=0"},
		"everything":               {both[1:], "", nil, "waiting 1=10@L2=10"},
		"a location not offered":   {three, "", func(p *pair) { p.store.Warehouses = []string{"W2"} }, "waiting 1=7@L1=0@L2=7@L3=0"},
		"more than lies there":     {three, "", func(p *pair) { p.store.Buffer = new(-10 * qty) }, "waiting 1=12@L1=5@L2=7@L3=0"},
		"nothing":                  {three, "L1 X", func(p *pair) { p.store.Buffer = new(100 * qty) }, "waiting 1=0@L1=0@X=0"},
		"a floor above what is left": {three, "", func(p *pair) {
			p.store.Buffer = new(100 * qty)
			p.target(0, func(t *topics.Target) { t.Promos = []topics.Promo{{Kind: topics.PromoFloor, Floor: 4 * qty}} })
		}, "below_reserved+waiting 1=4@L1=4@L2=0@L3=0"},
	} {
		t.Run(name, func(t *testing.T) {
			p := listedInSync("1")
			p.want(101, 10*qty)
			p.Availability.Warehouses = stock
			p.store.Warehouses, p.store.Locations = []string{"*"}, tc.locations
			p.target(0, func(t *topics.Target) { t.Locations = strings.Fields(tc.at) })
			if tc.change != nil {
				tc.change(p)
			}
			if _, v := p.judge(); sending(v) != tc.want {
				t.Errorf("got %s, want %s", sending(v), tc.want)
			}
		})
	}
}

// TestJudge_AnotherSpreadIsDue ensures that a pair is sent again when its sum is the same and its parts are not.
func TestJudge_AnotherSpreadIsDue(t *testing.T) {
	p := listedInSync("1")
	p.store.Warehouses = []string{"*"}
	p.store.Locations = []topics.StoreLocation{
		{LocationID: "L1", Warehouses: []string{"W1"}}, {LocationID: "L2", Warehouses: []string{"W2"}},
	}
	p.Availability.Warehouses = []topics.WarehouseStock{{Warehouse: "W1", Net: 4 * qty}, {Warehouse: "W2", Net: 6 * qty}}
	p.Status.Delivered.Targets = []topics.DeliveredTarget{
		{ProductID: "1", LocationID: "L1", Qty: 4 * qty}, {ProductID: "1", LocationID: "L2", Qty: 6 * qty},
	}
	if got, _ := p.judge(); got != "synced in_sync" {
		t.Errorf("got %s, want it at rest", got)
	}
	p.Availability.Warehouses[0].Net = 9 * qty
	p.store.Buffer = new(5 * qty)
	if got, v := p.judge(); v.Cause != topics.SyncSettings {
		t.Errorf("got %s (%s), want it due for settings", got, sending(v))
	}
}

// ok answers that all went well, but for the products that a test names.
func ok(updates []sinks.Update, but map[string]sinks.Outcome) sinks.Reply {
	r := sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassOK}}
	for _, u := range updates {
		o, named := but[u.Target.ProductID]
		if !named {
			o = r.Whole
		}
		r.Items = append(r.Items, o)
	}
	return r
}

// TestSend_ARefusedTargetKeepsNoOtherFromItsNumber ensures that one of two products which the marketplace refuses
// is left alone, while the other one follows every revision.
func TestSend_ARefusedTargetKeepsNoOtherFromItsNumber(t *testing.T) {
	for _, class := range []sinks.Class{sinks.ClassNotFound, sinks.ClassNotEditable, sinks.ClassManagedElsewhere} {
		for _, together := range []bool{false, true} {
			bubble(t, testenv.SandboxConfig{}, func(w *world) {
				d := &dialect{listed: true, together: together, traits: sinks.Traits{Batch: 10, InFlight: 1}}
				d.push = func(u []sinks.Update) sinks.Reply {
					return ok(u, map[string]sinks.Outcome{"1": {Class: class, Code: "no"}})
				}
				w.speak(d)
				w.list("A", "1", "2")
				w.stock("A=5")
				s := w.says("s", "A", blockedAs(class))
				for n := range 5 {
					w.stock(fmt.Sprintf("A=%d", 4-n))
					w.eventually("delivered", func() error {
						if s = w.status("s", "A"); s.Delivered == nil || s.Delivered.Revision != w.revision {
							return fmt.Errorf("got %+v, want revision %d", s.Delivered, w.revision)
						}
						return nil
					})
				}
				w.pass(5 * time.Minute)
				if got := w.status("s", "A"); got.Error == nil || got.Error.Code != "no" || string(got.State)+" "+string(got.Reason) != blockedAs(class) {
					t.Errorf("got %+v, want the refusal in it", got)
				}
				var first, second int
				for _, text := range d.products() {
					first += strings.Count(text, "A:1=")
					second += strings.Count(text, "A:2=")
				}
				if first != 1 || second != 6 {
					t.Errorf("got %d updates of the refused product and %d of the other, want 1 and 6: %q", first, second, d.products())
				}
			})
		}
	}
}

func blockedAs(c sinks.Class) string {
	switch c {
	case sinks.ClassNotFound:
		return "unmapped sku_mismatch"
	case sinks.ClassManagedElsewhere:
		return "blocked managed_elsewhere"
	}
	return "blocked listing_inactive"
}

// TestSend_TheFloorOfTheShopIsSentInstead ensures that a shop which has promised more than there is shows its
// floor, that the status says how far it is above what is wanted, and that it is asked again after a while.
func TestSend_TheFloorOfTheShopIsSentInstead(t *testing.T) {
	for _, listed := range []bool{false, true} {
		bubble(t, testenv.SandboxConfig{}, func(w *world) {
			d := &dialect{listed: listed, traits: sinks.Traits{Batch: 10, InFlight: 1}}
			floor := 5 * qty
			d.push = func(u []sinks.Update) sinks.Reply {
				r := ok(u, nil)
				if u[0].Qty < floor {
					r.Items[0] = sinks.Outcome{Class: sinks.ClassBelowReserved, Code: "reserved", Floor: floor}
				}
				return r
			}
			w.speak(d)
			if listed {
				w.list("A", "1")
			}
			w.stock("A=8")
			w.says("s", "A", "synced in_sync")
			w.stock("A=2")
			w.eventually("the floor", func() error { return wantShown(w.status("s", "A"), 5) })
			s := w.says("s", "A", "blocked below_reserved")
			if s.Shortfall != 3*qty || s.Wanted.Qty != 2*qty || s.Delivered.Revision != w.revision {
				t.Errorf("got %+v, want 2 wanted, 5 delivered and 3 short", s)
			}
			before, _ := d.counts()
			w.stock("A=1")
			w.eventually("the floor, once more", func() error { return wantRevision(w.status("s", "A"), w.revision) })
			if s := w.status("s", "A"); s.Shortfall != 4*qty || s.Delivered.Qty != 5*qty {
				t.Errorf("got %+v, want 4 short", s)
			}
			if pushed, _ := d.counts(); pushed != before+1 {
				t.Errorf("got %d requests, want one: the floor is known", pushed-before)
			}
			d.set(func() { floor = 0 })
			w.pass(31 * time.Minute)
			s = w.says("s", "A", "synced in_sync")
			if s.Delivered.Qty != 1*qty || s.Shortfall != 0 || s.Error != nil {
				t.Errorf("got %+v, want 1 delivered, and nothing left of the refusal", s)
			}
		})
	}
}

func wantShown(s *topics.SyncStatus, n topics.Quantity) error {
	if s == nil || s.Delivered == nil || s.Delivered.Qty != n*qty {
		return fmt.Errorf("got %+v, want %d delivered", s, n)
	}
	return nil
}

func wantRevision(s *topics.SyncStatus, revision int64) error {
	if s == nil || s.Delivered == nil || s.Delivered.Revision != revision {
		return fmt.Errorf("got %+v, want revision %d delivered", s, revision)
	}
	return nil
}

// TestSend_CampaignsBeginAndEndByThemselves ensures that nothing is sent while a campaign locks a listing, and
// that what changed meanwhile is sent when it ends.
func TestSend_CampaignsBeginAndEndByThemselves(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 10, InFlight: 1}}
		w.speak(d)
		w.stock("A=8")
		begin, end := time.Now().Add(10*time.Minute), time.Now().Add(20*time.Minute)
		l := topics.Listing{Store: "s", SKU: "A", Origin: topics.OriginUpstream, Targets: []topics.Target{{
			ProductID: "1", Status: topics.TargetActive, Tracked: true,
			Promos: []topics.Promo{{Kind: topics.PromoLock, From: topics.TimeOf(begin), Until: topics.TimeOf(end)}},
		}}}
		w.produce(topics.Listings, l.Key(), l.Encode())
		w.says("s", "A", "synced in_sync")
		w.pass(time.Until(begin))
		s := w.says("s", "A", "blocked promo_locked")
		if until := s.Evidence["until"]; until != topics.TimeOf(end).String() {
			t.Errorf("got until %v, want %s", until, end)
		}
		w.stock("A=3")
		w.pass(time.Until(end) - time.Second)
		if pushed, _ := d.counts(); pushed != 1 {
			t.Errorf("got %d requests before the end, want the one before", pushed)
		}
		w.pass(2 * time.Second)
		if s := w.says("s", "A", "synced in_sync"); s.Delivered.Qty != 3*qty {
			t.Errorf("got %+v, want 3 delivered", s.Delivered)
		}
	})
}

// TestSend_ACampaignThatBeginsWhileAPairWaitsHoldsIt ensures that a pair which waited for its turn is not sent into a
// campaign that began meanwhile.
func TestSend_ACampaignThatBeginsWhileAPairWaitsHoldsIt(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{listed: true, traits: sinks.Traits{Batch: 1, InFlight: 1, Rate: sinks.Rate{PerSecond: 0.01}}}
		w.speak(d)
		lock := topics.Promo{Kind: topics.PromoLock, From: topics.TimeOf(time.Now().Add(time.Minute))}
		l := topics.Listing{Store: "s", SKU: "A", Origin: topics.OriginUpstream, Targets: []topics.Target{{
			ProductID: "1", Status: topics.TargetActive, Tracked: true, Promos: []topics.Promo{lock},
		}}}
		w.produce(topics.Listings, l.Key(), l.Encode())
		w.list("B", "2")
		w.stock("B=0")
		w.eventually("the first", func() error { return want(len(d.products()), 1) })
		w.stock("A=5")
		w.says("s", "A", "retrying rate_limited")
		w.pass(5 * time.Minute)
		w.says("s", "A", "blocked promo_locked")
		if got := d.products(); len(got) != 1 {
			t.Errorf("got requests %q, want none of A", got)
		}
	})
}
