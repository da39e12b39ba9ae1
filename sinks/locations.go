package sinks

import (
	"slices"

	"stocksync/topics"
)

// spread says how much of a quantity each location of a target gets: the store's locations in their order, each
// at most what is there for it, and nothing for those of the target that the store does not name. There are
// none when neither names any. ok is false when they don't fit together: the target is at none of the store's
// locations, or at several while the store names none.
//
// The sum is never above qty, and below it when less than that lies in the locations.
func (p *policy) spread(qty topics.Quantity, a *topics.Availability, t *topics.Target) (places []LocationQty, ok bool) {
	at := func(id string) bool { return len(t.Locations) == 0 || slices.Contains(t.Locations, id) }
	if len(p.store.Locations) == 0 {
		switch len(t.Locations) {
		case 0:
			return nil, true
		case 1:
			return []LocationQty{{LocationID: t.Locations[0], Qty: qty}}, true
		}
		return nil, false
	}
	left := qty
	for i := range p.store.Locations {
		l := &p.store.Locations[i]
		if !at(l.LocationID) {
			continue
		}
		share := min(left, wholeUnits(p.netAt(a, l)))
		places = append(places, LocationQty{LocationID: l.LocationID, Qty: share})
		left -= share
	}
	if len(places) == 0 {
		return nil, false
	}
	for _, id := range t.Locations {
		if !slices.ContainsFunc(places, func(l LocationQty) bool { return l.LocationID == id }) {
			places = append(places, LocationQty{LocationID: id})
		}
	}
	return places, true
}

// netAt sums Net over the warehouses that fill a location, as far as the store offers them.
func (p *policy) netAt(a *topics.Availability, l *topics.StoreLocation) topics.Quantity {
	everything := slices.Contains(l.Warehouses, topics.AllWarehouses)
	var sum topics.Quantity
	for i := range a.Warehouses {
		w := &a.Warehouses[i]
		if p.offers(w.Warehouse) && (everything || slices.Contains(l.Warehouses, w.Warehouse)) {
			sum += w.Net
		}
	}
	return sum
}

// wholeUnits rounds down to what can be offered: no fractions, and nothing of what is owed.
func wholeUnits(q topics.Quantity) topics.Quantity { return max(0, q-q%topics.One) }

// sumOf is what all places get together.
func sumOf(places []LocationQty) topics.Quantity {
	var sum topics.Quantity
	for _, l := range places {
		sum += l.Qty
	}
	return sum
}
