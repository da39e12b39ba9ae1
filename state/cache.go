package state

import "slices"

// cache holds decoded items. When it is over its limit a hand goes round and evicts what was not
// used since it last passed (CLOCK): a hit sets one mark, where a list of the least recently used
// would write six pointers. An item that Pebble does not hold yet, or that the overlay touched, stays.
type cache struct {
	items map[string]*item
	ring  []*item // of all items, and holes where one was removed
	holes int
	hand  int
	used  int64
	fresh []*item // not flushed
	// partial: Pebble may hold items that are not here. Until it does, a SKU that is not here is new.
	partial bool
}

func (c *cache) init() { *c = cache{items: map[string]*item{}} }

func (c *cache) get(sku string) (*item, bool) {
	it, ok := c.items[sku]
	if ok {
		it.used = true
	}
	return it, ok
}

func (c *cache) add(it *item) {
	c.items[it.sku] = it
	c.ring = append(c.ring, it)
	it.accounted = it.memory()
	c.used += int64(it.accounted)
}

// account takes an item's growth into the sum, and notes that it awaits the next flush.
func (c *cache) account(it *item) {
	held := it.memory()
	c.used += int64(held - it.accounted)
	it.accounted = held
	c.fresh = append(c.fresh, it)
}

// remove takes an item out. Its place is cleared by the hand, or with others when they are many.
func (c *cache) remove(it *item) {
	c.partial = true
	delete(c.items, it.sku)
	c.used -= int64(it.accounted)
	if c.holes++; c.holes > len(c.ring)/2 {
		c.ring = slices.DeleteFunc(c.ring, func(it *item) bool { return c.items[it.sku] != it })
		c.holes, c.hand = 0, 0
	}
}

// flushedAll notes that Pebble holds every committed item.
func (c *cache) flushedAll() {
	for i, it := range c.fresh {
		it.flushed = true
		c.fresh[i] = nil
	}
	c.fresh = c.fresh[:0]
}

// shrink evicts down to limit bytes; false when what is left is in use or not flushed.
func (c *cache) shrink(limit int64) bool {
	for passed := 0; c.used > limit; passed++ {
		if passed > 2*len(c.ring) {
			return false
		}
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		it := c.ring[c.hand]
		switch {
		case c.items[it.sku] != it:
			c.clear()
		case it.used:
			it.used = false
			c.hand++
		case it.touched != nil || !it.flushed:
			c.hand++
		default:
			c.remove(it)
		}
	}
	return true
}

// clear fills the hand's place with the ring's last item.
func (c *cache) clear() {
	last := len(c.ring) - 1
	c.ring[c.hand], c.ring[last] = c.ring[last], nil
	c.ring = c.ring[:last]
	c.holes--
}
