package sinks

import (
	"cmp"
	"slices"
	"time"

	"stocksync/topics"
)

// work is a pair that is not at rest: it is due, in flight, waits for a time, or its status is to be
// written. Pairs at rest have none; what they are is in the tables. It belongs to the reconciler.
type work struct {
	sku     string
	verdict verdict
	status  *topics.SyncStatus // as last written; nil: never

	place  place
	index  int       // in the heap of its place
	wakeAt time.Time // placeTimed: when to look again
	rank   rank
	group  string    // of the next request
	since  time.Time // when it came due; zero: it is not
	limit  int       // most pairs in a request with it; 0: as many as the adapter takes

	processedAt topics.Time // of the wanted revision
	causeID     string
	superseded  int   // newer revisions that replaced waiting ones, since the last attempt
	waiting     int64 // revision that waits, for superseded

	publishAt time.Time // when the status must be written; zero: it need not
	progress  progress
}

// place is where a work is.
//
//	        +-----------------------------+
//	        v                             |
//	none -> ready -> flying -> (looked at again)
//	  \       ^                           |
//	   +-> timed <------------------------+
type place uint8

const (
	placeNone   place = iota
	placeReady        // in the queue
	placeTimed        // among the timers
	placeFlying       // in a request
)

// progress says which targets of a pair have what is wanted now.
type progress struct {
	revision int64
	qty      topics.Quantity
	done     map[string]topics.DeliveredTarget
}

// start begins anew when something else is wanted.
func (p *progress) start(w *want) {
	if p.revision != w.revision || p.qty != w.qty {
		*p = progress{revision: w.revision, qty: w.qty}
	}
}

// todo returns the targets that lack what is wanted. A pair without listing has one target without name.
func (w *work) todo() []topics.Target {
	w.progress.start(&w.verdict.want)
	targets := w.verdict.want.targets
	if len(targets) == 0 {
		targets = []topics.Target{{}}
	}
	if len(w.progress.done) == 0 {
		return targets
	}
	var left []topics.Target
	for _, t := range targets {
		if _, ok := w.progress.done[targetKey(&t)]; !ok {
			left = append(left, t)
		}
	}
	return left
}

// finish notes that a target has what an update brought.
func (p *progress) finish(u *Update) {
	if p.done == nil {
		p.done = map[string]topics.DeliveredTarget{}
	}
	p.done[targetKey(&u.Target)] = topics.DeliveredTarget{
		ProductID: u.Target.ProductID, VariantID: u.Target.VariantID, Qty: u.Qty,
	}
}

// targets lists what was delivered, for the status.
func (p *progress) targets() []topics.DeliveredTarget {
	list := make([]topics.DeliveredTarget, 0, len(p.done))
	for _, d := range p.done {
		if d.ProductID != "" || d.VariantID != "" {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b topics.DeliveredTarget) int {
		return cmp.Or(cmp.Compare(a.ProductID, b.ProductID), cmp.Compare(a.VariantID, b.VariantID))
	})
	return list
}

func targetKey(t *topics.Target) string { return t.ProductID + "\x00" + t.VariantID }

// update makes the update that brings a target to what is wanted.
func (w *work) update(t topics.Target) Update {
	u := Update{
		SKU: w.sku, Revision: w.verdict.want.revision, Qty: w.verdict.want.qty, Target: t,
		Cause: w.verdict.cause, Attempt: 1,
	}
	if w.status != nil {
		u.Attempt += w.status.Attempts
	}
	return u
}
