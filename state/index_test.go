package state_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stocksync/state"
)

// Ensure that an index holds what a list of pairs would, however its few hashes collide.
func TestIndex_EqualsAListOfPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var index state.Index
		held := map[uint32]uint32{} // place -> hash
		next := uint32(0)
		hashGen := rapid.OneOf(rapid.Uint32Max(5), rapid.Just(uint32(1<<32-1)), rapid.Uint32())
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			hash, place := hashGen.Draw(t, "hash"), next
			next++
			switch {
			case len(held) > 0 && rapid.IntRange(0, 3).Draw(t, "move") == 0:
				from := rapid.SampledFrom(slices.Sorted(maps.Keys(held))).Draw(t, "from")
				index.Move(held[from], from, place)
				held[place] = held[from]
				delete(held, from)
			default:
				index.Add(hash, place)
				held[place] = hash
				if rapid.IntRange(0, 4).Draw(t, "undo") == 0 {
					index.RemoveLast(hash, place)
					delete(held, place)
				}
			}
			found := map[uint32]uint32{}
			for _, hash := range held {
				for _, place := range index.Places(hash) {
					found[place] = hash
				}
			}
			if !maps.Equal(found, held) {
				t.Fatalf("got %v, want %v", found, held)
			}
		}
	})
}
