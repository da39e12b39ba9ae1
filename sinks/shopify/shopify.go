// Package shopify keeps the stock of Shopify shops: the GraphQL Admin API from version 2026-04 on.
//
//	shopify.go    Adapter: a store's options, what the reconciler must respect
//	auth.go       access tokens: lasting, got by signing in, or with a refresh token
//	call.go       a request and its answer; the bucket of points
//	classify.go   what the shop's errors mean
//	push.go       numbers at locations, compared before they are set
//	read.go       reading back
//	catalogue.go  what the shop sells, page by page
//
// What one must know of Shopify:
//
//   - The number is "available": orders have been taken off. It is set per inventory item and location; who read it
//     before sets it only if it is still that number (changeFromQuantity), so an order in between is not lost.
//   - Each mutation carries a key of its own (@idempotent): a request that goes out again because its connection was
//     cut is done once. The key stands in the document, as in the documentation; a new attempt has a new one.
//   - A mutation is all or nothing; its errors name the rows, without which it is sent again. An input has 250 rows.
//   - Requests cost points, and every answer tells the level of the bucket. A query may cost 1,000: pages are as
//     large as that allows, and halved when the shop counts otherwise.
//   - There is an end to paging after 25,000 objects: long lists are begun anew behind the last id.
//
// A target's variant_id is the number of its inventory item, which has the stock; its product_id is that of the
// product. Locations are numbers too. All may be written as gid://shopify/... as well. Options are
//
//	{"shop":"example.myshopify.com","api_version":"2026-04"}
//
// and credentials one of
//
//	access_token                                            a custom app's, which lasts
//	client_id, client_secret                                of an app of the seller's own organisation: signs in
//	client_id, client_secret, access_token, refresh_token   an offline token that lasts an hour
package shopify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

const (
	// batchMost is the elements of an input array, for all of Shopify's APIs.
	batchMost = 250
	// inFlight keeps a shop busy while an answer is on its way; the bucket of points limits more than this does.
	inFlight = 2
	// costAtFirst is what a request is taken to cost before the shop has said: a mutation's 10 points and a little.
	costAtFirst = 15
	// firstVersion is the first that this adapter speaks: before it, comparing had another name.
	firstVersion = "2026-04"
)

// Adapter opens Shopify stores.
type Adapter struct {
	// Tokens keeps pairs that are renewed; nil: stores with a refresh token can't be opened.
	Tokens *token.Safe
}

// Options are the adapter's part of a store record.
type Options struct {
	Shop    string `json:"shop"`        // its myshopify.com name
	URL     string `json:"url"`         // of a gateway before it; default https:// and the shop
	Version string `json:"api_version"` // default 2026-04, and not before
}

// Marketplace returns "shopify".
func (Adapter) Marketplace() string { return "shopify" }

// Listed returns true: a pair exists by a variant with the SKU.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (ad Adapter) Open(a sinks.Account) (sinks.Session, error) {
	s := &session{account: a, options: Options{Version: firstVersion}, window: windowMost}
	o := &s.options
	if err := dialect.Options(a, o); err != nil {
		return nil, err
	}
	switch {
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.com$`).MatchString(o.Shop):
		return nil, errors.New("options.shop is not a name like example.myshopify.com")
	case !regexp.MustCompile(`^20\d\d-(01|04|07|10)$`).MatchString(o.Version) || o.Version < firstVersion:
		return nil, fmt.Errorf("options.api_version is none from %s on", firstVersion)
	case o.URL == "":
		o.URL = "https://" + o.Shop
	}
	base, err := dialect.Base(a, "url", o.URL)
	if err != nil {
		return nil, err
	}
	o.URL = base
	return s.withAuth(ad.Tokens)
}

// session is one shop.
type session struct {
	account sinks.Account
	options Options
	auth    auth
	window  int // windowMost, but in tests
}

// Traits returns what the reconciler must respect.
func (*session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: inFlight, Number: sinks.NumberAvailable, ReadFirst: true,
		Rate: sinks.Rate{Cost: costAtFirst},
	}
}

// Group returns the empty key: any items share a request.
func (*session) Group(*sinks.Update) string { return "" }

// gid returns the global id of a number; one that is global already stays.
func gid(kind, id string) string {
	if strings.HasPrefix(id, "gid://") {
		return id
	}
	return "gid://shopify/" + kind + "/" + id
}

// plain returns the number in a global id.
func plain(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// isID tells whether an id is a number or a global id: another one makes the shop refuse a whole request.
func isID(id string) bool {
	return regexp.MustCompile(`^(gid://shopify/[A-Za-z]+/)?[0-9]{1,20}$`).MatchString(id)
}
