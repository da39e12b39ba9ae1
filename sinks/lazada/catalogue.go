package lazada

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

const (
	pageSize = 50
	// offsetMost is how far a list can be paged through.
	offsetMost = 10_000
	// stampLayout is how the marketplace writes moments.
	stampLayout = "2006-01-02T15:04:05-0700"
)

// Catalogue lists every product of the shop.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	warehouses, err := s.warehouses(ctx)
	if err != nil {
		return err
	}
	g := sinks.NewGather(s.account.Store, time.Now())
	if err := s.window(ctx, time.Time{}, time.Time{}, gathering(g, warehouses, nil)); err != nil {
		return err
	}
	return g.Each(found)
}

// Find lists the products that sell these SKUs.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	warehouses, err := s.warehouses(ctx)
	if err != nil {
		return err
	}
	g := sinks.NewGather(s.account.Store, time.Now())
	err = dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
		return s.bySKU(ctx, skus, gathering(g, warehouses, skus))
	})
	if err != nil {
		return fmt.Errorf("look SKUs up: %w", err)
	}
	return g.Each(found)
}

// gathering adds the SKUs of a product to what is gathered: those asked for, or all.
func gathering(g *sinks.Gather, warehouses, only []string) func(*product) {
	return func(p *product) {
		for i := range p.SKUs {
			if k := &p.SKUs[i]; only == nil || slices.Contains(only, k.SellerSKU) {
				g.Add(k.SellerSKU, p.target(k, warehouses))
			}
		}
	}
}

// warehouses lists the codes of the shop's warehouses; none when it has a single one, which requests must not name.
// What products show is no proof of several: a warehouse without stock is not shown.
func (s *session) warehouses(ctx context.Context) ([]string, error) {
	var list struct {
		Module []struct {
			Code   string `json:"code"`
			Status string `json:"status"`
		} `json:"module"`
	}
	err := dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
		return s.ask(ctx, "/seller/warehouse/get", url.Values{"addressTypes": {`["warehouse"]`}}, &list)
	})
	if err != nil {
		return nil, fmt.Errorf("list warehouses: %w", err)
	}
	if len(list.Module) < 2 {
		return nil, nil
	}
	var codes []string
	for _, m := range list.Module {
		if m.Code != "" && (m.Status == "" || m.Status == "ACTIVE") {
			codes = append(codes, m.Code)
		}
	}
	return codes, nil
}

// window lists the products that changed last between two moments; no moment is no bound. One that holds more than
// can be paged through is split. The earlier half comes first: a product that changes meanwhile moves into a window
// that is still to come. The halves overlap, whether or not the marketplace counts bounds in.
func (s *session) window(ctx context.Context, after, before time.Time, add func(*product)) error {
	more := false
	err := dialect.Steadily(func() (err error) {
		more, err = s.pages(ctx, after, before, add)
		return err
	})
	if !more || err != nil {
		return err
	}
	from, to := after, before
	if from.IsZero() {
		from = time.Unix(1_325_376_000, 0) // 2012, when the marketplace began
	}
	if to.IsZero() {
		to = time.Now()
	}
	middle := from.Add(to.Sub(from) / 2).Truncate(time.Second)
	if to.Sub(from) < 4*time.Second {
		return fmt.Errorf("list products: more than %d changed in %s", offsetMost, to.Sub(from))
	}
	if err := s.window(ctx, after, middle.Add(time.Second), add); err != nil {
		return err
	}
	return s.window(ctx, middle.Add(-time.Second), before, add)
}

// pages goes through the pages of a list; more tells that it holds more than can be paged through.
func (s *session) pages(ctx context.Context, after, before time.Time, add func(*product)) (more bool, err error) {
	total, size := int64(-1), pageSize
	for offset := 0; ; {
		var page productPage
		err := dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
			query := url.Values{
				"filter": {"all"}, "limit": {strconv.Itoa(size)}, "offset": {strconv.Itoa(offset)}, "options": {"1"},
			}
			if !after.IsZero() {
				query.Set("update_after", after.UTC().Format(stampLayout))
			}
			if !before.IsZero() {
				query.Set("update_before", before.UTC().Format(stampLayout))
			}
			page = productPage{}
			o := s.ask(ctx, "/products/get", query, &page)
			if o.Class == sinks.ClassTransient && size > 1 {
				size /= 2 // products with many SKUs make pages that take too long
			}
			return o
		})
		if err != nil {
			return false, fmt.Errorf("list products from %d: %w", offset, err)
		}
		now := page.Total.int()
		if now > offsetMost {
			return true, nil
		}
		for i := range page.Products {
			add(&page.Products[i])
		}
		offset += len(page.Products)
		last := len(page.Products) == 0 || int64(offset) >= now
		switch {
		case total >= 0 && now != total, last && offset == 0 && now > 0:
			return false, dialect.ErrMoved
		case last:
			return false, nil
		}
		total = now
	}
}

// target is what a SKU is to a listing. What campaigns have locked is a floor.
func (p *product) target(k *sku, warehouses []string) topics.Target {
	qty, held := k.sellable(), k.reserved()
	t := topics.Target{
		ProductID: string(p.ItemID), VariantID: string(k.SkuID), Title: p.Attributes.Name, URL: k.URL, Tracked: true,
		Status: p.status(k), MarketplaceQty: &qty, MarketplaceReserved: &held, Locations: warehouses,
	}
	for _, c := range k.Channels {
		if n := c.Sellable.int(); n > 0 {
			t.Promos = append(t.Promos, topics.Promo{
				Kind: topics.PromoFloor, Floor: dialect.Quantity(n), From: moment(c.From), Until: moment(c.Until),
			})
		}
	}
	return t
}

// moment reads Unix milliseconds; none when they are none.
func moment(t text) topics.Time {
	if n := t.int(); n > 0 {
		return topics.TimeOf(time.UnixMilli(n))
	}
	return 0
}

// status is that of a SKU; the product's comes first, where it is not for sale.
func (p *product) status(k *sku) topics.TargetStatus {
	switch strings.ToLower(p.Status) {
	case "deleted":
		return topics.TargetDeleted
	case "suspended", "lock", "locked":
		return topics.TargetBanned
	case "active", "":
	default: // inactive, pending qc, rejected, and what may come yet
		return topics.TargetInactive
	}
	switch strings.ToLower(k.Status) {
	case "active", "":
		return topics.TargetActive
	case "deleted":
		return topics.TargetDeleted
	}
	return topics.TargetInactive
}
