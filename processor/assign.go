package processor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
)

// assignment returns the partitions whose inputs are all assigned now, as the client knows it: a
// callback may have been skipped. What a callback has told of is out already: the session aborts the
// transaction in progress then, but forgets it when that comes at the very end of one.
func (l *lane) assignment() map[int32]bool {
	committed := l.session.Client().CommittedOffsets()
	assigned := map[int32]bool{}
	for p := range committed[l.p.names[state.InputMutations]] {
		_, orders := committed[l.p.names[state.InputOrders]][p]
		_, commands := committed[l.p.names[state.InputCommands]][p]
		if orders && commands {
			assigned[p] = true
		}
	}
	l.events.withoutLost(assigned)
	return assigned
}

// sync brings the lane's tasks in line with the assignment: lost tasks go with their overlay, new
// ones are restored, restored ones start.
func (l *lane) sync(ctx context.Context) error {
	if l.events.takeRejoin() {
		l.session.Client().ForceRebalance()
	}
	gained := l.events.take()
	assigned := l.assignment()
	changed := false
	for p, t := range l.tasks {
		// A partition that is assigned anew was away meanwhile: another member may have moved it on.
		if !assigned[p] || gained[p] {
			if err := l.release(t); err != nil {
				return err
			}
			changed = true
		}
	}
	var fresh []*task
	for _, p := range slices.Sorted(maps.Keys(assigned)) {
		if l.tasks[p] == nil {
			t := &task{partition: p}
			l.tasks[p] = t
			fresh = append(fresh, t)
		}
	}
	restored, err := l.takeRestored()
	if err != nil {
		return err
	}
	for _, t := range restored {
		l.start(t)
	}
	if len(fresh) > 0 {
		l.log.Info("tasks assigned", "partitions", partitionsOf(fresh))
	}
	if len(fresh) > 0 || l.restores == nil {
		err = l.restore(ctx)
	}
	if changed || len(fresh)+len(restored) > 0 {
		l.show()
	}
	l.events.arrived(assigned)
	return err
}

func partitionsOf(tasks []*task) []int32 {
	list := make([]int32, 0, len(tasks))
	for _, t := range tasks {
		list = append(list, t.partition)
	}
	return list
}

// release lets a task go with its overlay; nothing of it is lost, since the next owner reads the
// same inputs from the last commit on.
func (l *lane) release(t *task) error {
	delete(l.tasks, t.partition) // first: it must not start when the restores end
	var err error
	if t.phase == restoring {
		err = l.stopRestores()
	}
	if t.Task == nil {
		return err
	}
	l.p.metrics.forget(t.partition) // before another lane can restore it
	var fault error
	if t.phase == running {
		fault = t.rollback()
	}
	if fault = errors.Join(fault, t.Close()); fault != nil {
		err = errors.Join(err, stateFault(fault))
	}
	return err
}

// start sets the client to the task's own offsets and lets its records come.
func (l *lane) start(t *task) {
	if t.err != nil {
		l.halt(t, t.err)
		return
	}
	if r := t.Staged(); l.p.adopt(&r, l.p.c.Now()) {
		t.Stage(r)
	}
	t.phase = running
	l.looked = time.Time{}
	t.reported = t.Staged().Counters
	l.compareGroup(t)
	l.seek(t)
	l.session.Client().ResumeFetchPartitions(l.inputs(t))
	l.log.Info("task runs", "partition", t.partition, "changelog", t.Next())
}

// compareGroup counts where the group's offsets are not the task record's, which alone decide. They
// move together; something else has set one of them.
func (l *lane) compareGroup(t *task) {
	for i, name := range l.p.names {
		if at, ok := l.events.takeGroup(name, t.partition); ok && at != t.Expects(i) {
			l.p.metrics.groupDiffers.Inc()
			l.log.Warn("the group's offset is not the task record's, which counts", "topic", name,
				"partition", t.partition, "group", at, "record", t.Expects(i))
		}
	}
}

// startAgain drops a task's overlay and has it restored from the last commit on, with the next look at
// the assignment.
func (l *lane) startAgain(t *task) error {
	if err := t.rollback(); err != nil {
		return stateFault(err)
	}
	t.phase = restoring
	return nil
}

// seek sets the client to the offsets of the last commit.
func (l *lane) seek(t *task) {
	r := t.Staged()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for i, name := range l.p.names {
		in := r.Inputs[i]
		offsets[name] = map[int32]kgo.EpochOffset{t.partition: {Epoch: in.LeaderEpoch, Offset: in.Next}}
	}
	l.session.Client().SetOffsets(offsets)
}

// halt stops a task and no other: its inputs stay where they are until a person has mended the cause.
func (l *lane) halt(t *task, err error) {
	if t.phase == running {
		if rerr := t.rollback(); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}
	t.phase, t.err = halted, err
	l.pause([]*task{t})
	l.log.Error("task halted", "partition", t.partition, "cause", err)
	l.show()
}

func (l *lane) pause(tasks []*task) {
	for _, t := range tasks {
		l.session.Client().PauseFetchPartitions(l.inputs(t))
	}
}

// inputs names a task's partition in every input.
func (l *lane) inputs(t *task) map[string][]int32 {
	m := make(map[string][]int32, len(l.p.names))
	for _, name := range l.p.names {
		m[name] = []int32{t.partition}
	}
	return m
}

// moved returns the tasks whose overlay holds something.
func (l *lane) moved() []*task {
	var list []*task
	for _, t := range l.tasks {
		if t.phase == running && t.Moved() {
			list = append(list, t)
		}
	}
	return list
}
