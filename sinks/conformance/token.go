package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
)

func tokenChecks() []check {
	return []check{
		{"a shop that took its consent back", revoked},
		{"an access token that expires between two requests of a batch", expired},
		{"a new token is there after a restart", restarted},
		{"a refresh that fails for a while", refreshFails},
		{"a refresh whose answer is lost", refreshLost},
		{"a refresh that is given up half-way", refreshGivenUp},
	}
}

// refresher returns the session as one whose token expires, or skips.
func (b *bench) refresher() sinks.Refresher {
	b.t.Helper()
	r, ok := b.session.(sinks.Refresher)
	if !ok {
		b.t.Skip("the access token does not expire")
	}
	return r
}

// refresh asks for a new token.
func (b *bench) refresh(ctx context.Context) sinks.Outcome {
	b.t.Helper()
	o := b.refresher().Refresh(ctx)
	b.hear(o.Code, o.Message)
	switch o.Class {
	case sinks.ClassOK, sinks.ClassTransient, sinks.ClassThrottle, sinks.ClassShopUnauthorised, sinks.ClassConfig:
	default:
		b.t.Errorf("refresh: got %s, which none may answer", o.Class)
	}
	return o
}

func (b *bench) wantRefresh(want sinks.Class) {
	b.t.Helper()
	if o := b.refresh(b.t.Context()); o.Class != want {
		b.t.Errorf("refresh: got %s (%s: %s), want %s", o.Class, o.Code, o.Message, want)
	}
}

// revoked ensures that a shop which took its consent back is told from one whose token is old.
func revoked(t *testing.T, b *bench) {
	b.shop.Revoke()
	updates := b.shop.Updates(1)
	r := b.push(updates)
	got := outcome(r, 0).Class
	if got == sinks.ClassToken {
		got = b.refresh(t.Context()).Class
	}
	if got != sinks.ClassShopUnauthorised {
		t.Errorf("got %s, want shop_unauthorised, at once or after a refresh", got)
	}
	b.wantShown(&updates[0], false)
}

// expire sends requests until the token has expired between two of them.
func (b *bench) expire() []sinks.Update {
	b.t.Helper()
	b.refresher()
	updates := b.shop.Updates(min(3, b.session.Traits().Batch))
	b.shop.ExpireAfter(1)
	b.wantAll(updates[:1])
	rest := updates[1:]
	if len(rest) == 0 {
		rest = b.shop.Others()
	}
	b.want(b.push(rest), rest, sinks.ClassToken)
	return rest
}

func expired(t *testing.T, b *bench) {
	rest := b.expire()
	before := b.calls(twin.OpRefresh)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { b.wantRefresh(sinks.ClassOK) })
	}
	all.Wait()
	if n := b.calls(twin.OpRefresh) - before; n != 1 {
		t.Errorf("got %d refreshes, want 1 for all that asked at a time", n)
	}
	b.wantAll(rest)
}

// restarted ensures that a pair which was given once is kept: what it replaced is of no use any more.
func restarted(t *testing.T, b *bench) {
	if b.subject.SignsIn {
		t.Skip("who starts again signs in again")
	}
	rest := b.expire()
	b.wantRefresh(sinks.ClassOK)
	b.open()
	b.wantAll(rest)
	if n := b.calls(twin.OpRefresh); n != 1 {
		t.Errorf("got %d refreshes, want 1: the pair was kept", n)
	}
	b.shop.ExpireAfter(0)
	again := b.shop.Updates(1)
	if got := outcome(b.push(again), 0).Class; got != sinks.ClassToken {
		t.Errorf("got %s, want token", got)
	}
	b.wantRefresh(sinks.ClassOK)
	b.open()
	b.wantAll(again)
}

func refreshFails(_ *testing.T, b *bench) {
	rest := b.expire()
	b.shop.Inject(twin.Fault{Kind: twin.FaultUnavailable, Op: twin.OpRefresh})
	b.wantRefresh(sinks.ClassTransient)
	b.shop.Inject(twin.Fault{Kind: twin.FaultThrottle, Op: twin.OpRefresh})
	b.wantRefresh(sinks.ClassThrottle)
	b.wantRefresh(sinks.ClassOK)
	b.wantAll(rest)
}

// refreshLost ensures that the loss of an answer, and with it of a pair, ends in a new token or in a shop that
// asks for consent, and not in between.
func refreshLost(t *testing.T, b *bench) {
	rest := b.expire()
	b.shop.Inject(twin.Fault{Kind: twin.FaultHang, Op: twin.OpRefresh})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if o := b.refresh(ctx); o.Class != sinks.ClassTransient {
		t.Errorf("got %+v, want transient", o)
	}
	switch o := b.refresh(t.Context()); o.Class {
	case sinks.ClassOK:
		b.wantAll(rest)
	case sinks.ClassShopUnauthorised:
	default:
		t.Errorf("got %+v, want ok or shop_unauthorised", o)
	}
}

// refreshGivenUp ensures that a context which is cancelled, as that of a store that moves to another
// instance, does not throw away the pair that is on its way.
func refreshGivenUp(t *testing.T, b *bench) {
	rest := b.expire()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.refresh(ctx)
	b.open()
	if o := b.refresh(t.Context()); o.Class != sinks.ClassOK {
		t.Errorf("refresh after a restart: got %+v, want ok", o)
	}
	b.wantAll(rest)
}
