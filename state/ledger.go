package state

import (
	"strings"

	"stocksync/topics"
)

// line is one version of a ledger line. Its strings may alias what it was read from.
type line struct {
	id, orderLineID, reason, voucherNo string

	version, seq int64
	qty          topics.Quantity
	at           topics.Time
	warehouse    int32
	arrived      int32 // UTC day of the last change, by broker time

	kind      topics.MutationKind
	cancelled bool
	isReturn  bool
}

func (l *line) position() position { return position{l.at, l.seq, l.id} }

// live tells whether the line is a delta that counts, or a count that does.
func (l *line) live(kind topics.MutationKind) bool { return l.kind == kind && !l.cancelled }

// sameContent compares what a version conflict is about.
func (l *line) sameContent(m *line) bool {
	return l.kind == m.kind && l.cancelled == m.cancelled && l.warehouse == m.warehouse && l.qty == m.qty &&
		l.at == m.at && l.seq == m.seq && l.orderLineID == m.orderLineID && l.isReturn == m.isReturn
}

// counted is a live count that a warehouse's deltas add to.
type counted struct {
	position // its id is its own
	qty      topics.Quantity
}

// countedOf copies what is needed of a line that is a count.
func countedOf(l *line) *counted {
	c := &counted{l.position(), l.qty}
	c.id = strings.Clone(c.id)
	return c
}

// start is the place from which a warehouse's deltas count: its newest live count's.
func (w *warehouse) start() position {
	if w.newest != nil {
		return w.newest.position
	}
	return w.base.count
}

// counts tells whether a line is a live count that the base does not already hold.
func (w *warehouse) counts(l *line) bool {
	return l.live(topics.KindCount) && l.position().compare(w.base.count) > 0
}

// link adds a line to the totals of its warehouse. Its entry is there already.
func (it *item) link(l *line) {
	w := &it.warehouses[l.warehouse]
	last := l.at > w.latest
	w.latest = max(w.latest, l.at)
	if l.position().compare(w.start()) <= 0 {
		return
	}
	switch {
	case l.live(topics.KindDelta):
		it.setActual(w, it.plus(w.actual, l.qty))
	case l.live(topics.KindCount):
		w.newest = countedOf(l)
		q := l.qty
		if !last {
			q = it.plus(q, it.sumDeltas(l.warehouse, w.newest.position, nil))
		}
		it.setActual(w, q)
	}
}

// unlink takes a line out of its warehouse; the opposite of link. Its entry is there still.
func (it *item) unlink(l *line) {
	w := &it.warehouses[l.warehouse]
	switch {
	case l.live(topics.KindDelta):
		if l.position().compare(w.start()) > 0 {
			it.setActual(w, it.minus(w.actual, l.qty))
		}
	case l.live(topics.KindCount) && w.newest != nil && l.id == w.newest.id:
		was := w.newest
		w.newest = it.newestCount(l.warehouse, was)
		before := w.base.actual
		if w.newest != nil {
			before = w.newest.qty
		}
		between := it.sumDeltas(l.warehouse, w.start(), was)
		after := it.minus(w.actual, l.qty)
		it.setActual(w, it.plus(it.plus(before, between), after))
	}
}

// newestCount returns the newest live count of a warehouse before a position; nil: the base's, or none.
func (it *item) newestCount(warehouse int32, before *counted) *counted {
	w := &it.warehouses[warehouse]
	var newest *counted
	from := w.base.count
	for l := range it.since(&from.at, warehouse) {
		if p := l.position(); w.counts(l) && p.compare(from) > 0 && p.compare(before.position) < 0 {
			newest = countedOf(l)
			from = newest.position
		}
	}
	return newest
}

// sumDeltas adds up the live deltas of a warehouse after a position, and before a count if one is given.
func (it *item) sumDeltas(warehouse int32, after position, before *counted) topics.Quantity {
	var sum topics.Quantity
	for l := range it.since(&after.at, warehouse) {
		p := l.position()
		if l.live(topics.KindDelta) && p.compare(after) > 0 && (before == nil || p.compare(before.position) < 0) {
			sum = it.plus(sum, l.qty)
		}
	}
	return sum
}

func (it *item) setActual(w *warehouse, q topics.Quantity) {
	it.total.actual = it.plus(it.minus(it.total.actual, w.actual), q)
	w.actual = q
	it.checkNet(w)
}

func (it *item) addReserved(w *warehouse, d topics.Quantity) {
	w.reserved = it.plus(w.reserved, d)
	it.total.reserved = it.plus(it.total.reserved, d)
	it.checkNet(w)
}

func (it *item) checkNet(w *warehouse) {
	it.minus(w.actual, w.reserved)
	it.minus(it.total.actual, it.total.reserved)
}

// delivers adds what a line says of its order line, or takes it back: a shipment has a negative
// quantity and raises delivered, a return lowers it.
func (it *item) delivers(l *line, o *orderLine, back bool) {
	if !l.live(topics.KindDelta) {
		return
	}
	it.unreserve(o)
	switch {
	case back && l.isReturn:
		o.delivered, o.returned = it.plus(o.delivered, l.qty), it.minus(o.returned, l.qty)
	case back:
		o.delivered = it.plus(o.delivered, l.qty)
	case l.isReturn:
		o.delivered, o.returned = it.minus(o.delivered, l.qty), it.plus(o.returned, l.qty)
	default:
		o.delivered = it.minus(o.delivered, l.qty)
	}
	it.reserve(o)
}
