package processor

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// phase is where a task stands:
//
//	restoring --replayed--> running --not committed--> restoring
//	    |                      |
//	    +------- fault --------+--> halted
//
// A task that is taken away leaves from any phase.
type phase uint8

const (
	restoring phase = iota // inputs paused; Task belongs to the restore's goroutine
	running                // folding; Task belongs to the lane's goroutine
	halted                 // inputs paused, until a person has dealt with err
)

// String returns the phase's name in metrics and in TaskInfo.
func (p phase) String() string {
	switch p {
	case restoring:
		return "restoring"
	case running:
		return "running"
	case halted:
		return "halted"
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// task is one partition number over all inputs.
type task struct {
	*state.Task // nil until the restore has opened it

	partition int32
	phase     phase
	err       error          // why it is halted
	extra     []*kgo.Record  // dead letters and forwarded records of the overlay
	oldest    int64          // broker time, in ms, of the oldest record in the overlay; 0 = none
	reported  state.Counters // what the metrics have counted
	job       job            // background work in progress; nil: none
	night     NightlyReport  // of the run in progress or the last one
}

// rollback drops the overlay.
func (t *task) rollback() error {
	t.extra, t.oldest, t.job = t.extra[:0], 0, nil // the task record says where its job goes on
	return t.Rollback()
}

// TaskInfo describes a task for people and for readiness.
type TaskInfo struct {
	Partition int32            `json:"partition"`
	Phase     string           `json:"phase"`
	Error     string           `json:"error,omitempty"`
	Next      map[string]int64 `json:"next"` // input base name -> next offset; nil while it is not known
	Changelog int64            `json:"changelog"`
	Counters  state.Counters   `json:"counters"`
	Newest    topics.Time      `json:"newest_input"`
	Nightly   NightlyReport    `json:"nightly"`
}

// show publishes what readers outside may know of the lane's tasks.
func (l *lane) show() {
	list := make([]TaskInfo, 0, len(l.tasks))
	for _, t := range l.tasks {
		info := TaskInfo{Partition: t.partition, Phase: t.phase.String()}
		if t.phase == halted { // while it restores, err is the restore's
			info.Error = t.err.Error()
		}
		if t.known() {
			r := t.Staged()
			info.Next = map[string]int64{}
			for i, base := range state.InputBases() {
				info.Next[base] = r.Inputs[i].Next
			}
			info.Changelog, info.Counters, info.Newest = t.Next(), r.Counters, r.Newest
			info.Nightly = t.night
		}
		list = append(list, info)
	}
	l.shown.Store(&list)
}

// known tells whether the lane may read the task's positions, and there are any.
func (t *task) known() bool {
	if t.phase != halted || t.Task == nil {
		return t.phase == running
	}
	_, ok := t.Record()
	return ok
}

// observeOldest notes the broker time of a record in the overlay.
func (t *task) observeOldest(at time.Time) {
	if ms := at.UnixMilli(); t.oldest == 0 || ms < t.oldest {
		t.oldest = ms
	}
}
