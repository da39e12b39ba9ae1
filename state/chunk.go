package state

import (
	"encoding/binary"
	"fmt"
	"strings"

	"stocksync/topics"
)

const (
	// chunkLines closes a chunk at the end of the commit in which it reached that many entries.
	// Chunks of 4 cost least changelog bytes an event; the number is not part of the format.
	chunkLines = 4
	// maxChunkBytes splits a commit's entries over several chunks: a record must stay far below
	// the changelog's 8 MiB.
	maxChunkBytes = 1 << 20
)

// newItem returns a SKU that nothing is known of.
func newItem(sku string, p Policy, n *names) *item {
	it := &item{names: n, sku: sku, policy: p}
	it.entries.begin(1)
	return it
}

// writeChunks encodes the open chunk after a commit's changes and hands each chunk value to emit;
// more than one when the entries exceed maxChunkBytes. The values are emit's to keep.
func (it *item) writeChunks(buf *arena, emit func(chunk uint32, value []byte)) {
	it.compact()
	s := &it.entries
	first := len(s.chunks) - 1
	s.split()
	for i, c := range s.chunks[first:] {
		b := it.appendHeader(append(buf.free(), skuFormat, 0, 0, 0, 0))
		it.headerBytes = len(b) - 5
		binary.BigEndian.PutUint32(b[1:], uint32(it.headerBytes))
		b = binary.AppendUvarint(b, uint64(c.count))
		emit(c.number, buf.cut(append(b, s.data[c.start:s.end(first+i)]...)))
	}
	if s.open().count >= chunkLines {
		s.begin(s.open().number + 1)
	}
}

// load builds a SKU from the values of its chunks, in order of chunk number.
func load(sku string, chunks []chunkValue, p Policy, n *names) (*item, error) {
	it := newItem(sku, p, n)
	newest, err := newestHeader(chunks)
	if err != nil {
		return nil, fmt.Errorf("sku %q: %w", sku, err)
	}
	if _, err := it.readChunk(chunks[newest].value); err != nil {
		return nil, fmt.Errorf("sku %q chunk %d: %w", sku, chunks[newest].number, err)
	}
	for _, chunk := range chunks {
		if chunk.number < it.firstLive {
			continue
		}
		if err := it.addChunk(chunk); err != nil {
			return nil, fmt.Errorf("sku %q chunk %d: %w", sku, chunk.number, err)
		}
	}
	if it.entries.open().count >= chunkLines {
		it.entries.begin(it.entries.open().number + 1)
	}
	it.settle()
	if it.policy != p {
		it.remake(p)
	}
	return it, nil
}

// chunkValue is one chunk as the changelog holds it.
type chunkValue struct {
	number uint32
	value  []byte
}

// newestHeader returns the index of the chunk with the highest revision.
func newestHeader(chunks []chunkValue) (int, error) {
	newest, highest := 0, uint64(0)
	for i, chunk := range chunks {
		header, _, _, err := splitChunk(chunk.value)
		if err != nil {
			return 0, fmt.Errorf("chunk %d: %w", chunk.number, err)
		}
		c := cursor{rest: header}
		if r := c.uvarint(); r >= highest {
			newest, highest = i, r
		}
	}
	return newest, nil
}

// addChunk takes a chunk's entries over, the later version of each id winning.
func (it *item) addChunk(chunk chunkValue) error {
	_, entries, count, err := splitChunk(chunk.value)
	if err != nil {
		return err
	}
	s := &it.entries
	s.begin(chunk.number)
	place := uint32(len(s.data))
	s.data = append(s.data, entries...)
	var e entry
	for c := (cursor{rest: s.data[place:]}); len(c.rest) > 0; place = uint32(len(s.data) - len(c.rest)) {
		c.entry(&e)
		if c.err != nil {
			return c.err
		}
		if !it.fits(&e) {
			return errCorrupt
		}
		s.open().count++
		if e.isOrder {
			it.keepOrder(&e.order, place)
		} else {
			it.keepLine(&e.line, place)
		}
	}
	if s.open().count != count {
		return errCorrupt
	}
	return nil
}

// fits checks an entry's indices against the header's lists.
func (it *item) fits(e *entry) bool {
	if !e.isOrder {
		return uint32(e.line.warehouse) < uint32(len(it.warehouses))
	}
	o := &e.order
	return (!o.arrived || uint32(o.warehouse) < uint32(len(it.warehouses))) &&
		(o.store == -1 || uint32(o.store) < uint32(len(it.stores)))
}

func (it *item) keepLine(l *line, place uint32) {
	s := &it.entries
	o := s.open()
	o.latest = max(o.latest, l.at)
	hash := it.names.sum(l.id)
	var held line
	old, ok := s.find(l.id, hash, &held)
	switch {
	case !ok:
		s.lines.add(hash, place)
	case l.version >= held.version:
		s.lines.move(hash, old, place)
		s.drop(old)
	default:
		s.drop(place)
	}
}

func (it *item) keepOrder(o *orderLine, place uint32) {
	hash := it.names.sum(o.id)
	o.place, o.written = place, true
	held, ok := it.orders.get(o.id, hash)
	switch {
	case !ok:
		kept := *o
		kept.id, kept.orderID = strings.Clone(o.id), strings.Clone(o.orderID)
		it.orders.add(&kept, hash)
	case o.arrived && (!held.arrived || o.version >= held.version), !o.arrived && !held.arrived:
		it.entries.drop(held.place)
		o.id, o.orderID = held.id, strings.Clone(o.orderID)
		*held = *o
	default:
		it.entries.drop(place)
	}
}

// settle derives from the loaded lines what the header does not carry: the newest count of each
// warehouse, and what was delivered of each order line.
func (it *item) settle() {
	for _, o := range it.orders.list {
		o.delivered, o.returned = o.collapsed.delivered, o.collapsed.returned
	}
	for l := range it.ledger() {
		w := &it.warehouses[l.warehouse]
		w.latest = max(w.latest, l.at)
		if w.counts(l) && l.position().compare(w.start()) > 0 {
			w.newest = countedOf(l)
		}
		if l.orderLineID == "" || !l.live(topics.KindDelta) {
			continue
		}
		o := it.orderFor(l.orderLineID)
		o.delivered -= l.qty
		if l.isReturn {
			o.returned += l.qty
		}
	}
}
