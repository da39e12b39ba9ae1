package state_test

import (
	"slices"
	"testing"

	"stocksync/state"
	"stocksync/topics"
)

func TestReader_FollowsTombstones(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a", "b", "c", "d")
	r.commitLines("e")
	reader := r.read()
	if record := reader.Record(); record == nil || record.Writer != "rig" {
		t.Errorf("got task record %+v, want the rig's", record)
	}
	for n, lines := range []int{5, 1} {
		if n > 0 {
			r.must(reader.Apply(state.AppendChunkKey(nil, "A", 1), nil))
		}
		if s, ok, err := reader.Snapshot("A"); err != nil || !ok || len(s.Lines) != lines {
			t.Errorf("without %d chunks: got %v and error %v, want %d lines", n, ok, err, lines)
		}
	}
	r.must(reader.Apply(state.AppendChunkKey(nil, "A", 2), nil))
	r.must(reader.Apply(state.AppendChunkKey(nil, "never", 2), nil))
	r.must(reader.Apply(state.TaskKey(), nil))
	if _, ok, err := reader.Snapshot("A"); ok || err != nil {
		t.Errorf("without chunks: got %v and error %v, want nothing", ok, err)
	}
	for sku := range reader.SKUs() {
		t.Errorf("got SKU %q, want none", sku)
	}
	if record := reader.Record(); record != nil {
		t.Errorf("got task record %+v, want none", record)
	}
	if err := reader.Apply([]byte("x"), []byte{1}); err == nil {
		t.Error("took a key of no kind")
	}
}

// Ensure that an audit tells where a header's totals and the entries disagree (F3, F4).
func TestReader_AuditNamesDifferences(t *testing.T) {
	sold := order("A", "O", 1, 20*topics.One)
	sold.Store = "shopee"
	chunk := chunkOf(t, 0, fact{mutation: delta("A", "L", 1, 9*topics.One)}, fact{order: sold})
	audit := func(value []byte) []string {
		t.Helper()
		reader := state.NewReader(state.Policy{ReturnsReserve: true})
		if err := reader.Apply(state.AppendChunkKey(nil, "A", 4), value); err != nil {
			t.Fatal(err)
		}
		found, err := reader.Audit("A")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := audit(chunk); len(found) > 0 {
		t.Errorf("got %q, want no differences", found)
	}
	decoded, err := state.DecodeChunks(chunk)
	if err != nil {
		t.Fatal(err)
	}
	// A base with a third of a unit, and order lines of which five units were shipped, that no total knows.
	want := []string{
		"A in JKT: actual is 9, its ledger lines say 9.333333",
		"A in JKT: reserved is 20, its order lines say 15",
	}
	if found := audit(state.WithHorizon(decoded).Encode()); !slices.Equal(found, want) {
		t.Errorf("got %q, want %q", found, want)
	}
	reader := state.NewReader(state.Policy{})
	if found, err := reader.Audit("never"); err != nil || found != nil {
		t.Errorf("of a SKU that is not there: got %q and error %v", found, err)
	}
}
