package stores_test

import (
	"testing"

	"stocksync/testenv/stores"
)

func TestVendure(t *testing.T) {
	needStores(t)
	shop := stores.StartVendure(t, 200)
	t.Run("till", func(t *testing.T) { tryTill(t, shop, "SKU-0001") })
}
