package topics

import (
	"fmt"
	"strconv"
)

// Topic mutations: the current version of one line of the stock ledger.
//
//	producer    upstream (ERP adapters, `stocksync load`); the owner of a partition forwards misrouted records
//	consumer    processor
//	key         SKU, equal to the field sku byte for byte
//	cleanup     delete, retention by ops; LogAppendTime
//	partitions  P
//	schema      schemas/mutations.json
//	version     additive only. An event states what a line is now: a higher version of the same line replaces it
//	            wholly, a lower or equal one is a duplicate.

// Mutation is one ledger line as it is now. (SKU, LineID) is its identity.
type Mutation struct {
	LineID      string         `json:"line_id,omitzero"`
	Version     int64          `json:"version"`
	SKU         string         `json:"sku"`
	Warehouse   string         `json:"warehouse,omitzero"`
	Kind        MutationKind   `json:"kind"`
	Status      MutationStatus `json:"status"`
	Qty         Quantity       `json:"qty"` // signed for a delta, >= 0 for a count
	EffectiveAt Time           `json:"effective_at,omitzero"`
	Seq         int64          `json:"seq,omitzero"`           // breaks ties of EffectiveAt; then LineID
	OrderLineID string         `json:"order_line_id,omitzero"` // the order line this one ships or brings back
	IsReturn    bool           `json:"is_return,omitzero"`
	Reason      string         `json:"reason,omitzero"`
	VoucherType string         `json:"voucher_type,omitzero"`
	VoucherNo   string         `json:"voucher_no,omitzero"`
	Source      string         `json:"source,omitzero"`
	Actor       string         `json:"actor,omitzero"`
	Note        string         `json:"note,omitzero"`
}

// MutationKind says what a mutation's quantity means.
type MutationKind uint8

// The kinds of mutations.
const (
	KindDelta MutationKind = iota // adds qty to Actual
	KindCount                     // sets Actual to qty as of effective_at (stock opname)
	KindTouch                     // no quantity: emit this SKU again
)

// String returns the kind as records write it.
func (k MutationKind) String() string {
	switch k {
	case KindDelta:
		return "delta"
	case KindCount:
		return "count"
	case KindTouch:
		return "touch"
	}
	return fmt.Sprintf("MutationKind(%d)", uint8(k))
}

// MutationStatus says whether a mutation counts.
type MutationStatus uint8

// The statuses of mutations.
const (
	StatusPosted MutationStatus = iota
	StatusCancelled
)

// String returns the status as records write it.
func (s MutationStatus) String() string {
	switch s {
	case StatusPosted:
		return "posted"
	case StatusCancelled:
		return "cancelled"
	}
	return fmt.Sprintf("MutationStatus(%d)", uint8(s))
}

// The known fields of a mutation, as bits of a checker.
const (
	mutationLineID = 1 << iota
	mutationVersion
	mutationSKU
	mutationWarehouse
	mutationKind
	mutationStatus
	mutationQty
	mutationEffectiveAt
	mutationSeq
	mutationOrderLineID
	mutationIsReturn
	mutationReason
	mutationVoucherType
	mutationVoucherNo
	mutationSource
	mutationActor
	mutationNote
)

