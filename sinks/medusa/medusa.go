// Package medusa keeps the stock of Medusa shops: the Admin API of version 2, tried on 2.21.
//
//	medusa.go     Adapter: a store's options, what the reconciler must respect
//	auth.go       a secret key, or a token that is got by signing in
//	call.go       a request and its answer
//	classify.go   what the shop's errors mean
//	push.go       stock at locations, absolute
//	read.go       reading back
//	catalogue.go  what the shop sells, page by page
//
// What one must know of Medusa:
//
//   - Stock belongs to inventory items, which variants point to. A target's variant_id is the id of the item, its
//     product_id that of the product whose variant points to it, or again the item's where none does. The SKU is
//     the item's own: it is unique, and need not be that of the variant.
//   - The number is what lies there: the shop offers stocked - reserved of each location.
//   - The answer to a write shows available_quantity as it was before: it is not used.
//   - A batch is all or nothing. Of an item without a level at a location, an unknown item and an unknown location
//     the shop says the same; which it was is looked up.
//
// Options are
//
//	{"url":"https://shop.example"}
//
// and credentials either secret_key, or email and password, which are quicker for the shop: it hashes a key
// slowly, for each request.
package medusa

import (
	"errors"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/signin"
)

const (
	// batchMost is the updates of a request. A thousand levels took 0.4 s; this leaves room for several locations.
	batchMost = 200
	// inFlight is what a small server answers at a time without slowing its buyers down.
	inFlight = 4
)

// Adapter opens Medusa stores.
type Adapter struct{}

// Options are the adapter's part of a store record.
type Options struct {
	URL string `json:"url"` // of the server, without /admin
}

// Marketplace returns "medusa".
func (Adapter) Marketplace() string { return "medusa" }

// Listed returns true: a pair exists by an inventory item with the SKU.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (Adapter) Open(a sinks.Account) (sinks.Session, error) {
	s := &session{account: a}
	if err := dialect.Options(a, &s.options); err != nil {
		return nil, err
	}
	base, err := dialect.Base(a, "url", s.options.URL)
	if err != nil {
		return nil, err
	}
	s.options.URL = base
	c, err := a.Credentials()
	switch {
	case err != nil:
		return nil, err
	case c.Get(secretKey) != "":
		return s, nil
	case c.Get(email) != "" && c.Get(password) != "":
		s.login = signin.New(s.signIn, email, password)
		return loginSession{s}, nil
	}
	return nil, errors.New("credentials_ref names neither secret_key nor email and password")
}

// session is one shop, by a secret key unless login says otherwise.
type session struct {
	account sinks.Account
	options Options
	login   *signin.Token // nil: by a secret key
}

// Traits returns what the reconciler must respect.
func (*session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: inFlight, Number: sinks.NumberPhysical, Cheap: true, ReadFirst: true,
	}
}

// Group returns the empty key: any items share a request.
func (*session) Group(*sinks.Update) string { return "" }
