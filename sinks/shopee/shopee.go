// Package shopee keeps the stock of shops on Shopee: the Open Platform, version 2.
//
//	shopee.go     Adapter: a store's options, what the reconciler must respect
//	call.go       a signed request and its answer
//	classify.go   what the codes and their messages mean
//	push.go       stock of one item's models, absolute
//	read.go       reading back
//	catalogue.go  what the shop sells, with the floors of its promotions
//	refresh.go    a new pair of tokens
//
// What one must know of it:
//
//   - A request is of one item. Whether it failed is in its body, whatever the status; several codes mean several
//     things, which their messages tell apart.
//   - The number is what buyers may order of the seller's own stock. Together with what lies in Shopee's
//     warehouses it may not fall below what promotions, also coming ones, have reserved.
//   - Locations are named by shops with several warehouses, and by no others.
//   - A shop that fails more than a tenth of its requests in a day is punished: what is refused for good must not
//     be tried again.
//   - A refresh token is good once for each shop of a consent; the access token before it lasts 5 minutes more.
//
// Where the reference is silent, this is assumed: that 10 requests a second are taken (no rate is published, and
// throttling slows down); that two requests for models of one item at a time do no harm; that an error which no rule
// knows is one for good, unless it says that it may pass; that an entry of success_list with another stock than was
// sent was not applied. Merchants who sell across borders (CNSC, KRSC) set stock by another call, which is not made
// here.
//
// A target is a model: its product_id is the item's id, its variant_id the model's, and empty for an item without
// models. Options are
//
//	{"shop_id":"14701711"}
//
// with url for another host than that near Singapore, and credentials partner_id, partner_key, refresh_token and,
// so that the first request needs no refresh, access_token.
package shopee

import (
	"encoding/json"
	"errors"
	"fmt"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

const (
	// batchMost is the models of a request.
	batchMost = 50
	inFlight  = 4
	perSecond = 10
	burst     = 2
)

// Adapter opens shops. Their tokens are kept in a safe.
type Adapter struct{ Tokens *token.Safe }

// Options are the adapter's part of a store record.
type Options struct {
	ShopID json.Number `json:"shop_id"` // a number or its text
	URL    string      `json:"url"`     // default https://partner.shopeemobile.com; others serve China and the Americas
}

// Marketplace returns "shopee".
func (Adapter) Marketplace() string { return marketplace }

const marketplace = "shopee"

// Listed returns true: a pair exists by an item or a model of the shop.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (a Adapter) Open(account sinks.Account) (sinks.Session, error) {
	s := &session{account: account, tokens: a.Tokens, options: Options{URL: "https://partner.shopeemobile.com"}}
	if err := dialect.Options(account, &s.options); err != nil {
		return nil, err
	}
	var err error
	if s.options.URL, err = dialect.Base(account, "url", s.options.URL); err != nil {
		return nil, err
	}
	if !dialect.Number(s.options.ShopID.String()) {
		return nil, fmt.Errorf("options.shop_id is %q, want the shop's number", s.options.ShopID)
	}
	c, err := s.keys().Open(account, a.Tokens)
	if err == nil && !dialect.Number(c.App) {
		err = errors.New("credentials_ref names a partner_id that is no number")
	}
	return s, err
}

// session is one shop.
type session struct {
	account sinks.Account
	options Options
	tokens  *token.Safe
}

// keys names the store's secrets.
func (s *session) keys() dialect.Keys {
	return dialect.Keys{
		Marketplace: marketplace, App: "partner_id", Secret: "partner_key", Scope: s.options.ShopID.String(),
	}
}

// Traits returns what the reconciler must respect. Reading costs as much as writing: models are read item by item.
func (*session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: inFlight, Number: sinks.NumberAvailable,
		Rate: sinks.Rate{PerSecond: perSecond, Burst: burst},
	}
}

// Group returns the item: a request is of one.
func (*session) Group(u *sinks.Update) string { return u.Target.ProductID }
