package state

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// flushWrites and flushBytes bound what is committed and not yet in Pebble. Keys that come
	// again within it are written once, and sorted keys are quick to put in: both grow with it.
	flushWrites = 50_000
	flushBytes  = 16 << 20
)

// write is one key and value for Pebble; a nil value is a tombstone, but for keys of the day index.
type write struct {
	key, value []byte
	n          int // place in the order of commits
}

// writes is what the next flush will write, in the order of commits.
type writes struct {
	list  []write
	bytes int
}

func (w *writes) add(list []write) {
	for _, one := range list {
		one.n = len(w.list)
		w.list = append(w.list, one)
		w.bytes += len(one.key) + len(one.value)
	}
}

// sorted orders the writes by key, and those of one key as they were committed.
func (w *writes) sorted() []write {
	slices.SortFunc(w.list, func(a, b write) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return a.n - b.n
	})
	return w.list
}

func (w *writes) full() bool { return len(w.list) >= flushWrites || w.bytes >= flushBytes }

func (w *writes) reset() {
	clear(w.list)
	w.list, w.bytes = w.list[:0], 0
}

// flush writes what is pending and the position that it reaches in one batch. The order is safe to
// lose: Pebble's log keeps a prefix of the batches, and a batch is whole.
func (t *Task) flush() error {
	if t.position.next == 0 {
		return nil
	}
	list := t.pending.sorted()
	b := t.store.db.NewBatchWithSize(t.pending.bytes + 16*len(list) + 64)
	defer b.Close() //nolint:errcheck // a closed batch has nothing left to report
	for i, w := range list {
		if i+1 < len(list) && bytes.Equal(w.key, list[i+1].key) {
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
	if err := b.Set(positionKey(t.partition), t.position.append(nil), nil); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	t.pending.reset()
	if len(t.staging) == 0 {
		t.kept.recycle()
	}
	t.cache.flushedAll()
	return nil
}

// read loads a SKU from Pebble; nil when it is not there. Everything committed is in Pebble or in
// the cache: an item that is not flushed is never evicted.
func (t *Task) read(sku string) (*item, error) {
	prefix := appendChunkKey(appendPartition(make([]byte, 0, 4+len(sku)+6), t.partition), sku, 0)
	iter, err := t.store.db.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	var chunks []chunkValue
	for ok := iter.SeekPrefixGE(prefix); ok; ok = iter.Next() {
		key := iter.Key()
		_, chunk, err := parseChunkKey(key[4:])
		if err != nil {
			return nil, closing(iter, err)
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return nil, closing(iter, err)
		}
		chunks = append(chunks, chunkValue{chunk, bytes.Clone(value)})
	}
	if err := closing(iter, nil); err != nil || len(chunks) == 0 {
		return nil, err
	}
	return load(string(prefix[5:5+len(sku)]), chunks, t.policy, t.names)
}

// closing closes an iterator and returns the first of the errors.
func closing(iter *pebble.Iterator, err error) error {
	if cerr := iter.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	return nil
}

// Each calls fn for each changelog record of a partition as the store has it, in order of keys.
// Key and value are valid during the call only.
func (s *Store) Each(partition int32, fn func(key, value []byte) error) error {
	from := append(appendPartition(nil, partition), kindSKU)
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: appendPartition(nil, partition+1)})
	if err != nil {
		return fmt.Errorf("read state: %w", err)
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
