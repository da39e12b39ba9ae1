package tiktokshop

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

const (
	pageSize = 100
	// resultsMost is how many products a search can be paged through.
	resultsMost = 10_000
	// findMost is how many SKUs a search may name.
	findMost = 10
)

// filter is the body of a search. Times are in Unix seconds and inclusive; 0 is no bound.
type filter struct {
	Status     string   `json:"status"`
	SellerSKUs []string `json:"seller_skus,omitempty"`
	UpdatedGE  int64    `json:"update_time_ge,omitempty"`
	UpdatedLE  int64    `json:"update_time_le,omitempty"`
}

// productPage is the data of a search.
type productPage struct {
	Total    int       `json:"total_count"`
	Products []product `json:"products"`
	Next     string    `json:"next_page_token"`
}

type product struct {
	ID         string `json:"id"`
	Title      string `json:"title"`
	Status     string `json:"status"` // empty where the shop lists on Tokopedia alone
	Integrated []struct {
		Platform string `json:"platform"`
		Status   string `json:"status"`
	} `json:"integrated_platform_statuses"`
	SKUs []sku `json:"skus"`
}

type sku struct {
	ID        string `json:"id"`
	SellerSKU string `json:"seller_sku"`
	Inventory []struct {
		WarehouseID string `json:"warehouse_id"`
		Quantity    int64  `json:"quantity"`
	} `json:"inventory"`
	StatusInfo struct {
		Status string `json:"status"`
		Source string `json:"deactivation_source"`
	} `json:"status_info"`
}

// Catalogue lists every product of the shop, of any status.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	if err := s.window(ctx, 0, 0, s.addTo(g, nil)); err != nil {
		return err
	}
	return g.Each(found)
}

// Find lists the products that sell these SKUs.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	for chunk := range slices.Chunk(skus, findMost) {
		if _, err := s.search(ctx, filter{Status: "ALL", SellerSKUs: chunk}, s.addTo(g, skus)); err != nil {
			return err
		}
	}
	return g.Each(found)
}

// addTo adds the SKUs of a product to what is gathered: those asked for, or all.
func (s *session) addTo(g *sinks.Gather, only []string) func(*product) {
	return func(p *product) {
		for i := range p.SKUs {
			if k := &p.SKUs[i]; only == nil || slices.Contains(only, k.SellerSKU) {
				g.Add(k.SellerSKU, p.target(k))
			}
		}
	}
}

// window lists the products that changed last between two moments; the last window has no end. One that holds
// more than a search shows is split. The earlier half comes first: a product that changes meanwhile moves into a
// window that is still to come.
func (s *session) window(ctx context.Context, from, to int64, add func(*product)) error {
	more := false
	err := dialect.Steadily(func() (err error) {
		more, err = s.search(ctx, filter{Status: "ALL", UpdatedGE: from, UpdatedLE: to}, add)
		return err
	})
	if !more || err != nil {
		return err
	}
	end := to
	if to == 0 {
		end = time.Now().Unix()
	}
	middle := from + (end-from)/2
	if middle <= from || middle >= end {
		return fmt.Errorf("list products: more than %d changed in one second", resultsMost)
	}
	if err := s.window(ctx, from, middle, add); err != nil {
		return err
	}
	return s.window(ctx, middle+1, to, add)
}

// tooMany is the code of a page beyond what a search shows.
const tooMany = "12052180"

// search goes through the pages of a search; more tells that it holds more than it shows. What was added by then
// is added again.
func (s *session) search(ctx context.Context, f filter, add func(*product)) (more bool, err error) {
	total, seen := -1, 0
	for next, n := "", 0; ; n++ {
		if n > resultsMost/pageSize {
			return false, fmt.Errorf("list products: more than %d pages", n)
		}
		query := url.Values{"page_size": {strconv.Itoa(pageSize)}}
		if next != "" {
			query.Set("page_token", next)
		}
		var page productPage
		beyond := false
		err := dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
			page = productPage{}
			o := s.ask(ctx, "/product/202502/products/search", query, f, &page)
			if beyond = o.Code == tooMany; beyond {
				return sinks.Outcome{Class: sinks.ClassOK}
			}
			return o
		})
		if err != nil {
			return false, fmt.Errorf("list products, page %d: %w", n+1, err)
		}
		if beyond || page.Total > resultsMost {
			return true, nil
		}
		for i := range page.Products {
			add(&page.Products[i])
		}
		seen += len(page.Products)
		next = page.Next
		switch last := next == "" || len(page.Products) == 0; {
		case total >= 0 && page.Total != total, last && seen == 0 && page.Total > 0:
			return false, dialect.ErrMoved
		case last:
			return false, nil
		}
		total = page.Total
	}
}

// target is what a SKU is to a listing.
func (p *product) target(k *sku) topics.Target {
	t := topics.Target{ProductID: p.ID, VariantID: k.ID, Title: p.Title, Tracked: true}
	t.Status, t.Platform = p.status()
	if t.Status == topics.TargetActive && k.StatusInfo.Status == "DEACTIVATED" {
		t.Status = topics.TargetInactive
		if k.StatusInfo.Source == "PLATFORM" {
			t.Status = topics.TargetBanned
		}
	}
	var sum topics.Quantity
	for _, i := range k.Inventory {
		if i.WarehouseID != "" {
			t.Locations = append(t.Locations, i.WarehouseID)
		}
		sum += dialect.Quantity(i.Quantity)
	}
	t.MarketplaceQty = &sum
	return t
}

// status is that by which stock may be written, and the platform that it is of.
func (p *product) status() (topics.TargetStatus, string) {
	status, platform := p.Status, ""
	for _, i := range p.Integrated {
		if i.Platform != tokopedia {
			continue
		}
		platform = tokopedia
		if status == "" {
			status = i.Status
		}
	}
	switch status {
	case "ACTIVATE":
		return topics.TargetActive, platform
	case "PLATFORM_DEACTIVATED", "FREEZE":
		return topics.TargetBanned, platform
	case "DELETED":
		return topics.TargetDeleted, platform
	}
	return topics.TargetInactive, platform // DRAFT, PENDING, FAILED, SELLER_DEACTIVATED, and what may come yet
}
