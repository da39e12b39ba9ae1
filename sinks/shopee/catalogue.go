package shopee

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
	pageSize = 100
	// pagesMost bounds a list that never ends: ten million items.
	pagesMost = 100_000
)

// statuses are those of all items.
func statuses() []string {
	return []string{"NORMAL", "BANNED", "UNLIST", "REVIEWING", "SELLER_DELETE", "SHOPEE_DELETE"}
}

// Catalogue lists every item of the shop, of any status: first their ids, quickly, then what they are.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	var ids []string
	err := dialect.Steadily(func() (err error) {
		ids, err = s.ids(ctx)
		return err
	})
	if err != nil {
		return err
	}
	g := sinks.NewGather(s.account.Store, time.Now())
	for chunk := range slices.Chunk(ids, itemsMost) {
		var items []item
		err := dialect.Patiently(ctx, s.Refresh, func() (o sinks.Outcome) {
			items, o = s.items(ctx, chunk)
			return o
		})
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		if err := s.gather(ctx, g, items); err != nil {
			return err
		}
	}
	return g.Each(found)
}

// ids lists the ids of all items, page by page.
func (s *session) ids(ctx context.Context) ([]string, error) {
	var all []string
	total := -1
	for offset, n := 0, 0; n < pagesMost; n++ {
		var page struct {
			Items []item `json:"item"`
			Total int    `json:"total_count"`
			More  bool   `json:"has_next_page"`
			Next  int    `json:"next_offset"`
		}
		query := url.Values{
			"offset": {strconv.Itoa(offset)}, "page_size": {strconv.Itoa(pageSize)}, "item_status": statuses(),
		}
		err := dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
			page.Items, page.More = nil, false
			return s.ask(ctx, "/api/v2/product/get_item_list", query, &page)
		})
		if err != nil {
			return nil, fmt.Errorf("list items from %d: %w", offset, err)
		}
		for i := range page.Items {
			all = append(all, page.Items[i].ID.String())
		}
		switch {
		case total >= 0 && page.Total != total, len(all) == 0 && page.Total > 0:
			return nil, dialect.ErrMoved
		case !page.More:
			return all, nil
		case page.Next <= offset:
			return nil, fmt.Errorf("list items from %d: the next page is at %d", offset, page.Next)
		}
		total, offset = page.Total, page.Next
	}
	return nil, fmt.Errorf("list items: more than %d pages", pagesMost)
}

// gather adds what items are to what is gathered.
func (s *session) gather(ctx context.Context, g *sinks.Gather, items []item) error {
	var reserved []string // items of which promotions have reserved something
	models := map[string][]itemModel{}
	for i := range items {
		it := &items[i]
		holds := it.Stock.Summary.Reserved > 0
		if it.HasModel {
			var list []itemModel
			err := dialect.Patiently(ctx, s.Refresh, func() (o sinks.Outcome) {
				list, o = s.models(ctx, it.ID.String())
				return o
			})
			if err != nil {
				return fmt.Errorf("read models of item %s: %w", it.ID, err)
			}
			models[it.ID.String()] = list
			holds = slices.ContainsFunc(list, func(m itemModel) bool { return m.Stock.Summary.Reserved > 0 })
		}
		if holds {
			reserved = append(reserved, it.ID.String())
		}
	}
	ends, err := s.promotions(ctx, reserved)
	if err != nil {
		return err
	}
	for i := range items {
		it := &items[i]
		if !it.HasModel {
			g.Add(it.SKU, it.target("", "", &it.Stock, ends))
		}
		for _, m := range models[it.ID.String()] {
			g.Add(m.SKU, it.target(m.ID.String(), m.Status, &m.Stock, ends))
		}
	}
	return nil
}

// promotion names a model of an item in a promotion.
type promotion struct{ item, model string }

// promotions reads until when the promotions of items last, by model: the latest end counts.
func (s *session) promotions(ctx context.Context, ids []string) (map[promotion]int64, error) {
	ends := map[promotion]int64{}
	for chunk := range slices.Chunk(ids, itemsMost) {
		var page struct {
			Success []struct {
				item

				Promotions []struct {
					itemModel

					End int64 `json:"end_time"`
				} `json:"promotion"`
			} `json:"success_list"`
		}
		query := url.Values{"item_id_list": {strings.Join(chunk, ",")}}
		err := dialect.Patiently(ctx, s.Refresh, func() sinks.Outcome {
			return s.ask(ctx, "/api/v2/product/get_item_promotion", query, &page)
		})
		if err != nil {
			return nil, fmt.Errorf("read promotions: %w", err)
		}
		for _, it := range page.Success {
			for _, p := range it.Promotions {
				id := p.ID.String()
				if id == "0" {
					id = ""
				}
				at := promotion{it.ID.String(), id}
				ends[at] = max(ends[at], p.End)
			}
		}
	}
	return ends, nil
}

// target is what a model, or an item without models, is to a listing. What promotions have reserved is a floor from
// now on, also when they are to come: until the last of them ends.
func (it *item) target(model, status string, stock *stockInfo, ends map[promotion]int64) topics.Target {
	qty, held := stock.sellers(), topics.Quantity(stock.Summary.Reserved)*topics.One
	t := topics.Target{
		ProductID: it.ID.String(), VariantID: model, Title: it.Name, Tracked: true, Status: it.status(status),
		MarketplaceQty: &qty, MarketplaceReserved: &held,
	}
	for _, x := range stock.Seller {
		if x.LocationID != "" && x.LocationID != "-" {
			t.Locations = append(t.Locations, x.LocationID)
		}
	}
	if floor := stock.floor(); floor > 0 {
		p := topics.Promo{Kind: topics.PromoFloor, Floor: floor}
		if end := ends[promotion{it.ID.String(), model}]; end > 0 {
			p.Until = topics.TimeOf(time.Unix(end, 0))
		}
		t.Promos = append(t.Promos, p)
	}
	return t
}

// status is that of a model, or of an item without models.
func (it *item) status(model string) topics.TargetStatus {
	switch it.Status {
	case "NORMAL":
		if model == "" || model == "MODEL_NORMAL" {
			return topics.TargetActive
		}
	case "BANNED":
		return topics.TargetBanned
	case "SELLER_DELETE", "SHOPEE_DELETE":
		return topics.TargetDeleted
	}
	return topics.TargetInactive // UNLIST, REVIEWING, MODEL_UNAVAILABLE, and what may come yet
}
