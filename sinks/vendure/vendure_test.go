package vendure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/vendure"
	"stocksync/testenv/twin"
	twinvendure "stocksync/testenv/twin/vendure"
	"stocksync/topics"
)

// open opens a store with the adapter.
func open(t *testing.T, options string, secrets map[string]string) (sinks.Session, error) {
	t.Helper()
	return conformance.Open(t, vendure.Adapter{}, options, secrets)
}

// start returns a shop and a session in it.
func start(t *testing.T, cfg twinvendure.Config) (*twinvendure.Shop, sinks.Session) {
	t.Helper()
	shop := twinvendure.Start(t, cfg)
	s, err := open(t, string(shop.Options()), shop.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return shop, s
}

func TestOpen_ChecksOptionsAndCredentials(t *testing.T) {
	key := map[string]string{"api_key": "s3cr3t"}
	for _, tc := range []struct {
		options string
		secrets map[string]string
		want    string
	}{
		{`{"url":"https://shop.example/admin-api"}`, key, ""},
		{`{"url":"https://shop.example/admin-api","channel":"id"}`, map[string]string{"username": "u", "password": "s3cr3t"}, ""},
		{`{}`, key, "options.url"},
		{``, key, "options.url"},
		{`{"url":"ftp://s3cr3t.example"}`, key, "options.url"},
		{`{"url":7}`, key, "options"},
		{`{"url":"https://shop.example/admin-api"}`, nil, "neither api_key nor username and password"},
		{`{"url":"https://shop.example/admin-api"}`, map[string]string{"username": "u"}, "neither api_key"},
	} {
		_, err := open(t, tc.options, tc.secrets)
		if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || !strings.Contains(got, tc.want) && err != nil {
			t.Errorf("%s: got %s, want %q", tc.options, got, tc.want)
		} else if strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the error repeats what may be a secret: %s", tc.options, got)
		}
	}
}

// TestClassify_KnowsEveryCodeThatIsDocumented holds the table against the codes of Vendure's own errors (common/error)
// and of the Apollo server in it.
func TestClassify_KnowsEveryCodeThatIsDocumented(t *testing.T) {
	for code, want := range map[string]sinks.Class{
		"ENTITY_NOT_FOUND":              sinks.ClassNotFound,
		"USER_INPUT_ERROR":              sinks.ClassQuantity,
		"BAD_USER_INPUT":                sinks.ClassQuantity,
		"ILLEGAL_OPERATION":             sinks.ClassQuantity,
		"FORBIDDEN":                     sinks.ClassShopUnauthorised,
		"UNAUTHORIZED":                  sinks.ClassShopUnauthorised,
		"UNVERIFIED_EXTERNAL_EMAIL":     sinks.ClassShopUnauthorised,
		"CHANNEL_NOT_FOUND":             sinks.ClassConfig,
		"GRAPHQL_VALIDATION_FAILED":     sinks.ClassConfig,
		"GRAPHQL_PARSE_FAILED":          sinks.ClassConfig,
		"BAD_REQUEST":                   sinks.ClassConfig,
		"OPERATION_RESOLUTION_FAILURE":  sinks.ClassConfig,
		"PERSISTED_QUERY_NOT_FOUND":     sinks.ClassConfig,
		"PERSISTED_QUERY_NOT_SUPPORTED": sinks.ClassConfig,
		"INTERNAL_SERVER_ERROR":         sinks.ClassTransient,
	} {
		if got, ok := vendure.ClassOf(code); !ok {
			t.Errorf("%s is not classified", code)
		} else if got != want {
			t.Errorf("%s: got %s, want %s", code, got, want)
		}
	}
	if _, ok := vendure.ClassOf("NEW_CODE"); ok {
		t.Error("a code that nobody knows is classified")
	}
}

