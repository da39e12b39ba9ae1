package testenv

import (
	"fmt"
	"slices"

	"stocksync/topics"
)

// StoreCheck is a shop as it is, for Check to compare with availability.
type StoreCheck struct {
	Store      string
	Warehouses []string                   // which stock is offered there, all along; "*" is all
	Quantities map[string]topics.Quantity // what the shop shows, by SKU
	Writes     []Write                    // what it was told, in order; those of other stores are left out
	// Want says what a SKU's quantity must be; nil is whole units of what the warehouses have available.
	Want func(*topics.Availability) topics.Quantity
}

// CheckOf returns what the sandbox shows of a store that is offered these warehouses.
func (s *Sandbox) CheckOf(store string, warehouses ...string) StoreCheck {
	return StoreCheck{
		Store: store, Warehouses: warehouses, Quantities: s.Quantities(store), Writes: s.Writes(),
	}
}

// checkStores holds each shop to the latest availability (I5).
func (k *checker) checkStores(all map[string]*skuHistory) {
	for i := range k.cfg.Stores {
		s := &k.cfg.Stores[i]
		for sku, h := range all {
			a := h.latest
			if a == nil {
				continue // noted already
			}
			got, ok := s.Quantities[sku]
			want := s.want(a)
			switch {
			case !ok && (a.LastMutationAt.IsZero() && a.LastOrderAt.IsZero()):
			case !ok:
				k.addf("store %s: %s: was never told, want %s", s.Store, sku, want)
			default:
				differ(k.Differences, "store "+s.Store, sku, got, want)
			}
		}
		for sku := range s.Quantities {
			if all[sku] == nil {
				k.addf("store %s: %s: shows a quantity, and the SKU has no availability", s.Store, sku)
			}
		}
		k.checkWrites(i, s, all)
	}
}

// checkWrites holds what a shop was told to the order of revisions, and each quantity to the record of its
// revision (I4).
func (k *checker) checkWrites(i int, s *StoreCheck, all map[string]*skuHistory) {
	newest := map[string]int64{}
	for _, w := range s.Writes {
		if w.Store != s.Store || all[w.SKU] == nil {
			continue
		}
		if w.Revision < newest[w.SKU] {
			k.addf("store %s: %s: revision goes back from %d to %d", s.Store, w.SKU, newest[w.SKU], w.Revision)
		}
		newest[w.SKU] = w.Revision
		who := fmt.Sprintf("store %s: %s: write %d of revision %d", s.Store, w.SKU, w.Seq, w.Revision)
		if offered, ok := all[w.SKU].offered[w.Revision]; ok {
			differ(k.Differences, who, "quantity", w.Qty, offered[i])
		} else {
			k.addf("%s: no record has that revision", who)
		}
	}
}

// offers is what a record offers each shop.
func (k *checker) offers(a *topics.Availability) []topics.Quantity {
	var list []topics.Quantity
	for i := range k.cfg.Stores {
		list = append(list, k.cfg.Stores[i].want(a))
	}
	return list
}

// want is the whole units that the shop's warehouses have available together.
func (s *StoreCheck) want(a *topics.Availability) topics.Quantity {
	if s.Want != nil {
		return s.Want(a)
	}
	var net topics.Quantity
	for i := range a.Warehouses {
		if w := &a.Warehouses[i]; slices.Contains(s.Warehouses, w.Warehouse) || slices.Contains(s.Warehouses, "*") {
			net += w.Net
		}
	}
	const roundUp = 10 // millionths: 0.99999 is 1
	return max(0, (net+roundUp)/topics.One*topics.One)
}
