package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/topics"
)

const (
	// viewMemTableBytes: views are written in large batches and read by key.
	viewMemTableBytes = 16 << 20
	// viewCacheBytes holds the settings, listings and statuses that each event looks up.
	viewCacheBytes = 64 << 20
)

// ViewsConfig says where views live and what they are views of.
type ViewsConfig struct {
	Dir   string
	FS    vfs.FS // nil: the operating system's
	Stamp Stamp
	// TopicIDs names the tables wanted by base name, with the id of the topic each is read from.
	TopicIDs map[string][16]byte
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger
}

// Views is a directory of local tables of compacted topics, for readers that need a topic by key: the
// sinks and the console. It is a cache and may be deleted at any time. It is safe for concurrent use.
type Views struct {
	db     *pebble.DB
	lock   *pebble.Lock // the database leaves its release to who took it
	tables map[string]*View
}

// viewID is the number of a table on disk; 0 for a topic that has none.
func viewID(base string) byte {
	switch base {
	case topics.AvailabilityTopic:
		return 1
	case topics.Stores:
		return 2
	case topics.ItemSettingsTopic:
		return 3
	case topics.Listings:
		return 4
	case topics.Items:
		return 5
	case topics.SyncStatusTopic:
		return 6
	}
	return 0
}

// OpenViews opens or creates the tables in a directory and holds it until Close. ErrInUse: another
// process has it. ErrForeign: its stamp is another installation's. A table that is stale, lacks writes
// in its midst, or was read from a topic with another id, is empty afterwards.
func OpenViews(c ViewsConfig) (*Views, error) {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cache := pebble.NewCache(viewCacheBytes)
	defer cache.Unref()
	o := &pebble.Options{
		FS: c.FS, Cache: cache, MemTableSize: viewMemTableBytes,
		FormatMajorVersion: pebble.FormatNewest, Logger: quiet{c.Log},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err := openLocked(c.Dir, c.FS, o)
	if err != nil {
		return nil, err
	}
	v := &Views{db: db, lock: o.Lock, tables: map[string]*View{}}
	if err := v.open(c); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *Views) open(c ViewsConfig) error {
	if err := v.checkStamp(c.Stamp); err != nil {
		return err
	}
	for base, topicID := range c.TopicIDs {
		id := viewID(base)
		if id == 0 {
			return fmt.Errorf("view of %s: %w: the topic is not one of the compacted ones", base, ErrInvariant)
		}
		view := &View{
			ViewReader: ViewReader{base: base, id: id, from: v.db},
			db:         v.db, now: c.Now, topicID: topicID, positions: map[int32]viewPosition{},
			batches: batches{prefix: []byte{viewSpace, id, viewBatch}},
		}
		if err := view.load(); err != nil {
			return err
		}
		v.tables[base] = view
	}
	return nil
}

func (v *Views) checkStamp(want Stamp) error {
	text, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("stamp of views: %w", err)
	}
	held, closer, err := v.db.Get([]byte(viewStampKey))
	if errors.Is(err, pebble.ErrNotFound) {
		if err := v.db.Set([]byte(viewStampKey), text, pebble.Sync); err != nil {
			return fmt.Errorf("write stamp of views: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read stamp of views: %w", err)
	}
	if !bytes.Equal(held, text) {
		err = fmt.Errorf("%w: it holds %s, this is %s; name another STATE_DIR, or delete it", ErrForeign, held, text)
	}
	return errors.Join(err, closer.Close())
}

// View returns the table of a topic by base name; nil unless it was named in TopicIDs.
func (v *Views) View(base string) *View { return v.tables[base] }

// Close lets the directory go. Snapshots and cursors are closed by then.
func (v *Views) Close() error {
	if err := errors.Join(v.db.Close(), v.lock.Close()); err != nil {
		return fmt.Errorf("close views: %w", err)
	}
	return nil
}

// Snapshot returns all tables as they are now. The caller closes it.
func (v *Views) Snapshot() *ViewSnapshot {
	return &ViewSnapshot{snapshot: v.db.NewSnapshot()}
}

// ViewSnapshot is a consistent state of all tables. It is safe for concurrent use.
type ViewSnapshot struct {
	snapshot *pebble.Snapshot
}

// View returns the table of a topic by base name.
func (s *ViewSnapshot) View(base string) *ViewReader {
	return &ViewReader{base: base, id: viewID(base), from: s.snapshot}
}

// Close lets the snapshot go. Its cursors are closed by then.
func (s *ViewSnapshot) Close() error {
	if err := s.snapshot.Close(); err != nil {
		return fmt.Errorf("close snapshot of views: %w", err)
	}
	return nil
}

// load reads the positions of a table, and empties it when it can't be carried on.
func (v *View) load() error {
	lower := v.positionKey(0)
	iter, err := v.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: keyAfter(lower[:3])})
	if err != nil {
		return fmt.Errorf("read view %s: %w", v.base, err)
	}
	stale := false
	for ok := iter.First(); ok; ok = iter.Next() {
		position, err := readViewPosition(iter.Value())
		if err != nil {
			return errors.Join(err, iter.Close())
		}
		v.positions[int32(binary.BigEndian.Uint32(iter.Key()[3:]))] = position
		stale = stale || position.stale(v.now())
	}
	if err := iter.Close(); err != nil {
		return fmt.Errorf("read view %s: %w", v.base, err)
	}
	same, err := v.sameTopic()
	if err != nil {
		return err
	}
	whole, err := v.whole()
	if err != nil {
		return err
	}
	if stale || !same || !whole {
		return v.Drop()
	}
	return nil
}

// whole tells whether no batch of the table is missing before its newest one.
func (v *View) whole() (bool, error) {
	_, err := v.batches.read(v.db)
	switch {
	case errors.Is(err, errGap):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read view %s: %w", v.base, err)
	}
	return v.batches.begun || len(v.positions) == 0, nil
}

// sameTopic tells whether the table was read from the topic that is there now.
func (v *View) sameTopic() (bool, error) {
	held, closer, err := v.db.Get([]byte{viewSpace, v.id, viewTopicID})
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read view %s: %w", v.base, err)
	}
	same := bytes.Equal(held, v.topicID[:])
	if err := closer.Close(); err != nil {
		return false, fmt.Errorf("read view %s: %w", v.base, err)
	}
	return same, nil
}

func (v *View) writeTopicID() error {
	if err := v.db.Set([]byte{viewSpace, v.id, viewTopicID}, v.topicID[:], pebble.Sync); err != nil {
		return fmt.Errorf("write view %s: %w", v.base, err)
	}
	return nil
}
