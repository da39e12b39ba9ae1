// Package vendure is the sandbox twin of a Vendure shop: the Admin API of 3.7 as far as an adapter for stock
// needs it, with the answers of a running server. A shop with a key takes that key; one with a user takes tokens
// that `login` gives.
//
//	vendure.go   the shop, and who may do what
//	dialect.go   requests and errors
//	variants.go  productVariants, updateProductVariants
//
// Like the server, it takes numbers below zero at a location, makes a level where there is none, writes disabled
// variants, answers nearly every failure with status 200, and forgets a whole mutation for one bad element. Two
// mutations at a time over one variant end in a deadlock.
package vendure

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
	SignIn    bool            // by user and password instead of a key
	Threshold topics.Quantity // of variants that have none of their own
	Tokens    twin.TokensConfig
}

// Locations are those of a shop.
func Locations() []string { return []string{"1", "2"} }

// Shop is a Vendure shop.
type Shop struct {
	*twin.Twin

	cfg      Config
	key      string
	password string

	mu      sync.Mutex
	revoked bool
	writing map[string]bool // variants that a mutation holds
	crossed int             // mutations that met another
}

// Start returns a shop that sells a few things and ends with the test.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	s := &Shop{
		cfg: cfg, key: "canary-key-" + rand.Text(), password: "canary-password-" + rand.Text(), writing: map[string]bool{},
	}
	s.Twin = twin.Start(tb, twin.Config{Dialect: dialect{s}, Tokens: cfg.Tokens})
	s.Fill(120, 3, "", Locations()...)
	return s
}

// Options are those of the store record.
func (s *Shop) Options() []byte { return fmt.Appendf(nil, `{"url":%q}`, s.URL()+"/admin-api") }

// Credentials are what credentials_ref names.
func (s *Shop) Credentials() map[string]string {
	if s.cfg.SignIn {
		return map[string]string{"username": "stocksync", "password": s.password}
	}
	return map[string]string{"api_key": s.key}
}

// Secrets are the texts that must not get out.
func (s *Shop) Secrets() []string {
	if !s.cfg.SignIn {
		return []string{s.key}
	}
	tokens := slices.DeleteFunc(s.Issued(), func(t string) bool { return strings.HasPrefix(t, "canary-refresh") })
	return append(tokens, s.password) // a session has no refresh token
}

// Updates returns updates of the first n variants.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.Items()[:n]) }

// Others returns none: all variants may share a request.
func (s *Shop) Others() []sinks.Update { return nil }

// Unknown returns an update of a variant that is not there.
func (s *Shop) Unknown() sinks.Update {
	u := s.Twin.Unknown()
	u.Locations = []sinks.LocationQty{{LocationID: "1", Qty: u.Qty}}
	return u
}

// Stock adds n variants.
func (s *Shop) Stock(n int) { s.Fill(n, 3, "", Locations()...) }

// Revoke takes the key or the user away.
func (s *Shop) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
	s.Twin.Revoke()
}

// Allocate promises some of what lies at a location to an order of the shop.
func (s *Shop) Allocate(id twin.ID, location string, qty topics.Quantity) {
	it, ok := s.Item(id)
	if !ok {
		return
	}
	l := it.Levels[location]
	l.Allocated += qty
	it.Levels[location] = l
	s.Put(it)
}

// Crossed returns how many mutations met another over the same variant.
func (s *Shop) Crossed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crossed
}

// hold takes variants for a mutation; false when another has one of them.
func (s *Shop) hold(ids []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.writing[id] {
			s.crossed++
			return false
		}
	}
	for _, id := range ids {
		s.writing[id] = true
	}
	return true
}

func (s *Shop) release(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.writing, id)
	}
}

func (s *Shop) isRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked
}
