package testenv

import (
	"fmt"
	"slices"
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// Collapse takes the changelog's word for what it no longer holds. Ledger lines that are gone go on
// counting in full: a collapse changes no number. Order lines that are gone reserve nothing, and what they
// had taken stays as it was, whatever comes back against them later.
func (it *TruthItem) Collapse(held *state.Snapshot, policy state.Policy) {
	it.gone = map[string]topics.Quantity{}
	for id := range it.Orders {
		it.gone[id] = 0
	}
	for _, o := range held.Orders {
		if truth := it.Orders[o.ID]; truth != nil && truth.Arrived && !o.Arrived {
			it.gone[o.ID] = o.Delivered // only lines that came later are known
			continue
		}
		delete(it.gone, o.ID)
	}
	it.past, it.lineHorizon, it.orderHorizon = map[string]bool{}, nil, 0
	for id := range it.Lines {
		it.past[id] = true
	}
	for _, l := range held.Lines {
		delete(it.past, l.ID)
	}
	it.findHorizon()
	it.workOut(policy)
}

// findHorizon works out how far what is gone has moved the frontiers.
func (it *TruthItem) findHorizon() {
	for id := range it.past {
		l := it.Lines[id]
		if it.lineHorizon == nil || compareEffective(l, it.lineHorizon) > 0 {
			it.lineHorizon = l
		}
		o := it.Orders[l.OrderLineID]
		if _, gone := it.gone[l.OrderLineID]; gone && !o.Arrived {
			it.orderHorizon = max(it.orderHorizon, l.EffectiveAt)
		}
	}
	for id := range it.gone {
		if o := it.Orders[id]; o.Arrived {
			it.orderHorizon = max(it.orderHorizon, o.OrderedAt)
		}
	}
}

// CollapseFaults names what may not be gone: order lines that were not over, and lines that changed within
// the retention before the newest input; a zero retention is not looked at.
func (it *TruthItem) CollapseFaults(retention time.Duration, newest topics.Time) []string {
	var faults []string
	young := func(at topics.Time) bool { return retention > 0 && at.Time().Add(retention).After(newest.Time()) }
	for id := range it.past {
		if l := it.Lines[id]; young(l.At) {
			faults = append(faults, fmt.Sprintf("line %s: is gone, and changed at %s", id, l.At))
		}
	}
	for id, late := range it.gone {
		o := it.Orders[id]
		over := o.Delivered-late >= o.OrderedQty || slices.Contains([]topics.OrderStatus{
			topics.OrderClosed, topics.OrderCancelled, topics.OrderRemoved,
		}, o.Status)
		switch {
		case !o.Arrived:
		case !over:
			faults = append(faults, fmt.Sprintf("order line %s: is gone, and was not over: %s, %s of %s delivered",
				id, o.Status, o.Delivered-late, o.OrderedQty))
		case young(o.At):
			faults = append(faults, fmt.Sprintf("order line %s: is gone, and changed at %s", id, o.At))
		}
	}
	slices.Sort(faults)
	return faults
}

// mayBeTooLate tells whether a record that was refused as too late may have been: its line is not held,
// or is a count, and lies at or before what is gone.
func (it *TruthItem) mayBeTooLate(m *topics.Mutation) bool {
	if it == nil || it.lineHorizon == nil {
		return false
	}
	_, known := it.Lines[m.LineID]
	held := known && !it.past[m.LineID]
	return (!held || m.Kind == topics.KindCount) && compareEffective(&TruthLine{Mutation: *m}, it.lineHorizon) <= 0
}

// mayOrderBeTooLate is mayBeTooLate for an order line.
func (it *TruthItem) mayOrderBeTooLate(o *topics.Order) bool {
	if it == nil || o.OrderedAt > it.orderHorizon {
		return false
	}
	truth := it.Orders[o.OrderLineID]
	_, gone := it.gone[o.OrderLineID]
	return truth == nil || !truth.Arrived || gone
}
