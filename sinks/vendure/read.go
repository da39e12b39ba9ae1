package vendure

import (
	"context"
	"slices"

	"stocksync/sinks"
	"stocksync/topics"
)

// readMost is the variants of one reading: the shop's adminListQueryLimit is 1000 unless it says otherwise.
const readMost = 100

const variantsDocument = `query Variants($options:ProductVariantListOptions){
  productVariants(options:$options){
    totalItems
    items {
      id sku name enabled trackInventory outOfStockThreshold useGlobalOutOfStockThreshold
      product { id enabled }
      stockLevels { stockLocationId stockOnHand stockAllocated }
    }
  }
  globalSettings { trackInventory outOfStockThreshold }
}`

// variant is one of the shop's, as far as it was asked for.
type variant struct {
	ID             string          `json:"id"`
	SKU            string          `json:"sku"`
	Name           string          `json:"name"`
	Enabled        bool            `json:"enabled"`
	TrackInventory string          `json:"trackInventory"` // TRUE, FALSE or INHERIT
	Threshold      topics.Quantity `json:"outOfStockThreshold"`
	UseGlobal      bool            `json:"useGlobalOutOfStockThreshold"`
	Product        struct {
		ID      string `json:"id"`
		Enabled bool   `json:"enabled"`
	} `json:"product"`
	StockLevels []level `json:"stockLevels"`
}

type level struct {
	LocationID string          `json:"stockLocationId"`
	OnHand     topics.Quantity `json:"stockOnHand"`
	Allocated  topics.Quantity `json:"stockAllocated"`
}

// global holds the settings that variants may inherit.
type global struct {
	TrackInventory bool            `json:"trackInventory"`
	Threshold      topics.Quantity `json:"outOfStockThreshold"`
}

// page is the answer to variantsDocument.
type page struct {
	Variants struct {
		Total int       `json:"totalItems"`
		Items []variant `json:"items"`
	} `json:"productVariants"`
	Global global `json:"globalSettings"`
}

// level returns the level at a location; nothing lies where there is none.
func (v *variant) level(location string) level {
	i := slices.IndexFunc(v.StockLevels, func(l level) bool { return l.LocationID == location })
	if i < 0 {
		return level{LocationID: location}
	}
	return v.StockLevels[i]
}

// threshold is what the shop holds back of a variant.
func (v *variant) threshold(g *global) topics.Quantity {
	if v.UseGlobal {
		return g.Threshold
	}
	return v.Threshold
}

// reading is what a variant shows of an update's locations; of all its own when the update names none.
func (v *variant) reading(u *sinks.Update, threshold topics.Quantity) sinks.Reading {
	r := sinks.Reading{Found: true, Threshold: threshold}
	levels := v.StockLevels
	if len(u.Locations) > 0 {
		levels = nil
		for _, l := range u.Locations {
			levels = append(levels, v.level(l.LocationID))
		}
	}
	for _, l := range levels {
		r.Qty, r.Allocated = r.Qty+l.OnHand, r.Allocated+l.Allocated
		r.Locations = append(r.Locations, sinks.LocationReading{
			LocationID: l.LocationID, Qty: l.OnHand, Allocated: l.Allocated,
		})
	}
	return r
}

// ReadBack reads what lies there, what of it is allocated, and what the shop holds back.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	readings := make([]sinks.Reading, len(updates))
	indexes := make([]int, len(updates))
	for i := range indexes {
		indexes[i] = i
	}
	for some := range slices.Chunk(indexes, readMost) {
		ids := make([]string, len(some))
		for n, i := range some {
			ids[n] = updates[i].Target.VariantID
		}
		var p page
		if _, o := s.call(ctx, variantsDocument, options(len(ids), 0, filter("id", ids)), &p); o.Class != sinks.ClassOK {
			return nil, o
		}
		for _, i := range some {
			found := slices.IndexFunc(p.Variants.Items, func(v variant) bool { return v.ID == updates[i].Target.VariantID })
			if found >= 0 {
				v := &p.Variants.Items[found]
				readings[i] = v.reading(&updates[i], v.threshold(&p.Global))
			}
		}
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

// filter is the filter for variants with these values of a field, byte for byte.
func filter(field string, values []string) map[string]any {
	return map[string]any{field: map[string]any{"in": values}}
}
