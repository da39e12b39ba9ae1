package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// restores replays the changelog of some tasks, in a goroutine of its own. The state of a task that
// restores belongs to it.
type restores struct {
	cancel context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex
	tasks []*task // not yet taken back by the lane
	ready []*task // of these, restored or halted
	err   error   // that ended it early
}

// Errors of the changelog that halt a task.
var (
	errChangelogShort = errors.New("the changelog ends before what is stored here: it lost committed records; " +
		"restore it, or delete the state directory to go on with what it has left")
	errChangelogStart = errors.New("the changelog starts after what is stored here: is its cleanup.policy " +
		"`compact`? delete the state directory to rebuild from what is left")
	errChangelogAnew = errors.New("the changelog was deleted and made anew: what it held is lost; restore it, or " +
		"delete the state directory and let `stocksync positions set` fold the inputs again")
	errChangelogLost = errors.New("there is no task record, but the availability topic has records: the changelog " +
		"is lost; restore it, or let `stocksync positions set` fold the inputs again from where they begin")
	errPartitions = errors.New("the task was made with another partition count; this release does not split tasks")
)

// restore begins to replay every task that restores, those that are being replayed already too.
func (l *lane) restore(ctx context.Context) error {
	if err := l.stopRestores(); err != nil {
		return err
	}
	var tasks []*task
	for _, t := range l.tasks {
		if t.phase == restoring {
			tasks = append(tasks, t)
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	l.pause(tasks)
	l.show()
	ctx, cancel := context.WithCancel(ctx)
	r := &restores{cancel: cancel, ended: make(chan struct{}), tasks: tasks}
	l.restores = r
	go func() {
		defer close(r.ended)
		err := l.p.replay(ctx, tasks, func(t *task) {
			r.mu.Lock()
			r.ready = append(r.ready, t)
			r.mu.Unlock()
			l.events.happened(func() {})
		})
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
		l.events.happened(func() {})
	}()
	return nil
}

// stopRestores ends the replay and takes back every task; those that are not done start again where
// they stand.
func (l *lane) stopRestores() error {
	r := l.restores
	if r == nil {
		return nil
	}
	r.cancel()
	<-r.ended
	l.restores = nil
	for _, t := range r.ready {
		if l.tasks[t.partition] == t {
			l.start(t)
		}
	}
	return r.fault()
}

// fault returns what ended a replay early, but for its own cancellation.
func (r *restores) fault() error {
	switch {
	case r.err == nil || isContext(r.err):
		return nil
	case errors.Is(r.err, errState):
		return r.err
	}
	return fmt.Errorf("%w: restore: %w", errSession, r.err)
}

// takeRestored returns the tasks whose replay is done.
func (l *lane) takeRestored() ([]*task, error) {
	r := l.restores
	if r == nil {
		return nil, nil
	}
	select {
	case <-r.ended:
		l.restores = nil
		r.cancel()
		if err := r.fault(); err != nil {
			return nil, err
		}
	default:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ready := r.ready
	r.ready = nil
	return ready, nil
}

// replay opens tasks, brings each to the changelog's end as it is now, and calls done for it. A task
// that must not go on has its err set. Errors of the store are fatal, others end the session.
func (p *Processor) replay(ctx context.Context, tasks []*task, done func(*task)) error {
	for _, t := range tasks {
		if t.Task != nil {
			continue
		}
		opened, err := p.store.OpenTask(ctx, t.partition, p.c.Policy, p.c.Now())
		switch {
		case errors.Is(err, state.ErrNewerFormat):
			t.err = err
		case err != nil:
			return stateFault(err)
		default:
			t.Task = opened
		}
	}
	b, err := p.bounds(ctx)
	if err != nil {
		return err
	}
	behind := map[int32]*task{}
	for _, t := range tasks {
		if t.err == nil {
			t.err = p.place(t, b)
		}
		switch {
		case t.err != nil:
			done(t)
		case t.Next() >= b.changelog.end[t.partition]:
			if err := p.finish(ctx, t, b, done); err != nil {
				return err
			}
		default:
			behind[t.partition] = t
		}
	}
	if len(behind) == 0 {
		return nil
	}
	return p.follow(ctx, behind, b, done)
}

// place checks the stored position against the changelog as it is, and sets where to begin.
func (p *Processor) place(t *task, b *bounds) error {
	start, end := b.changelog.start[t.partition], b.changelog.end[t.partition]
	next := t.Next()
	switch {
	case b.changelogID != p.cluster.changelogID:
		return fmt.Errorf("%w: its id was %s and is %s", errChangelogAnew, p.cluster.changelogID, b.changelogID)
	case next > end:
		return fmt.Errorf("%w: it ends at offset %d, stored is %d", errChangelogShort, end, next)
	case next >= start:
		return nil
	case next > 0 && !p.c.EmbeddedBroker:
		return fmt.Errorf("%w: it starts at offset %d, stored is %d", errChangelogStart, start, next)
	}
	return t.Restart(start)
}

// follow consumes the changelog of tasks until each has reached its end. Control records count: the
// end may be one, and an open transaction below it is waited for.
func (p *Processor) follow(ctx context.Context, behind map[int32]*task, b *bounds, done func(*task)) error {
	changelog := p.c.Prefix.Name(topics.Changelog)
	from := map[int32]kgo.Offset{}
	for n, t := range behind {
		from[n] = kgo.NewOffset().At(t.Next())
		p.metrics.restoreTarget.WithLabelValues(label(n)).Set(float64(b.changelog.end[n]))
	}
	client, err := kgo.NewClient(append(append(shares(len(behind)), p.clientOpts()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{changelog: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return fmt.Errorf("restore client: %w", err)
	}
	defer client.Close()
	for len(behind) > 0 {
		fetches := p.pollCommitted(ctx, client, changelog, slices.Collect(maps.Keys(behind)))
		if err := ctx.Err(); err != nil {
			return err
		}
		var failed error
		fetches.EachError(func(_ string, n int32, err error) {
			failed = errors.Join(failed, fmt.Errorf("changelog partition %d: %w", n, err))
		})
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			t := behind[f.Partition]
			if failed != nil || t == nil || len(f.Records) == 0 {
				return
			}
			failed = p.apply(ctx, t, f.Records, b, func(t *task) {
				delete(behind, t.partition)
				client.PauseFetchPartitions(map[string][]int32{changelog: {t.partition}})
				done(t)
			})
		})
		if failed != nil {
			return failed
		}
		p.crash("during restore")
	}
	return nil
}

// shares gives each of some partitions its part of a fetch. The limit of the whole is out of their reach: the
// embedded broker does not say what was aborted in a partition that meets it, and that would look committed.
func shares(partitions int) []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchMaxPartitionBytes(int32(fetchBytes / partitions)),
		kgo.FetchMaxBytes(fetchBytes + topics.MaxOutputBytes), // one batch may be larger than its share
	}
}

// apply replays one batch of changelog records.
func (p *Processor) apply(ctx context.Context, t *task, records []*kgo.Record, b *bounds, done func(*task)) error {
	changes := make([]state.Change, 0, len(records))
	for _, r := range records {
		if !r.Attrs.IsControl() {
			changes = append(changes, state.Change{Key: r.Key, Value: r.Value})
		}
	}
	next := records[len(records)-1].Offset + 1
	err := t.Replay(changes, next, time.Time{})
	if errors.Is(err, state.ErrNewerFormat) {
		t.err = err
		done(t)
		return nil
	}
	if err != nil {
		return stateFault(err)
	}
	p.metrics.restored.Add(float64(len(changes)))
	p.metrics.restorePosition.WithLabelValues(label(t.partition)).Set(float64(next))
	if next < b.changelog.end[t.partition] {
		return nil
	}
	return p.finish(ctx, t, b, done)
}

// finish verifies a task that has the whole changelog: it may start, or has its err set.
func (p *Processor) finish(ctx context.Context, t *task, b *bounds, done func(*task)) error {
	if err := t.Replay(nil, max(t.Next(), b.changelog.end[t.partition]), p.c.Now()); err != nil {
		return stateFault(err)
	}
	if r, ok := t.Record(); ok {
		t.err = p.verify(t, &r, b)
	} else {
		var err error
		if t.err, err = p.firstRecord(ctx, t, b); err != nil {
			return err
		}
	}
	done(t)
	return ctx.Err()
}

// verify holds a task record against the inputs as they are. Commands that are gone are no loss of
// stock: the task goes on with those that are left. What is new in the record is staged.
func (p *Processor) verify(t *task, r *state.TaskRecord, b *bounds) error {
	if r.Partitions != p.cluster.partitions {
		return fmt.Errorf("%w: %d then, %d now", errPartitions, r.Partitions, p.cluster.partitions)
	}
	for i, name := range p.names {
		in := r.Inputs[i]
		if id := b.inputIDs[i]; kadm.TopicID(in.TopicID) != id {
			return fmt.Errorf("%s: %w: its id was %s and is %s", name, errRecreated, kadm.TopicID(in.TopicID), id)
		}
		start, end := b.inputs[i].start[t.partition], b.inputs[i].end[t.partition]
		if i == state.InputCommands {
			if to := min(max(in.Next, start), end); to != in.Next {
				p.c.Log.Warn("commands are gone", "partition", t.partition, "from", in.Next, "to", to)
				r.Inputs[i].Next, r.Inputs[i].LeaderEpoch = to, -1
			}
			continue
		}
		if start <= in.Next {
			continue
		}
		return fmt.Errorf("%w: %s partition %d starts at offset %d, next to fold is %d",
			errInputLost, name, t.partition, start, in.Next)
	}
	r.Writer = p.c.Version
	if held, _ := t.Record(); held != *r {
		t.Stage(*r)
	}
	return nil
}

// firstRecord stages the record of a task that has none; it is committed before anything is folded
// or together with it. The first result is why the task must not go on.
func (p *Processor) firstRecord(ctx context.Context, t *task, b *bounds) (halt, err error) {
	if t.partition >= p.cluster.partitions {
		return fmt.Errorf("%w: partition %d is new, there were %d at the start",
			errPartitions, t.partition, p.cluster.partitions), nil
	}
	switch found, err := p.anyAvailability(ctx, t.partition, b); {
	case err != nil:
		return nil, err
	case found:
		return fmt.Errorf("partition %d: %w", t.partition, errChangelogLost), nil
	}
	r := state.TaskRecord{
		Writer: p.c.Version, Partitions: p.cluster.partitions, Policy: p.c.Policy, WalkEnded: true,
	}
	for i := range r.Inputs {
		r.Inputs[i] = state.InputPosition{
			TopicID: b.inputIDs[i], Next: b.inputs[i].start[t.partition], LeaderEpoch: -1,
		}
	}
	t.Stage(r)
	return nil, nil
}

// anyAvailability tells whether a partition of the availability topic has a committed record. Offsets
// alone do not say: a first transaction that was aborted leaves offsets behind and no record.
func (p *Processor) anyAvailability(ctx context.Context, n int32, b *bounds) (bool, error) {
	name := p.c.Prefix.Name(topics.AvailabilityTopic)
	next, end := b.availability.start[n], b.availability.end[n]
	if next >= end {
		return false, nil
	}
	client, err := kgo.NewClient(append(p.clientOpts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {n: kgo.NewOffset().At(next)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return false, fmt.Errorf("availability client: %w", err)
	}
	defer client.Close()
	for next < end {
		fetches := p.pollCommitted(ctx, client, name, []int32{n})
		if err := fetches.Err(); err != nil {
			return false, fmt.Errorf("read %s: %w", name, err)
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				return true, nil
			}
			next = r.Offset + 1
		}
	}
	return false, nil
}

// stateFault marks a fault of the local state, but for a wait that was given up.
func stateFault(err error) error {
	if isContext(err) {
		return err
	}
	return fmt.Errorf("%w: %w", errState, err)
}
