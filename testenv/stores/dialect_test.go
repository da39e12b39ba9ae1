package stores_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/medusa"
	"stocksync/sinks/vendure"
	"stocksync/testenv/stores"
	"stocksync/topics"
)

// openReal returns a session in a real shop.
func openReal(t *testing.T, a sinks.Adapter, shop stores.Till) sinks.Session {
	t.Helper()
	s, err := conformance.Open(t, a, shop.Options(), shop.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// catalogueOf runs a pass.
func catalogueOf(t *testing.T, s sinks.Session) map[string][]topics.Target {
	t.Helper()
	return conformance.Listed(t, func(found func(topics.Listing) error) error {
		return s.(sinks.Cataloguer).Catalogue(t.Context(), found)
	})
}

// foundSKUs looks SKUs up and returns those that are there.
func foundSKUs(t *testing.T, s sinks.Session, skus ...string) []string {
	t.Helper()
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

// wantClasses pushes and checks the class of each update.
func wantClasses(t *testing.T, s sinks.Session, updates []sinks.Update, want ...sinks.Class) sinks.Reply {
	t.Helper()
	r := s.Push(t.Context(), updates)
	for i, class := range want {
		o := r.Whole
		if o.Class == sinks.ClassOK {
			o = r.Items[i]
		}
		if o.Class != class {
			t.Errorf("update %d: got %s (%s: %s), want %s", i, o.Class, o.Code, o.Message, class)
		}
	}
	return r
}

// wantReading reads one target back.
func wantReading(t *testing.T, s sinks.Session, u sinks.Update, want string) {
	t.Helper()
	readings, o := s.(sinks.Reader).ReadBack(t.Context(), []sinks.Update{u})
	if o.Class != sinks.ClassOK || fmt.Sprint(readings[0]) != want {
		t.Errorf("got %v, %+v, want %s", readings, o, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tryVendure holds what the adapter takes for granted against the shop itself.
func tryVendure(t *testing.T, shop *stores.Vendure) {
	s := openReal(t, vendure.Adapter{}, shop)
	variants, err := shop.Variants(t.Context())
	must(t, err)
	at := func(i int, qty topics.Quantity) sinks.Update {
		return updateAt(variants[i].SKU, "", variants[i].ID, "1", qty)
	}
	t.Run("catalogue", func(t *testing.T) {
		off, twice, near := variants[10], variants[11], variants[12]
		must(t, shop.Change(t.Context(), off.ID, map[string]any{"enabled": false}))
		must(t, shop.Change(t.Context(), twice.ID, map[string]any{"sku": variants[13].SKU}))
		must(t, shop.Change(t.Context(), near.ID, map[string]any{"sku": " " + variants[13].SKU}))
		all := catalogueOf(t, s)
		if got := len(all); got != len(variants)-1 {
			t.Errorf("got %d SKUs of %d variants, of which two share one", got, len(variants))
		}
		if x := all[off.SKU][0]; x.Status != topics.TargetInactive || x.VariantID != off.ID || !slices.Equal(x.Locations, []string{"1"}) {
			t.Errorf("switched off: got %+v, want it inactive, at location 1", x)
		}
		if x := all[variants[14].SKU][0]; x.Status != topics.TargetActive || !x.Tracked || x.Title != variants[14].Name {
			t.Errorf("got %+v, want it active and tracked", x)
		}
		if n := len(all[variants[13].SKU]); n != 2 {
			t.Errorf("got %d targets of a SKU on two variants, want 2", n)
		}
		got := foundSKUs(t, s, variants[13].SKU, "sku-0015", "GONE", variants[15].SKU)
		if want := []string{variants[13].SKU, variants[15].SKU}; !slices.Equal(got, want) {
			t.Errorf("looked up: got %q, want %q: case and spaces count", got, want)
		}
	})
	t.Run("what is allocated", func(t *testing.T) {
		_, err := shop.Order(t.Context(), variants[5].SKU, 3)
		must(t, err)
		wantReading(t, s, at(5, 0), "{true 100 3 0 [{1 100 3}]}")
		r := wantClasses(t, s, []sinks.Update{at(5, 50*topics.One)}, sinks.ClassOK)
		if got := fmt.Sprint(r.Readings); got != "[{true 50 3 0 [{1 50 3}]}]" {
			t.Errorf("after the write: got %s", got)
		}
		must(t, shop.Change(t.Context(), variants[5].ID, map[string]any{"outOfStockThreshold": -2, "useGlobalOutOfStockThreshold": false}))
		wantReading(t, s, at(5, 0), "{true 50 3 -2 [{1 50 3}]}")
		wantClasses(t, s, []sinks.Update{at(5, -2*topics.One)}, sinks.ClassOK) // nothing to be offered, by that threshold
	})
	t.Run("variants that are gone", func(t *testing.T) {
		gone := updateAt("GONE", "", "888888", "1", topics.One)
		wantClasses(t, s, []sinks.Update{at(6, topics.One), gone, at(7, topics.One)}, sinks.ClassOK, sinks.ClassNotFound, sinks.ClassOK)
		wantReading(t, s, gone, "{false 0 0 0 []}")
	})
	t.Run("a location that is not there", func(t *testing.T) {
		u := at(8, topics.One)
		u.Locations[0].LocationID = "777"
		wantClasses(t, s, []sinks.Update{u}, sinks.ClassLocation)
	})
	t.Run("a key without a right", func(t *testing.T) {
		s, err := conformance.Open(t, vendure.Adapter{}, shop.Options(), map[string]string{"api_key": "0123456789abcdef:0123"})
		must(t, err)
		wantClasses(t, s, []sinks.Update{at(9, topics.One)}, sinks.ClassShopUnauthorised)
	})
}

// tryMedusa holds what the adapter takes for granted against the shop itself.
func tryMedusa(t *testing.T, shop *stores.Medusa) {
	s := openReal(t, medusa.Adapter{}, shop)
	items, err := shop.Items(t.Context(), "")
	must(t, err)
	at := func(i int, qty topics.Quantity) sinks.Update {
		return updateAt(items[i].SKU, "", items[i].ID, shop.Locations[0], qty)
	}
	t.Run("catalogue", func(t *testing.T) {
		must(t, shop.MakeMany(t.Context(), " SKU-0013", 1)) // a near miss of nobody's
		lone, err := shop.Make(t.Context(), "NOWHERE")
		must(t, err)
		all := catalogueOf(t, s)
		if got := len(all); got != len(items)+2 {
			t.Errorf("got %d SKUs of %d items", got, len(items)+2)
		}
		if x := all[items[13].SKU][0]; x.Status != topics.TargetActive || !x.Tracked || x.VariantID != items[13].ID ||
			x.ProductID == x.VariantID || !slices.Equal(x.Locations, shop.Locations[:1]) {
			t.Errorf("got %+v, want it active, of a product, at the first location", x)
		}
		if x := all["NOWHERE"][0]; x.Status != topics.TargetInactive || x.VariantID != lone || len(x.Locations) > 0 {
			t.Errorf("an item without a variant: got %+v, want it inactive, nowhere", x)
		}
		if got, want := foundSKUs(t, s, "SKU-0015", "sku-0016", "GONE"), []string{"SKU-0015"}; !slices.Equal(got, want) {
			t.Errorf("looked up: got %q, want %q: case counts", got, want)
		}
	})
	t.Run("what is reserved", func(t *testing.T) {
		one := itemOf(t, shop, "SKU-0005")
		_, err := shop.Order(t.Context(), one.SKU, 3)
		must(t, err)
		l := shop.Locations[0]
		u := updateAt(one.SKU, "", one.ID, l, 50*topics.One)
		wantReading(t, s, u, fmt.Sprintf("{true 100 3 0 [{%s 100 3}]}", l))
		r := wantClasses(t, s, []sinks.Update{u}, sinks.ClassOK)
		if got, want := fmt.Sprint(r.Readings), fmt.Sprintf("[{true 50 3 0 [{%s 50 3}]}]", l); got != want {
			t.Errorf("after the write: got %s, want %s", got, want)
		}
	})
	t.Run("items that are gone, and places where they are not", func(t *testing.T) {
		id, err := shop.Make(t.Context(), "SHORT-LIVED")
		must(t, err)
		must(t, shop.Delete(t.Context(), id))
		gone, elsewhere, nowhere := updateAt("GONE", "", id, shop.Locations[0], 0), at(7, topics.One), at(8, topics.One)
		elsewhere.Locations[0].LocationID = shop.Locations[1]
		nowhere.Locations[0].LocationID = "sloc_NOPE"
		wantClasses(t, s, []sinks.Update{at(6, topics.One), gone, elsewhere, nowhere, at(9, topics.One)},
			sinks.ClassOK, sinks.ClassNotFound, sinks.ClassLocation, sinks.ClassLocation, sinks.ClassOK)
		wantReading(t, s, gone, "{false 0 0 0 []}")
	})
	t.Run("a number below zero", func(t *testing.T) {
		wantClasses(t, s, []sinks.Update{at(10, -topics.One)}, sinks.ClassQuantity)
	})
	t.Run("a key as a bearer's", func(t *testing.T) {
		s, err := conformance.Open(t, medusa.Adapter{}, shop.Options(), map[string]string{"secret_key": "sk_nope"})
		must(t, err)
		wantClasses(t, s, []sinks.Update{at(9, topics.One)}, sinks.ClassShopUnauthorised)
	})
}

// itemOf returns the item of a SKU.
func itemOf(t *testing.T, shop *stores.Medusa, sku string) stores.Item {
	t.Helper()
	list, err := shop.Items(context.WithoutCancel(t.Context()), sku)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d items have the SKU %s", len(list), sku)
	}
	return list[0]
}
