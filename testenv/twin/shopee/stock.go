package shopee

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
	ItemID json.Number `json:"item_id"`
	Stock  []struct {
		ModelID json.Number `json:"model_id"`
		Seller  []struct {
			LocationID string `json:"location_id"`
			Stock      *int64 `json:"stock"`
		} `json:"seller_stock"`
	} `json:"stock_list"`
}

// variant is a model's id on the shelf, where an item without models has none.
func variant(model json.Number) string {
	if model == "0" || model == "" {
		return ""
	}
	return model.String()
}

// push sets the stock of one item's models.
func (s *Shop) push(x *twin.Exchange) twin.Answer {
	var in input
	if json.Unmarshal(x.Body, &in) != nil || len(in.Stock) == 0 || len(in.Stock) > 50 {
		return said("product.error_param", "Parameter is not match the constraints, stock_list: 1 to 50.", nil)
	}
	if code, why := s.refusesAll(&in); code != "" {
		return said(code, why, nil)
	}
	item := in.ItemID.String()
	success, failure := []any{}, []any{}
	for i, m := range in.Stock {
		id := number(x.Echo(m.ModelID.String()))
		if why := s.refuses(x, i, &in); why != "" {
			failure = append(failure, map[string]any{"model_id": id, "failed_reason": why})
			continue
		}
		for _, l := range m.Seller {
			qty := topics.Quantity(*l.Stock) * topics.One
			x.Set(twin.ID{Product: item, Variant: variant(m.ModelID)}, l.LocationID, qty)
			success = append(success, map[string]any{"model_id": id, "location_id": l.LocationID, "stock": *l.Stock})
		}
	}
	lists := map[string]any{"success_list": success, "failure_list": failure}
	if len(failure) > 0 {
		return said("product."+updateFailed, "Update stock failed, please check failure_list for detailed reason", lists)
	}
	return said("", "", lists)
}

const updateFailed = "error_busi_update_stock_failed"

// refusesAll says why a request is refused as such; the code is empty when it is not.
func (s *Shop) refusesAll(in *input) (code, why string) {
	models := s.Variants(in.ItemID.String())
	switch {
	case len(models) == 0:
		return "error_item_not_found", "Item_id is not found."
	case strings.HasSuffix(models[0].Status, "_DELETE"):
		return "error_item_uneditable", "Can't edit this item. item status can not support editing."
	}
	seen := map[string]bool{}
	for _, m := range in.Stock {
		id := variant(m.ModelID)
		_, ok := s.Item(twin.ID{Product: in.ItemID.String(), Variant: id})
		switch {
		case seen[id]:
			return "error_param", "Repeat model_id."
		case !ok && id == "":
			return "error_edit_item_stock_for_item_has_model", "Can't to edit item stock directly while item has models."
		case !ok:
			return "error_param", "Wrong model_id."
		}
		seen[id] = true
	}
	return "", ""
}

// number is an id as it is written.
func number(id string) json.Number {
	if id == "" {
		return "0"
	}
	return json.Number(id)
}

// refuses says why one model of a request is refused; "" when it is not.
func (s *Shop) refuses(x *twin.Exchange, index int, in *input) string {
	if r, ok := x.Refused(index); ok {
		return r.Message
	}
	m := in.Stock[index]
	id := twin.ID{Product: in.ItemID.String(), Variant: variant(m.ModelID)}
	item, _ := s.Item(id)
	var sum int64
	for _, l := range m.Seller {
		_, ok := item.Levels[l.LocationID]
		switch {
		case !ok && l.LocationID == "":
			return "Lack of location_id, please double check."
		case !ok:
			return "The location_id input is not matched the shop's location_id(more/wrong). Please double check."
		case l.Stock == nil || *l.Stock < 0:
			return "Parameter is not match the constraints, stock"
		}
		sum += *l.Stock
	}
	if topics.Quantity(sum)*topics.One < s.Reserved[id] {
		return "Total stock must be more than reserved stock."
	}
	return ""
}

