package lazada_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/lazada"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	shop "stocksync/testenv/twin/lazada"
	"stocksync/topics"
)

func secrets() map[string]string {
	return map[string]string{
		"app_key": "123456", "app_secret": "helloworld", "access_token": "canary-access", "refresh_token": "canary-refresh",
	}
}

// open opens a store that leads to a shop.
func open(t *testing.T, s *shop.Shop) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, lazada.Adapter{Tokens: token.NewSafe(t.TempDir())}, string(s.Options()), s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// openAt opens a store at an address, whose credentials lack some.
func openAt(t *testing.T, address string, lack ...string) sinks.Session {
	t.Helper()
	session, err := conformance.Open(t, lazada.Adapter{Tokens: token.NewSafe(t.TempDir())},
		fmt.Sprintf(`{"country":"id","url":"%s/rest","auth_url":"%s/rest"}`, address, address),
		conformance.Without(secrets(), lack...))
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

// updates returns one for each "item/sku".
func updates(targets ...string) []sinks.Update {
	list := make([]sinks.Update, len(targets))
	for i, name := range targets {
		item, sku, _ := strings.Cut(name, "/")
		list[i] = sinks.Update{
			SKU: "S" + sku, Qty: topics.Quantity(i+1) * topics.One, Target: topics.Target{ProductID: item, VariantID: sku},
		}
	}
	return list
}

func TestSign_Vectors(t *testing.T) {
	for name, v := range map[string]struct {
		secret, path, query, want string
	}{
		"official": {
			"helloworld", "/order/get",
			"access_token=test&app_key=123456&order_id=1234&sign_method=sha256&timestamp=1517820392000&sign=x&empty=",
			"4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A",
		},
		"of an SDK": {
			"1234", "/test/api", "foo=1&bar=2&foo_bar=3&foobar=4",
			"988085883BF9D32D251478D23122C7ECC91518CDF63BA22F792000A378F52409",
		},
	} {
		params, err := url.ParseQuery(v.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := lazada.Sign(v.secret, v.path, params); got != v.want {
			t.Errorf("%s: got %s, want %s", name, got, v.want)
		}
	}
}

// TestClassify_EveryCodeOfTheReference lists the codes which are classified in another way than the reference says.
func TestClassify_EveryCodeOfTheReference(t *testing.T) {
	codes := regexp.MustCompile(`\b(?:[0-9]{1,4}|E[0-9]{3,4}|[A-Z][A-Za-z]+[A-Z][A-Za-z]+|[A-Z]+(?:_[A-Z0-9]+)+)\b`)
	notes := regexp.MustCompile(`\([^)]*\)|"[^"]*"|RY-L [0-9-]+`)
	n := 0
	for _, row := range conformance.Errors(t, "## 4.") {
		if slices.Contains(row.Classes, sinks.ClassLocation) {
			continue // no code is known
		}
		text := strings.ReplaceAll(notes.ReplaceAllString(row.Text, ""), "/ _004", "/ THD_IC_ERR_F_IC_ABILITY_PG_004")
		text, _, _ = strings.Cut(text, "dropshipping sellers get") // of a call that is not made
		for _, code := range codes.FindAllString(text, -1) {
			n++
			if got := lazada.Classify(code, ""); !slices.Contains(row.Classes, got.Class) {
				t.Errorf("%s: got %s, want one of %v", code, got.Class, row.Classes)
			}
		}
	}
	if n < 35 {
		t.Errorf("the reference has %d codes, want all of them", n)
	}
	for message, want := range map[string]sinks.Class{
		"negative sellable on channel inventory,entityId=5": sinks.ClassBelowReserved,
		"SELLER_NOT_PERMITTED":                              sinks.ClassShopUnauthorised,
		"THD_IC_ERR_F_IC_ABILITY_PG_004: edit was blocked":  sinks.ClassPromoLock,
		"something new": sinks.ClassTransient,
	} {
		if got := lazada.Classify("E0501", message); got.Class != want {
			t.Errorf("%s: got %s, want %s", message, got.Class, want)
		}
	}
	for _, code := range []string{"901", "E901", "ApiCallLimit", "AppApiCallLimit", "AppCallLimit", "SellerCallLimit", "4154", "HOT_KEY_BLOCK_EXCEPTION", "998"} {
		if got := lazada.Classify(code, ""); got.Class != sinks.ClassThrottle {
			t.Errorf("%s: got %s, want throttle", code, got.Class)
		}
	}
}

// TestClassify_TellsWhenACampaignEnds ensures that a window told in the country's own time is not taken for UTC.
func TestClassify_TellsWhenACampaignEnds(t *testing.T) {
	o := lazada.Classify("4170", "During the Bday Mega campaign, there are restrictions for stock adjustments in effect between "+
		"2026-03-26 22:00:00 - 2026-03-27 23:59:59. Sellers can increase stocks, but may not decrease stocks.")
	want := time.Date(2026, 3, 27, 16, 59, 59, 0, time.UTC)
	if o.Class != sinks.ClassRaiseOnly || !o.Until.Equal(want) {
		t.Errorf("got %+v, want raise_only until %s", o, want)
	}
	for _, message := range []string{"", "between YYYY-MM-DD HH:MM:SS - YYYY-MM-DD HH:MM:SS", "2026-03-26 22:00:00 - 2026-13-27 23:59:59"} {
		if got := lazada.EndOf(message, 0); !got.IsZero() {
			t.Errorf("%q: got %s, want none", message, got)
		}
	}
	for message, want := range map[string]time.Duration{
		"the ban will last 3 more seconds": 0, "This ban will last 7 seconds": 7 * time.Second, "": 0,
		"99999999999999999999 seconds": time.Hour, "7200 second(s)": time.Hour,
	} {
		if got := lazada.BanOf(message); got != want {
			t.Errorf("%q: got %s, want %s", message, got, want)
		}
	}
}

func TestOpen_ChecksOptionsAndSecrets(t *testing.T) {
	const good = `{"country":"id"}`
	all := secrets()
	safe := token.NewSafe(t.TempDir())
	for name, tc := range map[string]struct {
		options string
		secrets map[string]string
		safe    *token.Safe
		want    string
	}{
		"all":               {good, all, safe, ""},
		"another country":   {`{"country":"vn"}`, all, safe, ""},
		"no country":        {`{}`, all, safe, "options.country"},
		"no such country":   {`{"country":"ID"}`, all, safe, "options.country"},
		"no address":        {`{"country":"id","url":"rest"}`, all, safe, "options.url"},
		"no auth address":   {`{"country":"id","auth_url":""}`, all, safe, "options.auth_url"},
		"no app key":        {good, conformance.Without(all, "app_key"), safe, "app_key"},
		"no app secret":     {good, conformance.Without(all, "app_secret"), safe, "app_secret"},
		"no token":          {good, conformance.Without(all, "access_token", "refresh_token"), safe, "refresh_token"},
		"no place for them": {good, all, nil, "TOKENS_DIR"},
	} {
		conformance.WantOpen(t, name, lazada.Adapter{Tokens: tc.safe}, tc.options, tc.secrets, tc.want)
	}
}

func TestTraits_KeepTheLimits(t *testing.T) {
	got := openAt(t, "http://127.0.0.1:1").Traits()
	if got.InFlight != 1 || got.Batch != 20 || got.Rate.PerSecond+float64(got.Rate.Burst) > 50 || got.Number != sinks.NumberAvailable {
		t.Errorf("got %+v, want one request at a time of 20 SKUs, and 50 in no second", got)
	}
}

func TestPush_SendsTheDialect(t *testing.T) {
	s := answering(t, 200, `{"code":"0","data":{},"request_id":"r1"}`, func(r *http.Request, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			t.Error(err)
		}
		const want = `<Request><Product><Skus>` +
			`<Sku><ItemId>17</ItemId><SkuId>1</SkuId><MultiWarehouseInventories>` +
			`<MultiWarehouseInventory><WarehouseCode>a&lt;b</WarehouseCode><SellableQuantity>4</SellableQuantity></MultiWarehouseInventory>` +
			`<MultiWarehouseInventory><WarehouseCode>c</WarehouseCode><SellableQuantity>0</SellableQuantity></MultiWarehouseInventory>` +
			`</MultiWarehouseInventories></Sku>` +
			`<Sku><ItemId>18</ItemId><SkuId>2</SkuId><SellableQuantity>0</SellableQuantity></Sku>` +
			`</Skus></Product></Request>`
		if got := form.Get("payload"); r.Method != http.MethodPost || r.URL.Path != "/rest/product/stock/sellable/update" || got != want {
			t.Errorf("got  %s %s %s\nwant %s", r.Method, r.URL.Path, got, want)
		}
		all := r.URL.Query()
		maps.Copy(all, form)
		if all.Get("sign") != lazada.Sign("helloworld", "/product/stock/sellable/update", all) || all.Get("access_token") != "canary-access" ||
			len(all.Get("timestamp")) != 13 || r.URL.Query().Has("payload") {
			t.Errorf("got query %v", r.URL.Query())
		}
	})
	list := updates("17/1", "18/2")
	list[0].Locations = []sinks.LocationQty{{LocationID: "a<b", Qty: 4 * topics.One}, {LocationID: "c"}}
	list[1].Qty = 0
	if r := s.Push(t.Context(), list); conformance.Classes(r) != "ok ok ok" || r.RequestID != "r1" {
		t.Errorf("got %+v", r)
	}
}

// TestPush_ReadsWhoFailedFromDetail ensures that the reasons go to the SKUs that they are about, and that those which
// none names are sent again.
func TestPush_ReadsWhoFailedFromDetail(t *testing.T) {
	failed := func(code string, detail ...string) string {
		return fmt.Sprintf(`{"code":%q,"type":"ISV","message":"E501: Update product failed","detail":[%s]}`, code, strings.Join(detail, ","))
	}
	reason := func(item, seller, code string) string {
		return fmt.Sprintf(`{"item_id":%s,"seller_sku":%q,"field":"Sku","code":%q,"message":"m"}`, item, seller, code)
	}
	for name, tc := range map[string]struct {
		status int
		answer string
		want   string // the whole, then 17/1, 17/2 and 18/3
	}{
		"success":                    {200, `{"code":"0","data":{}}`, "ok ok ok ok"},
		"success by number":          {200, `{"code":0}`, "ok ok ok ok"},
		"one of an item":             {200, failed("501", reason("18", "", "207")), "ok - - not_found"},
		"one of two of an item":      {200, failed("501", reason("17", "S2", "207")), "ok - not_found -"},
		"an item of two":             {200, failed("501", reason("17", "", "4137")), "ok not_found not_found -"},
		"an item that is locked":     {200, failed("500", reason(`"17"`, "", "4155")), "ok not_editable not_editable -"},
		"one of two, unknown which":  {200, failed("501", reason("17", "", "4152")), "quantity 4152 - - -"},
		"several reasons":            {200, failed("503", reason("18", "", "4152"), reason("18", "", "6")), "ok - - quantity"},
		"another item":               {200, failed("501", reason("19", "", "207")), "transient bad_answer - - -"},
		"no item":                    {200, failed("501", `{"code":"4225","message":"m"}`), "managed_elsewhere 4225 - - -"},
		"an envelope without detail": {200, failed("501"), "transient 501 - - -"},
		"detail of another kind":     {200, `{"code":"501","message":"m","detail":{}}`, "transient 501 - - -"},
		"detail beside a real code":  {200, failed("4170", reason("17", "", "207")), "raise_only 4170 - - -"},
		"a code":                     {200, `{"code":"IllegalAccessToken","message":"m"}`, "token IllegalAccessToken - - -"},
		"a new code":                 {200, `{"code":"NewCode","message":"m"}`, "transient NewCode - - -"},
		"the seller is locked":       {200, `{"code":"4128","message":"m"}`, "not_editable shop_closed - - -"},
		"success under 503":          {503, `{"code":"0"}`, "transient 503 - - -"},
		"throttled by status":        {429, `{"code":"1","message":"m"}`, "throttle 1 - - -"},
		"a gateway's 403":            {403, `<html>`, "transient 403 - - -"},
		"a page":                     {200, `<html>`, "transient bad_answer - - -"},
		"null":                       {200, `null`, "transient bad_answer - - -"},
		"no code":                    {200, `{"data":{}}`, "transient bad_answer - - -"},
	} {
		got := conformance.Classes(answering(t, tc.status, tc.answer, nil).Push(t.Context(), updates("17/1", "17/2", "18/3")))
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestPush_ABanIsWaitedFor(t *testing.T) {
	r := answering(t, 200, `{"code":"ApiCallLimit","message":"This ban will last 9 seconds"}`, nil).Push(t.Context(), updates("1/1"))
	if r.Whole.Class != sinks.ClassThrottle || r.RetryAfter != 9*time.Second {
		t.Errorf("got %+v, %s, want throttle for 9 s", r.Whole, r.RetryAfter)
	}
}

func TestRefresh_KnowsARefusalFromAFailure(t *testing.T) {
	open := func(url string) sinks.Session { return openAt(t, url, "access_token") }
	conformance.WantRefreshes(t, map[string]conformance.RefreshAnswer{
		"a pair":               {Status: 200, Answer: `{"code":"0","access_token":"a","refresh_token":"r","expires_in":"10","refresh_expires_in":60}`, Want: sinks.ClassOK},
		"no pair":              {Status: 200, Answer: `{"code":"0"}`, Want: sinks.ClassTransient},
		"refused":              {Status: 200, Answer: `{"code":"IllegalRefreshToken","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"sold on their market": {Status: 200, Answer: `{"code":"AUTH_TYPE_UNSUPPORTED","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"an access token":      {Status: 200, Answer: `{"code":"IllegalAccessToken","message":"m"}`, Want: sinks.ClassShopUnauthorised},
		"the signature":        {Status: 200, Answer: `{"code":"IncompleteSignature","message":"m"}`, Want: sinks.ClassConfig},
		"our address":          {Status: 200, Answer: `{"code":"AppWhiteIpLimit","message":"m"}`, Want: sinks.ClassConfig},
		"an error of theirs":   {Status: 200, Answer: `{"code":"ServiceTimeout","message":"m"}`, Want: sinks.ClassTransient},
		"something else":       {Status: 200, Answer: `{"code":"4137","message":"m"}`, Want: sinks.ClassTransient},
		"throttled":            {Status: 200, Answer: `{"code":"ApiCallLimit","message":"m"}`, Want: sinks.ClassThrottle},
		"a page":               {Status: 200, Answer: `<html>`, Want: sinks.ClassTransient},
		"down":                 {Status: 502, Answer: `<html>`, Want: sinks.ClassTransient},
	}, open, updates("1/1"), func(r *http.Request, body string) bool {
		all := r.URL.Query()
		all.Set("refresh_token", "canary-refresh")
		return r.URL.Path == "/rest/auth/token/refresh" && body == "refresh_token=canary-refresh" && !all.Has("access_token") &&
			all.Get("sign") == lazada.Sign("helloworld", "/auth/token/refresh", all)
	})
}

func TestCatalogue_SaysWhatTheShopSellsAndHolds(t *testing.T) {
	m := shop.Start(t, shop.Config{Warehouses: []string{"dropshipping", "ID-2"}})
	for _, it := range m.Items() {
		m.Drop(it.ID)
	}
	put := func(sku, item, variant, status, note string) {
		m.Put(twin.Item{ID: twin.ID{Product: item, Variant: variant}, SKU: sku, Status: status, Note: note, Levels: map[string]twin.Level{
			"dropshipping": {Qty: 3 * topics.One, Allocated: 2 * topics.One}, "ID-2": {Qty: topics.One},
		}})
	}
	put("A", "1", "11", "Active", "")
	put("B", "1", "12", "Active", "inactive")
	put("C", "1", "13", "Active", "deleted")
	put("D", "2", "21", "InActive", "")
	put("E", "3", "31", "Pending QC", "")
	put("F", "4", "41", "Suspended", "")
	put("G", "5", "51", "Deleted", "")
	put("A", "6", "61", "Active", "")
	put("", "7", "71", "Active", "")
	locked := twin.ID{Product: "1", Variant: "11"}
	m.Locked[locked] = 2 * topics.One
	s := open(t, m)
	var promos []topics.Promo
	var held []string
	pass := func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), func(l topics.Listing) error {
			for _, x := range l.Targets {
				promos = append(promos, x.Promos...)
				held = append(held, x.MarketplaceReserved.String())
			}
			return found(l)
		})
	}
	want := []string{
		"A: 1/11 active  [dropshipping ID-2] 4", "A: 6/61 active  [dropshipping ID-2] 4", "B: 1/12 inactive  [dropshipping ID-2] 4",
		"C: 1/13 deleted  [dropshipping ID-2] 4", "D: 2/21 inactive  [dropshipping ID-2] 4", "E: 3/31 inactive  [dropshipping ID-2] 4",
		"F: 4/41 banned  [dropshipping ID-2] 4", "G: 5/51 deleted  [dropshipping ID-2] 4",
	}
	if diff := cmp.Diff(want, conformance.Lines(t, pass)); diff != "" {
		t.Error(diff)
	}
	end := time.Unix(shop.CampaignEnd, 0)
	wantPromos := []topics.Promo{{
		Kind: topics.PromoFloor, Floor: 2 * topics.One, From: topics.TimeOf(end.Add(-2 * time.Hour)), Until: topics.TimeOf(end),
	}}
	if diff := cmp.Diff(wantPromos, promos); diff != "" || held[0] != "2" {
		t.Errorf("%s; held %v, want 2 of each", diff, held)
	}
	found := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Finder).Find(t.Context(), []string{"A", "a", "F"}, found)
	})
	if diff := cmp.Diff([]string{want[0], want[1], want[6]}, found); diff != "" {
		t.Error(diff)
	}
	low := twin.Updates([]twin.Item{{ID: locked, SKU: "A", Levels: map[string]twin.Level{"dropshipping": {}, "ID-2": {}}}})
	low[0].Locations = []sinks.LocationQty{{LocationID: "dropshipping", Qty: topics.One}, {LocationID: "ID-2"}}
	if got := conformance.Classes(s.Push(t.Context(), low)); got != "ok below_reserved" {
		t.Errorf("below what is locked: got %s", got)
	}
}

