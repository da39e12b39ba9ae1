// Package shopee is a sandbox twin of a shop on Shopee: the Open Platform, version 2, as far as stock needs it.
//
// It answers the stock update, the list of items, their base info, models and promotions, and the token refresh;
// it checks partner, timestamp, signature, shop and access token, in this order. What the reference does not tell,
// and is assumed against the client: a single request with one model that is refused still answers with lists; a
// model that is not the item's refuses the whole request; the answer to an update shows every location.
package shopee

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

const (
	partnerID  = "2001887"
	partnerKey = "canary-partner-key-of-a-twin"
	shopID     = "14701711"
	active     = "NORMAL"
)

// Config says what a shop is like. The zero value is one with a single warehouse, without limits.
type Config struct {
	Locations []string // none: a shop with one warehouse, which has no name
	Limits    map[twin.Op]twin.Window
	Tokens    twin.TokensConfig
}

// Shop is the twin.
type Shop struct {
	*twin.Twin

	cfg    Config
	seed   twin.Pair
	first  []twin.Item // of one item, as many models as a request may hold
	others []twin.Item

	// Reserved tells how much of an item promotions hold, by item and model; set before the first request.
	Reserved map[twin.ID]topics.Quantity
}

// PromotionsEnd is when the promotions of Reserved end.
const PromotionsEnd = 1_900_000_000

// Start returns a shop that ends with the test. It sells an item of 50 models, and one without models.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	if cfg.Tokens.Overlap == 0 {
		cfg.Tokens.Overlap = 5 * time.Minute
	}
	s := &Shop{cfg: cfg, Reserved: map[twin.ID]topics.Quantity{}}
	s.Twin = twin.Start(tb, twin.Config{Dialect: s, Limits: cfg.Limits, Tokens: cfg.Tokens})
	s.Fill(50, 50, active, cfg.Locations...)
	s.first = s.Items()
	bare := twin.Item{ID: twin.ID{Product: "2000000"}, SKU: "BARE", Title: "Without models", Status: active}
	bare.Levels = map[string]twin.Level{}
	for name := range s.first[0].Levels {
		bare.Levels[name] = twin.Level{Qty: 7 * topics.One}
	}
	s.Put(bare)
	s.others = s.Items()[len(s.first):]
	s.seed = s.Issue()
	return s
}

// Options returns the options of a store record that leads here.
func (s *Shop) Options() []byte { return []byte(`{"shop_id":` + shopID + `,"url":"` + s.URL() + `"}`) }

// Credentials returns those of the store.
func (s *Shop) Credentials() map[string]string {
	return map[string]string{
		"partner_id": partnerID, "partner_key": partnerKey, "access_token": s.seed.Access, "refresh_token": s.seed.Refresh,
	}
}

// Secrets returns what must not get out.
func (s *Shop) Secrets() []string { return append(s.Issued(), partnerKey) }

// Updates returns updates of the first item's models.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.first[:n]) }

// Others returns updates of another item.
func (s *Shop) Others() []sinks.Update { return twin.Updates(s.others) }

// Stock adds n models, two to an item.
func (s *Shop) Stock(n int) { s.Fill(n, 2, active, s.cfg.Locations...) }

const (
	updatePath  = "/api/v2/product/update_stock"
	listPath    = "/api/v2/product/get_item_list"
	infoPath    = "/api/v2/product/get_item_base_info"
	modelPath   = "/api/v2/product/get_model_list"
	promoPath   = "/api/v2/product/get_item_promotion"
	refreshPath = "/api/v2/auth/access_token/get"
)

// Operation says what a request asks for.
func (s *Shop) Operation(r *http.Request) twin.Op {
	switch r.Method + " " + r.URL.Path {
	case "POST " + updatePath:
		return twin.OpPush
	case "GET " + listPath:
		return twin.OpList
	case "GET " + infoPath, "GET " + modelPath:
		return twin.OpRead
	case "GET " + promoPath:
		return twin.OpOther
	case "POST " + refreshPath:
		return twin.OpRefresh
	}
	return twin.OpUnknown
}

// Throttled is the answer to one request too many.
func (s *Shop) Throttled(x *twin.Exchange) twin.Answer {
	a := said("error_rate_limit", "Too many requests. You have reached the rate limit. Please try again later.", nil)
	a.Header = x.RetryAfter()
	return a
}

