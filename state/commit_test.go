package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// changes returns the committed records of the rig's changelog from one offset to another.
func (r *rig) changes(from, to int) []state.Change {
	var list []state.Change
	for _, l := range r.log[from:to] {
		if l.key != nil {
			list = append(list, state.Change{Key: l.key, Value: l.value})
		}
	}
	return list
}

// Ensure that a replay that meets a fault leaves memory and disk at one position: what came before the
// fault is not written without it.
func TestReplay_ThatFailsChangesNothing(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a")
	r.commitLines("b")
	behind := len(r.log)
	r.task.Passed(state.InputMutations, 41, 7, topics.TimeOf(start), state.Applied)
	r.commitLines("c")
	record, _ := r.task.Record()
	r.close()
	all := r.log
	r.log = all[:behind]
	r.fs = memFS()
	r.open()
	before, _ := r.task.Record()
	newer := state.Change{Key: state.AppendChunkKey(nil, "Z", 1), Value: []byte{9}}
	changes := append((&rig{log: all}).changes(behind, len(all)), newer)
	if err := r.task.Replay(changes, int64(len(all)), r.now); !errors.Is(err, state.ErrNewerFormat) {
		t.Fatalf("got error %v, want ErrNewerFormat", err)
	}
	if got, ok := r.task.Record(); got != before || !ok || r.task.Next() != int64(behind) {
		t.Errorf("got record %+v at %d, want %+v at %d", got, r.task.Next(), before, behind)
	}
	r.reopenTask() // checks the bytes at the position stored
	r.log = all
	r.replay(r.task)
	if got, _ := r.task.Record(); got != record {
		t.Errorf("after all: got record %+v, want %+v", got, record)
	}
	r.checkStored(r.store, int64(len(all)))
}

// Ensure that what Prepare handed out stays as it is while a client may still be sending it: after a
// rollback, and when the partition is let go, whatever is written next.
func TestPrepare_WhatWasHandedOutIsNotWrittenAgain(t *testing.T) {
	for name, end := range map[string]func(r *rig){
		"a rollback": func(r *rig) { r.rollback() },
		"a close":    func(r *rig) { r.reopenTask() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newShallowRig(t)
			r.commitLines("a") // is pending, in the same memory
			var held, copies [][]byte
			for i := range 50 {
				r.accept(fact{mutation: delta(fmt.Sprint("SKU-", i), "L", 1, topics.One)})
			}
			r.task.Prepare(r.now, func(o state.Output) {
				held = append(held, o.Key, o.Value, o.Revision)
				copies = append(copies, bytes.Clone(o.Key), bytes.Clone(o.Value), bytes.Clone(o.Revision))
			})
			end(r)
			for i := range 100 {
				r.commitLines(fmt.Sprint("after-", i))
				if i%10 == 0 {
					r.must(r.task.Rollback())
				}
			}
			for i := range held {
				if !bytes.Equal(held[i], copies[i]) {
					t.Fatalf("value %d: got %q, want %q as it was handed out", i, held[i], copies[i])
				}
			}
		})
	}
}

func TestReplay_NeedsAnEmptyOverlay(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a")
	r.accept(fact{mutation: delta("A", "b", 1, topics.One)})
	if err := r.task.Replay(nil, 9, r.now); !errors.Is(err, state.ErrInvariant) {
		t.Errorf("got error %v, want ErrInvariant", err)
	}
	r.must(r.task.Rollback())
}

func TestReplay_TombstonesDelete(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a", "b", "c", "d")
	r.commitLines("e")
	r.must(r.task.Rollback())
	r.log = append(r.log, logged{key: state.AppendChunkKey(nil, "A", 1)}, logged{})
	r.replay(r.task)
	got := map[string]string{}
	r.must(r.store.Each(partition, func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	}))
	if _, ok := got[string(state.AppendChunkKey(nil, "A", 1))]; ok || len(got) != 2 {
		t.Errorf("got %d keys with chunk 1 %v, want the other chunk and the task record", len(got), ok)
	}
	r.must(r.task.Rollback())
	err := r.task.Replay([]state.Change{{Key: state.TaskKey()}}, int64(len(r.log))+1, r.now)
	if !errors.Is(err, state.ErrInvariant) {
		t.Errorf("a tombstone for the task record: got error %v, want ErrInvariant", err)
	}
	r.log = r.log[:0] // what the rig's own checks compare with is gone
	r.must(r.task.Restart(0))
}

