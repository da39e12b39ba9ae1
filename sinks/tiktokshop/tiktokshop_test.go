package tiktokshop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/tiktokshop"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	shop "stocksync/testenv/twin/tiktokshop"
	"stocksync/topics"
)

func secrets() map[string]string {
	return map[string]string{
		"app_key": "29a39d", "app_secret": "e59af819cc", "access_token": "canary-access", "refresh_token": "canary-refresh",
	}
}

// open opens a store that leads to a shop.
func open(t *testing.T, s *shop.Shop) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, tiktokshop.Adapter{Tokens: token.NewSafe(t.TempDir())}, string(s.Options()), s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// openAt opens a store at an address, whose credentials lack some.
func openAt(t *testing.T, address string, lack ...string) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, tiktokshop.Adapter{Tokens: token.NewSafe(t.TempDir())},
		fmt.Sprintf(`{"shop_cipher":"ROW_x","url":%q,"auth_url":%q}`, address, address), conformance.Without(secrets(), lack...))
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

// updates returns one for each variant of product 17.
func updates(variants ...string) []sinks.Update {
	list := make([]sinks.Update, len(variants))
	for i, v := range variants {
		list[i] = sinks.Update{
			SKU: "S" + v, Qty: topics.Quantity(i+1) * topics.One, Target: topics.Target{ProductID: "17", VariantID: v},
		}
	}
	return list
}

func TestSign_OfficialVector(t *testing.T) {
	params := url.Values{"app_key": {"29a39d"}, "timestamp": {"1623812664"}, "sign": {"x"}, "access_token": {"y"}}
	got := tiktokshop.Sign("e59af819cc", "/authorization/202309/shops", params, "")
	if want := "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.HasPrefix(got, "bc721f0e") {
		t.Error("this is the signature of the curl line in the same document, which is of other inputs")
	}
}

// TestSign_BodyComesBehindTheParameters is the official base string of a request with a body, which has no
// published digest.
func TestSign_BodyComesBehindTheParameters(t *testing.T) {
	params := url.Values{"timestamp": {"1696909648"}, "shop_cipher": {"ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt"}, "app_key": {"68xu9ks5p4i8"}}
	base := "/event/202309/webhooksapp_key68xu9ks5p4i8shop_cipherROW_xkMbgAAAeVAQra0eZWebFQq5aIKttimestamp1696909648" + `{"a":1}`
	got := tiktokshop.Sign("s", "/event/202309/webhooks", params, `{"a":1}`)
	if want := tiktokshop.Sign("s", base, nil, ""); got != want {
		t.Errorf("got %s, want that of %s", got, base)
	}
}

// TestMeanings_ClassifyEveryCodeOfTheReference lists the codes that the table leaves out or has in another class.
func TestMeanings_ClassifyEveryCodeOfTheReference(t *testing.T) {
	codes, n := regexp.MustCompile(`\b[0-9]{6,8}\b`), 0
	for _, row := range conformance.Errors(t, "## 2.") {
		for _, code := range codes.FindAllString(row.Text, -1) {
			message := ""
			if code == "36009004" && slices.Contains(row.Classes, sinks.ClassToken) {
				message = "The `x-tts-access-token` header is invalid."
			}
			n++
			if got, ok := tiktokshop.Meanings().Class(code, message); !ok || !slices.Contains(row.Classes, got) {
				t.Errorf("%s: got %s (%v), want one of %v", code, got, ok, row.Classes)
			}
		}
	}
	if n < 60 {
		t.Errorf("the reference has %d codes, want all of them", n)
	}
}

