package state

// tableMapSize is where a table adds a map: below it a scan of the hashes, which lie side by side,
// is quicker and takes a tenth of the memory.
const tableMapSize = 32

// keyed is an entry with an identity.
type keyed interface{ key() string }

// table holds the entries of one SKU by id. The zero table is empty.
type table[E keyed] struct {
	list   []E
	hashes []uint32
	byID   map[string]E // nil while the table is small
	bytes  int          // of all ids
}

// get returns the entry with this id.
func (t *table[E]) get(id string, hash uint32) (e E, ok bool) {
	if t.byID != nil {
		e, ok = t.byID[id]
		return e, ok
	}
	for i, h := range t.hashes {
		if h == hash && t.list[i].key() == id {
			return t.list[i], true
		}
	}
	return e, false
}

// add puts in an entry whose id is not held.
func (t *table[E]) add(e E, hash uint32) {
	t.list = append(t.list, e)
	t.bytes += len(e.key())
	if t.byID != nil {
		t.byID[e.key()] = e
		return
	}
	t.hashes = append(t.hashes, hash)
	if len(t.list) <= tableMapSize {
		return
	}
	t.byID = make(map[string]E, 2*len(t.list))
	for _, e := range t.list {
		t.byID[e.key()] = e
	}
	t.hashes = nil
}

// removeLast takes the entry that was added last out again.
func (t *table[E]) removeLast() {
	n := len(t.list) - 1
	t.bytes -= len(t.list[n].key())
	if t.byID != nil {
		delete(t.byID, t.list[n].key())
	} else {
		t.hashes = t.hashes[:n]
	}
	t.list = t.list[:n]
}

// remove takes out every entry that gone names.
func (t *table[E]) remove(gone func(E) bool) {
	kept := t.list[:0]
	for i, e := range t.list {
		switch {
		case gone(e):
			delete(t.byID, e.key())
			t.bytes -= len(e.key())
			continue
		case t.byID == nil:
			t.hashes[len(kept)] = t.hashes[i]
		}
		kept = append(kept, e)
	}
	clear(t.list[len(kept):])
	t.list = kept
	if t.byID == nil {
		t.hashes = t.hashes[:len(kept)]
	}
}
