package state

import (
	"encoding/binary"

	"stocksync/topics"
)

// skuFormat is the format byte of a SKU chunk. Version 1:
//
//	format; length of the header that follows: 4 bytes, big endian
//	revision, as_of: uvarint; policy: byte; first live chunk: uvarint
//	first_seen, last_mutation, last_order, last_count: before as_of (0 = none, else zigzag + 1)
//	active day: varint, days before as_of's
//	stores: count, names
//	warehouses: count, each name, actual, reserved, by store: count, each store, reserved, taken
//	orders_from: count, each store, revisions before this one
//	flags: byte; 1 = bases: per warehouse actual, count position, taken: count, each store, taken;
//	       2 = line frontier: position; 4 = order frontier: as_of-relative time
//	entries: count, each as in entry.go
//
// Strings are a uvarint length and bytes, quantities as in codec.go, a position is time, seq, id.
const skuFormat = 1

const (
	headerBases = 1 << iota
	headerLineFrontier
	headerOrderFrontier
)

// appendHeader encodes what every chunk of the SKU repeats.
func (it *item) appendHeader(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(it.revision))
	b = binary.AppendUvarint(b, uint64(it.asOf))
	b = append(b, it.policy.bits())
	b = binary.AppendUvarint(b, uint64(it.firstLive))
	for _, t := range [...]topics.Time{it.firstSeen, it.lastMutation, it.lastOrder, it.lastCount} {
		b = appendTime(b, t, it.asOf)
	}
	b = binary.AppendUvarint(b, zigzag(int64(it.asOf.UTCDay()-it.activeDay)))
	b = binary.AppendUvarint(b, uint64(len(it.stores)))
	for _, s := range it.stores {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(it.warehouses)))
	for i := range it.warehouses {
		b = it.warehouses[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(it.ordersFrom)))
	for _, o := range it.ordersFrom {
		b = binary.AppendUvarint(b, uint64(o.store))
		b = binary.AppendUvarint(b, zigzag(it.revision-o.revision))
	}
	return it.appendHorizon(b)
}

func (w *warehouse) append(b []byte) []byte {
	b = appendString(b, w.name)
	b = appendQuantity(b, w.actual)
	b = appendQuantity(b, w.reserved)
	n := 0
	for _, s := range w.byStore {
		if s.reserved != 0 || s.taken != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, s := range w.byStore {
		if s.reserved != 0 || s.taken != 0 {
			b = binary.AppendUvarint(b, uint64(s.store))
			b = appendQuantity(b, s.reserved)
			b = appendQuantity(b, s.taken)
		}
	}
	return b
}

func (it *item) appendHorizon(b []byte) []byte {
	var flags byte
	for i := range it.warehouses {
		if !it.warehouses[i].base.isZero() {
			flags |= headerBases
		}
	}
	if !it.lineFrontier.isZero() {
		flags |= headerLineFrontier
	}
	if !it.orderFrontier.IsZero() {
		flags |= headerOrderFrontier
	}
	b = append(b, flags)
	if flags&headerBases != 0 {
		for i := range it.warehouses {
			b = it.warehouses[i].base.append(b, it.asOf)
		}
	}
	if flags&headerLineFrontier != 0 {
		b = it.lineFrontier.append(b, it.asOf)
	}
	if flags&headerOrderFrontier != 0 {
		b = appendTime(b, it.orderFrontier, it.asOf)
	}
	return b
}

func (s *base) isZero() bool { return s.actual == 0 && s.count.isZero() && len(s.taken) == 0 }

func (s *base) append(b []byte, asOf topics.Time) []byte {
	b = appendQuantity(b, s.actual)
	b = s.count.append(b, asOf)
	b = binary.AppendUvarint(b, uint64(len(s.taken)))
	for _, t := range s.taken {
		b = appendQuantity(binary.AppendUvarint(b, uint64(t.store)), t.taken)
	}
	return b
}

func (p position) append(b []byte, asOf topics.Time) []byte {
	b = appendTime(b, p.at, asOf)
	b = binary.AppendUvarint(b, zigzag(p.seq))
	return appendString(b, p.id)
}

// readChunk decodes a chunk's header into an item without entries, and returns the entries.
func (it *item) readChunk(value []byte) (entries []byte, err error) {
	header, entries, _, err := splitChunk(value)
	if err != nil {
		return nil, err
	}
	c := cursor{rest: header}
	it.readHeader(&c)
	if c.err == nil && len(c.rest) > 0 {
		c.fail()
	}
	it.headerBytes = len(header)
	return entries, c.err
}

// splitChunk takes a chunk's value apart.
func splitChunk(value []byte) (header, entries []byte, count uint32, err error) {
	c := cursor{rest: value}
	c.format(skuFormat, "changelog value")
	if size := c.take(4); len(size) == 4 {
		header = c.take(uint64(binary.BigEndian.Uint32(size)))
	}
	count = uint32(c.count(3))
	return header, c.rest, count, c.err
}

// readHeader decodes what appendHeader wrote.
func (it *item) readHeader(c *cursor) {
	it.revision = int64(c.uvarint())
	it.asOf = topics.Time(c.uvarint())
	it.policy = policyOf(c.byte())
	it.firstLive = uint32(c.uvarint())
	it.firstSeen, it.lastMutation = c.time(it.asOf), c.time(it.asOf)
	it.lastOrder, it.lastCount = c.time(it.asOf), c.time(it.asOf)
	it.activeDay = it.asOf.UTCDay() - int32(c.varint())
	it.stores = make([]string, c.count(1))
	for i := range it.stores {
		it.stores[i] = it.names.internBytes(c.bytes())
	}
	it.warehouses = make([]warehouse, c.count(4))
	it.total = stock{}
	for i := range it.warehouses {
		it.warehouses[i].read(c, it)
		it.total.actual += it.warehouses[i].actual
		it.total.reserved += it.warehouses[i].reserved
	}
	it.ordersFrom = make([]storeRevision, c.count(2))
	for i := range it.ordersFrom {
		it.ordersFrom[i] = storeRevision{c.index(len(it.stores)), it.revision - c.varint()}
	}
	it.readHorizon(c)
}

func (w *warehouse) read(c *cursor, it *item) {
	w.name = it.names.internBytes(c.bytes())
	w.actual, w.reserved = c.quantity(), c.quantity()
	w.byStore = make([]storeStock, c.count(3))
	for i := range w.byStore {
		w.byStore[i] = storeStock{c.index(len(it.stores)), c.quantity(), c.quantity()}
	}
}

func (it *item) readHorizon(c *cursor) {
	flags := c.byte()
	if flags&headerBases != 0 {
		for i := range it.warehouses {
			it.warehouses[i].base.read(c, it)
		}
	}
	if flags&headerLineFrontier != 0 {
		it.lineFrontier = c.position(it.asOf)
	}
	if flags&headerOrderFrontier != 0 {
		it.orderFrontier = c.time(it.asOf)
	}
}

func (s *base) read(c *cursor, it *item) {
	s.actual = c.quantity()
	s.count = c.position(it.asOf)
	s.taken = make([]storeTaken, c.count(2))
	for i := range s.taken {
		s.taken[i] = storeTaken{c.index(len(it.stores)), c.quantity()}
	}
}

func (c *cursor) position(asOf topics.Time) position {
	return position{at: c.time(asOf), seq: c.varint(), id: c.string()}
}