func TestOpen_ChecksOptionsAndSecrets(t *testing.T) {
	const good = `{"shop_cipher":"ROW_x"}`
	all := secrets()
	safe := token.NewSafe(t.TempDir())
	for name, tc := range map[string]struct {
		options string
		secrets map[string]string
		safe    *token.Safe
		want    string
	}{
		"all":                {good, all, safe, ""},
		"Tokopedia":          {`{"shop_cipher":"ROW_x","platform":"TOKOPEDIA"}`, all, safe, ""},
		"no access token":    {good, conformance.Without(all, "access_token"), safe, ""},
		"no refresh token":   {good, conformance.Without(all, "refresh_token"), safe, ""},
		"no cipher":          {`{}`, all, safe, "shop_cipher"},
		"nothing":            {``, all, safe, "shop_cipher"},
		"another platform":   {`{"shop_cipher":"ROW_x","platform":"SHOPEE"}`, all, safe, "options.platform"},
		"no address":         {`{"shop_cipher":"ROW_x","url":"ftp://x"}`, all, safe, "options.url"},
		"no auth address":    {`{"shop_cipher":"ROW_x","auth_url":""}`, all, safe, "options.auth_url"},
		"no JSON":            {`{`, all, safe, "options"},
		"no app key":         {good, conformance.Without(all, "app_key"), safe, "app_key"},
		"no app secret":      {good, conformance.Without(all, "app_secret"), safe, "app_secret"},
		"no token":           {good, conformance.Without(all, "access_token", "refresh_token"), safe, "refresh_token"},
		"no place for them":  {good, all, nil, "TOKENS_DIR"},
		"no place, by empty": {good, all, token.NewSafe(""), "TOKENS_DIR"},
	} {
		conformance.WantOpen(t, name, tiktokshop.Adapter{Tokens: tc.safe}, tc.options, tc.secrets, tc.want)
	}
}

func TestTraits_TokopediaDisablesWhatMatchesNothing(t *testing.T) {
	for platform, want := range map[string]bool{"": false, "TIKTOK_SHOP": false, "TOKOPEDIA": true} {
		s := open(t, shop.Start(t, shop.Config{Platform: platform}))
		got := s.Traits()
		if got.AutoDisable != want || !got.WholeSet || got.Batch != 100 || got.Number != sinks.NumberAvailable {
			t.Errorf("%q: got %+v, want auto-disable %v", platform, got, want)
		}
		if got.Rate.PerSecond+float64(got.Rate.Burst) > 50 {
			t.Errorf("got %+v: more than 50 requests fit into a second", got.Rate)
		}
	}
}

func TestPush_SendsTheDialect(t *testing.T) {
	s := answering(t, 200, `{"code":0,"message":"Success","request_id":"r1","data":{}}`, func(r *http.Request, body string) {
		got := fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("x-tts-access-token"))
		if got != "POST /product/202309/products/17/inventory/update application/json canary-access" {
			t.Errorf("got %s", got)
		}
		want := `{"skus":[{"id":"1","inventory":[{"warehouse_id":"71","quantity":4},{"warehouse_id":"72","quantity":0}]},` +
			`{"id":"2","inventory":[{"quantity":2}]}]}`
		if body != want {
			t.Errorf("got  %s\nwant %s", body, want)
		}
		q := r.URL.Query()
		if q.Get("app_key") != "29a39d" || q.Get("shop_cipher") != "ROW_x" || q.Has("access_token") ||
			q.Get("sign") != tiktokshop.Sign("e59af819cc", r.URL.Path, q, body) {
			t.Errorf("got query %v", q)
		}
	})
	list := updates("1", "2")
	list[0].Locations = []sinks.LocationQty{{LocationID: "71", Qty: 4 * topics.One}, {LocationID: "72"}}
	r := s.Push(t.Context(), list)
	if r.Whole.Class != sinks.ClassOK || r.RequestID != "r1" || r.Items[0].Class != sinks.ClassOK || r.Items[1].Class != sinks.ClassOK {
		t.Errorf("got %+v", r)
	}
}

// failing returns the data of an answer with one error.
func failing(code int, sku string, inner ...int) string {
	extra := []any{}
	for _, c := range inner {
		extra = append(extra, map[string]any{"code": c, "message": "m"})
	}
	text, _ := json.Marshal(map[string]any{"code": 0, "message": "Success", "data": map[string]any{"errors": []any{map[string]any{
		"code": code, "message": "M", "detail": map[string]any{"sku_id": sku, "extra_errors": extra},
	}}}})
	return string(text)
}

