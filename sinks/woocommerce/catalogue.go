package woocommerce

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/rest"
	"stocksync/topics"
)

// productFields are what is asked for of a product or variation: whole ones weigh many kB.
const productFields = "id,parent_id,type,sku,name,status,permalink,manage_stock,stock_quantity,variations,attributes"

// Catalogue lists every product, and the variations of those that have some: the shop has no list of all of them.
// What lies in the trash is not in it.
func (s *session) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	err := s.pages(ctx, "/products", nil, func(p *product) error {
		if p.SKU != "" {
			g.Add(p.SKU, p.target(nil))
		}
		if len(p.Variations) == 0 {
			return nil
		}
		path := "/products/" + strconv.FormatInt(p.ID, 10) + "/variations"
		return s.pages(ctx, path, nil, func(v *product) error {
			g.Add(v.SKU, v.target(p))
			return nil
		})
	})
	if err != nil {
		return err
	}
	return g.Each(found)
}

// Find lists what has one of these SKUs: given SKUs, the list of products has variations too. The shop takes them
// with commas between, so one that holds a comma can't be looked up; and it ignores case, so what it finds is
// compared.
func (s *session) Find(ctx context.Context, skus []string, found func(topics.Listing) error) error {
	g := sinks.NewGather(s.account.Store, time.Now())
	wanted := map[string]bool{}
	for _, sku := range skus {
		if sku != "" && !strings.Contains(sku, ",") {
			wanted[sku] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	list := strings.Join(slices.Sorted(maps.Keys(wanted)), ",")
	err := s.pages(ctx, "/products", url.Values{"sku": {list}}, func(p *product) error {
		if wanted[p.SKU] {
			g.Add(p.SKU, p.target(nil))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.Each(found)
}

// pages goes through a list in the order of the ids, which do not change.
func (s *session) pages(ctx context.Context, path string, filter url.Values, each func(*product) error) error {
	page := 0
	return sinks.Pages(func(seen int) (entries, total int, err error) {
		page++
		query := url.Values{
			"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(page)}, "orderby": {"id"},
			"order": {"asc"}, "status": {"any"}, "_fields": {productFields},
		}
		maps.Copy(query, filter)
		var list []product
		var a *rest.Answer
		err = dialect.Patiently(ctx, noRefresh, func() (o sinks.Outcome) {
			a, o = s.call(ctx, http.MethodGet, path, maps.Clone(query), nil, &list)
			return o
		})
		if err != nil {
			return 0, 0, fmt.Errorf("list %s from %d: %w", path, seen, err)
		}
		total, err = strconv.Atoi(a.Header.Get("X-WP-Total"))
		if err != nil {
			return 0, 0, fmt.Errorf("list %s from %d: the answer has no X-WP-Total", path, seen)
		}
		for i := range list {
			if err := each(&list[i]); err != nil {
				return 0, 0, err
			}
		}
		return len(list), total, nil
	})
}

// noRefresh is never asked: keys don't expire.
func noRefresh(context.Context) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassShopUnauthorised}
}

// target is what a product, or a variation of a product, is to a listing. A variation that is found by its SKU names
// its product itself.
func (p *product) target(parent *product) topics.Target {
	t := topics.Target{
		ProductID: strconv.FormatInt(p.ID, 10), Status: statusOf(p.Status), Title: p.Name, URL: p.Permalink,
		Tracked: p.managed(),
	}
	switch {
	case parent != nil:
		t.VariantID, t.ProductID = t.ProductID, strconv.FormatInt(parent.ID, 10)
		t.Title = strings.TrimSpace(parent.Name + " " + p.options())
		if t.Status == topics.TargetActive {
			t.Status = statusOf(parent.Status)
		}
	case p.Type == "variation" && p.ParentID > 0:
		t.VariantID, t.ProductID = t.ProductID, strconv.FormatInt(p.ParentID, 10)
	}
	if p.Quantity.known {
		t.MarketplaceQty = &p.Quantity.qty
	}
	return t
}

// options names what sets a variation apart.
func (p *product) options() string {
	var list []string
	for _, a := range p.Attributes {
		list = append(list, a.Option)
	}
	return strings.Join(list, " ")
}

// statusOf reads a status: publish; draft, pending, future, private; trash. Other plugins have more: a product in
// such a state is not on sale.
func statusOf(status string) topics.TargetStatus {
	switch status {
	case "publish":
		return topics.TargetActive
	case "trash":
		return topics.TargetDeleted
	default:
		return topics.TargetInactive
	}
}
