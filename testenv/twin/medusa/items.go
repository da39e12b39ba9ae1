package medusa

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// object is a value with fields.
type object = map[string]any

// show is an item as the server shows it, whole.
func show(it *twin.Item) object {
	levels := []any{}
	for _, location := range slices.Sorted(maps.Keys(it.Levels)) {
		l := it.Levels[location]
		levels = append(levels, object{
			"location_id": location, "stocked_quantity": l.Qty, "reserved_quantity": l.Allocated,
		})
	}
	variants := []any{}
	if it.Product != it.Variant { // else no variant points to the item
		variants = append(variants, object{
			"id": "variant_" + it.Variant, "title": "One", "manage_inventory": !it.Untracked,
			"product": object{"id": it.Product, "title": it.Title, "status": it.Status},
		})
	}
	return object{
		"id": it.Variant, "sku": it.SKU, "title": it.Title, "location_levels": levels, "variants": variants,
	}
}

// cut keeps of a value the fields with these paths; an error is a path that leads nowhere.
func cut(value any, paths []string) (any, error) {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			one, err := cut(v[i], paths)
			if err != nil {
				return nil, err
			}
			out[i] = one
		}
		return out, nil
	case object:
		inner := map[string][]string{}
		for _, p := range paths {
			first, rest, _ := strings.Cut(p, ".")
			inner[first] = append(inner[first], rest)
		}
		out := object{"id": v["id"]}
		for name, rest := range inner {
			field, ok := v[name]
			if !ok {
				return nil, fmt.Errorf("requested field %q does not exist", name)
			}
			one, err := cut(field, rest)
			if err != nil {
				return nil, err
			}
			out[name] = one
		}
		return out, nil
	}
	return value, nil
}

// listItems answers for single items or a page of all.
func (d dialect) listItems(x *twin.Exchange) twin.Answer {
	wants := func(name, value string) bool {
		list, asked := x.Query[name+"[]"]
		return !asked || slices.Contains(list, value)
	}
	var all []any
	for _, it := range d.shop.Items() {
		if wants("id", it.Variant) && wants("sku", it.SKU) {
			all = append(all, show(&it))
		}
	}
	limit, offset := number(x.Query, "limit", 20), number(x.Query, "offset", 0)
	page, err := cut(all[min(offset, len(all)):min(offset+limit, len(all))], strings.Split(x.Query.Get("fields"), ","))
	if err != nil {
		return failed("invalid_data", err.Error())
	}
	return twin.JSON(http.StatusOK, object{"inventory_items": page, "count": len(all), "offset": offset, "limit": limit})
}

// listLocations answers for the shop's locations.
func (d dialect) listLocations(*twin.Exchange) twin.Answer {
	list := []any{}
	for _, id := range Locations() {
		list = append(list, object{"id": id})
	}
	return twin.JSON(http.StatusOK, object{"stock_locations": list, "count": len(list)})
}

func number(q url.Values, name string, fallback int) int {
	if n, err := strconv.Atoi(q.Get(name)); err == nil {
		return n
	}
	return fallback
}

// levelInput is one element of a batch.
type levelInput struct {
	ItemID     string           `json:"inventory_item_id"`
	LocationID string           `json:"location_id"`
	Stocked    *topics.Quantity `json:"stocked_quantity"`
}

// setLevels changes all or nothing.
func (d dialect) setLevels(x *twin.Exchange) twin.Answer {
	var in struct{ Create, Update []levelInput }
	decoder := json.NewDecoder(bytes.NewReader(x.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return failed("invalid_data", "Invalid request: "+err.Error())
	}
	there := byID(d.shop.Items())
	var unknown []string
	for i, u := range in.Update {
		if u.Stocked == nil {
			return failed("invalid_data", fmt.Sprintf("Invalid request: Field 'update, %d, stocked_quantity' is required", i))
		}
		if *u.Stocked < 0 {
			return failed("invalid_data", fmt.Sprintf(
				"Invalid request: Value for field 'update, %d, stocked_quantity' too small, expected at least: '0'", i))
		}
		if r, refused := x.Refused(i); refused {
			return failed(r.Code, strings.ReplaceAll(r.Message, "{id}", u.ItemID))
		}
		if it := there[u.ItemID]; it == nil || !has(it, u.LocationID) {
			unknown = append(unknown, fmt.Sprintf("Item %s is not stocked at location %s", u.ItemID, u.LocationID))
		}
	}
	if len(unknown) > 0 {
		return failed("not_found", strings.Join(unknown, ", "))
	}
	if len(in.Create) > 0 {
		return failed("not_allowed", "this twin makes no levels")
	}
	updated := []object{}
	for _, u := range in.Update {
		before := there[u.ItemID]
		x.Set(before.ID, u.LocationID, *u.Stocked)
		after, _ := d.shop.Item(before.ID)
		l := after.Levels[u.LocationID]
		updated = append(updated, object{
			"inventory_item_id": x.Echo(u.ItemID), "location_id": u.LocationID,
			"stocked_quantity": l.Qty, "reserved_quantity": l.Allocated,
			"available_quantity": before.Levels[u.LocationID].Qty - before.Levels[u.LocationID].Allocated,
		})
	}
	return twin.JSON(http.StatusOK, object{"created": []any{}, "updated": updated})
}

// byID returns items by the ids that the server gives them.
func byID(items []twin.Item) map[string]*twin.Item {
	there := map[string]*twin.Item{}
	for i := range items {
		there[items[i].Variant] = &items[i]
	}
	return there
}

func has(it *twin.Item, location string) bool {
	_, ok := it.Levels[location]
	return ok
}
