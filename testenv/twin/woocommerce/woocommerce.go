// Package woocommerce is the sandbox twin of a WooCommerce shop: the REST API v3 as far as an adapter for stock needs
// it. Its answers follow the server's source and documentation; none was to be had to try them on.
//
//	woocommerce.go  the shop
//	auth.go         HTTP Basic, keys in the query, OAuth 1.0a: signature, clock, nonces
//	dialect.go      requests and errors
//	products.go     lists, and batches of numbers
//
// Like the server, it answers an element that fails beside those that don't, ignores a number without a word where
// stock management is off, and takes at most a hundred elements.
package woocommerce

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

// Config says what a shop is like.
type Config struct {
	Auth string // what it takes: basic, query or oauth; default oauth, since the twin has no TLS
}

// Shop is a WooCommerce shop.
type Shop struct {
	*twin.Twin

	cfg         Config
	key, secret string

	mu      sync.Mutex
	revoked bool
	nonces  map[string]bool
}

// firstSimple is the id of the first product without variations.
const firstSimple = 100

// Start returns a shop that sells a hundred and twenty things without variations and a few with, and ends with the
// test.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	if cfg.Auth == "" {
		cfg.Auth = "oauth"
	}
	s := &Shop{cfg: cfg, key: "ck_canary" + rand.Text(), secret: "cs_canary" + rand.Text(), nonces: map[string]bool{}}
	s.Twin = twin.Start(tb, twin.Config{Dialect: dialect{s}})
	for i := range 120 {
		s.Put(twin.Item{
			ID: twin.ID{Product: strconv.Itoa(firstSimple + i)}, SKU: fmt.Sprint("PLAIN-", i), Title: fmt.Sprint("Plain ", i),
			Status: "publish", Levels: map[string]twin.Level{"": {Qty: 7 * topics.One}},
		})
	}
	s.Stock(6)
	return s
}

// Options are those of the store record.
func (s *Shop) Options() []byte {
	return fmt.Appendf(nil, `{"url":%q,"auth":%q,"rate":1000}`, s.URL(), s.cfg.Auth)
}

// Credentials are what credentials_ref names.
func (s *Shop) Credentials() map[string]string {
	return map[string]string{"consumer_key": s.key, "consumer_secret": s.secret}
}

// Secrets are the texts that must not get out.
func (s *Shop) Secrets() []string { return []string{s.key, s.secret} }

// Updates returns updates of the first n things without variations.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.Items()[:n]) }

// Others returns updates of variations, of two products.
func (s *Shop) Others() []sinks.Update { return twin.Updates(s.Items()[120:126]) }

// Stock adds n variations, three to a product.
func (s *Shop) Stock(n int) { s.Fill(n, 3, "publish") }

// ExpireAfter does nothing: keys don't expire.
func (s *Shop) ExpireAfter(int) {}

// Revoke deletes the key.
func (s *Shop) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}
