package sinks_test

import (
	"math"
	"testing"
	"time"

	"stocksync/sinks"
)

func TestBackoff_DoublesUpToItsCap(t *testing.T) {
	for _, tc := range []struct {
		failures    int
		first, most time.Duration
		want        time.Duration // at the most unlucky chance; half of it at the luckiest
	}{
		{1, time.Second, 30 * time.Second, time.Second},
		{2, time.Second, 30 * time.Second, 2 * time.Second},
		{5, time.Second, 30 * time.Second, 16 * time.Second},
		{6, time.Second, 30 * time.Second, 30 * time.Second},
		{1000, time.Second, 30 * time.Second, 30 * time.Second},
		{math.MaxInt, time.Second, 30 * time.Second, 30 * time.Second},
		{0, time.Second, 30 * time.Second, time.Second},
		{1, time.Minute, 30 * time.Second, 30 * time.Second},
		{29, 30 * time.Second, time.Hour, time.Hour},
		{64, 100 * time.Hour, math.MaxInt64, math.MaxInt64},
	} {
		slow := sinks.Wait(tc.first, tc.most, tc.failures, 1)
		fast := sinks.Wait(tc.first, tc.most, tc.failures, 0)
		if off := tc.want - slow; off < 0 || off > time.Microsecond || fast != tc.want/2 {
			t.Errorf("%d failures from %s to %s: got %s to %s, want %s to %s",
				tc.failures, tc.first, tc.most, fast, slow, tc.want/2, tc.want)
		}
	}
}

func TestBackoff_SpreadsOverTheUpperHalf(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := sinks.WaitAtRandom(time.Second, 30*time.Second, 3)
		least, most = min(least, d), max(most, d)
	}
	if least < 2*time.Second || most > 4*time.Second || most-least < time.Second {
		t.Errorf("got waits of %s to %s, want them all over 2 s to 4 s", least, most)
	}
}
