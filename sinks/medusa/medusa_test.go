package medusa_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/medusa"
	"stocksync/testenv/twin"
	twinmedusa "stocksync/testenv/twin/medusa"
	"stocksync/topics"
)

// open opens a store with the adapter.
func open(t *testing.T, options string, secrets map[string]string) (sinks.Session, error) {
	t.Helper()
	return conformance.Open(t, medusa.Adapter{}, options, secrets)
}

// start returns a shop and a session in it.
func start(t *testing.T) (*twinmedusa.Shop, sinks.Session) {
	t.Helper()
	shop := twinmedusa.Start(t, twinmedusa.Config{})
	s, err := open(t, string(shop.Options()), shop.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return shop, s
}

func TestOpen_ChecksOptionsAndCredentials(t *testing.T) {
	key := map[string]string{"secret_key": "s3cr3t"}
	for _, tc := range []struct {
		options string
		secrets map[string]string
		want    string
	}{
		{`{"url":"https://shop.example"}`, key, ""},
		{`{"url":"https://shop.example/base/"}`, map[string]string{"email": "e", "password": "s3cr3t"}, ""},
		{`{}`, key, "options.url"},
		{``, key, "options.url"},
		{`{"url":"ftp://s3cr3t.example"}`, key, "options.url"},
		{`{"url":"https://shop.example?key=s3cr3t"}`, key, "options.url has a query"},
		{`{"url":7}`, key, "options"},
		{`{"url":"https://shop.example"}`, nil, "neither secret_key nor email and password"},
		{`{"url":"https://shop.example"}`, map[string]string{"email": "e"}, "neither secret_key"},
	} {
		_, err := open(t, tc.options, tc.secrets)
		if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || !strings.Contains(got, tc.want) && err != nil {
			t.Errorf("%s: got %s, want %q", tc.options, got, tc.want)
		} else if strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the error repeats what may be a secret: %s", tc.options, got)
		}
	}
}

// TestClassify_KnowsEveryTypeThatIsDocumented holds the table against MedusaErrorTypes (@medusajs/utils) and the
// names that the framework's error handler knows beside them.
func TestClassify_KnowsEveryTypeThatIsDocumented(t *testing.T) {
	for kind, want := range map[string]sinks.Class{
		"not_found":                       sinks.ClassNotFound,
		"invalid_data":                    sinks.ClassQuantity,
		"not_allowed":                     sinks.ClassNotEditable,
		"unauthorized":                    sinks.ClassShopUnauthorised,
		"forbidden":                       sinks.ClassShopUnauthorised,
		"invalid_argument":                sinks.ClassConfig,
		"duplicate_error":                 sinks.ClassConfig,
		"unknown_modules":                 sinks.ClassConfig,
		"payment_authorization_error":     sinks.ClassConfig,
		"payment_requires_more_error":     sinks.ClassConfig,
		"conflict":                        sinks.ClassTransient,
		"database_error":                  sinks.ClassTransient,
		"unexpected_state":                sinks.ClassTransient,
		"QueryRunnerAlreadyReleasedError": sinks.ClassTransient,
		"TransactionAlreadyStartedError":  sinks.ClassTransient,
		"TransactionNotStartedError":      sinks.ClassTransient,
	} {
		if got, ok := medusa.ClassOf(kind); !ok {
			t.Errorf("%s is not classified", kind)
		} else if got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
	if _, ok := medusa.ClassOf("new_type"); ok {
		t.Error("a type that nobody knows is classified")
	}
}

// TestPush_ClassifiesByStatusWhereTheBodySaysLess ensures that answers of what is before the shop, and of the parts of
// the shop that say no type, are not lost.
func TestPush_ClassifiesByStatusWhereTheBodySaysLess(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"too large":         {413, `{"message":"request entity too large","type":"unknown_error"}`, "quantity unknown_error"},
		"key as bearer":     {401, `{"message":"A secret API key was passed as a Bearer token. Use Basic."}`, "shop_unauthorised 401"},
		"unknown failure":   {500, `{"code":"unknown_error","message":"An unknown error occurred.","type":"unknown_error"}`, "transient unknown_error"},
		"failing not found": {500, `{"message":"gone","type":"not_found"}`, "transient not_found"},
		"invalid argument":  {500, `{"message":"no","type":"invalid_argument"}`, "config invalid_argument"},
		"not its address":   {404, `<!DOCTYPE html><pre>Cannot POST /admin</pre>`, "transient 404"},
		"down":              {502, `<html>`, "transient 502"},
		"throttled":         {429, ``, "throttle 429"},
		"a page":            {200, `<html>`, "transient bad_answer"},
		"nothing updated":   {200, `{"created":[],"updated":[]}`, "transient no_result"},
		"another number":    {200, `{"updated":[{"inventory_item_id":"iitem_1","location_id":"l","stocked_quantity":4}]}`, "transient not_applied"},
		"updated":           {200, `{"updated":[{"inventory_item_id":"iitem_1","location_id":"l","stocked_quantity":3,"reserved_quantity":1,"available_quantity":99}]}`, "ok "},
	} {
		stub := conformance.StartStub(t, tc.status, tc.body)
		s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL+"/"), map[string]string{"secret_key": "sk"})
		if err != nil {
			t.Fatal(err)
		}
		r := s.Push(t.Context(), []sinks.Update{{
			Qty: 3 * topics.One, Target: topics.Target{VariantID: "iitem_1"},
			Locations: []sinks.LocationQty{{LocationID: "l", Qty: 3 * topics.One}},
		}})
		o := r.Whole
		if o.Class == sinks.ClassOK {
			o = r.Items[0]
		}
		if got := o.Class.String() + " " + o.Code; got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
		if tc.want == "ok " && fmt.Sprint(r.Readings[0]) != "{true 3 1 0 [{l 3 1}]}" {
			t.Errorf("%s: got reading %+v, want 3 of which 1 is reserved", name, r.Readings[0])
		}
		user, password, _ := stub.Seen()[0].BasicAuth()
		if got := stub.Seen()[0].Method + " " + stub.Seen()[0].URL.String() + " " + user + " " + password; got !=
			"POST /admin/inventory-items/location-levels/batch sk " {
			t.Errorf("%s: got request %q", name, got)
		}
	}
}

