package tiktokshop

import (
	"context"
	"slices"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// readMost is the SKUs of one reading.
const readMost = 600

// inventoryPage is the data of a reading.
type inventoryPage struct {
	Inventory []struct {
		SKUs []shownSKU `json:"skus"`
	} `json:"inventory"`
}

// shownSKU is what the shop shows of a SKU.
type shownSKU struct {
	ID         string `json:"id"`
	Available  int64  `json:"total_available_quantity"`
	Warehouses []struct {
		ID        string `json:"warehouse_id"`
		Available int64  `json:"available_quantity"`
		Committed int64  `json:"committed_quantity"`
	} `json:"warehouse_inventory"`
}

// ReadBack reads the stock of SKUs, of any products.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	var ids []string
	for i := range updates {
		if dialect.Number(updates[i].Target.VariantID) {
			ids = append(ids, updates[i].Target.VariantID)
		}
	}
	shown := map[string]*shownSKU{}
	for chunk := range slices.Chunk(ids, readMost) {
		var page inventoryPage
		o := s.ask(ctx, "/product/202309/inventory/search", nil, map[string]any{"sku_ids": chunk}, &page)
		if o.Class != sinks.ClassOK {
			return nil, o
		}
		for i := range page.Inventory {
			for j := range page.Inventory[i].SKUs {
				sku := &page.Inventory[i].SKUs[j]
				shown[sku.ID] = sku
			}
		}
	}
	readings := make([]sinks.Reading, len(updates))
	for i := range updates {
		if sku := shown[updates[i].Target.VariantID]; sku != nil {
			readings[i] = sku.reading(&updates[i])
		}
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

// reading is the sum over the update's locations, or over all when it has none.
func (k *shownSKU) reading(u *sinks.Update) sinks.Reading {
	r := sinks.Reading{Found: true}
	if len(u.Locations) == 0 {
		r.Qty = dialect.Quantity(k.Available)
		return r
	}
	for _, l := range u.Locations {
		at := sinks.LocationReading{LocationID: l.LocationID}
		for _, w := range k.Warehouses {
			if w.ID == l.LocationID {
				at.Qty = dialect.Quantity(w.Available)
				at.Allocated = dialect.Quantity(w.Committed)
			}
		}
		r.Qty, r.Allocated = r.Qty+at.Qty, r.Allocated+at.Allocated
		r.Locations = append(r.Locations, at)
	}
	return r
}
