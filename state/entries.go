package state

import (
	"iter"
	"slices"

	"stocksync/topics"
)

// entries are the entries of one SKU in memory, encoded and in the order of the changelog: a fraction of
// the size of decoded lines, nothing for the garbage collector to follow, and the open chunk is written
// as it lies here. A ledger line is decoded only when its id comes again, or when a count asks for it.
//
// Invariants:
//
//	E1  data holds every current entry of every live chunk, and perhaps some that were replaced
//	E2  an entry is current exactly if the index (a ledger line) or its order line names its place
//	E3  the last chunk is the open one: new entries go to its end
type entries struct {
	data     []byte
	chunks   []chunk // ascending
	lines    index   // of ledger lines
	replaced int     // entries of data that are not current
	stale    bool    // some of them are in the open chunk
}

// chunk is one chunk's part of the data.
type chunk struct {
	number uint32
	start  uint32      // up to the next chunk's start, or the end
	count  uint32      // entries, replaced ones too
	latest topics.Time // no ledger line in it is later: a search for later ones passes over it
}

// compactMin replaced entries are not worth moving the others for.
const compactMin = 64

// Entries double their memory, from minGrowth on, and above maxDouble grow by half: a SKU's first lines should not
// each ask for more, and a SKU of many lines not hold twice what it needs.
const (
	minGrowth = 192
	maxDouble = 1 << 20
)

// entry is a decoded entry: one of its lines.
type entry struct {
	isOrder bool
	size    uint32
	line    line
	order   orderLine
}

// open returns the chunk that takes entries.
func (s *entries) open() *chunk { return &s.chunks[len(s.chunks)-1] }

// end returns the place where the chunk with that index ends.
func (s *entries) end(i int) uint32 {
	if i+1 < len(s.chunks) {
		return s.chunks[i+1].start
	}
	return uint32(len(s.data))
}

// begin opens a chunk; an empty one that is open gives way to it.
func (s *entries) begin(number uint32) {
	start := uint32(len(s.data))
	if n := len(s.chunks); n == 0 || s.chunks[n-1].start < start {
		s.chunks = append(s.chunks, chunk{})
	}
	*s.open() = chunk{number: number, start: start}
	s.stale = false
}

// split spreads the open chunk over several when it exceeds maxChunkBytes.
func (s *entries) split() {
	from, end := s.open().start, uint32(len(s.data))
	if end-from <= maxChunkBytes {
		return
	}
	s.open().count = 0
	for place := range s.each(from, end) {
		if o := s.open(); place-o.start >= maxChunkBytes {
			s.chunks = append(s.chunks, chunk{number: o.number + 1, start: place, latest: o.latest})
		}
		s.open().count++
	}
}

// find decodes the current version of a ledger line; its strings alias data.
func (s *entries) find(id string, hash uint32, l *line) (place uint32, ok bool) {
	for p := s.lines.probe(hash); ; {
		if place, ok = p.next(); !ok {
			return 0, false
		}
		c := cursor{rest: s.data[place:]}
		tag := c.byte()
		if known := c; known.alias() == id {
			c.readLine(tag, l)
			return place, true
		}
	}
}

// put appends a version of a ledger line, which replaces the one at old if it is held.
func (s *entries) put(l *line, hash, old uint32, held bool) (place uint32) {
	var b [256]byte
	place = s.append(appendLine(b[:0], l))
	o := s.open()
	o.latest = max(o.latest, l.at)
	if !held {
		s.lines.add(hash, place)
		return place
	}
	s.lines.move(hash, old, place)
	s.drop(old)
	return place
}

// undo takes back the put that was last.
func (s *entries) undo(hash, place, old uint32, held bool) {
	s.data = s.data[:place]
	s.open().count--
	if !held {
		s.lines.removeLast(hash, place)
		return
	}
	s.lines.move(hash, place, old)
	s.replaced--
}

// putOrder appends the present version of an order line.
func (s *entries) putOrder(o *orderLine) {
	if o.written {
		s.drop(o.place)
	}
	var b [256]byte
	o.place, o.written = s.append(appendOrder(b[:0], o)), true
}

