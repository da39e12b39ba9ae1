package testenv

import (
	"slices"

	"stocksync/topics"
)

// compareStock compares a SKU's numbers and times, wherever they were read, with the oracle's.
func (k *checker) compareStock(who string, got *topics.Availability, want *TruthItem) {
	d := k.Differences
	differ(d, who, "actual", got.Actual, want.Actual)
	differ(d, who, "reserved", got.Reserved, want.Reserved)
	differ(d, who, "net", got.Net, want.Net)
	differ(d, who, "available", got.Available, want.Available)
	k.compareWarehouses(who, got.Warehouses, want.Warehouses)
	var stores []string
	for _, s := range got.OrdersFrom {
		stores = append(stores, s.Store)
	}
	if !slices.Equal(stores, want.OrdersFrom) {
		k.addf("%s: orders_from: got %q, want %q", who, stores, want.OrdersFrom)
	}
	differ(d, who, "last_mutation_at", got.LastMutationAt, want.LastMutationAt)
	differ(d, who, "last_order_at", got.LastOrderAt, want.LastOrderAt)
	differ(d, who, "last_count_at", got.LastCountAt, want.LastCountAt)
	differ(d, who, "as_of", got.AsOf, want.AsOf)
	if !want.maybeFirstSeen(got.FirstSeenAt) {
		k.addf("%s: first_seen_at: got %v, want %v or %v",
			who, got.FirstSeenAt, want.FirstMutation, want.FirstOrder)
	}
}

// compareWarehouses compares two lists that are sorted by warehouse; in by_store, absent is zero.
func (k *checker) compareWarehouses(who string, got, want []topics.WarehouseStock) {
	if len(got) != len(want) {
		k.addf("%s: warehouses: got %q, want %q", who, warehouseNames(got), warehouseNames(want))
		return
	}
	for i := range got {
		g, w := &got[i], &want[i]
		in := who + " in " + w.Warehouse
		differ(k.Differences, in, "warehouse", g.Warehouse, w.Warehouse)
		differ(k.Differences, in, "actual", g.Actual, w.Actual)
		differ(k.Differences, in, "reserved", g.Reserved, w.Reserved)
		differ(k.Differences, in, "net", g.Net, w.Net)
		differ(k.Differences, in, "available", g.Available, w.Available)
		if !slices.Equal(withNumbers(g.ByStore), withNumbers(w.ByStore)) {
			k.addf("%s: by_store: got %v, want %v", in, g.ByStore, w.ByStore)
		}
	}
}

func warehouseNames(list []topics.WarehouseStock) []string {
	var names []string
	for i := range list {
		names = append(names, list[i].Warehouse)
	}
	return names
}

// withNumbers leaves out stores whose numbers are all zero.
func withNumbers(list topics.StoreStocks) topics.StoreStocks {
	var kept topics.StoreStocks
	for _, s := range list {
		if s.Reserved != 0 || s.Taken != 0 {
			kept = append(kept, s)
		}
	}
	return kept
}
