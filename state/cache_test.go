package state_test

import (
	"fmt"
	"testing"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure that decoded items never take more than their bound behind a commit, all tasks together,
// whether they are new, read, or refused.
func TestCache_IsBounded(t *testing.T) {
	r := newShallowRig(t)
	const limit = 200 << 10
	r.close()
	r.cacheBytes = limit
	r.open()
	other, err := r.store.OpenTask(t.Context(), partition+1, r.policy, r.now)
	r.must(err)
	for i := range 60 {
		for j := range 50 {
			r.accept(fact{mutation: delta(fmt.Sprintf("SKU-%d", (i*37+j)%500), fmt.Sprint(i), 1, topics.One)})
			if o, _ := r.direct(fact{mutation: delta(fmt.Sprintf("SKU-%d", (i*91+j)%500), "0", 0, topics.One)}); o == state.DeadLettered {
				t.Fatal("got a dead letter")
			}
		}
		r.commit()
		if used := state.CacheUsed(r.task); used > limit/2 {
			t.Fatalf("commit %d: got %d bytes, want at most %d for one of two tasks", i, used, limit/2)
		}
	}
	r.must(other.Close())
	r.must(r.task.Rollback())
	if items := state.CacheItems(r.task); items < 20 || items > 200 {
		t.Errorf("got %d items in the cache, want about a hundred", items)
	}
	if got := len(r.snapshots()); got != 500 {
		t.Errorf("got %d SKUs, want 500", got)
	}
}

// Ensure that a hit keeps an item: what is asked for in each commit is never read again.
func TestCache_KeepsWhatIsUsed(t *testing.T) {
	r := newShallowRig(t)
	r.close()
	r.cacheBytes = 10 << 10
	r.open()
	hot := fact{mutation: delta("HOT", "L", 1, topics.One)}
	r.accept(hot)
	r.commit()
	for i := range 100 {
		r.must(r.task.Rollback()) // the store has all of them: any may go
		if o, _ := r.direct(hot); o != state.Duplicate {
			t.Fatalf("got %s, want a duplicate", o)
		}
		r.accept(fact{mutation: delta(fmt.Sprintf("COLD-%d", i), "L", 1, topics.One)})
		r.commit()
		if _, ok := state.Held(r.task, "HOT"); !ok {
			t.Fatalf("commit %d: the hot item is gone", i)
		}
	}
}
