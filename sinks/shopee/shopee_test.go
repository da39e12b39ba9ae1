package shopee_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/shopee"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	shop "stocksync/testenv/twin/shopee"
	"stocksync/topics"
)

// demoKey is the key of the official guide's examples. It looks like digits, and is text.
const demoKey = "57615053704d6470644f554a78656d50484143644964436a5568777544524579"

func secrets() map[string]string {
	return map[string]string{
		"partner_id": "2001887", "partner_key": demoKey, "access_token": "canary-access", "refresh_token": "canary-refresh",
	}
}

// open opens a store that leads to a shop.
func open(t *testing.T, s *shop.Shop) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, shopee.Adapter{Tokens: token.NewSafe(t.TempDir())}, string(s.Options()), s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// openAt opens a store at an address, whose credentials lack some.
func openAt(t *testing.T, address string, lack ...string) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, shopee.Adapter{Tokens: token.NewSafe(t.TempDir())},
		fmt.Sprintf(`{"shop_id":"14701711","url":%q}`, address), conformance.Without(secrets(), lack...))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// answering opens a store whose every request is answered the same, after a look at it.
func answering(t *testing.T, status int, answer string, look func(r *http.Request, body string)) sinks.Session {
	t.Helper()
	return openAt(t, conformance.Answering(t, status, answer, look))
}

// updates returns one for each model of item 17.
func updates(models ...string) []sinks.Update {
	list := make([]sinks.Update, len(models))
	for i, m := range models {
		list[i] = sinks.Update{
			SKU: "S" + m, Qty: topics.Quantity(i+1) * topics.One, Target: topics.Target{ProductID: "17", VariantID: m},
		}
	}
	return list
}

// TestSign_Vectors are the examples of the official guide, whose base strings it prints.
func TestSign_Vectors(t *testing.T) {
	for name, v := range map[string]struct{ path, access, id, want string }{
		"shop": {
			"/api/v2/shop/get_shop_info", "59777174636562737266615546704c6d", "14701711",
			"b914bea03c13799deb036bb9d10e689f5a6bade160c44af568646f1ef7d796c1",
		},
		"merchant": {
			"/api/v2/global_product/get_category", "09777174636962737266615546704c6d", "1000000",
			"a50a2229b148e76048e21ad69a9d619885a21bd4aa7738bc524e1207df73a151",
		},
		"public": {
			"/api/v2/public/get_shops_by_partner", "", "",
			"60ab8c4a535009ab33b8a0029ee18a667ef6eaeb16481ed3d573a5059122d4df",
		},
	} {
		if got := shopee.Sign(demoKey, "2001887", v.path, "1655714431", v.access, v.id); got != v.want {
			t.Errorf("%s: got %s, want %s", name, got, v.want)
		}
	}
}

// TestSign_HasAllItsDigits ensures that a digest which begins with zeros is not cut short, as that of the official
// Java sample is.
func TestSign_HasAllItsDigits(t *testing.T) {
	for n := range 1000 {
		if got := shopee.Sign("key", fmt.Sprint(n), "/", "1", "", ""); len(got) != 64 {
			t.Fatalf("%d: got %d digits, want 64", n, len(got))
		}
	}
}

// TestClassify_EveryCodeOfTheReference lists the codes, with the messages that tell their meanings apart, which are
// classified in another way than the reference says.
func TestClassify_EveryCodeOfTheReference(t *testing.T) {
	codes, words := regexp.MustCompile("`([a-z_.]+)`"), regexp.MustCompile(`"([^"]+)"`)
	full := strings.NewReplacer("(or B2C) shop …", "or B2C shop, so normal stock", "reserve(d)", "reserved")
	n := 0
	for _, row := range conformance.Errors(t, "## 1.") {
		for part := range strings.SplitSeq(row.Text, ";") {
			if strings.Contains(part, "get_warehouse_detail") {
				part, _, _ = strings.Cut(part, "from ")
			}
			messages := words.FindAllStringSubmatch(part, -1)
			if len(messages) == 0 {
				messages = [][]string{{"", ""}}
			}
			for _, code := range codes.FindAllStringSubmatch(part, -1) {
				for _, m := range messages {
					n++
					message := full.Replace(m[1])
					if got := shopee.Classify(code[1], message); !slices.Contains(row.Classes, got.Class) {
						t.Errorf("%s %q: got %s, want one of %v", code[1], message, got.Class, row.Classes)
					}
				}
			}
		}
	}
	if n < 45 {
		t.Errorf("the reference has %d codes, want all of them", n)
	}
}

