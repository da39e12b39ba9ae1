package state

// index finds the entries of one SKU by the hash of their id: an open-addressing table of hash and
// place, without pointers, so that the garbage collector has nothing to follow and a look-up costs one
// cache miss. The zero index is empty. A place is where an entry begins in the SKU's entries.
type index struct {
	slots []uint64 // hash << 32 | place + 1; 0 = free. Their number is a power of two
	used  int
}

// minSlots is what an index starts with.
const minSlots = 4

// probe visits the places that are held under a hash.
type probe struct {
	index *index
	hash  uint32
	slot  uint32
}

func (x *index) probe(hash uint32) probe { return probe{index: x, hash: hash, slot: hash - 1} }

// next returns the next place; false when there is none. The slot it was read from is p.slot.
func (p *probe) next() (place uint32, ok bool) {
	slots := p.index.slots
	mask := uint32(len(slots) - 1)
	for range slots {
		p.slot = (p.slot + 1) & mask
		s := slots[p.slot]
		if s == 0 {
			return 0, false
		}
		if uint32(s>>32) == p.hash {
			return uint32(s) - 1, true
		}
	}
	return 0, false
}

// add puts in a place whose id is not held. Adding may move what probes found.
func (x *index) add(hash, place uint32) {
	if 4*(x.used+1) > 3*len(x.slots) {
		old := x.slots
		x.slots = make([]uint64, max(minSlots, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				x.put(s)
			}
		}
	}
	x.put(uint64(hash)<<32 | uint64(place+1))
	x.used++
}

func (x *index) put(s uint64) {
	mask := uint32(len(x.slots) - 1)
	i := uint32(s>>32) & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}

// move gives what was at from another place.
func (x *index) move(hash, from, to uint32) {
	if slot, ok := x.slot(hash, from); ok {
		x.slots[slot] = uint64(hash)<<32 | uint64(to+1)
	}
}

// removeLast takes out the place that was added last: no probe of another one passes over its slot.
func (x *index) removeLast(hash, place uint32) {
	if slot, ok := x.slot(hash, place); ok {
		x.slots[slot] = 0
		x.used--
	}
}

// has tells whether a place is held under a hash.
func (x *index) has(hash, place uint32) bool {
	_, ok := x.slot(hash, place)
	return ok
}

// slot returns where a place is held.
func (x *index) slot(hash, place uint32) (slot uint32, ok bool) {
	for p := x.probe(hash); ; {
		at, ok := p.next()
		if !ok || at == place {
			return p.slot, ok
		}
	}
}
