package cli

import (
	"cmp"
	"maps"
	"slices"

	"stocksync/state"
	"stocksync/topics"
)

// books is all that the numbers of one SKU follow from. It adds up by the definitions, each number for itself, and
// shares nothing with the processor's fold, which keeps its totals step by step.
type books struct {
	lines     []state.Line
	orders    []state.OrderLine // of which only what a record said counts, not what was worked out
	bases     []state.Base
	collapsed map[string]state.Deliveries
	over      map[string]bool // order lines that collapsed: they reserve nothing, whatever came back since
}

// sums is what the books say of one warehouse. Sums that leave int64 half way come back, as the totals fit.
type sums struct {
	actual, reserved topics.Quantity
	stores           map[string]topics.StoreStock
}

// add returns the sums of each warehouse that the books name.
func (b *books) add(policy state.Policy) map[string]*sums {
	all := map[string]*sums{}
	in := func(warehouse string) *sums {
		if all[warehouse] == nil {
			all[warehouse] = &sums{stores: map[string]topics.StoreStock{}}
		}
		return all[warehouse]
	}
	lines := map[string][]state.Line{}
	for _, l := range b.lines {
		lines[l.Warehouse] = append(lines[l.Warehouse], l)
	}
	bases := map[string]state.Base{}
	for _, base := range b.bases {
		bases[base.Warehouse] = base
		for _, s := range base.Taken {
			in(base.Warehouse).store(s.Store, 0, s.Taken)
		}
	}
	for w := range maps.Keys(bases) {
		in(w).actual = actualOf(bases[w], lines[w])
	}
	for w := range lines {
		in(w).actual = actualOf(bases[w], lines[w])
	}
	said := b.deliveries()
	for _, o := range b.orders {
		if !o.Arrived {
			continue
		}
		reserved := contribution(&o, said[o.ID], policy)
		if b.over[o.ID] {
			reserved = 0
		}
		w := in(o.Warehouse)
		w.reserved += reserved
		if o.Store != "" {
			w.store(o.Store, reserved, min(max(reserved+said[o.ID].Delivered, 0), o.OrderedQty))
		}
	}
	return all
}

// store adds to what a store's order lines hold.
func (s *sums) store(name string, reserved, taken topics.Quantity) {
	held := s.stores[name]
	s.stores[name] = topics.StoreStock{Store: name, Reserved: held.Reserved + reserved, Taken: held.Taken + taken}
}

// actualOf is the newest live count plus all live deltas after it (F3). Collapsed lines are the base: a count in it,
// and nothing at or before that adds to it.
func actualOf(base state.Base, lines []state.Line) topics.Quantity {
	actual, from := base.Actual, base.Count
	for _, l := range lines {
		at := positionOf(&l)
		if l.Kind == topics.KindCount && l.Status == topics.StatusPosted && comparePositions(at, from) > 0 {
			actual, from = l.Qty, at
		}
	}
	for _, l := range lines {
		if l.Kind == topics.KindDelta && l.Status == topics.StatusPosted && comparePositions(positionOf(&l), from) > 0 {
			actual += l.Qty
		}
	}
	return actual
}

// deliveries is what ledger lines say of the order lines they name: a shipment has a negative quantity.
func (b *books) deliveries() map[string]state.Deliveries {
	said := map[string]state.Deliveries{}
	maps.Copy(said, b.collapsed)
	for _, l := range b.lines {
		if l.OrderLineID == "" || l.Kind != topics.KindDelta || l.Status != topics.StatusPosted {
			continue
		}
		d := said[l.OrderLineID]
		d.Delivered -= l.Qty
		if l.IsReturn {
			d.Returned += l.Qty
		}
		said[l.OrderLineID] = d
	}
	return said
}

// contribution is what an order line reserves (F4).
func contribution(o *state.OrderLine, said state.Deliveries, policy state.Policy) topics.Quantity {
	reserves := o.Status == topics.OrderOpen || o.Status == topics.OrderOnHold && policy.OnHoldReserves
	if !reserves || said.Delivered > o.OrderedQty {
		return 0
	}
	left := o.OrderedQty - said.Delivered
	if !policy.ReturnsReserve {
		left -= said.Returned
	}
	return min(max(left, 0), o.OrderedQty)
}

func positionOf(l *state.Line) state.Position {
	return state.Position{At: l.EffectiveAt, Seq: l.Seq, ID: l.ID}
}

func comparePositions(a, b state.Position) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID))
}

// compareSums holds the totals of a header (got) against the books' (want), per warehouse and store; missing is zero.
// Without taken, which collapsed order lines leave behind as it was, that is left out.
func (a *auditor) compareSums(d AuditDifference, got []topics.WarehouseStock, want map[string]*sums, taken bool) {
	held := map[string]*topics.WarehouseStock{}
	for i := range got {
		held[got[i].Warehouse] = &got[i]
	}
	for _, name := range namesOf(held, want) {
		g, w := held[name], want[name]
		if g == nil {
			g = &topics.WarehouseStock{}
		}
		if w == nil {
			w = &sums{}
		}
		d.Warehouse = name
		a.compareQuantity(d, "actual", g.Actual, w.actual)
		a.compareQuantity(d, "reserved", g.Reserved, w.reserved)
		a.compareStores(d, storesOf(g.ByStore), w.stores, taken)
	}
}

// namesOf returns the names that either map has, in order.
func namesOf[A, B any](a map[string]A, b map[string]B) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

func storesOf(list topics.StoreStocks) map[string]topics.StoreStock {
	stores := map[string]topics.StoreStock{}
	for _, s := range list {
		stores[s.Store] = s
	}
	return stores
}

func (a *auditor) compareQuantity(d AuditDifference, what string, got, want topics.Quantity) {
	if got != want {
		d.What, d.Got, d.Want = what, got.String(), want.String()
		a.differ(d)
	}
}

// compareStores compares what store by store holds; missing is zero.
func (a *auditor) compareStores(d AuditDifference, got, want map[string]topics.StoreStock, taken bool) {
	for _, name := range namesOf(got, want) {
		a.compareQuantity(d, "by_store "+name+" reserved", got[name].Reserved, want[name].Reserved)
		if taken {
			a.compareQuantity(d, "by_store "+name+" taken", got[name].Taken, want[name].Taken)
		}
	}
}
