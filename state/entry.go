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
//	             where flagged: delivered and returned of collapsed lines
//
// Warehouses and stores are indices into the header's lists, times are relative to as_of, days to
// the active day.
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
)

func (it *item) appendLine(b []byte, l *line) []byte {
	tag := byte(l.kind) << 1
	for _, f := range [...]struct {
		on  bool
		bit byte
	}{
		{l.cancelled, lineCancelled},
		{l.isReturn, lineReturn},
		{l.orderLineID != "", lineOrder},
		{l.reason != "", lineReason},
		{l.voucherNo != "", lineVoucher},
	} {
		if f.on {
			tag |= f.bit
		}
	}
	b = appendString(append(b, tag), l.id)
	b = binary.AppendUvarint(b, zigzag(l.version))
	b = binary.AppendUvarint(b, uint64(l.warehouse))
	b = appendQuantity(b, l.qty)
	b = appendTime(b, l.at, it.asOf)
	b = binary.AppendUvarint(b, zigzag(l.seq))
	b = binary.AppendUvarint(b, zigzag(int64(it.activeDay-l.arrived)))
	for _, s := range [...]string{l.orderLineID, l.reason, l.voucherNo} {
		if s != "" {
			b = appendString(b, s)
		}
	}
	return b
}

func (it *item) appendOrder(b []byte, o *orderLine) []byte {
	tag := entryOrder | byte(o.status)<<1
	if o.arrived {
		tag |= orderArrived
	}
	if o.store >= 0 {
		tag |= orderStore
	}
	if o.collapsed != (deliveries{}) {
		tag |= orderCollapsed
	}
	b = appendString(append(b, tag), o.id)
	b = binary.AppendUvarint(b, zigzag(int64(it.activeDay-o.changed)))
	if o.arrived {
		b = binary.AppendUvarint(b, zigzag(o.version))
		b = binary.AppendUvarint(b, uint64(o.warehouse))
		b = appendQuantity(b, o.ordered)
		b = appendTime(b, o.orderedAt, it.asOf)
		b = appendString(b, o.orderID)
	}
	if o.store >= 0 {
		b = binary.AppendUvarint(b, uint64(o.store))
	}
	if o.collapsed != (deliveries{}) {
		b = appendQuantity(appendQuantity(b, o.collapsed.delivered), o.collapsed.returned)
	}
	return b
}

// readEntry decodes one entry of a chunk whose header is in it: one of the results is set.
func (it *item) readEntry(c *cursor) (*line, *orderLine) {
	tag := c.byte()
	if tag&entryOrder != 0 {
		return nil, it.readOrder(c, tag)
	}
	l := &line{
		kind: topics.MutationKind(tag >> 1 & 3), cancelled: tag&lineCancelled != 0, isReturn: tag&lineReturn != 0,
		id: c.string(), version: c.varint(), warehouse: c.index(len(it.warehouses)), qty: c.quantity(),
		at: c.time(it.asOf), seq: c.varint(), arrived: it.activeDay - int32(c.varint()),
	}
	if l.kind > topics.KindCount {
		c.fail()
	}
	if tag&lineOrder != 0 {
		l.orderLineID = c.string()
	}
	if tag&lineReason != 0 {
		l.reason = it.names.internBytes(c.bytes())
	}
	if tag&lineVoucher != 0 {
		l.voucherNo = c.string()
	}
	return l, nil
}

func (it *item) readOrder(c *cursor, tag byte) *orderLine {
	o := &orderLine{
		status: topics.OrderStatus(tag >> 1 & 7), arrived: tag&orderArrived != 0, store: -1,
		id: c.string(), changed: it.activeDay - int32(c.varint()),
	}
	if o.status > topics.OrderRemoved {
		c.fail()
	}
	if o.arrived {
		o.version, o.warehouse = c.varint(), c.index(len(it.warehouses))
		o.ordered, o.orderedAt, o.orderID = c.quantity(), c.time(it.asOf), c.string()
	}
	if tag&orderStore != 0 {
		o.store = c.index(len(it.stores))
	}
	if tag&orderCollapsed != 0 {
		o.collapsed = deliveries{c.quantity(), c.quantity()}
	}
	return o
}
