package cli

import (
	"bytes"
	"encoding/binary"

	"stocksync/state"
)

// The keys of an audit's scratch. What belongs to one SKU lies side by side, since no SKU holds a 0x00:
//
//	sku 0x00 'c' partition chunk             changelog value, after its offset
//	sku 0x00 'a' partition                   availability record before the cut: auditRecord
//	sku 0x00 'a' partition revision          one that may be behind it
//	sku 0x00 'd' origin letter               reason of a dead letter; letter: partition, offset
//	sku 0x00 'i' place                       valid input record: auditInput
//
// and what goes by its place comes before all SKUs:
//
//	0x00 'd' origin 'i' place                input record that can't be folded: auditReject
//	0x00 'd' origin 'l' letter               reason of a dead letter
//	0x00 'f' origin hops                     a forwarded copy is there
//
// Numbers are big endian; a place is input, partition, offset.
const (
	auditChunk        = 'c'
	auditAvailability = 'a'
	auditLetter       = 'd'
	auditInputRecord  = 'i'
	auditCopy         = 'f'
	auditRejected     = 'i'
	auditRefused      = 'l'
)

// auditPlace is where an input record stands.
type auditPlace struct {
	input     int // index into state.InputBases
	partition int32
	offset    int64
}

const auditPlaceBytes = 1 + 4 + 8

func (p auditPlace) base() string { return state.InputBases()[p.input] }

func (p auditPlace) append(b []byte) []byte {
	b = append(b, byte(p.input))
	b = binary.BigEndian.AppendUint32(b, uint32(p.partition))
	return binary.BigEndian.AppendUint64(b, uint64(p.offset))
}

func readAuditPlace(b []byte) auditPlace {
	return auditPlace{
		input: int(b[0]), partition: int32(binary.BigEndian.Uint32(b[1:])),
		offset: int64(binary.BigEndian.Uint64(b[5:])),
	}
}

// auditKey starts a key of a SKU, or with an empty one a key that goes by its place.
func auditKey(sku []byte, kind byte) []byte {
	key := make([]byte, 0, len(sku)+2+2*auditPlaceBytes)
	return append(append(key, sku...), 0, kind)
}

// splitAuditKey takes a key apart; sku is empty for one that goes by its place.
func splitAuditKey(key []byte) (sku []byte, kind byte, rest []byte) {
	n := bytes.IndexByte(key, 0)
	return key[:n], key[n+1], key[n+2:]
}

// mayBeSKU tells whether a key can be a SKU at all.
func mayBeSKU(key []byte) bool { return len(key) > 0 && bytes.IndexByte(key, 0) < 0 }
