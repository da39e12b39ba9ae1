package vendure

import (
	"cmp"
	"context"
	"slices"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/graphql"
	"stocksync/topics"
)

// roundsMost is how often what is left of a request is sent, each time without a variant that is not there.
const roundsMost = 4

const updateDocument = `mutation SetStock($input:[UpdateProductVariantInput!]!){
  updateProductVariants(input:$input){
    id outOfStockThreshold useGlobalOutOfStockThreshold
    stockLevels { stockLocationId stockOnHand stockAllocated }
  }
}`

// variantInput is one element of the mutation.
type variantInput struct {
	ID          string       `json:"id"`
	StockLevels []levelInput `json:"stockLevels"`
}

type levelInput struct {
	StockLocationID string          `json:"stockLocationId"`
	StockOnHand     topics.Quantity `json:"stockOnHand"`
}

// Push sends stock levels. A variant that is not there makes the whole mutation fail: it is sent again without.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	r := sinks.Reply{
		Whole: sinks.Outcome{Class: sinks.ClassOK}, Items: make([]sinks.Outcome, len(updates)),
		Readings: make([]sinks.Reading, len(updates)), RequestID: sinks.RequestID(),
	}
	left := sendable(updates, r.Items)
	for range roundsMost {
		if len(left) == 0 {
			return r
		}
		o := s.push(ctx, updates, left, &r)
		id := missing(o)
		gone := func(i int) bool { return id != "" && updates[i].Target.VariantID == id }
		switch {
		case o.Class == sinks.ClassOK:
			return r
		case !slices.ContainsFunc(left, gone):
			r.Whole = o
			return r
		}
		for _, i := range left {
			if gone(i) {
				r.Items[i] = o
			}
		}
		left = slices.DeleteFunc(left, gone)
	}
	for _, i := range left {
		r.Items[i] = sinks.Outcome{
			Class: sinks.ClassTransient, Code: "not_sent", Message: "too many variants of the request are not there",
		}
	}
	return r
}

// sendable returns the indexes of the updates that can be sent, by rising id, as the shop must get them lest two
// requests wait for each other; it notes why the others can't.
func sendable(updates []sinks.Update, outcomes []sinks.Outcome) []int {
	var left []int
	for i := range updates {
		if len(updates[i].Locations) == 0 {
			outcomes[i] = sinks.Outcome{
				Class: sinks.ClassLocation, Code: "no_location",
				Message: "the variant has stock at no location, and the store names none",
			}
			continue
		}
		left = append(left, i)
	}
	slices.SortFunc(left, func(i, j int) int {
		a, b := updates[i].Target.VariantID, updates[j].Target.VariantID
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return left
}

// push sends the updates with these indexes in one request.
func (s *session) push(ctx context.Context, updates []sinks.Update, left []int, r *sinks.Reply) sinks.Outcome {
	input := make([]variantInput, len(left))
	for n, i := range left {
		input[n].ID = updates[i].Target.VariantID
		for _, l := range updates[i].Locations {
			input[n].StockLevels = append(input[n].StockLevels, levelInput{l.LocationID, l.Qty})
		}
	}
	var result struct {
		Updated []*variant `json:"updateProductVariants"`
	}
	a, o := s.call(ctx, updateDocument, map[string]any{"input": input}, &result)
	r.RetryAfter = max(r.RetryAfter, retryAfter(a))
	if o.Class != sinks.ClassOK {
		return o
	}
	shown := map[string]*variant{}
	for _, v := range result.Updated {
		if v != nil {
			shown[v.ID] = v
		}
	}
	for _, i := range left {
		r.Items[i], r.Readings[i] = compare(&updates[i], shown[updates[i].Target.VariantID])
	}
	return o
}

// compare holds what the answer shows of a variant against what was sent.
func compare(u *sinks.Update, v *variant) (sinks.Outcome, sinks.Reading) {
	if v == nil {
		return sinks.Outcome{
			Class: sinks.ClassTransient, Code: "no_result", Message: "the answer says nothing of this variant",
		}, sinks.Reading{}
	}
	for _, l := range u.Locations {
		if v.level(l.LocationID).OnHand != l.Qty {
			return sinks.Outcome{
				Class: sinks.ClassTransient, Code: "not_applied", Message: "the answer shows another number than was sent",
			}, sinks.Reading{}
		}
	}
	threshold := v.Threshold
	if u.Read != nil { // a mutation can't ask for the global one
		threshold = u.Read.Threshold
	}
	return sinks.Outcome{Class: sinks.ClassOK}, v.reading(u, threshold)
}

func retryAfter(a *graphql.Answer) time.Duration {
	if a == nil {
		return 0
	}
	return sinks.RetryAfter(a.Header, time.Now())
}
