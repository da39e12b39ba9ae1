package testenv

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
)

// taskHistory is what the task records of one partition have said so far.
type taskHistory struct {
	last   *state.TaskRecord
	index  [2]int        // of the first record of mutations and orders at or above the position
	below  VerdictCounts // verdicts of the records below the positions
	base   state.Counters
	broken bool // a difference was noted: those that follow from it are not
}

// followTask holds a task record against the one before it (I2, I11): between the positions of the two
// stand exactly as many input records of each verdict as the counters grew by.
func (k *checker) followTask(r *kgo.Record, h *taskHistory, next *state.TaskRecord) {
	who := fmt.Sprintf("task %d (changelog@%d)", r.Partition, r.Offset)
	if h.broken {
		h.last = next
		return
	}
	before := k.Total
	if !slices.Contains(k.cfg.Partitions, next.Partitions) {
		k.addf("%s: partitions: got %d, want one of %v", who, next.Partitions, k.cfg.Partitions)
	}
	for i, base := range state.InputBases() {
		in := next.Inputs[i]
		if h.last != nil && in.Next < h.last.Inputs[i].Next {
			k.addf("%s: %s: position goes back from %d to %d", who, base, h.last.Inputs[i].Next, in.Next)
		}
		if i >= len(h.index) {
			continue // commands are not counted
		}
		judged := k.truth.Inputs[base][r.Partition]
		for ; h.index[i] < len(judged) && judged[h.index[i]].Place.Offset < in.Next; h.index[i]++ {
			h.below.add(judged[h.index[i]].Verdict)
		}
	}
	if h.last == nil && k.inputsTruncated(r.Partition) {
		h.base = subtract(next.Counters, state.Counters(h.below))
	}
	want := state.Counters(h.below)
	k.differFields(who, "counters", subtract(next.Counters, h.base), want)
	n := next.Counters
	if sum := n.Applied + n.Duplicate + n.DeadLettered + n.Forwarded; sum != n.Consumed {
		k.addf("%s: consumed: got %d, want %d, the sum of the others", who, n.Consumed, sum)
	}
	h.last, h.broken = next, k.Total > before
}

// inputsTruncated tells whether retention has taken records that were counted.
func (k *checker) inputsTruncated(partition int32) bool {
	for _, starts := range k.starts {
		if starts[partition] > 0 {
			return true
		}
	}
	return false
}

func subtract(a, b state.Counters) state.Counters {
	return state.Counters{
		Consumed: a.Consumed - b.Consumed, Applied: a.Applied - b.Applied, Duplicate: a.Duplicate - b.Duplicate,
		DeadLettered: a.DeadLettered - b.DeadLettered, Forwarded: a.Forwarded - b.Forwarded,
	}
}

// checkTasks holds the last task records against the ends of the inputs.
func (k *checker) checkTasks(tasks map[int32]*taskHistory) {
	n := k.cfg.Partitions[len(k.cfg.Partitions)-1]
	for p := range n {
		h := tasks[p]
		if h == nil {
			k.addf("task %d: has no task record", p)
			continue
		}
		who := fmt.Sprintf("task %d", p)
		differ(k.Differences, who, "partitions", h.last.Partitions, n)
		differ(k.Differences, who, "split from", h.last.SplitFrom, 0)
		for i, base := range state.InputBases() {
			judged := k.truth.Inputs[base][p]
			if m := len(judged); m > 0 && judged[m-1].Place.Offset >= h.last.Inputs[i].Next {
				k.addf("%s: %s: position %d, yet the last record is at %d", who, base,
					h.last.Inputs[i].Next, judged[m-1].Place.Offset)
			}
		}
	}
}
