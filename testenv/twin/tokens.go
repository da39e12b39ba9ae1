package twin

import (
	"cmp"
	"crypto/rand"
	"slices"
	"sync"
	"time"
)

// TokensConfig says how a marketplace's tokens live.
type TokensConfig struct {
	Life        time.Duration // of an access token; default 4 h
	RefreshLife time.Duration // of a refresh token; default 30 days
	// Overlap is how long the access token before a refresh goes on being good.
	Overlap time.Duration
	// FixedEnd means that a refresh does not move the end of the refresh token's life.
	FixedEnd bool
	// Now is the twin's clock.
	Now func() time.Time
}

// Pair is an access token with the refresh token that replaces it, once.
type Pair struct {
	Access, Refresh           string
	AccessUntil, RefreshUntil time.Time
}

// TokenState is what a marketplace thinks of a token.
type TokenState string

// The states.
const (
	TokenGood    TokenState = "good"
	TokenExpired TokenState = "expired"
	TokenUnknown TokenState = "unknown"
	TokenSpent   TokenState = "spent"   // a refresh token that was used
	TokenRevoked TokenState = "revoked" // the shop took its consent back
)

// Tokens issues a shop's tokens. Every token holds the word canary, so that one that leaks is found. Its
// methods may be called from any goroutine.
type Tokens struct {
	cfg TokensConfig

	mu        sync.Mutex
	access    map[string]time.Time // until when
	refresh   map[string]*refreshToken
	issued    []string
	revoked   bool
	refreshes int
	uses      int // of access tokens, that were good
	usesMost  int // then they expire; negative: no such end
}

type refreshToken struct {
	access string
	until  time.Time
	spent  bool
}

func newTokens(cfg TokensConfig) *Tokens {
	cfg.Life = cmp.Or(cfg.Life, 4*time.Hour)
	cfg.RefreshLife = cmp.Or(cfg.RefreshLife, 30*24*time.Hour)
	return &Tokens{cfg: cfg, usesMost: -1, access: map[string]time.Time{}, refresh: map[string]*refreshToken{}}
}

// Issue returns the pair of a new consent.
func (t *Tokens) Issue() Pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = false
	return t.issue(t.cfg.Now().Add(t.cfg.RefreshLife))
}

// issue makes a pair. The caller holds the mutex.
func (t *Tokens) issue(refreshUntil time.Time) Pair {
	p := Pair{
		Access: "canary-access-" + rand.Text(), Refresh: "canary-refresh-" + rand.Text(),
		AccessUntil: t.cfg.Now().Add(t.cfg.Life), RefreshUntil: refreshUntil,
	}
	t.access[p.Access] = p.AccessUntil
	t.refresh[p.Refresh] = &refreshToken{access: p.Access, until: p.RefreshUntil}
	t.issued = append(t.issued, p.Access, p.Refresh)
	return p
}

// Check says what an access token that came with a request is worth.
func (t *Tokens) Check(access string) TokenState {
	t.mu.Lock()
	defer t.mu.Unlock()
	until, ok := t.access[access]
	switch {
	case t.revoked:
		return TokenRevoked
	case !ok:
		return TokenUnknown
	case !until.After(t.cfg.Now()):
		return TokenExpired
	}
	t.uses++
	if t.usesMost >= 0 && t.uses > t.usesMost {
		t.usesMost = -1
		t.expire()
		return TokenExpired
	}
	return TokenGood
}

// Spend gives a new pair for a refresh token, which is good for one.
func (t *Tokens) Spend(refresh string) (Pair, TokenState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.refresh[refresh]
	switch {
	case t.revoked:
		return Pair{}, TokenRevoked
	case old == nil:
		return Pair{}, TokenUnknown
	case old.spent:
		return Pair{}, TokenSpent
	case !old.until.After(t.cfg.Now()):
		return Pair{}, TokenExpired
	}
	old.spent = true
	t.refreshes++
	if end := t.cfg.Now().Add(t.cfg.Overlap); end.Before(t.access[old.access]) {
		t.access[old.access] = end
	}
	until := t.cfg.Now().Add(t.cfg.RefreshLife)
	if t.cfg.FixedEnd {
		until = old.until
	}
	return t.issue(until), TokenGood
}

// Expire ends the life of every access token.
func (t *Tokens) Expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
}

func (t *Tokens) expire() {
	for access := range t.access {
		t.access[access] = t.cfg.Now()
	}
}

// ExpireAfter ends the life of every access token after n more requests.
func (t *Tokens) ExpireAfter(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.usesMost = t.uses + n
}

// Revoke takes the shop's consent back: no token is good any more, until Issue.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = true
}

// Refreshes returns how often a pair was given for a refresh token.
func (t *Tokens) Refreshes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refreshes
}

// Issued returns every token that was ever given out.
func (t *Tokens) Issued() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.issued)
}
