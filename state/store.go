package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/topics"
)

const (
	// memTableBytes: smaller ones cost a fifth of the speed, larger ones gain nothing.
	memTableBytes = 64 << 20
	// memTables is how many may wait to be written to disk: with more, writes wait.
	memTables = 4
	// blockCacheBytes serves the reads of items that the cache of decoded items has let go.
	blockCacheBytes = 64 << 20
	// bloomBits a key keeps the look-up of a new SKU out of the tables.
	bloomBits = 10
	// DefaultCacheBytes bounds the decoded items of all tasks together.
	DefaultCacheBytes = 1 << 30
)

// Config says where a Store lives and what it belongs to.
type Config struct {
	Dir        string
	FS         vfs.FS // nil: the operating system's
	Stamp      Stamp
	CacheBytes int64 // of decoded items; 0 = DefaultCacheBytes
	Log        *slog.Logger
}

// Memory returns how many bytes a store of this configuration holds at most: decoded items, what is not yet on
// disk, and blocks read from there.
func (c Config) Memory() int64 {
	return cmp.Or(c.CacheBytes, DefaultCacheBytes) + pendingBytes + memTables*memTableBytes + blockCacheBytes
}

// Stamp names the installation that a state directory belongs to.
type Stamp struct {
	ClusterID   string        `json:"cluster_id"`
	Prefix      topics.Prefix `json:"prefix"`
	ChangelogID string        `json:"changelog_topic_id"`
}

// Store is the Pebble database of one instance. It is safe for concurrent use; each partition is
// held by one Task at a time.
type Store struct {
	db         *pebble.DB
	lock       *pebble.Lock // the database leaves its release to who took it
	cacheBytes int64
	open       atomic.Int32 // tasks open, which share cacheBytes
	blocks     blocks       // of the tasks' arenas

	mu   sync.Mutex
	held map[int32]chan struct{} // closed when the partition's task closes
}

// Open opens or creates the store in a directory and holds it until Close. ErrInUse: another
// process has it. ErrForeign: its stamp is another installation's. ErrDamaged: its stamp is gone.
func Open(c Config) (*Store, error) { return open(c, quiet{c.Log}) }

func open(c Config, log pebble.Logger) (*Store, error) {
	fs := c.FS
	if fs == nil {
		fs = vfs.Default
	}
	comparer := *pebble.DefaultComparer
	comparer.Name, comparer.Split = "stocksync.v1", splitKey
	cache := pebble.NewCache(blockCacheBytes)
	defer cache.Unref()
	o := &pebble.Options{
		FS: fs, Comparer: &comparer, Cache: cache, MemTableSize: memTableBytes,
		FormatMajorVersion: pebble.FormatNewest, Logger: log,
		MemTableStopWritesThreshold: memTables,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err := openLocked(c.Dir, fs, o)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, lock: o.Lock, cacheBytes: cmp.Or(c.CacheBytes, DefaultCacheBytes), held: map[int32]chan struct{}{},
	}
	if err := s.checkStamp(c.Stamp); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openLocked opens the database and tells a held lock from other faults.
func openLocked(dir string, fs vfs.FS, o *pebble.Options) (*pebble.DB, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	var cannot *iofs.PathError // the file can't be made; a lock that is held is no PathError
	switch {
	case errors.As(err, &cannot):
		return nil, fmt.Errorf("lock state directory %s: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, dir, err)
	}
	o.Lock = lock
	db, err := openDB(dir, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf(
			"open state directory %s: %w; if its files are damaged, delete it: it is a cache", dir, err), lock.Close())
	}
	return db, nil
}

// Close flushes and lets the directory go. All tasks are closed by then.
func (s *Store) Close() error {
	if err := errors.Join(s.db.Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

func stampKey() []byte { return append(appendPartition(nil, -1), kindStamp) }

func (s *Store) checkStamp(want Stamp) error {
	value, ok, err := s.get(stampKey())
	if err != nil {
		return err
	}
	text, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("stamp: %w", err)
	}
	if ok && !bytes.Equal(value, text) {
		return fmt.Errorf("%w: it holds %s, this is %s; name another STATE_DIR, or delete it to rebuild "+
			"from this installation's changelog", ErrForeign, value, text)
	}
	if ok {
		return nil
	}
	if any, err := s.Partitions(); err != nil || len(any) > 0 {
		return errors.Join(err, fmt.Errorf("%w: its stamp is gone", ErrDamaged))
	}
	if err := s.db.Set(stampKey(), text, pebble.Sync); err != nil {
		return fmt.Errorf("write stamp: %w", err)
	}
	return nil
}

// get returns a copy of a value.
func (s *Store) get(key []byte) ([]byte, bool, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, readFault(err)
	}
	value = bytes.Clone(value)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("read state: %w", err)
	}
	return value, true, nil
}

// hold waits until no other task has the partition.
func (s *Store) hold(ctx context.Context, partition int32) (release func(), err error) {
	for {
		s.mu.Lock()
		other, taken := s.held[partition]
		if !taken {
			mine := make(chan struct{})
			s.held[partition] = mine
			s.mu.Unlock()
			s.open.Add(1)
			return func() {
				s.mu.Lock()
				delete(s.held, partition)
				s.mu.Unlock()
				s.open.Add(-1)
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Drop deletes everything of a partition that no task has open.
func (s *Store) Drop(partition int32) error {
	from, to := appendPartition(nil, partition), appendPartition(nil, partition+1)
	if err := s.db.DeleteRange(from, to, pebble.NoSync); err != nil {
		return fmt.Errorf("drop partition %d: %w", partition, err)
	}
	return nil
}

// Partitions lists the partitions that the store holds a position of, ascending.
func (s *Store) Partitions() ([]int32, error) {
	iter, err := s.db.NewIter(nil)
	if err != nil {
		return nil, readFault(err)
	}
	var list []int32
	for ok := iter.First(); ok; {
		key := iter.Key()
		p := int32(uint32(key[0])<<24 | uint32(key[1])<<16 | uint32(key[2])<<8 | uint32(key[3]))
		if p < 0 {
			break
		}
		list = append(list, p)
		ok = iter.SeekGE(appendPartition(nil, p+1))
	}
	return list, closing(iter, nil)
}

// Metrics describes the database for people.
func (s *Store) Metrics() *pebble.Metrics { return s.db.Metrics() }

// openDB opens the database. One that can't write while it replays its log, as on a full disk, panics as it closes what
// it has opened: that is an error like others.
func openDB(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			db, err = nil, fmt.Errorf("a file could not be written, as on a full disk: %v", reason)
		}
	}()
	return pebble.Open(dir, o)
}

// quiet passes Pebble's errors on to the log and drops its chatter.
type quiet struct{ log *slog.Logger }

func (q quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	if q.log != nil {
		q.log.Error("pebble", "detail", fmt.Sprintf(format, args...))
	}
}

// Fatalf ends the process, as Pebble asks of it: its files can't be trusted to go on, and a start
// reads them again, behind the changelog at worst.
func (q quiet) Fatalf(format string, args ...any) {
	q.Errorf(format+"; if this comes again, delete the state directory: it is a cache", args...)
	os.Exit(1)
}
