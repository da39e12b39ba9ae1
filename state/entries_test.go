package state_test

import (
	"fmt"
	"testing"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure that versions that were replaced do not pile up in memory, nor in chunks, and that what is left
// is found.
func TestEntries_LetGoOfWhatWasReplaced(t *testing.T) {
	r := newShallowRig(t)
	version := int64(0)
	for range 60 {
		for range 20 {
			version++
			r.accept(fact{mutation: delta("A", fmt.Sprint("line-", version%7), version, topics.Quantity(version))})
			r.accept(fact{order: order("A", fmt.Sprint("O", version%3), version, topics.Quantity(version))})
		}
		r.commit()
	}
	if got := state.EntryBytes(r.task, "A"); got > 8<<10 {
		t.Errorf("got %d bytes of entries for ten lines", got)
	}
	s := r.snapshots()[0]
	if len(s.Lines) != 7 || len(s.Orders) != 3 || s.Actual != topics.Quantity(7*version-21) {
		t.Errorf("got %d lines and %d order lines that come to %s", len(s.Lines), len(s.Orders), s.Actual)
	}
	for id := range 7 {
		m := delta("A", fmt.Sprint("line-", id), 1, 1)
		if o, _ := r.direct(fact{mutation: m}); o != state.Duplicate {
			t.Errorf("an old version of %s: got %s, want a duplicate", m.LineID, o)
		}
	}
}
