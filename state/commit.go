package state

import (
	"fmt"
	"strconv"
	"time"

	"stocksync/topics"
)

// Output is one record that the overlay's transaction must produce to the task's partition.
type Output struct {
	Kind        OutputKind
	Key, Value  []byte // not to be changed, valid until Committed or Rollback; a nil Value is a tombstone
	Revision    []byte // header of availability records
	Traceparent []byte // header of availability records, when the newest cause had one
}

// OutputKind says which topic an Output belongs to.
type OutputKind uint8

// The topics that a task writes by itself.
const (
	ToChangelog OutputKind = iota
	ToAvailability
)

// Prepare hands out the records of the overlay's transaction: per touched SKU its chunks, the tombstones
// of those that die, and its availability record, and the task record last. It is called once for each
// overlay; Committed or Rollback must follow.
func (t *Task) Prepare(now time.Time, emit func(Output)) {
	t.staging = t.staging[:0]
	at := topics.TimeOf(now)
	for _, it := range t.dirty {
		if it.touched.emits {
			it.revise(now.UnixMilli())
		}
		it.writeChunks(&t.kept, func(chunk uint32, value []byte) {
			t.stage(write{t.chunkKey(it, chunk), value, it, chunk}, emit)
		})
		for dead := it.touched.deadFrom; dead != 0 && dead < it.firstLive; dead++ {
			t.stage(write{key: t.chunkKey(it, dead)}, emit)
		}
		if it.touched.emits {
			emit(t.availability(it, at))
		}
	}
	key := t.kept.cut(append(appendPartition(t.kept.free(), t.partition), kindTask))
	t.stage(write{key: key, value: t.kept.cut(t.staged.Append(t.kept.free()))}, emit)
}

func (t *Task) chunkKey(it *item, chunk uint32) []byte {
	return t.kept.cut(appendChunkKey(appendPartition(t.kept.free(), t.partition), it.sku, chunk))
}

// stage notes a changelog record for Pebble; its key there is the changelog's after the partition.
func (t *Task) stage(w write, emit func(Output)) {
	t.staging = append(t.staging, w)
	emit(Output{Kind: ToChangelog, Key: w.key[4:], Value: w.value})
}

// revise gives the item the revision of the record to come (F6).
func (it *item) revise(wallMs int64) {
	it.revision = max(it.revision+1, wallMs)
	for i := range it.ordersFrom {
		if it.ordersFrom[i].revision == 0 {
			it.ordersFrom[i].revision = it.revision
		}
	}
}

func (t *Task) availability(it *item, now topics.Time) Output {
	it.availability(&t.record0)
	t.record0.ProcessedAt = now
	return Output{
		Kind:        ToAvailability,
		Key:         t.sent.cut(append(t.sent.free(), it.sku...)),
		Value:       t.sent.cut(t.record0.AppendJSON(t.sent.free())),
		Revision:    t.sent.cut(strconv.AppendInt(t.sent.free(), it.revision, 10)),
		Traceparent: it.touched.traceparent,
	}
}

// Committed makes the overlay state: the transaction that holds it is committed, and last is the
// offset of its last changelog record, the task record.
func (t *Task) Committed(last int64, now time.Time) error {
	if err := t.endReads(); err != nil {
		return err
	}
	for _, w := range t.staging {
		t.pending.put(w)
	}
	for _, it := range t.dirty {
		for _, day := range it.touched.days {
			t.pending.put(write{key: appendDayKey(nil, t.partition, day, it.sku)})
		}
		it.flushed, it.recorded, it.remade = false, nil, false
		it.end(&t.touched)
		t.cache.account(it)
	}
	t.forgetOverlay()
	t.sent.recycle()
	t.record, t.exists, t.moved = t.staged, true, false
	t.position = changelogPosition{next: last + 1, caughtUp: now.Unix()}
	open := int64(max(1, t.store.open.Load()))
	if t.pending.full(pendingBytes/open) || !t.cache.shrink(t.store.cacheBytes/open) {
		if err := t.flush(); err != nil {
			return err
		}
		t.cache.shrink(t.store.cacheBytes / open)
	}
	return nil
}

