package shopify

import (
	"time"

	"stocksync/testenv/twin/graphql"
)

// queryMost is what a single query may cost.
const queryMost = 1000

// bucket holds points; requests take them out, and they flow in again.
type bucket struct {
	maximum, restore float64
	level            float64
	at               time.Time
}

// fill lets in what flowed in since.
func (b *bucket) fill(now time.Time) {
	if !b.at.IsZero() {
		b.level = min(b.maximum, b.level+max(0, now.Sub(b.at).Seconds())*b.restore)
	}
	b.at = now
}

// pay takes points out; false when there are not enough.
func (s *Shop) pay(cost float64, now time.Time) (left float64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bucket.fill(now)
	if s.bucket.level < cost {
		return s.bucket.level, false
	}
	s.bucket.level -= cost
	return s.bucket.level, true
}

// Drain leaves so many points in the bucket.
func (s *Shop) Drain(left float64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bucket.fill(now)
	s.bucket.level = left
}

// extensions is what every answer says of points.
func (s *Shop) extensions(cost, left float64) map[string]any {
	return map[string]any{"cost": map[string]any{
		"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": map[string]float64{
			"maximumAvailable": s.cfg.Maximum, "currentlyAvailable": left, "restoreRate": s.cfg.Restore,
		},
	}}
}

// costOf is what a selection costs: an object one point, a connection two and as many objects as are asked for, a
// mutation ten, a scalar nothing.
func costOf(fields []graphql.Field) float64 {
	var sum float64
	for _, f := range fields {
		inner := costOf(f.Fields)
		first, paged := f.Args["first"].(float64)
		ids, listed := f.Args["ids"].([]any)
		switch {
		case f.On != "":
			sum += inner
		case len(f.Fields) == 0:
		case f.Name == "inventorySetQuantities":
			sum += 10
		case paged:
			sum += 2 + first*inner
		case listed:
			sum += float64(len(ids)) * inner
		case f.Name == "pageInfo":
		default:
			sum += 1 + inner
		}
	}
	return sum
}
