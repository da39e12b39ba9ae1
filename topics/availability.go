package topics

import (
	"fmt"
	"strconv"
)

// Topic availability: one record is the whole current truth of one SKU.
//
//	producer    processor, in its transactions
//	consumer    sinks, console, analysts; with read_committed
//	key         SKU
//	cleanup     compact; delete.retention.ms and min.compaction.lag.ms 7 d; 8 MiB a record
//	partitions  P
//	headers     revision (decimal text), traceparent of the newest cause
//	schema      schemas/availability.json
//	version     additive only. A tombstone appears only when a split moves the SKU, and carries header revision: who
//	            merges partitions ignores what is not above the revision it holds.

// HeaderRevision names the header that carries the revision of an availability record or tombstone.
const HeaderRevision = "revision"

// MaxCauses is the most causes one availability record names.
const MaxCauses = 4

// Availability is what one SKU's stock is, per warehouse and in sum.
type Availability struct {
	SKU            string           `json:"sku"`
	Revision       int64            `json:"revision"` // strictly grows per SKU, across rebuilds too (F6)
	Actual         Quantity         `json:"actual"`
	Reserved       Quantity         `json:"reserved"`
	Net            Quantity         `json:"net"`
	Available      Quantity         `json:"available"` // max(0, Net), clamped once (F5)
	Warehouses     []WarehouseStock `json:"warehouses"`
	Trigger        Trigger          `json:"trigger"`
	Changed        bool             `json:"changed"` // against the SKU's previous record
	CausesTotal    int              `json:"causes_total"`
	Causes         []Cause          `json:"causes"` // at most MaxCauses, newest last
	OrdersFrom     StoreRevisions   `json:"orders_from"`
	FirstSeenAt    Time             `json:"first_seen_at"`
	LastMutationAt Time             `json:"last_mutation_at"`
	LastOrderAt    Time             `json:"last_order_at"`
	LastCountAt    Time             `json:"last_count_at"`
	AsOf           Time             `json:"as_of"`
	ProcessedAt    Time             `json:"processed_at"`
}

// WarehouseStock is one warehouse's part of a SKU's stock.
type WarehouseStock struct {
	Warehouse string      `json:"warehouse"`
	Actual    Quantity    `json:"actual"`
	Reserved  Quantity    `json:"reserved"`
	Net       Quantity    `json:"net"`
	Available Quantity    `json:"available"`
	ByStore   StoreStocks `json:"by_store,omitempty"`
}

// StoreStock is what one store's order lines hold of a SKU in one warehouse.
type StoreStock struct {
	Store    string
	Reserved Quantity // their contribution to Reserved
	Taken    Quantity // contribution plus delivered, kept when lines collapse
}

// StoreStocks is a JSON object keyed by store; the slice is sorted by store.
type StoreStocks []StoreStock

// StoreRevision is the revision that carried a store's latest new order line for a SKU.
type StoreRevision struct {
	Store    string
	Revision int64
}

// StoreRevisions is a JSON object keyed by store, {} when empty; the slice is sorted by store.
type StoreRevisions []StoreRevision

// Cause is one input record that an availability record follows from.
type Cause struct {
	Topic     string `json:"topic"` // full name
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	ID        string `json:"id"`     // line_id or order_line_id
	Ref       string `json:"ref"`    // voucher or order number
	Reason    string `json:"reason"` // the mutation's reason
}

// Trigger says why an availability record was written; of several the greatest.
type Trigger uint8

// The triggers, in rising order.
const (
	TriggerNightly Trigger = iota // also a policy walk, a split, and a nightly run by command
	TriggerEvent
	TriggerManual // a touch
)

// String returns the trigger as records write it.
func (t Trigger) String() string {
	switch t {
	case TriggerNightly:
		return "nightly"
	case TriggerEvent:
		return "event"
	case TriggerManual:
		return "manual"
	}
	return fmt.Sprintf("Trigger(%d)", uint8(t))
}

