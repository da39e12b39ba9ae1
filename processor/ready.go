package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"stocksync/state"
)

// lagInterval is how often the inputs' ends are asked for.
const lagInterval = 2 * time.Second

// lag follows how far the tasks of this instance are behind their inputs.
type lag struct {
	mu     sync.Mutex
	behind map[int32]int64     // records not yet folded
	since  map[int32]time.Time // when a task was last at its end, or seen first
	asked  time.Time           // when the ends were last known
}

func (l *lag) records() map[int32]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.behind)
}

// watchLag compares positions and ends until ctx ends.
func (p *Processor) watchLag(ctx context.Context) {
	tick := time.NewTicker(lagInterval)
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
	ends, err := p.admin.ListCommittedOffsets(ctx, p.names[:]...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list committed offsets: %w", err)
	}
	now := p.c.Now()
	behind, since := map[int32]int64{}, map[int32]time.Time{}
	l := &p.lag
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range p.Tasks() {
		var n int64
		for i, base := range state.InputBases() {
			end, _ := ends.Lookup(p.names[i], t.Partition)
			n += max(0, end.Offset-t.Next[base])
		}
		behind[t.Partition] = n
		was, known := l.since[t.Partition]
		if n == 0 || !known {
			was = now
		}
		since[t.Partition] = was
	}
	l.behind, l.since, l.asked = behind, since, now
	return nil
}

// Tasks describes the tasks assigned to this instance, by partition.
func (p *Processor) Tasks() []TaskInfo {
	p.mu.Lock()
	lanes := slices.Clone(p.lanes)
	p.mu.Unlock()
	var list []TaskInfo
	for _, l := range lanes {
		if shown := l.shown.Load(); shown != nil {
			list = append(list, *shown...)
		}
	}
	slices.SortFunc(list, func(a, b TaskInfo) int { return int(a.Partition - b.Partition) })
	return list
}

// Ready returns nil when every task runs and keeps up with its inputs, else an error that says what
// is in the way. It is safe for concurrent use.
func (p *Processor) Ready() error {
	var errs []error
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
	for n, since := range p.lag.since {
		if late := now.Sub(since); late > p.c.MaxLag {
			errs = append(errs, fmt.Errorf("task %d has been behind for %s, by %d records",
				n, late.Round(time.Second), p.lag.behind[n]))
		}
	}
	return errors.Join(errs...)
}
