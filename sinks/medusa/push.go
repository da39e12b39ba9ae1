package medusa

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"stocksync/sinks"
	"stocksync/sinks/rest"
	"stocksync/topics"
)

// roundsMost is how often what is left of a request is sent, each time without what the shop does not know. It
// names all of that at once.
const roundsMost = 3

// row is one level to be set.
type row struct {
	ItemID     string          `json:"inventory_item_id"`
	LocationID string          `json:"location_id"`
	Stocked    topics.Quantity `json:"stocked_quantity"`
}

// place is where a level is.
type place struct{ item, location string }

// Push sends stock levels. Items and levels that are not there make the shop refuse the whole batch: it is sent
// again without.
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
		if o.Class == sinks.ClassOK {
			return r
		}
		unknown := places(o)
		gone := func(i int) bool {
			return slices.ContainsFunc(unknown, func(p place) bool { return names(&updates[i], p) })
		}
		if !slices.ContainsFunc(left, gone) {
			r.Whole = o
			return r
		}
		why := s.explain(ctx, unknown, o)
		for _, i := range left {
			for _, p := range unknown {
				if names(&updates[i], p) {
					r.Items[i] = why[p]
				}
			}
		}
		left = slices.DeleteFunc(left, gone)
	}
	for _, i := range left {
		r.Items[i] = sinks.Outcome{
			Class: sinks.ClassTransient, Code: "not_sent", Message: "levels of the request go away while it is sent",
		}
	}
	return r
}

// sendable returns the indexes of the updates that can be sent, and notes why the others can't.
func sendable(updates []sinks.Update, outcomes []sinks.Outcome) []int {
	var left []int
	for i := range updates {
		if len(updates[i].Locations) == 0 {
			outcomes[i] = sinks.Outcome{
				Class: sinks.ClassLocation, Code: "no_location",
				Message: "the item has stock at no location, and the store names none",
			}
			continue
		}
		left = append(left, i)
	}
	return left
}

// names tells whether an update is about a place.
func names(u *sinks.Update, p place) bool {
	return u.Target.VariantID == p.item &&
		slices.ContainsFunc(u.Locations, func(l sinks.LocationQty) bool { return l.LocationID == p.location })
}

// push sends the updates with these indexes in one request. What is changed is levels that are there: one at a
// location that the shop doesn't have would be made without a word.
func (s *session) push(ctx context.Context, updates []sinks.Update, left []int, r *sinks.Reply) sinks.Outcome {
	var rows []row
	for _, i := range left {
		for _, l := range updates[i].Locations {
			rows = append(rows, row{updates[i].Target.VariantID, l.LocationID, l.Qty})
		}
	}
	var result struct {
		Updated []level `json:"updated"`
	}
	wait, o := s.call(ctx, rest.Request{
		Method: http.MethodPost, URL: s.options.URL + "/admin/inventory-items/location-levels/batch",
		Body: map[string]any{"create": []row{}, "update": rows},
	}, &result)
	r.RetryAfter = max(r.RetryAfter, wait)
	if o.Class != sinks.ClassOK {
		return o
	}
	shown := map[place]level{}
	for _, l := range result.Updated {
		shown[place{l.ItemID, l.LocationID}] = l
	}
	for _, i := range left {
		r.Items[i], r.Readings[i] = compare(&updates[i], shown)
	}
	return o
}

// compare holds what the answer shows against what was sent.
func compare(u *sinks.Update, shown map[place]level) (sinks.Outcome, sinks.Reading) {
	reading := sinks.Reading{Found: true}
	for _, sent := range u.Locations {
		l, ok := shown[place{u.Target.VariantID, sent.LocationID}]
		switch {
		case !ok:
			return sinks.Outcome{
				Class: sinks.ClassTransient, Code: "no_result", Message: "the answer says nothing of this item",
			}, sinks.Reading{}
		case l.Stocked != sent.Qty:
			return sinks.Outcome{
				Class: sinks.ClassTransient, Code: "not_applied", Message: "the answer shows another number than was sent",
			}, sinks.Reading{}
		}
		add(&reading, l)
	}
	return sinks.Outcome{Class: sinks.ClassOK}, reading
}

// places returns what an error about unknown levels names.
func places(o sinks.Outcome) []place {
	if o.Class != sinks.ClassNotFound {
		return nil
	}
	var all []place
	named := regexp.MustCompile(`Item ([^\s,]+) is not stocked at location ([^\s,]+)`)
	for _, m := range named.FindAllStringSubmatch(o.Message, -1) {
		all = append(all, place{m[1], m[2]})
	}
	return all
}

// explain looks up why levels are not there: the item is gone, or the location is, or the item is not kept there.
func (s *session) explain(ctx context.Context, unknown []place, said sinks.Outcome) map[place]sinks.Outcome {
	why := map[place]sinks.Outcome{}
	var ids []string
	for _, p := range unknown {
		ids = append(ids, p.item)
	}
	there, o := s.items(ctx, ids)
	for _, p := range unknown {
		switch _, ok := there[p.item]; {
		case o.Class != sinks.ClassOK:
			why[p] = o
		case ok:
			why[p] = sinks.Outcome{Class: sinks.ClassLocation, Code: said.Code, Message: said.Message}
		default:
			why[p] = said
		}
	}
	return why
}

// query returns a query with one name and the values of a list.
func query(name string, values []string) url.Values { return url.Values{name + "[]": values} }
