package state

// AheadMost is how many SKUs Ahead takes at once.
const AheadMost = 16

// warehousesAhead is how many of a SKU's warehouses Ahead loads.
const warehousesAhead = 4

// Ahead loads what the fold of the SKUs that come next will need, n of them, as far as the cache holds them. It changes
// nothing. Of 100,000 SKUs hardly one is in the CPU's caches, and its fold waits for memory again and again, each time
// for what the last one names. The waits of several SKUs have nothing to do with each other, and here they pass
// together: that is a tenth of the time of an event.
func (t *Task) Ahead(n int, key func(i int) []byte) {
	var items [AheadMost]*item
	for i := range n {
		items[i] = t.cache.items[string(key(i))]
	}
	sum := 0
	for _, it := range items[:n] {
		if it != nil { // each of these is in a line of its own, or near
			sum += int(it.revision) + len(it.warehouses) + int(it.activeDay) + int(it.lineFrontier.at) +
				len(it.entries.chunks) + len(it.orders.list) + it.accounted
		}
	}
	for _, it := range items[:n] {
		if it != nil {
			sum += it.ends()
		}
	}
	for _, it := range items[:n] {
		if it != nil {
			sum += it.touched.nextCause()
		}
	}
	t.loaded = sum
}

// ends loads what an event adds to or begins with, behind the item's pointers.
func (it *item) ends() (sum int) {
	s := &it.entries
	if n := len(s.data); n > 0 {
		sum += int(s.data[n-1])
	}
	if n := len(s.chunks); n > 0 {
		sum += int(s.chunks[n-1].count)
	}
	if len(s.lines.slots) > 0 {
		sum += int(s.lines.slots[0])
	}
	if it.touched != nil {
		sum += it.touched.causesTotal
	}
	for i := range it.warehouses[:min(len(it.warehouses), warehousesAhead)] {
		w := &it.warehouses[i]
		sum += int(w.actual) + int(w.base.actual)
	}
	return sum
}

// nextCause loads the place that the next cause takes.
func (t *touched) nextCause() int {
	if t == nil || len(t.causes) < maxCauses {
		return 0
	}
	c := &t.causes[t.causesTotal%maxCauses]
	return int(c.Offset) + len(c.Reason)
}
