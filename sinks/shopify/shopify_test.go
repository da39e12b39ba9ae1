package shopify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/shopify"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	twinshopify "stocksync/testenv/twin/shopify"
	"stocksync/topics"
)

var lasting = map[string]string{"access_token": "shpat_s3cr3t"}

// open opens a store with the adapter.
func open(t *testing.T, options string, secrets map[string]string) (sinks.Session, error) {
	t.Helper()
	return conformance.Open(t, shopify.Adapter{Tokens: token.NewSafe(t.TempDir())}, options, secrets)
}

// start returns a shop and a session in it.
func start(t *testing.T, cfg twinshopify.Config) (*twinshopify.Shop, sinks.Session) {
	t.Helper()
	shop := twinshopify.Start(t, cfg)
	s, err := open(t, string(shop.Options()), shop.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return shop, s
}

// stubbed returns a session in a shop that answers every request the same.
func stubbed(t *testing.T, status int, body string) (*conformance.Stub, sinks.Session) {
	t.Helper()
	stub := conformance.StartStub(t, status, body)
	s, err := open(t, fmt.Sprintf(`{"shop":"a.myshopify.com","url":%q}`, stub.URL), lasting)
	if err != nil {
		t.Fatal(err)
	}
	return stub, s
}

// one is an update of one item at one location.
func one(qty topics.Quantity) sinks.Update {
	return sinks.Update{
		SKU: "A", Qty: qty, Target: topics.Target{ProductID: "1", VariantID: "11"},
		Locations: []sinks.LocationQty{{LocationID: "71", Qty: qty}},
	}
}

func TestOpen_ChecksOptionsAndCredentials(t *testing.T) {
	shop := `{"shop":"a-1.myshopify.com"}`
	app := map[string]string{"client_id": "c", "client_secret": "s3cr3t"}
	for _, tc := range []struct {
		options string
		secrets map[string]string
		want    string
	}{
		{shop, lasting, ""},
		{`{"shop":"a.myshopify.com","api_version":"2026-10","url":"https://gateway.example/"}`, lasting, ""},
		{shop, app, ""},
		{shop, map[string]string{"client_id": "c", "client_secret": "s3cr3t", "access_token": "a", "refresh_token": "r"}, ""},
		{shop, map[string]string{"client_id": "c", "client_secret": "s3cr3t", "refresh_token": "r"}, ""},
		{`{}`, lasting, "options.shop"},
		{``, lasting, "options.shop"},
		{`{"shop":"shop.example"}`, lasting, "options.shop"},
		{`{"shop":"a.myshopify.com/admin"}`, lasting, "options.shop"},
		{`{"shop":"evil.example/x.myshopify.com"}`, lasting, "options.shop"},
		{`{"shop":"a.myshopify.com","api_version":"2026-01"}`, lasting, "options.api_version"},
		{`{"shop":"a.myshopify.com","api_version":"unstable"}`, lasting, "options.api_version"},
		{`{"shop":"a.myshopify.com","url":"ftp://s3cr3t.example"}`, lasting, "options.url"},
		{`{"shop":7}`, lasting, "options"},
		{shop, nil, "names neither"},
		{shop, map[string]string{"client_id": "c", "access_token": "s3cr3t", "refresh_token": "r"}, "names neither"},
		{shop, map[string]string{"client_id": "c"}, "names neither"},
	} {
		_, err := open(t, tc.options, tc.secrets)
		if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || !strings.Contains(got, tc.want) && err != nil {
			t.Errorf("%s: got %s, want %q", tc.options, got, tc.want)
		} else if strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the error repeats what may be a secret: %s", tc.options, got)
		}
	}
	granted := map[string]string{"client_id": "c", "client_secret": "s", "access_token": "a", "refresh_token": "r"}
	if _, err := conformance.Open(t, shopify.Adapter{}, shop, granted); !errors.Is(err, token.ErrNoPlace) {
		t.Errorf("no place for tokens: got %v, want %v", err, token.ErrNoPlace)
	}
}

