package woocommerce_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/woocommerce"
	"stocksync/testenv/twin"
	twinwoo "stocksync/testenv/twin/woocommerce"
	"stocksync/topics"
)

var secrets = map[string]string{"consumer_key": "ck_s3cr3t", "consumer_secret": "cs_s3cr3t"}

// open opens a store with the adapter.
func open(t *testing.T, options string, secrets map[string]string) (sinks.Session, error) {
	t.Helper()
	return conformance.Open(t, woocommerce.Adapter{}, options, secrets)
}

// start returns a shop and a session in it.
func start(t *testing.T) (*twinwoo.Shop, sinks.Session) {
	t.Helper()
	shop := twinwoo.Start(t, twinwoo.Config{})
	s, err := open(t, string(shop.Options()), shop.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return shop, s
}

func TestOpen_ChecksOptionsAndCredentials(t *testing.T) {
	for _, tc := range []struct {
		options string
		secrets map[string]string
		want    string
	}{
		{`{"url":"https://shop.example"}`, secrets, ""},
		{`{"url":"http://shop.example/blog/","auth":"basic","batch":1,"rate":0.5}`, secrets, ""},
		{`{}`, secrets, "options.url"},
		{``, secrets, "options.url"},
		{`{"url":"ftp://s3cr3t.example"}`, secrets, "options.url"},
		{`{"url":"https://shop.example?consumer_secret=s3cr3t"}`, secrets, "options.url has a query"},
		{`{"url":"https://shop.example","auth":"s3cr3t"}`, secrets, "options.auth is none of"},
		{`{"url":"https://shop.example","batch":0}`, secrets, "options.batch is 0"},
		{`{"url":"https://shop.example","batch":101}`, secrets, "options.batch is 101"},
		{`{"url":"https://shop.example","rate":0}`, secrets, "options.rate is 0"},
		{`{"url":7}`, secrets, "options"},
		{`{"url":"https://shop.example"}`, nil, "names no consumer_key"},
		{`{"url":"https://shop.example"}`, map[string]string{"consumer_key": "ck_s3cr3t"}, "names no consumer_secret"},
	} {
		_, err := open(t, tc.options, tc.secrets)
		if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || !strings.Contains(got, tc.want) && err != nil {
			t.Errorf("%s: got %s, want %q", tc.options, got, tc.want)
		} else if strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the error repeats what may be a secret: %s", tc.options, got)
		}
	}
}

