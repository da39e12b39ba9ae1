package shopify

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/testenv/twin/graphql"
	"stocksync/topics"
)

// rowsMost is the elements of an input array.
const rowsMost = 250

// answered is what a request with a key got.
type answered struct {
	input  string
	answer graphql.Object
}

// complaint is an error of a row.
func complaint(code, message string, path ...string) graphql.Object {
	return graphql.Object{
		graphql.TypeName: "InventorySetQuantitiesUserError", "code": code, "message": message, "field": path,
	}
}

// set carries out a mutation, or gives the answer that its key has got before.
func (d dialect) set(x *twin.Exchange, f graphql.Field) (any, error) {
	key, _ := f.Directives["idempotent"]["key"].(string)
	if key == "" {
		return nil, &fault{"BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."}
	}
	input, _ := f.Args["input"].(map[string]any)
	text, err := json.Marshal(input)
	if err != nil {
		return nil, &fault{"INVALID_VARIABLE", err.Error()}
	}
	d.shop.mu.Lock()
	before, again := d.shop.done[key]
	d.shop.mu.Unlock()
	switch {
	case again && before.input == string(text):
		return before.answer, nil
	case again:
		return result(nil, []graphql.Object{complaint("IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
			"The same idempotency key cannot be used with different operation parameters.")}), nil
	}
	answer, err := d.apply(x, input)
	if err != nil {
		return nil, err
	}
	d.shop.mu.Lock()
	defer d.shop.mu.Unlock()
	d.shop.done[key] = answered{string(text), answer}
	return answer, nil
}

func result(changes, complaints []graphql.Object) graphql.Object {
	o := graphql.Object{
		graphql.TypeName: "InventorySetQuantitiesPayload", "userErrors": complaints, "inventoryAdjustmentGroup": nil,
	}
	if len(changes) > 0 {
		o["inventoryAdjustmentGroup"] = graphql.Object{graphql.TypeName: "InventoryAdjustmentGroup", "changes": changes}
	}
	return o
}

// row is one number, read.
type row struct {
	item     twin.Item
	location string
	qty      topics.Quantity
}

// apply sets all rows or none.
func (d dialect) apply(x *twin.Exchange, input map[string]any) (graphql.Object, error) {
	if name := input["name"]; name != "available" && name != "on_hand" {
		return result(nil, []graphql.Object{
			complaint("INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", "input", "name"),
		}), nil
	}
	list, _ := input["quantities"].([]any)
	if len(list) > rowsMost {
		return nil, &fault{"MAX_INPUT_SIZE_EXCEEDED", "The input array size of is greater than the maximum allowed of 250."}
	}
	there := map[string]twin.Item{}
	for _, it := range d.shop.Items() {
		there[itemID(it.Variant)] = it
	}
	rows, complaints := make([]row, len(list)), []graphql.Object{}
	for i, one := range list {
		element, _ := one.(map[string]any)
		r, code, err := read(element, there)
		if err != nil {
			return nil, err
		}
		rows[i] = r
		message := code
		if refusal, refused := x.Refused(i); refused {
			code, message = refusal.Code, refusal.Message
		}
		if code != "" {
			complaints = append(complaints, complaint(code, message, "input", "quantities", strconv.Itoa(i), "quantity"))
		}
	}
	if len(complaints) > 0 {
		return result(nil, complaints), nil
	}
	return result(d.change(x, rows), complaints), nil
}

// read checks one row; code is that of its complaint.
func read(element map[string]any, there map[string]twin.Item) (r row, code string, err error) {
	from, compared := element["changeFromQuantity"]
	if !compared {
		return r, "", &fault{"INVALID_FIELD_ARGUMENTS", "InventoryQuantityInput must include the changeFromQuantity field."}
	}
	for name := range element {
		if !slices.Contains([]string{"inventoryItemId", "locationId", "quantity", "changeFromQuantity"}, name) {
			return r, "", &fault{"INVALID_VARIABLE", fmt.Sprintf("Field is not defined on InventoryQuantityInput: %s", name)}
		}
	}
	id, _ := element["inventoryItemId"].(string)
	location, _ := element["locationId"].(string)
	qty, number := element["quantity"].(float64)
	if !strings.HasPrefix(id, "gid://shopify/InventoryItem/") || !strings.HasPrefix(location, "gid://shopify/Location/") ||
		!number || qty != math.Trunc(qty) {
		return r, "", &fault{"INVALID_VARIABLE", "Variable $input was provided invalid value"}
	}
	it, ok := there[id]
	r = row{item: it, location: location[strings.LastIndexByte(location, '/')+1:], qty: topics.Quantity(qty) * topics.One}
	level, stocked := it.Levels[r.location]
	expected, given := from.(float64)
	switch {
	case !ok:
		code = "INVALID_INVENTORY_ITEM"
	case it.Note == Bundle:
		code = "NON_MUTABLE_INVENTORY_ITEM"
	case !slices.Contains(Locations(), r.location):
		code = "INVALID_LOCATION"
	case !stocked:
		code = "ITEM_NOT_STOCKED_AT_LOCATION"
	case qty < 0:
		code = "INVALID_QUANTITY_NEGATIVE"
	case qty > 1e9:
		code = "INVALID_QUANTITY_TOO_HIGH"
	case given && topics.Quantity(expected)*topics.One != level.Qty:
		code = "CHANGE_FROM_QUANTITY_STALE"
	}
	return r, code, nil
}

// change sets numbers, and lists those that became others.
func (d dialect) change(x *twin.Exchange, rows []row) []graphql.Object {
	var changes []graphql.Object
	for _, r := range rows {
		before := r.item.Levels[r.location].Qty
		x.Set(r.item.ID, r.location, r.qty)
		it, _ := d.shop.Item(r.item.ID)
		after := it.Levels[r.location].Qty
		if after == before {
			continue
		}
		changes = append(changes, graphql.Object{
			graphql.TypeName: "InventoryChange", "name": "available", "delta": units(after - before), "quantityAfterChange": nil,
			"item":     graphql.Object{graphql.TypeName: "InventoryItem", "id": itemID(x.Echo(r.item.Variant))},
			"location": graphql.Object{graphql.TypeName: "Location", "id": locationID(r.location)},
		})
	}
	return changes
}
