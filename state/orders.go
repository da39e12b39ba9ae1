package state

import "stocksync/topics"

// orderLine is the current version of one sales-order line, or what its deliveries say of one that
// has not arrived.
type orderLine struct {
	id, orderID string

	version             int64
	ordered             topics.Quantity
	orderedAt           topics.Time     // of one that has not arrived: the newest of its collapsed lines
	delivered, returned topics.Quantity // over the held lines that name it, and the collapsed
	collapsed           deliveries      // the collapsed lines' share
	warehouse           int32
	store               int32  // -1: none
	changed             int32  // UTC day of the last change, by broker time
	place               uint32 // of its entry; meaningful when written

	status  topics.OrderStatus
	arrived bool
	written bool // it has an entry: one that has not arrived may have none
}

// deliveries is what ledger lines said of one order line.
type deliveries struct{ delivered, returned topics.Quantity }

func (o *orderLine) key() string { return o.id }

// shipped tells whether something went out on the order line that did not come back.
func (o *orderLine) shipped() bool { return o.delivered > -o.returned }

// reserved is the order line's contribution to Reserved (F4).
func (o *orderLine) reserved(p Policy) topics.Quantity {
	if !o.arrived || o.delivered > o.ordered {
		return 0
	}
	onHold := o.status == topics.OrderOnHold && p.OnHoldReserves
	if o.status != topics.OrderOpen && !onHold {
		return 0
	}
	c := wide{}.add(o.ordered).sub(o.delivered)
	if !p.ReturnsReserve {
		c = c.sub(o.returned)
	}
	return c.clamp(o.ordered)
}

// taken is what the order line has taken from the stock on offer: promised or delivered.
func (o *orderLine) taken(p Policy) topics.Quantity {
	return wide{}.add(o.reserved(p)).add(o.delivered).clamp(o.ordered)
}

// reserve adds an order line's contribution to the totals.
func (it *item) reserve(o *orderLine) { it.contribute(o, 1) }

// unreserve takes it back; the opposite of reserve.
func (it *item) unreserve(o *orderLine) { it.contribute(o, -1) }

func (it *item) contribute(o *orderLine, sign topics.Quantity) {
	if !o.arrived {
		return
	}
	c := sign * o.reserved(it.policy)
	w := &it.warehouses[o.warehouse]
	it.addReserved(w, c)
	if o.store >= 0 {
		s := w.storeStock(o.store)
		s.reserved += c // no more than the warehouse's
		s.taken = it.plus(s.taken, sign*o.taken(it.policy))
	}
}

// recompute makes Reserved anew from the order lines, for a policy other than the header's.
func (it *item) recompute(p Policy) {
	it.policy = p
	it.total.reserved = 0
	for i := range it.warehouses {
		w := &it.warehouses[i]
		w.reserved, w.byStore = 0, w.byStore[:0]
		for _, b := range w.base.taken {
			w.storeStock(b.store).taken += b.taken
		}
	}
	for _, o := range it.orders.list {
		it.reserve(o)
	}
}

// sameContent compares what a version conflict is about.
func (o *orderLine) sameContent(n *orderLine) bool {
	return o.warehouse == n.warehouse && o.status == n.status && o.ordered == n.ordered &&
		o.orderedAt == n.orderedAt && o.store == n.store
}
