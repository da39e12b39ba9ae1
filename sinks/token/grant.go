package token

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"stocksync/sinks"
)

const (
	// margin is how long before its end a token is not sent any more: a request takes a while to arrive.
	margin = time.Minute
	// refreshMost bounds a refresh whose context has no end.
	refreshMost = 10 * time.Second
	// issuedMost is how many tokens are remembered for Hide: a marketplace may repeat one that was replaced.
	issuedMost = 8
)

// The codes of outcomes that are ours.
const (
	CodeNone       = "no_access_token"     // there is none yet: refresh
	CodeExpires    = "token_expires"       // it is at its end: refresh
	CodeNoRefresh  = "no_refresh_token"    // the consent has none: the seller must consent again
	CodeUnreadable = "token_unreadable"    // what is kept can't be read
	CodeNotSaved   = "token_not_saved"     // the directory takes no pair
	CodeBusy       = "token_locked"        // another process refreshes
	CodeIncomplete = "token_not_in_answer" // the marketplace's answer has no pair
)

// Ask gets a new pair for a refresh token. The class of its outcome is one that sinks.Refresher may return, and
// unless that is ClassOK there is no pair.
type Ask func(ctx context.Context, refresh string) (Pair, sinks.Outcome)

// Grant is one seller's consent, with the pair that follows from it now. It is safe for concurrent use.
type Grant struct {
	file file
	seed Pair
	busy chan struct{} // holds one while somebody refreshes

	mu      sync.Mutex
	loaded  bool
	pair    Pair
	since   time.Time // when this process got the pair from the marketplace; zero: it did not
	refused string    // access token that the marketplace refused last
	unsaved *Pair     // got from the marketplace and not on disk (T4)
	issued  []string
}

// Format hides the grant's tokens from every verb of package fmt.
func (g *Grant) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// Use returns the access token to send. The outcome's class is ClassOK when there is one, and ClassToken when a
// refresh must come first.
func (g *Grant) Use(now time.Time) (string, sinks.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.load(); err != nil {
		return "", unreadable(err)
	}
	switch {
	case g.pair.Access == "":
		return "", sinks.Outcome{Class: sinks.ClassToken, Code: CodeNone, Message: "the store has no access token yet"}
	case g.ends(now):
		g.refused = g.pair.Access
		return "", sinks.Outcome{Class: sinks.ClassToken, Code: CodeExpires, Message: "the access token is at its end"}
	}
	return g.pair.Access, sinks.Outcome{Class: sinks.ClassOK}
}

// ends tells whether the access token lasts no longer. One that was got just now is sent at least once, whatever
// its end is said to be: by a clock that is wrong every token has ended. The caller holds the mutex.
func (g *Grant) ends(now time.Time) bool {
	return !g.pair.AccessUntil.IsZero() && !now.Before(g.pair.AccessUntil.Add(-margin)) && now.Sub(g.since) > margin
}

// Refused notes that the marketplace refused an access token.
func (g *Grant) Refused(access string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = access
}

// Refresh replaces an access token that was refused, or is at its end; one that was not stays. A context that is
// cancelled does not cut short a refresh that has begun: its answer holds a pair (T4). Its deadline does.
func (g *Grant) Refresh(ctx context.Context, ask Ask) sinks.Outcome {
	whole, cancel := sustained(ctx)
	defer cancel()
	select {
	case g.busy <- struct{}{}:
		defer func() { <-g.busy }()
	case <-whole.Done():
		return sinks.ClassifyError(context.Cause(whole))
	}
	if done, o := g.settled(); done {
		return o
	}
	return g.refresh(whole, ask)
}

// refresh takes the steps of the package's doc comment.
func (g *Grant) refresh(whole context.Context, ask Ask) sinks.Outcome {
	unlock, err := g.file.lock(whole)
	if err != nil {
		return sinks.Outcome{Class: sinks.ClassTransient, Code: CodeBusy, Message: err.Error()}
	}
	defer unlock()
	old, done, o := g.prepare()
	if done {
		return o
	}
	got, o := ask(sinks.AtOnce(whole), old.Refresh)
	if o.Class != sinks.ClassOK {
		return o
	}
	if got.Access == "" {
		return sinks.Outcome{Class: sinks.ClassTransient, Code: CodeIncomplete, Message: "the answer has no access token"}
	}
	if got.Refresh == "" { // a marketplace that rotates none
		got.Refresh, got.RefreshUntil = old.Refresh, old.RefreshUntil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsaved = &got
	g.remember(got)
	return g.keep()
}

// sustained returns a context that lives on when ctx is cancelled, until its deadline.
func sustained(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(refreshMost)
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// settled tells whether no refresh is needed: the token is not the one that was refused.
func (g *Grant) settled() (bool, sinks.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.load(); err != nil {
		return true, unreadable(err)
	}
	done := g.unsaved == nil && g.pair.Access != "" && g.pair.Access != g.refused
	return done, sinks.Outcome{Class: sinks.ClassOK}
}

// prepare saves a pair that waits for it, takes over what another process saved meanwhile, and otherwise shows
// that a new pair can be saved. The caller holds the file's lock.
func (g *Grant) prepare() (old Pair, done bool, o sinks.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unsaved != nil {
		return Pair{}, true, g.keep()
	}
	g.loaded = false
	if err := g.load(); err != nil {
		return Pair{}, true, unreadable(err)
	}
	switch {
	case g.pair.Access != "" && g.pair.Access != g.refused:
		return Pair{}, true, sinks.Outcome{Class: sinks.ClassOK}
	case g.pair.Refresh == "":
		return Pair{}, true, sinks.Outcome{
			Class: sinks.ClassShopUnauthorised, Code: CodeNoRefresh,
			Message: "the access token has ended and the consent has no refresh token: the seller must consent again",
		}
	}
	if err := g.file.save(g.pair); err != nil {
		return Pair{}, true, notSaved(err)
	}
	return g.pair, false, sinks.Outcome{}
}

// keep saves a pair that is not on disk, and only then uses it. The caller holds the mutex.
func (g *Grant) keep() sinks.Outcome {
	if err := g.file.save(*g.unsaved); err != nil {
		return notSaved(err)
	}
	g.pair, g.unsaved, g.since, g.loaded = *g.unsaved, nil, time.Now(), true
	return sinks.Outcome{Class: sinks.ClassOK}
}

// load reads the pair once. The caller holds the mutex.
func (g *Grant) load() error {
	if g.loaded {
		return nil
	}
	p, ok, err := g.file.load()
	if err != nil {
		return err
	}
	if !ok {
		p = g.seed
	}
	g.pair, g.loaded = p, true
	g.remember(g.seed)
	g.remember(p)
	return nil
}

// remember notes tokens for Hide. The caller holds the mutex.
func (g *Grant) remember(p Pair) {
	for _, token := range []string{p.Access, p.Refresh} {
		if token != "" {
			g.issued = append(g.issued, token)
		}
	}
	if n := len(g.issued) - issuedMost; n > 0 {
		g.issued = g.issued[n:]
	}
}

// Hide puts stars in the place of the grant's tokens in an outcome's texts.
func (g *Grant) Hide(o sinks.Outcome) sinks.Outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, token := range g.issued {
		o.Code = strings.ReplaceAll(o.Code, token, stars)
		o.Message = strings.ReplaceAll(o.Message, token, stars)
	}
	return o
}

func unreadable(err error) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassTransient, Code: CodeUnreadable, Message: err.Error()}
}

func notSaved(err error) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassTransient, Code: CodeNotSaved, Message: err.Error()}
}
