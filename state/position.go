package state

import (
	"encoding/binary"
	"time"
)

// changelogPosition is how far a stored partition has followed the changelog.
type changelogPosition struct {
	next     int64 // next changelog offset to apply
	caughtUp int64 // Unix seconds when it was last at the end
}

// positionMark begins the keys under which a partition's batches put the position that they reach.
func positionMark(partition int32) []byte {
	return append(appendPartition(nil, partition), kindPosition)
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
