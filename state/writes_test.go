package state_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stocksync/state"
)

// Ensure that what is committed and not yet in Pebble is bounded in bytes and in number.
func TestWrites_ArePutIntoPebbleInTime(t *testing.T) {
	for name, c := range map[string]struct{ batch, bytes int }{"large values": {1, 1 << 20}, "many values": {5000, 1}} {
		t.Run(name, func(t *testing.T) {
			r := newShallowRig(t)
			r.must(r.task.Rollback())
			record := state.TaskRecord{Writer: strings.Repeat("x", c.bytes)}
			change := state.Change{Key: state.TaskKey(), Value: record.Append(nil)}
			changes := make([]state.Change, c.batch)
			for i := range changes {
				changes[i] = change
			}
			most := 0
			for next := range int64(30) {
				r.must(r.task.Replay(changes, next+1, time.Time{}))
				n, bytes := state.Pending(r.task)
				if most = max(most, n); n > 50_000 || bytes > 16<<20 {
					t.Fatalf("got %d writes of %d bytes pending", n, bytes)
				}
			}
			if most < 10 {
				t.Errorf("got at most %d writes pending, want more at a time", most)
			}
			r.must(r.task.Restart(0)) // the rig's own checks know nothing of these
		})
	}
}

// Ensure that data and position of a commit are one batch (P1 of package processor): wherever a crash has cut the
// database's log, the store holds what the changelog has up to the position that it names.
func TestFlush_IsWholeWhereverTheLogEnds(t *testing.T) {
	r := newRig(t, state.Policy{})
	r.shallow = true
	for i := range 6 {
		r.commitLines("hot", fmt.Sprint("line-", i))
		r.must(r.task.Rollback()) // writes
	}
	r.close()
	whole := readFiles(t, r.fs, "state")
	const step = 24 // bytes: less than the smallest batch
	cuts := 0
	for name, data := range whole {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		for end := 0; end < len(data); end += step {
			cuts++
			if err := r.look(t, whole.disk(t, name, data[:end])); err != nil || t.Failed() {
				t.Fatalf("%s cut after %d of %d bytes: %v", name, end, len(data), err)
			}
		}
	}
	if cuts < 50 {
		t.Errorf("got %d cuts, want more: the commits are not in the log", cuts)
	}
}
