package sinks

import (
	"container/heap"
	"time"

	"stocksync/sinks/limit"
	"stocksync/topics"
)

// rank is the order of sending within a store: what may oversell first.
type rank uint8

const (
	rankStockOut  rank = iota // something the shop offers goes to 0
	rankDecrease              // the shop offers too much
	rankIncrease              // the shop offers too little
	rankUnchanged             // the number is the same, or nobody waits for it: nightly
	ranks
)

// urgency is what a limiter goes by.
func (r rank) urgency() limit.Urgency {
	switch r {
	case rankStockOut:
		return limit.Urgent
	case rankDecrease:
		return limit.High
	case rankIncrease:
		return limit.Normal
	case rankUnchanged, ranks:
	}
	return limit.Low
}

// agedEvery is the share of requests, one in so many, that serves whoever has waited longest whatever
// its rank: nothing starves, and a stock-out waits for one request at most.
const agedEvery = 8

// rankOf orders an update by what it does to the number that was delivered last.
func rankOf(qty topics.Quantity, delivered *topics.Delivered, cause topics.SyncCause) rank {
	switch {
	case delivered == nil && qty == 0:
		return rankDecrease // the shop's number is not known: before increases, behind real stock-outs
	case delivered == nil:
		return rankIncrease
	case qty == delivered.Qty, cause == topics.SyncNightly && qty > delivered.Qty:
		return rankUnchanged
	case qty == 0:
		return rankStockOut
	case qty < delivered.Qty:
		return rankDecrease
	}
	return rankIncrease
}

// ranked holds works in the order of sending.
type ranked [ranks]workHeap

func newRanked(index func(*work) *int) *ranked {
	r := &ranked{}
	for i := range r {
		r[i] = workHeap{index: index, before: func(a, b *work) bool {
			if !a.since.Equal(b.since) {
				return a.since.Before(b.since)
			}
			return a.sku < b.sku
		}}
	}
	return r
}

func (r *ranked) add(w *work)    { heap.Push(&r[w.rank], w) }
func (r *ranked) remove(w *work) { heap.Remove(&r[w.rank], *r[w.rank].index(w)) }

func (r *ranked) len() int {
	n := 0
	for i := range r {
		n += r[i].Len()
	}
	return n
}

// next returns the work whose turn it is, or the one that has waited longest; nil when there is none.
func (r *ranked) next(longest bool) *work {
	var best *work
	for i := range r {
		if r[i].Len() == 0 {
			continue
		}
		head := r[i].list[0]
		if best == nil || head.since.Before(best.since) {
			best = head
		}
		if !longest {
			break
		}
	}
	return best
}

// queue holds the works of a store that are ready to be sent. It belongs to the reconciler.
type queue struct {
	all    *ranked
	groups map[string]*ranked // of works with a group
	picks  int
}

func newQueue() *queue {
	return &queue{
		all:    newRanked(func(w *work) *int { return &w.index }),
		groups: map[string]*ranked{},
	}
}

func (q *queue) len() int { return q.all.len() }

func (q *queue) add(w *work) {
	q.all.add(w)
	if w.group == "" {
		return
	}
	if q.groups[w.group] == nil {
		q.groups[w.group] = newRanked(func(w *work) *int { return &w.groupIndex })
	}
	q.groups[w.group].add(w)
}

func (q *queue) remove(w *work) {
	q.all.remove(w)
	if w.group == "" {
		return
	}
	q.groups[w.group].remove(w)
	if q.groups[w.group].len() == 0 {
		delete(q.groups, w.group)
	}
}

// first returns the work of the next request, and whether it is one whose rank would not be next; nil when there
// are none.
func (q *queue) first() (w *work, aged bool) {
	best := q.all.next(false)
	if q.picks%agedEvery != agedEvery-1 {
		return best, false
	}
	oldest := q.all.next(true)
	return oldest, oldest != best
}

// take removes the works of the next request, at most n, all of one group; none when there are none.
func (q *queue) take(n int) []*work {
	first, _ := q.first()
	if first == nil {
		return nil
	}
	q.picks++
	q.remove(first)
	batch := []*work{first}
	for n = first.most(n); len(batch) < n; {
		w := q.mate(first)
		if w == nil || w.most(n) <= len(batch) {
			break
		}
		q.remove(w)
		batch = append(batch, w)
		n = w.most(n)
	}
	return batch
}

// mate returns the work that may share a request with another and whose turn it is; nil when there is
// none, or when another group's turn comes first.
func (q *queue) mate(first *work) *work {
	if first.group == "" {
		if w := q.all.next(false); w != nil && w.group == "" {
			return w
		}
		return nil
	}
	if same := q.groups[first.group]; same != nil {
		return same.next(false)
	}
	return nil
}

// most returns how many works may be in a request with it, of n that may without.
func (w *work) most(n int) int {
	if w.limit > 0 {
		return min(n, w.limit)
	}
	return n
}

// timers holds the works of a store that wait for a time. It belongs to the reconciler.
type timers struct{ heap workHeap }

func newTimers() *timers {
	return &timers{heap: workHeap{
		index:  func(w *work) *int { return &w.index },
		before: func(a, b *work) bool { return a.wakeAt.Before(b.wakeAt) },
	}}
}

func (t *timers) add(w *work)    { heap.Push(&t.heap, w) }
func (t *timers) remove(w *work) { heap.Remove(&t.heap, w.index) }

// first returns when the first work wakes; zero when none waits.
func (t *timers) first() time.Time {
	if t.heap.Len() == 0 {
		return time.Time{}
	}
	return t.heap.list[0].wakeAt
}

// pop removes a work whose time has come; nil when there is none.
func (t *timers) pop(now time.Time) *work {
	if t.heap.Len() == 0 || t.heap.list[0].wakeAt.After(now) {
		return nil
	}
	w := t.heap.list[0]
	t.remove(w)
	return w
}

// workHeap is a heap.Interface whose elements know their index.
type workHeap struct {
	list   []*work
	index  func(*work) *int // where a work keeps its index in this heap
	before func(a, b *work) bool
}

// Len implements heap.Interface.
func (h *workHeap) Len() int { return len(h.list) }

// Less implements heap.Interface.
func (h *workHeap) Less(i, j int) bool { return h.before(h.list[i], h.list[j]) }

// Swap implements heap.Interface.
func (h *workHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	*h.index(h.list[i]), *h.index(h.list[j]) = i, j
}

// Push implements heap.Interface.
func (h *workHeap) Push(x any) {
	w, _ := x.(*work)
	*h.index(w) = len(h.list)
	h.list = append(h.list, w)
}

// Pop implements heap.Interface.
func (h *workHeap) Pop() any {
	n := len(h.list) - 1
	w := h.list[n]
	h.list[n] = nil
	h.list = h.list[:n]
	*h.index(w) = -1
	return w
}
