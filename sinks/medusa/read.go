package medusa

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"stocksync/sinks"
	"stocksync/topics"
)

// readMost is the items of one reading: their ids make an address of 4 kB.
const readMost = 100

// itemFields are what is asked for of an item.
const itemFields = "id,sku,title,location_levels.location_id,location_levels.stocked_quantity," +
	"location_levels.reserved_quantity,variants.id,variants.title,variants.manage_inventory,variants.product.id," +
	"variants.product.title,variants.product.status"

// item is an inventory item, as far as it was asked for.
type item struct {
	ID       string    `json:"id"`
	SKU      string    `json:"sku"`
	Title    string    `json:"title"`
	Levels   []level   `json:"location_levels"`
	Variants []variant `json:"variants"`
}

type level struct {
	ItemID     string          `json:"inventory_item_id"` // in answers to writes
	LocationID string          `json:"location_id"`
	Stocked    topics.Quantity `json:"stocked_quantity"`
	Reserved   topics.Quantity `json:"reserved_quantity"`
}

type variant struct {
	Title           string `json:"title"`
	ManageInventory bool   `json:"manage_inventory"`
	Product         struct {
		ID     string `json:"id"`
		Title  string `json:"title"`
		Status string `json:"status"`
	} `json:"product"`
}

// itemPage is the answer to a question for items.
type itemPage struct {
	Items []item `json:"inventory_items"`
	Count int    `json:"count"`
}

// ReadBack reads what lies there, and what of it is reserved.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	readings := make([]sinks.Reading, len(updates))
	ids := make([]string, len(updates))
	for i := range updates {
		ids[i] = updates[i].Target.VariantID
	}
	there, o := s.items(ctx, ids)
	if o.Class != sinks.ClassOK {
		return nil, o
	}
	for i := range updates {
		if it, ok := there[ids[i]]; ok {
			readings[i] = it.reading(&updates[i])
		}
	}
	return readings, o
}

// items looks up those with these ids.
func (s *session) items(ctx context.Context, ids []string) (map[string]item, sinks.Outcome) {
	there := map[string]item{}
	for some := range slices.Chunk(ids, readMost) {
		q := query("id", some)
		q.Set("limit", strconv.Itoa(len(some)))
		q.Set("fields", itemFields)
		var p itemPage
		if o := s.get(ctx, "/admin/inventory-items", q, &p); o.Class != sinks.ClassOK {
			return nil, o
		}
		for _, it := range p.Items {
			there[it.ID] = it
		}
	}
	return there, sinks.Outcome{Class: sinks.ClassOK}
}

// reading is what an item shows of an update's locations; of all its own when the update names none.
func (it *item) reading(u *sinks.Update) sinks.Reading {
	r := sinks.Reading{Found: true}
	if len(u.Locations) == 0 {
		for _, l := range it.Levels {
			add(&r, l)
		}
		return r
	}
	for _, at := range u.Locations {
		l := level{LocationID: at.LocationID} // nothing lies where there is no level
		if i := slices.IndexFunc(it.Levels, func(l level) bool { return l.LocationID == at.LocationID }); i >= 0 {
			l = it.Levels[i]
		}
		add(&r, l)
	}
	return r
}

// add puts a level into a reading.
func add(r *sinks.Reading, l level) {
	r.Qty, r.Allocated = r.Qty+l.Stocked, r.Allocated+l.Reserved
	r.Locations = append(r.Locations, sinks.LocationReading{
		LocationID: l.LocationID, Qty: l.Stocked, Allocated: l.Reserved,
	})
}

// pageQuery is the query of a page of items, in the order of their ids, which do not change.
func pageQuery(limit, offset int, skus []string) url.Values {
	q := url.Values{
		"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}, "order": {"id"}, "fields": {itemFields},
	}
	if len(skus) > 0 {
		q["sku[]"] = skus
	}
	return q
}
