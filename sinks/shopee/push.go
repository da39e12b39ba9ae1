package shopee

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
	"stocksync/topics"
)

// stockInput is one model of a request. Ids go out as the numbers they are.
type stockInput struct {
	ModelID     json.Number   `json:"model_id"`
	SellerStock []sellerStock `json:"seller_stock"`
}

type sellerStock struct {
	LocationID string `json:"location_id,omitempty"` // left out by shops with one warehouse
	Stock      int64  `json:"stock"`
}

// result is the response to an update.
type result struct {
	Success []struct {
		ModelID    json.Number `json:"model_id"`
		LocationID string      `json:"location_id"`
		Stock      *int64      `json:"stock"`
	} `json:"success_list"`
	Failure []struct {
		ModelID json.Number `json:"model_id"`
		Reason  string      `json:"failed_reason"`
	} `json:"failure_list"`
}

// Push sends the stock of one item's models.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	r := sinks.Reply{
		Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: make([]sinks.Outcome, len(updates)), RequestID: sinks.RequestID(),
	}
	sent := dialect.Sendable(updates, r.Items, model)
	if len(sent) == 0 {
		return r
	}
	input := make([]stockInput, len(sent))
	for n, i := range sent {
		input[n] = stockInput{json.Number(model(&updates[i].Target)), stock(&updates[i])}
	}
	a, o := s.call(ctx, http.MethodPost, "/api/v2/product/update_stock", nil, map[string]any{
		"item_id": json.Number(updates[sent[0]].Target.ProductID), "stock_list": input,
	})
	r.RetryAfter = a.retryAfter
	if a.requestID != "" {
		r.RequestID = a.requestID
	}
	var said result
	named := json.Unmarshal(a.response, &said) == nil && len(said.Success)+len(said.Failure) > 0
	switch {
	case named && (o.Class == sinks.ClassOK || o.Code == updateFailed):
		results(&said, updates, sent, r.Items, a.grant)
	case o.Class == sinks.ClassOK:
		r.Whole = dialect.BadAnswer("the answer names no model")
	case ofItem(o):
		for _, i := range sent {
			r.Items[i] = o
		}
	default:
		r.Whole = o
	}
	return r
}

// model is a target's model as Shopee numbers it: 0 for an item without models.
func model(t *topics.Target) string {
	if t.VariantID == "" {
		return "0"
	}
	return t.VariantID
}

// stock spreads an update over the shop's warehouses.
func stock(u *sinks.Update) []sellerStock {
	if len(u.Locations) == 0 {
		return []sellerStock{{Stock: dialect.Units(u.Qty)}}
	}
	list := make([]sellerStock, len(u.Locations))
	for i, l := range u.Locations {
		list[i] = sellerStock{l.LocationID, dialect.Units(l.Qty)}
	}
	return list
}

// results notes what became of each model: success is to be in the list of it, with the stock that was sent.
func results(r *result, updates []sinks.Update, sent []int, outcomes []sinks.Outcome, grant *token.Grant) {
	for _, i := range sent {
		u := &updates[i]
		id, o := model(&u.Target), sinks.Outcome{}
		for _, x := range r.Success {
			if x.ModelID.String() != id {
				continue
			}
			if o.Class == 0 {
				o.Class = sinks.ClassOK
			}
			if x.Stock != nil && !slices.Contains(amounts(u, x.LocationID), *x.Stock) {
				o = sinks.Outcome{
					Class: sinks.ClassTransient, Code: "not_applied",
					Message: "the answer shows a stock of " + strconv.FormatInt(*x.Stock, 10),
				}
			}
		}
		for _, x := range r.Failure {
			if x.ModelID.String() == id {
				o = dialect.Worst(o, reason(x.Reason))
			}
		}
		outcomes[i] = grant.Hide(o)
	}
}

// amounts is what an answer may show of an update at a location: an answer that names none may show a part.
func amounts(u *sinks.Update, location string) []int64 {
	list := []int64{}
	if len(u.Locations) == 0 {
		list = append(list, dialect.Units(u.Qty))
	}
	for _, l := range u.Locations {
		if location == "" || l.LocationID == location {
			list = append(list, dialect.Units(l.Qty))
		}
	}
	return list
}
