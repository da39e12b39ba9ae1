package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"stocksync/topics"
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

// ChunkLines and MaxChunkBytes close a chunk.
const (
	ChunkLines    = chunkLines
	MaxChunkBytes = maxChunkBytes
)

// AppendChunkKey and ParseChunkKey are the codec of a chunk's key.
var (
	AppendChunkKey = appendChunkKey
	ParseChunkKey  = parseChunkKey
)

// Chunk is a SKU as one value of the changelog has it.
type Chunk struct{ it *item }

// DecodeChunk reads a changelog value as the only chunk of a SKU.
func DecodeChunk(value []byte) (*Chunk, error) { return DecodeChunks(value) }

// DecodeChunks reads changelog values as the live chunks of a SKU. Reserved stays what the newest header
// says.
func DecodeChunks(values ...[]byte) (*Chunk, error) {
	var chunks []chunkValue
	for _, value := range values {
		chunks = append(chunks, chunkValue{0, value})
	}
	newest, err := newestHeader(chunks)
	if err != nil {
		return nil, err
	}
	header := &item{names: newNames()}
	if _, err := header.readChunk(values[newest]); err != nil {
		return nil, err
	}
	for i := range chunks {
		chunks[i].number = max(1, header.firstLive) + uint32(i)
	}
	it, err := load("A", chunks, header.policy, newNames())
	if err != nil {
		return nil, err
	}
	return &Chunk{it}, nil
}

// Encode writes everything that the chunk holds as one changelog value.
func (c *Chunk) Encode() []byte {
	entries := &c.it.entries
	entries.chunks, entries.stale = []chunk{{number: 1}}, true
	var value []byte
	c.it.writeChunks(&arena{blocks: &blocks{}}, func(_ uint32, v []byte) { value = append(value, v...) })
	return value
}

// Snapshot shows what the chunk holds.
func (c *Chunk) Snapshot() *Snapshot { return c.it.snapshot() }

// IndexDays returns the days that a replay of a changelog value indexes.
func IndexDays(value []byte) ([]int32, error) {
	t := &Task{names: newNames()}
	if err := t.indexDays("A", value); err != nil {
		return nil, err
	}
	var days []int32
	for _, w := range t.pending.list {
		days = append(days, int32(binary.BigEndian.Uint32(w.key[5:])))
	}
	return days, nil
}

// WithHorizon returns a chunk whose header has every part of a horizon: bases with and without a count,
// what stores have taken, and both frontiers.
func WithHorizon(c *Chunk) *Chunk {
	it := c.it
	at := it.asOf - 1_000_000_000
	for i := range it.warehouses {
		b := &it.warehouses[i].base
		b.actual = topics.Quantity(i+1) * topics.One / 3
		if i == 0 {
			b.count = position{at, -3, "opname/1"}
			if last := int32(len(it.stores)) - 1; last >= 0 {
				b.taken = []storeTaken{{last, 7 * topics.One}}
			}
		}
	}
	it.lineFrontier, it.orderFrontier, it.firstLive = position{at + 5, 2, "L/last"}, at+7, 3
	for _, o := range it.orders.list {
		o.collapsed = deliveries{5 * topics.One, topics.One / 2}
		it.entries.putOrder(o)
	}
	return c
}

// HorizonText writes what a chunk says of its horizon.
func HorizonText(c *Chunk) string {
	var b strings.Builder
	it := c.it
	for i := range it.warehouses {
		w := &it.warehouses[i]
		fmt.Fprintf(&b, "base %s %+v\n", w.name, w.base)
	}
	fmt.Fprintf(&b, "lines to %+v, orders to %v, first live chunk %d\n", it.lineFrontier, it.orderFrontier, it.firstLive)
	for _, o := range it.orders.list {
		fmt.Fprintf(&b, "order line %s kept %+v\n", o.id, o.collapsed)
	}
	return b.String()
}

// StoredPosition is a partition's position as the store has it.
type StoredPosition struct{ Next, CaughtUp int64 }

// DecodePosition reads a stored position.
func DecodePosition(value []byte) (StoredPosition, error) {
	p, err := readPosition(value)
	return StoredPosition{p.next, p.caughtUp}, err
}

