package stores_test

import (
	"testing"

	"stocksync/testenv/stores"
)

func TestMedusa(t *testing.T) {
	needStores(t)
	shop := stores.StartMedusa(t, 60)
	t.Run("till", func(t *testing.T) { tryTill(t, shop, "SKU-0001") })
}