func TestClassify_WhatNoRuleKnowsIsForGoodUnlessItSaysThatItMayPass(t *testing.T) {
	for _, tc := range []struct {
		code, message string
		want          sinks.Class
	}{
		{"error_new", "You may not do this.", sinks.ClassQuantity},
		{"product.error_new", "Our system is busy.", sinks.ClassTransient},
		{"error_new", "please try again later", sinks.ClassTransient},
		{"error_auth", "Your shop can not use model level dts", sinks.ClassQuantity},
		{"error_param", "Wrong parameters, detail: stock.", sinks.ClassQuantity},
		{"error.param", "Can not update item with stock less than reserved stock", sinks.ClassBelowReserved},
		{"common.error_auth", "No permission to current api.", sinks.ClassConfig},
		{"warehouse.error_not_in_whitelist", "", sinks.ClassLocation},
	} {
		if got := shopee.Classify(tc.code, tc.message); got.Class != tc.want {
			t.Errorf("%s %q: got %s, want %s", tc.code, tc.message, got.Class, tc.want)
		}
	}
	for _, o := range []sinks.Outcome{
		shopee.Classify("error_auth", "Please wait for the holiday mode set then to edit item. Please try later."),
		shopee.Classify("error_holiday_mode_change_stock", "Cannot change stock."),
	} {
		if o.Class != sinks.ClassNotEditable || o.Code != sinks.CodeShopClosed {
			t.Errorf("on holiday: got %+v, want a closed shop", o)
		}
	}
}

func TestOpen_ChecksOptionsAndSecrets(t *testing.T) {
	const good = `{"shop_id":14701711}`
	all := secrets()
	safe := token.NewSafe(t.TempDir())
	letters := secrets()
	letters["partner_id"] = "partner"
	for name, tc := range map[string]struct {
		options string
		secrets map[string]string
		safe    *token.Safe
		want    string
	}{
		"all":               {good, all, safe, ""},
		"a number as text":  {`{"shop_id":"14701711"}`, all, safe, ""},
		"no access token":   {good, conformance.Without(all, "access_token"), safe, ""},
		"no shop":           {`{}`, all, safe, "options.shop_id"},
		"no options":        {``, all, safe, "options.shop_id"},
		"a negative shop":   {`{"shop_id":-1}`, all, safe, "options.shop_id"},
		"a fraction":        {`{"shop_id":1.5}`, all, safe, "options.shop_id"},
		"a name":            {`{"shop_id":"toko"}`, all, safe, "options"},
		"no address":        {`{"shop_id":1,"url":""}`, all, safe, "options.url"},
		"no partner":        {good, conformance.Without(all, "partner_id"), safe, "partner_id"},
		"a partner by name": {good, letters, safe, "partner_id"},
		"no key":            {good, conformance.Without(all, "partner_key"), safe, "partner_key"},
		"no token":          {good, conformance.Without(all, "access_token", "refresh_token"), safe, "refresh_token"},
		"no place for them": {good, all, nil, "TOKENS_DIR"},
	} {
		conformance.WantOpen(t, name, shopee.Adapter{Tokens: tc.safe}, tc.options, tc.secrets, tc.want)
	}
}

func TestPush_SendsTheDialect(t *testing.T) {
	answer := `{"error":"","request_id":"r1","response":{"success_list":[{"model_id":1,"location_id":"IDZ","stock":4},` +
		`{"model_id":1,"location_id":"IDA","stock":0},{"model_id":0,"stock":2}],"failure_list":[]}}`
	s := answering(t, 200, answer, func(r *http.Request, body string) {
		q := r.URL.Query()
		stamp := q.Get("timestamp")
		want := shopee.Sign(demoKey, "2001887", "/api/v2/product/update_stock", stamp, "canary-access", "14701711")
		if q.Get("partner_id") != "2001887" || q.Get("shop_id") != "14701711" || q.Get("sign") != want {
			t.Errorf("got query %v", q)
		}
		const text = `{"item_id":17,"stock_list":[{"model_id":1,"seller_stock":[{"location_id":"IDZ","stock":4},{"location_id":"IDA","stock":0}]},` +
			`{"model_id":0,"seller_stock":[{"stock":2}]}]}`
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || body != text {
			t.Errorf("got  %s %s\nwant %s", r.Method, body, text)
		}
	})
	list := updates("1", "")
	list[0].Locations = []sinks.LocationQty{{LocationID: "IDZ", Qty: 4 * topics.One}, {LocationID: "IDA"}}
	if r := s.Push(t.Context(), list); conformance.Classes(r) != "ok ok ok" || r.RequestID != "r1" {
		t.Errorf("got %+v", r)
	}
}