// Serve answers a request.
func (s *Shop) Serve(x *twin.Exchange) twin.Answer {
	if a, ok := s.signed(x); !ok {
		return a
	}
	if x.Op == twin.OpRefresh {
		return s.refresh(x)
	}
	if a, ok := s.authorise(x); !ok {
		return a
	}
	if r, ok := x.RefusedWhole(); ok {
		return said(r.Code, r.Message, nil)
	}
	switch x.Request.URL.Path {
	case updatePath:
		return s.push(x)
	case listPath:
		return s.list(x)
	case infoPath:
		return s.info(x)
	case modelPath:
		return s.models(x)
	case promoPath:
		return s.promotions(x)
	}
	return said("error_param", "Permission denied. This API is currently offline or the request path is incorrect.", nil)
}

// said is an answer. Its code is empty when it is a success. The status says nothing.
func said(code, message string, response any) twin.Answer {
	return twin.JSON(http.StatusOK, map[string]any{
		"error": code, "message": message, "warning": "", "response": response,
		"request_id": "b47087cbd3b2687193e2573dad2f4a3c",
	})
}

// signed checks which application asks.
func (s *Shop) signed(x *twin.Exchange) (twin.Answer, bool) {
	q := x.Query
	at, err := strconv.ParseInt(q.Get("timestamp"), 10, 64)
	mac := hmac.New(sha256.New, []byte(partnerKey))
	mac.Write([]byte(partnerID + x.Request.URL.Path + q.Get("timestamp") + q.Get("access_token") + q.Get("shop_id")))
	switch {
	case q.Get("partner_id") != partnerID:
		return said("error_param", "Invalid partner_id.", nil), false
	case err != nil:
		return said("error_param", "Invalid timestamp", nil), false
	case x.At.Sub(time.Unix(at, 0)).Abs() > 5*time.Minute:
		return said("error_param", "Timestamp is expired.", nil), false
	case !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(q.Get("sign"))):
		return said("error_sign", "Wrong sign.", nil), false
	}
	return twin.Answer{}, true
}

// authorise checks in whose name it asks.
func (s *Shop) authorise(x *twin.Exchange) (twin.Answer, bool) {
	if x.Query.Get("shop_id") != shopID {
		return said("partner_shop_no_link", "Invalid partner_id or shop_id, please have a check.", nil), false
	}
	switch s.Check(x.Query.Get("access_token")) {
	case twin.TokenGood:
		return twin.Answer{}, true
	case twin.TokenRevoked:
		return said("shop_no_linked", "Partner and shop has no linked.", nil), false
	case twin.TokenExpired:
		return said("invalid_acceess_token", "Invalid access_token, please have a check.", nil), false
	default:
		return said("error_auth", "Invalid access_token.", nil), false
	}
}

// refresh gives a new pair. It is not in a response.
func (s *Shop) refresh(x *twin.Exchange) twin.Answer {
	var in struct {
		Refresh   string      `json:"refresh_token"`
		PartnerID json.Number `json:"partner_id"`
		ShopID    json.Number `json:"shop_id"`
	}
	if json.Unmarshal(x.Body, &in) != nil || in.PartnerID != partnerID || in.ShopID != shopID {
		return said("error_param", "parameter invalid", nil)
	}
	pair, state := s.Spend(in.Refresh)
	switch state {
	case twin.TokenGood:
	case twin.TokenRevoked:
		return said("shop_access_expired", "Your access to shop has expired.", nil)
	case twin.TokenExpired:
		return said("refresh_token_expired", "Your refresh_token expired.", nil)
	default:
		return said("error_shop_refresh_token", "Your refresh token is error ,please check refresh token or shopid.", nil)
	}
	return twin.JSON(http.StatusOK, map[string]any{
		"error": "", "message": "", "request_id": "83089a02e46d77b64882c0c93aba5267", "partner_id": json.Number(partnerID),
		"shop_id": json.Number(shopID), "access_token": pair.Access, "refresh_token": pair.Refresh,
		"expire_in": int64(pair.AccessUntil.Sub(x.At) / time.Second),
	})
}
