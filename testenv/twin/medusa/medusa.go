// Package medusa is the sandbox twin of a Medusa shop: the Admin API of 2.21 as far as an adapter for stock needs
// it, with the answers of a running server. A shop with a key takes that key; one with a user takes tokens that
// /auth gives.
//
//	medusa.go    the shop, and who may do what
//	dialect.go   requests and errors
//	items.go     inventory items and their levels
//
// Like the server, it forgets a whole batch for one bad element, says the same of an unknown item, an unknown
// location and a level that is not there, makes a level at a location that does not exist when it is told to create
// it, takes fractions, and shows in the answer to a write the available quantity of before.
package medusa

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

// Config says what a shop is like.
type Config struct {
	SignIn bool // by user and password instead of a key
	Tokens twin.TokensConfig
}

// Locations are those of a shop.
func Locations() []string { return []string{"sloc_A", "sloc_B"} }

// Shop is a Medusa shop.
type Shop struct {
	*twin.Twin

	cfg      Config
	key      string
	password string

	mu      sync.Mutex
	revoked bool
}

// Start returns a shop that sells a few things and ends with the test.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	s := &Shop{cfg: cfg, key: "sk_canary" + rand.Text(), password: "canary-password-" + rand.Text()}
	s.Twin = twin.Start(tb, twin.Config{Dialect: dialect{s}, Tokens: cfg.Tokens})
	s.Stock(240)
	return s
}

// Options are those of the store record.
func (s *Shop) Options() []byte { return fmt.Appendf(nil, `{"url":%q}`, s.URL()) }

// Credentials are what credentials_ref names.
func (s *Shop) Credentials() map[string]string {
	if s.cfg.SignIn {
		return map[string]string{"email": "stocksync@example.com", "password": s.password}
	}
	return map[string]string{"secret_key": s.key}
}

// Secrets are the texts that must not get out.
func (s *Shop) Secrets() []string {
	if !s.cfg.SignIn {
		return []string{s.key}
	}
	tokens := slices.DeleteFunc(s.Issued(), func(t string) bool { return strings.HasPrefix(t, "canary-refresh") })
	return append(tokens, s.password) // a session has no refresh token
}

// Updates returns updates of the first n items.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.Items()[:n]) }

// Others returns none: all items may share a request.
func (s *Shop) Others() []sinks.Update { return nil }

// Unknown returns an update of an item that is not there.
func (s *Shop) Unknown() sinks.Update {
	u := s.Twin.Unknown()
	u.Locations = []sinks.LocationQty{{LocationID: "sloc_A", Qty: u.Qty}}
	return u
}

// Stock adds n items.
func (s *Shop) Stock(n int) { s.Fill(n, 3, "published", Locations()...) }

// Revoke takes the key or the user away.
func (s *Shop) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
	s.Twin.Revoke()
}

func (s *Shop) isRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked
}

// Reserve promises some of what lies at a location to an order of the shop.
func (s *Shop) Reserve(id twin.ID, location string, qty topics.Quantity) {
	it, ok := s.Item(id)
	if !ok {
		return
	}
	l := it.Levels[location]
	l.Allocated += qty
	it.Levels[location] = l
	s.Put(it)
}
