package shopify

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/testenv/twin/graphql"
	"stocksync/topics"
)

// Bundle is the Note of an item whose number can't be set.
const Bundle = "bundle"

// pageMost is the most that a page may have.
const pageMost = 250

func units(q topics.Quantity) int64 { return int64(q / topics.One) }

func itemID(id string) string { return "gid://shopify/InventoryItem/" + id }

func locationID(id string) string { return "gid://shopify/Location/" + id }

// item is an inventory item as the server shows it.
func item(it *twin.Item) graphql.Object {
	return graphql.Object{
		graphql.TypeName: "InventoryItem", "id": itemID(it.Variant), "tracked": !it.Untracked, "sku": it.SKU,
		"inventoryLevel": func(f graphql.Field) (any, error) {
			id, _ := f.Args["locationId"].(string)
			level, ok := it.Levels[strings.TrimPrefix(id, "gid://shopify/Location/")]
			if !ok {
				return nil, nil
			}
			return graphql.Object{
				graphql.TypeName: "InventoryLevel", "id": id + "?inventory_item_id=" + it.Variant,
				"quantities": func(f graphql.Field) (any, error) {
					var list []graphql.Object
					names, _ := f.Args["names"].([]any)
					for _, name := range names {
						list = append(list, graphql.Object{
							graphql.TypeName: "InventoryQuantity", "name": name, "quantity": units(level.Qty),
						})
					}
					return list, nil
				},
			}, nil
		},
	}
}

// nodes answers for single items; null for one that is not there.
func (d dialect) nodes(f graphql.Field) (any, error) {
	there := map[string]twin.Item{}
	for _, it := range d.shop.Items() {
		there[itemID(it.Variant)] = it
	}
	ids, _ := f.Args["ids"].([]any)
	list := []graphql.Object{}
	for _, id := range ids {
		text, _ := id.(string)
		if it, ok := there[text]; ok {
			list = append(list, item(&it))
		} else {
			list = append(list, nil)
		}
	}
	return list, nil
}

// page cuts a list, sorted by id, at a cursor, which is the last id of the page before.
func page(f graphql.Field, all []graphql.Object) (any, error) {
	first, _ := f.Args["first"].(float64)
	if first < 1 || first > pageMost {
		return nil, &fault{"INVALID_FIELD_ARGUMENTS", "first must be between 1 and 250"}
	}
	from := 0
	if after, ok := f.Args["after"].(string); ok {
		from = 1 + slices.IndexFunc(all, func(o graphql.Object) bool { return o["id"] == after })
	}
	to := min(from+int(first), len(all))
	info := graphql.Object{graphql.TypeName: "PageInfo", "hasNextPage": to < len(all), "endCursor": nil}
	if to > from {
		info["endCursor"] = all[to-1]["id"]
	}
	return graphql.Object{graphql.TypeName: "Connection", "nodes": all[from:to], "pageInfo": info}, nil
}

// locations lists them.
func (d dialect) locations(f graphql.Field) (any, error) {
	var all []graphql.Object
	for _, id := range Locations() {
		all = append(all, graphql.Object{graphql.TypeName: "Location", "id": locationID(id)})
	}
	return page(f, all)
}

// search reads what a query asks for: SKUs, case ignored, and the least id.
func search(query string) func(it *twin.Item) bool {
	var skus []string
	for _, m := range regexp.MustCompile(`sku:"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(query, -1) {
		skus = append(skus, strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(m[1]))
	}
	least := int64(0)
	if m := regexp.MustCompile(`id:>=(\d+)`).FindStringSubmatch(query); m != nil {
		least, _ = strconv.ParseInt(m[1], 10, 64)
	}
	return func(it *twin.Item) bool {
		id, _ := strconv.ParseInt(it.Variant, 10, 64)
		named := len(skus) == 0 || slices.ContainsFunc(skus, func(s string) bool { return strings.EqualFold(s, it.SKU) })
		return id >= least && named
	}
}

// variants lists those that a search finds, by rising id. The number of a variant is that of its item, to keep the
// twin simple: a shop has different ones.
func (d dialect) variants(f graphql.Field) (any, error) {
	if f.Args["sortKey"] != graphql.Enum("ID") {
		return nil, &fault{"INVALID_FIELD_ARGUMENTS", "this twin sorts by id"}
	}
	query, _ := f.Args["query"].(string)
	wanted := search(query)
	var all []graphql.Object
	for _, it := range d.shop.Items() {
		if !wanted(&it) {
			continue
		}
		var sum topics.Quantity
		for _, l := range it.Levels {
			sum += l.Qty
		}
		all = append(all, graphql.Object{
			graphql.TypeName: "ProductVariant", "id": "gid://shopify/ProductVariant/" + it.Variant, "sku": it.SKU,
			"title": "Default Title", "inventoryQuantity": units(sum), "inventoryItem": item(&it),
			"product": graphql.Object{
				graphql.TypeName: "Product", "id": "gid://shopify/Product/" + it.Product, "title": it.Title, "status": it.Status,
				"onlineStoreUrl": "https://twin.myshopify.com/products/" + it.Product,
			},
		})
	}
	return page(f, all)
}
