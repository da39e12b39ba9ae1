package testenv

import (
	"maps"
	"math"
	"slices"
	"strings"

	"stocksync/state"
	"stocksync/topics"
)

// workOut makes every number of an item from its held lines, each by its definition.
func (it *TruthItem) workOut(policy state.Policy) {
	it.deliver()
	it.Warehouses, it.Actual, it.Reserved = nil, 0, 0
	for id, o := range it.Orders {
		o.Contribution = contribution(o, policy)
		delivered := o.Delivered
		if late, gone := it.gone[id]; gone {
			o.Contribution, delivered = 0, delivered-late
		}
		o.Taken = min(max(o.Contribution+delivered, 0), o.OrderedQty)
	}
	lines := map[string][]*TruthLine{}
	for _, l := range it.Lines {
		lines[l.Warehouse] = append(lines[l.Warehouse], l)
	}
	orders := map[string][]*TruthOrder{}
	for _, o := range it.Orders {
		if o.Arrived {
			orders[o.Warehouse] = append(orders[o.Warehouse], o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(it.used)) {
		w := topics.WarehouseStock{Warehouse: name, Actual: actual(lines[name])}
		for _, o := range orders[name] {
			w.Reserved += o.Contribution
		}
		w.ByStore = byStore(orders[name])
		w.Net = w.Actual - w.Reserved
		w.Available = max(0, w.Net)
		it.Warehouses = append(it.Warehouses, w)
		it.Actual += w.Actual
		it.Reserved += w.Reserved
	}
	it.Net = it.Actual - it.Reserved
	it.Available = max(0, it.Net)
	it.OrdersFrom = slices.Sorted(maps.Keys(it.from))
	it.AsOf = max(it.LastMutationAt, it.LastOrderAt)
}

// deliver sums up what the live mutations say of the order lines they name, arrived or not.
func (it *TruthItem) deliver() {
	for _, o := range it.Orders {
		o.Delivered, o.Returned = 0, 0
	}
	for _, l := range it.Lines {
		if l.OrderLineID == "" || l.Status == topics.StatusCancelled {
			continue
		}
		o := it.Orders[l.OrderLineID]
		if o == nil {
			o = &TruthOrder{Order: topics.Order{OrderLineID: l.OrderLineID, SKU: it.SKU}}
			it.Orders[l.OrderLineID] = o
		}
		o.Delivered -= l.Qty
		if l.IsReturn {
			o.Returned += l.Qty
		}
	}
}

// actual is the newest live count of one warehouse's lines plus all live deltas after it.
func actual(lines []*TruthLine) topics.Quantity {
	slices.SortFunc(lines, compareEffective)
	start := 0
	var sum topics.Quantity
	for i, l := range lines {
		if l.Kind == topics.KindCount && l.Status == topics.StatusPosted {
			start, sum = i+1, l.Qty
		}
	}
	for _, l := range lines[start:] {
		if l.Kind == topics.KindDelta && l.Status == topics.StatusPosted {
			sum += l.Qty
		}
	}
	return sum
}

// compareEffective orders ledger lines by posting time, then seq, then line_id.
func compareEffective(a, b *TruthLine) int {
	switch {
	case a.EffectiveAt < b.EffectiveAt:
		return -1
	case a.EffectiveAt > b.EffectiveAt:
		return 1
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	}
	return strings.Compare(a.LineID, b.LineID)
}

// contribution is what an order line reserves.
func contribution(o *TruthOrder, policy state.Policy) topics.Quantity {
	reserves := o.Status == topics.OrderOpen || o.Status == topics.OrderOnHold && policy.OnHoldReserves
	if !o.Arrived || !reserves || o.Delivered > o.OrderedQty {
		return 0
	}
	c := o.OrderedQty - o.Delivered
	if !policy.ReturnsReserve {
		c -= o.Returned
	}
	return min(max(c, 0), o.OrderedQty)
}

// byStore sums reserved and taken per store over one warehouse's order lines.
func byStore(orders []*TruthOrder) topics.StoreStocks {
	stores := map[string]topics.StoreStock{}
	for _, o := range orders {
		if o.Store == "" {
			continue
		}
		s := stores[o.Store]
		s.Store = o.Store
		s.Reserved += o.Contribution
		s.Taken += o.Taken
		stores[o.Store] = s
	}
	var list topics.StoreStocks
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		list = append(list, stores[name])
	}
	return list
}

// maybeFirstSeen tells whether t can be the time of the first accepted event: of the first mutation or
// of the first order, since the input does not say which of the two was folded first.
func (it *TruthItem) maybeFirstSeen(t topics.Time) bool {
	if t.IsZero() {
		return it.FirstMutation.IsZero() && it.FirstOrder.IsZero()
	}
	return t == it.FirstMutation || t == it.FirstOrder
}

// mayOverflow tells whether totals of the SKU could leave int64 at all.
func (t *Truth) mayOverflow(sku string) bool {
	it := t.Items[sku]
	return it == nil || it.gross > math.MaxInt64
}

// nameBytes is the length of all warehouse and store names of a SKU, once for each warehouse.
func (t *Truth) nameBytes(sku string) int {
	n := 0
	if it := t.Items[sku]; it != nil {
		for i := range it.Warehouses {
			n += len(it.Warehouses[i].Warehouse)
			for _, s := range it.Warehouses[i].ByStore {
				n += len(s.Store)
			}
		}
	}
	return n
}