// TestClassify_KnowsEveryCodeThatIsDocumented holds the table against the codes of the server's source that an adapter
// for stock can meet.
func TestClassify_KnowsEveryCodeThatIsDocumented(t *testing.T) {
	for code, want := range map[string]sinks.Class{
		"woocommerce_rest_product_invalid_id":               sinks.ClassNotFound,
		"woocommerce_rest_product_variation_invalid_id":     sinks.ClassNotFound,
		"woocommerce_rest_product_variation_invalid_parent": sinks.ClassNotFound,
		"woocommerce_rest_invalid_product_id":               sinks.ClassNotFound,
		"woocommerce_rest_cannot_view":                      sinks.ClassShopUnauthorised,
		"woocommerce_rest_cannot_edit":                      sinks.ClassShopUnauthorised,
		"woocommerce_rest_cannot_batch":                     sinks.ClassShopUnauthorised,
		"woocommerce_rest_authentication_error":             sinks.ClassShopUnauthorised,
		"woocommerce_rest_authentication_missing_parameter": sinks.ClassShopUnauthorised,
		"rest_forbidden":                                    sinks.ClassShopUnauthorised,
		"rest_not_logged_in":                                sinks.ClassShopUnauthorised,
		"rest_no_route":                                     sinks.ClassConfig,
		"rest_invalid_json":                                 sinks.ClassConfig,
		"rest_invalid_param":                                sinks.ClassQuantity,
		"rest_missing_callback_param":                       sinks.ClassQuantity,
		"woocommerce_rest_request_entity_too_large":         sinks.ClassQuantity,
		"internal_server_error":                             sinks.ClassTransient,
	} {
		if got, ok := woocommerce.ClassOf(code); !ok {
			t.Errorf("%s is not classified", code)
		} else if got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
	if _, ok := woocommerce.ClassOf("some_plugins_own_error"); ok {
		t.Error("a code that nobody knows is classified")
	}
}

// TestSign_BaseStringIsThatOfTheDocumentation holds it against the example of WooCommerce's own documentation; the twin
// verifies the rest.
func TestSign_BaseStringIsThatOfTheDocumentation(t *testing.T) {
	got := woocommerce.BaseString("GET", "http://www.example.com/wp-json/wc/v3/orders", url.Values{
		"oauth_signature_method": {"HMAC-SHA1"}, "oauth_consumer_key": {"abc123"},
	})
	want := "GET&http%3A%2F%2Fwww.example.com%2Fwp-json%2Fwc%2Fv3%2Forders&" +
		"oauth_consumer_key%3Dabc123%26oauth_signature_method%3DHMAC-SHA1"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = woocommerce.BaseString("GET", "http://a.b", url.Values{"sku": {"x y,ü~+"}})
	if want := "GET&http%3A%2F%2Fa.b&sku%3Dx%2520y%252C%25C3%25BC~%252B"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRequests_CarryKeysTheWayTheHostLetsThrough ensures which way follows from what.
func TestRequests_CarryKeysTheWayTheHostLetsThrough(t *testing.T) {
	for auth, want := range map[string]string{
		``:               "oauth_consumer_key oauth_nonce oauth_signature oauth_signature_method oauth_timestamp, no header",
		`"auth":"basic"`: ", ck_s3cr3t cs_s3cr3t",
		`"auth":"query"`: "consumer_key consumer_secret, no header",
	} {
		stub := conformance.StartStub(t, 200, `{"update":[]}`)
		options := fmt.Sprintf(`{"url":%q,%s}`, stub.URL, auth)
		s, err := open(t, strings.Replace(options, ",}", "}", 1), secrets)
		if err != nil {
			t.Fatal(err)
		}
		s.Push(t.Context(), []sinks.Update{{Target: topics.Target{ProductID: "1"}}})
		r := stub.Seen()[0]
		var names []string
		for name := range r.URL.Query() {
			names = append(names, name)
		}
		slices.Sort(names)
		header := "no header"
		if user, password, ok := r.BasicAuth(); ok {
			header = user + " " + password
		}
		if got := strings.Join(names, " ") + ", " + header; got != want || r.URL.Path != "/wp-json/wc/v3/products/batch" {
			t.Errorf("%q: got %s at %s, want %s", auth, got, r.URL.Path, want)
		}
	}
}

func TestPush_SendsNumbersAndNothingElse(t *testing.T) {
	shop, s := start(t)
	for _, tc := range []struct {
		updates    []sinks.Update
		path, body string
	}{
		{shop.Updates(2), "/wp-json/wc/v3/products/batch", `{"update":[{"id":100,"stock_quantity":100},{"id":101,"stock_quantity":101}]}`},
		{shop.Others()[:2], "/wp-json/wc/v3/products/1120000/variations/batch", `{"update":[{"id":5000120,"stock_quantity":100},{"id":5000121,"stock_quantity":101}]}`},
	} {
		if r := s.Push(t.Context(), tc.updates); r.Whole.Class != sinks.ClassOK {
			t.Fatalf("got %+v, want ok", r.Whole)
		}
		calls := shop.Calls()
		call := calls[len(calls)-1]
		if path, _, _ := strings.Cut(call.Target, "?"); path != tc.path || string(call.Body) != tc.body {
			t.Errorf("got %s %s, want %s %s", path, call.Body, tc.path, tc.body)
		}
	}
}

// TestPush_BelievesOnlyTheNumberInTheAnswer ensures that a number which the shop ignored without a word is no success,
// and that the reason is found.
func TestPush_BelievesOnlyTheNumberInTheAnswer(t *testing.T) {
	for element, want := range map[string]string{
		`{"id":1,"manage_stock":true,"stock_quantity":3}`:                         "ok ",
		`{"id":1,"manage_stock":true,"stock_quantity":3.0000000}`:                 "ok ",
		`{"id":1,"manage_stock":true,"stock_quantity":"3"}`:                       "ok ",
		`{"id":1,"manage_stock":true,"stock_quantity":4}`:                         "transient not_applied",
		`{"id":1,"manage_stock":true,"stock_quantity":null}`:                      "transient not_applied",
		`{"id":1,"manage_stock":true,"stock_quantity":3.3333333}`:                 "transient not_applied",
		`{"id":1,"manage_stock":true,"stock_quantity":[]}`:                        "transient not_applied",
		`{"id":1,"manage_stock":false,"stock_quantity":null}`:                     "not_editable manage_stock_off",
		`{"id":1,"manage_stock":"parent","stock_quantity":3}`:                     "managed_elsewhere stock_of_parent",
		`{"id":2,"manage_stock":true,"stock_quantity":3}`:                         "transient no_result",
		`{"id":1,"error":{"code":"woocommerce_rest_product_invalid_id"}}`:         "not_found woocommerce_rest_product_invalid_id",
		`{"id":1,"error":{"code":"odd","message":"m"}}`:                           "transient odd",
		`{"id":1,"error":{"code":"rest_invalid_param","data":{"status":"many"}}}`: "quantity rest_invalid_param",
	} {
		stub := conformance.StartStub(t, 200, `{"update":[`+element+`]}`)
		s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), secrets)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Push(t.Context(), []sinks.Update{{Qty: 3 * topics.One, Target: topics.Target{ProductID: "1"}}})
		if got := r.Items[0].Class.String() + " " + r.Items[0].Code; r.Whole.Class != sinks.ClassOK || got != want {
			t.Errorf("%s: got %s, want %s", element, got, want)
		}
	}
}

