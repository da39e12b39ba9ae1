package oversell_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"stocksync/testenv/oversell"
)

// ratio is how many times fewer units ours must oversell than a call for every event.
const ratio = 10

// Ensure stores that are told of stock-outs first, and of no number that was replaced, oversell a tenth of what they do
// when they are told of every event in order, and don't achieve that by selling nothing. The sale is a small one;
// `make oversell` names the seed of a default one.
func TestOversell_IsATenthOfAQueuesAtMost(t *testing.T) {
	s := small()
	if text := os.Getenv("STOCKSYNC_OVERSELL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s = oversell.Default(seed)
	}
	var list []oversell.Outcome
	by := map[oversell.Way]oversell.Outcome{}
	for _, w := range []oversell.Way{oversell.Polling, oversell.PerEvent, oversell.Reread, oversell.Ours} {
		t.Run(string(w), func(t *testing.T) {
			by[w] = oversell.Run(t, s, w)
			list = append(list, by[w])
		})
	}
	if err := oversell.Print(t.Output(), s, list); err != nil {
		t.Fatal(err)
	}
	queue, ours := by[oversell.PerEvent], by[oversell.Ours]
	if queue.Oversold < ratio || ours.Oversold*ratio > queue.Oversold {
		t.Errorf("got %d units oversold, want a tenth of the queue's %d at most", ours.Oversold, queue.Oversold)
	}
	if there := queue.Sold - queue.Oversold; ours.Sold-ours.Oversold < there*9/10 {
		t.Errorf("got %d units sold that were there, want nine tenths of the queue's %d", ours.Sold-ours.Oversold, there)
	}
	if ours.P50*ratio > queue.P50 || ours.P99 > queue.P99 {
		t.Errorf("got numbers that are %s and %s old, want far less than the queue's %s and %s",
			ours.P50, ours.P99, queue.P50, queue.P99)
	}
}

// small is a sale that is over quickly.
func small() oversell.Scenario {
	s := oversell.Default(1)
	s.Stores, s.SKUs, s.Stock, s.Lasts, s.OrderLag = 3, 120, 8, 4*time.Minute, time.Second
	return s
}
