package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"stocksync/state"
)

// lagInterval is how often the inputs' ends are asked for, or more often when readiness has to know
// sooner.
const lagInterval = 2 * time.Second

// lag follows how far the tasks of this instance are behind their inputs. A busy task is always some
// records behind, so what counts is time: how long ago an input's end was that it has reached.
type lag struct {
	mu    sync.Mutex
	tasks map[int32]behind
	asked time.Time // when the ends were last known
}

// behind is how far one task is behind.
type behind struct {
	known   bool // its positions are
	records int64
	reached time.Time // everything that was there then is folded; at first, when the task was first seen
	goal    inputEnds // the next to reach
	set     time.Time // when the goal was the end
}

// inputEnds are the ends of a task's partition in its inputs.
type inputEnds [3]int64

// passed tells whether a task has folded everything below the ends.
func (e *inputEnds) passed(t *TaskInfo) bool { return e.records(t) == 0 }

// records counts what a task has not folded below the ends.
func (e *inputEnds) records(t *TaskInfo) int64 {
	var n int64
	for i, base := range state.InputBases() {
		n += max(0, e[i]-t.Next[base])
	}
	return n
}

func (l *lag) records() map[int32]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := map[int32]int64{}
	for p, b := range l.tasks {
		if b.known {
			list[p] = b.records
		}
	}
	return list
}

// measure notes the ends as they were at a time, and the tasks as they are since.
func (l *lag) measure(tasks []TaskInfo, ends map[int32]inputEnds, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[int32]behind{}
	for i := range tasks {
		t := &tasks[i]
		b, known := l.tasks[t.Partition]
		end := ends[t.Partition]
		if !known {
			b = behind{reached: at, goal: end, set: at}
		}
		if b.known = t.Next != nil; b.known {
			if b.goal.passed(t) {
				b.reached, b.goal, b.set = b.set, end, at
			}
			if b.records = end.records(t); b.records == 0 {
				b.reached = at
			}
		}
		all[t.Partition] = b
	}
	l.tasks, l.asked = all, at
}

// watchLag compares positions and ends until ctx ends.
func (p *Processor) watchLag(ctx context.Context) {
	tick := time.NewTicker(max(time.Millisecond, min(lagInterval, p.c.MaxLag/4)))
	defer tick.Stop()
	for {
		if err := p.measureLag(ctx); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("measure lag", "cause", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Processor) measureLag(ctx context.Context) error {
	at := p.c.Now()
	ends, err := p.admin.ListCommittedOffsets(ctx, p.names[:]...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list committed offsets: %w", err)
	}
	list := p.Tasks() // after the ends, so that a task at its end is not behind
	byTask := map[int32]inputEnds{}
	for _, t := range list {
		var e inputEnds
		for i, name := range p.names {
			end, _ := ends.Lookup(name, t.Partition)
			e[i] = end.Offset
		}
		byTask[t.Partition] = e
	}
	p.lag.measure(list, byTask, at)
	return nil
}

// running returns the lanes started so far.
func (p *Processor) running() []*lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lanes)
}

// Tasks describes the tasks assigned to this instance, by partition.
func (p *Processor) Tasks() []TaskInfo {
	var list []TaskInfo
	for _, l := range p.running() {
		if shown := l.shown.Load(); shown != nil {
			list = append(list, *shown...)
		}
	}
	slices.SortFunc(list, func(a, b TaskInfo) int { return int(a.Partition - b.Partition) })
	return list
}

// Ready returns nil when the group has assigned tasks, and every task runs and keeps up with its inputs, else an
// error that says what is in the way. It is safe for concurrent use.
func (p *Processor) Ready() error {
	var errs []error
	for i, l := range p.running() {
		if !l.events.settled() {
			errs = append(errs, fmt.Errorf("lane %d waits for the group to assign it tasks", i))
		}
	}
	tasks := p.Tasks()
	for _, t := range tasks {
		switch t.Phase {
		case restoring.String():
			errs = append(errs, fmt.Errorf("task %d is restoring", t.Partition))
		case halted.String():
			errs = append(errs, fmt.Errorf("task %d is halted: %s", t.Partition, t.Error))
		}
	}
	now := p.c.Now()
	p.lag.mu.Lock()
	defer p.lag.mu.Unlock()
	if p.lag.asked.IsZero() {
		errs = append(errs, errors.New("no broker has answered yet"))
	} else if silent := now.Sub(p.lag.asked); silent > p.c.MaxLag {
		errs = append(errs, fmt.Errorf("no broker has answered for %s", silent.Round(time.Second)))
	}
	for _, t := range tasks {
		b, ok := p.lag.tasks[t.Partition]
		if late := now.Sub(b.reached); ok && late > p.c.MaxLag && t.Phase == running.String() {
			errs = append(errs, fmt.Errorf("task %d has been behind for %s, by %d records",
				t.Partition, late.Round(time.Second), b.records))
		}
	}
	return errors.Join(errs...)
}
