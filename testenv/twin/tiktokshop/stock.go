package tiktokshop

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// input is the body of an update.
type input struct {
	SKUs []struct {
		ID        string `json:"id"`
		Inventory []struct {
			WarehouseID string `json:"warehouse_id"`
			Quantity    *int64 `json:"quantity"`
		} `json:"inventory"`
	} `json:"skus"`
}

// push sets the stock of one product's SKUs.
func (s *Shop) push(x *twin.Exchange) twin.Answer {
	var in input
	if json.Unmarshal(x.Body, &in) != nil || len(in.SKUs) == 0 {
		return said(12052902, "The SKU list is empty.", nil)
	}
	product := trim(x.Request.URL.Path)
	variants := s.Variants(product)
	switch {
	case len(variants) == 0:
		return said(12052032, "The product does not exist", nil)
	case variants[0].Status != active:
		return said(12052901, "The product in its current status is not available for this operation.", nil)
	case len(in.SKUs) > 100:
		return said(12052050, "A single product cannot have more than 100 different SKUs", nil)
	}
	seen := map[string]bool{}
	for _, k := range in.SKUs {
		if seen[k.ID] {
			return said(12052553, "Sku id duplicate", nil)
		}
		seen[k.ID] = true
		if _, ok := s.Item(twin.ID{Product: product, Variant: k.ID}); !ok {
			return said(12052556, "The SKU id not exist.", nil)
		}
	}
	var errors []any
	for i := range in.SKUs {
		if failed := s.pushOne(x, i, product, &in); failed != nil {
			errors = append(errors, failed)
		}
	}
	if len(errors) > 0 {
		return said(0, "", map[string]any{"errors": errors})
	}
	return said(0, "", map[string]any{})
}

// pushOne sets the stock of one SKU, or says why not.
func (s *Shop) pushOne(x *twin.Exchange, index int, product string, in *input) any {
	k := in.SKUs[index]
	id := twin.ID{Product: product, Variant: k.ID}
	item, _ := s.Item(id)
	code, message := int64(0), ""
	if r, ok := x.Refused(index); ok {
		code, _ = strconv.ParseInt(r.Code, 10, 64) // a code of the dialect is a number
		message = r.Message
	} else {
		code, message = check(&item, in, index)
	}
	if code != 0 {
		return map[string]any{
			"code": 12052990, "message": "Check failed", "detail": map[string]any{
				"sku_id": x.Echo(k.ID), "extra_errors": []any{map[string]any{"code": code, "message": message}},
			},
		}
	}
	for _, v := range k.Inventory {
		x.Set(id, v.WarehouseID, topics.Quantity(*v.Quantity)*topics.One)
	}
	return nil
}

// check holds one SKU of a request against the shop's rules.
func check(item *twin.Item, in *input, index int) (code int64, message string) {
	given := map[string]bool{}
	for _, v := range in.SKUs[index].Inventory {
		if v.Quantity == nil || *v.Quantity < 0 || *v.Quantity > 99_999 {
			return 12052055, "The SKU inventory quantity for the warehouse must be within allowed limits."
		}
		if _, ok := item.Levels[v.WarehouseID]; !ok {
			return 12052097, "The warehouse does not exist"
		}
		given[v.WarehouseID] = true
	}
	if len(given) != len(item.Levels) {
		return 12052037, "Couldn't update inventory. Missing warehouse IDs"
	}
	return 0, ""
}

// read shows the stock of SKUs.
func (s *Shop) read(x *twin.Exchange) twin.Answer {
	var in struct {
		SKUIDs []string `json:"sku_ids"`
	}
	if json.Unmarshal(x.Body, &in) != nil || len(in.SKUIDs) == 0 || len(in.SKUIDs) > idsMost {
		return said(12019015, "The number of SKU exceed the limit", nil)
	}
	var list []any
	for _, it := range s.Items() {
		if !slices.Contains(in.SKUIDs, it.Variant) {
			continue
		}
		total := int64(0)
		var warehouses []any
		for _, name := range slices.Sorted(maps.Keys(it.Levels)) {
			n := int64(it.Levels[name].Qty / topics.One)
			total += n
			warehouses = append(warehouses, map[string]any{
				"warehouse_id": name, "available_quantity": n, "committed_quantity": 0,
			})
		}
		list = append(list, map[string]any{"product_id": it.Product, "skus": []any{map[string]any{
			"id": x.Echo(it.Variant), "seller_sku": it.SKU, "total_available_quantity": total,
			"total_committed_quantity": 0, "warehouse_inventory": warehouses,
		}}})
	}
	return said(0, "", map[string]any{"inventory": list})
}

