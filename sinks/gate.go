package sinks

import (
	"context"
	"sync/atomic"
	"time"

	"stocksync/sinks/limit"
)

// gate is where the requests of one store go out, whoever makes them: no more in flight than the adapter
// allows, and none without leave of the limiter. A request of an update has its leave before its work is chosen;
// any other, such as a page of the catalogue, takes it here. It is safe for concurrent use.
type gate struct {
	limiter *limit.Limiter
	slots   chan struct{} // one token for each request in flight
	timeout time.Duration // of a request whose context has no end
}

// newGate returns the gate of a session that is about to be opened. It is shut before it is known what the
// session's limits are, and an adapter makes no request while it opens.
func newGate(timeout time.Duration) *gate { return &gate{timeout: timeout} }

// open sets the limits.
func (g *gate) open(l *limit.Limiter, inFlight int) {
	g.limiter = l
	g.slots = make(chan struct{}, min(max(1, inFlight), mostInFlight))
}

// told passes on what the shop says of its points.
func (g *gate) told(b Bucket) {
	if g.limiter != nil {
		g.limiter.Told(b, time.Now())
	}
}

// enter waits until a request may go, and returns what ends it.
func (g *gate) enter(ctx context.Context) (bounded context.Context, leave func(), err error) {
	unpaid := func() {}
	if ok, urgency := spend(ctx); !ok && g.limiter != nil {
		if err := g.limiter.Wait(ctx, urgency); err != nil {
			return nil, nil, err
		}
		unpaid = g.limiter.Done
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		unpaid()
		return nil, nil, context.Cause(ctx)
	}
	cancel := func() {}
	if _, bound := ctx.Deadline(); !bound {
		ctx, cancel = context.WithTimeout(ctx, g.timeout)
	}
	return ctx, func() { cancel(); <-g.slots; unpaid() }, nil
}

// leaveKey finds the leave that a context carries.
type leaveKey struct{}

// leave is what requests of one context have leave for, and how urgent more of them are.
type leave struct {
	left    atomic.Int32
	urgency limit.Urgency
}

// withLeave returns a context whose first n requests have leave already.
func withLeave(ctx context.Context, n int32, u limit.Urgency) context.Context {
	l := &leave{urgency: u}
	l.left.Store(n)
	return context.WithValue(ctx, leaveKey{}, l)
}

// AtOnce returns a context whose next requests wait for no limit: those that get an access token. They are rare, and
// whatever else waits for leave waits for the token too: a pass over the catalogue that stood in line for it behind
// the updates would hold them up until it gave up.
func AtOnce(ctx context.Context) context.Context {
	return withLeave(ctx, refreshRequests, limit.Urgent)
}

// spend uses one leave up; if there is none, it says how urgent another one is.
func spend(ctx context.Context) (ok bool, u limit.Urgency) {
	l, _ := ctx.Value(leaveKey{}).(*leave)
	if l == nil {
		return false, limit.Background
	}
	return l.left.Add(-1) >= 0, l.urgency
}
