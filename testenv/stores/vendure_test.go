package stores_test

import (
	"context"
	"sync/atomic"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/vendure"
	"stocksync/testenv/stores"
	twinvendure "stocksync/testenv/twin/vendure"
	"stocksync/topics"
)

func TestVendure(t *testing.T) {
	needStores(t)
	shop := stores.StartVendure(t, 200)
	t.Run("till", func(t *testing.T) { tryTill(t, shop, "SKU-0001") })
	t.Run("dialect", func(t *testing.T) { tryVendure(t, shop) })
	t.Run("pipeline", func(t *testing.T) { tryPipeline(t, shop, "SKU-0021", "SKU-0022", "SKU-0023", "SKU-0024") })
	for name, signIn := range map[string]bool{"by key": false, "by password": true} {
		t.Run("conformance "+name, func(t *testing.T) { conformance.Run(t, vendureSubject(shop, signIn)) })
	}
}

// vendureSubject is the adapter before the shop. Each check gets an own key and own quantities.
func vendureSubject(shop *stores.Vendure, signIn bool) conformance.Subject {
	var checks atomic.Int64
	return realSubject(vendure.Adapter{}, signIn, func(t *testing.T) conformance.Shop {
		f := &front{
			t: t, to: shop.Base(), operation: twinvendure.Operation, path: "/admin-api", credentials: shop.Credentials(),
			held: shop.Held,
		}
		if !signIn {
			key, err := shop.NewKey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.credentials = map[string]string{"api_key": key}
			f.revoke = func() {
				if err := shop.RevokeKeys(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}
		}
		variants, err := shop.Variants(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		base := topics.Quantity(1000*checks.Add(1)) * topics.One
		for i, v := range variants[40:] { // those before are for tests that order
			f.updates = append(f.updates, updateAt(v.SKU, "", v.ID, "1", base+topics.Quantity(i)*topics.One))
		}
		f.unknown = updateAt("GONE", "", "999999", "1", topics.One)
		return f.start()
	})
}

// updateAt is an update of a target at one location.
func updateAt(sku, product, variant, location string, qty topics.Quantity) sinks.Update {
	return sinks.Update{
		SKU: sku, Revision: 1790388903011, Qty: qty, Cause: topics.SyncEvent, Attempt: 1,
		Target:    topics.Target{ProductID: product, VariantID: variant, Status: topics.TargetActive, Tracked: true},
		Locations: []sinks.LocationQty{{LocationID: location, Qty: qty}},
	}
}
