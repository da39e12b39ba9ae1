package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
)

func wireChecks() []check {
	list := []check{
		{"throttling, with how long to wait", throttled},
		{"a timeout after the write was applied", timeoutAfterApply},
		{"another SKU in the answer", wrongSKU},
		{"success that was not applied", notApplied},
		{"a connection that is cut", cut},
		{"a redirect to an address inside", redirect},
		{"an address inside", forbidden},
	}
	for _, kind := range []twin.Kind{
		twin.FaultUnavailable, twin.FaultAppliedError, twin.FaultGarbage, twin.FaultHugeBody, twin.FaultEndlessBody,
	} {
		list = append(list, check{string(kind), func(_ *testing.T, b *bench) { passing(b, kind) }})
	}
	return list
}

func throttled(t *testing.T, b *bench) {
	updates := b.shop.Updates(1)
	b.shop.Inject(twin.Fault{Kind: twin.FaultThrottle, RetryAfter: "7"})
	r := b.push(updates)
	b.want(r, updates, sinks.ClassThrottle)
	if r.RetryAfter != 7*time.Second {
		t.Errorf("got %s to wait, want 7 s", r.RetryAfter)
	}
	b.shop.Inject(twin.Fault{Kind: twin.FaultThrottle})
	if r = b.push(updates); r.RetryAfter < 0 {
		t.Errorf("got %s to wait, want none that is negative", r.RetryAfter)
	}
	b.want(r, updates, sinks.ClassThrottle)
	b.wantAll(updates)
}

// passing ensures that a failure which says nothing of the update is transient, and that the next request,
// the same again, delivers.
func passing(b *bench, kind twin.Kind) {
	b.cannot(kind)
	updates := b.shop.Updates(min(2, b.session.Traits().Batch))
	b.shop.Inject(twin.Fault{Kind: kind})
	r := b.push(updates)
	for i := range updates {
		if got := outcome(r, i); got.Class != sinks.ClassTransient {
			b.t.Errorf("update %d: got %s (%s), want transient", i, got.Class, got.Code)
		}
	}
	b.wantAll(updates)
}

// timeoutAfterApply ensures that a request which was given up is transient, although the shop took it.
func timeoutAfterApply(t *testing.T, b *bench) {
	b.cannot(twin.FaultHang)
	updates := b.shop.Updates(min(2, b.session.Traits().Batch))
	b.shop.Inject(twin.Fault{Kind: twin.FaultHang})
	changed := b.shop.Changed()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		cancel()
	}()
	r := b.pushIn(ctx, updates)
	if r.Whole.Class != sinks.ClassTransient {
		t.Errorf("got %+v, want transient", r.Whole)
	}
	// The shop may still be at what was given up, and say that the next request is in its way.
	for began := time.Now(); time.Since(began) < patience; {
		if r = b.push(updates); !passes(&r) {
			break
		}
	}
	b.want(r, updates, sinks.ClassOK)
}

// passes tells whether an outcome of a reply is transient.
func passes(r *sinks.Reply) bool {
	return r.Whole.Class == sinks.ClassTransient ||
		slices.ContainsFunc(r.Items, func(o sinks.Outcome) bool { return o.Class == sinks.ClassTransient })
}

// wrongSKU ensures that an answer about something else is no success.
func wrongSKU(t *testing.T, b *bench) {
	b.cannot(twin.FaultWrongSKU)
	updates := b.shop.Updates(min(2, b.session.Traits().Batch))
	b.shop.Inject(twin.Fault{Kind: twin.FaultWrongSKU})
	r := b.push(updates)
	for i := range updates {
		if got := outcome(r, i).Class; got != sinks.ClassTransient {
			t.Errorf("update %d: got %s, want transient", i, got)
		}
	}
	b.wantAll(updates)
}

// notApplied ensures that a success which was none can be found out, where the shop can be read.
func notApplied(t *testing.T, b *bench) {
	b.cannot(twin.FaultNotApplied)
	updates := b.shop.Updates(1)
	before, _ := b.shop.Shown(&updates[0])
	b.shop.Inject(twin.Fault{Kind: twin.FaultNotApplied})
	r := b.push(updates)
	if got := outcome(r, 0).Class; got != sinks.ClassOK && got != sinks.ClassTransient {
		t.Errorf("got %s, want ok, or transient where the answer shows the number", got)
	}
	reader, ok := b.session.(sinks.Reader)
	if !ok {
		return
	}
	readings, o := reader.ReadBack(t.Context(), updates)
	if o.Class != sinks.ClassOK || len(readings) != 1 || !readings[0].Found || readings[0].Qty != before {
		t.Errorf("read back: got %+v, %+v, want %s", readings, o, before)
	}
}

func cut(_ *testing.T, b *bench) {
	b.cannot(twin.FaultReset)
	updates := b.shop.Updates(1)
	b.shop.Inject(twin.Fault{Kind: twin.FaultReset, Count: 2}) // a connection that was cut is replaced once
	b.want(b.push(updates), updates, sinks.ClassTransient)
	b.wantAll(updates)
}

func redirect(t *testing.T, b *bench) {
	updates := b.shop.Updates(1)
	b.shop.Inject(twin.Fault{Kind: twin.FaultRedirect})
	if got := outcome(b.push(updates), 0).Class; got == sinks.ClassOK {
		t.Error("got ok, want anything else")
	}
	b.wantShown(&updates[0], false)
	if breaches := b.shop.Breaches(); len(breaches) > 0 {
		t.Errorf("got breaches %q, want none", breaches)
	}
}

// forbidden ensures that a store whose address lies inside our network gets no request, whether that shows
// when it is opened or when it is dialled.
func forbidden(t *testing.T, b *bench) {
	b.account.HTTP = sinks.NewHTTP(false)
	t.Cleanup(b.account.HTTP.Close)
	session, err := b.subject.Adapter.Open(b.account)
	b.hearError(err)
	if err == nil {
		b.session = session
		if r := b.push(b.shop.Updates(1)); r.Whole.Class != sinks.ClassConfig {
			t.Errorf("got %+v, want config", r.Whole)
		}
	}
	if n := len(b.shop.Calls()); n > 0 {
		t.Errorf("got %d requests, want none", n)
	}
}
