// Package lazada is a sandbox twin of a shop on Lazada: the Open Platform of one country, as far as stock needs it.
//
// It answers the update of sellable quantities, the list of products, that of warehouses, and the token refresh; it
// checks application, signature, timestamp and access token, in this order. What the reference does not tell, and is
// assumed against the client: SKUs that detail does not name are applied, and the answer does not say so; a list
// without bounds counts those in that are given; detail names an item and the seller's SKU.
package lazada

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

const (
	appKey    = "123456"
	appSecret = "canary-app-secret-of-a-twin"
	active    = "Active"
)

// Config says what a shop is like. The zero value is one with a single warehouse, without limits.
type Config struct {
	Warehouses []string // none: a shop with one, which requests must not name
	Results    int      // that a list can be paged through; default 10,000
	Slow       int      // products of a page that take too long; 0: none do
	Limits     map[twin.Op]twin.Window
	Tokens     twin.TokensConfig
}

// Shop is the twin.
type Shop struct {
	*twin.Twin

	cfg   Config
	seed  twin.Pair
	first []twin.Item

	// Locked tells how much of an item a campaign has locked; set before the first request.
	Locked map[twin.ID]topics.Quantity
}

// CampaignEnd is when the campaign of Locked ends, in Unix seconds.
const CampaignEnd = 1_900_000_000

// Start returns a shop that ends with the test. It sells 20 SKUs of 10 items.
func Start(tb testing.TB, cfg Config) *Shop {
	tb.Helper()
	if cfg.Results == 0 {
		cfg.Results = 10_000
	}
	cfg.Tokens.FixedEnd = true
	s := &Shop{cfg: cfg, Locked: map[twin.ID]topics.Quantity{}}
	s.Twin = twin.Start(tb, twin.Config{Dialect: s, Limits: cfg.Limits, Tokens: cfg.Tokens})
	s.Fill(20, 2, active, cfg.Warehouses...)
	s.first = s.Items()
	s.seed = s.Issue()
	return s
}

// Options returns the options of a store record that leads here.
func (s *Shop) Options() []byte {
	return fmt.Appendf(nil, `{"country":"id","url":"%s/rest","auth_url":"%s/rest"}`, s.URL(), s.URL())
}

// Credentials returns those of the store.
func (s *Shop) Credentials() map[string]string {
	return map[string]string{
		"app_key": appKey, "app_secret": appSecret, "access_token": s.seed.Access, "refresh_token": s.seed.Refresh,
	}
}

// Secrets returns what must not get out.
func (s *Shop) Secrets() []string { return append(s.Issued(), appSecret) }

// Updates returns updates of several items' SKUs.
func (s *Shop) Updates(n int) []sinks.Update { return twin.Updates(s.first[:n]) }

// Others returns none: all updates may share a request.
func (s *Shop) Others() []sinks.Update { return nil }

// Stock adds n SKUs, two to an item.
func (s *Shop) Stock(n int) { s.Fill(n, 2, active, s.cfg.Warehouses...) }

// Operation says what a request asks for.
func (s *Shop) Operation(r *http.Request) twin.Op {
	switch r.Method + " " + r.URL.Path {
	case "POST /rest/product/stock/sellable/update":
		return twin.OpPush
	case "GET /rest/products/get":
		if r.URL.Query().Has("sku_seller_list") {
			return twin.OpRead
		}
		return twin.OpList
	case "GET /rest/seller/warehouse/get":
		return twin.OpOther
	case "POST /rest/auth/token/refresh":
		return twin.OpRefresh
	}
	return twin.OpUnknown
}

// Throttled is the answer to one request too many.
func (s *Shop) Throttled(x *twin.Exchange) twin.Answer {
	a := said("901", "E901: The request is too frequent, or the requested functionality is temporarily disabled.", nil)
	a.Header = x.RetryAfter()
	return a
}

