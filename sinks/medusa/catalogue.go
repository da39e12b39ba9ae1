package medusa

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// pageSize is the items of one page.
const pageSize = 200

// Catalogue lists every inventory item. Deleted ones are not in it.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	return s.list(ctx, nil, found)
}

// Find lists the items with these SKUs.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	if len(skus) == 0 {
		return nil
	}
	return s.list(ctx, skus, found)
}

// list goes through the pages of all items, or of those with some SKUs.
func (s *session) list(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	err := sinks.Pages(func(seen int) (entries, total int, err error) {
		var p itemPage
		err = dialect.Patiently(ctx, s.refresh, func() sinks.Outcome {
			return s.get(ctx, "/admin/inventory-items", pageQuery(pageSize, seen, skus), &p)
		})
		if err != nil {
			return 0, 0, fmt.Errorf("list items from %d: %w", seen, err)
		}
		for i := range p.Items {
			g.Add(p.Items[i].SKU, p.Items[i].target())
		}
		return len(p.Items), p.Count, nil
	})
	if err != nil {
		return err
	}
	return g.Each(found)
}

// target is what an item is to a listing. An item that several variants point to is on sale when one of them is.
func (it *item) target() topics.Target {
	t := topics.Target{
		ProductID: it.ID, VariantID: it.ID, Status: topics.TargetInactive, Title: it.Title,
	}
	t.Tracked = !slices.ContainsFunc(it.Variants, func(v variant) bool { return v.Product.ID != "" })
	for i := range it.Variants {
		v := &it.Variants[i]
		if v.Product.ID == "" { // a link whose other end is gone
			continue
		}
		status := statusOf(v.Product.Status)
		if t.ProductID == it.ID || status == topics.TargetActive && t.Status != topics.TargetActive {
			t.ProductID, t.Status, t.Title = v.Product.ID, status, v.Product.Title+" "+v.Title
		}
		t.Tracked = t.Tracked || v.ManageInventory
	}
	var stocked, reserved topics.Quantity
	for _, l := range it.Levels {
		t.Locations = append(t.Locations, l.LocationID)
		stocked, reserved = stocked+l.Stocked, reserved+l.Reserved
	}
	t.MarketplaceQty, t.MarketplaceReserved = &stocked, &reserved
	return t
}

// statusOf reads a product's status: published, draft, proposed or rejected.
func statusOf(status string) topics.TargetStatus {
	switch status {
	case "published":
		return topics.TargetActive
	case "rejected":
		return topics.TargetBanned
	default:
		return topics.TargetInactive
	}
}
