// Package signin keeps the access token of a store that is got by signing in with credentials that last. Such a
// token is not worth keeping over a restart: who starts again signs in again.
//
// One request at a time signs in, however many need the token. The package knows no marketplace.
package signin

import (
	"context"
	"strings"
	"sync"

	"stocksync/sinks"
)

// Func signs in. The class of its outcome is one that sinks.Refresher may return, and unless that is ClassOK
// there is no token.
type Func func(context.Context, sinks.Credentials) (token string, o sinks.Outcome)

// Token is the access token of one store. It is safe for concurrent use.
type Token struct {
	signIn Func
	names  []string      // of the credentials that it follows from
	busy   chan struct{} // holds one while somebody signs in

	mu      sync.Mutex
	token   string   // "": none yet
	refused bool     // the shop has refused it
	from    string   // the credentials that it followed from
	issued  []string // the last tokens: a marketplace may still repeat one that was replaced
}

// New returns the token that follows from the credentials of those names.
func New(signIn Func, names ...string) *Token {
	return &Token{signIn: signIn, names: names, busy: make(chan struct{}, 1)}
}

// Use returns the token, and signs in when there is none yet or the credentials are others by now. The outcome's
// class is ClassOK when there is a token, be it one that was refused: that is for Refresh to mend.
func (t *Token) Use(ctx context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	if token, ok := t.current(c, false); ok {
		return token, sinks.Outcome{Class: sinks.ClassOK}
	}
	return t.renew(ctx, c, false)
}

// Refused notes that the shop refused a token.
func (t *Token) Refused(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = t.refused || t.token == token
}

// Refresh replaces a token that was refused; one that was not stays.
func (t *Token) Refresh(ctx context.Context, c sinks.Credentials) sinks.Outcome {
	_, o := t.renew(ctx, c, true)
	return o
}

// Hide puts stars in the place of the tokens in a text.
func (t *Token) Hide(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, token := range t.issued {
		text = strings.ReplaceAll(text, token, "***")
	}
	return text
}

// issuedMost is how many tokens are remembered for Hide.
const issuedMost = 4

// current returns the token of these credentials; false when there is none, or good is asked for and it was
// refused.
func (t *Token) current(c sinks.Credentials, good bool) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ok := t.token != "" && t.from == t.key(c) && (!good || !t.refused)
	return t.token, ok
}

// renew signs in, unless somebody has while it waited for its turn.
func (t *Token) renew(ctx context.Context, c sinks.Credentials, good bool) (string, sinks.Outcome) {
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return "", sinks.ClassifyError(context.Cause(ctx))
	}
	if token, ok := t.current(c, good); ok {
		return token, sinks.Outcome{Class: sinks.ClassOK}
	}
	token, o := t.signIn(sinks.AtOnce(ctx), c)
	if o.Class != sinks.ClassOK {
		return "", o
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.refused, t.from = token, false, t.key(c)
	if t.issued = append(t.issued, token); len(t.issued) > issuedMost {
		t.issued = t.issued[1:]
	}
	return token, o
}

// key tells one set of credentials from another.
func (t *Token) key(c sinks.Credentials) string {
	var b strings.Builder
	for _, name := range t.names {
		b.WriteString(c.Get(name))
		b.WriteByte(0)
	}
	return b.String()
}
