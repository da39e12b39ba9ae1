// Package tiktokshop keeps the stock of shops on TikTok Shop, which serves Tokopedia too: "Tokopedia & Shop" in
// Indonesia, where that is the name by law. It speaks the Open API 202309.
//
//	tiktokshop.go  Adapter: a store's options, what the reconciler must respect
//	call.go        a signed request and its answer
//	classify.go    what the codes mean
//	push.go        stock of one product's SKUs, absolute
//	read.go        reading back
//	catalogue.go   what the shop sells, page by page; looking SKUs up
//	refresh.go     a new pair of tokens
//
// What one must know of it:
//
//   - A request is of one product, and names every warehouse of each SKU in it.
//   - Code 0 and "Success" may carry failures of SKUs; the reason is the innermost code. A success names no SKU.
//   - The number is what buyers may order; the shop moves what they order out of it.
//   - A product on both platforms has one stock, and one status for each. Its own status decides whether stock
//     may be written; where the shop lists on Tokopedia alone there is none, and Tokopedia's counts.
//   - During a promotion stock may go up and not down (raise_only).
//
// Where the reference is silent or contradicts itself, this is assumed: that a quantity of 0 is taken, although
// the documentation prints 1 as the least (a refusal is quantity_refused); that two requests for SKUs of one
// product at a time do no harm; that a search without filters by time sees every product that it counts.
//
// A target is a SKU: its product_id is the product's id, its variant_id the SKU's. Options are
//
//	{"shop_cipher":"ROW_...","platform":"TOKOPEDIA"}
//
// with url and auth_url for other hosts than the public ones, and credentials app_key, app_secret, refresh_token
// and, so that the first request needs no refresh, access_token.
package tiktokshop

import (
	"errors"
	"fmt"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

const (
	// batchMost is the SKUs of a request: a product has no more.
	batchMost = 100
	// inFlight is a guess: enough to fill the rate at round trips of 100 ms.
	inFlight = 4
	// perSecond and burst together stay below the 50 requests that any second may hold, with some room for
	// requests that set out apart and arrive together.
	perSecond = 40
	burst     = 5
)

// The platforms of a shop.
const (
	tiktok    = "TIKTOK_SHOP"
	tokopedia = "TOKOPEDIA"
)

// Adapter opens shops. Their tokens are kept in a safe.
type Adapter struct{ Tokens *token.Safe }

// Options are the adapter's part of a store record.
type Options struct {
	ShopCipher string `json:"shop_cipher"` // of the shop, among those of the seller's consent
	Platform   string `json:"platform"`    // TIKTOK_SHOP or TOKOPEDIA: where the store sells; may be empty
	URL        string `json:"url"`         // default https://open-api.tiktokglobalshop.com
	AuthURL    string `json:"auth_url"`    // default https://auth.tiktok-shops.com
}

// Marketplace returns "tiktokshop".
func (Adapter) Marketplace() string { return marketplace }

const marketplace = "tiktokshop"

// Listed returns true: a pair exists by a SKU of the shop.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (a Adapter) Open(account sinks.Account) (sinks.Session, error) {
	s := &session{
		account: account, tokens: a.Tokens,
		options: Options{URL: "https://open-api.tiktokglobalshop.com", AuthURL: "https://auth.tiktok-shops.com"},
	}
	if err := dialect.Options(account, &s.options); err != nil {
		return nil, err
	}
	var err error
	if s.options.URL, err = dialect.Base(account, "url", s.options.URL); err != nil {
		return nil, err
	}
	if s.options.AuthURL, err = dialect.Base(account, "auth_url", s.options.AuthURL); err != nil {
		return nil, err
	}
	switch p := s.options.Platform; {
	case s.options.ShopCipher == "":
		return nil, errors.New("options.shop_cipher is missing: it is in the answer of /authorization/202309/shops")
	case p != "" && p != tiktok && p != tokopedia:
		return nil, fmt.Errorf("options.platform is %q, want %s or %s", p, tiktok, tokopedia)
	}
	_, err = s.keys().Open(account, a.Tokens)
	return s, err
}

// session is one shop.
type session struct {
	account sinks.Account
	options Options
	tokens  *token.Safe
}

// keys names the store's secrets.
func (*session) keys() dialect.Keys {
	return dialect.Keys{Marketplace: marketplace, App: "app_key", Secret: "app_secret"}
}

// Traits returns what the reconciler must respect. Reading takes a sixth of the requests that writing does.
func (s *session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: inFlight, Number: sinks.NumberAvailable, WholeSet: true, Cheap: true,
		Rate: sinks.Rate{PerSecond: perSecond, Burst: burst}, AutoDisable: s.options.Platform == tokopedia,
	}
}

// Group returns the product: a request is of one.
func (*session) Group(u *sinks.Update) string { return u.Target.ProductID }
