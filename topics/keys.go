package topics

import "bytes"

// AllStores is the reserved store id whose record and settings apply to every store, and the reserved entry of a
// store's warehouses that means all of them.
const AllStores = "*"

// AllWarehouses in a store's list of warehouses means every warehouse but the excluded ones.
const AllWarehouses = "*"

// PairKey returns the key `store|sku` of a record about one SKU in one store.
func PairKey(store, sku string) []byte {
	key := make([]byte, 0, len(store)+1+len(sku))
	key = append(key, store...)
	key = append(key, '|')
	return append(key, sku...)
}

// SplitPairKey splits a key `store|sku` at its first bar, since a SKU may hold bars and a store id may not.
// ok is false when there is no bar or either part is empty.
func SplitPairKey(key []byte) (store, sku string, ok bool) {
	s, k, found := bytes.Cut(key, []byte{'|'})
	if !found || len(s) == 0 || len(k) == 0 {
		return "", "", false
	}
	return string(s), string(k), true
}