// TestPush_GoesOnWithoutWhatIsGone ensures that items and levels which are not there don't keep the others from their
// stock, and that each gets its own reason.
func TestPush_GoesOnWithoutWhatIsGone(t *testing.T) {
	shop, s := start(t)
	updates := shop.Updates(6)
	for _, i := range []int{1, 4} {
		shop.Drop(twin.ID{Product: updates[i].Target.ProductID, Variant: updates[i].Target.VariantID})
	}
	updates[2].Locations[1].LocationID = "sloc_NOPE"
	moved, _ := shop.Item(twin.ID{Product: updates[3].Target.ProductID, Variant: updates[3].Target.VariantID})
	delete(moved.Levels, "sloc_B")
	shop.Put(moved)
	updates[5].Locations = nil
	r := s.Push(t.Context(), updates)
	want := []sinks.Class{
		sinks.ClassOK, sinks.ClassNotFound, sinks.ClassLocation, sinks.ClassLocation, sinks.ClassNotFound, sinks.ClassLocation,
	}
	for i := range updates {
		if got := r.Items[i].Class; r.Whole.Class != sinks.ClassOK || got != want[i] {
			t.Errorf("update %d: got %s (%s; whole %s), want %s", i, got, r.Items[i].Message, r.Whole.Class, want[i])
		}
	}
	if got, _ := shop.Shown(&updates[0]); got != updates[0].Qty {
		t.Errorf("the shop shows %s, want %s", got, updates[0].Qty)
	}
	shop.Inject(twin.Fault{Kind: twin.FaultUnavailable, Op: twin.OpRead})
	if r := s.Push(t.Context(), updates[:2]); r.Items[1].Class != sinks.ClassTransient {
		t.Errorf("a look-up that fails: got %+v, want transient", r.Items[1])
	}
}

func TestReadings_TellWhatIsReserved(t *testing.T) {
	shop, s := start(t)
	items := shop.Items()
	shop.Reserve(items[0].ID, "sloc_A", 4*topics.One)
	shop.Reserve(items[0].ID, "sloc_B", topics.One)
	updates := shop.Updates(1)
	read, o := s.(sinks.Reader).ReadBack(t.Context(), updates)
	if got, want := fmt.Sprint(read), "[{true 14 5 0 [{sloc_A 7 4} {sloc_B 7 1}]}]"; o.Class != sinks.ClassOK || got != want {
		t.Errorf("read: got %s, want %s", got, want)
	}
	written := s.Push(t.Context(), updates).Readings
	if got, want := fmt.Sprint(written), "[{true 100 5 0 [{sloc_A 99 4} {sloc_B 1 1}]}]"; got != want {
		t.Errorf("written: got %s, want %s", got, want)
	}
	updates[0].Locations = []sinks.LocationQty{{LocationID: "sloc_C"}}
	if read, _ := s.(sinks.Reader).ReadBack(t.Context(), updates); read[0].Qty != 0 || !read[0].Found {
		t.Errorf("a location without a level: got %+v, want nothing there", read[0])
	}
	updates[0].Locations = nil
	if read, _ := s.(sinks.Reader).ReadBack(t.Context(), updates); read[0].Qty != 100*topics.One {
		t.Errorf("without locations: got %+v, want the sum over all", read[0])
	}
}

func TestCatalogue_TellsStatusAndTracking(t *testing.T) {
	shop, s := start(t)
	items := shop.Items()
	items[0].Status, items[1].Untracked, items[2].SKU = "draft", true, ""
	items[3].Status, items[4].Status = "rejected", "proposed"
	shop.Put(items[:5]...)
	lone := twin.Item{ID: twin.ID{Product: "iitem_9", Variant: "iitem_9"}, SKU: "LONE", Levels: map[string]twin.Level{"sloc_A": {Qty: topics.One}}}
	shop.Put(lone)
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	for i, want := range map[int]string{
		0: "inactive true 14 0 [sloc_A sloc_B] Thing 0 One", 1: "active false 14 0 [sloc_A sloc_B] Thing 1 One",
		3: "banned true 14 0 [sloc_A sloc_B] Thing 3 One", 4: "inactive true 14 0 [sloc_A sloc_B] Thing 4 One",
	} {
		if got := describe(&all[items[i].SKU][0]); got != want {
			t.Errorf("item %d: got %s, want %s", i, got, want)
		}
	}
	if got, want := describe(&all["LONE"][0]), "inactive true 1 0 [sloc_A] "; got != want {
		t.Errorf("an item without a variant: got %s, want %s", got, want)
	}
	if _, there := all[""]; there || len(all) != len(items) {
		t.Errorf("got %d SKUs, want %d: one item has none", len(all), len(items))
	}
}

