package state

import (
	"slices"

	"stocksync/topics"
)

// item is one SKU: its totals, its ledger lines and its order lines. It belongs to one task.
type item struct {
	names *names // of the task

	sku      string
	revision int64 // of the last availability record; 0 = none yet. F6: strictly grows
	policy   Policy
	recorded []stock // of the warehouses in the last record, where it was made under another policy
	remade   bool    // and that has other numbers

	firstLive uint32 // chunks below it are dead

	stores     []string // names that byStore and ordersFrom index; only grows
	warehouses []warehouse
	total      stock // sum over warehouses
	ordersFrom []storeRevision

	firstSeen, lastMutation, lastOrder, lastCount, asOf topics.Time
	activeDay                                           int32 // UTC day of the last accepted mutation or order

	// The horizon: nothing at or before a frontier may come that is not held.
	lineFrontier  position
	orderFrontier topics.Time

	entries entries
	orders  table[*orderLine]

	suspect     bool // a sum wrapped during the event in progress; overflow.go decides
	headerBytes int  // size of the header when last encoded, plus what came since
	accounted   int  // bytes held, in the cache's sum

	// The commit in progress; reset by it.
	touched *touched // nil between commits
	// The cache's marks.
	used    bool // since the cache's hand last passed
	flushed bool // the store holds this item as it is
	// Of the task's pending writes.
	lastWrite lastWrite
}

// stock is a pair of totals.
type stock struct{ actual, reserved topics.Quantity }

// warehouse is one SKU in one warehouse. F3 binds actual, F4 binds reserved.
type warehouse struct {
	name string
	stock
	byStore []storeStock
	latest  topics.Time // no ledger line here is later
	newest  *counted    // newest live count held; nil: the base's count, or none
	base    base
}

// base is what collapsed lines left behind in one warehouse.
type base struct {
	actual topics.Quantity
	count  position // newest count among the collapsed lines; zero: none
	taken  []storeTaken
}

type storeStock struct {
	store           int32
	reserved, taken topics.Quantity
}

type storeTaken struct {
	store int32
	taken topics.Quantity
}

type storeRevision struct {
	store    int32
	revision int64 // 0 while its commit is in progress
}

// touched is what one commit has done to an item.
type touched struct {
	dirty       bool
	emits       bool    // an availability record goes with it; a collapse alone makes none
	before      []stock // of the warehouses when the commit began
	trigger     topics.Trigger
	causes      []topics.Cause // at most maxCauses: the one with number n is at n % maxCauses
	causesTotal int
	traceparent []byte
	days        []int32 // UTC days that the index lacks this SKU under
	deadFrom    uint32  // chunks from here to firstLive die with this commit; 0 = none
}

const maxCauses = 4

// position is a ledger line's place in effective order.
type position struct {
	at  topics.Time
	seq int64
	id  string
}

func (p position) isZero() bool { return p.at.IsZero() }