// TestClassify_KnowsEveryCodeThatIsDocumented holds the table against InventorySetQuantitiesUserErrorCode of 2026-04 to
// 2026-10, its sibling for on-hand numbers, and the codes of requests.
func TestClassify_KnowsEveryCodeThatIsDocumented(t *testing.T) {
	for code, want := range map[string]sinks.Class{
		"CHANGE_FROM_QUANTITY_STALE":                   sinks.ClassTransient,
		"COMPARE_QUANTITY_REQUIRED":                    sinks.ClassConfig,
		"COMPARE_QUANTITY_STALE":                       sinks.ClassTransient,
		"IDEMPOTENCY_CONCURRENT_REQUEST":               sinks.ClassTransient,
		"IDEMPOTENCY_KEY_PARAMETER_MISMATCH":           sinks.ClassConfig,
		"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED":          sinks.ClassTransient,
		"INVALID_INVENTORY_ITEM":                       sinks.ClassNotFound,
		"INVALID_LOCATION":                             sinks.ClassLocation,
		"INVALID_NAME":                                 sinks.ClassConfig,
		"INVALID_QUANTITY_NEGATIVE":                    sinks.ClassQuantity,
		"INVALID_QUANTITY_TOO_HIGH":                    sinks.ClassQuantity,
		"INVALID_QUANTITY_TOO_LOW":                     sinks.ClassQuantity,
		"INVALID_REASON":                               sinks.ClassConfig,
		"INVALID_REFERENCE_DOCUMENT":                   sinks.ClassConfig,
		"ITEM_NOT_STOCKED_AT_LOCATION":                 sinks.ClassLocation,
		"NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": sinks.ClassConfig,
		"NON_MUTABLE_INVENTORY_ITEM":                   sinks.ClassNotEditable,
		"SERVICE_UNAVAILABLE":                          sinks.ClassTransient,
		"THROTTLED":                                    sinks.ClassThrottle,
		"ACCESS_DENIED":                                sinks.ClassConfig,
		"SHOP_INACTIVE":                                sinks.ClassShopUnauthorised,
		"INTERNAL_SERVER_ERROR":                        sinks.ClassTransient,
		"TIMEOUT":                                      sinks.ClassTransient,
		"MAX_COST_EXCEEDED":                            sinks.ClassConfig,
		"BAD_REQUEST":                                  sinks.ClassConfig,
		"INVALID_FIELD_ARGUMENTS":                      sinks.ClassConfig,
		"INVALID_VARIABLE":                             sinks.ClassConfig,
		"undefinedField":                               sinks.ClassConfig,
		"missingRequiredArguments":                     sinks.ClassConfig,
	} {
		if got, ok := shopify.ClassOf(code); !ok {
			t.Errorf("%s is not classified", code)
		} else if got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
	if _, ok := shopify.ClassOf("SOMETHING_NEW"); ok {
		t.Error("a code that nobody knows is classified")
	}
}

// TestClassify_KnowsEveryCodeOfTheReference lists the codes that the table leaves out or has in another class.
func TestClassify_KnowsEveryCodeOfTheReference(t *testing.T) {
	codes, n := regexp.MustCompile(`\b[A-Z]{4,}(_[A-Z]+)+\b`), 0
	for _, row := range conformance.Errors(t, "## 7.") {
		for _, code := range codes.FindAllString(row.Text, -1) {
			n++
			if got, ok := shopify.ClassOf(code); !ok || !slices.Contains(row.Classes, got) {
				t.Errorf("%s: got %s (%v), want one of %v", code, got, ok, row.Classes)
			}
		}
	}
	if n < 14 {
		t.Errorf("the reference has %d codes, want all of them", n)
	}
}

// request is a push as the shop gets it.
type request struct {
	Query     string
	Variables struct {
		Input struct {
			Name, Reason, ReferenceDocumentURI string
			Quantities                         []map[string]any
		}
	}
}

func pushes(t *testing.T, shop *twinshopify.Shop) []request {
	t.Helper()
	var all []request
	for _, c := range shop.Calls() {
		if c.Op != twin.OpPush {
			continue
		}
		var r request
		if err := json.Unmarshal(c.Body, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestPush_HoldsToTheRulesOf2026 ensures what a shop refuses a request without: a key in the document, another one each
// time, and changeFromQuantity on each row.
func TestPush_HoldsToTheRulesOf2026(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	updates := shop.Updates(2)
	updates[1].Read = &sinks.Reading{Found: true, Qty: 7 * topics.One}
	for range 2 {
		if r := s.Push(t.Context(), updates); r.Whole.Class != sinks.ClassOK || r.Items[0].Class != sinks.ClassOK {
			t.Fatalf("got %+v, want ok", r)
		}
		updates[1].Read.Qty = updates[1].Qty
	}
	sent := pushes(t, shop)
	keys := regexp.MustCompile(`@idempotent\(key:"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"\)`)
	first, second := keys.FindStringSubmatch(sent[0].Query), keys.FindStringSubmatch(sent[1].Query)
	if first == nil || second == nil || first[1] == second[1] {
		t.Errorf("got keys %v and %v, want two UUIDs", first, second)
	}
	in := sent[0].Variables.Input
	if in.Name != "available" || in.Reason != "correction" || in.ReferenceDocumentURI != "stocksync://push/"+first[1] {
		t.Errorf("got %+v, want available, a correction, with the key", in)
	}
	want := "[map[changeFromQuantity:<nil> inventoryItemId:gid://shopify/InventoryItem/5000000 locationId:gid://shopify/Location/71 quantity:100] " +
		"map[changeFromQuantity:7 inventoryItemId:gid://shopify/InventoryItem/5000001 locationId:gid://shopify/Location/71 quantity:101]]"
	if got := fmt.Sprint(in.Quantities); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := shop.Calls()[0].Target; got != "/admin/api/2026-04/graphql.json" {
		t.Errorf("got address %s", got)
	}
}

// TestPush_SetsOnlyWhatItComparedWith ensures that an order between reading and writing is not lost.
func TestPush_SetsOnlyWhatItComparedWith(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	updates := shop.Updates(3)
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), updates)
	if o.Class != sinks.ClassOK {
		t.Fatalf("got %+v, want ok", o)
	}
	for i := range updates {
		updates[i].Read = &readings[i]
	}
	shop.Buy(shop.Items()[1].ID, 2)
	r := s.Push(t.Context(), updates)
	for i, want := range []string{"ok ", "transient CHANGE_FROM_QUANTITY_STALE", "ok "} {
		if got := r.Items[i].Class.String() + " " + r.Items[i].Code; strings.TrimSuffix(got, "200") != want {
			t.Errorf("update %d: got %s, want %s", i, got, want)
		}
	}
	if got, _ := shop.Shown(&updates[1]); got != 5*topics.One {
		t.Errorf("the shop shows %s of what was bought meanwhile, want 5", got)
	}
	if n := len(pushes(t, shop)); n != 2 {
		t.Errorf("got %d requests, want 2: the second without the one that is stale", n)
	}
}

// TestPush_KeepsToTheInputLimitWithSeveralLocations ensures that 250 elements are counted by rows, and that the rows of
// one item stay together.
func TestPush_KeepsToTheInputLimitWithSeveralLocations(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	for _, it := range shop.Items() {
		it.Levels = map[string]twin.Level{"71": {}, "72": {}}
		shop.Put(it)
	}
	updates := shop.Updates(250)
	updates[3].Locations = updates[3].Locations[:1] // 499 rows: 250 would cut an item in two
	updates[3].Qty = updates[3].Locations[0].Qty
	r := s.Push(t.Context(), updates)
	for i, o := range r.Items {
		if o.Class != sinks.ClassOK {
			t.Fatalf("update %d: got %+v, want ok", i, o)
		}
		if got, _ := shop.Shown(&updates[i]); got != updates[i].Qty {
			t.Errorf("update %d: the shop shows %s, want %s", i, got, updates[i].Qty)
		}
	}
	var sizes []int
	for _, p := range pushes(t, shop) {
		sizes = append(sizes, len(p.Variables.Input.Quantities))
	}
	if !slices.Equal(sizes, []int{249, 250}) {
		t.Errorf("got requests of %v rows, want 249 and 250", sizes)
	}
	shop.Inject(twin.Fault{Kind: twin.FaultThrottle, Skip: 1, RetryAfter: "3"})
	r = s.Push(t.Context(), updates)
	if r.Whole.Class != sinks.ClassOK || r.Items[0].Class != sinks.ClassOK || r.Items[249].Class != sinks.ClassThrottle ||
		r.RetryAfter != 3*time.Second {
		t.Errorf("the second request throttled: got %+v, %+v, %+v after %s", r.Whole, r.Items[0], r.Items[249], r.RetryAfter)
	}
}

func TestPush_NamesEachRowThatIsRefused(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	updates := shop.Updates(8)
	items := shop.Items()
	items[1].Note = twinshopify.Bundle
	shop.Put(items[1])
	shop.Drop(items[2].ID)
	updates[3].Locations = []sinks.LocationQty{{LocationID: "72", Qty: updates[3].Qty}}
	updates[4].Locations = []sinks.LocationQty{{LocationID: "99", Qty: updates[4].Qty}}
	updates[5].Locations = nil
	updates[6].Locations = []sinks.LocationQty{{LocationID: "Jakarta", Qty: updates[6].Qty}}
	updates[7].Target.VariantID = "A-1"
	r := s.Push(t.Context(), updates)
	for i, want := range []string{
		"ok", "not_editable", "not_found", "location", "location", "location", "location", "not_found",
	} {
		if got := r.Items[i].Class.String(); r.Whole.Class != sinks.ClassOK || got != want {
			t.Errorf("update %d: got %s (%s), want %s", i, got, r.Items[i].Code, want)
		}
	}
	if got, _ := shop.Shown(&updates[0]); got != updates[0].Qty {
		t.Errorf("the shop shows %s, want %s", got, updates[0].Qty)
	}
}

// TestPush_BelievesOnlyChangesThatFit ensures that an answer about something else, or about another number, is no
// success.
func TestPush_BelievesOnlyChangesThatFit(t *testing.T) {
	const here = `"item":{"id":"gid://shopify/InventoryItem/11"},"location":{"id":"gid://shopify/Location/71"}`
	for name, tc := range map[string]struct {
		group, errors string
		read          bool
		want          string
	}{
		"a change":                     {`{"changes":[{"name":"available","quantityAfterChange":null,` + here + `}]}`, `[]`, true, "ok"},
		"with its number":              {`{"changes":[{"name":"available","quantityAfterChange":3,` + here + `},{"name":"on_hand",` + here + `}]}`, `[]`, true, "ok"},
		"another number":               {`{"changes":[{"name":"available","quantityAfterChange":4,` + here + `}]}`, `[]`, false, "transient not_applied"},
		"no change, and none was read": {`null`, `[]`, false, "ok"},
		"no change of another number":  {`null`, `[]`, true, "transient not_applied"},
		"something else":               {`{"changes":[{"name":"available","item":{"id":"gid://shopify/InventoryItem/12"},"location":{"id":"gid://shopify/Location/71"}}]}`, `[]`, false, "transient bad_answer"},
		"a row":                        {`null`, `[{"code":"INVALID_LOCATION","message":"m","field":["input","quantities","0","locationId"]}]`, false, "location INVALID_LOCATION"},
		"a row that isn't there":       {`null`, `[{"code":"INVALID_LOCATION","message":"m","field":["input","quantities","7"]}]`, false, "location INVALID_LOCATION"},
		"no row":                       {`null`, `[{"code":"INVALID_REASON","message":"m","field":["input","reason"]}]`, false, "config INVALID_REASON"},
		"no path":                      {`null`, `[{"code":null,"message":"m","field":null}]`, false, "transient"},
	} {
		_, s := stubbed(t, 200, `{"data":{"inventorySetQuantities":{"inventoryAdjustmentGroup":`+tc.group+`,"userErrors":`+tc.errors+`}}}`)
		u := one(3 * topics.One)
		if tc.read {
			u.Read = &sinks.Reading{Found: true, Qty: topics.One}
		}
		r := s.Push(t.Context(), []sinks.Update{u})
		o := r.Whole
		if o.Class == sinks.ClassOK {
			o = r.Items[0]
		}
		if got := strings.TrimSpace(o.Class.String() + " " + strings.TrimPrefix(o.Code, "200")); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestPush_TellsPointsAndHowLongToWait(t *testing.T) {
	const points = `"extensions":{"cost":{"requestedQueryCost":40,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":10,"restoreRate":10}}}`
	_, s := stubbed(t, 200, `{"data":{"inventorySetQuantities":{"userErrors":[]}},`+points+`}`)
	r := s.Push(t.Context(), []sinks.Update{one(topics.One)})
	if want := (sinks.Bucket{Cost: 40, Available: 10, Maximum: 2000, Restore: 10}); r.Bucket != want || r.RetryAfter != 0 {
		t.Errorf("got %+v and a wait of %s, want %+v and none", r.Bucket, r.RetryAfter, want)
	}
	_, s = stubbed(t, 200, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],`+points+`}`)
	r = s.Push(t.Context(), []sinks.Update{one(topics.One)})
	if r.Whole.Class != sinks.ClassThrottle || r.RetryAfter != 3*time.Second || r.Bucket.Available != 10 {
		t.Errorf("got %+v, %s, %+v, want throttle for 3 s: 30 points are missing, 10 come each second", r.Whole, r.RetryAfter, r.Bucket)
	}
}

// TestPush_ABucketThatIsEmptyIsThrottled ensures both sides of the points by the twin's own reckoning.
func TestPush_ABucketThatIsEmptyIsThrottled(t *testing.T) {
	shop, s := start(t, twinshopify.Config{Maximum: 100, Restore: 1})
	shop.Drain(15, shop.Now())
	updates := shop.Updates(1)
	if r := s.Push(t.Context(), updates); r.Whole.Class != sinks.ClassOK || r.Bucket.Cost < 10 {
		t.Errorf("got %+v, %+v, want ok, and what it cost", r.Whole, r.Bucket)
	}
	r := s.Push(t.Context(), updates)
	if r.Whole.Class != sinks.ClassThrottle || r.RetryAfter < time.Second || r.RetryAfter > time.Minute {
		t.Errorf("got %+v after %s, want throttle for some seconds", r.Whole, r.RetryAfter)
	}
}

func TestPush_ClassifiesStatuses(t *testing.T) {
	for status, want := range map[int]string{
		400: "config", 401: "shop_unauthorised", 402: "shop_unauthorised", 403: "shop_unauthorised", 404: "config",
		406: "config", 422: "config", 423: "shop_unauthorised", 429: "throttle", 430: "throttle", 500: "transient",
		502: "transient", 503: "transient", 504: "transient", 301: "config",
	} {
		_, s := stubbed(t, status, `{"errors":"why"}`)
		r := s.Push(t.Context(), []sinks.Update{one(topics.One)})
		if got := r.Whole.Class.String(); got != want || r.Whole.Message != "why" {
			t.Errorf("%d: got %s (%s), want %s", status, got, r.Whole.Message, want)
		}
	}
}

// TestCatalogue_TellsStatusTrackingAndLocations ensures that what is switched off is found, and where stock is kept.
func TestCatalogue_TellsStatusTrackingAndLocations(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	items := shop.Items()
	items[0].Status, items[1].Status, items[2].Status = "DRAFT", "ARCHIVED", "UNLISTED"
	items[3].Untracked = true
	items[4].Levels = map[string]twin.Level{"71": {Qty: topics.One}, "72": {Qty: 2 * topics.One}}
	items[5].Levels = map[string]twin.Level{"none": {}}
	items[6].SKU = ""
	shop.Put(items[:7]...)
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	for i, want := range map[int]string{
		0: "inactive true [71] 7", 1: "archived true [71] 7", 2: "active true [71] 7", 3: "active false [71] 7",
		4: "active true [71 72] 3", 5: "active true [] 0", 7: "active true [71] 7",
	} {
		x := all[items[i].SKU][0]
		if got := fmt.Sprint(x.Status, " ", x.Tracked, " ", x.Locations, " ", x.MarketplaceQty); got != want {
			t.Errorf("item %d: got %s, want %s", i, got, want)
		}
	}
	if x := all[items[7].SKU][0]; x.Title != "Thing 7" || !strings.HasSuffix(x.URL, "/products/"+x.ProductID) {
		t.Errorf("got title %q at %s", x.Title, x.URL)
	}
	if len(all) != len(items)-1 {
		t.Errorf("got %d SKUs, want %d: one variant has none", len(all), len(items)-1)
	}
}

// TestCatalogue_BeginsAnewBeforeTheEndOfPaging ensures that a long list is seen whole, though Shopify ends it.
func TestCatalogue_BeginsAnewBeforeTheEndOfPaging(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	shop.Fill(900, 100, "ACTIVE", "71")
	shopify.SetWindow(s, 400)
	n := len(shop.Items())
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if len(all) != n {
		t.Errorf("got %d SKUs, want %d", len(all), n)
	}
	anew := 0
	for _, c := range shop.Calls() {
		if strings.Contains(string(c.Body), `"query":"id:\u003e=`) {
			anew++
		}
	}
	if anew == 0 || anew == len(shop.Calls()) {
		t.Errorf("the list was begun anew for %d of %d requests, want some", anew, len(shop.Calls()))
	}
}

// TestPages_ShrinkWhenTheShopCountsOtherwise ensures that another price of a query makes it smaller and not impossible.
func TestPages_ShrinkWhenTheShopCountsOtherwise(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	dear := func(op twin.Op) {
		shop.Inject(twin.Fault{Kind: twin.FaultRefuse, Op: op, Count: 2, Refusal: twin.Refusal{Code: "MAX_COST_EXCEEDED", Whole: true}})
	}
	dear(twin.OpList)
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if n := len(shop.Items()); len(all) != n {
		t.Errorf("got %d SKUs, want %d", len(all), n)
	}
	dear(twin.OpRead)
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), shop.Updates(250))
	if o.Class != sinks.ClassOK || len(readings) != 250 || !readings[249].Found {
		t.Errorf("got %+v, %d readings, want all 250", o, len(readings))
	}
}

