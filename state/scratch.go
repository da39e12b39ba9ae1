package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// scratchMemTableBytes: what fits is sorted in memory.
	scratchMemTableBytes = 64 << 20
	// scratchCacheBytes: blocks are read once, in order.
	scratchCacheBytes = 8 << 20
	// scratchBatchBytes amortises a write over some thousand pairs.
	scratchBatchBytes = 1 << 20
)

// Scratch sorts more than memory holds: pairs go in in any order and come out in the order of their
// keys. It is for one goroutine. Its directory is its own and goes with Close.
type Scratch struct {
	parent string // made by OpenScratch; empty: it was there
	dir    string
	db     *pebble.DB
	batch  *pebble.Batch
}

// OpenScratch makes a directory under parent, which is made when missing.
func OpenScratch(parent string, log *slog.Logger) (*Scratch, error) {
	s := &Scratch{}
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		s.parent = parent
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("create scratch directory: %w", err)
	}
	var err error
	if s.dir, err = os.MkdirTemp(parent, "scratch-"); err != nil {
		return nil, fmt.Errorf("create scratch directory: %w", err)
	}
	cache := pebble.NewCache(scratchCacheBytes)
	defer cache.Unref()
	s.db, err = pebble.Open(s.dir, &pebble.Options{
		Cache: cache, MemTableSize: scratchMemTableBytes, MemTableStopWritesThreshold: 4, DisableWAL: true,
		FormatMajorVersion: pebble.FormatNewest, Logger: quiet{log},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open scratch: %w", err), s.remove())
	}
	s.batch = s.db.NewBatch()
	return s, nil
}

// Put sets the value of a key; both are copied.
func (s *Scratch) Put(key, value []byte) error {
	if err := s.batch.Set(key, value, nil); err != nil {
		return fmt.Errorf("write scratch: %w", err)
	}
	return s.flush(scratchBatchBytes)
}

// Delete takes a key out, whether it is there or not.
func (s *Scratch) Delete(key []byte) error {
	if err := s.batch.Delete(key, nil); err != nil {
		return fmt.Errorf("write scratch: %w", err)
	}
	return s.flush(scratchBatchBytes)
}

// flush writes the batch when it holds that many bytes.
func (s *Scratch) flush(atLeast int) error {
	if s.batch.Len() < atLeast {
		return nil
	}
	if err := s.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write scratch: %w", err)
	}
	s.batch.Reset()
	return nil
}

// Each calls f for each pair whose key starts with prefix, which is not all 0xff, ascending, until f
// returns an error, which it returns. f may look further pairs up, but not write. Key and value are
// valid during the call only.
func (s *Scratch) Each(prefix []byte, f func(key, value []byte) error) (err error) {
	if err := s.flush(0); err != nil {
		return err
	}
	o := &pebble.IterOptions{}
	if len(prefix) > 0 {
		o.LowerBound, o.UpperBound = prefix, keyAfter(prefix)
	}
	iter, err := s.db.NewIter(o)
	if err != nil {
		return fmt.Errorf("read scratch: %w", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read scratch: %w", err)
		}
		if err := f(iter.Key(), value); err != nil {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return fmt.Errorf("read scratch: %w", err)
	}
	return nil
}

// Close removes everything.
func (s *Scratch) Close() error {
	return errors.Join(s.batch.Close(), s.db.Close(), s.remove())
}

// remove deletes the directory, and its parent if that was made for it and holds nothing else.
func (s *Scratch) remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove scratch: %w", err)
	}
	if s.parent != "" {
		_ = os.Remove(s.parent) // somebody else has come to use it
	}
	return nil
}