// Append encodes a position.
func (p StoredPosition) Append(b []byte) []byte {
	return changelogPosition{p.Next, p.CaughtUp}.append(b)
}

// RecodeNumbers writes a quantity and a time relative to another and reads them again.
func RecodeNumbers(q topics.Quantity, t, base topics.Time) (topics.Quantity, topics.Time, error) {
	c := cursor{rest: appendTime(appendQuantity(nil, q), t, base)}
	q, t = c.quantity(), c.time(base)
	if len(c.rest) > 0 {
		c.fail()
	}
	return q, t, c.err
}

// RecodeViewValue and RecodeViewPosition read a value of a view's table and write it again.
func RecodeViewValue(b []byte) ([]byte, error) {
	row, err := readViewValue(b)
	if err != nil {
		return nil, err
	}
	return appendViewValue(nil, &ViewRecord{Partition: row.partition, Rank: row.rank, Value: row.value}), nil
}

// RecodeViewPosition is like RecodeViewValue.
func RecodeViewPosition(b []byte) ([]byte, error) {
	p, err := readViewPosition(b)
	if err != nil {
		return nil, err
	}
	return p.append(nil), nil
}

// EntryIDs returns the ids of a changelog value's entries, in order.
func EntryIDs(value []byte) ([]string, error) {
	_, entries, _, err := splitChunk(value)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	var e entry
	for c := (cursor{rest: entries}); len(c.rest) > 0; {
		c.entry(&e)
		if c.err != nil {
			return nil, c.err
		}
		id := e.line.id
		if e.isOrder {
			id = e.order.id
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// HeaderOf returns the header of a changelog value.
func HeaderOf(value []byte) ([]byte, error) {
	header, _, _, err := splitChunk(value)
	return header, err
}

// OpenLogged is Open with the database's logger, whose Fatalf ends the process else.
var OpenLogged = open

// FlushTables writes what the database holds in memory into tables.
func FlushTables(s *Store) error { return s.db.Flush() }

// MergeTables writes what the database holds in memory into tables, and merges them.
func MergeTables(s *Store) error { return mergeTables(s.db) }

func mergeTables(db *pebble.DB) error {
	if err := db.Flush(); err != nil {
		return err
	}
	return db.Compact(context.Background(), []byte{0}, bytes.Repeat([]byte{0xff}, 8), false)
}

// FlushViews and MergeViews are the same for views.
func FlushViews(v *Views) error { return v.db.Flush() }

// MergeViews is like MergeTables.
func MergeViews(v *Views) error { return mergeTables(v.db) }

// CacheItems returns how many items the task's cache holds.
func CacheItems(t *Task) int { return len(t.cache.items) }

// DropPending forgets what is committed and not yet in Pebble, and DropItems all SKUs in memory.
func DropPending(t *Task) { t.pending.reset() }
func DropItems(t *Task)   { t.cache.init() }

// SplitKey is the comparer's Split.
var SplitKey = splitKey

// Pending returns how many writes are committed and not yet in Pebble, and their bytes.
func Pending(t *Task) (n, bytes int) { return len(t.pending.list), t.pending.bytes }

// Index is an index by itself.
type Index struct{ x index }

// Add puts a place in under a hash.
func (i *Index) Add(hash, place uint32) { i.x.add(hash, place) }

// Move gives what was at one place another.
func (i *Index) Move(hash, from, to uint32) { i.x.move(hash, from, to) }

// RemoveLast takes out the place that was added last.
func (i *Index) RemoveLast(hash, place uint32) { i.x.removeLast(hash, place) }

// Places returns what is held under a hash.
func (i *Index) Places(hash uint32) (list []uint32) {
	for p := i.x.probe(hash); ; {
		place, ok := p.next()
		if !ok {
			return list
		}
		list = append(list, place)
	}
}

// EntryBytes returns how many bytes of entries an item holds in memory, replaced ones too.
func EntryBytes(t *Task, sku string) int { return len(t.cache.items[sku].entries.data) }

// Replaced returns how many entries of an item count as replaced.
func Replaced(t *Task, sku string) int { return t.cache.items[sku].entries.replaced }
