package state

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// Held returns a SKU as the task holds it in memory; false when it does not.
func Held(t *Task, sku string) (*Snapshot, bool) {
	it, ok := t.cache.items[sku]
	if !ok {
		return nil, false
	}
	touched := it.touched
	defer func() { it.touched = touched }()
	return it.snapshot(), true
}

// DayIndex returns the SKUs that a partition's index has under each UTC day.
func DayIndex(s *Store, partition int32) (map[int32][]string, error) {
	from := append(appendPartition(nil, partition), kindDay)
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: append(from[:4:4], kindDay+1)})
	if err != nil {
		return nil, err
	}
	days := map[int32][]string{}
	for ok := iter.First(); ok; ok = iter.Next() {
		day := int32(binary.BigEndian.Uint32(iter.Key()[5:]))
		days[day] = append(days[day], string(iter.Key()[9:]))
	}
	return days, iter.Close()
}

// CacheUsed returns what the task's cache believes to hold, in bytes.
func CacheUsed(t *Task) int { return int(t.cache.used) }