// append puts an encoded entry at the end.
func (s *entries) append(entry []byte) (place uint32) {
	place = uint32(len(s.data))
	if n := len(entry); n > cap(s.data)-len(s.data) {
		s.data = slices.Grow(s.data, max(n, min(len(s.data), max(maxDouble, len(s.data)/2)), minGrowth))
	}
	s.data = append(s.data, entry...)
	s.open().count++
	return place
}

// drop notes that the entry at a place was replaced.
func (s *entries) drop(place uint32) {
	s.replaced++
	s.stale = s.stale || place >= s.open().start
}

// each iterates over the entries from one place to another, replaced ones too. The entry is used again,
// and its strings alias data.
func (s *entries) each(from, to uint32) iter.Seq2[uint32, *entry] {
	return func(yield func(uint32, *entry) bool) {
		var e entry
		c := cursor{rest: s.data[from:to]}
		for len(c.rest) > 0 {
			n := len(c.rest)
			c.entry(&e)
			e.size = uint32(n - len(c.rest))
			if !yield(to-uint32(n), &e) {
				return
			}
		}
	}
}

// chunkOf returns the number of the chunk that holds a place.
func (s *entries) chunkOf(place uint32) uint32 {
	i, found := slices.BinarySearchFunc(s.chunks, place, func(c chunk, place uint32) int {
		return int(c.start) - int(place)
	})
	if !found {
		i--
	}
	return s.chunks[i].number
}

// isCurrent tells whether an entry that stands in a place was not replaced.
func (it *item) isCurrent(place uint32, e *entry) bool {
	if e.isOrder {
		o, ok := it.orders.get(e.order.id, it.names.sum(e.order.id))
		return ok && o.written && o.place == place
	}
	return it.entries.replaced == 0 || it.entries.lines.has(it.names.sum(e.line.id), place)
}

// ledger iterates over the current ledger lines, in the order of their arrival. The line is used again.
func (it *item) ledger() iter.Seq[*line] {
	return func(yield func(*line) bool) {
		for place, e := range it.entries.each(0, uint32(len(it.entries.data))) {
			if !e.isOrder && it.isCurrent(place, e) && !yield(&e.line) {
				return
			}
		}
	}
}

// since iterates over the current ledger lines of a warehouse at or after a moment, which may move on
// meanwhile. It begins with the newest chunk: what is late in effective order has mostly come late, so
// that it sees little more than it is asked for.
func (it *item) since(at *topics.Time, warehouse int32) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		s := &it.entries
		for i, v := range slices.Backward(s.chunks) {
			if v.latest < *at {
				continue
			}
			for place, e := range s.each(v.start, s.end(i)) {
				l := &e.line
				if e.isOrder || l.warehouse != warehouse || l.at < *at || !it.isCurrent(place, e) {
					continue
				}
				if !yield(l) {
					return
				}
			}
		}
	}
}

// compact takes replaced entries out: those of the open chunk, since it is written anew, and all when they
// are more than the others.
func (it *item) compact() {
	s := &it.entries
	first := len(s.chunks) - 1
	switch {
	case s.replaced > compactMin && s.replaced > s.lines.used+len(it.orders.list):
		first = 0
	case !s.stale:
		return
	}
	to := s.chunks[first].start
	for i := first; i < len(s.chunks); i++ {
		from, end := s.chunks[i].start, s.end(i)
		s.chunks[i].start, s.chunks[i].count = to, 0
		for place, e := range s.each(from, end) {
			if !it.isCurrent(place, e) {
				s.replaced--
				continue
			}
			it.move(e, place, to)
			to += e.size
			s.chunks[i].count++
		}
	}
	s.data, s.stale = s.data[:to], false
	kept := s.chunks[:first]
	for i, c := range s.chunks[first:] {
		if s.end(first+i) > c.start || first+i == len(s.chunks)-1 {
			kept = append(kept, c)
		}
	}
	s.chunks = kept
}

// move brings a current entry to a place before its own.
func (it *item) move(e *entry, from, to uint32) {
	if from == to {
		return
	}
	if e.isOrder {
		o, _ := it.orders.get(e.order.id, it.names.sum(e.order.id))
		o.place = to
	} else {
		it.entries.lines.move(it.names.sum(e.line.id), from, to)
	}
	copy(it.entries.data[to:], it.entries.data[from:from+e.size])
}
