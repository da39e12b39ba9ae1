package state

import (
	"cmp"
	"slices"

	"stocksync/topics"
)

// availability fills a with the item's record as of its last commit. Its slices are reused.
func (it *item) availability(a *topics.Availability) {
	*a = topics.Availability{
		SKU: it.sku, Revision: it.revision,
		Actual: it.total.actual, Reserved: it.total.reserved, Net: it.total.actual - it.total.reserved,
		Warehouses: a.Warehouses[:0], OrdersFrom: a.OrdersFrom[:0],
		Trigger: it.touched.trigger, Changed: it.changed(),
		CausesTotal: it.touched.causesTotal, Causes: it.touched.appendCauses(a.Causes[:0]),
		FirstSeenAt: it.firstSeen, LastMutationAt: it.lastMutation, LastOrderAt: it.lastOrder,
		LastCountAt: it.lastCount, AsOf: it.asOf,
	}
	a.Available = max(0, a.Net)
	for i := range it.warehouses {
		a.Warehouses = it.appendWarehouse(a.Warehouses, &it.warehouses[i])
	}
	slices.SortFunc(a.Warehouses, func(x, y topics.WarehouseStock) int { return cmp.Compare(x.Warehouse, y.Warehouse) })
	for _, o := range it.ordersFrom {
		a.OrdersFrom = append(a.OrdersFrom, topics.StoreRevision{Store: it.stores[o.store], Revision: o.revision})
	}
	slices.SortFunc(a.OrdersFrom, func(x, y topics.StoreRevision) int { return cmp.Compare(x.Store, y.Store) })
}

func (it *item) appendWarehouse(to []topics.WarehouseStock, w *warehouse) []topics.WarehouseStock {
	var reuse topics.StoreStocks
	if n := len(to); n < cap(to) {
		reuse = to[:n+1][n].ByStore[:0]
	}
	net := w.actual - w.reserved
	s := topics.WarehouseStock{
		Warehouse: w.name, Actual: w.actual, Reserved: w.reserved, Net: net, Available: max(0, net), ByStore: reuse,
	}
	for _, b := range w.byStore {
		if b.reserved != 0 || b.taken != 0 {
			s.ByStore = append(s.ByStore, topics.StoreStock{Store: it.stores[b.store], Reserved: b.reserved, Taken: b.taken})
		}
	}
	slices.SortFunc(s.ByStore, func(x, y topics.StoreStock) int { return cmp.Compare(x.Store, y.Store) })
	return append(to, s)
}
