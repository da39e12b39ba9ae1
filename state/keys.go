package state

import (
	"encoding/binary"
	"fmt"
)

// Kinds of changelog keys; with a partition before them they are kinds of store keys too.
const (
	kindSKU      = 's'
	kindTask     = 't'
	kindDay      = 'd'
	kindPosition = 'p'
	kindStamp    = 'm'
)

// appendChunkKey appends the changelog key of one chunk of a SKU.
func appendChunkKey(b []byte, sku string, chunk uint32) []byte {
	b = append(b, kindSKU)
	b = append(b, sku...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint32(b, chunk)
}

// TaskKey is the changelog key of the task record.
func TaskKey() []byte { return []byte{kindTask} }

// IsTaskKey tells whether a changelog record is a task record.
func IsTaskKey(key []byte) bool { return len(key) == 1 && key[0] == kindTask }

// parseChunkKey splits a changelog key of kind SKU; sku aliases key.
func parseChunkKey(key []byte) (sku []byte, chunk uint32, err error) {
	n := len(key)
	if n < 7 || key[0] != kindSKU || key[n-5] != 0 {
		return nil, 0, fmt.Errorf("changelog key %q: %w", key, errCorrupt)
	}
	return key[1 : n-5], binary.BigEndian.Uint32(key[n-4:]), nil
}

// appendPartition appends the prefix that all keys of a partition share.
func appendPartition(b []byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(partition))
}

func appendDayKey(b []byte, partition, day int32, sku string) []byte {
	b = append(appendPartition(b, partition), kindDay)
	b = binary.BigEndian.AppendUint32(b, uint32(day))
	return append(b, sku...)
}

// splitKey is the comparer's Split: all chunks of a SKU share a prefix, which the bloom filters hold.
func splitKey(key []byte) int {
	if n := len(key); n > 9 && key[4] == kindSKU && key[n-5] == 0 {
		return n - 4
	}
	return len(key)
}
