package sinks

import (
	"maps"

	"stocksync/topics"
)

// unseenSales is what a shop has sold and nobody has told us of yet: what was so at the last delivery, and what
// it offers less than it was brought to then, less what was reported meanwhile.
func unseenSales(before, broughtTo, shown, takenThen, takenNow topics.Quantity) topics.Quantity {
	return max(0, before+(broughtTo-shown)-(takenNow-takenThen))
}

// ledger is what a pair's shop was brought to and what it had sold unseen: at the last delivery, or after a
// request that brought some of its targets further.
type ledger struct {
	unseen topics.Quantity
	since  topics.Time     // unseen is what it is since then
	taken  topics.Quantity // that the store's orders had taken by then
	// base is what each target offers if it sold nothing since, by its key.
	base map[string]topics.Quantity
	// tried is what attempts may have brought a target to, of which nobody knows whether they were applied.
	tried map[string][]topics.Quantity
}

// ledgerOf reads the ledger of the last delivery out of a status. Targets of a shop without a catalogue have an
// empty key.
func ledgerOf(s *topics.SyncStatus) *ledger {
	l := &ledger{base: map[string]topics.Quantity{}, tried: map[string][]topics.Quantity{}}
	if s == nil || s.Delivered == nil {
		return l
	}
	d := s.Delivered
	l.unseen, l.since, l.taken = d.Unseen, d.UnseenAt, d.Taken
	if l.since.IsZero() {
		l.since = d.At
	}
	for i := range d.Targets {
		l.base[deliveredKey(&d.Targets[i])] += d.Targets[i].Qty
	}
	if len(d.Targets) == 0 {
		l.base[targetKey(&topics.Target{})] = d.Qty
	}
	for _, x := range failuresOf(s) {
		l.tried[x.target] = x.perhaps
	}
	return l
}

// left is what of the unseen sales is still unseen, given what the orders have taken by now, as far as that can be
// told without a reading.
func (l *ledger) left(taken topics.Quantity) topics.Quantity {
	return unseenSales(l.unseen, 0, 0, l.taken, taken)
}

// read returns the ledger after a reading of what each target offers: nothing was written yet.
func (l *ledger) read(shown map[string]topics.Quantity, taken topics.Quantity, now topics.Time) *ledger {
	var base, offered topics.Quantity
	for key, q := range shown {
		if before, known := l.base[key]; known {
			base, offered = base+l.broughtTo(key, before, q), offered+q
		}
	}
	next := &ledger{taken: taken, since: l.since, base: maps.Clone(shown), tried: map[string][]topics.Quantity{}}
	next.unseen = unseenSales(l.unseen, base, offered, l.taken, taken)
	switch {
	case next.unseen == 0:
		next.since = 0
	case next.unseen != l.unseen || next.since.IsZero():
		next.since = now
	}
	return next
}

// broughtTo is what a target offered before it sold anything. Where attempts may have changed that, it is whichever
// number fits best: the nearest that is not below what it offers now.
func (l *ledger) broughtTo(key string, before, shown topics.Quantity) topics.Quantity {
	best := before
	for _, tried := range l.tried[key] {
		switch {
		case best < shown:
			best = max(best, tried)
		case tried >= shown:
			best = min(best, tried)
		}
	}
	return best
}

// expire returns the ledger without its unseen sales when nobody has reported them for the grace, and otherwise
// when that will be; zero: there are none.
func (l *ledger) expire(taken topics.Quantity, grace topics.Duration, now topics.Time) (*ledger, topics.Time) {
	if l.left(taken) == 0 {
		return l, 0
	}
	end := l.since + topics.Time(grace/1000)
	if now < end {
		return l, end
	}
	without := *l
	without.unseen, without.since = 0, 0
	return &without, 0
}

// forget returns the ledger as if the shop had sold nothing unseen: what it offers now is what it was brought to.
func (l *ledger) forget() *ledger { return &ledger{taken: l.taken, base: map[string]topics.Quantity{}} }

// offers is what a target offers to buyers, by a reading: a physical number is less what is promised and held
// back.
func (n Number) offers(r *Reading) topics.Quantity {
	if n == NumberPhysical {
		return r.Qty - r.Allocated - r.Threshold
	}
	return r.Qty
}

// toWrite is the number that makes a target offer a quantity, in sum and by location, given what was read of it. A
// threshold holds for the target as a whole: its first location makes up for it.
func (n Number) toWrite(qty topics.Quantity, places []LocationQty, r *Reading) (topics.Quantity, []LocationQty) {
	if n != NumberPhysical {
		return qty, places
	}
	if len(places) == 0 {
		return qty + r.Allocated + r.Threshold, nil
	}
	physical := make([]LocationQty, len(places))
	for i, l := range places {
		physical[i] = LocationQty{LocationID: l.LocationID, Qty: l.Qty + r.allocatedAt(l.LocationID)}
	}
	physical[0].Qty += r.Threshold
	if len(r.Locations) == 0 {
		physical[0].Qty += r.Allocated
	}
	return sumOf(physical), physical
}

// allocatedAt is what is promised from one location.
func (r *Reading) allocatedAt(location string) topics.Quantity {
	for i := range r.Locations {
		if r.Locations[i].LocationID == location {
			return r.Locations[i].Allocated
		}
	}
	return 0
}

// same tells whether a target shows already what would be written.
func (r *Reading) same(qty topics.Quantity, places []LocationQty) bool {
	if len(r.Locations) == 0 || len(places) == 0 {
		return r.Found && r.Qty == qty
	}
	held := map[string]topics.Quantity{}
	for _, l := range r.Locations {
		held[l.LocationID] = l.Qty
	}
	for _, l := range places {
		if got, known := held[l.LocationID]; !known || got != l.Qty {
			return false
		}
	}
	return r.Found
}
