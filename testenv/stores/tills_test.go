package stores_test

import (
	"os"
	"testing"

	"stocksync/testenv"
	"stocksync/testenv/stores"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// needStores skips a test that needs real shops unless they are asked for.
func needStores(t *testing.T) {
	t.Helper()
	if os.Getenv("STOCKSYNC_STORES") != "1" {
		t.Skip("it installs and starts real shops: `make test-stores STORES=1` runs it")
	}
}

// tryTill goes through what the tests of the pipeline do in a shop, without stocksync.
func tryTill(t *testing.T, shop stores.Till, sku string) {
	t.Helper()
	wantOffered := func(what string, want int64) {
		t.Helper()
		if got, err := shop.Offered(t.Context(), sku); err != nil || got != want {
			t.Fatalf("%s: the shop offers %d, %v, want %d", what, got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantOffered("at first", 100)
	first, err := shop.Order(t.Context(), sku, 3)
	must(err)
	wantOffered("after an order of 3", 97)
	must(shop.Fulfil(t.Context(), first))
	wantOffered("after it was shipped", 97)
	second, err := shop.Order(t.Context(), sku, 4)
	must(err)
	wantOffered("after an order of 4", 93)
	must(shop.Cancel(t.Context(), second))
	wantOffered("after it was cancelled", 97)
	must(shop.SetByHand(t.Context(), sku, -7))
	wantOffered("after a change by hand", 90)
	if _, err := shop.Order(t.Context(), sku, 91); err == nil {
		t.Error("an order of more than is offered: want an error")
	}
}