// DecodeMutation reads one record of topic mutations into *into, whose old contents are lost, or says why not: in this
// order null_value, empty_key, oversized (more than maxBytes; 0 = no limit), undecodable, invalid, key_mismatch. After
// a reject *into is undefined. The strings of *into alias value: copy what outlives it. A touch keeps the fields it
// came with, checked, for causes and logs; they mean nothing to the fold.
func DecodeMutation(key, value []byte, maxBytes int, into *Mutation) *Reject {
	if reject := admit(key, value, true, maxBytes); reject != nil {
		return reject
	}
	*into = Mutation{}
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
func (m *Mutation) decodeAny(key, value []byte) *Reject {
	fields, reject := splitObject(value)
	if reject != nil {
		return reject
	}
	*m = Mutation{}
	var c checker
	for i := range fields {
		c.anyField(&fields[i])
		m.setField(&c, &fields[i])
	}
	m.checkWhole(&c)
	return c.verdict(key, m.SKU)
}

// setField reads one member of the record.
func (m *Mutation) setField(c *checker, f *field) {
	switch f.name {
	case "line_id":
		m.LineID = c.id(f, mutationLineID, maxID)
	case "version":
		m.Version = c.integer(f, mutationVersion)
	case "sku":
		m.SKU = c.id(f, mutationSKU, maxID)
	case "warehouse":
		m.Warehouse = c.warehouse(f, mutationWarehouse)
	case "kind":
		if name, ok := c.name(f, mutationKind); ok {
			if m.Kind, ok = kindOf(name); !ok {
				c.fail(f.name, f.raw, "is not one of "+kindNames)
			}
		}
	case "status":
		if name, ok := c.name(f, mutationStatus); ok {
			if m.Status, ok = mutationStatusOf(name); !ok {
				c.fail(f.name, f.raw, "is not one of "+mutationStatusNames)
			}
		}
	case "qty":
		m.Qty = c.quantity(f, mutationQty)
	case "effective_at":
		m.EffectiveAt = c.time(f, mutationEffectiveAt)
	case "seq":
		m.Seq = c.integer(f, mutationSeq)
	case "order_line_id":
		m.OrderLineID = c.id(f, mutationOrderLineID, maxID)
	case "is_return":
		m.IsReturn = c.boolean(f, mutationIsReturn)
	case "reason":
		m.Reason = c.text(f, mutationReason, maxID)
	case "voucher_type":
		m.VoucherType = c.text(f, mutationVoucherType, maxID)
	case "voucher_no":
		m.VoucherNo = c.text(f, mutationVoucherNo, maxID)
	case "source":
		m.Source = c.text(f, mutationSource, maxID)
	case "actor":
		m.Actor = c.text(f, mutationActor, maxID)
	case "note":
		m.Note = c.text(f, mutationNote, maxID)
	}
}

// checkWhole checks what only the whole record shows: missing fields, and rules that bind two fields.
func (m *Mutation) checkWhole(c *checker) {
	c.require(mutationSKU, "sku")
	if m.Kind != KindTouch {
		c.require(mutationLineID, "line_id")
		c.require(mutationVersion, "version")
		c.require(mutationWarehouse, "warehouse")
		c.require(mutationQty, "qty")
		c.require(mutationEffectiveAt, "effective_at")
	}
	if m.Kind != KindDelta && c.given&mutationOrderLineID != 0 {
		c.fail("order_line_id", strconv.Quote(m.OrderLineID), "does not go with kind "+m.Kind.String())
	}
	if m.Kind == KindCount && m.Qty < 0 {
		c.fail("qty", m.Qty.String(), "is negative, which a count cannot be")
	}
}

// AppendJSON appends m as a record's value. Fields that hold their default are left out, but for kind and status; a
// touch without a line leaves out the ledger's fields too. It does not check m: text that is not valid UTF-8 is
// written with U+FFFD in its place, and a value that breaks a rule is rejected by whoever decodes it.
func (m *Mutation) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if m.LineID != "" {
		b = appendText(append(b, `"line_id":`...), m.LineID)
		b = append(b, ',')
	}
	if m.Kind != KindTouch || m.Version != 0 {
		b = strconv.AppendInt(append(b, `"version":`...), m.Version, 10)
		b = append(b, ',')
	}
	b = appendText(append(b, `"sku":`...), m.SKU)
	b = appendOptional(b, `,"warehouse":`, m.Warehouse)
	b = appendText(append(b, `,"kind":`...), m.Kind.String())
	b = appendText(append(b, `,"status":`...), m.Status.String())
	if m.Kind != KindTouch || m.Qty != 0 {
		b = m.Qty.Append(append(b, `,"qty":`...))
	}
	if !m.EffectiveAt.IsZero() {
		b = m.EffectiveAt.appendJSON(append(b, `,"effective_at":`...))
	}
	if m.Seq != 0 {
		b = strconv.AppendInt(append(b, `,"seq":`...), m.Seq, 10)
	}
	b = appendOptional(b, `,"order_line_id":`, m.OrderLineID)
	if m.IsReturn {
		b = append(b, `,"is_return":true`...)
	}
	b = appendOptional(b, `,"reason":`, m.Reason)
	b = appendOptional(b, `,"voucher_type":`, m.VoucherType)
	b = appendOptional(b, `,"voucher_no":`, m.VoucherNo)
	b = appendOptional(b, `,"source":`, m.Source)
	b = appendOptional(b, `,"actor":`, m.Actor)
	b = appendOptional(b, `,"note":`, m.Note)
	return append(b, '}')
}
