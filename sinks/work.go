package sinks

import (
	"cmp"
	"maps"
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

	place      place
	index      int       // in the heap of its place
	groupIndex int       // in the heap of its group, while it is ready
	wakeAt     time.Time // placeTimed: when to look again
	rank       rank
	group      string    // of the next request
	since      time.Time // when it came due; zero: it is not
	limit      int       // most pairs in a request with it; 0: as many as the adapter takes
	suspect    bool      // it failed though it flew alone: it may be the pair, not the store, that fails

	source     source // of the wanted revision
	flown      flown
	superseded int   // newer revisions that replaced waiting ones, since it last left
	waiting    int64 // revision that waits, for superseded; 0: none

	publishAt time.Time // when the status must be written; zero: it need not
	progress  progress
}

// source is what an update follows from.
type source struct {
	wantedAt    topics.Time // since when the pair wants what it wants
	processedAt topics.Time // of the revision
	causeID     string
}

// flown is what was true of a pair when its request left: an answer is about that, whatever changed since.
type flown struct {
	source
	touched    string
	targets    string // fingerprint
	superseded int    // not logged yet
}

// takeOff notes what is true of a work that leaves.
func (w *work) takeOff() {
	w.place, w.waiting = placeFlying, 0
	w.flown = flown{
		source: w.source, touched: w.verdict.want.touched, targets: fingerprint(w.verdict.want.targets),
		superseded: w.superseded,
	}
	w.superseded = 0
}

// decide replaces a work's verdict.
func (w *work) decide(v verdict, av *topics.Availability, now time.Time) {
	was := &w.verdict.want
	if w.source.wantedAt.IsZero() || was.revision != v.want.revision || was.qty != v.want.qty {
		w.source.wantedAt = topics.TimeOf(now)
	}
	w.verdict = v
	if av != nil {
		w.source.processedAt, w.source.causeID = av.ProcessedAt, causeID(av)
	}
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

// progress says which targets of a pair have what is wanted now, from the first request that brings it
// until all have it.
type progress struct {
	revision int64
	qty      topics.Quantity
	began    time.Time // of the first request
	done     map[string]topics.DeliveredTarget
}

// start begins anew when something else is wanted, and forgets targets that are none any more.
func (p *progress) start(w *want) {
	if p.revision != w.revision || p.qty != w.qty {
		*p = progress{revision: w.revision, qty: w.qty}
	}
	maps.DeleteFunc(p.done, func(key string, _ topics.DeliveredTarget) bool {
		return !slices.ContainsFunc(w.wanting(), func(t topics.Target) bool { return targetKey(&t) == key })
	})
}

// wanting returns the targets of a pair; one without a name when it has no listing.
func (w *want) wanting() []topics.Target {
	if len(w.targets) == 0 {
		return []topics.Target{{}}
	}
	return w.targets
}

// todo returns the targets that lack what is wanted; a work that is due has one at least.
func (w *work) todo() []topics.Target {
	w.progress.start(&w.verdict.want)
	targets := w.verdict.want.wanting()
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

// finish notes that a target has what an update brought, in a request that began at a time.
func (p *progress) finish(u *Update, began time.Time) {
	if p.revision != u.Revision || p.qty != u.Qty {
		return // something else is wanted by now
	}
	if p.done == nil {
		p.done, p.began = map[string]topics.DeliveredTarget{}, began
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