func TestFind_LooksUpExactSKUs(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	for i, sku := range []string{"a-1", "A-1", `odd "\ sku`, " A-1"} {
		shop.Put(twin.Item{
			ID: twin.ID{Product: "1", Variant: fmt.Sprint(i + 1)}, SKU: sku, Status: "ACTIVE", Levels: map[string]twin.Level{"71": {}},
		})
	}
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Finder).Find(t.Context(), []string{"A-1", `odd "\ sku`, "GONE"}, found)
	})
	if len(all) != 2 || len(all["A-1"]) != 1 || len(all[`odd "\ sku`]) != 1 {
		t.Errorf("got %v, want A-1 and the odd one", all)
	}
	before := len(shop.Calls())
	if err := s.(sinks.Finder).Find(t.Context(), nil, nil); err != nil || len(shop.Calls()) != before {
		t.Errorf("looking for nothing: got %v, want no request", err)
	}
}

func TestReadBack_ReadsEachLocation(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	items := shop.Items()
	items[0].Levels = map[string]twin.Level{"71": {Qty: 4 * topics.One}, "72": {Qty: -topics.One}}
	shop.Put(items[0])
	updates := shop.Updates(3)
	updates[0].Locations = []sinks.LocationQty{{LocationID: "gid://shopify/Location/72"}, {LocationID: "71"}}
	updates[1].Locations = []sinks.LocationQty{{LocationID: "72"}}
	updates[2].Target.VariantID = "A-1"
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), updates)
	want := "[{true 3 0 0 [{gid://shopify/Location/72 -1 0} {71 4 0}]} {true 0 0 0 [{72 0 0}]} {false 0 0 0 []}]"
	if got := fmt.Sprint(readings); o.Class != sinks.ClassOK || got != want {
		t.Errorf("got  %s, %+v\nwant %s", got, o, want)
	}
	for body, code := range map[string]string{
		`{"data":{"nodes":[]}}`: "bad_answer",
		`{"data":{"nodes":[{"id":"gid://shopify/InventoryItem/12"}]}}`: "bad_answer",
		`{"data":{"nodes":7}}`: "bad_answer",
	} {
		_, s := stubbed(t, 200, body)
		if _, o := s.(sinks.Reader).ReadBack(t.Context(), []sinks.Update{one(0)}); o.Class != sinks.ClassTransient || o.Code != code {
			t.Errorf("%s: got %+v, want transient %s", body, o, code)
		}
	}
}