// TestPush_SendsLevelsByRisingID ensures the order by which two requests can't wait for each other.
func TestPush_SendsLevelsByRisingID(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	shop.Put(twin.Item{ID: twin.ID{Product: "9", Variant: "98"}, SKU: "SHORT", Levels: map[string]twin.Level{"1": {}}})
	updates := shop.Updates(3)
	short, _ := shop.Item(twin.ID{Product: "9", Variant: "98"})
	updates = append(updates, twin.Updates([]twin.Item{short})...)
	slices.Reverse(updates[:3])
	if r := s.Push(t.Context(), updates); r.Whole.Class != sinks.ClassOK {
		t.Fatalf("got %+v, want ok", r.Whole)
	}
	var body struct {
		Variables struct {
			Input []struct {
				ID          string
				StockLevels []struct {
					StockLocationID string
					StockOnHand     int
				}
			}
		}
	}
	call := shop.Calls()[0]
	if err := json.Unmarshal(call.Body, &body); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, in := range body.Variables.Input {
		ids = append(ids, in.ID)
	}
	if want := []string{"98", "5000000", "5000001", "5000002"}; !slices.Equal(ids, want) {
		t.Errorf("got ids %v, want %v", ids, want)
	}
	if got, want := fmt.Sprint(body.Variables.Input[3].StockLevels), "[{1 101} {2 1}]"; got != want {
		t.Errorf("got levels %s, want %s", got, want)
	}
}

// TestPush_GoesOnWithoutVariantsThatAreGone ensures that a variant which was deleted doesn't keep the others from
// their stock, although the shop refuses the whole mutation for it.
func TestPush_GoesOnWithoutVariantsThatAreGone(t *testing.T) {
	for name, gone := range map[string][]int{
		"none": nil, "the first": {0}, "the last": {7}, "two": {2, 5}, "three": {1, 2, 3}, "more than it tries": {0, 1, 2, 3, 4, 5},
		"all": {0, 1, 2, 3, 4, 5, 6, 7},
	} {
		t.Run(name, func(t *testing.T) {
			shop, s := start(t, twinvendure.Config{})
			updates := shop.Updates(8)
			for _, i := range gone {
				shop.Drop(twin.ID{Product: updates[i].Target.ProductID, Variant: updates[i].Target.VariantID})
			}
			r := s.Push(t.Context(), updates)
			for i := range updates {
				got, want := r.Items[i].Class, sinks.ClassOK
				if slices.Contains(gone, i) {
					want = sinks.ClassNotFound
				}
				if len(gone) > 3 && got == sinks.ClassTransient { // not tried again at once
					continue
				}
				if r.Whole.Class != sinks.ClassOK || got != want {
					t.Errorf("update %d: got %s (whole %s), want %s", i, got, r.Whole.Class, want)
				}
			}
		})
	}
}

func TestPush_ABodyThatIsTooLargeIsTransient(t *testing.T) {
	stub := conformance.StartStub(t, http.StatusInternalServerError, `{"statusCode":500,"message":"","path":"/admin-api"}`)
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"api_key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	u := sinks.Update{Target: topics.Target{VariantID: "1"}, Locations: []sinks.LocationQty{{LocationID: "1"}}}
	if r := s.Push(t.Context(), []sinks.Update{u}); r.Whole.Class != sinks.ClassTransient || !strings.Contains(r.Whole.Message, "too large") {
		t.Errorf("got %+v, want transient, which makes the next request smaller", r.Whole)
	}
}

// TestPush_FullBatchesFitTheServersLimit ensures that a batch of variants at several locations stays below the 100 kB
// that the server takes.
func TestPush_FullBatchesFitTheServersLimit(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	updates := shop.Updates(s.Traits().Batch)
	if r := s.Push(t.Context(), updates); r.Whole.Class != sinks.ClassOK {
		t.Fatalf("got %+v, want ok", r.Whole)
	}
	if n := len(shop.Calls()[0].Body); n > 50_000 {
		t.Errorf("a full batch weighs %d bytes, want far less than 100 kB", n)
	}
}

func TestPush_WithoutALocationIsTheStoresFault(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	updates := shop.Updates(2)
	updates[0].Locations = nil
	r := s.Push(t.Context(), updates)
	if r.Items[0].Class != sinks.ClassLocation || r.Items[1].Class != sinks.ClassOK {
		t.Errorf("got %+v, want location and ok", r.Items)
	}
	updates[1].Locations[0].LocationID = "77"
	if r := s.Push(t.Context(), updates[1:]); r.Whole.Class != sinks.ClassLocation {
		t.Errorf("an unknown location: got %+v, want location", r.Whole)
	}
}

