package limit_test

import (
	"testing"
	"time"

	"stocksync/sinks/limit"
)

// bucket is a shop that counts points, as Shopify does.
type bucket struct {
	maximum, restore, level float64
	at                      time.Time
}

// charge takes the cost of a request out, if it is there.
func (b *bucket) charge(now time.Time, cost float64) bool {
	b.level = min(b.maximum, b.level+now.Sub(b.at).Seconds()*b.restore)
	b.at = now
	if b.level < cost {
		return false
	}
	b.level -= cost
	return true
}

func (b *bucket) says(cost float64) limit.Bucket {
	return limit.Bucket{Cost: cost, Available: b.level, Maximum: b.maximum, Restore: b.restore}
}

// TestLimiter_SpendsTheShopsPointsAndNoMore ensures that all that the bucket gives is used and nothing is
// refused, with several requests in flight whose answers come late.
func TestLimiter_SpendsTheShopsPointsAndNoMore(t *testing.T) {
	l := newLimiter(t, limit.Rate{Cost: 30})
	shop := &bucket{maximum: 1000, restore: 50, level: 400, at: start}
	type answer struct {
		at   time.Time
		says limit.Bucket
	}
	var flying []answer
	sent, refused := 0, 0
	for now := start; now.Before(start.Add(time.Minute)); now = now.Add(10 * time.Millisecond) {
		for len(flying) > 0 && !flying[0].at.After(now) {
			l.Told(flying[0].says, now)
			l.Done()
			flying = flying[1:]
		}
		if len(flying) == 4 {
			continue
		}
		if _, ok := take(t, l, now); ok {
			sent++
			if !shop.charge(now, 30) {
				refused++
			}
			flying = append(flying, answer{now.Add(200 * time.Millisecond), shop.says(30)})
		}
	}
	if refused > 0 || sent < 110 || sent > 113 {
		t.Errorf("got %d requests of which %d had no points, want the 113 that 400 and 50/s pay for", sent, refused)
	}
}

// TestLimiter_LearnsTheCostAndWaitsForIt ensures that the wait is the one that the shop's numbers give, and
// that a throttled answer of such a shop halves nothing.
func TestLimiter_LearnsTheCostAndWaitsForIt(t *testing.T) {
	l := newLimiter(t, limit.Rate{Cost: 1})
	if _, ok := take(t, l, start); !ok {
		t.Fatal("got no leave for the first request")
	}
	if _, ok := take(t, l, start); ok {
		t.Error("got leave for a second one before the shop has said what they cost")
	}
	l.Told(limit.Bucket{Cost: 100, Available: 20, Maximum: 1000, Restore: 40}, start)
	l.Done()
	if wait, ok := take(t, l, start); ok || wait != 2*time.Second {
		t.Errorf("got %v and a wait of %s, want 2 s: 80 points are missing", ok, wait)
	}
	l.Throttled(start.Add(time.Second), start.Add(time.Second))
	if got := l.PerSecond(); got != 0 {
		t.Errorf("got %v/s after a throttled answer, want the points to say it", got)
	}
	if _, ok := take(t, l, start.Add(2*time.Second)); !ok {
		t.Error("got no leave when the points were there")
	}
	l.Told(limit.Bucket{Cost: 10, Available: 1000, Maximum: 1000, Restore: 40}, start.Add(3*time.Second))
	l.Done()
	l.Told(limit.Bucket{}, start.Add(3*time.Second)) // an answer without points says nothing
	if _, ok := take(t, l, start.Add(3*time.Second)); !ok {
		t.Error("got no leave with a full bucket")
	}
}

// TestLimiter_ARequestThatCostsMoreThanTheBucketHoldsGoesWhenItIsFull ensures that such a one does not wait
// for ever.
func TestLimiter_ARequestThatCostsMoreThanTheBucketHoldsGoesWhenItIsFull(t *testing.T) {
	l := newLimiter(t, limit.Rate{Cost: 1})
	take(t, l, start)
	l.Told(limit.Bucket{Cost: 2000, Available: 900, Maximum: 1000, Restore: 100}, start)
	l.Done()
	if wait, ok := take(t, l, start); ok || wait != time.Second {
		t.Errorf("got %v and %s, want a wait of 1 s", ok, wait)
	}
	if _, ok := take(t, l, start.Add(time.Second)); !ok {
		t.Error("got no leave with a full bucket")
	}
}