// TestPush_TellsTheShopsAnswersFromThoseOfItsHost ensures that a firewall's page is not taken for keys that were
// revoked, nor a closed door for a failure that passes.
func TestPush_TellsTheShopsAnswersFromThoseOfItsHost(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"firewall":        {403, `<html>Forbidden</html>`, "transient 403"},
		"mod_security":    {406, `<html>Not Acceptable</html>`, "transient 406"},
		"throttled":       {429, `<html>`, "throttle 429"},
		"throttled, JSON": {429, `{"code":"too_many","message":"slow down"}`, "throttle too_many"},
		"maintenance":     {503, `<html>Briefly unavailable for scheduled maintenance.</html>`, "transient 503"},
		"not found":       {404, `<html>`, "transient 404"},
		"no route":        {404, `{"code":"rest_no_route","message":"No route"}`, "config rest_no_route"},
		"forbidden":       {403, `{"code":"rest_forbidden","message":"no"}`, "shop_unauthorised rest_forbidden"},
		"its own login":   {401, `<html>`, "shop_unauthorised 401"},
		"odd code":        {400, `{"code":"odd","message":"m"}`, "quantity odd"},
		"warning before":  {200, "<b>Warning</b>: Undefined index {\"update\":[]}", "transient bad_answer"},
	} {
		stub := conformance.StartStub(t, tc.status, tc.body)
		s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), secrets)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Push(t.Context(), []sinks.Update{{Target: topics.Target{ProductID: "1"}}})
		if got := r.Whole.Class.String() + " " + r.Whole.Code; got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestPush_IDsThatAreNoneOfTheShopsAreNotSent(t *testing.T) {
	shop, s := start(t)
	updates := shop.Updates(3)
	updates[1].Target.ProductID = "gid://shopify/Product/1"
	r := s.Push(t.Context(), updates)
	if r.Items[0].Class != sinks.ClassOK || r.Items[1].Class != sinks.ClassNotFound || r.Items[2].Class != sinks.ClassOK {
		t.Errorf("got %+v, want that one not found", r.Items)
	}
	before := len(shop.Calls())
	if r := s.Push(t.Context(), updates[1:2]); r.Whole.Class != sinks.ClassOK || r.Items[0].Class != sinks.ClassNotFound {
		t.Errorf("alone: got %+v, want not found", r)
	}
	other := shop.Others()[:1]
	other[0].Target.ProductID = "../../users"
	if r := s.Push(t.Context(), other); r.Whole.Class != sinks.ClassNotFound || len(shop.Calls()) != before {
		t.Errorf("a product that is no number: got %+v, want not found and no request", r)
	}
}

