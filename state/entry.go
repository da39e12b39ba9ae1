package state

import (
	"encoding/binary"

	"stocksync/topics"
)

// An entry starts with a tag. The lowest bit tells an order line from a ledger line.
//
//	ledger line: kind << 1, then the flags below; id; version; warehouse; qty; effective_at;
//	             seq; arrival day; order_line_id, reason, voucher_no where flagged
//	order line:  1, status << 1, then the flags below; id; arrival day; where arrived: version;
//	             warehouse; ordered_qty; ordered_at; order_id; store where flagged;
//	             where flagged: delivered and returned of collapsed lines; where flagged, of one that
//	             has not arrived: the newest of their times
//
// Warehouses and stores are indices into the header's lists, which only grow; nothing else in an entry
// depends on the header, so that it may move from chunk to chunk as it is.
const (
	entryOrder = 1

	lineCancelled = 1 << 3
	lineReturn    = 1 << 4
	lineOrder     = 1 << 5
	lineReason    = 1 << 6
	lineVoucher   = 1 << 7

	orderArrived   = 1 << 4
	orderStore     = 1 << 5
	orderCollapsed = 1 << 6
	orderNewest    = 1 << 7
)

func appendLine(b []byte, l *line) []byte {
	tag := byte(l.kind) << 1
	if l.cancelled {
		tag |= lineCancelled
	}
	if l.isReturn {
		tag |= lineReturn
	}
	if l.orderLineID != "" {
		tag |= lineOrder
	}
	if l.reason != "" {
		tag |= lineReason
	}
	if l.voucherNo != "" {
		tag |= lineVoucher
	}
	b = appendString(append(b, tag), l.id)
	b = binary.AppendUvarint(b, zigzag(l.version))
	b = binary.AppendUvarint(b, uint64(l.warehouse))
	b = appendQuantity(b, l.qty)
	b = appendMoment(b, l.at)
	b = binary.AppendUvarint(b, zigzag(l.seq))
	b = appendDay(b, l.arrived)
	if l.orderLineID != "" {
		b = appendString(b, l.orderLineID)
	}
	if l.reason != "" {
		b = appendString(b, l.reason)
	}
	if l.voucherNo != "" {
		b = appendString(b, l.voucherNo)
	}
	return b
}

func appendOrder(b []byte, o *orderLine) []byte {
	tag := entryOrder | byte(o.status)<<1
	if o.arrived {
		tag |= orderArrived
	}
	if o.store >= 0 {
		tag |= orderStore
	}
	if o.collapsed != (deliveries{}) {
		tag |= orderCollapsed
		if !o.arrived && !o.orderedAt.IsZero() {
			tag |= orderNewest
		}
	}
	b = appendString(append(b, tag), o.id)
	b = appendDay(b, o.changed)
	if o.arrived {
		b = binary.AppendUvarint(b, zigzag(o.version))
		b = binary.AppendUvarint(b, uint64(o.warehouse))
		b = appendQuantity(b, o.ordered)
		b = appendMoment(b, o.orderedAt)
		b = appendString(b, o.orderID)
	}
	if o.store >= 0 {
		b = binary.AppendUvarint(b, uint64(o.store))
	}
	if o.collapsed != (deliveries{}) {
		b = appendQuantity(appendQuantity(b, o.collapsed.delivered), o.collapsed.returned)
	}
	if tag&orderNewest != 0 {
		b = appendMoment(b, o.orderedAt)
	}
	return b
}

// entry decodes the next entry into e, whose strings then alias the value.
func (c *cursor) entry(e *entry) {
	tag := c.byte()
	e.isOrder = tag&entryOrder != 0
	if e.isOrder {
		c.readOrder(tag, &e.order)
	} else {
		c.readLine(tag, &e.line)
	}
}

func (c *cursor) readLine(tag byte, l *line) {
	l.kind = topics.MutationKind(tag >> 1 & 3)
	l.cancelled, l.isReturn = tag&lineCancelled != 0, tag&lineReturn != 0
	l.id = c.alias()
	l.version = c.varint()
	l.warehouse = int32(c.uvarint())
	l.qty = c.quantity()
	l.at = c.moment()
	l.seq = c.varint()
	l.arrived = c.day()
	l.orderLineID, l.reason, l.voucherNo = "", "", ""
	if tag&lineOrder != 0 {
		l.orderLineID = c.alias()
	}
	if tag&lineReason != 0 {
		l.reason = c.alias()
	}
	if tag&lineVoucher != 0 {
		l.voucherNo = c.alias()
	}
	if l.kind > topics.KindCount {
		c.fail()
	}
}

func (c *cursor) readOrder(tag byte, o *orderLine) {
	*o = orderLine{status: topics.OrderStatus(tag >> 1 & 7), arrived: tag&orderArrived != 0, store: -1}
	o.id, o.changed = c.alias(), c.day()
	if o.status > topics.OrderRemoved {
		c.fail()
	}
	if o.arrived {
		o.version, o.warehouse = c.varint(), int32(c.uvarint())
		o.ordered, o.orderedAt, o.orderID = c.quantity(), c.moment(), c.alias()
	}
	if tag&orderStore != 0 {
		o.store = int32(c.uvarint())
	}
	if tag&orderCollapsed != 0 {
		o.collapsed = deliveries{c.quantity(), c.quantity()}
	}
	if tag&orderNewest != 0 {
		if o.arrived || tag&orderCollapsed == 0 {
			c.fail()
		}
		o.orderedAt = c.moment()
	}
}