// TestPush_BelievesOnlyTheListOfSuccess ensures that what an answer does not name was not delivered, and that
// neither was what it shows another stock of.
func TestPush_BelievesOnlyTheListOfSuccess(t *testing.T) {
	const both = `{"model_id":1,"location_id":"","stock":1},{"model_id":2,"location_id":"","stock":2}`
	lists := func(code, success, failure string) string {
		return fmt.Sprintf(`{"error":%q,"message":"m","response":{"success_list":[%s],"failure_list":[%s]}}`, code, success, failure)
	}
	failed := func(reason string) string { return fmt.Sprintf(`{"model_id":2,"failed_reason":%q}`, reason) }
	const one = `{"model_id":1,"stock":1}`
	for name, tc := range map[string]struct {
		status int
		answer string
		want   string // the whole, then model 1 and model 2
	}{
		"all":                      {200, lists("", both, ""), "ok ok ok"},
		"no stock shown":           {200, lists("", `{"model_id":1},{"model_id":"2"}`, ""), "ok ok ok"},
		"one fails":                {200, lists("error_busi_update_stock_failed", one, failed("Wrong model_id, model not found")), "ok ok not_found"},
		"one fails, with a module": {200, lists("product.error_busi_update_stock_failed", one, failed("try later")), "ok ok transient"},
		"one fails, and no error":  {200, lists("", one, failed("below: stock less than reserve stock")), "ok ok below_reserved"},
		"in both lists":            {200, lists("", both, failed("Something")), "ok ok quantity"},
		"one missing":              {200, lists("", one, ""), "ok ok -"},
		"another stock":            {200, lists("", `{"model_id":1,"stock":1},{"model_id":2,"stock":7}`, ""), "ok ok transient"},
		"another model":            {200, lists("", `{"model_id":3,"stock":1}`, ""), "ok - -"},
		"no lists":                 {200, `{"error":"","response":{}}`, "transient bad_answer - -"},
		"no response":              {200, `{"error":""}`, "transient bad_answer - -"},
		"no error field":           {200, `{"response":{"success_list":[` + both + `]}}`, "transient bad_answer - -"},
		"failed without lists":     {200, `{"error":"error_busi_update_stock_failed","message":"m"}`, "transient error_busi_update_stock_failed - -"},
		"the item is gone":         {200, `{"error":"error_item_not_found","message":"m"}`, "ok not_found not_found"},
		"the item is locked":       {200, `{"error":"error_cannt_edit_stock_in_promotion","message":"m"}`, "ok promo_lock promo_lock"},
		"one model is locked":      {200, `{"error":"error_model_update_stock_model_in_promotion","message":"m"}`, "promo_lock error_model_update_stock_model_in_promotion - -"},
		"one model is gone":        {200, `{"error":"error_param","message":"Wrong model_id."}`, "not_found error_param - -"},
		"an error under 403":       {403, `{"error":"error_auth","message":"Invalid access_token."}`, "token error_auth - -"},
		"throttled by status":      {429, `{"error":"","message":""}`, "throttle  - -"},
		"success under 503":        {503, `{"error":"","response":{"success_list":[` + both + `]}}`, "transient 503 - -"},
		"a gateway's 403":          {403, `<html>`, "transient 403 - -"},
		"a page":                   {200, `<html>`, "transient bad_answer - -"},
		"null":                     {200, `null`, "transient bad_answer - -"},
	} {
		if got := conformance.Classes(answering(t, tc.status, tc.answer, nil).Push(t.Context(), updates("1", "2"))); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestPush_SendsOnlyWhatIsOfTheMarketplace(t *testing.T) {
	s := answering(t, 200, `{"error":"","response":{"success_list":[{"model_id":1,"stock":2}]}}`, func(_ *http.Request, body string) {
		if want := `{"item_id":17,"stock_list":[{"model_id":1,"seller_stock":[{"stock":2}]}]}`; body != want {
			t.Errorf("got  %s\nwant %s", body, want)
		}
	})
	if got := conformance.Classes(s.Push(t.Context(), updates("x", "1", "1", "../2"))); got != "ok not_found ok transient not_found" {
		t.Errorf("got %s", got)
	}
	s = answering(t, 200, `{}`, func(*http.Request, string) { t.Error("a request was sent") })
	if r := s.Push(t.Context(), updates("x")); conformance.Classes(r) != "ok not_found" || r.RequestID == "" {
		t.Errorf("got %+v, want not_found without a request", r)
	}
}

// TestPush_ASpentDayIsWaitedFor ensures that nothing is sent before the application's requests are counted anew.
func TestPush_ASpentDayIsWaitedFor(t *testing.T) {
	for at, want := range map[string]time.Duration{
		"2026-01-02T15:59:59Z": time.Second, "2026-01-02T16:00:00Z": 24 * time.Hour, "2026-01-02T00:00:00Z": 16 * time.Hour,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := shopee.UntilQuota(now); got != want {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
	}
	r := answering(t, 200, `{"error":"error_limit","message":"m"}`, nil).Push(t.Context(), updates("1"))
	if r.Whole.Class != sinks.ClassThrottle || r.RetryAfter <= 0 || r.RetryAfter > 24*time.Hour {
		t.Errorf("got %+v, %s, want throttle until midnight", r.Whole, r.RetryAfter)
	}
	r = answering(t, 200, `{"error":"error_rate_limit","message":"m"}`, nil).Push(t.Context(), updates("1"))
	if r.Whole.Class != sinks.ClassThrottle || r.RetryAfter != 0 {
		t.Errorf("got %+v, %s, want throttle and no time", r.Whole, r.RetryAfter)
	}
}

func TestRefresh_KnowsARefusalFromAFailure(t *testing.T) {
	open := func(url string) sinks.Session { return openAt(t, url, "access_token") }
	conformance.WantRefreshes(t, map[string]conformance.RefreshAnswer{
		"a pair":             {Status: 200, Answer: `{"error":"","access_token":"a","refresh_token":"r","expire_in":14400}`, Want: sinks.ClassOK},
		"no pair":            {Status: 200, Answer: `{"error":""}`, Want: sinks.ClassTransient},
		"spent":              {Status: 200, Answer: `{"error":"error_shop_refresh_token","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"old":                {Status: 200, Answer: `{"error":"refresh_token_expired","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"taken back":         {Status: 403, Answer: `{"error":"shop_access_expired","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"the signature":      {Status: 403, Answer: `{"error":"error_sign","message":"Wrong sign."}`, Want: sinks.ClassConfig},
		"our address":        {Status: 403, Answer: `{"error":"source_ip_undeclared","message":"m"}`, Want: sinks.ClassConfig},
		"an error of theirs": {Status: 200, Answer: `{"error":"error_server","message":"error server"}`, Want: sinks.ClassTransient},
		"something new":      {Status: 200, Answer: `{"error":"error_new","message":"m"}`, Want: sinks.ClassTransient},
		"throttled":          {Status: 200, Answer: `{"error":"error_rate_limit","message":"m"}`, Want: sinks.ClassThrottle},
		"a page":             {Status: 200, Answer: `<html>`, Want: sinks.ClassTransient},
		"down":               {Status: 502, Answer: `<html>`, Want: sinks.ClassTransient},
	}, open, updates("1"), func(r *http.Request, body string) bool {
		q := r.URL.Query()
		const path = "/api/v2/auth/access_token/get"
		return r.URL.Path == path && q.Get("sign") == shopee.Sign(demoKey, "2001887", path, q.Get("timestamp"), "", "") &&
			!q.Has("access_token") && body == `{"partner_id":2001887,"refresh_token":"canary-refresh","shop_id":14701711}`
	})
}

func TestCatalogue_SaysWhatTheShopSellsAndHolds(t *testing.T) {
	m := shop.Start(t, shop.Config{})
	for _, it := range m.Items() {
		m.Drop(it.ID)
	}
	put := func(sku, item, model, status, note string, levels map[string]twin.Level) {
		m.Put(twin.Item{ID: twin.ID{Product: item, Variant: model}, SKU: sku, Status: status, Note: note, Levels: levels})
	}
	here := map[string]twin.Level{"": {Qty: 3 * topics.One}}
	put("A", "1", "11", "NORMAL", "", here)
	put("B", "1", "12", "NORMAL", "MODEL_UNAVAILABLE", here)
	put("C", "2", "", "NORMAL", "", map[string]twin.Level{"IDA": {Qty: topics.One}, "IDZ": {Qty: topics.One}})
	put("D", "3", "", "BANNED", "", here)
	put("E", "4", "41", "UNLIST", "", here)
	put("F", "5", "", "REVIEWING", "", here)
	put("G", "6", "", "SELLER_DELETE", "", here)
	put("H", "7", "", "SHOPEE_DELETE", "", here)
	put("A", "8", "", "NORMAL", "", here)
	put("", "9", "", "NORMAL", "", here)
	m.Reserved[twin.ID{Product: "1", Variant: "12"}] = 2 * topics.One
	m.Reserved[twin.ID{Product: "2"}] = 5 * topics.One
	s := open(t, m)
	promos := map[string][]topics.Promo{}
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), func(l topics.Listing) error {
			for _, x := range l.Targets {
				if len(x.Promos) > 0 {
					promos[l.SKU] = append(promos[l.SKU], x.Promos...)
				}
			}
			return found(l)
		})
	})
	want := []string{
		"A: 1/11 active  [] 3", "A: 8/ active  [] 3", "B: 1/12 inactive  [] 3", "C: 2/ active  [IDA IDZ] 2", "D: 3/ banned  [] 3",
		"E: 4/41 inactive  [] 3", "F: 5/ inactive  [] 3", "G: 6/ deleted  [] 3", "H: 7/ deleted  [] 3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	until := topics.TimeOf(time.Unix(shop.PromotionsEnd, 0))
	wantPromos := map[string][]topics.Promo{
		"B": {{Kind: topics.PromoFloor, Floor: 2 * topics.One, Until: until}},
		"C": {{Kind: topics.PromoFloor, Floor: 5 * topics.One, Until: until}},
	}
	if diff := cmp.Diff(wantPromos, promos); diff != "" {
		t.Error(diff)
	}
	bare := []sinks.Update{
		{Target: topics.Target{ProductID: "2"}},                  // by item, at two locations
		{Target: topics.Target{ProductID: "1"}},                  // has models by now
		{Target: topics.Target{ProductID: "1", VariantID: "11"}}, // by model
		{Target: topics.Target{ProductID: "x"}},
	}
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), bare)
	wantReadings := []sinks.Reading{{Found: true, Qty: 2 * topics.One}, {}, {Found: true, Qty: 3 * topics.One}, {}}
	if diff := cmp.Diff(wantReadings, readings); diff != "" || o.Class != sinks.ClassOK {
		t.Errorf("%+v: %s", o, diff)
	}
}

