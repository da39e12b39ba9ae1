// Package tiktokshop is a sandbox twin of a shop on TikTok Shop and Tokopedia: the Open API 202309 as far as
// stock needs it.
//
// It answers the inventory update, the inventory search, the product search and the token refresh; it checks
// signature, timestamp, access token and shop_cipher, in this order. What the reference does not tell, and is
// assumed against the client: a request that leaves a warehouse of a SKU out changes nothing of that SKU; a
// refresh token is good once; a shop that took its consent back is told from an expired token by the refresh.
package tiktokshop

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
)

const (
	appKey     = "68xu9ks5p4i8"
	appSecret  = "canary-app-secret-of-a-twin"
	shopCipher = "ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt"
	// active is the status in which stock can be written.
	active = "ACTIVATE"
	// pageMost, idsMost are what a request may ask for.
	pageMost, idsMost = 100, 600
)

// Config says what a shop is like. The zero value is one with a single warehouse, without limits.
type Config struct {
	Warehouses []string // none: a shop with one, whose id nobody needs
	Platform   string   // TOKOPEDIA: products are listed on both platforms
	Results    int      // that a search can be paged through; default 10,000
	Limits     map[twin.Op]twin.Window
	Tokens     twin.TokensConfig
}

// Shop is the twin.
type Shop struct {
	*twin.Twin

	cfg    Config
	seed   twin.Pair
	first  []twin.Item // of one product, as many SKUs as it may have
	others []twin.Item
}

// Start returns a shop that ends with the test. It sells a product of 100 SKUs, and one of two.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	cfg.Results = cmp.Or(cfg.Results, 10_000)
	s := &Shop{cfg: cfg}
	s.Twin = twin.Start(tb, twin.Config{Dialect: s, Limits: cfg.Limits, Tokens: cfg.Tokens})
	s.Fill(100, 100, active, cfg.Warehouses...)
	s.first = s.Items()
	s.Fill(2, 2, active, cfg.Warehouses...)
	s.others = s.Items()[len(s.first):]
	s.seed = s.Issue()
	return s
}

// Options returns the options of a store record that leads here.
func (s *Shop) Options() []byte {
	text, err := json.Marshal(map[string]string{
		"shop_cipher": shopCipher, "platform": s.cfg.Platform, "url": s.URL(), "auth_url": s.URL(),
	})
	if err != nil {
		return nil
	}
	return text
}

// Credentials returns those of the store.
func (s *Shop) Credentials() map[string]string {
	return map[string]string{
		"app_key": appKey, "app_secret": appSecret, "access_token": s.seed.Access, "refresh_token": s.seed.Refresh,
	}
}

// Secrets returns what must not get out.
func (s *Shop) Secrets() []string { return append(s.Issued(), appSecret) }

// Updates returns updates of the first product's SKUs.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.first[:n]) }

// Others returns updates of another product.
func (s *Shop) Others() []sinks.Update { return twin.Updates(s.others) }

// Stock adds n SKUs, two to a product.
func (s *Shop) Stock(n int) { s.Fill(n, 2, active, s.cfg.Warehouses...) }

var updatePath = regexp.MustCompile(`^/product/202309/products/([^/]+)/inventory/update$`)

// Operation says what a request asks for.
func (s *Shop) Operation(r *http.Request) twin.Op {
	switch {
	case r.Method == http.MethodPost && updatePath.MatchString(r.URL.Path):
		return twin.OpPush
	case r.Method == http.MethodPost && r.URL.Path == "/product/202309/inventory/search":
		return twin.OpRead
	case r.Method == http.MethodPost && r.URL.Path == "/product/202502/products/search":
		return twin.OpList
	case r.Method == http.MethodGet && r.URL.Path == "/api/v2/token/refresh":
		return twin.OpRefresh
	}
	return twin.OpUnknown
}

// Throttled is the answer to one request too many.
func (s *Shop) Throttled(x *twin.Exchange) twin.Answer {
	a := said(36009002, "Too many requests. You've made too many requests in a short period of time.", nil)
	a.Status, a.Header = http.StatusTooManyRequests, x.RetryAfter()
	return a
}

