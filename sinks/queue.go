package sinks

import (
	"container/heap"
	"time"

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

// queue holds the works of a store that are ready to be sent. It belongs to the reconciler.
type queue struct {
	ranks  [ranks]workHeap
	groups map[string]map[*work]struct{} // of works with a group
	picks  int
}

func newQueue() *queue {
	q := &queue{groups: map[string]map[*work]struct{}{}}
	for i := range q.ranks {
		q.ranks[i].before = func(a, b *work) bool {
			if !a.since.Equal(b.since) {
				return a.since.Before(b.since)
			}
			return a.sku < b.sku
		}
	}
	return q
}

func (q *queue) len() int {
	n := 0
	for i := range q.ranks {
		n += q.ranks[i].Len()
	}
	return n
}

func (q *queue) add(w *work) {
	heap.Push(&q.ranks[w.rank], w)
	if w.group == "" {
		return
	}
	if q.groups[w.group] == nil {
		q.groups[w.group] = map[*work]struct{}{}
	}
	q.groups[w.group][w] = struct{}{}
}

func (q *queue) remove(w *work) {
	heap.Remove(&q.ranks[w.rank], w.index)
	if w.group == "" {
		return
	}
	delete(q.groups[w.group], w)
	if len(q.groups[w.group]) == 0 {
		delete(q.groups, w.group)
	}
}

// take removes the works of the next request, at most n, all of one group; none when there are none.
func (q *queue) take(n int) []*work {
	first := q.next()
	if first == nil {
		return nil
	}
	q.picks++
	q.remove(first)
	batch := []*work{first}
	if first.limit > 0 {
		n = min(n, first.limit)
	}
	if first.group != "" {
		for w := range q.groups[first.group] {
			if len(batch) < n && w.fits(len(batch)) {
				q.remove(w)
				batch = append(batch, w)
			}
		}
		return batch
	}
	for len(batch) < n {
		w := q.next()
		if w == nil || w.group != "" || !w.fits(len(batch)) {
			break
		}
		q.remove(w)
		batch = append(batch, w)
	}
	return batch
}

// next returns the work whose turn it is.
func (q *queue) next() *work {
	aged := q.picks%agedEvery == agedEvery-1
	var best *work
	for i := range q.ranks {
		if q.ranks[i].Len() == 0 {
			continue
		}
		head := q.ranks[i].list[0]
		if best == nil || aged && head.since.Before(best.since) {
			best = head
		}
		if !aged {
			break
		}
	}
	return best
}

// fits tells whether a work may join a batch that holds n already.
func (w *work) fits(n int) bool { return w.limit == 0 || n < w.limit }

// timers holds the works of a store that wait for a time. It belongs to the reconciler.
type timers struct{ heap workHeap }

func newTimers() *timers {
	t := &timers{}
	t.heap.before = func(a, b *work) bool { return a.wakeAt.Before(b.wakeAt) }
	return t
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
	return heap.Pop(&t.heap).(*work)
}

// workHeap is a heap.Interface whose elements know their index.
type workHeap struct {
	list   []*work
	before func(a, b *work) bool
}

// Len implements heap.Interface.
func (h *workHeap) Len() int { return len(h.list) }

// Less implements heap.Interface.
func (h *workHeap) Less(i, j int) bool { return h.before(h.list[i], h.list[j]) }

// Swap implements heap.Interface.
func (h *workHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}

// Push implements heap.Interface.
func (h *workHeap) Push(x any) {
	w, _ := x.(*work)
	w.index = len(h.list)
	h.list = append(h.list, w)
}

// Pop implements heap.Interface.
func (h *workHeap) Pop() any {
	n := len(h.list) - 1
	w := h.list[n]
	h.list[n] = nil
	h.list = h.list[:n]
	w.index = -1
	return w
}
