package state

import (
	"math/bits"

	"stocksync/topics"
)

// Totals are int64. Sums wrap, and wrapping is exact modulo 2^64, so an event that is refused is
// taken back by its opposite. A wrap anywhere marks the item as suspect, and then every total is
// made anew in 128 bits: a sum may leave the range half way and come back.

// plus adds and marks the item when the sum does not fit.
func (it *item) plus(a, b topics.Quantity) topics.Quantity {
	s := a + b
	if (a < 0) == (b < 0) && (s < 0) != (a < 0) {
		it.suspect = true
	}
	return s
}

// minus subtracts and marks the item when the difference does not fit.
func (it *item) minus(a, b topics.Quantity) topics.Quantity {
	d := a - b
	if (a < 0) != (b < 0) && (d < 0) != (a < 0) {
		it.suspect = true
	}
	return d
}

// wide is a signed 128-bit sum.
type wide struct {
	hi int64
	lo uint64
}

func (w wide) add(q topics.Quantity) wide {
	lo, carry := bits.Add64(w.lo, uint64(q), 0)
	return wide{w.hi + int64(q>>63) + int64(carry), lo}
}

func (w wide) sub(q topics.Quantity) wide {
	lo, borrow := bits.Sub64(w.lo, uint64(q), 0)
	return wide{w.hi - int64(q>>63) - int64(borrow), lo}
}

func (w wide) plus(v wide) wide {
	lo, carry := bits.Add64(w.lo, v.lo, 0)
	return wide{w.hi + v.hi + int64(carry), lo}
}

func (w wide) minus(v wide) wide {
	lo, borrow := bits.Sub64(w.lo, v.lo, 0)
	return wide{w.hi - v.hi - int64(borrow), lo}
}

func (w wide) fits() bool { return w.hi == int64(w.lo)>>63 }

// clamp returns the number where it lies between 0 and most, else the nearer of the two.
func (w wide) clamp(most topics.Quantity) topics.Quantity {
	switch {
	case w.hi < 0:
		return 0
	case !w.fits():
		return most
	}
	return min(topics.Quantity(w.lo), most)
}

// overflows tells whether any total of the item does not fit int64: Actual, Reserved and Net per
// warehouse and in all, taken per warehouse and store, delivered and returned per order line. It takes
// time in the number of lines, and is asked only when a sum wrapped.
func (it *item) overflows() bool {
	actual, reserved := it.wideActual(), make([]wide, len(it.warehouses))
	for _, o := range it.orders.list {
		if o.arrived {
			reserved[o.warehouse] = reserved[o.warehouse].add(o.reserved(it.policy))
		}
	}
	var actualAll, reservedAll wide
	for i, a := range actual {
		r := reserved[i]
		if !a.fits() || !r.fits() || !a.minus(r).fits() {
			return true
		}
		actualAll, reservedAll = actualAll.plus(a), reservedAll.plus(r)
	}
	if !actualAll.fits() || !reservedAll.fits() || !actualAll.minus(reservedAll).fits() {
		return true
	}
	return it.deliveriesOverflow() || it.takenOverflows()
}

func (it *item) takenOverflows() bool {
	taken := map[[2]int32]wide{} // by warehouse and store
	for i := range it.warehouses {
		for _, t := range it.warehouses[i].base.taken {
			taken[[2]int32{int32(i), t.store}] = wide{}.add(t.taken)
		}
	}
	for _, o := range it.orders.list {
		if o.arrived && o.store >= 0 {
			at := [2]int32{o.warehouse, o.store}
			taken[at] = taken[at].add(o.taken(it.policy))
		}
	}
	for _, t := range taken {
		if !t.fits() {
			return true
		}
	}
	return false
}

// wideActual makes Actual of each warehouse anew from the ledger lines (F3).
func (it *item) wideActual() []wide {
	sums := make([]wide, len(it.warehouses))
	for i := range it.warehouses {
		if w := &it.warehouses[i]; w.newest != nil {
			sums[i] = sums[i].add(w.newest.qty)
		} else {
			sums[i] = sums[i].add(w.base.actual)
		}
	}
	for l := range it.ledger() {
		if l.live(topics.KindDelta) && l.position().compare(it.warehouses[l.warehouse].start()) > 0 {
			sums[l.warehouse] = sums[l.warehouse].add(l.qty)
		}
	}
	return sums
}

func (it *item) deliveriesOverflow() bool {
	delivered, returned := map[string]wide{}, map[string]wide{}
	for _, o := range it.orders.list {
		delivered[o.id] = wide{}.add(o.collapsed.delivered)
		returned[o.id] = wide{}.add(o.collapsed.returned)
	}
	for l := range it.ledger() {
		if l.orderLineID == "" || !l.live(topics.KindDelta) {
			continue
		}
		delivered[l.orderLineID] = delivered[l.orderLineID].sub(l.qty)
		if l.isReturn {
			returned[l.orderLineID] = returned[l.orderLineID].add(l.qty)
		}
	}
	for id, d := range delivered {
		if !d.fits() || !returned[id].fits() {
			return true
		}
	}
	return false
}