func TestReadBack_ReadsProductsTogetherAndVariationsByProduct(t *testing.T) {
	shop, s := start(t)
	updates := slices.Concat(shop.Others(), shop.Updates(2))
	updates[1].Target.VariantID = "x"
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), updates)
	if o.Class != sinks.ClassOK || len(shop.Calls()) != 3 {
		t.Fatalf("got %+v after %d requests, want ok after 3: two products with variations, and the rest", o, len(shop.Calls()))
	}
	for i, r := range readings {
		if want := i != 1; r.Found != want || r.Found && r.Qty != 7*topics.One {
			t.Errorf("update %d: got %+v, want 7: %v", i, r, want)
		}
	}
	updates[0].Target.ProductID = "x"
	if r, o := s.(sinks.Reader).ReadBack(t.Context(), updates[:1]); o.Class != sinks.ClassOK || r[0].Found {
		t.Errorf("a product that is no number: got %+v, %+v, want not found", r, o)
	}
}

func TestCatalogue_TellsStatusAndWhoseStockItIs(t *testing.T) {
	shop, s := start(t)
	items := shop.Items()
	items[0].Status, items[1].Status, items[2].Untracked, items[3].SKU = "draft", "private", true, ""
	items[120].Note, items[121].Status = twinwoo.ManagedByParent, "private"
	shop.Put(items[0], items[1], items[2], items[3], items[120], items[121])
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	for i, want := range map[int]string{
		0: "inactive true 7 Plain 0", 1: "inactive true 7 Plain 1", 2: "active false <nil> Plain 2", 4: "active true 7 Plain 4",
		120: "active false 7 Thing No. 5000120", 121: "inactive true 7 Thing No. 5000121", 122: "active true 7 Thing No. 5000122",
	} {
		x := all[items[i].SKU][0]
		if got := fmt.Sprint(x.Status, " ", x.Tracked, " ", x.MarketplaceQty, " ", x.Title); got != want {
			t.Errorf("item %d: got %s, want %s", i, got, want)
		}
		if x.URL == "" {
			t.Errorf("item %d: got no address", i)
		}
	}
	if _, there := all[""]; there || len(all) != len(items)-1 {
		t.Errorf("got %d SKUs, want %d: one product has none", len(all), len(items)-1)
	}
}

// TestFind_LooksUpExactSKUs ensures that what the shop's database takes for equal is not, and that variations are found
// with their products.
func TestFind_LooksUpExactSKUs(t *testing.T) {
	shop, s := start(t)
	for i, sku := range []string{"a-1", "A-1", "A,1"} {
		shop.Put(twin.Item{ID: twin.ID{Product: fmt.Sprint(90 + i)}, SKU: sku, Status: "publish"})
	}
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Finder).Find(t.Context(), []string{"A-1", "A,1", "GONE", "", "SKU-120"}, found)
	})
	if len(all) != 2 || len(all["A-1"]) != 1 || all["SKU-120"][0].ProductID != "1120000" || all["SKU-120"][0].VariantID != "5000120" {
		t.Errorf("got %+v, want A-1 and the variation SKU-120", all)
	}
	before := len(shop.Calls())
	if err := s.(sinks.Finder).Find(t.Context(), []string{"A,1"}, nil); err != nil || len(shop.Calls()) != before {
		t.Errorf("only what can't be looked up: got %v, want no request", err)
	}
}

// TestCatalogue_NeedsToKnowHowMuchThereIs ensures that a proxy which strips the header does not make a short pass look
// complete.
func TestCatalogue_NeedsToKnowHowMuchThereIs(t *testing.T) {
	stub := conformance.StartStub(t, 200, `[]`)
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), secrets)
	if err != nil {
		t.Fatal(err)
	}
	err = s.(sinks.Cataloguer).Catalogue(t.Context(), func(topics.Listing) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "X-WP-Total") {
		t.Errorf("got %v, want that X-WP-Total is missing", err)
	}
	fields := strings.Split(stub.Seen()[0].URL.Query().Get("_fields"), ",")
	if !slices.Contains(fields, "manage_stock") || slices.Contains(fields, "description") {
		t.Errorf("got fields %q, want those that are of use and no others", fields)
	}
}
