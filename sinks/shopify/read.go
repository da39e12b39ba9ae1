package shopify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/topics"
)

// costMost is what a query is meant to cost: a single one may cost 1,000 points, on any plan.
const costMost = 900

// pageFor returns how many objects a page may hold of which each costs so many points.
func pageFor(each int) int { return max(1, min(batchMost, costMost/each)) }

// levelFields asks for one field of each location's level, under the names l0, l1...
func levelFields(locations []string, fields string) string {
	var b strings.Builder
	for i, id := range locations {
		fmt.Fprintf(&b, "l%d: inventoryLevel(locationId:%q) { %s }\n", i, id, fields)
	}
	return b.String()
}

// levels are the answers to levelFields by index of the locations, among other fields of an item; nil where the item
// is not stocked.
type levels map[string]json.RawMessage

// level is the numbers of an item at a location.
type level struct {
	Quantities []struct {
		Name     string          `json:"name"`
		Quantity topics.Quantity `json:"quantity"`
	} `json:"quantities"`
}

// at returns the level at the location with an index; false when there is none.
func (l levels) at(i int) (level, bool) {
	raw := l[fmt.Sprint("l", i)]
	var one *level
	if len(raw) == 0 || json.Unmarshal(raw, &one) != nil || one == nil {
		return level{}, false
	}
	return *one, true
}

// available returns the number of that name.
func (l *level) available() topics.Quantity {
	for _, q := range l.Quantities {
		if q.Name == "available" {
			return q.Quantity
		}
	}
	return 0
}

// ReadBack reads what is available at the updates' locations.
func (s *session) ReadBack(ctx context.Context, updates []sinks.Update) ([]sinks.Reading, sinks.Outcome) {
	readings := make([]sinks.Reading, len(updates))
	var order []int
	for i := range updates {
		if isID(updates[i].Target.VariantID) {
			order = append(order, i)
		}
	}
	locations := locationsOf(updates)
	size := pageFor(1 + 2*len(locations))
	for len(order) > 0 {
		some := order[:min(size, len(order))]
		o := s.readSome(ctx, updates, some, locations, readings)
		switch {
		case o.Code == codeTooDear && size > 1:
			size /= 2
			continue
		case o.Class != sinks.ClassOK:
			return nil, o
		}
		order = order[len(some):]
	}
	return readings, sinks.Outcome{Class: sinks.ClassOK}
}

// locationsOf returns the global ids of all locations that updates name.
func locationsOf(updates []sinks.Update) []string {
	var all []string
	for i := range updates {
		for _, l := range updates[i].Locations {
			if id := gid("Location", l.LocationID); isID(id) && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// readSome reads the updates with these indexes.
func (s *session) readSome(ctx context.Context, updates []sinks.Update, some []int, locations []string,
	readings []sinks.Reading,
) sinks.Outcome {
	ids := make([]string, len(some))
	for n, i := range some {
		ids[n] = gid("InventoryItem", updates[i].Target.VariantID)
	}
	var result struct {
		Nodes []levels `json:"nodes"`
	}
	document := "query Levels($ids:[ID!]!){ nodes(ids:$ids) { ... on InventoryItem { id\n" +
		levelFields(locations, `quantities(names:["available"]) { name quantity }`) + "} } }"
	if o := s.query(ctx, document, map[string]any{"ids": ids}, &result); o.Class != sinks.ClassOK {
		return o
	}
	if len(result.Nodes) != len(some) {
		return dialect.BadAnswer("the answer has another number of items than was asked for")
	}
	for n, i := range some {
		node := result.Nodes[n]
		var id string
		if node == nil || json.Unmarshal(node["id"], &id) != nil {
			continue // no such item
		}
		if id != ids[n] {
			return dialect.BadAnswer("the answer is about items that were not asked for")
		}
		readings[i] = reading(&updates[i], node, locations)
	}
	return sinks.Outcome{Class: sinks.ClassOK}
}

// reading is what an item shows of an update's locations. Nothing is available where it is not stocked.
func reading(u *sinks.Update, node levels, locations []string) sinks.Reading {
	r := sinks.Reading{Found: true}
	for _, l := range u.Locations {
		one, _ := node.at(slices.Index(locations, gid("Location", l.LocationID)))
		q := one.available()
		r.Qty += q
		r.Locations = append(r.Locations, sinks.LocationReading{LocationID: l.LocationID, Qty: q})
	}
	return r
}
