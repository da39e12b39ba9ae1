package lazada

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// payload is the document of an update.
type payload struct {
	XMLName xml.Name   `xml:"Request"`
	SKUs    []skuInput `xml:"Product>Skus>Sku"`
}

// skuInput is one SKU of a request, with one quantity or one for each of the shop's warehouses.
type skuInput struct {
	ItemID     string      `xml:"ItemId"`
	SkuID      string      `xml:"SkuId"`
	Sellable   *int64      `xml:"SellableQuantity"`
	Warehouses *warehouses `xml:"MultiWarehouseInventories"`
}

type warehouses struct {
	List []warehouseInput `xml:"MultiWarehouseInventory"`
}

type warehouseInput struct {
	Code     string `xml:"WarehouseCode"`
	Sellable int64  `xml:"SellableQuantity"`
}

// failure is one reason in detail.
type failure struct {
	ItemID    text   `json:"item_id"`
	SkuID     text   `json:"sku_id"`
	SellerSKU string `json:"seller_sku"`
	Code      text   `json:"code"`
	Message   string `json:"message"`
}

// Push sends the sellable stock of SKUs.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	r := sinks.Reply{
		Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: make([]sinks.Outcome, len(updates)), RequestID: sinks.RequestID(),
	}
	sent := dialect.Sendable(updates, r.Items, func(t *topics.Target) string { return t.VariantID })
	if len(sent) == 0 {
		return r
	}
	var p payload
	for _, i := range sent {
		p.SKUs = append(p.SKUs, input(&updates[i]))
	}
	document, err := xml.Marshal(p)
	if err != nil {
		r.Whole = sinks.Outcome{Class: sinks.ClassQuantity, Code: "encode", Message: err.Error()}
		return r
	}
	a, o := s.call(ctx, http.MethodPost, "/product/stock/sellable/update", url.Values{"payload": {string(document)}})
	r.RetryAfter = a.retryAfter
	if a.RequestID != "" {
		r.RequestID = a.RequestID
	}
	var detail []failure
	switch {
	case o.Class == sinks.ClassOK:
		for _, i := range sent {
			r.Items[i] = o
		}
	case enveloped(string(a.Code)) && json.Unmarshal(a.Detail, &detail) == nil && len(detail) > 0:
		r.Whole = s.results(detail, updates, sent, r.Items)
		r.Whole = a.grant.Hide(r.Whole)
		for _, i := range sent {
			r.Items[i] = a.grant.Hide(r.Items[i])
		}
	default:
		r.Whole = o
	}
	return r
}

// input spreads an update over the shop's warehouses. One without locations is of a shop with a single one, which must
// not name it.
func input(u *sinks.Update) skuInput {
	k := skuInput{ItemID: u.Target.ProductID, SkuID: u.Target.VariantID}
	if len(u.Locations) == 0 {
		n := dialect.Units(u.Qty)
		k.Sellable = &n
		return k
	}
	k.Warehouses = &warehouses{}
	for _, l := range u.Locations {
		k.Warehouses.List = append(k.Warehouses.List, warehouseInput{l.LocationID, dialect.Units(l.Qty)})
	}
	return k
}

// results notes what detail says of each SKU, and returns the outcome of the request: ClassOK when each reason names
// whom it is about. What it does not name is left without an outcome, which makes it be sent again.
func (s *session) results(
	detail []failure, updates []sinks.Update, sent []int, outcomes []sinks.Outcome,
) sinks.Outcome {
	whole := sinks.Outcome{Class: sinks.ClassOK}
	for i := range detail {
		f := &detail[i]
		o := s.classify(string(f.Code), f.Message)
		named := f.of(updates, sent)
		switch {
		case f.ItemID != "" && len(named) == 0:
			whole = dialect.Worst(whole, dialect.BadAnswer("the answer names a SKU that was not sent"))
		case len(named) == 0, len(named) > 1 && !ofItem(o): // about all, or about one of them
			whole = dialect.Worst(whole, o)
		default:
			for _, i := range named {
				outcomes[i] = dialect.Worst(outcomes[i], o)
			}
		}
	}
	return whole
}

// of returns the indexes of the updates that a reason is about; several when it names an item alone.
func (f *failure) of(updates []sinks.Update, sent []int) []int {
	var named []int
	for _, i := range sent {
		u := &updates[i]
		switch {
		case f.ItemID != "" && string(f.ItemID) != u.Target.ProductID,
			f.SkuID != "" && string(f.SkuID) != u.Target.VariantID,
			f.SellerSKU != "" && f.SellerSKU != u.SKU,
			f.ItemID == "" && f.SkuID == "" && f.SellerSKU == "":
		default:
			named = append(named, i)
		}
	}
	return named
}

// ofItem tells whether an outcome holds for every SKU of an item.
func ofItem(o sinks.Outcome) bool {
	switch o.Class {
	case sinks.ClassNotEditable, sinks.ClassPromoLock, sinks.ClassManagedElsewhere:
		return true
	case sinks.ClassNotFound:
		return o.Code == "4137" || o.Code == "ITEM_NOT_FOUND" || o.Code == "208" || o.Code == "E0002"
	default:
		return false
	}
}
