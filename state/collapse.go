package state

import (
	"iter"
	"strings"

	"stocksync/topics"
)

// The horizon. What has not changed for a long time is collapsed: ledger lines into a base per
// warehouse, order lines into what their stores have taken. The totals stay as they are; what is gone
// is what a later version of those lines would have to be compared with.
//
// Only a prefix in effective order goes: a count that comes must find every line it decides about. And a
// line or order line goes only if its own time is old too (C3): one that is dated ahead, a slip of the
// keyboard by years, would refuse everything that comes after it.

// Collapsed counts what a collapse took out.
type Collapsed struct{ Lines, Orders int }

// Collapse takes out of a SKU what last changed, and lies, before a UTC day: the longest such prefix of
// its ledger lines, and the order lines that are over. It emits no availability record, since no number
// changes.
func (t *Task) Collapse(sku string, before int32) (Collapsed, error) {
	it, err := t.item(sku)
	if err != nil {
		return Collapsed{}, err
	}
	it.begin(&t.touched)
	done := it.collapse(before)
	if done == (Collapsed{}) {
		t.leave(it)
		return done, nil
	}
	t.touch(it)
	it.touched.emits = it.touched.emits || it.remade // the header no longer tells that they differ
	return done, nil
}

// horizon is one collapse of one SKU in progress.
type horizon struct {
	*item
	before int32
	stays  position // the first line in effective order that does; zero: none
	dead   uint32   // chunks below it hold something that goes, or an order line whose sums change
	done   Collapsed

	bases []base // of the warehouses, with the lines that go in them
	kept  map[*orderLine]keptDeliveries
}

// keptDeliveries is what collapsed lines say of one order line, and the newest of their times.
type keptDeliveries struct {
	delivered, returned wide
	at                  topics.Time
	changed             int32
}

func (it *item) collapse(before int32) Collapsed {
	h := &horizon{item: it, before: before, dead: it.firstLive, kept: map[*orderLine]keptDeliveries{}}
	h.findStays()
	if h.sumUp() {
		h.collapseLines()
	}
	h.collapseOrders()
	if h.done != (Collapsed{}) {
		h.rewrite()
	}
	return h.done
}

// findStays finds the first line in effective order that is too young to go.
func (h *horizon) findStays() {
	for l := range h.ledger() {
		young := l.arrived >= h.before || l.at.UTCDay() >= h.before
		if young && (h.stays.isZero() || l.position().compare(h.stays) < 0) {
			h.stays = l.position() // the entries stay where they are until the end
		}
	}
}

// goes tells whether a line lies in the prefix.
func (h *horizon) goes(l *line) bool { return h.stays.isZero() || l.position().compare(h.stays) < 0 }

// sumUp works out what the lines that go leave behind. A SKU whose bases would not fit stays as it is: then
// it is false, as when no line goes.
func (h *horizon) sumUp() bool {
	sums := make([]wide, len(h.warehouses))
	for i := range h.warehouses {
		w := &h.warehouses[i]
		h.bases = append(h.bases, w.base)
		sums[i] = wide{}.add(w.base.actual)
	}
	for l := range h.ledger() {
		b := &h.bases[l.warehouse]
		if h.goes(l) && l.live(topics.KindCount) && l.position().compare(b.count) > 0 {
			b.count = countedOf(l).position
			sums[l.warehouse] = wide{}.add(l.qty)
		}
	}
	some := false
	for l := range h.ledger() {
		if !h.goes(l) {
			continue
		}
		some = true
		if l.live(topics.KindDelta) && l.position().compare(h.bases[l.warehouse].count) > 0 {
			sums[l.warehouse] = sums[l.warehouse].add(l.qty)
		}
		h.sumUpDelivery(l)
	}
	for i, sum := range sums {
		h.bases[i].actual = topics.Quantity(sum.lo)
		some = some && sum.fits()
	}
	for _, k := range h.kept {
		some = some && k.delivered.fits() && k.returned.fits()
	}
	return some
}

// sumUpDelivery adds what a line says of its order line to what that keeps.
func (h *horizon) sumUpDelivery(l *line) {
	if l.orderLineID == "" || !l.live(topics.KindDelta) {
		return
	}
	o := h.orderFor(l.orderLineID)
	k, ok := h.kept[o]
	if !ok {
		k.delivered, k.returned = wide{}.add(o.collapsed.delivered), wide{}.add(o.collapsed.returned)
	}
	k.delivered = k.delivered.sub(l.qty)
	if l.isReturn {
		k.returned = k.returned.add(l.qty)
	}
	k.at, k.changed = max(k.at, l.at), max(k.changed, l.arrived)
	h.kept[o] = k
}

// collapseLines moves the lines that go into the bases, and what they said of order lines into those. Their
// entries go with the chunks that they stand in.
func (h *horizon) collapseLines() {
	for i := range h.warehouses {
		w := &h.warehouses[i]
		w.base = h.bases[i]
		if w.newest != nil && w.newest.compare(w.base.count) <= 0 {
			w.newest = nil
		}
	}
	for place, l := range h.places() {
		if !h.goes(l) {
			continue
		}
		h.done.Lines++
		h.kill(place)
		if p := l.position(); p.compare(h.lineFrontier) > 0 {
			h.lineFrontier = p
		}
	}
	h.lineFrontier.id = strings.Clone(h.lineFrontier.id) // the entries' memory goes
	for o, k := range h.kept {
		h.keep(o, k)
	}
}

