package state

import (
	"slices"

	"stocksync/topics"
)

// line is the current version of one ledger line.
type line struct {
	id, orderLineID, reason, voucherNo string

	version, seq int64
	qty          topics.Quantity
	at           topics.Time
	warehouse    int32
	arrived      int32  // UTC day of the last change, by broker time
	chunk        uint32 // that holds this version

	kind      topics.MutationKind
	cancelled bool
	isReturn  bool
	staged    bool // in touched.lines
}

func (l *line) key() string        { return l.id }
func (l *line) position() position { return position{l.at, l.seq, l.id} }

// live tells whether the line is a delta that counts, or a count that does.
func (l *line) live(kind topics.MutationKind) bool { return l.kind == kind && !l.cancelled }

// sameContent compares what a version conflict is about.
func (l *line) sameContent(m *line) bool {
	return l.kind == m.kind && l.cancelled == m.cancelled && l.warehouse == m.warehouse && l.qty == m.qty &&
		l.at == m.at && l.seq == m.seq && l.orderLineID == m.orderLineID && l.isReturn == m.isReturn
}

// start is the place from which a warehouse's deltas count: its newest live count's.
func (w *warehouse) start() position {
	if w.newest != nil {
		return w.newest.position()
	}
	return w.base.count
}

// search returns the index in effective order at which p stands or would stand.
func (w *warehouse) search(p position) int {
	n := len(w.lines)
	if n == 0 || w.lines[n-1].position().compare(p) < 0 {
		return n
	}
	i, _ := slices.BinarySearchFunc(w.lines, p, func(l *line, p position) int { return l.position().compare(p) })
	return i
}

// counts tells whether a line is a live count that the base does not already hold.
func (w *warehouse) counts(l *line) bool {
	return l.live(topics.KindCount) && l.position().compare(w.base.count) > 0
}

// link adds a line to its warehouse: to its order and to its totals.
func (it *item) link(l *line) {
	w := &it.warehouses[l.warehouse]
	i := w.search(l.position())
	if i == len(w.lines) {
		w.lines = append(w.lines, l)
	} else {
		w.lines = slices.Insert(w.lines, i, l)
	}
	switch {
	case l.live(topics.KindDelta):
		if l.position().compare(w.start()) > 0 {
			it.setActual(w, it.plus(w.actual, l.qty))
		}
	case l.live(topics.KindCount):
		if l.position().compare(w.start()) > 0 {
			after := it.sumDeltas(w.lines[i+1:])
			w.newest = l
			it.setActual(w, it.plus(l.qty, after))
		}
	}
}

// unlink takes a line out of its warehouse; the opposite of link.
func (it *item) unlink(l *line) {
	w := &it.warehouses[l.warehouse]
	i := w.search(l.position())
	switch {
	case l.live(topics.KindDelta):
		if l.position().compare(w.start()) > 0 {
			it.setActual(w, it.minus(w.actual, l.qty))
		}
	case l == w.newest:
		j := i - 1
		for j >= 0 && !w.counts(w.lines[j]) {
			j--
		}
		before, from := w.base.actual, 0
		w.newest = nil
		if j >= 0 {
			w.newest = w.lines[j]
			before, from = w.newest.qty, j+1
		} else {
			from = w.search(w.base.count) // deltas at or before the base's count add nothing
		}
		between := it.sumDeltas(w.lines[from:i])
		after := it.minus(w.actual, l.qty)
		it.setActual(w, it.plus(it.plus(before, between), after))
	}
	w.lines = slices.Delete(w.lines, i, i+1)
}

// sumDeltas adds up the live deltas among lines.
func (it *item) sumDeltas(lines []*line) topics.Quantity {
	var sum topics.Quantity
	for _, l := range lines {
		if l.live(topics.KindDelta) {
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
