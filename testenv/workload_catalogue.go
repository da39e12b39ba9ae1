package testenv

import (
	"fmt"
	"strings"
)

// SKUName returns the i-th SKU of every workload's catalogue. Most are plain; some have what real
// catalogues have: spaces, bars, lower case, letters beyond ASCII, a slash.
func SKUName(i int) string {
	switch i % 41 {
	case 11:
		return fmt.Sprintf("Kopi Susu 250ml #%d", i)
	case 17:
		return fmt.Sprintf("BATIK|L|%d", i)
	case 23:
		return fmt.Sprintf("茶-%d/é", i)
	case 29:
		return fmt.Sprintf("kg-beras-%d", i)
	}
	return fmt.Sprintf("SKU-%06d", i)
}

// soldByWeight tells whether a SKU has fractions of its unit.
func soldByWeight(sku string) bool { return strings.HasPrefix(sku, "kg-") }

// WarehouseName returns the i-th warehouse of every workload.
func WarehouseName(i int) string {
	cities := [...]string{"JKT", "SUB", "BDG", "DPS", "MES"}
	return fmt.Sprintf("WH-%s-%02d", cities[i%len(cities)], i/len(cities)+1)
}

// StoreName returns the i-th store of every workload.
func StoreName(i int) string {
	shops := [...]string{"tokopedia-main", "shopee-id", "lazada-id", "tiktok-shop", "web"}
	if i < len(shops) {
		return shops[i]
	}
	return fmt.Sprintf("%s-%d", shops[i%len(shops)], i/len(shops)+1)
}

func (w *Workload) warehouse() string { return WarehouseName(w.rand.IntN(w.cfg.Warehouses)) }

// store returns a store, or none: one order in ten comes from the counter.
func (w *Workload) store() string {
	if w.chance(0.1) {
		return ""
	}
	return StoreName(w.rand.IntN(w.cfg.Stores))
}
