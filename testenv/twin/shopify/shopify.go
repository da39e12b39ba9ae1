// Package shopify is the sandbox twin of a Shopify shop: the GraphQL Admin API of 2026-04 as far as an adapter for
// stock needs it. Its answers follow Shopify's documentation; none was to be had to try them on.
//
//	shopify.go   the shop
//	oauth.go     the token endpoint, and whose token is good
//	dialect.go   requests and errors
//	points.go    what a query costs, and the bucket
//	set.go       inventorySetQuantities: idempotency, comparing before setting
//	lists.go     productVariants, locations, nodes
//
// Decided against the client where the documentation is silent: a key that comes again with the same request gets the
// first answer; a request without a key, or a row without changeFromQuantity, is refused whole; of a mutation with one
// bad row nothing is done.
package shopify

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

// Auth is the kind of token that a shop gives.
type Auth string

// The kinds.
const (
	Lasting Auth = "lasting" // a custom app's
	Signed  Auth = "signed"  // by client credentials
	Granted Auth = "granted" // an hour, with a refresh token
)

// Config says what a shop is like.
type Config struct {
	Auth    Auth    // default Lasting
	Maximum float64 // points that the bucket holds; default 20,000, those of the largest plan
	Restore float64 // points a second; default 1,000
	Tokens  twin.TokensConfig
}

// Locations are those of a shop.
func Locations() []string { return []string{"71", "72"} }

// Shop is a Shopify shop.
type Shop struct {
	*twin.Twin

	cfg         Config
	seed        twin.Pair // of the consent
	key, secret string    // the app's

	mu      sync.Mutex
	revoked bool
	bucket  bucket
	done    map[string]answered // by idempotency key
}

// Start returns a shop that sells a few things and ends with the test.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	if cfg.Auth == "" {
		cfg.Auth = Lasting
	}
	if cfg.Maximum == 0 {
		cfg.Maximum, cfg.Restore = 20_000, 1_000
	}
	s := &Shop{
		cfg: cfg, key: "client-7", secret: "shpss_canary" + rand.Text(), done: map[string]answered{},
		bucket: bucket{maximum: cfg.Maximum, restore: cfg.Restore, level: cfg.Maximum},
	}
	s.Twin = twin.Start(tb, twin.Config{Dialect: dialect{s}, Tokens: cfg.Tokens})
	s.seed = s.Issue()
	s.Fill(260, 3, "ACTIVE", Locations()[0])
	return s
}

// Options are those of the store record.
func (s *Shop) Options() []byte {
	return fmt.Appendf(nil, `{"shop":"twin.myshopify.com","url":%q}`, s.URL())
}

// Credentials are what credentials_ref names.
func (s *Shop) Credentials() map[string]string {
	app := map[string]string{"client_id": s.key, "client_secret": s.secret}
	switch s.cfg.Auth {
	case Signed:
	case Granted:
		app["access_token"], app["refresh_token"] = s.seed.Access, s.seed.Refresh
	case Lasting:
		return map[string]string{"access_token": s.seed.Access}
	}
	return app
}

// Secrets are the texts that must not get out.
func (s *Shop) Secrets() []string {
	switch s.cfg.Auth {
	case Lasting:
		return []string{s.seed.Access}
	case Signed: // no refresh token is ever given, and the pair of the consent is not used
		tokens := slices.DeleteFunc(s.Issued(), func(t string) bool {
			return strings.HasPrefix(t, "canary-refresh") || t == s.seed.Access
		})
		return append(tokens, s.secret)
	case Granted:
	}
	return append(s.Issued(), s.secret)
}

// Updates returns updates of the first n variants.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.Items()[:n]) }

// Others returns none: all items may share a request.
func (s *Shop) Others() []sinks.Update { return nil }

// Unknown returns an update of an item that is not there.
func (s *Shop) Unknown() sinks.Update {
	u := s.Twin.Unknown()
	u.Locations = []sinks.LocationQty{{LocationID: Locations()[0], Qty: u.Qty}}
	return u
}

// Stock adds n variants.
func (s *Shop) Stock(n int) { s.Fill(n, 3, "ACTIVE", Locations()[0]) }

// Revoke takes the shop's consent back: the app is removed.
func (s *Shop) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
	s.Twin.Revoke()
}

// Buy takes units of an item at its first location.
func (s *Shop) Buy(id twin.ID, units int64) {
	s.Sell(id, Locations()[0], topics.Quantity(units)*topics.One)
}
