package lazada

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// document is the payload of an update.
type document struct {
	XMLName xml.Name `xml:"Request"`
	SKUs    []struct {
		ItemID     string `xml:"ItemId"`
		SkuID      string `xml:"SkuId"`
		Sellable   *int64 `xml:"SellableQuantity"`
		Warehouses []struct {
			Code     string `xml:"WarehouseCode"`
			Sellable *int64 `xml:"SellableQuantity"`
		} `xml:"MultiWarehouseInventories>MultiWarehouseInventory"`
	} `xml:"Product>Skus>Sku"`
}

// push sets the sellable stock of SKUs.
func (s *Shop) push(x *twin.Exchange, payload string) twin.Answer {
	var doc document
	if xml.Unmarshal([]byte(payload), &doc) != nil || len(doc.SKUs) == 0 {
		return said("5", "E005: Invalid Request Format", nil)
	}
	if len(doc.SKUs) > 50 {
		return said("4171", "The updated SKU quantity exceeds the maximum number 50", nil)
	}
	var detail []any
	for i := range doc.SKUs {
		if code, message := s.pushOne(x, i, &doc); code != "" || message != "" {
			k := doc.SKUs[i]
			item, _ := s.Item(twin.ID{Product: k.ItemID, Variant: k.SkuID})
			detail = append(detail, map[string]any{
				"item_id": number(x.Echo(k.ItemID)), "seller_sku": item.SKU, "field": "Sku", "code": code, "message": message,
			})
		}
	}
	if len(detail) > 0 {
		return said("501", "E501: Update product failed", detail)
	}
	return said("0", "", nil)
}

// number is an id as it is written.
func number(id string) json.Number { return json.Number(id) }

// pushOne sets the stock of one SKU, or says why not.
func (s *Shop) pushOne(x *twin.Exchange, index int, doc *document) (code, message string) {
	if r, ok := x.Refused(index); ok {
		return r.Code, r.Message
	}
	k := doc.SKUs[index]
	id := twin.ID{Product: k.ItemID, Variant: k.SkuID}
	item, ok := s.Item(id)
	switch {
	case len(s.Variants(k.ItemID)) == 0:
		return "4137", "ITEM_NOT_FOUND"
	case !ok:
		return "207", "E207: SKU not exist"
	case item.Status == "Deleted":
		return "E0004", "Product Status not online"
	}
	amounts := map[string]*int64{"": k.Sellable}
	if len(k.Warehouses) > 0 {
		amounts = map[string]*int64{}
		for _, w := range k.Warehouses {
			amounts[w.Code] = w.Sellable
		}
	}
	var sum topics.Quantity
	for name, level := range item.Levels { // those that are left out stay
		if amounts[name] == nil {
			sum += level.Qty
		}
	}
	for name, n := range amounts {
		if _, ok := item.Levels[name]; !ok {
			return "E0501", "the warehouse code is not one of this seller"
		}
		if n == nil || *n < 0 {
			return "4152", "THD_INVENTORY_ERR_INV_PARAM_ILLEGAL:illegal parameter:quantity"
		}
		sum += topics.Quantity(*n) * topics.One
	}
	if sum < s.Locked[id] {
		return "E0501", "negative sellable on channel inventory,entityId=" + k.SkuID
	}
	for name, n := range amounts {
		x.Set(id, name, topics.Quantity(*n)*topics.One)
	}
	return "", ""
}

// firstUpdate is when the shop's first product changed last; each other one did an hour after the one before.
const firstUpdate = 1_764_000_000

// list shows products page by page.
func (s *Shop) list(x *twin.Exchange, q url.Values) twin.Answer {
	limit, err := strconv.Atoi(q.Get("limit"))
	offset := 0
	if text := q.Get("offset"); text != "" && err == nil {
		offset, err = strconv.Atoi(text)
	}
	after, err2 := bound(q.Get("update_after"), 0)
	before, err3 := bound(q.Get("update_before"), 1<<40)
	switch {
	case err != nil || limit < 1 || limit > 50:
		return said("19", "E019: Invalid Limit", nil)
	case err2 != nil || err3 != nil:
		return said("17", "E017: Invalid Date Format", nil)
	case q.Get("filter") != "all":
		return said("36", "E036: Invalid status filter", nil)
	case s.cfg.Slow > 0 && limit >= s.cfg.Slow:
		return said("ServiceTimeout", "the service did not answer in time", nil)
	case offset >= s.cfg.Results:
		return said("14", "E014: Invalid Offset", nil)
	}
	var only []string
	if text := q.Get("sku_seller_list"); text != "" {
		if json.Unmarshal([]byte(text), &only) != nil || len(only) > 100 {
			return said("70", "E070: You have corrupt data in your sku seller list.", nil)
		}
	}
	var all []any
	for i, id := range s.Products() {
		variants := s.Variants(id)
		at := int64(firstUpdate + i*3600)
		fits := only == nil || slices.ContainsFunc(variants, func(it twin.Item) bool { return slices.Contains(only, it.SKU) })
		if fits && at >= after && at <= before {
			all = append(all, s.product(x, variants))
		}
	}
	page := all[min(offset, len(all)):min(offset+limit, len(all))]
	return data(map[string]any{"total_products": strconv.Itoa(len(all)), "products": page})
}

// bound reads a moment; there may be none.
func bound(text string, none int64) (int64, error) {
	if text == "" {
		return none, nil
	}
	at, err := time.Parse("2006-01-02T15:04:05-0700", text)
	return at.Unix(), err
}

// product is one of a list.
func (s *Shop) product(x *twin.Exchange, variants []twin.Item) any {
	var skus []any
	for _, it := range variants {
		var sum int64
		inventories := []any{}
		for _, name := range slices.Sorted(maps.Keys(it.Levels)) {
			n := int64(it.Levels[name].Qty / topics.One)
			held := int64(it.Levels[name].Allocated / topics.One)
			sum += n
			if name == "" {
				name = "dropshipping"
			}
			inventories = append(inventories, map[string]any{
				"warehouseCode": name, "sellableQuantity": n, "quantity": n, "totalQuantity": n + held,
				"withholdQuantity": 0, "occupyQuantity": held,
			})
		}
		status := "active"
		if it.Note != "" {
			status = it.Note
		}
		k := map[string]any{
			"SkuId": json.Number(x.Echo(it.Variant)), "SellerSku": it.SKU, "Status": status, "quantity": sum, "Available": sum,
			"Url": "https://shop.example/" + it.Variant, "multiWarehouseInventories": inventories,
		}
		if locked := s.Locked[it.ID]; locked > 0 {
			k["channelInventories"] = []any{map[string]any{
				"startTime": int64(CampaignEnd-7200) * 1000, "endTime": strconv.FormatInt(CampaignEnd*1000, 10),
				"sellableQuantity": int64(locked / topics.One),
			}}
		}
		skus = append(skus, k)
	}
	return map[string]any{
		"item_id": variants[0].Product, "status": variants[0].Status, "attributes": map[string]any{"name": variants[0].Title},
		"skus": skus,
	}
}