// TestRefresh_SaysWhyItFails ensures that a shop which took its consent back is told from a fault of ours.
func TestRefresh_SaysWhyItFails(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"a token":          {200, `{"access_token":"t","expires_in":86399}`, "ok"},
		"no token":         {200, `{}`, "transient bad_answer"},
		"a page":           {200, `<html>`, "transient bad_answer"},
		"unknown client":   {400, `{"error":"invalid_client","error_description":"no"}`, "config invalid_client"},
		"not installed":    {400, `{"error":"shop_not_permitted","error_description":"no"}`, "shop_unauthorised shop_not_permitted"},
		"refused":          {401, `{"error":"invalid_grant"}`, "shop_unauthorised invalid_grant"},
		"a page of no":     {403, `<html>`, "shop_unauthorised 403"},
		"no such shop":     {404, `<html>`, "config 404"},
		"throttled":        {429, ``, "throttle 429"},
		"looks malicious":  {430, ``, "throttle 430"},
		"down for a while": {503, ``, "transient 503"},
	} {
		stub := conformance.StartStub(t, tc.status, tc.body)
		s, err := open(t, fmt.Sprintf(`{"shop":"a.myshopify.com","url":%q}`, stub.URL), map[string]string{"client_id": "c", "client_secret": "s"})
		if err != nil {
			t.Fatal(err)
		}
		o := s.(sinks.Refresher).Refresh(t.Context())
		if got := strings.TrimSpace(o.Class.String() + " " + strings.TrimPrefix(o.Code, "200")); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
		if r := stub.Seen()[0]; r.URL.Path != "/admin/oauth/access_token" || r.Method != http.MethodPost {
			t.Errorf("%s: got %s %s", name, r.Method, r.URL.Path)
		}
	}
	_, s := stubbed(t, 200, `{}`)
	if _, renews := s.(sinks.Refresher); renews {
		t.Error("a token that lasts can be refreshed")
	}
}

func TestPush_AContextThatEndsIsTransient(t *testing.T) {
	shop, s := start(t, twinshopify.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.Push(ctx, shop.Updates(1)); r.Whole.Class != sinks.ClassTransient || r.RequestID == "" {
		t.Errorf("got %+v, want transient, with an id", r)
	}
}
