package topics

import (
	"fmt"
	"strconv"
)

// Topic orders: the current version of one line of a sales order.
//
//	producer    upstream; the owner of a partition forwards misrouted records
//	consumer    processor
//	key         SKU, equal to the field sku byte for byte
//	cleanup     delete, retention by ops; LogAppendTime
//	partitions  P
//	schema      schemas/orders.json
//	version     additive only; a higher version of the same line replaces it wholly.

// Order is one order line as it is now. (SKU, OrderLineID) is its identity.
type Order struct {
	OrderLineID  string      `json:"order_line_id"`
	Version      int64       `json:"version"`
	SKU          string      `json:"sku"`
	Warehouse    string      `json:"warehouse"`
	Status       OrderStatus `json:"status"`
	OrderedQty   Quantity    `json:"ordered_qty"`
	OrderedAt    Time        `json:"ordered_at"`
	OrderID      string      `json:"order_id"`
	Store        string      `json:"store,omitzero"`
	StoreOrderID string      `json:"store_order_id,omitzero"`
	StoreSKU     string      `json:"store_sku,omitzero"` // the SKU text the marketplace sent
	ChangedAt    Time        `json:"changed_at,omitzero"`
	Source       string      `json:"source,omitzero"`
}

// OrderStatus is where an order line stands.
type OrderStatus uint8

// The statuses of order lines. Only OrderOpen reserves; OrderOnHold too where the policy says so.
const (
	OrderDraft OrderStatus = iota
	OrderOpen
	OrderOnHold
	OrderClosed
	OrderCancelled
	OrderRemoved
)

// String returns the status as records write it.
func (s OrderStatus) String() string {
	switch s {
	case OrderDraft:
		return "draft"
	case OrderOpen:
		return "open"
	case OrderOnHold:
		return "on_hold"
	case OrderClosed:
		return "closed"
	case OrderCancelled:
		return "cancelled"
	case OrderRemoved:
		return "removed"
	}
	return fmt.Sprintf("OrderStatus(%d)", uint8(s))
}

// The known fields of an order, as bits of a checker.
const (
	orderLineID = 1 << iota
	orderVersion
	orderSKU
	orderWarehouse
	orderStatus
	orderOrderedQty
	orderOrderedAt
	orderOrderID
	orderStore
	orderStoreOrderID
	orderStoreSKU
	orderChangedAt
	orderSource
)

// DecodeOrder reads one record of topic orders into *into, whose old contents are lost, or says why not: in this
// order null_value, empty_key, oversized (more than maxBytes; 0 = no limit), undecodable, invalid, key_mismatch. After
// a reject *into is undefined. The strings of *into alias value: copy what outlives it.
func DecodeOrder(key, value []byte, maxBytes int, into *Order) *Reject {
	if reject := admit(key, value, true, maxBytes); reject != nil {
		return reject
	}
	*into = Order{}
	var c checker
	s := flatScanner{data: value}
	for s.next() {
		into.setField(&c, &s.field)
	}
	if !s.plain {
		return into.decodeAny(key, value)
	}
	into.checkWhole(&c)
	return c.verdict(key, into.SKU)
}

// decodeAny reads a record that the flat scanner gave up on.
func (o *Order) decodeAny(key, value []byte) *Reject {
	fields, reject := splitObject(value)
	if reject != nil {
		return reject
	}
	*o = Order{}
	var c checker
	for i := range fields {
		c.anyField(&fields[i])
		o.setField(&c, &fields[i])
	}
	o.checkWhole(&c)
	return c.verdict(key, o.SKU)
}

// setField reads one member of the record.
func (o *Order) setField(c *checker, f *field) {
	switch f.name {
	case "order_line_id":
		o.OrderLineID = c.id(f, orderLineID, maxID)
	case "version":
		o.Version = c.integer(f, orderVersion)
	case "sku":
		o.SKU = c.id(f, orderSKU, maxID)
	case "warehouse":
		o.Warehouse = c.warehouse(f, orderWarehouse)
	case "status":
		if name, ok := c.name(f, orderStatus); ok {
			if o.Status, ok = orderStatusOf(name); !ok {
				c.fail(f.name, f.raw, "is not one of "+orderStatusNames)
			}
		}
	case "ordered_qty":
		if o.OrderedQty = c.quantity(f, orderOrderedQty); o.OrderedQty < 0 {
			c.fail(f.name, f.raw, "is negative")
		}
	case "ordered_at":
		o.OrderedAt = c.time(f, orderOrderedAt)
	case "order_id":
		o.OrderID = c.id(f, orderOrderID, maxID)
	case "store":
		o.Store = c.store(f, orderStore)
	case "store_order_id":
		o.StoreOrderID = c.id(f, orderStoreOrderID, maxID)
	case "store_sku":
		o.StoreSKU = c.text(f, orderStoreSKU, maxID)
	case "changed_at":
		o.ChangedAt = c.time(f, orderChangedAt)
	case "source":
		o.Source = c.text(f, orderSource, maxID)
	}
}

// checkWhole checks what only the whole record shows.
func (o *Order) checkWhole(c *checker) {
	c.require(orderLineID, "order_line_id")
	c.require(orderVersion, "version")
	c.require(orderSKU, "sku")
	c.require(orderWarehouse, "warehouse")
	c.require(orderStatus, "status")
	c.require(orderOrderedQty, "ordered_qty")
	c.require(orderOrderedAt, "ordered_at")
	c.require(orderOrderID, "order_id")
}

// AppendJSON appends o as a record's value; optional fields that hold nothing are left out. It does not check o: text
// that is not valid UTF-8 is written with U+FFFD in its place, and a value that breaks a rule is rejected by whoever
// decodes it.
func (o *Order) AppendJSON(b []byte) []byte {
	b = appendText(append(b, `{"order_line_id":`...), o.OrderLineID)
	b = strconv.AppendInt(append(b, `,"version":`...), o.Version, 10)
	b = appendText(append(b, `,"sku":`...), o.SKU)
	b = appendText(append(b, `,"warehouse":`...), o.Warehouse)
	b = appendText(append(b, `,"status":`...), o.Status.String())
	b = o.OrderedQty.Append(append(b, `,"ordered_qty":`...))
	b = o.OrderedAt.appendJSON(append(b, `,"ordered_at":`...))
	b = appendText(append(b, `,"order_id":`...), o.OrderID)
	b = appendOptional(b, `,"store":`, o.Store)
	b = appendOptional(b, `,"store_order_id":`, o.StoreOrderID)
	b = appendOptional(b, `,"store_sku":`, o.StoreSKU)
	if !o.ChangedAt.IsZero() {
		b = o.ChangedAt.appendJSON(append(b, `,"changed_at":`...))
	}
	b = appendOptional(b, `,"source":`, o.Source)
	return append(b, '}')
}
