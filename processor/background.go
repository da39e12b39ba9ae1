package processor

import (
	"time"
)

// Background work is what a task does by itself: the walk after a change of policy, and the nightly run. It
// is done a little at a time between live events, in the lane's own goroutine: what it makes goes into the
// overlay and is committed like events, in the transaction that they make or in one of its own, with offsets
// of the group (P3). How far it came is in the task record of that transaction.
//
// Live events come first. A step is short, there is none while a commit is due or the lane is behind, and
// live events do not wait for the interval of a transaction that had none.

const (
	// backgroundStep bounds how long live events may find the lane at background work.
	backgroundStep = 2 * time.Millisecond
	// lookInterval is how often a lane asks its tasks whether they owe work.
	lookInterval = 100 * time.Millisecond
	// readAhead is how many SKUs a job lists at a time: some steps' worth.
	readAhead = 256
	// DefaultNightlyRate is how many SKUs an instance deals with in a second: a million in 8 minutes, for
	// less than a tenth of a core and 50 records more in a transaction of 25 ms.
	DefaultNightlyRate = 2000
)

// job is the background work of one task.
type job interface {
	// step deals with up to n SKUs, fewer when stop says so, and stages how far it came.
	step(t *task, n int, stop func() bool) (int, error)
	// over tells whether the job has staged its end.
	over() bool
	// committed takes note that what was staged is committed.
	committed(l *lane, t *task) error
}

// backlog says when a lane should go on with background work.
type backlog uint8

const (
	noBacklog    backlog = iota
	backlogLater         // with the next transaction: a commit is awaited, or the pace
	backlogNow
)

// background gives the tasks' jobs a step, one task after the other.
func (l *lane) background() error {
	l.backlog = noBacklog
	if l.restores != nil || l.records > l.maxRecords/2 || l.records > 0 && l.due() {
		return nil
	}
	began := time.Now()
	stop := func() bool { return time.Since(began) >= backgroundStep }
	for {
		t := l.worker()
		if t == nil {
			return nil
		}
		l.backlog = backlogLater
		n := l.p.pace.take(readAhead, l.p.c.Now())
		if n == 0 {
			return nil
		}
		done, err := t.job.step(t, n, stop)
		if err != nil {
			return err
		}
		l.p.pace.give(n - done)
		l.p.crash("during the nightly run")
		switch {
		case stop():
			l.backlog = backlogNow
			return nil
		case done == n && n < readAhead: // all that the pace allows
			return nil
		}
	}
}

// pollWait returns how long a lane may wait for live events.
func (l *lane) pollWait() time.Duration {
	switch {
	case l.backlog == backlogNow:
		return time.Millisecond // what has come already is taken at once; no wait at all would leave it
	case l.records > 0:
		return min(l.untilDue(), l.p.c.CommitInterval)
	case l.backlog == backlogLater:
		if wait := l.untilDue(); wait > 0 {
			return wait
		}
		return l.p.c.CommitInterval // nothing is staged: the pace is awaited
	}
	return idlePoll
}

// worker returns the first task that has work to do.
func (l *lane) worker() *task {
	now := l.p.c.Now()
	since := now.Sub(l.looked)
	look := since < 0 || since >= lookInterval
	if look {
		l.looked = now
	}
	var found *task
	for _, t := range l.tasks {
		if t.phase != running {
			continue
		}
		if t.job == nil && look {
			t.job = l.p.nextJob(t, now)
		}
		working := t.job != nil && !t.job.over()
		if t.job != nil {
			l.backlog = backlogLater
		}
		if working && (found == nil || t.partition < found.partition) {
			found = t
		}
	}
	return found
}

// nextJob returns what a task owes, nil when it owes nothing. The walk goes first: a run would emit what
// the walk is for.
func (p *Processor) nextJob(t *task, now time.Time) job {
	r := t.Staged()
	if !r.WalkEnded {
		return &walk{began: now}
	}
	if run := p.nextRun(t, &r, now); run != nil {
		return run
	}
	return nil
}

// jobCommitted lets a task's job know of a commit, and ends it when it is over.
func (l *lane) jobCommitted(t *task) error {
	if t.job == nil {
		return nil
	}
	if err := t.job.committed(l, t); err != nil {
		return err
	}
	if t.job.over() {
		l.endJob(t)
	}
	return nil
}

// endJob drops a task's job and lets the lane look for the next at once.
func (l *lane) endJob(t *task) {
	t.job = nil
	l.looked = time.Time{}
}