// TestCatalogue_ASingleWarehouseHasNoName ensures that a shop which must not name its warehouse is not made to.
func TestCatalogue_ASingleWarehouseHasNoName(t *testing.T) {
	s := open(t, shop.Start(t, shop.Config{}))
	for _, line := range conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	}) {
		if !strings.Contains(line, " [] ") {
			t.Errorf("got %s, want no locations", line)
		}
	}
}

// TestCatalogue_SplitsAListThatShowsTooMuch ensures that a shop beyond what a list can be paged through is listed whole.
func TestCatalogue_SplitsAListThatShowsTooMuch(t *testing.T) {
	var windows []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/rest/products/get" {
			_, _ = io.WriteString(w, `{"code":"0","result":{"module":[]}}`)
			return
		}
		windows = append(windows, q.Get("update_after")+" to "+q.Get("update_before"))
		total := 1
		if q.Get("update_after") == "" && q.Get("update_before") == "" {
			total = 10_001
		}
		_, _ = fmt.Fprintf(w, `{"code":"0","data":{"total_products":"%d","products":[{"item_id":"%d","skus":[{"SkuId":1,"SellerSku":"A"}]}]}}`, total, len(windows))
	}))
	defer server.Close()
	s := openAt(t, server.URL)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if len(windows) != 3 || len(got) != 2 || windows[0] != " to " {
		t.Fatalf("got windows %q and %q, want all, and the halves with what they hold", windows, got)
	}
	_, earlierEnd, _ := strings.Cut(windows[1], " to ")
	laterStart, laterEnd, _ := strings.Cut(windows[2], " to ")
	end, err := time.Parse("2006-01-02T15:04:05-0700", earlierEnd)
	start, err2 := time.Parse("2006-01-02T15:04:05-0700", laterStart)
	if err != nil || err2 != nil || !start.Before(end) || laterEnd != "" || !strings.HasPrefix(windows[1], " to ") {
		t.Errorf("got windows %q, want the earlier half, then the later without an end, overlapping", windows)
	}
}