// TestPush_BelievesNothingThatTheAnswerDoesNotSay ensures that success is code 0 without an error about the SKU,
// and nothing else.
func TestPush_BelievesNothingThatTheAnswerDoesNotSay(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		answer string
		want   string // the whole, then SKU 1 and SKU 2
	}{
		"success":                       {200, `{"code":0,"data":null}`, "ok ok ok"},
		"success without data":          {200, `{"code":0}`, "ok ok ok"},
		"success with data":             {200, `{"code":0,"data":{}}`, "ok ok ok"},
		"the reason is inside":          {200, failing(12052990, "2", 12052097), "ok ok location"},
		"the worst reason":              {200, failing(12052990, "2", 36009003, 12052055), "ok ok quantity"},
		"the first of equals":           {200, failing(12052990, "2", 12052097, 12052556), "ok ok location"},
		"no reason inside":              {200, failing(12052990, "1"), "ok transient ok"},
		"a reason outside":              {200, failing(12052393, "1"), "ok raise_only ok"},
		"about no SKU":                  {200, failing(12052990, "", 12052097), "ok location location"},
		"about a SKU that was not sent": {200, failing(12052990, "3", 12052097), "ok transient transient"},
		"the product is gone":           {200, `{"code":12052032,"message":"m"}`, "ok not_found not_found"},
		"the product is frozen":         {200, `{"code":12052901,"message":"m"}`, "ok not_editable not_editable"},
		"the seller is inactive":        {200, `{"code":12052700,"message":"m"}`, "ok not_editable not_editable"},
		"one SKU is gone":               {200, `{"code":12052556,"message":"m"}`, "not_found 12052556 - -"},
		"a new code":                    {200, `{"code":7,"message":"m"}`, "transient 7 - -"},
		"a code under 401":              {401, `{"code":105002,"message":"m"}`, "token 105002 - -"},
		"throttled":                     {429, `{"code":36009002,"message":"m"}`, "throttle 36009002 - -"},
		"throttled by 200":              {200, `{"code":36009002,"message":"m"}`, "throttle 36009002 - -"},
		"overload":                      {503, `{"code":0,"data":{}}`, "transient 503 - -"},
		"a gateway's 403":               {403, `<html>`, "transient 403 - -"},
		"a page":                        {200, `<html>`, "transient bad_answer - -"},
		"nothing":                       {200, ``, "transient bad_answer - -"},
		"null":                          {200, `null`, "transient bad_answer - -"},
		"no code":                       {200, `{"data":{}}`, "transient bad_answer - -"},
		"a code that is text":           {200, `{"code":"0","data":{}}`, "transient bad_answer - -"},
		"data of another kind":          {200, `{"code":0,"data":[1]}`, "transient bad_answer - -"},
	} {
		r := answering(t, tc.status, tc.answer, nil).Push(t.Context(), updates("1", "2"))
		got := conformance.Classes(r)
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// TestPush_AnInactiveSellerIsAClosedShop ensures that the store is left alone, and not product by product.
func TestPush_AnInactiveSellerIsAClosedShop(t *testing.T) {
	r := answering(t, 200, `{"code":12052700,"message":"m"}`, nil).Push(t.Context(), updates("1"))
	if o := r.Items[0]; o.Class != sinks.ClassNotEditable || o.Code != sinks.CodeShopClosed {
		t.Errorf("got %+v, want a closed shop", o)
	}
}

// TestPush_SendsOnlyWhatIsOfTheMarketplace ensures that an id which a person mistyped neither leads elsewhere nor
// spoils the request for others.
func TestPush_SendsOnlyWhatIsOfTheMarketplace(t *testing.T) {
	s := answering(t, 200, `{"code":0,"data":{}}`, func(_ *http.Request, body string) {
		if want := `{"skus":[{"id":"1","inventory":[{"quantity":2}]}]}`; body != want {
			t.Errorf("got  %s\nwant %s", body, want)
		}
	})
	r := s.Push(t.Context(), updates("x", "1", "1", "../2"))
	want := []sinks.Class{sinks.ClassNotFound, sinks.ClassOK, sinks.ClassTransient, sinks.ClassNotFound}
	for i, o := range r.Items {
		if o.Class != want[i] {
			t.Errorf("update %d: got %s, want %s", i, o.Class, want[i])
		}
	}
	s = answering(t, 200, `{}`, func(*http.Request, string) { t.Error("a request was sent") })
	if r := s.Push(t.Context(), updates("x")); r.Whole.Class != sinks.ClassOK || r.Items[0].Class != sinks.ClassNotFound || r.RequestID == "" {
		t.Errorf("got %+v, want not_found without a request", r)
	}
}

func TestRefresh_KnowsARefusalFromAFailure(t *testing.T) {
	open := func(url string) sinks.Session { return openAt(t, url, "access_token") }
	conformance.WantRefreshes(t, map[string]conformance.RefreshAnswer{
		"a pair":             {Status: 200, Answer: `{"code":0,"data":{"access_token":"a","access_token_expire_in":4102444800,"refresh_token":"r"}}`, Want: sinks.ClassOK},
		"no pair":            {Status: 200, Answer: `{"code":0,"data":{}}`, Want: sinks.ClassTransient},
		"no data":            {Status: 200, Answer: `{"code":0}`, Want: sinks.ClassTransient},
		"refused by code":    {Status: 200, Answer: `{"code":36004004,"message":"Invalid auth code."}`, Want: sinks.ClassShopUnauthorised},
		"refused by message": {Status: 200, Answer: `{"code":7,"message":"the refresh_token has expired"}`, Want: sinks.ClassShopUnauthorised},
		"the app":            {Status: 200, Answer: `{"code":36009004,"message":"Invalid credentials. Invalid app_key."}`, Want: sinks.ClassConfig},
		"our address":        {Status: 200, Answer: `{"code":36009033,"message":"IP"}`, Want: sinks.ClassConfig},
		"an error of theirs": {Status: 200, Answer: `{"code":36009003,"message":"Internal error."}`, Want: sinks.ClassTransient},
		"throttled":          {Status: 429, Answer: ``, Want: sinks.ClassThrottle},
		"something new":      {Status: 200, Answer: `{"code":12052032,"message":"m"}`, Want: sinks.ClassTransient},
		"a page":             {Status: 200, Answer: `<html>`, Want: sinks.ClassTransient},
		"down":               {Status: 502, Answer: `<html>`, Want: sinks.ClassTransient},
	}, open, updates("1"), func(r *http.Request, body string) bool {
		q := r.URL.Query()
		return r.Method == http.MethodGet && r.URL.Path == "/api/v2/token/refresh" && q.Get("refresh_token") == "canary-refresh" &&
			q.Get("grant_type") == "refresh_token" && q.Get("app_key") == "29a39d" && q.Get("app_secret") == "e59af819cc" && body == ""
	})
}

func TestCatalogue_SaysWhetherStockCanBeWritten(t *testing.T) {
	m := shop.Start(t, shop.Config{})
	for _, it := range m.Items() {
		m.Drop(it.ID)
	}
	put := func(sku, status, platform, note string) {
		n := fmt.Sprint(len(m.Items()) + 1)
		m.Put(twin.Item{
			ID: twin.ID{Product: n, Variant: "9" + n}, SKU: sku, Status: status, Platform: platform, Note: note,
			Levels: map[string]twin.Level{"71": {Qty: 3 * topics.One}, "72": {Qty: 4 * topics.One}},
		})
	}
	put("A", "ACTIVATE", "", "")
	put("B", "DRAFT", "", "")
	put("C", "SELLER_DEACTIVATED", "", "")
	put("D", "PLATFORM_DEACTIVATED", "", "")
	put("E", "FREEZE", "", "")
	put("F", "DELETED", "", "")
	put("G", "ACTIVATE", "", "SELLER")
	put("H", "ACTIVATE", "", "PLATFORM")
	put("I", "ACTIVATE", "TOKOPEDIA", "") // there alone: the product has no status of its own
	put("J", "SELLER_DEACTIVATED", "TOKOPEDIA", "")
	put("K", "A_NEW_ONE", "", "")
	put(" a", "ACTIVATE", "", "")
	put("", "ACTIVATE", "", "")
	s := open(t, m)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	want := []string{
		" a: 12/912 active  [71 72] 7",
		"A: 1/91 active  [71 72] 7", "B: 2/92 inactive  [71 72] 7", "C: 3/93 inactive  [71 72] 7", "D: 4/94 banned  [71 72] 7",
		"E: 5/95 banned  [71 72] 7", "F: 6/96 deleted  [71 72] 7", "G: 7/97 inactive  [71 72] 7", "H: 8/98 banned  [71 72] 7",
		"I: 9/99 active TOKOPEDIA [71 72] 7", "J: 10/910 inactive TOKOPEDIA [71 72] 7", "K: 11/911 inactive  [71 72] 7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	found := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Finder).Find(t.Context(), []string{"A", "I", "no", "b", "1", "2", "3", "4", "5", "6", "7", " a"}, found)
	})
	if diff := cmp.Diff([]string{want[0], want[1], want[9]}, found); diff != "" {
		t.Error(diff)
	}
}