// Ensure that a range that the changelog no longer covers goes at once, with all that memory made of it.
func TestRestart_DropsWhatIsStored(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a")
	r.must(r.task.Rollback())
	r.must(r.task.Restart(100))
	if _, ok := r.task.Record(); ok || r.task.Next() != 100 {
		t.Errorf("got a record %v and position %d, want none and 100", ok, r.task.Next())
	}
	if _, ok := state.Held(r.task, "A"); ok {
		t.Error("the SKU is still in memory")
	}
	r.empty()
	days, err := state.DayIndex(r.store, partition)
	if r.must(err); len(days) > 0 {
		t.Errorf("got days %v, want none", days)
	}
	r.must(r.task.Restart(0)) // and from where the changelog begins it is built again
	r.replay(r.task)
	r.reopenTask()
	r.checkStored(r.store, int64(len(r.log)))
}

// empty ensures that the store holds nothing of the partition.
func (r *rig) empty() {
	r.tb.Helper()
	r.must(r.store.Each(partition, func(key, _ []byte) error {
		r.tb.Errorf("got key %q, want none", key)
		return nil
	}))
}

func TestOpenTask_DropsARangeLeftAloneForSixDays(t *testing.T) {
	for name, c := range map[string]struct {
		alone time.Duration
		kept  bool
	}{
		"six days":               {6 * 24 * time.Hour, true},
		"a second more":          {6*24*time.Hour + time.Second, false},
		"a clock that goes back": {-30 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newShallowRig(t)
			r.commitLines("a")
			other, err := r.store.OpenTask(t.Context(), partition+1, r.policy, r.now)
			r.must(err)
			r.must(other.Replay(r.changes(0, len(r.log)), 9, r.now))
			r.must(other.Close())
			r.must(r.task.Close())

			r.now = r.now.Add(c.alone)
			task, err := r.store.OpenTask(t.Context(), partition, r.policy, r.now)
			r.must(err)
			r.task = task
			if kept := task.Next() > 0; kept != c.kept {
				t.Errorf("got position %d, want the range kept %v", task.Next(), c.kept)
			}
			if !c.kept {
				r.empty()
				list, err := r.store.Partitions()
				if r.must(err); len(list) != 1 || list[0] != partition+1 {
					t.Errorf("got partitions %v, want the other one alone", list)
				}
			}
			r.replay(r.task)
			r.checkStored(r.store, int64(len(r.log)))
			r.reopenTask()
		})
	}
}

// Ensure that who only follows the changelog, as a standby does, is as fresh as it last was at its end.
func TestOpenTask_TellsFreshnessByTheLastTimeAtTheEnd(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a")
	r.must(r.task.Rollback())
	r.must(r.task.Close())
	for range 5 {
		r.now = r.now.Add(24 * time.Hour)
		task, err := r.store.OpenTask(t.Context(), partition, r.policy, r.now)
		r.must(err)
		if task.Next() == 0 {
			t.Fatalf("at %s: the range was dropped", r.now)
		}
		r.must(task.Replay(nil, int64(len(r.log)), time.Time{})) // not at the end
		r.must(task.Close())
	}
	late := r.now.Add(2 * 24 * time.Hour)
	task, err := r.store.OpenTask(t.Context(), partition, r.policy, late)
	r.must(err)
	if r.task = task; task.Next() != 0 {
		t.Errorf("got position %d, want the range dropped: it was at the end seven days ago", task.Next())
	}
	r.now = late
	r.replay(r.task)
	r.reopenTask()
	if r.task.Next() == 0 {
		t.Error("a range just rebuilt was dropped")
	}
}

func TestCommitted_RevisionsGrowWhateverTheClockSays(t *testing.T) {
	r := newShallowRig(t)
	for _, at := range []time.Time{start, start, start.AddDate(-1, 0, 0), start.Add(time.Hour)} {
		r.now = at
		r.commitLines("a")
		if got, least := r.last["A"].Revision, at.UnixMilli(); got < least { // that it grows, the rig proves (F6)
			t.Errorf("at %s: got revision %d, want at least %d", at, got, least)
		}
	}
	if got := r.last["A"].Revision; got != start.Add(time.Hour).UnixMilli() {
		t.Errorf("got revision %d, want the clock's %d", got, start.Add(time.Hour).UnixMilli())
	}
}
