package state

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// The policy walk. A SKU that is loaded under another policy than its header's has its Reserved made
// anew at once, so that every number in memory follows one policy; what its newest availability record
// shows is kept beside it until the next one goes out. The walk is what lets those go out that no event
// asks for.

// walkKeys bounds the records that one call of OtherPolicy looks at: a millisecond or two.
const walkKeys = 4096

// remake makes Reserved by another policy than the header's, and keeps what the newest record has.
func (it *item) remake(p Policy) {
	stores := make([][]storeStock, 0, len(it.warehouses))
	for i := range it.warehouses {
		w := &it.warehouses[i]
		it.recorded = append(it.recorded, w.stock)
		stores = append(stores, withNumbers(w.byStore))
	}
	it.recompute(p)
	for i := range it.warehouses {
		w := &it.warehouses[i]
		if w.stock != it.recorded[i] || !slices.Equal(withNumbers(w.byStore), stores[i]) {
			it.remade = true
		}
	}
}

// withNumbers returns the stores that have a number, in order.
func withNumbers(list []storeStock) []storeStock {
	list = slices.DeleteFunc(slices.Clone(list), func(s storeStock) bool { return s.reserved == 0 && s.taken == 0 })
	slices.SortFunc(list, func(a, b storeStock) int { return int(a.store - b.store) })
	return list
}

// OtherPolicy returns SKUs after the one named, in order, whose header was made with another policy than
// the task's; it looks at some thousand records. Next is the SKU to go on after, and empty at the end. A
// walk begins after "": then what is pending is written first, since only the store is looked at; what
// is committed later follows the task's policy anyway.
func (t *Task) OtherPolicy(after string) (skus []string, next string, err error) {
	if after == "" {
		if err := t.flush(); err != nil {
			return nil, "", err
		}
	}
	from := append(append(appendPartition(nil, t.partition), kindSKU), after...)
	if after != "" {
		from = append(from, 1) // past its chunks, whose keys go on with 0
	}
	iter, err := t.scan(from, append(appendPartition(nil, t.partition), kindSKU+1))
	if err != nil {
		return nil, "", err
	}
	var newest beginning
	other := func() {
		if newest.sku != "" && newest.policy != t.policy {
			skus = append(skus, newest.sku)
		}
	}
	ok := iter.First()
	for looked := 0; ok; ok, looked = iter.Next(), looked+1 {
		h, err := readBeginning(iter)
		if err != nil {
			return nil, "", closing(iter, err)
		}
		if h.sku != newest.sku {
			if looked >= walkKeys {
				break
			}
			other()
			newest = h
		} else if h.revision >= newest.revision {
			newest = h
		}
	}
	other()
	if ok {
		next = newest.sku
	}
	return skus, next, closing(iter, nil)
}

// beginning is what the first bytes of a chunk say.
type beginning struct {
	sku      string
	revision uint64
	policy   Policy
}

func readBeginning(iter *pebble.Iterator) (b beginning, err error) {
	sku, chunk, err := parseChunkKey(iter.Key()[4:])
	if err != nil {
		return b, err
	}
	value, err := iter.ValueAndErr()
	if err != nil {
		return b, err
	}
	c := cursor{rest: value}
	c.format(skuFormat, "changelog value")
	c.take(4) // the header's length
	b.sku, b.revision = string(sku), c.uvarint()
	c.uvarint() // as_of
	b.policy = policyOf(c.byte())
	if c.err != nil {
		return b, fmt.Errorf("sku %q chunk %d: %w", sku, chunk, c.err)
	}
	return b, nil
}

// Revalue emits a SKU if the task's policy makes other numbers than its newest availability record shows;
// false when it does not.
func (t *Task) Revalue(sku string) (bool, error) {
	it, err := t.item(sku)
	if err != nil || !it.remade {
		return false, err
	}
	t.emit(it)
	return true, nil
}