// TestCatalogue_SplitsASearchThatShowsTooMuch ensures that a shop beyond what a search can be paged through is
// listed whole.
func TestCatalogue_SplitsASearchThatShowsTooMuch(t *testing.T) {
	m := shop.Start(t, shop.Config{Results: 100})
	m.Stock(700) // 350 products
	s := open(t, m)
	n := 0
	err := s.(sinks.Cataloguer).Catalogue(t.Context(), func(topics.Listing) error { n++; return nil })
	if want := len(m.Items()); err != nil || n != want {
		t.Errorf("got %d SKUs, %v, want %d", n, err, want)
	}
}

// TestCatalogue_TakesTheEarlierWindowFirst ensures that a product which changes during the pass is in a window that
// is still to come, and that a search is split by what it counts, before its pages are read.
func TestCatalogue_TakesTheEarlierWindowFirst(t *testing.T) {
	type window struct {
		GE int64 `json:"update_time_ge"`
		LE int64 `json:"update_time_le"`
	}
	var windows []window
	answer := func(w window) string {
		total := 1
		if w.LE == 0 && w.GE == 0 {
			total = 10_001
		}
		return fmt.Sprintf(`{"code":0,"data":{"total_count":%d,"products":[{"id":"%d","status":"ACTIVATE","skus":[{"id":"5","seller_sku":"A"}]}]}}`, total, w.GE+1)
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		var w window
		if err := json.NewDecoder(r.Body).Decode(&w); err != nil {
			t.Error(err)
		}
		windows = append(windows, w)
		_, _ = io.WriteString(out, answer(w))
	}))
	defer server.Close()
	s := openAt(t, server.URL)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if len(windows) != 3 || windows[1].GE != 0 || windows[1].LE == 0 || windows[2].GE != windows[1].LE+1 || windows[2].LE != 0 {
		t.Errorf("got windows %+v, want all, the earlier half, and the later with no end", windows)
	}
	if len(got) != 2 {
		t.Errorf("got %q, want what the halves hold", got)
	}
}

