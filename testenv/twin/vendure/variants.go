package vendure

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/testenv/twin/graphql"
	"stocksync/topics"
)

// listMost is the server's adminListQueryLimit.
const listMost = 1000

// Disabled is the Status of an item that is switched off.
const Disabled = "disabled"

func units(q topics.Quantity) int64 { return int64(q / topics.One) }

// show is a variant as the server shows it.
func (d dialect) show(x *twin.Exchange, it *twin.Item) graphql.Object {
	id := it.Variant
	if x != nil {
		id = x.Echo(id)
	}
	track := "INHERIT"
	if it.Untracked {
		track = "FALSE"
	}
	var levels []graphql.Object
	for _, location := range slices.Sorted(maps.Keys(it.Levels)) {
		l := it.Levels[location]
		levels = append(levels, graphql.Object{
			"stockLocationId": location, "stockOnHand": units(l.Qty), "stockAllocated": units(l.Allocated),
		})
	}
	return graphql.Object{
		graphql.TypeName: "ProductVariant", "id": id, "sku": it.SKU, "name": it.Title, "enabled": it.Status != Disabled,
		"trackInventory": track, "outOfStockThreshold": units(it.Threshold),
		"useGlobalOutOfStockThreshold": it.Threshold == 0, "stockLevels": levels,
		"product": graphql.Object{graphql.TypeName: "Product", "id": it.Product, "enabled": true},
	}
}

func (d dialect) settings() graphql.Object {
	return graphql.Object{
		graphql.TypeName: "GlobalSettings", "trackInventory": true, "outOfStockThreshold": units(d.shop.cfg.Threshold),
	}
}

// variants lists those that pass the filter, which is exact: case and spaces count.
func (d dialect) variants(f graphql.Field) (any, error) {
	options, _ := f.Args["options"].(map[string]any)
	take, skip := number(options["take"], 100), number(options["skip"], 0)
	if take > listMost {
		return nil, &fault{"USER_INPUT_ERROR", fmt.Sprintf("Cannot take more than %d results from a list query", listMost)}
	}
	filter, _ := options["filter"].(map[string]any)
	var all []twin.Item
	for _, it := range d.shop.Items() {
		if allows(filter, "id", it.Variant) && allows(filter, "sku", it.SKU) {
			all = append(all, it)
		}
	}
	items := []graphql.Object{}
	for i := skip; i < min(skip+take, len(all)); i++ {
		items = append(items, d.show(nil, &all[i]))
	}
	return graphql.Object{graphql.TypeName: "ProductVariantList", "totalItems": len(all), "items": items}, nil
}

func number(v any, fallback int) int {
	if n, ok := v.(float64); ok {
		return int(n)
	}
	return fallback
}

// allows tells whether a filter lets a value of a field through.
func allows(filter map[string]any, field, value string) bool {
	condition, ok := filter[field].(map[string]any)
	if !ok {
		return true
	}
	in, _ := condition["in"].([]any)
	return slices.Contains(in, any(value))
}

// change is one element of a mutation, read.
type change struct {
	item   twin.Item
	levels map[string]topics.Quantity
}

// update changes all or nothing.
func (d dialect) update(x *twin.Exchange, f graphql.Field) (any, error) {
	input, _ := f.Args["input"].([]any)
	changes := make([]change, len(input))
	ids := make([]string, len(input))
	there := map[string]twin.Item{}
	for _, it := range d.shop.Items() {
		there[it.Variant] = it
	}
	for i := range input {
		c, err := read(input[i], there)
		if err != nil {
			return nil, err
		}
		if r, refused := x.Refused(i); refused {
			return nil, &fault{r.Code, strings.ReplaceAll(r.Message, "{id}", c.item.Variant)}
		}
		changes[i], ids[i] = c, c.item.Variant
	}
	if !d.shop.hold(ids) {
		return nil, &fault{"", "deadlock detected"}
	}
	defer d.shop.release(ids)
	shown := make([]graphql.Object, len(changes))
	for i, c := range changes {
		for location, qty := range c.levels {
			if _, there := c.item.Levels[location]; !there {
				c.item.Levels[location] = twin.Level{}
				d.shop.Put(c.item)
			}
			x.Set(c.item.ID, location, qty)
		}
		it, _ := d.shop.Item(c.item.ID)
		shown[i] = d.show(x, &it)
	}
	return shown, nil
}

// bad is the error of an input that its type does not fit.
func bad(format string, value any) error { return &fault{"BAD_USER_INPUT", fmt.Sprintf(format, value)} }

// read checks one element of a mutation as the server does, which takes numbers below zero.
func read(element any, there map[string]twin.Item) (change, error) {
	object, _ := element.(map[string]any)
	for name := range object {
		if name != "id" && name != "stockLevels" {
			return change{}, bad("Field %q is not what this twin changes", name)
		}
	}
	id, _ := object["id"].(string)
	it, ok := there[id]
	if !ok {
		return change{}, &fault{"ENTITY_NOT_FOUND", fmt.Sprintf("No ProductVariant with the id %q could be found", id)}
	}
	c := change{item: it, levels: map[string]topics.Quantity{}}
	list, _ := object["stockLevels"].([]any)
	for _, one := range list {
		level, _ := one.(map[string]any)
		qty, ok := level["stockOnHand"].(float64)
		switch {
		case !ok || qty != math.Trunc(qty):
			return change{}, bad("Int cannot represent non-integer value: %v", level["stockOnHand"])
		case qty > math.MaxInt32 || qty < math.MinInt32:
			return change{}, bad("Int cannot represent non 32-bit signed integer value: %v", qty)
		}
		location, _ := level["stockLocationId"].(string)
		if !slices.Contains(Locations(), location) {
			return change{}, &fault{"", `insert or update on table "stock_level" violates foreign key constraint "FK_984c48"`}
		}
		c.levels[location] = topics.Quantity(qty) * topics.One
	}
	return c, nil
}
