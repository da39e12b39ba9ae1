package limit

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// slowest is the least that throttling brings a store down to, in requests a second.
	slowest = 0.1
	// speedUp is by how much each answer raises the rate of a store that was throttled.
	speedUp = 1.05
	// unlimited is the rate beyond which a store that declares none is left to itself again.
	unlimited = 1000
)

// pace spaces requests. It keeps the declared rate, goes to half of what it did when the marketplace says it
// is too much, and creeps up again with each answer that does not.
type pace struct {
	declared rate.Limit
	burst    int
	limiter  *rate.Limiter
	recent   []time.Time // of the last requests, to know what a rate without limit amounts to
	slowedAt time.Time
}

func newPace(r Rate) *pace {
	p := &pace{declared: rate.Inf, burst: max(1, r.Burst)}
	if r.PerSecond > 0 {
		p.declared = rate.Limit(r.PerSecond)
	}
	p.limiter = rate.NewLimiter(p.declared, p.burst)
	return p
}

// take takes leave for a request now; if there is none, wait is how long until there is.
func (p *pace) take(now time.Time) (wait time.Duration, ok bool) {
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
func (p *pace) throttled(began, now time.Time) {
	if !began.After(p.slowedAt) {
		return
	}
	p.slowedAt = now
	limit := p.limiter.Limit()
	if limit == rate.Inf {
		limit = p.observed(now)
	}
	p.limiter.SetLimitAt(now, max(slowest, limit/2))
	p.limiter.SetBurstAt(now, 1)
}

// observed returns the rate of the last requests.
func (p *pace) observed(now time.Time) rate.Limit {
	if len(p.recent) == 0 {
		return 1
	}
	span := max(now.Sub(p.recent[0]), time.Second)
	return rate.Limit(float64(len(p.recent)) / span.Seconds())
}

// answered speeds up towards the declared rate, for a request sent since it slowed down.
func (p *pace) answered(began, now time.Time) {
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

// perSecond returns the rate of now; 0 is no limit.
func (p *pace) perSecond() float64 {
	if p.limiter.Limit() == rate.Inf {
		return 0
	}
	return float64(p.limiter.Limit())
}

// interval is the time between two requests, at least a little.
func (p *pace) interval() time.Duration {
	if n := p.perSecond(); n > 0 {
		return max(time.Duration(float64(time.Second)/n), time.Millisecond)
	}
	return 10 * time.Millisecond
}
