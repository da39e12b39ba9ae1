package woocommerce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stocksync/testenv/twin"
)

// window is how far a timestamp may be off, and how long a nonce is remembered.
const window = 15 * time.Minute

// authorise returns why a request is refused; "" when it is not.
func (s *Shop) authorise(x *twin.Exchange) (code, message string) {
	const bad = "woocommerce_rest_authentication_error"
	s.mu.Lock()
	defer s.mu.Unlock()
	key, secret := "", ""
	switch s.cfg.Auth {
	case "basic":
		key, secret, _ = x.Request.BasicAuth()
	case "query":
		key, secret = x.Query.Get("consumer_key"), x.Query.Get("consumer_secret")
	default:
		if x.Query.Get("oauth_consumer_key") != s.key || s.revoked {
			return bad, "Consumer key is invalid."
		}
		return s.checkOAuth(x)
	}
	switch {
	case key != s.key || s.revoked: // the server goes on as nobody
		return "woocommerce_rest_cannot_view", "Sorry, you cannot list resources."
	case secret != s.secret:
		return bad, "Consumer secret is invalid."
	}
	return "", ""
}

// checkOAuth verifies a signed request. The caller holds the mutex.
func (s *Shop) checkOAuth(x *twin.Exchange) (code, message string) {
	const bad = "woocommerce_rest_authentication_error"
	for _, name := range []string{"oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"} {
		if x.Query.Get(name) == "" {
			return "woocommerce_rest_authentication_missing_parameter", "Missing OAuth parameter " + name
		}
	}
	seconds, err := strconv.ParseInt(x.Query.Get("oauth_timestamp"), 10, 64)
	switch {
	case x.Query.Get("oauth_signature_method") != "HMAC-SHA256":
		return bad, "Invalid signature - signature method is invalid."
	case x.Query.Get("oauth_signature") != s.signature(x):
		return bad, "Invalid signature - provided signature does not match."
	case err != nil || x.At.Sub(time.Unix(seconds, 0)).Abs() > window:
		return bad, "Invalid timestamp."
	case s.nonces[x.Query.Get("oauth_nonce")]:
		return bad, "Invalid nonce - nonce has already been used."
	}
	s.nonces[x.Query.Get("oauth_nonce")] = true
	return "", ""
}

// signature is what the server makes of a request: names and values encoded, sorted, joined and encoded again.
func (s *Shop) signature(x *twin.Exchange) string {
	var names []string
	for name := range x.Query {
		if name != "oauth_signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var text []byte
	for i, name := range names {
		if i > 0 {
			text = append(text, "%26"...)
		}
		text = append(text, encoded(encoded(name)+"="+encoded(x.Query.Get(name)))...)
	}
	mac := hmac.New(sha256.New, []byte(s.secret+"&"))
	mac.Write([]byte(x.Request.Method + "&" + encoded(s.URL()+x.Request.URL.Path) + "&" + string(text)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// encoded is PHP's rawurlencode with ~ as it is.
func encoded(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
