package processor

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Fresh memory costs more than what is written into it: a page that the kernel has yet to find takes
// longer than the fifteen records that fit into it. So what a transaction needs is used again by the
// next one: the memory of fetched batches, and the records that are produced.

// fetchPool holds the memory of fetched batches, as kgo.WithPools asks for it. A batch comes back when all
// of its records are recycled; until then their keys and values, and all strings that alias them, stand.
type fetchPool struct{ records, bytes sync.Pool }

// GetRecords returns a slice with capacity n.
func (p *fetchPool) GetRecords(n int) []kgo.Record {
	if held, ok := p.records.Get().(*[]kgo.Record); ok && cap(*held) >= n {
		return *held
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords takes a slice back.
func (p *fetchPool) PutRecords(records []kgo.Record) { p.records.Put(&records) }

// GetDecompressBytes returns a slice to decompress into; the client grows one that is too small.
func (p *fetchPool) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if held, ok := p.bytes.Get().(*[]byte); ok {
		return *held
	}
	return nil
}

// PutDecompressBytes takes a slice back.
func (p *fetchPool) PutDecompressBytes(b []byte) { p.bytes.Put(&b) }

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
