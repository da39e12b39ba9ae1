package stores_test

import (
	"context"
	"sync/atomic"
	"testing"

	"stocksync/sinks/conformance"
	"stocksync/sinks/medusa"
	"stocksync/testenv/stores"
	twinmedusa "stocksync/testenv/twin/medusa"
	"stocksync/topics"
)

func TestMedusa(t *testing.T) {
	needStores(t)
	shop := stores.StartMedusa(t, 60)
	t.Run("till", func(t *testing.T) { tryTill(t, shop, "SKU-0001") })
	stockUp(t, shop)
	t.Run("dialect", func(t *testing.T) { tryMedusa(t, shop) })
	t.Run("pipeline", func(t *testing.T) { tryPipeline(t, shop, "SKU-0021", "SKU-0022", "SKU-0023", "SKU-0024") })
	for name, signIn := range map[string]bool{"by key": false, "by password": true} {
		t.Run("conformance "+name, func(t *testing.T) { conformance.Run(t, medusaSubject(shop, signIn)) })
	}
}

// stockUp makes items that no variant points to, enough for a full batch and for several pages.
func stockUp(t *testing.T, shop *stores.Medusa) {
	t.Helper()
	if err := shop.MakeMany(t.Context(), "BULK", 200); err != nil {
		t.Fatal(err)
	}
}

// medusaSubject is the adapter before the shop. Each check gets an own key and own quantities.
func medusaSubject(shop *stores.Medusa, signIn bool) conformance.Subject {
	var checks atomic.Int64
	return realSubject(medusa.Adapter{}, signIn, func(t *testing.T) conformance.Shop {
		f := &front{
			t: t, to: shop.URL, operation: twinmedusa.Operation, credentials: shop.Credentials(),
			held: shop.Held,
		}
		if !signIn {
			key, err := shop.NewKey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.credentials = map[string]string{"secret_key": key}
			f.revoke = func() {
				if err := shop.RevokeKeys(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}
		}
		items, err := shop.Items(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		base := topics.Quantity(1000*checks.Add(1)) * topics.One
		for i, it := range items[40:] { // those before are for tests that order
			qty := base + topics.Quantity(i)*topics.One
			f.updates = append(f.updates, updateAt(it.SKU, it.ID, it.ID, shop.Locations[0], qty))
		}
		f.unknown = updateAt("GONE", "", "iitem_GONE", shop.Locations[0], topics.One)
		return f.start()
	})
}
