package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// changelogPosition is how far a stored partition has followed the changelog.
type changelogPosition struct {
	next     int64 // next changelog offset to apply
	caughtUp int64 // Unix seconds when it was last at the end
}

// Each batch of a partition has a number. It writes its position under that number and deletes the one
// before, and the first batch writes one more under 0 that stays. A store that lost batches from its
// midst, as when the last records of a MANIFEST are gone, shows it: two positions are left, or none
// under 0. The end of the batches may be lost, that is only behind.

func positionKey(partition int32, batch uint64) []byte {
	return binary.BigEndian.AppendUint64(append(appendPartition(nil, partition), kindPosition), batch)
}

// storedPosition is the position of a partition's newest batch.
type storedPosition struct {
	changelogPosition
	batch uint64 // 0: none is stored
}

// position reads where a partition stands.
func (s *Store) position(partition int32) (p storedPosition, err error) {
	from := append(appendPartition(nil, partition), kindPosition)
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: append(from[:4:4], kindPosition+1)})
	if err != nil {
		return p, readFault(err)
	}
	first, others := false, 0
	for ok := iter.First(); ok && err == nil; ok = iter.Next() {
		var value []byte
		if value, err = iter.ValueAndErr(); err != nil {
			break
		}
		if bytes.Equal(iter.Key(), positionKey(partition, 0)) {
			first = true
			continue
		}
		others++
		if key := iter.Key()[len(from):]; len(key) == 8 {
			p.batch = binary.BigEndian.Uint64(key)
		}
		p.changelogPosition, err = readPosition(value)
	}
	if err := closing(iter, err); err != nil {
		return p, err
	}
	if others > 1 || first != (others == 1) {
		return p, fmt.Errorf("%w: writes are missing in its midst", ErrDamaged)
	}
	return p, nil
}

func (p changelogPosition) append(b []byte) []byte {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(p.next))
	return binary.AppendUvarint(b, uint64(p.caughtUp))
}

func readPosition(value []byte) (changelogPosition, error) {
	c := cursor{rest: value}
	c.format(1, "stored position")
	p := changelogPosition{next: int64(c.uvarint()), caughtUp: int64(c.uvarint())}
	return p, c.err
}

func (p changelogPosition) stale(now time.Time) bool {
	return now.Sub(time.Unix(p.caughtUp, 0)) > staleAfter
}

// staleAfter is how long a stored range may have been left alone: tombstones of the changelog are
// gone after 7 days, so an older one may hold what was deleted meanwhile.
const staleAfter = 6 * 24 * time.Hour
