package testenv

import (
	"math"

	"stocksync/topics"
)

// judge decides about one record, in the order of reasons that the design fixes.
func (f *refolder) judge(base string, j *Judged) {
	r := j.Record
	switch base {
	case topics.Commands:
		var c topics.Command
		if why := topics.DecodeCommand(r.Value, f.cfg.MaxRecordBytes, &c); why != nil {
			j.die(why.Reason)
		}
	case topics.Mutations:
		var m topics.Mutation
		if why := topics.DecodeMutation(r.Key, r.Value, f.cfg.MaxRecordBytes, &m); why != nil {
			j.die(why.Reason)
		} else if f.ownKey(j) {
			f.judgeMutation(j, &m)
		}
	case topics.Orders:
		var o topics.Order
		if why := topics.DecodeOrder(r.Key, r.Value, f.cfg.MaxRecordBytes, &o); why != nil {
			j.die(why.Reason)
		} else if f.ownKey(j) {
			f.judgeOrder(j, &o)
		}
	}
}

func (j *Judged) die(why topics.Reason) { j.Verdict, j.Reason = VerdictDead, why }

// judgeMutation decides whether a version of a ledger line is held from now on.
func (f *refolder) judgeMutation(j *Judged, m *topics.Mutation) {
	at := topics.TimeOf(j.Record.Timestamp)
	it := f.item(m.SKU)
	it.gross = addMagnitude(it.gross, m.Qty)
	j.SKU, j.ID, j.Ref, j.Trigger = m.SKU, m.LineID, m.VoucherNo, topics.TriggerEvent
	if m.Kind == topics.KindTouch {
		j.Trigger = topics.TriggerManual
		it.Applied++
		it.Touches++
		return
	}
	if f.tooLate(j) {
		return
	}
	held := it.Lines[m.LineID]
	same := held != nil && m.Version == held.Version && sameMutation(m, &held.Mutation)
	if same || held != nil && m.Version < held.Version {
		j.Verdict = VerdictDuplicate
		return
	}
	if why, ok := f.cfg.Refused[firstPlace(f.cfg.Prefix, j.Record)]; ok {
		j.die(why)
		return
	}
	if held != nil && m.Version == held.Version {
		j.die(topics.ReasonVersionConflict)
		return
	}
	it.Lines[m.LineID] = &TruthLine{Mutation: *m, At: at}
	it.Applied++
	it.used[m.Warehouse] = true
	it.FirstMutation = first(it.FirstMutation, at)
	it.LastMutationAt = max(it.LastMutationAt, at)
	if m.Kind == topics.KindCount {
		it.LastCountAt = max(it.LastCountAt, at)
	}
}

// judgeOrder decides whether a version of an order line is held from now on.
func (f *refolder) judgeOrder(j *Judged, o *topics.Order) {
	at := topics.TimeOf(j.Record.Timestamp)
	it := f.item(o.SKU)
	it.gross = addMagnitude(it.gross, o.OrderedQty)
	j.SKU, j.ID, j.Ref, j.Trigger = o.SKU, o.OrderLineID, o.OrderID, topics.TriggerEvent
	if f.tooLate(j) {
		return
	}
	held := it.Orders[o.OrderLineID]
	same := held != nil && o.Version == held.Version && sameOrder(o, &held.Order)
	if same || held != nil && o.Version < held.Version {
		j.Verdict = VerdictDuplicate
		return
	}
	if why, ok := f.cfg.Refused[firstPlace(f.cfg.Prefix, j.Record)]; ok {
		j.die(why)
		return
	}
	if held != nil && o.Version == held.Version {
		j.die(topics.ReasonVersionConflict)
		return
	}
	isNew := (held == nil || held.Status == topics.OrderDraft) && o.Status != topics.OrderDraft
	if isNew && o.Store != "" && (o.StoreSKU == "" || o.StoreSKU == o.SKU) {
		it.from[o.Store] = true
	}
	it.Orders[o.OrderLineID] = &TruthOrder{Order: *o, Arrived: true, At: at}
	it.Applied++
	it.used[o.Warehouse] = true
	it.FirstOrder = first(it.FirstOrder, at)
	it.LastOrderAt = max(it.LastOrderAt, at)
}

// tooLate tells whether the processor refused a record as too late, and gives the verdict. It looks before
// anything else: what it has collapsed it cannot compare.
func (f *refolder) tooLate(j *Judged) bool {
	why := f.cfg.Refused[firstPlace(f.cfg.Prefix, j.Record)]
	if why != topics.ReasonTooLate {
		return false
	}
	j.die(why)
	return true
}

// item returns the SKU's item; an item that nothing is applied to is not part of the truth.
func (f *refolder) item(sku string) *TruthItem {
	it := f.truth.Items[sku]
	if it == nil {
		it = &TruthItem{
			SKU: sku, Lines: map[string]*TruthLine{}, Orders: map[string]*TruthOrder{},
			used: map[string]bool{}, from: map[string]bool{},
		}
		f.truth.Items[sku] = it
	}
	return it
}

func first(t, at topics.Time) topics.Time {
	if t.IsZero() {
		return at
	}
	return t
}

// addMagnitude adds |q| to a sum that stays at its maximum.
func addMagnitude(sum uint64, q topics.Quantity) uint64 {
	n := uint64(max(q, -q))
	if sum+n < sum {
		return math.MaxUint64
	}
	return sum + n
}

// sameMutation compares what a version conflict is about.
func sameMutation(a, b *topics.Mutation) bool {
	return a.Kind == b.Kind && a.Status == b.Status && a.Warehouse == b.Warehouse && a.Qty == b.Qty &&
		a.EffectiveAt == b.EffectiveAt && a.Seq == b.Seq && a.OrderLineID == b.OrderLineID &&
		a.IsReturn == b.IsReturn
}

// sameOrder compares what a version conflict is about.
func sameOrder(a, b *topics.Order) bool {
	return a.Warehouse == b.Warehouse && a.Status == b.Status && a.OrderedQty == b.OrderedQty &&
		a.OrderedAt == b.OrderedAt && a.Store == b.Store
}
