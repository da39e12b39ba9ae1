package topics_test

import (
	"testing"

	"stocksync/topics"
)

func TestPairKey_SplitsAtItsFirstBar(t *testing.T) {
	for _, pair := range [][2]string{{"s", "A001"}, {"s", "A|001"}, {"s", "|"}, {"*", "||A"}, {"toko é", "SKU 1"}} {
		key := topics.PairKey(pair[0], pair[1])
		if got, want := string(key), pair[0]+"|"+pair[1]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if store, sku, ok := topics.SplitPairKey(key); !ok || store != pair[0] || sku != pair[1] {
			t.Errorf("%s: got %q, %q, %v, want %q", key, store, sku, ok, pair)
		}
	}
}

func TestSplitPairKey_RefusesHalfAKey(t *testing.T) {
	for _, key := range []string{"", "|", "store", "store|", "|sku", "||"} {
		if store, sku, ok := topics.SplitPairKey([]byte(key)); ok || store != "" || sku != "" {
			t.Errorf("%q: got %q, %q, %v", key, store, sku, ok)
		}
	}
}
