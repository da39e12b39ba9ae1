package sinks

import (
	"math/rand/v2"
	"time"
)

// backoff is the wait before a retry: it doubles with each failure up to a cap, and is spread over its
// upper half so that many who failed together don't come back together.
type backoff struct {
	first, most time.Duration
}

// after returns the wait after that many failures in a row, at least one.
func (b backoff) after(failures int) time.Duration { return b.spread(failures, chance()) }

// chance returns a number from 0 to 1, for spreading.
func chance() float64 { return rand.Float64() } //nolint:gosec // no secret

// spread is after with its chance given, from 0 to 1: pairs that failed in one request take the same, so
// that they come back in one.
func (b backoff) spread(failures int, chance float64) time.Duration {
	d := b.first
	for range failures - 1 {
		if d >= b.most/2 {
			d = b.most
			break
		}
		d *= 2
	}
	half := min(d, b.most) / 2
	return half + time.Duration(chance*float64(half))
}