// forgetOverlay empties the overlay's lists, and lets go of the items in them: the cache may evict these.
func (t *Task) forgetOverlay() {
	clear(t.dirty)
	clear(t.staging)
	t.dirty, t.staging = t.dirty[:0], t.staging[:0]
}

// Rollback drops the overlay. The caller replays the changelog's tail before it folds again: the
// transaction may have been committed after all. What Prepare handed out may still be on its way.
func (t *Task) Rollback() error {
	t.sent.forget()
	t.kept.forget()
	if err := t.flush(); err != nil {
		return err
	}
	for _, it := range t.dirty {
		t.cache.remove(it)
		it.end(&t.touched)
	}
	t.forgetOverlay()
	t.staged, t.moved = t.record, false
	return nil
}

// Change is one changelog record that is replayed.
type Change struct{ Key, Value []byte }

// Replay applies committed changelog records in order; next is the offset after the last of them,
// also when that was a control record. caughtUp is the time when next is the changelog's end, else
// zero. The overlay must be empty. After an error the task is where it was before.
func (t *Task) Replay(changes []Change, next int64, caughtUp time.Time) error {
	if t.moved || len(t.dirty) > 0 {
		return fmt.Errorf("partition %d: replay into an overlay: %w", t.partition, ErrInvariant)
	}
	before, record, exists := len(t.pending.list), t.record, t.exists
	for _, c := range changes {
		if err := t.replay(c); err != nil {
			// What stands before the fault must not be written without the position that it reaches.
			t.pending.cut(before)
			t.record, t.staged, t.exists = record, record, exists
			return fmt.Errorf("partition %d: replay: %w", t.partition, err)
		}
	}
	t.position.next = next
	if !caughtUp.IsZero() {
		t.position.caughtUp = caughtUp.Unix()
	}
	most := pendingBytes / int64(max(1, t.store.open.Load()))
	if t.pending.full(most) || !caughtUp.IsZero() { // what comes next reads from Pebble
		return t.flush()
	}
	return nil
}

func (t *Task) replay(c Change) error {
	key := append(appendPartition(make([]byte, 0, 4+len(c.Key)), t.partition), c.Key...)
	t.pending.put(write{key: key, value: c.Value})
	if IsTaskKey(c.Key) {
		if c.Value == nil {
			return fmt.Errorf("tombstone for the task record: %w", ErrInvariant)
		}
		return t.readRecord(c.Value)
	}
	sku, _, err := parseChunkKey(c.Key)
	if err != nil {
		return err
	}
	if it, ok := t.cache.get(string(sku)); ok {
		t.cache.remove(it)
	}
	t.cache.partial = true
	if c.Value == nil {
		return nil
	}
	return t.indexDays(string(sku), c.Value)
}

// indexDays puts a SKU under the days that a chunk names: its last active day, and the arrival
// day of each entry.
func (t *Task) indexDays(sku string, value []byte) error {
	header := &item{names: t.names}
	entries, err := header.readChunk(value)
	if err != nil {
		return fmt.Errorf("sku %q: %w", sku, err)
	}
	last := header.activeDay
	add := func(day int32) {
		t.pending.put(write{key: appendDayKey(nil, t.partition, day, sku)})
	}
	if last > 0 {
		add(last)
	}
	var e entry
	for c := (cursor{rest: entries}); len(c.rest) > 0; {
		c.entry(&e)
		if c.err != nil {
			return fmt.Errorf("sku %q: %w", sku, c.err)
		}
		day := e.line.arrived
		if e.isOrder {
			day = e.order.changed
		}
		if day != last {
			add(day)
			last = day
		}
	}
	return nil
}