// query is the body of a search.
type query struct {
	Status     string   `json:"status"`
	SellerSKUs []string `json:"seller_skus"`
	GE         int64    `json:"update_time_ge"`
	LE         int64    `json:"update_time_le"`
}

// firstUpdate is when the shop's first product changed last; each other one did an hour after the one before.
const firstUpdate = 1_764_000_000

// list shows products page by page.
func (s *Shop) list(x *twin.Exchange) twin.Answer {
	var q query
	size, err := strconv.Atoi(x.Query.Get("page_size"))
	if json.Unmarshal(x.Body, &q) != nil || err != nil || size < 1 || size > pageMost {
		return said(12019109, "page size is invalid", nil)
	}
	if len(q.SellerSKUs) > 10 {
		return said(12019027, `The maximum count of "seller_skus" in the search filter is 10.`, nil)
	}
	from := 0
	if token := x.Query.Get("page_token"); token != "" {
		if from, err = strconv.Atoi(strings.TrimPrefix(token, "page-")); err != nil {
			return said(36009004, "invalid param error", nil)
		}
	}
	var all []any
	for i, variants := range s.products() {
		at := int64(firstUpdate + i*3600)
		if at < q.GE || q.LE != 0 && at > q.LE {
			continue
		}
		if p := s.product(variants, &q); p != nil {
			all = append(all, p)
		}
	}
	if from >= s.cfg.Results {
		return said(12052180, "The total number of results exceeds the limit", nil)
	}
	data := map[string]any{"total_count": len(all)}
	if to := from + size; to < len(all) {
		data["next_page_token"] = "page-" + strconv.Itoa(to)
	}
	data["products"] = all[min(from, len(all)):min(from+size, len(all))]
	return said(0, "", data)
}

// products returns the items of each product, in order.
func (s *Shop) products() [][]twin.Item {
	var list [][]twin.Item
	at := map[string]int{}
	for _, it := range s.Items() {
		i, ok := at[it.Product]
		if !ok {
			i = len(list)
			at[it.Product] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], it)
	}
	return list
}

// product is one of a search; nil when it does not fit.
func (s *Shop) product(variants []twin.Item, q *query) any {
	if q.Status != "" && q.Status != "ALL" && q.Status != variants[0].Status {
		return nil
	}
	fits := len(q.SellerSKUs) == 0
	var skus []any
	for _, it := range variants {
		fits = fits || slices.Contains(q.SellerSKUs, it.SKU)
		var inventory []any
		for _, name := range slices.Sorted(maps.Keys(it.Levels)) {
			inventory = append(inventory, map[string]any{
				"warehouse_id": name, "quantity": int64(it.Levels[name].Qty / topics.One),
			})
		}
		k := map[string]any{"id": it.Variant, "seller_sku": it.SKU, "inventory": inventory}
		if it.Note != "" { // SELLER or PLATFORM: who switched the SKU off
			k["status_info"] = map[string]any{"status": "DEACTIVATED", "deactivation_source": it.Note}
		}
		skus = append(skus, k)
	}
	if !fits {
		return nil
	}
	p := map[string]any{"id": variants[0].Product, "title": variants[0].Title, "status": variants[0].Status, "skus": skus}
	if platform := variants[0].Platform; platform != "" || s.cfg.Platform != "" {
		p["integrated_platform_statuses"] = []any{map[string]any{"platform": "TOKOPEDIA", "status": variants[0].Status}}
		if platform == "TOKOPEDIA" { // there alone
			delete(p, "status")
		}
	}
	return p
}