// list shows the ids of items page by page.
func (s *Shop) list(x *twin.Exchange) twin.Answer {
	offset, err := strconv.Atoi(x.Query.Get("offset"))
	size, err2 := strconv.Atoi(x.Query.Get("page_size"))
	if err != nil || err2 != nil || size < 1 || size > 100 || len(x.Query["item_status"]) == 0 {
		return said("product.error_param", "invalid field PageSize: value must be between 1 and 100", nil)
	}
	var all []any
	for _, id := range s.Products() {
		if status := s.Variants(id)[0].Status; slices.Contains(x.Query["item_status"], status) {
			all = append(all, map[string]any{"item_id": number(id), "item_status": status, "update_time": 1608128470})
		}
	}
	page := all[min(offset, len(all)):min(offset+size, len(all))]
	return said("", "", map[string]any{
		"item": page, "total_count": len(all), "has_next_page": offset+size < len(all), "next_offset": offset + size,
	})
}

// info shows items.
func (s *Shop) info(x *twin.Exchange) twin.Answer {
	ids := strings.Split(x.Query.Get("item_id_list"), ",")
	if len(ids) > 50 {
		return said("error_query_over_itemid_size", "item_id_list: at most 50", nil)
	}
	var list []any
	for _, id := range ids {
		models := s.Variants(id)
		if len(models) == 0 {
			continue
		}
		it := map[string]any{
			"item_id": number(x.Echo(id)), "item_name": models[0].Title, "item_status": models[0].Status,
			"has_model": models[0].Variant != "", "item_sku": "of the item",
		}
		if models[0].Variant == "" {
			it["item_sku"] = models[0].SKU
			it["stock_info_v2"] = s.stockInfo(&models[0])
		}
		list = append(list, it)
	}
	return said("", "", map[string]any{"item_list": list})
}

// models shows the models of an item.
func (s *Shop) models(x *twin.Exchange) twin.Answer {
	models := s.Variants(x.Query.Get("item_id"))
	if len(models) == 0 {
		return said("error_item_not_found", "Product not found", nil)
	}
	list := []any{}
	for i := range models {
		m := &models[i]
		if m.Variant == "" {
			continue
		}
		status := "MODEL_NORMAL"
		if m.Note != "" {
			status = m.Note
		}
		list = append(list, map[string]any{
			"model_id": number(x.Echo(m.Variant)), "model_sku": m.SKU, "model_status": status, "stock_info_v2": s.stockInfo(m),
		})
	}
	return said("", "", map[string]any{"tier_variation": []any{}, "model": list})
}

// stockInfo is what the shop shows of a model, or of an item without models.
func (s *Shop) stockInfo(it *twin.Item) any {
	var seller []any
	var sum int64
	for _, name := range slices.Sorted(maps.Keys(it.Levels)) {
		n := int64(it.Levels[name].Qty / topics.One)
		sum += n
		seller = append(seller, map[string]any{"location_id": name, "stock": n, "if_saleable": true})
	}
	return map[string]any{
		"summary_info": map[string]any{
			"total_reserved_stock": int64(s.Reserved[it.ID] / topics.One), "total_available_stock": sum,
		},
		"seller_stock": seller, "shopee_stock": []any{map[string]any{"location_id": "", "stock": "0"}},
	}
}

// promotions shows the promotions of items.
func (s *Shop) promotions(x *twin.Exchange) twin.Answer {
	var list []any
	for id := range strings.SplitSeq(x.Query.Get("item_id_list"), ",") {
		var promotions []any
		for _, m := range s.Variants(id) {
			if held := s.Reserved[m.ID]; held > 0 {
				promotions = append(promotions, map[string]any{
					"promotion_type": "Campaign", "promotion_id": 649305216139969, "model_id": number(m.Variant),
					"start_time": PromotionsEnd - 7200, "end_time": PromotionsEnd, "promotion_staging": "upcoming",
					"promotion_stock_info_v2": map[string]any{
						"summary_info": map[string]any{"total_reserved_stock": int64(held / topics.One)},
					},
				})
			}
		}
		list = append(list, map[string]any{"item_id": number(id), "promotion": promotions})
	}
	return said("", "", map[string]any{"success_list": list})
}
