package sinks_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/sinks"
	"stocksync/topics"
)

// second is a time some seconds after a start.
func second(n int) time.Time { return time.Unix(1000+int64(n), 0) }

func TestRankOf_StockOutsGoBeforeDecreasesIncreasesAndTheRest(t *testing.T) {
	delivered := func(q topics.Quantity) *topics.Delivered { return &topics.Delivered{Qty: q * qty} }
	for name, tc := range map[string]struct {
		qty       topics.Quantity
		delivered *topics.Delivered
		cause     topics.SyncCause
		want      fmt.Stringer
	}{
		"to 0":                   {0, delivered(5), topics.SyncEvent, rank(sinks.StockOut)},
		"to 0 by night":          {0, delivered(5), topics.SyncNightly, rank(sinks.StockOut)},
		"less":                   {4, delivered(5), topics.SyncEvent, rank(sinks.Decrease)},
		"less by night":          {4, delivered(5), topics.SyncNightly, rank(sinks.Decrease)},
		"more":                   {6, delivered(5), topics.SyncEvent, rank(sinks.Increase)},
		"more by hand":           {6, delivered(5), topics.SyncManual, rank(sinks.Increase)},
		"more by night":          {6, delivered(5), topics.SyncNightly, rank(sinks.Unchanged)},
		"the same":               {5, delivered(5), topics.SyncEvent, rank(sinks.Unchanged)},
		"still 0":                {0, delivered(0), topics.SyncResync, rank(sinks.Unchanged)},
		"never delivered":        {6, nil, topics.SyncEvent, rank(sinks.Increase)},
		"never delivered, and 0": {0, nil, topics.SyncEvent, rank(sinks.Decrease)},
	} {
		if got := rank(sinks.RankOf(tc.qty*qty, tc.delivered, tc.cause)); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

// rank is a rank with a name.
type rank int

func (r rank) String() string { return []string{"stock-out", "decrease", "increase", "unchanged"}[r] }

func TestQueue_SendsByRankAndThenByAge(t *testing.T) {
	q := sinks.NewQueue()
	q.Add("same", sinks.Unchanged, second(0), "", 0)
	q.Add("more", sinks.Increase, second(1), "", 0)
	q.Add("less2", sinks.Decrease, second(3), "", 0)
	q.Add("less1", sinks.Decrease, second(2), "", 0)
	q.Add("out", sinks.StockOut, second(4), "", 0)
	q.Add("out-as-old", sinks.StockOut, second(4), "", 0)
	got := [][]string{q.Take(2), q.Take(3), q.Take(100), q.Take(100)}
	want := [][]string{{"out", "out-as-old"}, {"less1", "less2", "more"}, {"same"}, nil}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
}

// TestQueue_OneRequestInEightServesTheOldest ensures that nothing starves under a stream of stock-outs, and
// that a stock-out waits for one request at most.
func TestQueue_OneRequestInEightServesTheOldest(t *testing.T) {
	q := sinks.NewQueue()
	q.Add("night", sinks.Unchanged, second(0), "", 0)
	q.Add("more", sinks.Increase, second(1), "", 0)
	var got []string
	for i := range 20 {
		q.Add(fmt.Sprintf("out%02d", i), sinks.StockOut, second(10+i), "", 0)
		got = append(got, q.Take(1)...)
	}
	if a, b := slices.Index(got, "night"), slices.Index(got, "more"); a != 7 || b != 15 {
		t.Errorf("got the oldest at %d and %d of %v, want 7 and 15", a, b, got)
	}
}

func TestQueue_SharesRequestsWithinAGroupOnlyAndByRank(t *testing.T) {
	q := sinks.NewQueue()
	q.Add("p1-more", sinks.Increase, second(1), "p1", 0)
	q.Add("p1-same", sinks.Unchanged, second(0), "p1", 0)
	q.Add("p1-less", sinks.Decrease, second(9), "p1", 0)
	q.Add("p1-out", sinks.StockOut, second(9), "p1", 0)
	q.Add("p2-less", sinks.Decrease, second(2), "p2", 0)
	q.Add("alone", sinks.Increase, second(5), "", 0)
	got := [][]string{q.Take(3), q.Take(3), q.Take(3), q.Take(3), q.Take(3)}
	want := [][]string{{"p1-out", "p1-less", "p1-more"}, {"p2-less"}, {"alone"}, {"p1-same"}, nil}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	if works, groups := q.Len(); works != 0 || groups != 0 {
		t.Errorf("got %d works and %d groups left, want none", works, groups)
	}
}

func TestQueue_LimitsHoldForAllInARequest(t *testing.T) {
	q := sinks.NewQueue()
	for i := range 6 {
		q.Add(fmt.Sprint(i), sinks.Increase, second(i), "", 0)
	}
	q.Add("0", sinks.Increase, second(0), "", 3) // leads
	q.Add("4", sinks.Increase, second(4), "", 1) // alone
	got := [][]string{q.Take(100), q.Take(100), q.Take(100), q.Take(100)}
	want := [][]string{{"0", "1", "2"}, {"3"}, {"4"}, {"5"}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
}

// TestQueue_LosesAndInventsNothing ensures that works come out once, in batches of one group within all
// limits, whatever is added, changed and removed between.
func TestQueue_LosesAndInventsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	q := sinks.NewQueue()
	type entry struct {
		group string
		limit int
	}
	in := map[string]entry{}
	for range 20_000 {
		sku := fmt.Sprint(rng.IntN(60))
		switch rng.IntN(4) {
		case 0, 1:
			e := entry{[]string{"", "g", "h"}[rng.IntN(3)], rng.IntN(4)}
			if _, there := in[sku]; there {
				q.Remove(sku)
			}
			q.Add(sku, sinks.RankOf(topics.Quantity(rng.IntN(9))*qty, &topics.Delivered{Qty: 5 * qty}, topics.SyncEvent),
				second(rng.IntN(9)), e.group, e.limit)
			in[sku] = e
		case 2:
			if _, there := in[sku]; there {
				q.Remove(sku)
				delete(in, sku)
			}
		case 3:
			n := 1 + rng.IntN(5)
			batch := q.Take(n)
			if (len(batch) == 0) != (len(in) == 0) {
				t.Fatalf("took %v of %d works", batch, len(in))
			}
			for _, sku := range batch {
				e, there := in[sku]
				if !there || e.group != in[batch[0]].group && there && sku != batch[0] || len(batch) > n || e.limit > 0 && len(batch) > e.limit {
					t.Fatalf("took %v, at most %d, with %q of %+v", batch, n, sku, e)
				}
			}
			for _, sku := range batch {
				delete(in, sku)
			}
		}
		if works, _ := q.Len(); works != len(in) {
			t.Fatalf("got %d works, want %d", works, len(in))
		}
	}
}

func TestTimers_WakeInOrderOfTime(t *testing.T) {
	timers := sinks.NewTimers()
	if !timers.First().IsZero() || timers.Pop(second(100)) != "" {
		t.Error("an empty set has something")
	}
	timers.Add("c", second(30))
	timers.Add("a", second(10))
	gone := timers.Add("x", second(20))
	timers.Add("b", second(20))
	gone()
	if got := timers.First(); got != second(10) {
		t.Errorf("first wakes at %s, want %s", got, second(10))
	}
	got := []string{timers.Pop(second(9)), timers.Pop(second(10)), timers.Pop(second(10)), timers.Pop(second(40)), timers.Pop(second(40)), timers.Pop(second(40))}
	if want := []string{"", "a", "", "b", "c", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