// TestCatalogue_ReadsAgainWhatMovedUnderItsPages ensures that an item which slipped to a page that was read already
// is not taken for one that is gone.
func TestCatalogue_ReadsAgainWhatMovedUnderItsPages(t *testing.T) {
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.URL.Path != "/api/v2/product/get_item_list":
			_, _ = io.WriteString(w, `{"error":"","response":{"item_list":[{"item_id":1,"item_sku":"A"},{"item_id":2,"item_sku":"B"},{"item_id":3,"item_sku":"C"}]}}`)
		case q.Get("offset") == "0":
			pages++
			_, _ = fmt.Fprintf(w, `{"error":"","response":{"item":[{"item_id":1}],"total_count":%d,"has_next_page":true,"next_offset":100}}`, 4-min(pages, 2))
		default:
			_, _ = io.WriteString(w, `{"error":"","response":{"item":[{"item_id":3}],"total_count":2,"has_next_page":false}}`)
		}
	}))
	defer server.Close()
	s := openAt(t, server.URL)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if pages != 2 || len(got) != 3 {
		t.Errorf("got %q after %d first pages, want it read twice", got, pages)
	}
}

func TestCatalogue_AnAnswerWithoutItemsIsNotAnEmptyShop(t *testing.T) {
	for _, answer := range []string{
		`{"error":""}`, `{"error":"","response":null}`, `{"error":"","response":[]}`, `{"error":"error_sign","message":"m"}`,
		`{"error":"","response":{"total_count":7}}`, `{"error":"","response":{"item":[{"item_id":1}],"has_next_page":true}}`,
	} {
		s := answering(t, 200, answer, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := s.(sinks.Cataloguer).Catalogue(ctx, func(topics.Listing) error { return nil })
		cancel()
		if err == nil {
			t.Errorf("%s: got a complete pass", answer)
		}
	}
}
