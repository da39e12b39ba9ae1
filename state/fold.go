package state

import (
	"fmt"
	"strings"

	"stocksync/topics"
)

// Outcome is what became of one input record.
type Outcome uint8

// The outcomes; their counts add up to the records consumed.
const (
	Applied Outcome = iota
	Duplicate
	DeadLettered
	Forwarded
)

// String returns the outcome's name in metrics.
func (o Outcome) String() string {
	switch o {
	case Applied:
		return "applied"
	case Duplicate:
		return "duplicate"
	case DeadLettered:
		return "dead_lettered"
	case Forwarded:
		return "forwarded"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// maxHeaderBytes is the size of a header past which a SKU takes no new warehouse or store: the
// header stands in every chunk and every availability record repeats it.
const maxHeaderBytes = 512 << 10

// applyMutation folds one version of a ledger line at broker time now. The strings of m may alias
// the input. A reject leaves the item as it was.
func (it *item) applyMutation(m *topics.Mutation, now topics.Time) (Outcome, *topics.Reject) {
	if m.Kind == topics.KindTouch {
		return Applied, nil
	}
	hash := it.names.sum(m.LineID)
	var old line
	place, held := it.entries.find(m.LineID, hash, &old)
	if held && m.Version < old.version {
		return Duplicate, nil
	}
	candidate := line{
		id: m.LineID, orderLineID: m.OrderLineID, reason: m.Reason, voucherNo: m.VoucherNo,
		version: m.Version, seq: m.Seq, qty: m.Qty,
		at: m.EffectiveAt, warehouse: it.warehouse(m.Warehouse), arrived: now.UTCDay(),
		kind: m.Kind, cancelled: m.Status == topics.StatusCancelled, isReturn: m.IsReturn,
	}
	if held && m.Version == old.version && old.sameContent(&candidate) {
		return Duplicate, nil
	}
	if r := it.lineTooLate(&candidate, held); r != nil {
		return DeadLettered, r
	}
	if held && m.Version == old.version {
		return DeadLettered, conflict("line_id", m.LineID, m.Version)
	}
	before, wide := it.mark(), (*topics.Reject)(nil)
	if candidate.warehouse < 0 {
		wide = it.tooWide("warehouse", m.Warehouse)
		candidate.warehouse = it.addWarehouse(m.Warehouse)
	}
	return it.putLine(&candidate, hash, &old, place, held, before, wide)
}

func conflict(field, id string, version int64) *topics.Reject {
	return &topics.Reject{Reason: topics.ReasonVersionConflict, Message: fmt.Sprintf(
		"%s: %q has version %d already, with other content; the first one stays", field, id, version)}
}

// lineTooLate refuses a line at or before the frontier that is not held, and any count put there.
func (it *item) lineTooLate(l *line, held bool) *topics.Reject {
	if it.lineFrontier.isZero() || l.position().compare(it.lineFrontier) > 0 {
		return nil
	}
	if held && l.kind != topics.KindCount {
		return nil
	}
	return &topics.Reject{Reason: topics.ReasonTooLate, Message: fmt.Sprintf(
		"effective_at: %s is at or before the horizon of %q, %s; send a new opposite line instead",
		l.at.Append(nil), it.sku, it.lineFrontier.at.Append(nil))}
}

// addWarehouse makes room for a warehouse the SKU has not had and returns its index.
func (it *item) addWarehouse(name string) int32 {
	it.warehouses = append(it.warehouses, warehouse{name: it.names.intern(name)})
	it.headerBytes += len(name) + 24
	return int32(len(it.warehouses) - 1)
}

// addStore makes room for a store the SKU has not had and returns its index.
func (it *item) addStore(name string) int32 {
	it.stores = append(it.stores, it.names.intern(name))
	it.headerBytes += len(name) + 24
	return int32(len(it.stores) - 1)
}

// tooWide refuses one more name where the header is full.
func (it *item) tooWide(field, name string) *topics.Reject {
	if it.headerBytes <= maxHeaderBytes {
		return nil
	}
	return &topics.Reject{Reason: topics.ReasonSKUTooWide, Message: fmt.Sprintf(
		"%s: %q would be one more for %q, whose header has %d bytes", field, name, it.sku, it.headerBytes)}
}

// overflow refuses the event in progress when it took a total out of its range; else it returns wide,
// which comes after overflow in the order of reasons.
func (it *item) overflow(field string, q topics.Quantity, wide *topics.Reject) *topics.Reject {
	if !it.suspect || !it.overflows() {
		return wide
	}
	return &topics.Reject{Reason: topics.ReasonOverflow, Message: fmt.Sprintf(
		"%s: %s would take a total of %q out of its range", field, q, it.sku)}
}

// putLine gives a ledger line its next version, unless that overflows or wide is set: the one at a place
// is old, where it is held.
func (it *item) putLine(
	l *line, hash uint32, old *line, place uint32, held bool, before mark, wide *topics.Reject,
) (Outcome, *topics.Reject) {
	it.suspect = false
	if held {
		it.uncount(old)
	}
	at := it.entries.put(l, hash, place, held)
	it.count(l)
	refused := it.overflow("qty", l.qty, wide)
	if refused == nil {
		return Applied, nil
	}
	it.uncount(l)
	it.entries.undo(hash, at, place, held)
	if held {
		it.count(old)
	}
	it.rewind(before)
	return DeadLettered, refused
}

// count adds a ledger line to all totals, uncount takes it out.
func (it *item) count(l *line) {
	it.link(l)
	if l.orderLineID != "" {
		it.delivers(l, it.orderFor(l.orderLineID), false)
	}
}

func (it *item) uncount(l *line) {
	it.unlink(l)
	if l.orderLineID != "" {
		it.delivers(l, it.orderFor(l.orderLineID), true)
	}
}

// orderFor returns the order line with this id; one that has not arrived is held from its first
// delivery on.
func (it *item) orderFor(id string) *orderLine {
	hash := it.names.sum(id)
	if o, ok := it.orders.get(id, hash); ok {
		return o
	}
	o := &orderLine{id: strings.Clone(id), store: -1}
	it.orders.add(o, hash)
	return o
}

// mark remembers how much an item holds, so that a refused event leaves nothing behind.
type mark struct{ warehouses, stores, orders, headerBytes int }

func (it *item) mark() mark {
	return mark{len(it.warehouses), len(it.stores), len(it.orders.list), it.headerBytes}
}

func (it *item) rewind(m mark) {
	for len(it.orders.list) > m.orders {
		it.orders.removeLast()
	}
	it.warehouses, it.stores = it.warehouses[:m.warehouses], it.stores[:m.stores]
	it.headerBytes = m.headerBytes
}

// applyOrder folds one version of a sales-order line at broker time now, like applyMutation.
func (it *item) applyOrder(m *topics.Order, now topics.Time) (Outcome, *topics.Reject) {
	hash := it.names.sum(m.OrderLineID)
	old, held := it.orders.get(m.OrderLineID, hash)
	arrived := held && old.arrived
	if arrived && m.Version < old.version {
		return Duplicate, nil
	}
	next := orderLine{
		version: m.Version, ordered: m.OrderedQty, orderedAt: m.OrderedAt, status: m.Status,
		warehouse: it.warehouse(m.Warehouse), store: -1, changed: now.UTCDay(), arrived: true,
	}
	if m.Store != "" {
		next.store = it.store(m.Store)
	}
	known := next.warehouse >= 0 && (m.Store == "" || next.store >= 0)
	if arrived && m.Version == old.version && known && old.sameContent(&next) {
		return Duplicate, nil
	}
	if r := it.orderTooLate(m, old); r != nil {
		return DeadLettered, r
	}
	if arrived && m.Version == old.version {
		return DeadLettered, conflict("order_line_id", m.OrderLineID, m.Version)
	}
	before := it.mark()
	wide := it.widenForOrder(m, &next)
	fresh := (!arrived || old.status == topics.OrderDraft) && m.Status != topics.OrderDraft &&
		(m.StoreSKU == "" || m.StoreSKU == m.SKU) // else the store sells it under another text
	return it.putOrder(m, old, &next, hash, fresh, before, wide)
}

// orderTooLate refuses an order line at or before the frontier that is not held: old is nil, or one that
// has not arrived. Such a one counts as held if something was shipped on it: then the order is late, and
// was never counted. What came back alone tells of an order line that may have been collapsed.
func (it *item) orderTooLate(m *topics.Order, old *orderLine) *topics.Reject {
	held := old != nil && (old.arrived || old.shipped())
	if held || it.orderFrontier.IsZero() || m.OrderedAt > it.orderFrontier {
		return nil
	}
	return &topics.Reject{Reason: topics.ReasonTooLate, Message: fmt.Sprintf(
		"ordered_at: %s is at or before the order horizon of %q, %s", m.OrderedAt.Append(nil), it.sku,
		it.orderFrontier.Append(nil))}
}

// widenForOrder makes room for the warehouse and the store of an order line, and says when there was
// none.
func (it *item) widenForOrder(m *topics.Order, next *orderLine) (wide *topics.Reject) {
	newWarehouse, newStore := next.warehouse < 0, m.Store != "" && next.store < 0
	switch {
	case newStore:
		wide = it.tooWide("store", m.Store)
	case newWarehouse:
		wide = it.tooWide("warehouse", m.Warehouse)
	}
	if newWarehouse {
		next.warehouse = it.addWarehouse(m.Warehouse)
	}
	if newStore {
		next.store = it.addStore(m.Store)
	}
	return wide
}

// putOrder gives an order line its next version, unless that overflows or wide is set; old is nil when
// the order line is not held.
func (it *item) putOrder(
	m *topics.Order, old, next *orderLine, hash uint32, fresh bool, before mark, wide *topics.Reject,
) (Outcome, *topics.Reject) {
	it.suspect = false
	added := old == nil
	if added {
		old = &orderLine{id: strings.Clone(m.OrderLineID), store: -1}
		it.orders.add(old, hash)
	}
	was := *old
	it.unreserve(old)
	next.id, next.orderID = old.id, old.orderID
	if next.orderID != m.OrderID {
		next.orderID = strings.Clone(m.OrderID)
	}
	next.delivered, next.returned, next.collapsed = old.delivered, old.returned, old.collapsed
	next.place, next.written = old.place, old.written
	*old = *next
	it.reserve(old)
	if refused := it.overflow("ordered_qty", m.OrderedQty, wide); refused != nil {
		it.unreserve(old)
		*old = was
		it.reserve(old)
		it.rewind(before)
		return DeadLettered, refused
	}
	it.entries.putOrder(old)
	if fresh && old.store >= 0 {
		it.orderFrom(old.store)
	}
	return Applied, nil
}

// orderFrom notes that this commit's revision carries a new order line from the store.
func (it *item) orderFrom(store int32) {
	for i := range it.ordersFrom {
		if it.ordersFrom[i].store == store {
			it.ordersFrom[i].revision = 0
			return
		}
	}
	it.ordersFrom = append(it.ordersFrom, storeRevision{store: store})
}