func TestCatalogue_MovesOnWithSmallerPages(t *testing.T) {
	if testing.Short() {
		t.Skip("a pause of a second")
	}
	m := shop.Start(t, shop.Config{Slow: 26})
	s := open(t, m)
	got := conformance.Lines(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if len(got) != len(m.Items()) {
		t.Errorf("got %d SKUs, want %d", len(got), len(m.Items()))
	}
}

func TestCatalogue_AnAnswerWithoutProductsIsNotAnEmptyShop(t *testing.T) {
	const one = `"warehouse"`
	for _, answer := range []string{
		`{"code":"0"}`, `{"code":"0","data":null}`, `{"code":"0","data":[]}`, `{"code":"0","data":{"total_products":"7"}}`,
		`{"code":"IncompleteSignature","message":"m"}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Query().Get("addressTypes"), one) {
				answer := map[string]any{"code": "0", "result": map[string]any{"module": []any{}}}
				if err := json.NewEncoder(w).Encode(answer); err != nil {
					t.Error(err)
				}
				return
			}
			_, _ = io.WriteString(w, answer)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := openAt(t, server.URL).(sinks.Cataloguer).Catalogue(ctx, func(topics.Listing) error { return nil })
		cancel()
		server.Close()
		if err == nil {
			t.Errorf("%s: got a complete pass", answer)
		}
	}
}
