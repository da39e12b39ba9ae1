package processor

import (
	"time"

	"stocksync/state"
)

// Doors for the tests of the nightly run.

// Due tells what date a record owes a run for, and whether it does.
func Due(zone *time.Location, at time.Duration, r *state.TaskRecord, wall time.Time) (string, int32, bool) {
	date, due := calendar{zone, at}.due(r, wall)
	return dateText(date), date, due
}

// DateOf returns the local date whose night has begun last.
func DateOf(zone *time.Location, at time.Duration, t time.Time) int32 {
	return calendar{zone, at}.date(t)
}

// Pace is a pace of its own.
type Pace struct{ p pace }

// NewPace returns a pace of rate units a second.
func NewPace(rate float64) *Pace { return &Pace{pace{rate: rate}} }

// Take and Give are the pace's.
func (p *Pace) Take(n int, now time.Time) int { return p.p.take(n, now) }
func (p *Pace) Give(n int)                    { p.p.give(n) }
