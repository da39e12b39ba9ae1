package woocommerce

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"stocksync/sinks"
	"stocksync/topics"
)

// stockInput is one element of a batch.
type stockInput struct {
	ID  int64           `json:"id"`
	Qty topics.Quantity `json:"stock_quantity"`
}

// product is a product or variation, as far as it is of use here.
type product struct {
	ID          int64           `json:"id"`
	ParentID    int64           `json:"parent_id"`
	Type        string          `json:"type"`
	SKU         string          `json:"sku"`
	Name        string          `json:"name"`
	Status      string          `json:"status"`
	Permalink   string          `json:"permalink"`
	ManageStock json.RawMessage `json:"manage_stock"` // true, false or "parent"
	Quantity    amount          `json:"stock_quantity"`
	Variations  []int64         `json:"variations"`
	Attributes  []struct {
		Option string `json:"option"`
	} `json:"attributes"`
	Error *said `json:"error"` // of an element of a batch
}

// managed tells whether the product has a number of its own.
func (p *product) managed() bool { return string(p.ManageStock) == "true" }

// amount is a number of the shop, which may have any number of decimals, or be none.
type amount struct {
	qty   topics.Quantity
	known bool
}

// UnmarshalJSON reads a number, or a string that holds one, and rounds it down; anything else is not known.
func (a *amount) UnmarshalJSON(data []byte) error {
	*a = amount{}
	if a.qty.UnmarshalJSON(data) == nil {
		a.known = string(data) != "null"
		return nil
	}
	var n json.Number
	_ = json.Unmarshal(data, &n) // anything else is no number, and not known
	f, err := n.Float64()
	if a.known = err == nil && math.Abs(f) <= float64(topics.MaxQuantity/topics.One); a.known {
		a.qty = topics.Quantity(math.Floor(f * float64(topics.One)))
	}
	return nil
}

// Push sends a batch.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	r := sinks.Reply{Items: make([]sinks.Outcome, len(updates)), RequestID: sinks.RequestID()}
	path := "/products/batch"
	if parent := updates[0].Target.ProductID; updates[0].Target.VariantID != "" {
		if _, ok := number(parent); !ok {
			r.Whole = noSuchID()
			return r
		}
		path = "/products/" + parent + "/variations/batch"
	}
	var input []stockInput
	var at []int // index of the update, by index of the element
	for i := range updates {
		id, ok := number(idOf(&updates[i].Target))
		if !ok {
			r.Items[i] = noSuchID()
			continue
		}
		input, at = append(input, stockInput{id, updates[i].Qty}), append(at, i)
	}
	r.Whole = sinks.Outcome{Class: sinks.ClassOK}
	if len(input) == 0 {
		return r
	}
	var result struct {
		Update []product `json:"update"`
	}
	a, o := s.call(ctx, http.MethodPost, path, nil, map[string]any{"update": input}, &result)
	r.Whole = o
	if a != nil {
		r.RetryAfter = sinks.RetryAfter(a.Header, time.Now())
	}
	if o.Class != sinks.ClassOK {
		return r
	}
	shown := map[int64]*product{}
	for i := range result.Update {
		shown[result.Update[i].ID] = &result.Update[i]
	}
	for n, i := range at {
		r.Items[i] = compare(input[n], shown[input[n].ID])
	}
	return r
}

// idOf is the id of what has the stock.
func idOf(t *topics.Target) string {
	if t.VariantID != "" {
		return t.VariantID
	}
	return t.ProductID
}

// number reads an id; false when the shop can't have such a one.
func number(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0
}

func noSuchID() sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassNotFound, Code: "no_such_id", Message: "ids of this shop are numbers"}
}

// compare holds what the answer shows of a product against what was sent.
func compare(sent stockInput, p *product) sinks.Outcome {
	switch {
	case p == nil:
		return sinks.Outcome{
			Class: sinks.ClassTransient, Code: "no_result", Message: "the answer says nothing of this product",
		}
	case p.Error != nil:
		return p.Error.outcome(sinks.ClassTransient)
	case string(p.ManageStock) == `"parent"`:
		return sinks.Outcome{
			Class: sinks.ClassManagedElsewhere, Code: "stock_of_parent", Message: "the variation has the stock of its product",
		}
	case !p.managed():
		return sinks.Outcome{
			Class: sinks.ClassNotEditable, Code: "manage_stock_off",
			Message: "stock management is off, of the product or of the shop",
		}
	case !p.Quantity.known || p.Quantity.qty != sent.Qty:
		return sinks.Outcome{
			Class: sinks.ClassTransient, Code: "not_applied", Message: "the answer shows another number than was sent",
		}
	}
	return sinks.Outcome{Class: sinks.ClassOK}
}
