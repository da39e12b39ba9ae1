package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"stocksync/topics"
)

// Task is the state of one partition. It belongs to one goroutine.
//
// What is folded goes into an overlay: items in memory and a staged task record. Prepare hands out
// what the overlay's transaction must write. Then either Committed makes it state, or Rollback
// drops it and leaves what the last commit made.
type Task struct {
	store     *Store
	partition int32
	policy    Policy
	names     *names
	release   func()

	record, staged TaskRecord
	exists         bool // a task record is in the changelog
	moved          bool // the overlay holds something
	position       changelogPosition
	batches        batches // in Pebble; their marks hold the position

	iter    *pebble.Iterator // of the overlay's reads; nil until the first
	prefix  []byte           // reused by them
	cache   cache
	loaded  int // what Ahead saw: without, it would be compiled to nothing
	dirty   []*item
	staging []write // what Prepare handed out for the changelog
	pending writes  // committed, not yet in Pebble
	kept    arena   // of staging and pending: until they are flushed
	sent    arena   // of availability: until the commit
	touched touchedPool
	record0 topics.Availability // reused
}

// Arrival is where and when an input record came.
type Arrival struct {
	Topic       string // full name
	Partition   int32
	Offset      int64
	Time        topics.Time // the broker's
	Traceparent []byte
}

// OpenTask opens a partition's range and reads how far it is; it waits until the task that holds
// the partition now has closed. A range left alone for six days is dropped first.
func (s *Store) OpenTask(ctx context.Context, partition int32, p Policy, now time.Time) (*Task, error) {
	release, err := s.hold(ctx, partition)
	if err != nil {
		return nil, err
	}
	t := &Task{
		store: s, partition: partition, policy: p, names: newNames(), release: release,
		batches: batches{prefix: positionMark(partition)},
	}
	t.kept.blocks, t.sent.blocks = &s.blocks, &s.blocks
	t.cache.init()
	if err := t.readStored(now); err != nil {
		release()
		return nil, err
	}
	return t, nil
}

func (t *Task) readStored(now time.Time) error {
	t.position.caughtUp = now.Unix() // what is restored from the start on is as fresh as the restore
	value, err := t.batches.read(t.store.db)
	if errors.Is(err, errGap) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", t.partition, err)
	}
	if value == nil {
		return nil
	}
	stored, err := readPosition(value)
	if err != nil {
		return fmt.Errorf("partition %d: %w", t.partition, err)
	}
	if stored.stale(now) {
		t.batches.dropped()
		return t.store.Drop(t.partition)
	}
	t.position, t.cache.partial = stored, true
	key := append(appendPartition(nil, t.partition), kindTask)
	value, ok, err := t.store.get(key)
	if err != nil || !ok {
		return err
	}
	return t.readRecord(value)
}

func (t *Task) readRecord(value []byte) error {
	r, err := DecodeTaskRecord(value)
	if err != nil {
		return fmt.Errorf("partition %d: %w", t.partition, err)
	}
	t.record, t.staged, t.exists = *r, *r, true
	return nil
}

// Partition returns the task's number.
func (t *Task) Partition() int32 { return t.partition }

// Record returns the committed task record; false when the changelog has none.
func (t *Task) Record() (TaskRecord, bool) { return t.record, t.exists }

// Stage sets the staged task record: the first one of a task, or new positions.
func (t *Task) Stage(r TaskRecord) { t.staged, t.moved = r, true }

// Staged returns the task record as the overlay would commit it.
func (t *Task) Staged() TaskRecord { return t.staged }

// Partitions returns the task's own partition count, the overlay's.
func (t *Task) Partitions() int32 { return t.staged.Partitions }

// Next returns the next changelog offset to apply, as of the last commit.
func (t *Task) Next() int64 { return t.position.next }

// Moved tells whether the overlay holds anything to commit.
func (t *Task) Moved() bool { return t.moved }

// Expects returns the next offset to fold of an input, the overlay included.
func (t *Task) Expects(input int) int64 { return t.staged.Inputs[input].Next }

