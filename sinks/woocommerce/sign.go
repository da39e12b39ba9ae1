package woocommerce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// The ways to prove who asks.
const (
	authBasic = "basic" // consumer key and secret as user and password
	authQuery = "query" // the same in the address, for hosts that strip the header
	authOAuth = "oauth" // one-legged OAuth 1.0a: all that the shop takes without TLS
)

// keys are a shop's consumer key and secret.
type keys struct{ key, secret string }

func (s *session) keys() (keys, error) {
	c, err := s.account.Credentials()
	if err != nil {
		return keys{}, err
	}
	return keys{key: c.Get("consumer_key"), secret: c.Get("consumer_secret")},
		dialect.Need(c, "consumer_key", "consumer_secret")
}

// sign adds to a request's query or header what proves who asks.
func (k keys) sign(auth, method, address string, query url.Values, header http.Header, now time.Time) {
	switch auth {
	case authBasic:
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(k.key+":"+k.secret)))
	case authQuery:
		query.Set("consumer_key", k.key)
		query.Set("consumer_secret", k.secret)
	case authOAuth:
		query.Set("oauth_consumer_key", k.key)
		query.Set("oauth_nonce", strings.TrimPrefix(sinks.RequestID(), "req_"))
		query.Set("oauth_signature_method", "HMAC-SHA256")
		query.Set("oauth_timestamp", strconv.FormatInt(now.Unix(), 10))
		mac := hmac.New(sha256.New, []byte(k.secret+"&"))
		mac.Write([]byte(baseString(method, address, query)))
		query.Set("oauth_signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
}

// baseString is what OAuth 1.0a signs: method, address and parameters by name, each encoded.
func baseString(method, address string, query url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		pairs = append(pairs, escape(name)+"="+escape(query.Get(name)))
	}
	return method + "&" + escape(address) + "&" + escape(strings.Join(pairs, "&"))
}

// escape encodes all but what RFC 3986 leaves unreserved.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
