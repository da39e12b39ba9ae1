// Package lazada keeps the stock of shops on Lazada: the Open Platform of one country.
//
//	lazada.go     Adapter: a store's options, what the reconciler must respect
//	call.go       a signed request and its answer
//	classify.go   what the codes mean
//	push.go       sellable stock of SKUs of any items, absolute
//	read.go       what the shop shows of SKUs; reading back, looking up
//	catalogue.go  what the shop sells, page by page
//	refresh.go    a new pair of tokens
//
// What one must know of it:
//
//   - The sellable quantity is set (UpdateSellableQuantity), which is what buyers may order: the shop moves what they
//     order out of it. It may not fall below what a campaign has locked.
//   - Two requests at a time that change one item fail (4147): one request in flight.
//   - Whether a request failed is in its body. Codes 500, 501 and 503 are envelopes whose reasons are in detail, which
//     names the SKUs that failed. Whether the others were applied is not said: they are sent again.
//   - SKUs are addressed by item and SKU id; the seller's own SKU does for reading alone.
//   - A refresh does not move the end of the refresh token's life: then the seller must consent anew. Applications
//     that are sold on Lazada's own market can't refresh at all.
//
// Where the reference is silent or contradicts itself, this is assumed: that payload is XML, with SellableQuantity
// inside a warehouse's element, as the documentation prints; that a campaign's window (4170) is told in the
// country's own time; that the window of locked stock is in milliseconds; that detail which names an item of which
// several SKUs were sent, and no SKU, may be about any of them: smaller requests tell.
//
// A target is a SKU: its product_id is the item's id, its variant_id the SkuId. Shops with several warehouses, which
// are asked for in each pass, have the warehouses' codes as locations. Options are
//
//	{"country":"id"}
//
// with url and auth_url for other hosts, and credentials app_key, app_secret, refresh_token and, so that the first
// request needs no refresh, access_token.
package lazada

import (
	"fmt"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

const (
	// batchMost is the SKUs of a request that are advised; 50 are taken, and may time out.
	batchMost = 20
	// perSecond and burst together stay below the 50 requests that any second may hold.
	perSecond = 40
	burst     = 5
)

// country is where a shop sells.
type country struct {
	host string
	zone time.Duration // ahead of UTC; none of them has a summer time
}

// countries returns those that there are.
func countries() map[string]country {
	return map[string]country{
		"sg": {"https://api.lazada.sg/rest", 8 * time.Hour},
		"my": {"https://api.lazada.com.my/rest", 8 * time.Hour},
		"ph": {"https://api.lazada.com.ph/rest", 8 * time.Hour},
		"th": {"https://api.lazada.co.th/rest", 7 * time.Hour},
		"vn": {"https://api.lazada.vn/rest", 7 * time.Hour},
		"id": {"https://api.lazada.co.id/rest", 7 * time.Hour},
	}
}

// Adapter opens shops. Their tokens are kept in a safe.
type Adapter struct{ Tokens *token.Safe }

// Options are the adapter's part of a store record.
type Options struct {
	Country string `json:"country"`  // sg, my, ph, th, vn or id
	URL     string `json:"url"`      // default the country's host
	AuthURL string `json:"auth_url"` // default https://auth.lazada.com/rest
}

// Marketplace returns "lazada".
func (Adapter) Marketplace() string { return marketplace }

const marketplace = "lazada"

// Listed returns true: a pair exists by a SKU of the shop.
func (Adapter) Listed() bool { return true }

// Open checks options and credentials.
func (a Adapter) Open(account sinks.Account) (sinks.Session, error) {
	s := &session{account: account, tokens: a.Tokens, options: Options{AuthURL: "https://auth.lazada.com/rest"}}
	if err := dialect.Options(account, &s.options); err != nil {
		return nil, err
	}
	land, ok := countries()[s.options.Country]
	if !ok {
		return nil, fmt.Errorf("options.country is %q, want sg, my, ph, th, vn or id", s.options.Country)
	}
	if s.options.URL == "" {
		s.options.URL = land.host
	}
	s.zone = land.zone
	var err error
	if s.options.URL, err = dialect.Base(account, "url", s.options.URL); err != nil {
		return nil, err
	}
	if s.options.AuthURL, err = dialect.Base(account, "auth_url", s.options.AuthURL); err != nil {
		return nil, err
	}
	_, err = s.keys().Open(account, a.Tokens)
	return s, err
}

// session is one shop.
type session struct {
	account sinks.Account
	options Options
	zone    time.Duration
	tokens  *token.Safe
}

// keys names the store's secrets.
func (*session) keys() dialect.Keys {
	return dialect.Keys{Marketplace: marketplace, App: "app_key", Secret: "app_secret"}
}

// Traits returns what the reconciler must respect.
func (*session) Traits() sinks.Traits {
	return sinks.Traits{
		Batch: batchMost, InFlight: 1, Number: sinks.NumberAvailable, Cheap: true,
		Rate: sinks.Rate{PerSecond: perSecond, Burst: burst},
	}
}

// Group returns the empty key: SKUs of any items share a request.
func (*session) Group(*sinks.Update) string { return "" }
