package lazada

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// readMost is the SKUs of one reading: as many products as a page may hold.
const readMost = 50

// product is one of the shop's.
type product struct {
	ItemID     text   `json:"item_id"`
	Status     string `json:"status"`
	Attributes struct {
		Name string `json:"name"`
	} `json:"attributes"`
	SKUs []sku `json:"skus"`
}

type sku struct {
	SkuID      text        `json:"SkuId"`
	SellerSKU  string      `json:"SellerSku"`
	Status     string      `json:"Status"`
	URL        string      `json:"Url"`
	Quantity   *text       `json:"quantity"`
	Available  *text       `json:"Available"`
	Warehouses []warehouse `json:"multiWarehouseInventories"`
	Channels   []channel   `json:"channelInventories"`
}

type warehouse struct {
	Code     string `json:"warehouseCode"`
	Sellable text   `json:"sellableQuantity"`
	Withheld text   `json:"withholdQuantity"`
	Occupied text   `json:"occupyQuantity"`
}

// channel is stock that a campaign has locked.
type channel struct {
	From     text `json:"startTime"`
	Until    text `json:"endTime"`
	Sellable text `json:"sellableQuantity"`
}

// productPage is the data of a list.
type productPage struct {
	Total    text      `json:"total_products"`
	Products []product `json:"products"`
}

// sellable is what buyers may order of a SKU, at all warehouses.
func (k *sku) sellable() topics.Quantity {
	var sum int64
	switch {
	case len(k.Warehouses) > 0:
		for _, w := range k.Warehouses {
			sum += w.Sellable.int()
		}
	case k.Available != nil:
		sum = k.Available.int()
	case k.Quantity != nil:
		sum = k.Quantity.int()
	}
	return dialect.Quantity(sum)
}

// reserved is what orders hold of a SKU, beside what is sellable.
func (k *sku) reserved() topics.Quantity {
	var sum int64
	for _, w := range k.Warehouses {
		sum += w.Withheld.int() + w.Occupied.int()
	}
	return dialect.Quantity(sum)
}

// bySKU calls add for the products that sell some of these SKUs.
func (s *session) bySKU(ctx context.Context, skus []string, add func(*product)) sinks.Outcome {
	for chunk := range slices.Chunk(skus, readMost) {
		list, err := json.Marshal(chunk)
		if err != nil {
			return dialect.BadAnswer("SKUs that can't be encoded")
		}
		var page productPage
		o := s.ask(ctx, "/products/get", url.Values{
			"filter": {"all"}, "limit": {strconv.Itoa(readMost)}, "options": {"1"}, "sku_seller_list": {string(list)},
		}, &page)
		if o.Class != sinks.ClassOK {
			return o
		}
		for i := range page.Products {
			add(&page.Products[i])
		}
	}
	return sinks.Outcome{Class: sinks.ClassOK}
}

// ReadBack reads the stock of SKUs, of any items.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	type target struct{ item, sku string }
	shown := map[target]*sku{}
	var skus []string
	for i := range updates {
		if !slices.Contains(skus, updates[i].SKU) {
			skus = append(skus, updates[i].SKU)
		}
	}
	o := s.bySKU(ctx, skus, func(p *product) {
		for i := range p.SKUs {
			shown[target{string(p.ItemID), string(p.SKUs[i].SkuID)}] = &p.SKUs[i]
		}
	})
	if o.Class != sinks.ClassOK {
		return nil, o
	}
	readings := make([]sinks.Reading, len(updates))
	for i := range updates {
		if k := shown[target{updates[i].Target.ProductID, updates[i].Target.VariantID}]; k != nil {
			readings[i] = k.reading(&updates[i])
		}
	}
	return readings, o
}

// reading is the sum over the update's locations, or over all when it has none.
func (k *sku) reading(u *sinks.Update) sinks.Reading {
	r := sinks.Reading{Found: true}
	if len(u.Locations) == 0 {
		r.Qty = k.sellable()
		return r
	}
	for _, l := range u.Locations {
		at := sinks.LocationReading{LocationID: l.LocationID} // a warehouse without stock is not shown
		for _, w := range k.Warehouses {
			if w.Code == l.LocationID {
				at.Qty = dialect.Quantity(w.Sellable.int())
				at.Allocated = dialect.Quantity(w.Withheld.int() + w.Occupied.int())
			}
		}
		r.Qty, r.Allocated = r.Qty+at.Qty, r.Allocated+at.Allocated
		r.Locations = append(r.Locations, at)
	}
	return r
}