// Serve answers a request.
func (s *Shop) Serve(x *twin.Exchange) twin.Answer {
	if x.Op == twin.OpRefresh {
		return s.refresh(x)
	}
	if a, ok := s.authorise(x); !ok {
		return a
	}
	if r, ok := x.RefusedWhole(); ok {
		return refusal(r)
	}
	switch x.Op {
	case twin.OpPush:
		return s.push(x)
	case twin.OpRead:
		return s.read(x)
	case twin.OpList:
		return s.list(x)
	default:
	}
	return said(36009009, "Invalid path. The specified path does not match any available endpoint.", nil)
}

// said is an answer. Its code is 0 when it is a success.
func said(code int64, message string, data any) twin.Answer {
	status := http.StatusOK
	switch code {
	case 105001, 105002, 106001:
		status = http.StatusUnauthorized
	case 36009004, 36009009:
		status = http.StatusBadRequest
	}
	return twin.JSON(status, map[string]any{
		"code": code, "message": cmp.Or(message, "Success"), "request_id": "2026" + strconv.FormatInt(code, 10), "data": data,
	})
}

// refusal says no in the words that a fault gives.
func refusal(r twin.Refusal) twin.Answer {
	code, err := strconv.ParseInt(r.Code, 10, 64)
	if err != nil {
		code = -1
	}
	return said(code, r.Message, nil)
}

// authorise checks who asks.
func (s *Shop) authorise(x *twin.Exchange) (twin.Answer, bool) {
	at, err := strconv.ParseInt(x.Query.Get("timestamp"), 10, 64)
	age := x.At.Sub(time.Unix(at, 0))
	switch {
	case x.Query.Get("app_key") != appKey:
		return said(36009004, "Invalid credentials. Invalid `app_key` query parameter.", nil), false
	case x.Query.Get("sign") == "":
		return said(36009004, "Missing credentials. The request does not include a required signature.", nil), false
	case !hmac.Equal([]byte(x.Query.Get("sign")), []byte(signature(x.Request.URL.Path, x.Query, x.Body))):
		return said(106001, "Invalid credentials. The `sign` query parameter is invalid.", nil), false
	case err != nil || age > 5*time.Minute || age < -30*time.Second:
		return said(36009004, "Invalid timestamp. The value of the `timestamp` query parameter is not of now.", nil), false
	case x.Request.Header.Get("Content-Type") != "application/json":
		return said(36009022, "Invalid request format.", nil), false
	}
	switch s.Check(x.Request.Header.Get("x-tts-access-token")) {
	case twin.TokenGood:
	case twin.TokenExpired, twin.TokenRevoked:
		return said(105002, "Expired credentials. The `access_token` or `x-tts-access-token` header has expired.", nil), false
	default:
		return said(36009004, "Invalid credentials. The `x-tts-access-token` header is invalid.", nil), false
	}
	switch x.Query.Get("shop_cipher") {
	case shopCipher:
		return twin.Answer{}, true
	case "":
		return said(106013, "Missing identifier. The `shop_cipher` query parameter is required.", nil), false
	}
	return said(101000, "Invalid query or header. Token and shop_cipher do not match.", nil), false
}

// signature is what a request must be signed with.
func signature(path string, query url.Values, body []byte) string {
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write([]byte(appSecret + path))
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if name != "sign" && name != "access_token" {
			mac.Write([]byte(name + query.Get(name)))
		}
	}
	mac.Write(body)
	mac.Write([]byte(appSecret))
	return hex.EncodeToString(mac.Sum(nil))
}

// refresh gives a new pair.
func (s *Shop) refresh(x *twin.Exchange) twin.Answer {
	q := x.Query
	if q.Get("app_key") != appKey || q.Get("app_secret") != appSecret || q.Get("grant_type") != "refresh_token" {
		return said(36009004, "Invalid credentials. Invalid `app_key` or `app_secret`.", nil)
	}
	pair, state := s.Spend(q.Get("refresh_token"))
	if state != twin.TokenGood {
		return said(98001004, "Parameter refresh_token is invalid. Reason: "+string(state), nil)
	}
	return said(0, "success", map[string]any{
		"access_token": pair.Access, "access_token_expire_in": pair.AccessUntil.Unix(),
		"refresh_token": pair.Refresh, "refresh_token_expire_in": pair.RefreshUntil.Unix(),
		"open_id": "7010736057180325637", "seller_name": "Test Seller", "user_type": 0,
	})
}

// trim leaves the id of a path.
func trim(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(path, "/product/202309/products/"), "/inventory/update")
}
