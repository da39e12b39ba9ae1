package limit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"stocksync/sinks/limit"
)

// start is when tests begin: no midnight is near.
var start = time.Date(2026, 9, 26, 2, 0, 0, 0, time.UTC)

func newLimiter(t *testing.T, r limit.Rate) *limit.Limiter {
	t.Helper()
	l, err := limit.New(r, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// take asks for leave, for an increase.
func take(t *testing.T, l *limit.Limiter, now time.Time) (time.Duration, bool) {
	t.Helper()
	wait, ok, err := l.Take(now, limit.Normal)
	if err != nil {
		t.Fatal(err)
	}
	return wait, ok
}

// requests counts what a limiter lets through when asked all the time for a while.
func requests(t *testing.T, p *limit.Limiter, from time.Time, d time.Duration) int {
	t.Helper()
	n := 0
	for now := from; now.Before(from.Add(d)); {
		wait, ok := take(t, p, now)
		if ok {
			n++
			continue
		}
		now = now.Add(wait)
	}
	return n
}

func TestLimiter_KeepsTheDeclaredRate(t *testing.T) {
	start := time.Unix(1000, 0)
	p := newLimiter(t, limit.Rate{PerSecond: 10, Burst: 5})
	if got := requests(t, p, start, 10*time.Second); got < 103 || got > 106 {
		t.Errorf("got %d requests in 10 s, want a burst of 5 and then 10 a second", got)
	}
}

func TestLimiter_WithoutARateHoldsNothingBack(t *testing.T) {
	p := newLimiter(t, limit.Rate{})
	for range 10_000 {
		if wait, ok := take(t, p, time.Unix(1000, 0)); !ok {
			t.Fatalf("got a wait of %s, want none", wait)
		}
	}
}

func TestLimiter_HalvesWhenThrottledAndGrowsWithAnswers(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newLimiter(t, limit.Rate{PerSecond: 8, Burst: 40})
	p.Throttled(now, now)
	if got := p.PerSecond(); got != 4 {
		t.Errorf("throttled once: got %v/s, want 4", got)
	}
	if got := requests(t, p, now, time.Second); got > 5 {
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
	if got := requests(t, p, now, time.Second); got < 45 {
		t.Errorf("back at the declared rate: got %d requests in a second, want the burst back", got)
	}
}

// TestLimiter_RequestsInFlightTogetherSlowDownOnce ensures that several answers to one overrun are one.
func TestLimiter_RequestsInFlightTogetherSlowDownOnce(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newLimiter(t, limit.Rate{PerSecond: 8})
	for i := range 4 {
		p.Throttled(now, now.Add(time.Duration(i+1)*time.Millisecond))
	}
	p.Answered(now, now.Add(5*time.Millisecond)) // sent before it slowed down
	if got := p.PerSecond(); got != 4 {
		t.Errorf("got %v/s, want 4", got)
	}
}

func TestLimiter_NeverStopsAndFindsItsRateFromWhatItDid(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newLimiter(t, limit.Rate{})
	for i := range 200 { // 20 a second
		take(t, p, now.Add(time.Duration(i)*50*time.Millisecond))
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
	if got := p.PerSecond(); got != 0 {
		t.Errorf("got %v/s, want no limit again", got)
	}
}

// TestLimiter_NoWindowHoldsMoreThanTheRate ensures that a rate without burst is kept in every second, wherever
// it begins, also after a pause.
func TestLimiter_NoWindowHoldsMoreThanTheRate(t *testing.T) {
	l := newLimiter(t, limit.Rate{PerSecond: 50})
	var sent []time.Time
	for now := start; len(sent) < 500; {
		if len(sent) == 250 {
			now = now.Add(time.Minute)
		}
		wait, ok := take(t, l, now)
		if ok {
			sent = append(sent, now)
			continue
		}
		now = now.Add(wait)
	}
	for i := range len(sent) - 50 {
		if span := sent[i+50].Sub(sent[i]); span < time.Second {
			t.Fatalf("51 requests within %s, want 50 a second at most", span)
		}
	}
}

// TestLimiter_ReadingGivesWayToUpdates ensures that a catalogue has one request in four while updates wait, and
// every one when none does.
func TestLimiter_ReadingGivesWayToUpdates(t *testing.T) {
	l := newLimiter(t, limit.Rate{PerSecond: 10})
	count := func(from time.Time, crowded bool) (updates, readings int) {
		l.Crowded(crowded)
		for now := from; now.Before(from.Add(10 * time.Second)); now = now.Add(time.Millisecond) {
			_, ok, err := l.Take(now, limit.Background)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				readings++
			}
			if !crowded {
				continue
			}
			if _, also := take(t, l, now); also {
				updates++
			}
		}
		return updates, readings
	}
	if updates, readings := count(start, true); updates < 73 || readings < 24 || readings > 26 {
		t.Errorf("while updates wait: got %d of them and %d readings, want 75 and 25", updates, readings)
	}
	if _, readings := count(start.Add(time.Hour), false); readings < 99 {
		t.Errorf("while none waits: got %d readings, want 100", readings)
	}
}

func TestLimiter_WaitEndsWithLeaveOrWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, limit.Rate{PerSecond: 0.2})
		began := time.Now()
		for range 3 {
			if err := l.Wait(t.Context(), limit.Low); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("got 3 requests in %s, want 10 s", took)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if err := l.Wait(ctx, limit.Low); err == nil || err.Error() != "enough" {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

func TestNew_RefusesAZoneThatIsNone(t *testing.T) {
	if _, err := limit.New(limit.Rate{PerDay: 1, Zone: "Asia/Atlantis"}, "s", nil); err == nil {
		t.Error("got no error")
	}
}
