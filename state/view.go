package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"stocksync/topics"
)

// ErrStale reports a view that was not at the end of its topic for so long that the topic may have
// forgotten deletions the view never saw. Opening it again rebuilds it.
var ErrStale = errors.New("view is stale and must be rebuilt")

// ViewRecord is one record of a compacted topic on its way into a view.
type ViewRecord struct {
	Partition int32
	Offset    int64
	// Rank is the revision of an availability record or the owner's generation of a sync status, also
	// of their tombstones; 0 for topics that have none.
	Rank       int64
	Key, Value []byte // a nil Value deletes
}

// View is the local table of one compacted topic. One goroutine applies; any number reads.
//
// Invariants:
//
//	V1: a record and the position behind it become durable together, so a crash loses a suffix of both;
//	    a table that lost anything else, as damaged files may, is rebuilt
//	V2: a key of availability never goes to a lower or equal revision, a key of sync-status never to
//	    a lower owner generation, whatever the order in which partitions are read
type View struct {
	ViewReader
	db      *pebble.DB
	now     func() time.Time
	topicID [16]byte

	mu        sync.Mutex
	positions map[int32]viewPosition
	batches   batches
}

// viewPosition is how far a partition was followed, and since when it may have missed a deletion.
type viewPosition struct {
	next     int64
	caughtUp int64 // Unix seconds when it was last at the end; at first, when it was begun
}

func (p viewPosition) stale(now time.Time) bool {
	return now.Sub(time.Unix(p.caughtUp, 0)) > staleAfter
}

func (p viewPosition) append(b []byte) []byte {
	b = append(b, viewFormat)
	b = binary.AppendVarint(b, p.next)
	return binary.AppendVarint(b, p.caughtUp)
}

func readViewPosition(value []byte) (p viewPosition, err error) {
	if len(value) == 0 || value[0] != viewFormat {
		return p, fmt.Errorf("position of a view: %w", ErrNewerFormat)
	}
	next, n := binary.Varint(value[1:])
	if n <= 0 {
		return p, fmt.Errorf("position of a view: %w", ErrInvariant)
	}
	caughtUp, m := binary.Varint(value[1+n:])
	if m <= 0 {
		return p, fmt.Errorf("position of a view: %w", ErrInvariant)
	}
	return viewPosition{next: next, caughtUp: caughtUp}, nil
}

// Apply puts records and the offsets to read next into the table, in one batch. Records whose rank is
// not above what is held (V2) are dropped. It returns ErrStale, and applies nothing, when a partition
// was last caught up too long ago.
func (v *View) Apply(batch []ViewRecord, next map[int32]int64) (err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	for p := range next {
		if held, ok := v.positions[p]; ok && held.stale(now) {
			return fmt.Errorf("%s partition %d: %w", v.base, p, ErrStale)
		}
	}
	b := v.db.NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := v.put(b, batch); err != nil {
		return err
	}
	moved := make(map[int32]viewPosition, len(next))
	for p, offset := range next {
		held, ok := v.positions[p]
		if !ok {
			held.caughtUp = now.Unix()
		}
		held.next = offset
		moved[p] = held
		if err := b.Set(v.positionKey(p), held.append(nil), nil); err != nil {
			return fmt.Errorf("write view %s: %w", v.base, err)
		}
	}
	if err := v.batches.mark(b, nil); err != nil {
		return fmt.Errorf("write view %s: %w", v.base, err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write view %s: %w", v.base, err)
	}
	v.batches.committed()
	maps.Copy(v.positions, moved)
	return nil
}

// put writes the records of a batch that V2 lets through.
func (v *View) put(b *pebble.Batch, batch []ViewRecord) error {
	written := map[string]int64{} // ranks that this batch has put in
	var key, value []byte
	for i := range batch {
		r := &batch[i]
		key = v.appendRecordKey(key[:0], r.Key)
		if v.ranked() {
			ok, err := v.above(r, key, written)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			written[string(r.Key)] = r.Rank
		}
		if r.Value == nil {
			if err := b.Delete(key, nil); err != nil {
				return fmt.Errorf("write view %s: %w", v.base, err)
			}
			continue
		}
		value = appendViewValue(value[:0], r)
		if err := b.Set(key, value, nil); err != nil {
			return fmt.Errorf("write view %s: %w", v.base, err)
		}
	}
	return nil
}

// above tells whether V2 lets a record replace what is held.
func (v *View) above(r *ViewRecord, key []byte, written map[string]int64) (bool, error) {
	held, ok := written[string(r.Key)]
	if !ok {
		value, closer, err := v.db.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read view %s: %w", v.base, err)
		}
		row, err := readViewValue(value)
		if err := errors.Join(err, closer.Close()); err != nil {
			return false, fmt.Errorf("read view %s: %w", v.base, err)
		}
		held = row.rank
	}
	if v.base == topics.AvailabilityTopic {
		return r.Rank > held, nil
	}
	return r.Rank >= held, nil
}

func (v *View) ranked() bool {
	return v.base == topics.AvailabilityTopic || v.base == topics.SyncStatusTopic
}

// Positions returns the offset to read next of each partition that was ever applied.
func (v *View) Positions() map[int32]int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := make(map[int32]int64, len(v.positions))
	for p, held := range v.positions {
		next[p] = held.next
	}
	return next
}

// CaughtUp notes that partitions are at the end of the topic now; ones never applied are left out. A
// partition that nobody has said this of for six days is stale.
func (v *View) CaughtUp(partitions ...int32) (err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.db.NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	at := v.now().Unix()
	for _, p := range partitions {
		held, ok := v.positions[p]
		if !ok {
			continue
		}
		held.caughtUp = at
		if err := b.Set(v.positionKey(p), held.append(nil), nil); err != nil {
			return fmt.Errorf("write view %s: %w", v.base, err)
		}
		v.positions[p] = held
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write view %s: %w", v.base, err)
	}
	return nil
}

// Drop empties the table and forgets its positions, so that it is read from the start again.
func (v *View) Drop() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	from, to := []byte{viewSpace, v.id}, []byte{viewSpace, v.id + 1}
	if err := v.db.DeleteRange(from, to, pebble.Sync); err != nil {
		return fmt.Errorf("drop view %s: %w", v.base, err)
	}
	clear(v.positions)
	v.batches.dropped()
	return v.writeTopicID()
}
