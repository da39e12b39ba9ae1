package conformance

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"stocksync/sinks"
	"stocksync/testenv/twin"
)

func pushChecks() []check {
	return []check{
		{"traits are sane", traits},
		{"one update", pushOne},
		{"a full batch in one request", pushFullBatch},
		{"a stock-out", pushZero},
		{"groups keep apart what may not share a request", groups},
		{"a target that is not there", pushUnknown},
		{"partial failure", partial},
		{"the answers of each class", answers},
		{"a secret that the marketplace repeats", echoes},
		{"credentials that can't be read", noCredentials},
		{"as many requests at a time as declared", atATime},
	}
}

func traits(t *testing.T, b *bench) {
	traits := b.session.Traits()
	if traits.Batch < 1 || traits.InFlight < 1 || traits.Rate.PerSecond < 0 ||
		traits.Rate.PerSecond > 0 && traits.Rate.Burst < 1 {
		t.Errorf("got %+v, want a batch, requests in flight, and a burst where there is a rate", traits)
	}
	if b.subject.Adapter.Marketplace() == "" {
		t.Error("the adapter has no name")
	}
	if _, lists := b.session.(sinks.Cataloguer); lists != b.subject.Adapter.Listed() {
		t.Errorf("listed is %v, and the session lists: %v", b.subject.Adapter.Listed(), lists)
	}
}

func pushOne(t *testing.T, b *bench) {
	updates := b.shop.Updates(1)
	r := b.push(updates)
	b.want(r, updates, sinks.ClassOK)
	if r.RequestID == "" {
		t.Error("the reply has no request id")
	}
	if n := b.calls(twin.OpPush); n != 1 {
		t.Errorf("got %d requests, want 1", n)
	}
}

func pushFullBatch(t *testing.T, b *bench) {
	updates := b.shop.Updates(b.session.Traits().Batch)
	b.wantAll(updates)
	if n := b.calls(twin.OpPush); n != 1 {
		t.Errorf("got %d requests for %d updates, want 1", n, len(updates))
	}
	if breaches := b.shop.Breaches(); len(breaches) > 0 {
		t.Errorf("got breaches %q, want none", breaches)
	}
}

func pushZero(_ *testing.T, b *bench) {
	updates := b.shop.Updates(1)
	b.wantAll(updates)
	updates[0].Qty = 0
	for i := range updates[0].Locations {
		updates[0].Locations[i].Qty = 0
	}
	b.wantAll(updates)
}

func groups(t *testing.T, b *bench) {
	updates := b.shop.Updates(min(3, b.session.Traits().Batch))
	group := b.session.Group(&updates[0])
	for i := range updates {
		if got := b.session.Group(&updates[i]); got != group {
			t.Errorf("update %d: got group %q, want %q", i, got, group)
		}
	}
	others := b.shop.Others()
	for i := range others {
		if got := b.session.Group(&others[i]); got == group {
			t.Errorf("other update %d: got group %q, want another", i, got)
		}
		b.wantAll(others[i : i+1])
	}
	if len(others) == 0 && group != "" {
		t.Errorf("got group %q where all may share a request, want the empty one", group)
	}
}

func pushUnknown(_ *testing.T, b *bench) {
	updates := []sinks.Update{b.shop.Unknown()}
	b.want(b.push(updates), updates, sinks.ClassNotFound)
}

// partial ensures that of a request which half fails each update gets its own outcome. Where a marketplace
// takes all or nothing the whole may be refused, and nothing is there; where it doesn't say what became of
// the others they are unknown, which is transient.
func partial(t *testing.T, b *bench) {
	b.cannot(twin.FaultPartial)
	a, ok := b.subject.itemAnswer()
	if !ok {
		t.Skip("no permanent answer is one about an item")
	}
	updates := b.shop.Updates(min(4, b.session.Traits().Batch))
	b.shop.Inject(twin.Fault{Kind: twin.FaultPartial, Refusal: twin.Refusal{Code: a.Code, Message: a.Message}})
	r := b.push(updates)
	for i := range updates {
		got := outcome(r, i).Class
		switch {
		case i%2 == 0:
			if got != a.Class {
				t.Errorf("refused update %d: got %s, want %s", i, got, a.Class)
			}
			b.wantShown(&updates[i], false)
		case got == sinks.ClassOK:
			b.wantShown(&updates[i], true)
		case r.Whole.Class == a.Class:
			b.wantShown(&updates[i], false)
		case got != sinks.ClassTransient:
			t.Errorf("update %d: got %s, want what became of it, or transient", i, got)
		}
	}
	b.wantAll(updates)
}

// itemAnswer returns a permanent answer about an item.
func (s *Subject) itemAnswer() (Answer, bool) {
	for _, a := range s.Answers {
		switch a.Class {
		case sinks.ClassNotFound, sinks.ClassNotEditable, sinks.ClassQuantity:
			if !a.Whole {
				return a, true
			}
		default: // may pass, or is said of the shop
		}
	}
	return Answer{}, false
}

func answers(t *testing.T, b *bench) {
	for _, a := range b.subject.Answers {
		t.Run(fmt.Sprint(a.Class, " ", a.Code), func(t *testing.T) {
			b := newBench(t, b.subject)
			updates := b.shop.Updates(1)
			b.shop.Inject(twin.Fault{
				Kind: twin.FaultRefuse, Refusal: twin.Refusal{Code: a.Code, Message: a.Message, Whole: a.Whole},
			})
			b.want(b.push(updates), updates, a.Class)
			b.noSecretWasHeard()
		})
	}
}

// echoes ensures that what a marketplace repeats of a request does not carry secrets on. Those that the
// store's credentials hold the reconciler hides; those of a token that was renewed only the adapter knows.
func echoes(t *testing.T, b *bench) {
	if r, ok := b.session.(sinks.Refresher); ok {
		b.shop.ExpireAfter(0)
		b.push(b.shop.Updates(1))
		r.Refresh(t.Context())
		b.wantAll(b.shop.Updates(1))
	}
	held := map[string]bool{}
	for _, secret := range b.shop.Credentials() {
		held[secret] = true
	}
	for _, a := range b.subject.Answers {
		for _, secret := range b.shop.Secrets() {
			if held[secret] {
				continue
			}
			b.shop.Inject(twin.Fault{Kind: twin.FaultRefuse, Refusal: twin.Refusal{
				Code: a.Code, Message: a.Message + " (you sent " + secret + ")", Whole: a.Whole,
			}})
			b.push(b.shop.Updates(1))
		}
	}
	if len(b.subject.Answers) == 0 {
		t.Skip("no answers")
	}
}

func noCredentials(t *testing.T, b *bench) {
	b.fault = errors.New("no such file")
	updates := b.shop.Updates(1)
	r := b.push(updates)
	if r.Whole.Class != sinks.ClassConfig || r.Whole.Code != sinks.CodeCredentials {
		t.Errorf("got %+v, want config %s", r.Whole, sinks.CodeCredentials)
	}
	if n := len(b.shop.Calls()); n > 0 {
		t.Errorf("got %d requests, want none", n)
	}
	b.fault = nil
	b.wantAll(updates)
}

func atATime(_ *testing.T, b *bench) {
	updates := b.shop.Updates(min(8, b.session.Traits().Batch))
	lanes := make(chan struct{}, b.session.Traits().InFlight)
	var all sync.WaitGroup
	for i := range updates {
		lanes <- struct{}{}
		all.Go(func() {
			b.wantAll(updates[i : i+1])
			<-lanes
		})
	}
	all.Wait()
}