func describe(x *topics.Target) string {
	return fmt.Sprint(x.Status, " ", x.Tracked, " ", x.MarketplaceQty, " ", x.MarketplaceReserved, " ", x.Locations, " ", x.Title)
}

// TestCatalogue_AnItemOfSeveralVariantsIsOnSaleWhenOneIs ensures that a draft which shares its stock with something
// published doesn't hide it.
func TestCatalogue_AnItemOfSeveralVariantsIsOnSaleWhenOneIs(t *testing.T) {
	stub := conformance.StartStub(t, http.StatusOK, `{"count":1,"inventory_items":[{"id":"iitem_1","sku":"A","title":"t","location_levels":[],"variants":[
		{"id":"v1","title":"one","manage_inventory":false,"product":{"id":"p1","title":"P1","status":"draft"}},
		{"id":"v2","title":"two","manage_inventory":true,"product":{"id":"p2","title":"P2","status":"published"}},
		{"id":"v3","title":"three","manage_inventory":false,"product":{"id":"p3","title":"P3","status":"rejected"}}]}]}`)
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"secret_key": "sk"})
	if err != nil {
		t.Fatal(err)
	}
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if x := all["A"][0]; x.ProductID != "p2" || x.VariantID != "iitem_1" || describe(&x) != "active true 0 0 [] P2 two" {
		t.Errorf("got %+v, want the published one", x)
	}
}

// TestCatalogue_ALinkThatLeadsNowhereIsNone ensures that what is left of a variant that was deleted doesn't hide its item.
func TestCatalogue_ALinkThatLeadsNowhereIsNone(t *testing.T) {
	stub := conformance.StartStub(t, http.StatusOK, `{"count":1,"inventory_items":[{"id":"iitem_1","sku":"A","title":"t","location_levels":[],
		"variants":[null,{"id":"v1","title":"one","manage_inventory":true,"product":null}]}]}`)
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"secret_key": "sk"})
	if err != nil {
		t.Fatal(err)
	}
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	if len(all["A"]) != 1 || all["A"][0].ProductID != "iitem_1" || describe(&all["A"][0]) != "inactive true 0 0 [] t" {
		t.Errorf("got %+v, want the item by itself", all["A"])
	}
}

func TestFind_LooksUpExactSKUs(t *testing.T) {
	shop, s := start(t)
	for i, sku := range []string{"a-1", "A-1", " A-1"} {
		id := fmt.Sprint("iitem_", i)
		shop.Put(twin.Item{ID: twin.ID{Product: "p", Variant: id}, SKU: sku, Levels: map[string]twin.Level{"sloc_A": {}}})
	}
	find := func(skus ...string) []string {
		all := conformance.Listed(t, func(found func(topics.Listing) error) error {
			return s.(sinks.Finder).Find(t.Context(), skus, found)
		})
		var got []string
		for sku := range all {
			got = append(got, sku)
		}
		slices.Sort(got)
		return got
	}
	if got := find("A-1", "GONE", "SKU-3"); !slices.Equal(got, []string{"A-1", "SKU-3"}) {
		t.Errorf("got %q, want A-1 and SKU-3", got)
	}
	before := len(shop.Calls())
	if got := find(); len(got) > 0 || len(shop.Calls()) != before {
		t.Errorf("looking for nothing: got %q, want no request", got)
	}
}

func TestSignIn_SaysWhyItFails(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"wrong password": {401, `{"type":"unauthorized","message":"Invalid email or password"}`, "shop_unauthorised unauthorized"},
		"no such way":    {404, `{"type":"not_found","message":"Unable to retrieve the auth provider"}`, "shop_unauthorised not_found"},
		"token":          {200, `{"token":"t0ken"}`, "ok "},
		"no token":       {200, `{}`, "transient bad_answer"},
		"a page":         {200, `<html>`, "transient bad_answer"},
		"down":           {503, ``, "transient 503"},
		"throttled":      {429, ``, "throttle 429"},
		"moved":          {301, ``, "config 301"},
	} {
		stub := conformance.StartStub(t, tc.status, tc.body)
		s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"email": "e", "password": "p"})
		if err != nil {
			t.Fatal(err)
		}
		if o := s.(sinks.Refresher).Refresh(t.Context()); o.Class.String()+" "+strings.TrimPrefix(o.Code, "200") != tc.want {
			t.Errorf("%s: got %s %s, want %s", name, o.Class, o.Code, tc.want)
		}
	}
}