// AppendJSON appends a as a record's value, without allocating. ByStore and OrdersFrom must be sorted by store, each
// store once.
func (a *Availability) AppendJSON(b []byte) []byte {
	b = appendText(append(b, `{"sku":`...), a.SKU)
	b = appendInt(b, `,"revision":`, a.Revision)
	b = appendQty(b, `,"actual":`, a.Actual)
	b = appendQty(b, `,"reserved":`, a.Reserved)
	b = appendQty(b, `,"net":`, a.Net)
	b = appendQty(b, `,"available":`, a.Available)
	b = append(b, `,"warehouses":[`...)
	for i := range a.Warehouses {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Warehouses[i].appendJSON(b)
	}
	b = append(b, `],"trigger":"`...)
	b = append(b, a.Trigger.String()...)
	b = strconv.AppendBool(append(b, `","changed":`...), a.Changed)
	b = appendInt(b, `,"causes_total":`, int64(a.CausesTotal))
	b = append(b, `,"causes":[`...)
	for i := range a.Causes {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Causes[i].appendJSON(b)
	}
	b = a.OrdersFrom.appendJSON(append(b, `],"orders_from":`...))
	b = appendTime(b, `,"first_seen_at":`, a.FirstSeenAt)
	b = appendTime(b, `,"last_mutation_at":`, a.LastMutationAt)
	b = appendTime(b, `,"last_order_at":`, a.LastOrderAt)
	b = appendTime(b, `,"last_count_at":`, a.LastCountAt)
	b = appendTime(b, `,"as_of":`, a.AsOf)
	b = appendTime(b, `,"processed_at":`, a.ProcessedAt)
	return append(b, '}')
}

func (w *WarehouseStock) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"warehouse":`...), w.Warehouse)
	b = appendQty(b, `,"actual":`, w.Actual)
	b = appendQty(b, `,"reserved":`, w.Reserved)
	b = appendQty(b, `,"net":`, w.Net)
	b = appendQty(b, `,"available":`, w.Available)
	if len(w.ByStore) > 0 {
		b = w.ByStore.appendJSON(append(b, `,"by_store":`...))
	}
	return append(b, '}')
}

func (c *Cause) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"topic":`...), c.Topic)
	b = appendInt(b, `,"partition":`, int64(c.Partition))
	b = appendInt(b, `,"offset":`, c.Offset)
	b = appendText(append(b, `,"id":`...), c.ID)
	b = appendText(append(b, `,"ref":`...), c.Ref)
	b = appendText(append(b, `,"reason":`...), c.Reason)
	return append(b, '}')
}

func (s StoreStocks) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s[i].Store)
		b = appendQty(b, `:{"reserved":`, s[i].Reserved)
		b = appendQty(b, `,"taken":`, s[i].Taken)
		b = append(b, '}')
	}
	return append(b, '}')
}

func (s StoreRevisions) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s[i].Store)
		b = appendInt(b, ":", s[i].Revision)
	}
	return append(b, '}')
}

// DecodeAvailability reads a record's value. It takes what a later release may add and checks only what a reader
// relies on: one JSON object with a sku and fields of the right types. Absent fields hold their zero value.
func DecodeAvailability(value []byte) (*Availability, error) {
	var a Availability
	if err := decodeRecord(value, &a); err != nil {
		return nil, fmt.Errorf("decode availability: %w", err)
	}
	var f faults
	f.id("sku", a.SKU, maxID)
	if err := f.err(); err != nil {
		return nil, fmt.Errorf("decode availability: %w", err)
	}
	return &a, nil
}

// MarshalJSON writes s as an object keyed by store.
func (s StoreStocks) MarshalJSON() ([]byte, error) { return s.appendJSON(nil), nil }

// UnmarshalJSON reads an object keyed by store.
func (s *StoreStocks) UnmarshalJSON(data []byte) error {
	type stock struct {
		Reserved Quantity `json:"reserved"`
		Taken    Quantity `json:"taken"`
	}
	byStore, err := decodeSorted[stock](data)
	*s = nil
	for _, m := range byStore {
		*s = append(*s, StoreStock{Store: m.name, Reserved: m.value.Reserved, Taken: m.value.Taken})
	}
	return err
}

// MarshalJSON writes s as an object keyed by store.
func (s StoreRevisions) MarshalJSON() ([]byte, error) { return s.appendJSON(nil), nil }

// UnmarshalJSON reads an object keyed by store.
func (s *StoreRevisions) UnmarshalJSON(data []byte) error {
	byStore, err := decodeSorted[int64](data)
	*s = nil
	for _, m := range byStore {
		*s = append(*s, StoreRevision{Store: m.name, Revision: m.value})
	}
	return err
}