// TestPush_TakesNumbersBelowZero ensures what a negative threshold asks for: to offer nothing, the number must be as
// far below zero.
func TestPush_TakesNumbersBelowZero(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	updates := shop.Updates(1)
	updates[0].Qty, updates[0].Locations = -5*topics.One, []sinks.LocationQty{{LocationID: "1", Qty: -5 * topics.One}}
	if r := s.Push(t.Context(), updates); r.Whole.Class != sinks.ClassOK || r.Items[0].Class != sinks.ClassOK {
		t.Errorf("got %+v, want ok", r)
	}
}

// TestReadings_TellWhatIsAllocatedAndHeldBack ensures both ways to a reading: the answer to a write, and a read.
func TestReadings_TellWhatIsAllocatedAndHeldBack(t *testing.T) {
	shop, s := start(t, twinvendure.Config{Threshold: 2 * topics.One})
	items := shop.Items()
	own := items[1]
	own.Threshold = -3 * topics.One
	shop.Put(own)
	shop.Allocate(items[0].ID, "1", 4*topics.One)
	shop.Allocate(items[0].ID, "2", topics.One)
	updates := shop.Updates(2)
	read, o := s.(sinks.Reader).ReadBack(t.Context(), updates)
	if o.Class != sinks.ClassOK {
		t.Fatalf("got %+v, want ok", o)
	}
	for i, want := range []string{
		"{true 14 5 2 [{1 7 4} {2 7 1}]}",
		"{true 14 0 -3 [{1 7 0} {2 7 0}]}",
	} {
		if got := fmt.Sprint(read[i]); got != want {
			t.Errorf("read %d: got %s, want %s", i, got, want)
		}
		updates[i].Read = &read[i]
	}
	written := s.Push(t.Context(), updates).Readings
	for i, want := range []string{
		"{true 100 5 2 [{1 99 4} {2 1 1}]}",
		"{true 101 0 -3 [{1 100 0} {2 1 0}]}",
	} {
		if got := fmt.Sprint(written[i]); got != want {
			t.Errorf("written %d: got %s, want %s", i, got, want)
		}
	}
	updates[0].Locations = nil
	if read, _ := s.(sinks.Reader).ReadBack(t.Context(), updates[:1]); read[0].Qty != 100*topics.One {
		t.Errorf("without locations: got %+v, want the sum over all", read[0])
	}
}

func TestCatalogue_TellsStatusAndTracking(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	items := shop.Items()
	items[0].Status, items[1].Untracked, items[2].SKU = twinvendure.Disabled, true, ""
	shop.Put(items[:3]...)
	shop.Allocate(items[3].ID, "1", topics.One)
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
	for i, want := range map[int]string{0: "inactive true 14 0 [1 2]", 1: "active false 14 0 [1 2]", 3: "active true 14 1 [1 2]"} {
		x := all[items[i].SKU][0]
		if got := fmt.Sprint(x.Status, " ", x.Tracked, " ", x.MarketplaceQty, " ", x.MarketplaceReserved, " ", x.Locations); got != want {
			t.Errorf("item %d: got %s, want %s", i, got, want)
		}
	}
	if _, there := all[""]; there || len(all) != len(items)-1 {
		t.Errorf("got %d SKUs, want %d: one variant has none", len(all), len(items)-1)
	}
}

func TestFind_LooksUpExactSKUs(t *testing.T) {
	shop, s := start(t, twinvendure.Config{})
	shop.Put(
		twin.Item{ID: twin.ID{Product: "1", Variant: "1"}, SKU: "a-1"}, twin.Item{ID: twin.ID{Product: "2", Variant: "2"}, SKU: "A-1"},
		twin.Item{ID: twin.ID{Product: "3", Variant: "3"}, SKU: " A-1"}, twin.Item{ID: twin.ID{Product: "4", Variant: "4"}, SKU: "A-1"},
	)
	all := conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Finder).Find(t.Context(), []string{"A-1", "GONE"}, found)
	})
	if len(all) != 1 || len(all["A-1"]) != 2 {
		t.Errorf("got %v, want two targets of A-1", all)
	}
}