// Serve answers a request.
func (s *Shop) Serve(x *twin.Exchange) twin.Answer {
	form, err := url.ParseQuery(string(x.Body))
	if err != nil {
		return said("5", "E005: Invalid Request Format", nil)
	}
	all := maps.Clone(x.Query)
	maps.Copy(all, form)
	if a, ok := s.signed(x, all); !ok {
		return a
	}
	if x.Op == twin.OpRefresh {
		return s.refresh(x, all)
	}
	switch s.Check(all.Get("access_token")) {
	case twin.TokenGood:
	default:
		return said("IllegalAccessToken", "The specified access token is invalid or expired", nil)
	}
	if r, ok := x.RefusedWhole(); ok {
		return said(r.Code, r.Message, nil)
	}
	switch x.Op {
	case twin.OpPush:
		return s.push(x, all.Get("payload"))
	case twin.OpRead, twin.OpList:
		return s.list(x, all)
	case twin.OpOther:
		return s.warehouses(all)
	default:
	}
	return said("InvalidApiPath", "The specified API path is invalid", nil)
}

// said is an answer. Its code is "0" when it is a success. The status says nothing.
func said(code, message string, detail []any) twin.Answer {
	body := map[string]any{"code": code, "request_id": "0ba2887315178178017221014"}
	if code == "0" {
		body["data"] = map[string]any{}
	} else {
		body["type"], body["message"] = "ISV", message
	}
	if len(detail) > 0 {
		body["detail"] = detail
	}
	return twin.JSON(http.StatusOK, body)
}

// data is a success that shows something.
func data(value any) twin.Answer {
	return twin.JSON(http.StatusOK, map[string]any{"code": "0", "data": value, "request_id": "0ba2887315178178017221014"})
}

// signed checks which application asks.
func (s *Shop) signed(x *twin.Exchange, params url.Values) (twin.Answer, bool) {
	at, err := strconv.ParseInt(params.Get("timestamp"), 10, 64)
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write([]byte(strings.TrimPrefix(x.Request.URL.Path, "/rest")))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "sign" && params.Get(name) != "" {
			mac.Write([]byte(name + params.Get(name)))
		}
	}
	sign := strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
	switch {
	case params.Get("app_key") != appKey || params.Get("sign_method") != "sha256":
		return said("InvalidAppKey", "The specified App Key is invalid", nil), false
	case params.Get("sign") == "":
		return said("MissingParameter", "the input parameter sign that is mandatory is not supplied", nil), false
	case !hmac.Equal([]byte(sign), []byte(params.Get("sign"))):
		return said("IncompleteSignature", "The request signature does not conform to lazop standards", nil), false
	case err != nil || x.At.Sub(time.UnixMilli(at)).Abs() > 7200*time.Second:
		return said("IllegalTimestamp", "The specified timestamp is not of now", nil), false
	}
	return twin.Answer{}, true
}

// refresh gives a new pair. It is not in data.
func (s *Shop) refresh(x *twin.Exchange, params url.Values) twin.Answer {
	pair, state := s.Spend(params.Get("refresh_token"))
	if state != twin.TokenGood {
		return said("IllegalRefreshToken", "The specified refresh token is invalid or expired", nil)
	}
	return twin.JSON(http.StatusOK, map[string]any{
		"code": "0", "request_id": "0ba2887315178178017221014", "country": "id", "account_platform": "seller_center",
		"access_token": pair.Access, "expires_in": strconv.Itoa(int(pair.AccessUntil.Sub(x.At) / time.Second)),
		"refresh_token": pair.Refresh, "refresh_expires_in": int(pair.RefreshUntil.Sub(x.At) / time.Second),
	})
}

// warehouses shows the shop's warehouses. One without stock is among them.
func (s *Shop) warehouses(params url.Values) twin.Answer {
	if params.Get("addressTypes") != `["warehouse"]` {
		return said("MissingParameter", "addressTypes", nil)
	}
	module := []any{}
	for _, name := range s.cfg.Warehouses {
		module = append(module, map[string]any{"code": name, "name": name, "status": "ACTIVE"})
	}
	if len(module) == 0 {
		module = append(module, map[string]any{"code": "dropshipping", "name": "the one", "status": "ACTIVE"})
	} else {
		module = append(module, map[string]any{"code": "closed", "name": "closed", "status": "INACTIVE"})
	}
	return twin.JSON(http.StatusOK, map[string]any{
		"code": "0", "result": map[string]any{"success": true, "module": module, "error_code": json.RawMessage("{}")},
	})
}
