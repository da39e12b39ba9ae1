package woocommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// batchMost is the server's limit of elements.
const batchMost = 100

// Notes of an item whose stock is managed otherwise than by its own number.
const (
	ManagedByParent = "parent"
	ShopWideOff     = "off" // the shop's own switch: management looks on and the number is ignored
)

// object is a value with fields.
type object = map[string]any

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// show is a product or variation as the server shows it, as far as the twin knows it.
func (d dialect) show(it *twin.Item) object {
	id, kind, parent := it.Product, "simple", int64(0)
	if it.Variant != "" {
		id, kind, parent = it.Variant, "variation", number(it.Product)
	}
	o := object{
		"id": number(id), "type": kind, "parent_id": parent, "sku": it.SKU, "name": it.Title, "status": it.Status,
		"permalink": d.shop.URL() + "/?p=" + id, "manage_stock": true, "stock_quantity": it.Levels[""].Qty,
		"variations": []int64{}, "attributes": []object{},
	}
	switch {
	case it.Untracked:
		o["manage_stock"], o["stock_quantity"] = false, nil
	case it.Note == ManagedByParent:
		o["manage_stock"] = "parent"
	}
	if kind == "variation" {
		o["attributes"] = []object{{"id": 1, "name": "Size", "option": "No. " + id}}
	}
	return o
}

// variable is the product of variations; it has no number and no SKU of its own.
func (d dialect) variable(id string, variants []twin.Item) object {
	children := make([]int64, len(variants))
	for i, v := range variants {
		children[i] = number(v.Variant)
	}
	return object{
		"id": number(id), "type": "variable", "parent_id": 0, "sku": "", "name": "Thing", "status": variants[0].Status,
		"permalink": d.shop.URL() + "/?p=" + id, "manage_stock": false, "stock_quantity": nil, "variations": children,
		"attributes": []object{},
	}
}

// all returns what a list is made of: the variations of a product, or the products; with SKUs, variations among them.
func (d dialect) all(parent string, skus []string) []object {
	var list []object
	if parent != "" {
		for _, it := range d.shop.Variants(parent) {
			list = append(list, d.show(&it))
		}
		return list
	}
	if len(skus) > 0 {
		for _, it := range d.shop.Items() {
			// The database's order of characters ignores case.
			if slices.ContainsFunc(skus, func(s string) bool { return strings.EqualFold(s, it.SKU) }) {
				list = append(list, d.show(&it))
			}
		}
		return list
	}
	for _, id := range d.shop.Products() {
		variants := d.shop.Variants(id)
		if variants[0].Variant == "" {
			list = append(list, d.show(&variants[0]))
		} else {
			list = append(list, d.variable(id, variants))
		}
	}
	return list
}

// list answers for single products or a page of all.
func (d dialect) list(x *twin.Exchange, parent string) twin.Answer {
	var skus, include []string
	if text := x.Query.Get("sku"); text != "" {
		skus = strings.Split(text, ",")
	}
	if text := x.Query.Get("include"); text != "" {
		include = strings.Split(text, ",")
	}
	size, page := number(x.Query.Get("per_page")), number(x.Query.Get("page"))
	if size > 100 {
		return failed("rest_invalid_param", "Invalid parameter(s): per_page")
	}
	fields := strings.Split(x.Query.Get("_fields"), ",")
	var all []object
	for _, o := range d.all(parent, skus) {
		switch {
		case include != nil && !slices.Contains(include, fmt.Sprint(o["id"])):
		case x.Query.Get("status") != "any" && o["status"] == "trash":
		default:
			all = append(all, o)
		}
	}
	from := min(int(max(0, page-1)*size), len(all))
	out := []object{}
	for _, o := range all[from:min(from+int(size), len(all))] {
		cut := object{"id": o["id"]}
		for _, f := range fields {
			if v, ok := o[f]; ok {
				cut[f] = v
			}
		}
		out = append(out, cut)
	}
	a := twin.JSON(http.StatusOK, out)
	a.Header = http.Header{"X-Wp-Total": {strconv.Itoa(len(all))}}
	return a
}

// element is one of a batch.
type element struct {
	ID  int64            `json:"id"`
	Qty *topics.Quantity `json:"stock_quantity"`
}

// batch takes numbers one by one.
func (d dialect) batch(x *twin.Exchange, parent string) twin.Answer {
	var in struct{ Create, Update, Delete []element }
	if err := json.Unmarshal(x.Body, &in); err != nil {
		return failed("rest_invalid_json", "Invalid JSON body passed.")
	}
	if n := len(in.Create) + len(in.Update) + len(in.Delete); n > batchMost {
		return failed("woocommerce_rest_request_entity_too_large",
			fmt.Sprintf("Unable to accept more than %d items for this request.", batchMost))
	}
	out := []object{}
	for i, e := range in.Update {
		out = append(out, d.setOne(x, i, e, parent))
	}
	return twin.JSON(http.StatusOK, object{"update": out})
}

// setOne takes one number and returns what the server shows then.
func (d dialect) setOne(x *twin.Exchange, index int, e element, parent string) object {
	id := strconv.FormatInt(e.ID, 10)
	key, kind := twin.ID{Product: id}, "product"
	if parent != "" {
		key, kind = twin.ID{Product: parent, Variant: id}, "product_variation"
	}
	if r, refused := x.Refused(index); refused {
		return refusal(e.ID, r.Code, r.Message)
	}
	it, ok := d.shop.Item(key)
	if !ok {
		return refusal(e.ID, "woocommerce_rest_"+kind+"_invalid_id", "Invalid ID.")
	}
	if e.Qty != nil && !it.Untracked && it.Note == "" {
		x.Set(key, "", *e.Qty)
	}
	it, _ = d.shop.Item(key)
	o := d.show(&it)
	o["id"] = number(x.Echo(id))
	return o
}
