package shopee

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// itemsMost is the items of one reading.
const itemsMost = 50

// stockInfo is what the shop shows of an item or a model.
type stockInfo struct {
	Summary struct {
		Reserved int64 `json:"total_reserved_stock"`
	} `json:"summary_info"`
	Seller []struct {
		LocationID string `json:"location_id"`
		Stock      int64  `json:"stock"`
	} `json:"seller_stock"`
	Shopee []struct {
		Stock json.RawMessage `json:"stock"` // a number, or its text
	} `json:"shopee_stock"`
}

// item is one of the shop's.
type item struct {
	ID       json.Number `json:"item_id"`
	Name     string      `json:"item_name"`
	SKU      string      `json:"item_sku"`
	Status   string      `json:"item_status"`
	HasModel bool        `json:"has_model"`
	Stock    stockInfo   `json:"stock_info_v2"`
}

// itemModel is one of an item's models.
type itemModel struct {
	ID     json.Number `json:"model_id"`
	SKU    string      `json:"model_sku"`
	Status string      `json:"model_status"`
	Stock  stockInfo   `json:"stock_info_v2"`
}

// items reads what the shop shows of items; those that it does not have are left out.
func (s *session) items(ctx context.Context, ids []string) ([]item, sinks.Outcome) {
	var all []item
	for chunk := range slices.Chunk(ids, itemsMost) {
		var page struct {
			Items []item `json:"item_list"`
		}
		o := s.ask(ctx, "/api/v2/product/get_item_base_info", url.Values{"item_id_list": {strings.Join(chunk, ",")}}, &page)
		switch o.Class {
		case sinks.ClassOK:
			all = append(all, page.Items...)
		case sinks.ClassNotFound: // it has none of them
		default:
			return nil, o
		}
	}
	return all, sinks.Outcome{Class: sinks.ClassOK}
}

// models reads an item's models; none when the shop does not have it.
func (s *session) models(ctx context.Context, id string) ([]itemModel, sinks.Outcome) {
	var page struct {
		Models []itemModel `json:"model"`
	}
	o := s.ask(ctx, "/api/v2/product/get_model_list", url.Values{"item_id": {id}}, &page)
	if o.Class == sinks.ClassNotFound {
		o = sinks.Outcome{Class: sinks.ClassOK}
	}
	return page.Models, o
}

// ReadBack reads the stock of models, of any items.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	var bare, split []string // items without models, and with
	for i := range updates {
		t := &updates[i].Target
		list := &split
		if t.VariantID == "" {
			list = &bare
		}
		if dialect.Number(t.ProductID) && !slices.Contains(*list, t.ProductID) {
			*list = append(*list, t.ProductID)
		}
	}
	type target struct{ item, model string }
	shown := map[target]*stockInfo{}
	items, o := s.items(ctx, bare)
	if o.Class != sinks.ClassOK {
		return nil, o
	}
	for i := range items {
		if !items[i].HasModel {
			shown[target{items[i].ID.String(), ""}] = &items[i].Stock
		}
	}
	for _, id := range split {
		models, o := s.models(ctx, id)
		if o.Class != sinks.ClassOK {
			return nil, o
		}
		for i := range models {
			shown[target{id, models[i].ID.String()}] = &models[i].Stock
		}
	}
	readings := make([]sinks.Reading, len(updates))
	for i := range updates {
		if info := shown[target{updates[i].Target.ProductID, updates[i].Target.VariantID}]; info != nil {
			readings[i] = info.reading(&updates[i])
		}
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

// reading is the sum over the update's locations, or over all when it has none.
func (k *stockInfo) reading(u *sinks.Update) sinks.Reading {
	r := sinks.Reading{Found: true}
	if len(u.Locations) == 0 {
		r.Qty = k.sellers()
		return r
	}
	for _, l := range u.Locations {
		at := sinks.LocationReading{LocationID: l.LocationID}
		for _, x := range k.Seller {
			if x.LocationID == l.LocationID {
				at.Qty = dialect.Quantity(x.Stock)
			}
		}
		r.Qty += at.Qty
		r.Locations = append(r.Locations, at)
	}
	return r
}

// sellers is the seller's own stock, at all locations.
func (k *stockInfo) sellers() topics.Quantity {
	var sum int64
	for _, x := range k.Seller {
		sum += x.Stock
	}
	return dialect.Quantity(sum)
}

// floor is the least that the seller's stock may be: what promotions have reserved, less what lies in Shopee's own
// warehouses.
func (k *stockInfo) floor() topics.Quantity {
	left := k.Summary.Reserved
	for _, x := range k.Shopee {
		n, err := json.Number(strings.Trim(string(x.Stock), `"`)).Int64()
		if err == nil {
			left -= n
		}
	}
	return dialect.Quantity(max(0, left))
}
