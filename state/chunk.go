package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"stocksync/topics"
)

const (
	// chunkLines closes a chunk at the end of the commit in which it reached that many entries.
	// Chunks of 4 cost least changelog bytes an event; the number is not part of the format.
	chunkLines = 4
	// maxChunkBytes splits a commit's entries over several chunks: a record must stay far below
	// the changelog's 8 MiB.
	maxChunkBytes = 1 << 20
	// lineBytes and orderBytes are what an entry takes in memory beside its strings, roughly.
	lineBytes  = 220
	orderBytes = 220
	itemBytes  = 700
)

// newItem returns a SKU that nothing is known of.
func newItem(sku string, p Policy, n *names) *item {
	return &item{names: n, sku: sku, policy: p, open: 1, memory: itemBytes + len(sku)}
}

// writeChunks encodes the open chunk after a commit's changes and hands each chunk value to emit;
// more than one when the entries exceed maxChunkBytes. The values are emit's to keep.
func (it *item) writeChunks(buf *arena, emit func(chunk uint32, value []byte)) {
	for _, l := range it.touched.lines {
		l.staged = false
		if l.chunk != it.open {
			it.openLines = append(it.openLines, l)
		}
	}
	for _, o := range it.touched.orders {
		o.staged = false
		if o.chunk != it.open {
			it.openOrders = append(it.openOrders, o)
		}
	}
	header := it.appendHeader(buf.scratch[:0])
	it.headerBytes = len(header)
	lines, orders := it.openLines, it.openOrders
	for {
		entries, n := header[len(header):], 0
		for ; len(lines) > 0 && len(entries) < maxChunkBytes; n++ {
			entries = it.appendLine(entries, lines[0])
			lines[0].chunk, lines = it.open, lines[1:]
		}
		for ; len(orders) > 0 && len(entries) < maxChunkBytes; n++ {
			entries = it.appendOrder(entries, orders[0])
			orders[0].chunk, orders = it.open, orders[1:]
		}
		var count [binary.MaxVarintLen64]byte
		emit(it.open, buf.join(header, binary.AppendUvarint(count[:0], uint64(n)), entries))
		buf.scratch = header[:0]
		last := len(lines)+len(orders) == 0
		if n >= chunkLines || !last {
			it.open++
			it.openLines, it.openOrders = lines, orders
		}
		if last {
			return
		}
	}
}

// load builds a SKU from the values of its chunks, in order of chunk number.
func load(sku string, chunks []chunkValue, p Policy, n *names) (*item, error) {
	it := newItem(sku, p, n)
	newest, err := newestHeader(chunks)
	if err != nil {
		return nil, fmt.Errorf("sku %q: %w", sku, err)
	}
	c := cursor{rest: chunks[newest].value}
	if it.readHeader(&c); c.err != nil {
		return nil, fmt.Errorf("sku %q chunk %d: %w", sku, chunks[newest].number, c.err)
	}
	it.headerBytes = len(chunks[newest].value) - len(c.rest)
	entries, scratch := c, &item{names: n}
	for i, chunk := range chunks {
		if chunk.number < it.firstLive {
			continue
		}
		c, header := entries, it
		if i != newest {
			c, header = cursor{rest: chunk.value}, scratch
			header.readHeader(&c)
		}
		if err := it.addEntries(&c, header, chunk.number); err != nil {
			return nil, fmt.Errorf("sku %q chunk %d: %w", sku, chunk.number, err)
		}
	}
	it.reopen(chunks[len(chunks)-1].number)
	it.settle()
	if it.policy != p {
		for i := range it.warehouses {
			it.recorded = append(it.recorded, it.warehouses[i].stock)
		}
		it.recompute(p)
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
		c := cursor{rest: chunk.value}
		c.format(skuFormat, "changelog value")
		if r := c.uvarint(); r >= highest {
			newest, highest = i, r
		}
		if c.err != nil {
			return 0, fmt.Errorf("chunk %d: %w", chunk.number, c.err)
		}
	}
	return newest, nil
}

// addEntries reads a chunk's entries, the later version of each id winning.
func (it *item) addEntries(c *cursor, header *item, chunk uint32) error {
	if len(header.warehouses) > len(it.warehouses) || len(header.stores) > len(it.stores) {
		c.fail()
	}
	for n := c.count(3); n > 0 && c.err == nil; n-- {
		l, o := header.readEntry(c)
		if c.err != nil {
			break
		}
		if l != nil {
			it.keepLine(l, chunk)
		} else {
			it.keepOrder(o, chunk)
		}
	}
	if c.err == nil && len(c.rest) > 0 {
		c.fail()
	}
	return c.err
}

func (it *item) keepLine(l *line, chunk uint32) {
	l.chunk = chunk
	hash := it.names.sum(l.id)
	held, ok := it.lines.get(l.id, hash)
	switch {
	case !ok:
		it.lines.add(l, hash)
		it.memory += lineBytes + len(l.id) + len(l.orderLineID) + len(l.voucherNo)
	case l.version >= held.version:
		*held = *l
	}
}

func (it *item) keepOrder(o *orderLine, chunk uint32) {
	o.chunk = chunk
	hash := it.names.sum(o.id)
	held, ok := it.orders.get(o.id, hash)
	switch {
	case !ok:
		it.orders.add(o, hash)
		it.memory += orderBytes + len(o.id) + len(o.orderID)
	case o.arrived && (!held.arrived || o.version >= held.version), !o.arrived && !held.arrived:
		*held = *o
	}
}

// reopen finds out which chunk takes the next entries: the last one, or one after it when that
// is closed.
func (it *item) reopen(last uint32) {
	it.open = last
	for _, l := range it.lines.list {
		if l.chunk == last {
			it.openLines = append(it.openLines, l)
		}
	}
	for _, o := range it.orders.list {
		if o.chunk == last && o.chunk != 0 {
			it.openOrders = append(it.openOrders, o)
		}
	}
	if len(it.openLines)+len(it.openOrders) >= chunkLines {
		it.open++
		it.openLines, it.openOrders = nil, nil
	}
}

// settle orders the loaded lines and derives what the header does not carry: the newest count of
// each warehouse, and what was delivered of each order line.
func (it *item) settle() {
	for _, o := range it.orders.list {
		o.delivered, o.returned = o.collapsed.delivered, o.collapsed.returned
	}
	for _, l := range it.lines.list {
		w := &it.warehouses[l.warehouse]
		w.lines = append(w.lines, l)
		if l.orderLineID == "" || !l.live(topics.KindDelta) {
			continue
		}
		o := it.orderFor(l.orderLineID)
		o.delivered -= l.qty
		if l.isReturn {
			o.returned += l.qty
		}
	}
	for i := range it.warehouses {
		w := &it.warehouses[i]
		slices.SortFunc(w.lines, func(a, b *line) int { return a.position().compare(b.position()) })
		for _, l := range w.lines {
			if w.counts(l) {
				w.newest = l
			}
		}
	}
}
