package sinks

import (
	"slices"

	"stocksync/topics"
)

// aim is what one target of a pair should show, or why nothing is sent to it.
type aim struct {
	target topics.Target
	// qty is what the target should offer: what the pair should, or the floor of a campaign above it, or less
	// where the locations hold less.
	qty    topics.Quantity
	places []LocationQty   // that make qty; none where there are no locations
	hinder finding         // why nothing is sent; the reason is "" when the target may be sent to
	below  topics.Quantity // how far a floor, which is sent, is above what the pair should show; 0: not
	floor  finding         // what shows that
}

// free tells whether the target may be sent to.
func (a *aim) free() bool { return a.hinder.reason == "" }

// aims works out what each target should show, or would if it may be sent to. For a shop without a catalogue
// there is one, without a name. refusals is false where what the shop refused before counts for nothing.
func (f *facts) aims(w *want, refusals bool) []aim {
	targets := []topics.Target{{Status: topics.TargetActive, Tracked: true}}
	if f.shop.listed {
		targets = nil
		if f.list != nil {
			targets = f.list.Targets
		}
	}
	var failed []failure
	if refusals {
		failed = failuresOf(f.status)
	}
	aims := make([]aim, len(targets))
	for i := range targets {
		aims[i] = f.aimAt(&targets[i], w, failed)
	}
	return aims
}

// aimAt works out the aim of one target. The first hindrance that holds is the target's.
func (f *facts) aimAt(t *topics.Target, w *want, failed []failure) aim {
	a := aim{target: *t, qty: w.qty}
	f.hinderByListing(&a)
	if !w.offered {
		return a
	}
	if f.shop.listed {
		f.place(&a)
	}
	promo := f.promoOf(t, w)
	a.raise(promo.floor, promo.floorUntil)
	f.hinderByPromo(&a, &promo)
	if i := slices.IndexFunc(failed, func(x failure) bool { return x.target == targetKey(t) }); i >= 0 {
		f.hinderByRefusal(&a, &failed[i], w)
	}
	return a
}

// place spreads the target's quantity over its locations.
func (f *facts) place(a *aim) {
	places, fits := f.shop.policy.spread(a.qty, f.av, &a.target)
	if !fits {
		a.hold(topics.SyncLocationMissing, map[string]any{"locations": a.target.Locations})
	}
	if len(places) > 0 {
		a.places, a.qty = places, sumOf(places)
	}
}

// hold notes what hinders a target, unless something before does.
func (a *aim) hold(reason topics.SyncReason, evidence map[string]any) {
	if a.free() {
		a.hinder = finding{reason, evidence}
	}
}

// raise brings a target up to a floor; what its locations do not have goes to the first.
func (a *aim) raise(floor topics.Quantity, end topics.Time) {
	if floor <= a.qty {
		return
	}
	a.below += floor - a.qty
	evidence := until(end)
	evidence["floor"] = floor
	a.floor = finding{topics.SyncBelowReserved, evidence}
	if len(a.places) > 0 {
		a.places[0].Qty += floor - a.qty
	}
	a.qty = floor
}

// hinderByListing finds what the marketplace says of the target itself.
func (f *facts) hinderByListing(a *aim) {
	evidence := map[string]any{"product_id": a.target.ProductID}
	if a.target.VariantID != "" {
		evidence["variant_id"] = a.target.VariantID
	}
	switch a.target.Status {
	case topics.TargetDeleted:
		a.hold(topics.SyncListingDeleted, evidence)
	case topics.TargetBanned:
		a.hold(topics.SyncListingBanned, evidence)
	case topics.TargetArchived:
		a.hold(topics.SyncListingArchived, evidence)
	case topics.TargetInactive:
		a.hold(topics.SyncListingInactive, evidence)
	case topics.TargetActive:
	}
	if !a.target.Tracked {
		a.hold(topics.SyncListingUntracked, evidence)
	}
}

// promo is what the campaigns that run now make of a target.
type promo struct {
	locked, raiseOnly bool
	until             topics.Time // the end of what locks, or of what lets it rise only; zero: not known
	floor             topics.Quantity
	floorUntil        topics.Time
}

// promoOf sums up the campaigns of a target. Each begins and ends by itself, which wakes the pair.
func (f *facts) promoOf(t *topics.Target, w *want) promo {
	var sum promo
	for i := range t.Promos {
		p := &t.Promos[i]
		if p.From > f.now {
			w.wakeAt = sooner(w.wakeAt, p.From)
			continue
		}
		if !p.Until.IsZero() && p.Until <= f.now {
			continue
		}
		w.wakeAt = sooner(w.wakeAt, p.Until)
		switch p.Kind {
		case topics.PromoLock:
			sum.locked, sum.until = true, max(sum.until, p.Until)
		case topics.PromoRaiseOnly:
			sum.raiseOnly, sum.until = true, max(sum.until, p.Until)
		case topics.PromoFloor:
			if p.Floor > sum.floor {
				sum.floor, sum.floorUntil = p.Floor, p.Until
			}
		}
	}
	return sum
}

// hinderByPromo finds what campaigns forbid. What was told to the target before is what it may not fall below.
func (f *facts) hinderByPromo(a *aim, p *promo) {
	switch shown, told := f.deliveredTo(&a.target); {
	case p.locked:
		a.hold(topics.SyncPromoLocked, until(p.until))
	case p.raiseOnly && told && a.qty < shown:
		a.hold(topics.SyncRaiseOnly, until(p.until))
	}
}

// until is the evidence of what ends by itself; the end may not be known.
func until(t topics.Time) map[string]any {
	if t.IsZero() {
		return map[string]any{}
	}
	return map[string]any{"until": t}
}

// deliveredTo returns what a target was last brought to; told is false when it never was.
func (f *facts) deliveredTo(t *topics.Target) (qty topics.Quantity, told bool) {
	if f.status == nil || f.status.Delivered == nil {
		return 0, false
	}
	if !f.shop.listed {
		return f.status.Delivered.Qty, true
	}
	for i := range f.status.Delivered.Targets {
		if d := &f.status.Delivered.Targets[i]; d.ProductID == t.ProductID && d.VariantID == t.VariantID {
			qty, told = qty+d.Qty, true
		}
	}
	return qty, told
}

// shortfall is how far what is sent is above what is wanted.
func shortfall(aims []aim) topics.Quantity {
	var most topics.Quantity
	for i := range aims {
		if aims[i].free() {
			most = max(most, aims[i].below)
		}
	}
	return most
}
