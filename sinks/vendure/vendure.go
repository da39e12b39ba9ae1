// Package vendure keeps the stock of Vendure shops: the Admin API of version 3, tried on 3.7.
//
//	vendure.go    Adapter: a store's options, what the reconciler must respect
//	auth.go       an API key, or a session that is got by signing in
//	call.go       a request and its answer
//	classify.go   what the shop's errors mean
//	push.go       stock at locations, absolute
//	read.go       reading back, and looking SKUs up
//	catalogue.go  what the shop sells, page by page
//
// What one must know of Vendure:
//
//   - The number is what lies there: the shop offers the sum of (on hand - allocated) over its locations, less
//     the threshold, which may be negative where it sells on backorder. So may then the number.
//   - Absolute numbers become differences inside, and batches that overlap end in deadlocks: one request in
//     flight at a time, ids sorted, and the answer, which shows the levels, is compared with what was sent.
//   - A mutation is all or nothing, and nearly every failure is an answer with status 200.
//   - SKUs need not be unique: those that are equal, byte for byte, are targets of one listing.
//
// A target is a variant: its product_id is the product's id, its variant_id the variant's. Options are
//
//	{"url":"https://shop.example/admin-api","channel":"token of a channel, where there are several"}
//
// and credentials either api_key, or username and password, which are quicker for the shop: it hashes a key
// slowly, for each request.
package vendure

import (
	"errors"
	"fmt"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/signin"
)

// batchMost is the updates of a request: one takes about 8 ms of the shop, and a body may weigh 100 kB.
const batchMost = 100

// Adapter opens Vendure stores.
type Adapter struct{}

// Options are the adapter's part of a store record.
type Options struct {
	URL     string `json:"url"`
	Channel string `json:"channel"` // sent as vendure-token; empty: the default channel
}

// Marketplace returns "vendure".
func (Adapter) Marketplace() string { return "vendure" }

// Listed returns true: a pair exists by a variant with the SKU.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (Adapter) Open(a sinks.Account) (sinks.Session, error) {
	s := &session{account: a}
	if err := dialect.Options(a, &s.options); err != nil {
		return nil, err
	}
	if _, err := a.HTTP.CheckURL(s.options.URL); err != nil {
		return nil, fmt.Errorf("options.url: %w", err)
	}
	c, err := a.Credentials()
	switch {
	case err != nil:
		return nil, err
	case c.Get(apiKey) != "":
		return s, nil
	case c.Get(username) != "" && c.Get(password) != "":
		s.login = signin.New(s.signIn, username, password)
		return loginSession{s}, nil
	}
	return nil, errors.New("credentials_ref names neither api_key nor username and password")
}

// session is one shop, by an API key unless login says otherwise.
type session struct {
	account sinks.Account
	options Options
	login   *signin.Token // nil: by an API key
}

// Traits returns what the reconciler must respect.
func (*session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: 1, Number: sinks.NumberPhysical, Cheap: true, ReadFirst: true,
	}
}

// Group returns the empty key: any variants share a request.
func (*session) Group(*sinks.Update) string { return "" }
