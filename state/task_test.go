package state_test

import (
	"testing"

	"pgregory.net/rapid"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure that whatever happens between the records, memory, disk, changelog and input agree: commits
// anywhere, aborts, commits that were not confirmed, lost partitions, clean restarts and power cuts.
func TestTask_AgreesWithTheOracleWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, policyGen.Draw(t, "policy"))
		defer func() { r.close() }()
		r.cacheBytes = rapid.SampledFrom([]int64{1, 4 << 10, 1 << 20}).Draw(t, "cache")
		n := idsGen.Draw(t, "ids")
		for range rapid.IntRange(1, n.records).Draw(t, "records") {
			f, again := n.drawFact(t), -1
			input := state.InputMutations
			if f.order != nil {
				input = state.InputOrders
			}
			if n := len(r.inputs[input]); n > 0 {
				again = rapid.IntRange(-3*n, n-1).Draw(t, "repeats") // one in four is a repeat
			}
			r.send(gapGen.Draw(t, "gap"), f.mutation, f.order)
			if again >= 0 {
				last := r.inputs[input][len(r.inputs[input])-1]
				last.Key, last.Value = r.inputs[input][again].Key, r.inputs[input][again].Value
			}
		}
		steps(t, r)
		r.check()
	})
}

// steps folds all of a rig's inputs, with what may come between.
func steps(t *rapid.T, r *rig) {
	for r.left() {
		switch rapid.IntRange(0, 19).Draw(t, "step") {
		default:
			r.fold(rapid.IntRange(0, 1).Draw(t, "input"), rapid.IntRange(1, 6).Draw(t, "records"))
		case 0, 1, 2, 3, 4:
			r.commit()
		case 5:
			r.commitUnknown()
		case 6, 7:
			r.abort(rapid.Bool().Draw(t, "produced"))
		case 8:
			r.reopenTask()
		case 9:
			r.close()
			r.policy = policyGen.Draw(t, "policy")
			r.open()
		case 10:
			r.crash(rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "unsynced"), rapid.Uint64().Draw(t, "seed"))
		}
	}
	r.commit()
}

// Ensure that positions and counters move with what was passed: commands are not counted, and a control
// record is no reason to commit.
func TestTask_CountsWhatItPassed(t *testing.T) {
	r := newShallowRig(t)
	r.commit()
	if r.task.Moved() {
		t.Error("an empty overlay has moved")
	}
	r.task.Skip(state.InputOrders, 3)
	if r.task.Moved() || r.task.Expects(state.InputOrders) != 4 {
		t.Errorf("a control record: got moved %v, next %d", r.task.Moved(), r.task.Expects(state.InputOrders))
	}
	for n, o := range []state.Outcome{state.Applied, state.Duplicate, state.DeadLettered, state.Forwarded, state.Forwarded} {
		r.task.Passed(state.InputMutations, int64(7+n), 3, topics.TimeOf(start)-topics.Time(n), o)
	}
	r.task.Passed(state.InputCommands, 20, 5, 1, state.Applied)
	r.commit()
	got, _ := r.task.Record()
	want := state.TaskRecord{
		Writer: "rig", Partitions: 1, Policy: r.policy, WalkEnded: true, Newest: topics.TimeOf(start),
		Inputs:   [3]state.InputPosition{{Next: 12, LeaderEpoch: 3}, {Next: 4, LeaderEpoch: -1}, {Next: 21, LeaderEpoch: 5}},
		Counters: state.Counters{Consumed: 5, Applied: 1, Duplicate: 1, DeadLettered: 1, Forwarded: 2},
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	r.task.Passed(state.InputMutations, 99, 3, 0, state.Applied)
	r.must(r.task.Rollback())
	if r.task.Moved() || r.task.Expects(state.InputMutations) != 12 {
		t.Errorf("after a rollback: got moved %v, next %d", r.task.Moved(), r.task.Expects(state.InputMutations))
	}
}
