package sinks

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
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

const (
	// slowestRate is the least that throttling brings a store down to, in requests a second.
	slowestRate = 0.1
	// speedUp is by how much each answer raises the rate of a store that was throttled.
	speedUp = 1.05
	// unlimited is the rate beyond which a store that declares none is left to itself again.
	unlimited = 1000
)

// pacer spaces the requests of a store. It keeps the declared rate, goes to half of what it did when the
// marketplace says it is too much, and creeps up again with each answer that does not. It belongs to the
// reconciler.
type pacer struct {
	declared rate.Limit
	burst    int
	limiter  *rate.Limiter
	recent   []time.Time // of the last requests, to know what a rate without limit amounts to
	slowedAt time.Time
}

func newPacer(r Rate) *pacer {
	p := &pacer{declared: rate.Inf, burst: max(1, r.Burst)}
	if r.PerSecond > 0 {
		p.declared = rate.Limit(r.PerSecond)
	}
	p.limiter = rate.NewLimiter(p.declared, p.burst)
	return p
}

// allow takes leave for a request now; if there is none, wait is how long until there is.
func (p *pacer) allow(now time.Time) (wait time.Duration, ok bool) {
	res := p.limiter.ReserveN(now, 1)
	if wait := res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return wait, false
	}
	if len(p.recent) == 32 {
		p.recent = append(p.recent[:0], p.recent[1:]...)
	}
	p.recent = append(p.recent, now)
	return 0, true
}

// throttled slows down, and takes back what was saved up for a burst: the marketplace counts otherwise.
// began is when the request was sent that was one too many: several that were in flight together slow
// down once.
func (p *pacer) throttled(began, now time.Time) {
	if !began.After(p.slowedAt) {
		return
	}
	p.slowedAt = now
	limit := p.limiter.Limit()
	if limit == rate.Inf {
		limit = p.observed(now)
	}
	p.limiter.SetLimitAt(now, max(slowestRate, limit/2))
	p.limiter.SetBurstAt(now, 1)
}

// observed returns the rate of the last requests.
func (p *pacer) observed(now time.Time) rate.Limit {
	if len(p.recent) == 0 {
		return 1
	}
	span := max(now.Sub(p.recent[0]), time.Second)
	return rate.Limit(float64(len(p.recent)) / span.Seconds())
}

// answered speeds up towards the declared rate, for a request sent since it slowed down.
func (p *pacer) answered(began, now time.Time) {
	limit := p.limiter.Limit()
	if limit == p.declared || !began.After(p.slowedAt) {
		return
	}
	limit *= speedUp
	if limit > p.declared || p.declared == rate.Inf && limit > unlimited {
		limit = p.declared
	}
	p.limiter.SetLimitAt(now, limit)
	if limit == p.declared {
		p.limiter.SetBurstAt(now, p.burst)
	}
}
