package tiktokshop

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
	"stocksync/topics"
)

// skuInput is one SKU of a request.
type skuInput struct {
	ID        string           `json:"id"`
	Inventory []inventoryInput `json:"inventory"`
}

type inventoryInput struct {
	WarehouseID string `json:"warehouse_id,omitempty"` // left out by sellers with one warehouse
	Quantity    int64  `json:"quantity"`
}

// failures is the data of an answer.
type failures struct {
	Errors []struct {
		inner

		Detail struct {
			SKUID       string  `json:"sku_id"`
			ExtraErrors []inner `json:"extra_errors"`
		} `json:"detail"`
	} `json:"errors"`
}

// inner is a code with its message.
type inner struct {
	Code    int64  `json:"code"`
	Message string `json:"message"`
}

func (i inner) outcome() sinks.Outcome {
	return classify(strconv.FormatInt(i.Code, 10), i.Message)
}

// Push sends the stock of one product's SKUs.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	r := sinks.Reply{
		Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: make([]sinks.Outcome, len(updates)), RequestID: sinks.RequestID(),
	}
	sent := dialect.Sendable(updates, r.Items, func(t *topics.Target) string { return t.VariantID })
	if len(sent) == 0 {
		return r
	}
	input := make([]skuInput, len(sent))
	for n, i := range sent {
		input[n] = skuInput{ID: updates[i].Target.VariantID, Inventory: inventory(&updates[i])}
	}
	path := "/product/202309/products/" + updates[sent[0]].Target.ProductID + "/inventory/update"
	a, o := s.call(ctx, path, nil, map[string]any{"skus": input})
	r.RetryAfter = a.retryAfter
	if a.requestID != "" {
		r.RequestID = a.requestID
	}
	var result failures
	if o.Class == sinks.ClassOK && len(a.data) > 0 && json.Unmarshal(a.data, &result) != nil {
		o = dialect.BadAnswer("the answer's data is not what an update has")
	}
	switch {
	case o.Class == sinks.ClassOK:
		results(&result, updates, sent, r.Items, a.grant)
	case ofProduct(o):
		for _, i := range sent {
			r.Items[i] = o
		}
	default:
		r.Whole = o
	}
	return r
}

// inventory spreads an update over the warehouses.
func inventory(u *sinks.Update) []inventoryInput {
	if len(u.Locations) == 0 {
		return []inventoryInput{{Quantity: dialect.Units(u.Qty)}}
	}
	list := make([]inventoryInput, len(u.Locations))
	for i, l := range u.Locations {
		list[i] = inventoryInput{WarehouseID: l.LocationID, Quantity: dialect.Units(l.Qty)}
	}
	return list
}

// ofProduct tells whether the outcome of a request holds for each of its SKUs, so that smaller requests would
// fare no better.
func ofProduct(o sinks.Outcome) bool {
	switch o.Class {
	case sinks.ClassNotEditable, sinks.ClassManagedElsewhere:
		return true
	case sinks.ClassNotFound:
		return slices.Contains(productCodes(), o.Code)
	default:
		return false
	}
}

// results notes what became of each SKU: those that no error names succeeded. An error that names none is about
// all, and one that names a SKU which was not sent puts all in doubt.
func results(f *failures, updates []sinks.Update, sent []int, outcomes []sinks.Outcome, grant *token.Grant) {
	named := map[string]sinks.Outcome{}
	rest := sinks.Outcome{Class: sinks.ClassOK}
	for i := range f.Errors {
		e := &f.Errors[i]
		o := e.outcome()
		for n, x := range e.Detail.ExtraErrors {
			if inside := x.outcome(); n == 0 {
				o = inside
			} else {
				o = dialect.Worst(o, inside)
			}
		}
		id := e.Detail.SKUID
		known := slices.ContainsFunc(sent, func(i int) bool { return updates[i].Target.VariantID == id })
		switch {
		case id == "":
			rest = dialect.Worst(rest, o)
		case !known:
			rest = dialect.Worst(rest, dialect.BadAnswer("the answer names a SKU that was not sent"))
		default:
			if before, twice := named[id]; twice {
				o = dialect.Worst(before, o)
			}
			named[id] = o
		}
	}
	for _, i := range sent {
		o, ok := named[updates[i].Target.VariantID]
		if !ok {
			o = rest
		}
		outcomes[i] = grant.Hide(o)
	}
}
