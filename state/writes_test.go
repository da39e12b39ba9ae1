package state_test

import (
	"fmt"
	"strings"
	"testing"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure that what is committed and not yet in Pebble is bounded in bytes and in number.
func TestWrites_ArePutIntoPebbleInTime(t *testing.T) {
	for name, c := range map[string]struct{ commits, id, skus int }{
		"large values": {30, 700 << 10, 1},
		"many values":  {8, 8, 4000}, // each with its day
	} {
		t.Run(name, func(t *testing.T) {
			r := newShallowRig(t)
			r.close()
			r.cacheBytes = 1 << 40 // the cache asks for no room
			r.open()
			written := 0
			for i := range c.commits {
				for range c.skus {
					written++
					r.accept(fact{mutation: delta(fmt.Sprint(written), strings.Repeat("x", c.id), 1, topics.One)})
				}
				r.commit()
				r.log = r.log[:0]
				if n, bytes := state.Pending(r.task); n > 50_000 || bytes > 18<<20 {
					t.Fatalf("commit %d: got %d writes of %d bytes pending", i, n, bytes)
				}
			}
			if n, _ := state.Pending(r.task); n == written {
				t.Errorf("got all of %d writes pending, want some in Pebble", n)
			}
			r.must(r.task.Rollback())
			r.must(r.task.Restart(0)) // what the rig's checks compare with is gone
		})
	}
}
