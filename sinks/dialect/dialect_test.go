package dialect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
)

// TestHMAC_VectorsOfTheMarketplacesPushes are the published vectors of messages that marketplaces push, whose
// signatures are made by the same function. The bodies are taken as the bytes that they are.
func TestHMAC_VectorsOfTheMarketplacesPushes(t *testing.T) {
	const shopeeKey = "57615053704d6470644f554a78656d50484143644964436a5568777544524579"
	for name, v := range map[string]struct{ key, message, want string }{
		"TikTok Shop, official": {
			"123",
			`abcdef{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507","timestamp":1718305585,"data":{"is_on_hold_order":true,"order_id":"576653688135258178","order_status":"UNPAID","update_time":1718305585}}`,
			"5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05",
		},
		"Shopee, short": {
			shopeeKey, `https://example.com/shopee/push|{"shop_id":123,"code":1}`,
			"5f2ca9f6c64e58aa5af5d28ae9e62a49363df59072cdc501232e444720923f89",
		},
		"Shopee, with spaces": {
			shopeeKey,
			`https://example.com/shopee/push|{"shop_id": 123, "code": 1, "success": 1, "extra": "shop_id 123 is authorized successfully", "data": {"more_info": "more info"}, "timestamp": 1470198856}`,
			"5d72f98932c644f0911b33571b2e0a37e2b3217600a41c08ba02a847b46e715e",
		},
		"Shopee, of an SDK": {
			"test_partner_key", "/api/v2/auth/token/get123456test_partner_idtest_shop_idtest_main_account_id",
			"37c864bd9821ff5f2c2f46b2faca14eb1811a718d1fdc6dcf383cba7c74bf9e9",
		},
		"Lazada, official": {
			"3412gyo124goi3124", `123456{"seller_id":"1234567", "message_type":0, "data":{...}..}`,
			"f3d2ca947f16a50b577c036adecd18bec126ea19cadedd59816e255d3b6104ab",
		},
		"Lazada, JSON": {
			"3412gyo124goi3124",
			`123456{"seller_id":"null","message_type":8,"data":{"app_key":"123456","auth_expiry_time":1627542238,"seller_id":"1000165972"},"timestamp":1627416758,"site":"lazada_ph"}`,
			"db0ff45c239239076b916c2d1e190ea65ea591bb7427ba473ba766bb1f5d06a3",
		},
	} {
		if got := dialect.HMAC(v.key, v.message); got != v.want {
			t.Errorf("%s: got %s, want %s", name, got, v.want)
		}
	}
}

func TestTable_TheFirstRuleThatFitsDecides(t *testing.T) {
	table := dialect.Table{
		{Class: sinks.ClassToken, Codes: []string{"7"}, Says: []string{"token", "access"}},
		{Class: sinks.ClassConfig, Codes: []string{"7", "8"}},
		{Class: sinks.ClassBelowReserved, Says: []string{"less than reserved"}},
	}
	for in, want := range map[[2]string]sinks.Class{
		{"7", "Invalid TOKEN"}:               sinks.ClassToken,
		{"7", "bad sign"}:                    sinks.ClassConfig,
		{"8", "invalid token"}:               sinks.ClassConfig,
		{"9", "Stock is LESS than reserved"}: sinks.ClassBelowReserved,
		{"9", "invalid token"}:               sinks.ClassTransient,
		{"", ""}:                             sinks.ClassTransient,
	} {
		if got := table.Outcome(in[0], in[1]); got.Class != want || got.Code != in[0] || got.Message != in[1] {
			t.Errorf("%q: got %+v, want %s", in, got, want)
		}
	}
	if _, ok := table.Class("9", "invalid token"); ok {
		t.Error("an error that no rule fits: want none")
	}
}

// TestWorst_OrdersEveryClass ensures that no two orders of errors about one target give two outcomes, unless they
// keep it from being sent alike.
func TestWorst_OrdersEveryClass(t *testing.T) {
	for _, a := range sinks.Classes() {
		if got := dialect.Worst(sinks.Outcome{}, sinks.Outcome{Class: a}).Class; got != a {
			t.Errorf("%s against nothing: got %s", a, got)
		}
		if got := dialect.Worst(sinks.Outcome{Class: sinks.ClassOK}, sinks.Outcome{Class: a}).Class; got != a {
			t.Errorf("%s against ok: got %s", a, got)
		}
		if a == sinks.ClassTransient || a == sinks.ClassOK {
			continue
		}
		if got := dialect.Worst(sinks.Outcome{Class: a}, sinks.Outcome{Class: sinks.ClassTransient}).Class; got != a {
			t.Errorf("%s against transient: got %s", a, got)
		}
	}
}

