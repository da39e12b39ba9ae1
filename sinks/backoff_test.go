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

// requests counts what a pacer lets through when asked all the time for a while.
func requests(p interface {
	Allow(now time.Time) (time.Duration, bool)
}, from time.Time, d time.Duration,
) int {
	n := 0
	for now := from; now.Before(from.Add(d)); {
		wait, ok := p.Allow(now)
		if ok {
			n++
			continue
		}
		now = now.Add(wait)
	}
	return n
}

func TestPacer_KeepsTheDeclaredRate(t *testing.T) {
	start := time.Unix(1000, 0)
	p := sinks.NewPacer(sinks.Rate{PerSecond: 10, Burst: 5})
	if got := requests(p, start, 10*time.Second); got < 103 || got > 106 {
		t.Errorf("got %d requests in 10 s, want a burst of 5 and then 10 a second", got)
	}
}

func TestPacer_WithoutARateHoldsNothingBack(t *testing.T) {
	p := sinks.NewPacer(sinks.Rate{})
	for range 10_000 {
		if wait, ok := p.Allow(time.Unix(1000, 0)); !ok {
			t.Fatalf("got a wait of %s, want none", wait)
		}
	}
}

func TestPacer_HalvesWhenThrottledAndGrowsWithAnswers(t *testing.T) {
	now := time.Unix(1000, 0)
	p := sinks.NewPacer(sinks.Rate{PerSecond: 8, Burst: 40})
	p.Throttled(now, now)
	if got := p.PerSecond(); got != 4 {
		t.Errorf("throttled once: got %v/s, want 4", got)
	}
	if got := requests(p, now, time.Second); got > 5 {
		t.Errorf("got %d requests in the second after, want nothing left of the burst of 40", got)
	}
	for range 3 {
		now = now.Add(time.Second)
		p.Throttled(now, now)
	}
	if got := p.PerSecond(); got != 0.5 {
		t.Errorf("throttled four times: got %v/s, want 0.5", got)
	}
	answers := 0
	for p.PerSecond() < 8 {
		now = now.Add(time.Second)
		p.Answered(now, now)
		if answers++; answers > 100 {
			t.Fatalf("got %v/s after 100 answers, want the declared 8", p.PerSecond())
		}
	}
	if answers < 10 {
		t.Errorf("got from 0.5/s to 8/s in %d answers, want it slower", answers)
	}
	now = now.Add(time.Hour)
	if got := requests(p, now, time.Second); got < 45 {
		t.Errorf("back at the declared rate: got %d requests in a second, want the burst back", got)
	}
}

// TestPacer_RequestsInFlightTogetherSlowDownOnce ensures that several answers to one overrun are one.
func TestPacer_RequestsInFlightTogetherSlowDownOnce(t *testing.T) {
	now := time.Unix(1000, 0)
	p := sinks.NewPacer(sinks.Rate{PerSecond: 8})
	for i := range 4 {
		p.Throttled(now, now.Add(time.Duration(i+1)*time.Millisecond))
	}
	p.Answered(now, now.Add(5*time.Millisecond)) // sent before it slowed down
	if got := p.PerSecond(); got != 4 {
		t.Errorf("got %v/s, want 4", got)
	}
}

func TestPacer_NeverStopsAndFindsItsRateFromWhatItDid(t *testing.T) {
	now := time.Unix(1000, 0)
	p := sinks.NewPacer(sinks.Rate{})
	for i := range 200 { // 20 a second
		p.Allow(now.Add(time.Duration(i) * 50 * time.Millisecond))
	}
	now = now.Add(10 * time.Second)
	p.Throttled(now, now)
	if got := p.PerSecond(); got < 9 || got > 11 {
		t.Errorf("got %v/s after 20 a second were too many, want 10", got)
	}
	for range 20 {
		now = now.Add(time.Second)
		p.Throttled(now, now)
	}
	if got := p.PerSecond(); got != 0.1 {
		t.Errorf("got %v/s, want the least rate of 0.1", got)
	}
	for range 400 {
		now = now.Add(time.Second)
		p.Answered(now, now)
	}
	if got := p.PerSecond(); !(got > 1000) {
		t.Errorf("got %v/s, want no limit again", got)
	}
}
