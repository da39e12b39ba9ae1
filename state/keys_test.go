package state_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"stocksync/state"
)

// storeKeyGen draws keys as the store has them. A SKU has no NUL: topics refuses it.
var storeKeyGen = rapid.Custom(func(t *rapid.T) []byte {
	partition := rapid.SampledFrom([]string{"\x00\x00\x00\x00", "\x00\x00\x00\x01", "\x00\x00s\x00", "\x7f\xff\xff\xff"}).Draw(t, "partition")
	sku := rapid.StringOfN(rapid.SampledFrom([]rune("\x01 As|é")), 1, 4, -1).Draw(t, "sku")
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return []byte(partition + "t")
	case 1:
		return []byte(partition + "d\x00\x00P\x03" + sku)
	case 2:
		return []byte(partition + "p\x00\x00\x00\x00\x00\x00\x00\x07")
	default:
		return state.AppendChunkKey([]byte(partition), sku, rapid.Uint32Max(300).Draw(t, "chunk"))
	}
})

// Ensure what the database asks of Split: prefixes are in the order of keys, and all chunks of a SKU
// share one that no other key has.
func TestSplit_PrefixesAreInTheOrderOfKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := storeKeyGen.Draw(t, "a"), storeKeyGen.Draw(t, "b")
		pa, pb := a[:state.SplitKey(a)], b[:state.SplitKey(b)]
		if c := bytes.Compare(pa, pb); c != 0 && c != bytes.Compare(a, b) {
			t.Errorf("%q and %q compare as %d, their prefixes %q and %q as %d", a, b, bytes.Compare(a, b), pa, pb, c)
		}
		sameSKU := len(a) > 9 && a[4] == 's' && len(b) > 9 && b[4] == 's' && bytes.Equal(a[:len(a)-4], b[:len(b)-4])
		if same := bytes.Equal(pa, pb); same != (sameSKU || bytes.Equal(a, b)) {
			t.Errorf("%q and %q: got the same prefix %v", a, b, same)
		}
	})
}