// Passed notes that an input record was dealt with. Commands are not counted.
func (t *Task) Passed(input int, offset int64, epoch int32, at topics.Time, o Outcome) {
	t.moved = true
	in := &t.staged.Inputs[input]
	in.Next, in.LeaderEpoch = offset+1, epoch
	t.staged.Newest = max(t.staged.Newest, at)
	if input != InputCommands {
		t.staged.Counters.add(o)
	}
}

// Skip notes that an input's control record was passed: it is no reason to commit.
func (t *Task) Skip(input int, offset int64) {
	t.staged.Inputs[input].Next = offset + 1
}

// Restart sets where the replay of a partition begins that has nothing stored, or whose stored part
// the changelog no longer covers: that part is dropped.
func (t *Task) Restart(next int64) error {
	if t.position.next > 0 {
		if err := t.store.Drop(t.partition); err != nil {
			return err
		}
		t.pending.reset()
		t.cache.init()
		t.batches.dropped()
		t.record, t.staged, t.exists = TaskRecord{}, TaskRecord{}, false
	}
	t.position.next = next
	return nil
}

// Mutation folds one version of a ledger line. The strings of m are copied where they stay. An
// error is a fault of the store; a reject is the record's.
func (t *Task) Mutation(m *topics.Mutation, a *Arrival) (Outcome, *topics.Reject, error) {
	it, err := t.item(m.SKU)
	if err != nil {
		return 0, nil, err
	}
	it.begin(&t.touched)
	o, reject := it.applyMutation(m, a.Time)
	if o != Applied {
		t.leave(it)
		return o, reject, nil
	}
	t.touch(it)
	trigger := topics.TriggerEvent
	if m.Kind == topics.KindTouch {
		trigger = topics.TriggerManual
	} else {
		it.seen(a.Time)
		it.lastMutation = max(it.lastMutation, a.Time)
		if m.Kind == topics.KindCount {
			it.lastCount = max(it.lastCount, a.Time)
		}
	}
	it.cause(trigger, topics.Cause{
		Topic: a.Topic, Partition: a.Partition, Offset: a.Offset, ID: m.LineID, Ref: m.VoucherNo, Reason: m.Reason,
	}, a.Traceparent)
	return Applied, nil, nil
}

// Order folds one version of a sales-order line, like Mutation.
func (t *Task) Order(m *topics.Order, a *Arrival) (Outcome, *topics.Reject, error) {
	it, err := t.item(m.SKU)
	if err != nil {
		return 0, nil, err
	}
	it.begin(&t.touched)
	o, reject := it.applyOrder(m, a.Time)
	if o != Applied {
		t.leave(it)
		return o, reject, nil
	}
	t.touch(it)
	it.seen(a.Time)
	it.lastOrder = max(it.lastOrder, a.Time)
	it.cause(topics.TriggerEvent, topics.Cause{
		Topic: a.Topic, Partition: a.Partition, Offset: a.Offset, ID: m.OrderLineID, Ref: m.OrderID,
		Reason: "order_" + m.Status.String(),
	}, a.Traceparent)
	return Applied, nil, nil
}

func (t *Task) touch(it *item) {
	if !it.touched.dirty {
		it.touched.dirty = true
		t.dirty = append(t.dirty, it)
	}
}

// leave ends what begin began, for an item that this commit has not changed.
func (t *Task) leave(it *item) {
	if !it.touched.dirty {
		it.end(&t.touched)
	}
}

// item returns a SKU's item from the cache or the store; sku may alias the input.
func (t *Task) item(sku string) (*item, error) {
	if it, ok := t.cache.get(sku); ok {
		return it, nil
	}
	var it *item
	if t.cache.partial {
		var err error
		if it, err = t.read(sku); err != nil {
			return nil, fmt.Errorf("partition %d: %w", t.partition, err)
		}
	}
	if it == nil {
		it = newItem(strings.Clone(sku), t.policy, t.names)
	}
	it.flushed = true
	t.cache.add(it)
	return it, nil
}

// Close lets the partition go. What is committed and not yet in Pebble is written first, so that
// the next owner here has less to replay.
func (t *Task) Close() error {
	err := t.flush()
	t.release()
	return err
}
