package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// flushWrites and flushBytes bound what is committed and not yet in Pebble. Keys that come
	// again within it are written once, and sorted keys are quick to put in: both grow with it.
	flushWrites = 50_000
	flushBytes  = 16 << 20
	// pendingBytes bounds it for all tasks together.
	pendingBytes = 256 << 20
)

// write is one key and value for Pebble; a nil value is a tombstone, but for keys of the day index.
type write struct {
	key, value []byte
	item       *item  // of a chunk
	chunk      uint32 // its number
}

// writes is what the next flush will write, in the order of commits.
type writes struct {
	list  []write
	bytes int // of all that was put in, replaced values too: they share the arena
	round int // of flushes
	order []sortKey
}

// lastWrite is where the last write of an item's chunk stands in writes.
type lastWrite struct {
	round, at int
	chunk     uint32
}

// put adds a write; one of the same chunk gives its place to it.
func (w *writes) put(one write) {
	w.bytes += len(one.key) + len(one.value)
	if it := one.item; it != nil {
		if last := it.lastWrite; last.round == w.round && last.chunk == one.chunk && last.at < len(w.list) {
			w.list[last.at].value = one.value
			return
		}
		it.lastWrite = lastWrite{w.round, len(w.list), one.chunk}
	}
	w.list = append(w.list, one)
}

// sortKey is the place of a write and the part of its key that mostly decides its order: comparing keys
// themselves would cost two cache misses each time.
type sortKey struct {
	head uint64
	at   int32
}

// sorted orders the writes by key, and those of one key as they were committed.
func (w *writes) sorted() []sortKey {
	skip := w.commonPrefix()
	w.order = w.order[:0]
	for i := range w.list {
		w.order = append(w.order, sortKey{head(w.list[i].key, skip), int32(i)})
	}
	slices.SortFunc(w.order, func(a, b sortKey) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if c := bytes.Compare(w.list[a.at].key, w.list[b.at].key); c != 0 {
			return c
		}
		return int(a.at - b.at)
	})
	return w.order
}

// commonPrefix returns the length of what the keys of all chunks begin with.
func (w *writes) commonPrefix() int {
	var prefix []byte
	for i := range w.list {
		key := w.list[i].key
		switch {
		case key[4] != kindSKU:
		case prefix == nil:
			prefix = key
		default:
			n := 0
			for n < len(prefix) && n < len(key) && prefix[n] == key[n] {
				n++
			}
			prefix = prefix[:n]
		}
	}
	return max(5, len(prefix))
}

// head returns the kind of a key and the seven bytes after its first skip ones; only keys of chunks have
// more than the partition and the kind in common.
func head(key []byte, skip int) uint64 {
	var b [8]byte
	b[0] = key[4]
	if key[4] != kindSKU {
		skip = 5
	}
	copy(b[1:], key[min(skip, len(key)):])
	return binary.BigEndian.Uint64(b[:])
}

// cut takes out all but the first n.
func (w *writes) cut(n int) {
	for _, one := range w.list[n:] {
		w.bytes -= len(one.key) + len(one.value)
	}
	clear(w.list[n:])
	w.list = w.list[:n]
}

// full tells whether there is enough to flush; share is the task's of what all may hold.
func (w *writes) full(share int64) bool {
	return len(w.list) >= flushWrites || w.bytes >= flushBytes || int64(w.bytes) >= share
}

// size returns what a batch of all writes takes at most.
func (w *writes) size() int {
	const around, each = 1 << 10, 1 + 2*binary.MaxVarintLen32 // the batch's own, and a write's kind and lengths
	n := around
	for i := range w.list {
		n += each + len(w.list[i].key) + len(w.list[i].value)
	}
	return n
}

func (w *writes) reset() {
	clear(w.list)
	w.list, w.bytes = w.list[:0], 0
	w.round++
}

// flush writes what is pending and the position that it reaches in one batch. The order is safe to
// lose: Pebble's log keeps a prefix of the batches, and a batch is whole.
func (t *Task) flush() error {
	if err := t.endReads(); err != nil || t.position.next == 0 {
		return err
	}
	list, order := t.pending.list, t.pending.sorted()
	// The batch's memory is used again.
	b := t.store.db.NewBatchWithSize(t.pending.size(), pebble.WithMaxRetainedSizeBytes(2*flushBytes))
	defer b.Close() //nolint:errcheck // a closed batch has nothing left to report
	for i, k := range order {
		w := &list[k.at]
		if i+1 < len(order) && bytes.Equal(w.key, list[order[i+1].at].key) {
			continue
		}
		var err error
		if w.value == nil && w.key[4] != kindDay {
			err = b.Delete(w.key, nil)
		} else {
			err = b.Set(w.key, w.value, nil)
		}
		if err != nil {
			return fmt.Errorf("write state: %w", err)
		}
	}
	if err := t.batches.mark(b, t.position.append(nil)); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	t.batches.committed()
	t.pending.reset()
	if len(t.staging) == 0 {
		t.kept.recycle()
	}
	t.cache.flushedAll()
	return nil
}

// read loads a SKU from Pebble; nil when it is not there. Everything committed is in Pebble or in
// the cache: an item that is not flushed is never evicted. One iterator serves the whole overlay, since
// nothing else writes to the partition's range.
func (t *Task) read(sku string) (*item, error) {
	if t.iter == nil {
		iter, err := t.store.db.NewIter(nil)
		if err != nil {
			return nil, readFault(err)
		}
		t.iter = iter
	}
	t.prefix = appendChunkKey(appendPartition(t.prefix[:0], t.partition), sku, 0)
	var chunks []chunkValue
	for ok := t.iter.SeekPrefixGE(t.prefix); ok; ok = t.iter.Next() {
		_, chunk, err := parseChunkKey(t.iter.Key()[4:])
		if err != nil {
			return nil, readFault(err)
		}
		value, err := t.iter.ValueAndErr()
		if err != nil {
			return nil, readFault(err)
		}
		chunks = append(chunks, chunkValue{chunk, bytes.Clone(value)})
	}
	if err := t.iter.Error(); err != nil {
		return nil, readFault(err)
	}
	if len(chunks) == 0 {
		return nil, nil
	}
	return load(strings.Clone(sku), chunks, t.policy, t.names)
}

// endReads closes the iterator: it holds on to what Pebble would delete.
func (t *Task) endReads() error {
	if t.iter == nil {
		return nil
	}
	iter := t.iter
	t.iter = nil
	return closing(iter, nil)
}

// closing closes an iterator and returns the first of the errors.
func closing(iter *pebble.Iterator, err error) error {
	if cerr := iter.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return readFault(err)
	}
	return nil
}

// readFault says what an error of reading means.
func readFault(err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, errCorrupt) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("read state: %w", err)
}

// Each calls fn for each changelog record of a partition as the store has it, in order of keys.
// Key and value are valid during the call only.
func (s *Store) Each(partition int32, fn func(key, value []byte) error) error {
	from := append(appendPartition(nil, partition), kindSKU)
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: appendPartition(nil, partition+1)})
	if err != nil {
		return readFault(err)
	}
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err == nil {
			err = fn(iter.Key()[4:], value)
		}
		if err != nil {
			return closing(iter, err)
		}
	}
	return closing(iter, nil)
}
