// Package woocommerce keeps the stock of WooCommerce shops: the REST API v3 of WordPress sites.
//
//	woocommerce.go  Adapter: a store's options, what the reconciler must respect
//	sign.go         keys as HTTP Basic or in the query; OAuth 1.0a where there is no TLS
//	call.go         a request and its answer
//	classify.go     what the shop's errors mean
//	push.go         stock of products, and of the variations of one product
//	read.go         reading back
//	catalogue.go    what the shop sells, page by page
//
// What one must know of WooCommerce:
//
//   - Simple products share a batch, of variations those of one product: its id is part of the address.
//   - A number is ignored without a word when the product's own stock management is off, or the shop's. So the answer
//     is compared with what was sent. Stock management is never switched on from here: who switched it off meant it.
//   - A variation whose management says "parent" has the stock of its product, which is sold under the product's own
//     SKU, if it has one.
//   - The shop subtracts an order when it is being processed; until then a cart or an unpaid order holds nothing.
//   - There are no locations, no limits of its own, and no comparing before setting. Hosts have limits, and answer
//     with pages.
//
// A target is a product: its product_id is the product's id, its variant_id the variation's, if it is one. Options
// are
//
//	{"url":"https://shop.example","auth":"basic|query|oauth","batch":100,"rate":5}
//
// where url is that of the site; auth follows from it (oauth for plain http) unless the host strips the header of
// HTTP Basic: then "query" puts the keys into the address. Credentials are consumer_key and consumer_secret, with
// the right to read and write.
package woocommerce

import (
	"errors"
	"fmt"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

const (
	// batchMost is the shop's own limit of elements; a filter of the site may lower it.
	batchMost = 100
	// defaultRate is requests a second that a small host bears beside its buyers. There is none that is published.
	defaultRate = 5
	inFlight    = 2
)

// Adapter opens WooCommerce stores.
type Adapter struct{}

// Options are the adapter's part of a store record.
type Options struct {
	URL   string  `json:"url"`
	Auth  string  `json:"auth"`  // basic, query or oauth; default by the URL's scheme
	Batch int     `json:"batch"` // elements of a request, 1 to 100; default 100
	Rate  float64 `json:"rate"`  // requests per second; default 5
}

// Marketplace returns "woocommerce".
func (Adapter) Marketplace() string { return "woocommerce" }

// Listed returns true: a pair exists by a product or variation with the SKU.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (Adapter) Open(a sinks.Account) (sinks.Session, error) {
	s := &session{account: a, options: Options{Batch: batchMost, Rate: defaultRate}}
	o := &s.options
	if err := dialect.Options(a, o); err != nil {
		return nil, err
	}
	base, err := dialect.Base(a, "url", o.URL)
	switch {
	case err != nil:
		return nil, err
	case o.Batch < 1 || o.Batch > batchMost:
		return nil, fmt.Errorf("options.batch is %d, want 1 to %d", o.Batch, batchMost)
	case o.Rate <= 0:
		return nil, fmt.Errorf("options.rate is %v, want more than 0", o.Rate)
	}
	o.URL = base
	if o.Auth == "" {
		o.Auth = authBasic
		if strings.HasPrefix(base, "http:") {
			o.Auth = authOAuth
		}
	}
	if o.Auth != authBasic && o.Auth != authQuery && o.Auth != authOAuth {
		return nil, errors.New("options.auth is none of basic, query and oauth")
	}
	_, err = s.keys()
	return s, err
}

// session is one shop.
type session struct {
	account sinks.Account
	options Options
}

// Traits returns what the reconciler must respect.
func (s *session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: s.options.Batch, InFlight: inFlight, Number: sinks.NumberAvailable,
		Rate: sinks.Rate{PerSecond: s.options.Rate, Burst: 1},
	}
}

// Group returns the product of a variation, and the empty key for what is a product itself.
func (s *session) Group(u *sinks.Update) string {
	if u.Target.VariantID == "" {
		return ""
	}
	return u.Target.ProductID
}
