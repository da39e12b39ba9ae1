package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
)

// patience is what any one request of the suite may take. Nothing waits for it to pass: a request that takes
// so long has failed.
const patience = 10 * time.Second

// bench is one shop with a session in it.
type bench struct {
	t       *testing.T
	subject Subject
	shop    Shop
	account sinks.Account
	session sinks.Session
	fault   error // what reading the credentials says; nil: they can be read

	mu    sync.Mutex
	heard []string // every text that the adapter gave
}

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	b := &bench{t: t, subject: s, shop: s.Start(t)}
	b.account = sinks.Account{
		Store: "shop-1", Options: b.shop.Options(), HTTP: sinks.NewHTTP(true),
		Credentials: func() (sinks.Credentials, error) {
			if b.fault != nil {
				return sinks.Credentials{}, b.fault
			}
			return sinks.NewCredentials(b.shop.Credentials()), nil
		},
	}
	t.Cleanup(b.account.HTTP.Close)
	b.open()
	return b
}

// open opens the store anew, as a process does that was started again.
func (b *bench) open() {
	b.t.Helper()
	adapter := b.subject.Adapter
	if b.subject.Restart != nil {
		adapter = b.subject.Restart()
	}
	session, err := adapter.Open(b.account)
	if err != nil {
		b.t.Fatalf("open: %v", err)
	}
	b.session = session
}

// push sends updates and checks what holds of every answer: what it calls delivered is there.
func (b *bench) push(updates []sinks.Update) sinks.Reply {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	return b.pushIn(ctx, updates)
}

func (b *bench) pushIn(ctx context.Context, updates []sinks.Update) sinks.Reply {
	b.t.Helper()
	began := time.Now()
	r := b.session.Push(ctx, updates)
	if took := time.Since(began); took >= patience {
		b.t.Errorf("push took %s", took)
	}
	b.hear(r.RequestID, r.Whole.Code, r.Whole.Message)
	for _, o := range r.Items {
		b.hear(o.Code, o.Message)
	}
	if r.Whole.Class == 0 {
		b.t.Errorf("the reply has no class: %+v", r)
	}
	if len(r.Items) > len(updates) {
		b.t.Errorf("got %d outcomes of %d updates", len(r.Items), len(updates))
	}
	return r
}

// outcome is what a reply says of one update, as the reconciler takes it.
func outcome(r sinks.Reply, index int) sinks.Outcome {
	switch {
	case r.Whole.Class != sinks.ClassOK:
		return r.Whole
	case index < len(r.Items) && r.Items[index].Class != 0:
		return r.Items[index]
	}
	return sinks.Outcome{Class: sinks.ClassTransient, Code: "no_result"}
}

// want checks the class of each update, and that exactly those which are called delivered are there.
func (b *bench) want(r sinks.Reply, updates []sinks.Update, classes ...sinks.Class) {
	b.t.Helper()
	for i := range updates {
		got, want := outcome(r, i), classes[min(i, len(classes)-1)]
		if got.Class != want {
			b.t.Errorf("update %d: got %s (%s: %s), want %s", i, got.Class, got.Code, got.Message, want)
		}
		b.wantShown(&updates[i], want == sinks.ClassOK)
	}
}

// wantShown checks whether a quantity is there or not.
func (b *bench) wantShown(u *sinks.Update, there bool) {
	b.t.Helper()
	if got, ok := b.shop.Shown(u); (ok && got == u.Qty) != there {
		b.t.Errorf("%s: the shop shows %s (%v), want %s there: %v", u.SKU, got, ok, u.Qty, there)
	}
}

// wantAll pushes and checks that everything was delivered.
func (b *bench) wantAll(updates []sinks.Update) {
	b.t.Helper()
	b.want(b.push(updates), updates, sinks.ClassOK)
}

// calls counts the requests for an operation.
func (b *bench) calls(op twin.Op) int {
	n := 0
	for _, c := range b.shop.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// cannot skips a check of something that the dialect does not show.
func (b *bench) cannot(kinds ...twin.Kind) {
	b.t.Helper()
	for _, k := range kinds {
		if why, ok := b.subject.Cannot[k]; ok {
			b.t.Skipf("%s: %s", k, why)
		}
	}
}

// hear notes texts that the adapter gave.
func (b *bench) hear(texts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, texts...)
}

// hearError notes an error, and those inside.
func (b *bench) hearError(err error) {
	for ; err != nil; err = errors.Unwrap(err) {
		b.hear(err.Error())
	}
}

// noSecretWasHeard checks every text that the adapter gave.
func (b *bench) noSecretWasHeard() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, secret := range b.shop.Secrets() {
		if i := slices.IndexFunc(b.heard, func(text string) bool { return strings.Contains(text, secret) }); i >= 0 {
			b.t.Errorf("a secret got out: %q", b.heard[i])
		}
	}
}