// TestCatalogue_ReadsAgainWhatMovedUnderItsPages ensures that a product which slipped to a page that was read already is
// not taken for one that is gone.
func TestCatalogue_ReadsAgainWhatMovedUnderItsPages(t *testing.T) {
	first := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const product = `{"id":"%s","status":"ACTIVATE","skus":[{"id":"%s","seller_sku":"S%s"}]}`
		page, total, id := `,"next_page_token":"p"`, 2, "1"
		if r.URL.Query().Has("page_token") {
			page, id = "", "3"
		} else if first++; first == 1 {
			total = 3 // of which one goes before the second page is read
		}
		_, _ = fmt.Fprintf(w, `{"code":0,"data":{"total_count":%d%s,"products":[%s]}}`, total, page, strings.ReplaceAll(product, "%s", id))
	}))
	defer server.Close()
	s := openAt(t, server.URL)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if first != 2 || len(got) != 2 {
		t.Errorf("got %q after %d first pages, want it read twice", got, first)
	}
}

// TestCatalogue_AnAnswerWithoutProductsIsNotAnEmptyShop ensures that odd answers do not look like a shop whose
// products are all gone.
func TestCatalogue_AnAnswerWithoutProductsIsNotAnEmptyShop(t *testing.T) {
	for _, answer := range []string{`{"code":0}`, `{"code":0,"data":null}`, `{"code":0,"data":[]}`, `{"code":0,"data":{}}`, `{"code":36009033}`} {
		s := answering(t, 200, answer, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // after the first try
		if err := s.(sinks.Cataloguer).Catalogue(ctx, func(topics.Listing) error { return nil }); err == nil {
			t.Errorf("%s: got a complete pass", answer)
		}
	}
}
