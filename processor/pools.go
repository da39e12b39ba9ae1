package processor

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Fresh memory costs more than what is written into it: a page that the kernel has yet to find takes
// longer than the fifteen records that fit into it. So what a transaction needs is used again by the
// next one: the memory of fetched batches, and the records that are produced.

// fetchPool holds the memory of fetched batches, as kgo.WithPools asks for it. A batch comes back when all
// of its records are recycled; until then their keys and values, and all strings that alias them, stand.
type fetchPool struct {
	records sizedPool[kgo.Record]
	bytes   sizedPool[byte]
}

// GetRecords returns a slice with capacity n.
func (p *fetchPool) GetRecords(n int) []kgo.Record { return p.records.get(n) }

// PutRecords takes a slice back.
func (p *fetchPool) PutRecords(records []kgo.Record) { p.records.put(records) }

// GetDecompressBytes returns a slice to decompress into. Snappy's raw format begins with the length it has to have; the
// client grows what is too small.
func (p *fetchPool) GetDecompressBytes(compressed []byte, codec kgo.CompressionCodecType) []byte {
	n := 2 * len(compressed)
	if codec == kgo.CodecSnappy {
		if decoded, read := binary.Uvarint(compressed); read > 0 && decoded <= decompressedMost {
			n = int(decoded)
		}
	}
	return p.bytes.get(n)
}

// PutDecompressBytes takes a slice back.
func (p *fetchPool) PutDecompressBytes(b []byte) { p.bytes.put(b) }

// decompressedMost bounds what is allocated on a batch's word alone.
const decompressedMost = 64 << 20

// sizedPool holds slices of sizes that are a quarter of a power of two apart: whatever it holds of the size that is
// asked for is large enough.
type sizedPool[T any] struct{ sizes [4 * 64]sync.Pool }

func (p *sizedPool[T]) get(n int) []T {
	i, size := sizeFor(n)
	if held, ok := p.sizes[i].Get().(*[]T); ok {
		return *held
	}
	return make([]T, 0, size)
}

func (p *sizedPool[T]) put(held []T) {
	held = held[:0]
	next, _ := sizeFor(cap(held) + 1)
	p.sizes[next-1].Put(&held)
}

// sizeFor returns the smallest size that holds n, and its place among the sizes.
func sizeFor(n int) (i, size int) {
	n = max(n, 4) - 1
	shift := max(0, bits.Len(uint(n))-3)
	quarters := n>>shift + 1
	return 4*shift + quarters, quarters << shift
}

// slab cuts the records and headers of one transaction from blocks.
type slab struct {
	records [][]kgo.Record
	headers [][]kgo.RecordHeader
	nr, nh  int // cut since the last reset
}

const slabRecords = 512

// cut returns n elements that lie side by side, n at most slabRecords, and how many are cut with them.
func cut[T any](blocks *[][]T, used, n int) (_ []T, _ int) {
	if left := slabRecords - used%slabRecords; left < n {
		used += left
	}
	if used/slabRecords == len(*blocks) {
		*blocks = append(*blocks, make([]T, slabRecords))
	}
	at := used % slabRecords
	return (*blocks)[used/slabRecords][at : at+n : at+n], used + n
}

func (s *slab) record() *kgo.Record {
	r, used := cut(&s.records, s.nr, 1)
	s.nr = used
	return &r[0]
}

func (s *slab) header(n int) []kgo.RecordHeader {
	h, used := cut(&s.headers, s.nh, n)
	s.nh = used
	return h
}

// reset makes all of it free: the client has called every record's promise.
func (s *slab) reset() { s.nr, s.nh = 0, 0 }