func TestGateway_IsNeverForAPersonToMend(t *testing.T) {
	for _, status := range []int{301, 307, 400, 401, 403, 404, 405, 418, 451, 500, 502, 503, 504} {
		if o := dialect.Gateway(status); o.Class != sinks.ClassTransient {
			t.Errorf("%d: got %s, want transient", status, o.Class)
		}
	}
	if o := dialect.Gateway(429); o.Class != sinks.ClassThrottle {
		t.Errorf("429: got %s, want throttle", o.Class)
	}
}

func TestNumber_IsWhatAPathMayHold(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "1729592969712207013": true, "": false, "12/../34": false, "-1": false, "1.5": false, "１": false,
		"123456789012345678901": false,
	} {
		if got := dialect.Number(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestBase_IsAnAddressOnThePublicInternet(t *testing.T) {
	a := sinks.Account{HTTP: sinks.NewHTTP(false)}
	defer a.HTTP.Close()
	for text, want := range map[string]string{
		"https://api.example/rest/": "https://api.example/rest", "https://api.example": "https://api.example",
		"http://api.example": "", "https://127.0.0.1": "", "https://api.example?key=s3cr3t": "", "": "",
	} {
		got, err := dialect.Base(a, "url", text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "options.url")) {
			t.Errorf("%q: got error %v, want one that names the option and no secret", text, err)
		}
	}
}

// sequence answers with one class after another, the last for ever.
func sequence(n *int, classes ...sinks.Class) func() sinks.Outcome {
	return func() sinks.Outcome {
		o := sinks.Outcome{Class: classes[min(*n, len(classes)-1)], Code: "c", Message: "m"}
		*n++
		return o
	}
}

func TestPatiently_TriesWhatMayWorkLater(t *testing.T) {
	const ok, busy, throttle, token, gone = sinks.ClassOK, sinks.ClassTransient, sinks.ClassThrottle, sinks.ClassToken, sinks.ClassConfig
	for name, tc := range map[string]struct {
		classes   []sinks.Class
		refresh   sinks.Class
		sent      int
		took      time.Duration
		refreshes int
		fails     bool
	}{
		"at once":            {[]sinks.Class{ok}, ok, 1, 0, 0, false},
		"busy for a moment":  {[]sinks.Class{busy, throttle, ok}, ok, 3, 3 * time.Second, 0, false},
		"busy for long":      {[]sinks.Class{busy}, ok, 5, 15 * time.Second, 0, true},
		"for good":           {[]sinks.Class{gone, ok}, ok, 1, 0, 0, true},
		"the token expires":  {[]sinks.Class{token, ok}, ok, 2, 0, 1, false},
		"a new one does too": {[]sinks.Class{token}, ok, 2, 0, 1, true},
		"none to be had":     {[]sinks.Class{token, ok}, sinks.ClassShopUnauthorised, 1, 0, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, refreshes, began := 0, 0, time.Now()
				err := dialect.Patiently(t.Context(), func(context.Context) sinks.Outcome {
					refreshes++
					return sinks.Outcome{Class: tc.refresh, Code: "r"}
				}, sequence(&sent, tc.classes...))
				if sent != tc.sent || refreshes != tc.refreshes || time.Since(began) != tc.took || (err != nil) != tc.fails {
					t.Errorf("got %d requests, %d refreshes, %s, %v, want %+v", sent, refreshes, time.Since(began), err, tc)
				}
				if said, ok := errors.AsType[*sinks.OutcomeError](err); tc.fails && (!ok || said.Outcome.Code == "") {
					t.Errorf("got error %v, want what the marketplace answered", err)
				}
			})
		})
	}
}

func TestPatiently_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		sent, began := 0, time.Now()
		err := dialect.Patiently(ctx, nil, sequence(&sent, sinks.ClassTransient))
		if err == nil || sent != 2 || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("got %v after %d requests and %s, want an error after 2 and 1.5 s", err, sent, time.Since(began))
		}
	})
}

func TestSteadily_ReadsAgainWhatMoved(t *testing.T) {
	other := errors.New("refused")
	for name, tc := range map[string]struct {
		errs []error
		read int
		want error
	}{
		"at once":     {[]error{nil}, 1, nil},
		"moved twice": {[]error{dialect.ErrMoved, dialect.ErrMoved, nil}, 3, nil},
		"moves on":    {[]error{dialect.ErrMoved}, 3, dialect.ErrMoved},
		"refused":     {[]error{other, nil}, 1, other},
	} {
		n := 0
		err := dialect.Steadily(func() error {
			n++
			return tc.errs[min(n, len(tc.errs))-1]
		})
		if !errors.Is(err, tc.want) || n != tc.read {
			t.Errorf("%s: got %v after %d reads, want %v after %d", name, err, n, tc.want, tc.read)
		}
	}
}