// TestCatalogue_APassDuringWhichTheShopChangedIsNone ensures that a variant which moved to a page that was read
// already isn't taken for deleted.
func TestCatalogue_APassDuringWhichTheShopChangedIsNone(t *testing.T) {
	total := 500
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"data":{"productVariants":{"totalItems":%d,"items":[{"id":"1","sku":"A"}]},"globalSettings":{}}}`, total)
		total--
	}))
	defer server.Close()
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, server.URL), map[string]string{"api_key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.(sinks.Cataloguer).Catalogue(t.Context(), func(topics.Listing) error {
		t.Error("something was found")
		return nil
	})
	if !errors.Is(err, sinks.ErrMoved) {
		t.Errorf("got %v, want %v", err, sinks.ErrMoved)
	}
}

func TestRequests_NameTheChannel(t *testing.T) {
	stub := conformance.StartStub(t, 200, `{"data":{"productVariants":{"totalItems":0,"items":[]},"globalSettings":{}}}`)
	s, err := open(t, fmt.Sprintf(`{"url":%q,"channel":"jakarta"}`, stub.URL), map[string]string{"api_key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, o := s.(sinks.Reader).ReadBack(t.Context(), make([]sinks.Update, 1)); o.Class != sinks.ClassOK {
		t.Errorf("got %+v, want ok", o)
	}
	header := stub.Seen()[0].Header
	if got := header.Get("vendure-token") + " " + header.Get("vendure-api-key"); got != "jakarta k" {
		t.Errorf("got channel and key %q, want jakarta k", got)
	}
}

// TestSignIn_SaysWhyItFails ensures that a person learns what to mend.
func TestSignIn_SaysWhyItFails(t *testing.T) {
	user := `{"data":{"login":{"__typename":"CurrentUser","channels":[{"permissions":[%s]}]}}}`
	for name, tc := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"wrong password": {200, `{"data":{"login":{"__typename":"InvalidCredentialsError","errorCode":"INVALID_CREDENTIALS_ERROR","message":"no"}}}`, "shop_unauthorised INVALID_CREDENTIALS_ERROR"},
		"reads only":     {200, fmt.Sprintf(user, `"ReadProduct"`), "shop_unauthorised FORBIDDEN"},
		"no right":       {200, fmt.Sprintf(user, ``), "shop_unauthorised FORBIDDEN"},
		"writes":         {200, fmt.Sprintf(user, `"ReadProduct","UpdateProduct"`), "ok "},
		"everything":     {200, fmt.Sprintf(user, `"SuperAdmin"`), "ok "},
		"forbidden":      {200, `{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}],"data":null}`, "shop_unauthorised FORBIDDEN"},
		"bad input":      {200, `{"errors":[{"message":"no","extensions":{"code":"BAD_USER_INPUT"}}],"data":null}`, "shop_unauthorised BAD_USER_INPUT"},
		"a page":         {200, `<html>`, "transient bad_answer"},
		"no data":        {200, `{}`, "transient bad_answer"},
		"down":           {502, ``, "transient 502"},
		"throttled":      {429, ``, "throttle 429"},
		"not a shop":     {405, ``, "config 405"},
	} {
		t.Run(name, func(t *testing.T) {
			stub := conformance.StartStub(t, tc.status, tc.answer)
			stub.Header.Set("vendure-auth-token", "s3ss10n")
			s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"username": "u", "password": "p"})
			if err != nil {
				t.Fatal(err)
			}
			if o := s.(sinks.Refresher).Refresh(t.Context()); o.Class.String()+" "+o.Code != tc.want {
				t.Errorf("got %s %s, want %s", o.Class, o.Code, tc.want)
			}
		})
	}
	stub := conformance.StartStub(t, 200, fmt.Sprintf(user, `"SuperAdmin"`))
	s, err := open(t, fmt.Sprintf(`{"url":%q}`, stub.URL), map[string]string{"username": "u", "password": "p"})
	if err != nil {
		t.Fatal(err)
	}
	if o := s.(sinks.Refresher).Refresh(t.Context()); o.Class != sinks.ClassConfig || o.Code != "no_token" {
		t.Errorf("a shop with cookies only: got %+v, want config no_token", o)
	}
}