// places iterates over the current ledger lines and where they stand.
func (it *item) places() iter.Seq2[uint32, *line] {
	return func(yield func(uint32, *line) bool) {
		for place, e := range it.entries.each(0, uint32(len(it.entries.data))) {
			if !e.isOrder && it.isCurrent(place, e) && !yield(place, &e.line) {
				return
			}
		}
	}
}

// keep gives an order line the sums of the lines that go. One that has not arrived takes their newest time
// too: its own going raises the frontier to it.
func (h *horizon) keep(o *orderLine, k keptDeliveries) {
	sums := deliveries{topics.Quantity(k.delivered.lo), topics.Quantity(k.returned.lo)}
	if o.collapsed == sums {
		return
	}
	o.collapsed = sums
	if o.written {
		h.kill(o.place)
	}
	if !o.arrived {
		o.orderedAt, o.changed = max(o.orderedAt, k.at), max(o.changed, k.changed)
	}
}

// kill notes that the chunk of a place holds what must not be read again.
func (h *horizon) kill(place uint32) { h.dead = max(h.dead, h.entries.chunkOf(place)+1) }

// collapseOrders takes out the order lines that are over and that no line that stays names.
func (h *horizon) collapseOrders() {
	if len(h.orders.list) == 0 {
		return
	}
	named := map[string]bool{}
	for l := range h.ledger() {
		if l.orderLineID != "" && (h.done.Lines == 0 || !h.goes(l)) {
			named[l.orderLineID] = true
		}
	}
	h.orders.remove(func(o *orderLine) bool {
		if named[o.id] || !h.over(o) {
			return false
		}
		h.drop(o)
		return true
	})
}

// over tells whether an order line has nothing more to say: it is closed, cancelled, removed or wholly
// delivered, or never arrived, and nothing has changed it for long.
func (h *horizon) over(o *orderLine) bool {
	if o.changed >= h.before || o.orderedAt.UTCDay() >= h.before {
		return false
	}
	if !o.arrived {
		return true
	}
	switch o.status {
	case topics.OrderClosed, topics.OrderCancelled, topics.OrderRemoved:
		return true
	default:
		return o.delivered >= o.ordered && o.reserved(h.policy) == 0
	}
}

// drop moves an order line that is over into the base of its warehouse. One that never arrived and of
// which nothing was kept leaves no trace: it is what a restore would not find.
func (h *horizon) drop(o *orderLine) {
	if o.written {
		h.kill(o.place)
	}
	if !o.arrived && o.collapsed == (deliveries{}) {
		return
	}
	h.done.Orders++
	h.orderFrontier = max(h.orderFrontier, o.orderedAt)
	if o.arrived && o.store >= 0 {
		h.warehouses[o.warehouse].base.take(o.store, o.taken(h.policy))
	}
}

// take adds to what a store has taken by order lines that are gone.
func (b *base) take(store int32, q topics.Quantity) {
	for i := range b.taken {
		if b.taken[i].store == store {
			b.taken[i].taken += q
			return
		}
	}
	b.taken = append(b.taken, storeTaken{store, q})
}

// survivor is an entry that stays.
type survivor struct {
	chunk       uint32
	place, size uint32
	hash        uint32 // of a ledger line's id
	at          topics.Time
	order       *orderLine // nil: a ledger line
}

// survivors lists the entries that stay, in the order in which they stand.
func (h *horizon) survivors() []survivor {
	var list []survivor
	for place, e := range h.entries.each(0, uint32(len(h.entries.data))) {
		if !h.isCurrent(place, e) {
			continue
		}
		s := survivor{chunk: h.entries.chunkOf(place), place: place, size: e.size}
		switch {
		case e.isOrder:
			s.order, _ = h.orders.get(e.order.id, h.names.sum(e.order.id))
		case h.done.Lines > 0 && h.goes(&e.line):
			continue
		default:
			s.hash, s.at = h.names.sum(e.line.id), e.line.at
		}
		list = append(list, s)
	}
	return list
}

// rewrite lays the entries anew: those of the chunks that stay as they are, and in the open chunk what
// stays of those that die. If that dies too, a new one is open.
func (h *horizon) rewrite() {
	stay, old := h.survivors(), h.entries
	h.entries = entries{data: make([]byte, 0, len(old.data))}
	next := &h.entries
	for _, s := range stay {
		if s.chunk >= h.dead {
			if len(next.chunks) == 0 || next.open().number != s.chunk {
				next.begin(s.chunk)
			}
			next.relay(&s, old.data)
		}
	}
	if open := max(h.dead, old.open().number); len(next.chunks) == 0 || next.open().number != open {
		next.begin(open)
	}
	for _, s := range stay {
		if s.chunk < h.dead {
			next.relay(&s, old.data)
		}
	}
	for _, o := range h.orders.list {
		switch keeps := o.collapsed != (deliveries{}); {
		case o.arrived:
		case keeps && !o.written:
			next.putOrder(o)
		case !keeps: // its lines alone tell of it
			o.orderedAt, o.changed = 0, 0
		}
	}
	if h.touched.deadFrom == 0 {
		h.touched.deadFrom = max(1, h.firstLive)
	}
	h.firstLive = h.dead
}

// relay puts an entry that stays at the end. An order line may keep more now than when it was written, and
// one that has not arrived and keeps nothing needs no entry.
func (s *entries) relay(e *survivor, old []byte) {
	o := e.order
	if o == nil {
		place := s.append(old[e.place : e.place+e.size])
		s.lines.add(e.hash, place)
		s.open().latest = max(s.open().latest, e.at)
		return
	}
	o.written = false
	if o.arrived || o.collapsed != (deliveries{}) {
		s.putOrder(o)
	}
}
