package twin_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/lazada"
	"stocksync/sinks/shopee"
	"stocksync/sinks/tiktokshop"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	twinlazada "stocksync/testenv/twin/lazada"
	twinshopee "stocksync/testenv/twin/shopee"
	twintiktokshop "stocksync/testenv/twin/tiktokshop"
)

// marketplace is a twin as these tests see it.
type marketplace interface {
	conformance.Shop
	URL() string
	Writes() []twin.Write
}

// replay sends a request that the twin took once more, changed, and returns the answer.
func replay(t *testing.T, m marketplace, c twin.Call, change func(u *url.URL, h http.Header, body []byte) []byte) string {
	t.Helper()
	u, err := url.Parse(m.URL() + c.Target)
	if err != nil {
		t.Fatal(err)
	}
	h := c.Header.Clone()
	body := change(u, h, bytes.Clone(c.Body))
	r, err := http.NewRequestWithContext(t.Context(), c.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// param changes a parameter of the query; an empty value takes it away.
func param(name, value string) func(*url.URL, http.Header, []byte) []byte {
	return func(u *url.URL, _ http.Header, body []byte) []byte {
		q := u.Query()
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
		u.RawQuery = q.Encode()
		return body
	}
}

// TestMarketplaces_CheckWhoAsks ensures that the twins take a request once more as it was, and refuse it when
// anything is changed that the marketplace looks at: else they would prove nothing about signatures.
func TestMarketplaces_CheckWhoAsks(t *testing.T) {
	tokens := token.NewSafe(t.TempDir())
	same := func(_ *url.URL, _ http.Header, body []byte) []byte { return body }
	more := func(_ *url.URL, _ http.Header, body []byte) []byte {
		return bytes.Replace(body, []byte("100"), []byte("101"), 1)
	}
	for name, tc := range map[string]struct {
		start   func(*testing.T) marketplace
		adapter sinks.Adapter
		success string
		signed  bool // the body
		params  []string
		change  map[string]func(*url.URL, http.Header, []byte) []byte
	}{
		"TikTok Shop": {
			start:   func(t *testing.T) marketplace { return twintiktokshop.Start(t, twintiktokshop.Config{}) },
			adapter: tiktokshop.Adapter{Tokens: tokens}, success: `"code":0`, signed: true,
			params: []string{"app_key", "timestamp", "sign", "shop_cipher"},
			change: map[string]func(*url.URL, http.Header, []byte) []byte{
				"no token": func(_ *url.URL, h http.Header, body []byte) []byte {
					h.Del("X-Tts-Access-Token")
					return body
				},
			},
		},
		"Shopee": {
			start:   func(t *testing.T) marketplace { return twinshopee.Start(t, twinshopee.Config{}) },
			adapter: shopee.Adapter{Tokens: tokens}, success: `"error":""`,
			params: []string{"partner_id", "timestamp", "sign", "shop_id", "access_token"},
		},
		"Lazada": {
			start:   func(t *testing.T) marketplace { return twinlazada.Start(t, twinlazada.Config{}) },
			adapter: lazada.Adapter{Tokens: tokens}, success: `"code":"0"`, signed: true,
			params: []string{"app_key", "timestamp", "sign", "access_token", "sign_method"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := tc.start(t)
			session, err := conformance.Open(t, tc.adapter, string(m.Options()), m.Credentials())
			if err != nil {
				t.Fatal(err)
			}
			if got := conformance.Classes(session.Push(t.Context(), m.Updates(1))); got != "ok ok" {
				t.Fatalf("got %s", got)
			}
			call := m.Calls()[0]
			if got := replay(t, m, call, same); !strings.Contains(got, tc.success) || len(m.Writes()) != 2 {
				t.Errorf("as it was: got %s", got)
			}
			refused := map[string]func(*url.URL, http.Header, []byte) []byte{}
			maps.Copy(refused, tc.change)
			for _, p := range tc.params {
				refused["no "+p] = param(p, "")
				refused["another "+p] = param(p, "1700000000")
			}
			if tc.signed {
				refused["another body"] = more
			}
			for what, change := range refused {
				if got := replay(t, m, call, change); strings.Contains(got, tc.success) || len(m.Writes()) != 2 {
					t.Errorf("%s: got %s", what, got)
				}
			}
		})
	}
}
