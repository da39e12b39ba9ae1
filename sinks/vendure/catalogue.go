package vendure

import (
	"context"
	"fmt"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// pageSize is the variants of one page: about 50 kB of answer.
const pageSize = 200

// Catalogue lists every variant of the channel. Deleted ones are not in it.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	return s.list(ctx, map[string]any{}, found)
}

// Find lists the variants with these SKUs.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	return s.list(ctx, filter("sku", skus), found)
}

// list goes through the pages of the variants that pass a filter.
func (s *session) list(ctx context.Context, filter map[string]any, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	err := sinks.Pages(func(seen int) (entries, total int, err error) {
		var p page
		err = dialect.Patiently(ctx, s.refresh, func() (o sinks.Outcome) {
			_, o = s.call(ctx, variantsDocument, options(pageSize, seen, filter), &p)
			return o
		})
		if err != nil {
			return 0, 0, fmt.Errorf("list variants from %d: %w", seen, err)
		}
		for i := range p.Variants.Items {
			v := &p.Variants.Items[i]
			g.Add(v.SKU, v.target(&p.Global))
		}
		return len(p.Variants.Items), p.Variants.Total, nil
	})
	if err != nil {
		return err
	}
	return g.Each(found)
}

// options is the variables of a page. The order is that of the ids, which do not change.
func options(take, skip int, filter map[string]any) map[string]any {
	return map[string]any{"options": map[string]any{
		"take": take, "skip": skip, "sort": map[string]any{"id": "ASC"}, "filter": filter,
	}}
}

// target is what a variant is to a listing.
func (v *variant) target(g *global) topics.Target {
	t := topics.Target{
		ProductID: v.Product.ID, VariantID: v.ID, Status: topics.TargetActive, Title: v.Name,
		Tracked: v.TrackInventory == "TRUE" || v.TrackInventory != "FALSE" && g.TrackInventory,
	}
	if !v.Enabled || !v.Product.Enabled {
		t.Status = topics.TargetInactive
	}
	var onHand, allocated topics.Quantity
	for _, l := range v.StockLevels {
		t.Locations = append(t.Locations, l.LocationID)
		onHand, allocated = onHand+l.OnHand, allocated+l.Allocated
	}
	t.MarketplaceQty, t.MarketplaceReserved = &onHand, &allocated
	return t
}