func (p position) compare(q position) int {
	switch {
	case p.at != q.at:
		return cmpInt(int64(p.at), int64(q.at))
	case p.seq != q.seq:
		return cmpInt(p.seq, q.seq)
	case p.id < q.id:
		return -1
	case p.id > q.id:
		return 1
	}
	return 0
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

// What parts of an item take in memory; a test compares them with what the garbage collector finds.
const (
	itemBytes      = 560 // with its places in the cache
	chunkBytes     = 24
	slotBytes      = 8
	warehouseBytes = 136
	countedBytes   = 80
	storeBytes     = 16 // of a SKU, and of its ordersFrom
	stockBytes     = 24 // of a store in a warehouse
	takenBytes     = 16
	orderBytes     = 170 // without its id, and an order number that is as long at most
)

// memory returns the bytes held, roughly: the cache's measure.
func (it *item) memory() int {
	s := &it.entries
	n := itemBytes + len(it.sku) + cap(s.data) + chunkBytes*cap(s.chunks) + slotBytes*len(s.lines.slots) +
		storeBytes*(cap(it.stores)+cap(it.ordersFrom)) + warehouseBytes*cap(it.warehouses) + orderBytes*len(it.orders.list) +
		2*it.orders.bytes
	for i := range it.warehouses {
		w := &it.warehouses[i]
		n += stockBytes*cap(w.byStore) + takenBytes*cap(w.base.taken)
		if w.newest != nil {
			n += countedBytes
		}
	}
	return n
}

// begin notes what the item was before the first event of a commit.
func (it *item) begin(free *touchedPool) {
	if it.touched != nil {
		return
	}
	it.touched = free.take()
	t := it.touched
	if it.recorded != nil {
		t.before = append(t.before, it.recorded...)
		return
	}
	t.before = slices.Grow(t.before, len(it.warehouses))
	for i := range it.warehouses {
		t.before = append(t.before, it.warehouses[i].stock)
	}
}

// end forgets the commit that is done.
func (it *item) end(free *touchedPool) {
	free.give(it.touched)
	it.touched = nil
}

// touchedPool keeps what commits no longer need: a commit touches few of the SKUs that are held. One that catches
// up touches many, and each may have hundreds of warehouses: it keeps no more than most commits need.
type touchedPool struct {
	free   []*touched
	stocks int // room for them in all of before
}

const (
	touchedKept = 4096
	stocksKept  = 1 << 17 // 2 MiB
)

func (p *touchedPool) take() *touched {
	n := len(p.free) - 1
	if n < 0 {
		return &touched{causes: make([]topics.Cause, 0, maxCauses)}
	}
	t := p.free[n]
	p.free = p.free[:n]
	p.stocks -= cap(t.before)
	return t
}

func (p *touchedPool) give(t *touched) {
	if len(p.free) == touchedKept || p.stocks+cap(t.before) > stocksKept {
		return
	}
	clear(t.causes)
	*t = touched{before: t.before[:0], causes: t.causes[:0], days: t.days[:0]}
	p.free = append(p.free, t)
	p.stocks += cap(t.before)
}

// changed tells whether a number differs from the previous availability record; missing = 0.
func (it *item) changed() bool {
	for i := range it.warehouses {
		var before stock
		if i < len(it.touched.before) {
			before = it.touched.before[i]
		}
		if it.warehouses[i].stock != before {
			return true
		}
	}
	return false
}

// warehouse returns the index of a warehouse, or -1.
func (it *item) warehouse(name string) int32 {
	for i := range it.warehouses {
		if it.warehouses[i].name == name {
			return int32(i)
		}
	}
	return -1
}

// store returns the index of a store, or -1.
func (it *item) store(name string) int32 { return int32(slices.Index(it.stores, name)) }

// storeStock returns the totals of a store in a warehouse, made when missing.
func (w *warehouse) storeStock(store int32) *storeStock {
	for i := range w.byStore {
		if w.byStore[i].store == store {
			return &w.byStore[i]
		}
	}
	w.byStore = append(w.byStore, storeStock{store: store})
	return &w.byStore[len(w.byStore)-1]
}

// cause notes what led to the record that this commit emits.
func (it *item) cause(trigger topics.Trigger, c topics.Cause, traceparent []byte) {
	t := it.touched
	t.emits = true
	t.trigger = max(t.trigger, trigger)
	if len(t.causes) < maxCauses {
		t.causes = append(t.causes, c)
	} else {
		t.causes[t.causesTotal%maxCauses] = c
	}
	t.causesTotal++
	if len(traceparent) > 0 {
		t.traceparent = traceparent
	}
}

// appendCauses appends the causes that are kept, newest last.
func (t *touched) appendCauses(list []topics.Cause) []topics.Cause {
	oldest := 0
	if len(t.causes) == maxCauses {
		oldest = t.causesTotal % maxCauses
	}
	return append(append(list, t.causes[oldest:]...), t.causes[:oldest]...)
}

// seen moves the item's times on for an accepted mutation or order.
func (it *item) seen(at topics.Time) {
	if it.firstSeen.IsZero() {
		it.firstSeen = at
	}
	it.asOf = max(it.asOf, at)
	day := at.UTCDay()
	if day != it.activeDay && !slices.Contains(it.touched.days, day) {
		it.touched.days = append(it.touched.days, day)
	}
	it.activeDay = max(it.activeDay, day)
}
