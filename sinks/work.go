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
	superseded int     // newer revisions that replaced waiting ones, since it last left
	heard      []int64 // revisions that neither were sent nor replaced
	sent       int64   // revision that left last

	publishAt time.Time // when the status must be written; zero: it need not
	progress  progress
	facts     *facts // of the verdict, where the shop may be read before a write; nil elsewhere
	reread    bool   // its last answer showed another number than was reckoned with
	// inherited: it was due when the store was taken over from an owner that did not let go in order, which may
	// have sent what is wanted and died before it said so.
	inherited bool
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
	qty        topics.Quantity // that the pair was to show
	taken      topics.Quantity
	touched    string
	targets    []string // keys of those that could be sent to
	superseded int      // not logged yet
}

// takeOff notes what is true of a work that leaves.
func (w *work) takeOff() {
	want := &w.verdict.want
	w.place, w.sent = placeFlying, want.revision
	w.heard = slices.DeleteFunc(w.heard, func(revision int64) bool { return revision == w.sent })
	w.flown = flown{
		source: w.source, qty: want.qty, taken: want.taken, touched: want.touched, superseded: w.superseded,
	}
	for _, a := range w.verdict.want.free() {
		w.flown.targets = append(w.flown.targets, targetKey(&a.target))
	}
	w.superseded, w.reread = 0, false
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
	done     map[string][]topics.DeliveredTarget
	ledger   *ledger // what was read and written so far; nil: nothing was read
	shown    *topics.Quantity
}

// start begins anew when something else is wanted, and forgets targets that are none any more or should show
// something else by now.
func (p *progress) start(w *want) {
	if p.revision != w.revision || p.qty != w.qty {
		*p = progress{revision: w.revision, qty: w.qty}
	}
	maps.DeleteFunc(p.done, func(key string, has []topics.DeliveredTarget) bool {
		return !slices.ContainsFunc(w.aims, func(a aim) bool {
			return targetKey(&a.target) == key && slices.Equal(a.delivered(), has)
		})
	})
}

// todo returns the targets that lack what is wanted; a work that is due has one at least.
func (w *work) todo() []aim {
	w.progress.start(&w.verdict.want)
	return slices.DeleteFunc(w.verdict.want.free(), func(a aim) bool {
		_, has := w.progress.done[targetKey(&a.target)]
		return has
	})
}

// finish notes that a target has what an update brought, in a request that began at a time.
func (p *progress) finish(a *aim, began time.Time) {
	if p.done == nil {
		p.done, p.began = map[string][]topics.DeliveredTarget{}, began
	}
	p.done[targetKey(&a.target)] = a.delivered()
}

// delivered is what a status says of the target when it has what it should: one entry for each location.
func (a *aim) delivered() []topics.DeliveredTarget {
	d := topics.DeliveredTarget{ProductID: a.target.ProductID, VariantID: a.target.VariantID, Qty: a.qty}
	if len(a.places) == 0 {
		return []topics.DeliveredTarget{d}
	}
	list := make([]topics.DeliveredTarget, len(a.places))
	for i, l := range a.places {
		d.LocationID, d.Qty = l.LocationID, l.Qty
		list[i] = d
	}
	return list
}

// targets lists what was delivered, for the status, beside what it said before of targets that nothing is sent to.
// Targets without a name, of shops without a catalogue, are left out.
func (p *progress) targets(before []topics.DeliveredTarget, w *want) []topics.DeliveredTarget {
	list := slices.Concat(slices.Collect(maps.Values(p.done))...)
	for _, d := range before {
		key := deliveredKey(&d)
		_, has := p.done[key]
		if !has && slices.ContainsFunc(w.aims, func(a aim) bool { return targetKey(&a.target) == key }) {
			list = append(list, d)
		}
	}
	list = slices.DeleteFunc(list, func(d topics.DeliveredTarget) bool { return d.ProductID == "" })
	slices.SortStableFunc(list, func(a, b topics.DeliveredTarget) int {
		return cmp.Or(cmp.Compare(a.ProductID, b.ProductID), cmp.Compare(a.VariantID, b.VariantID))
	})
	return list
}

// offered is the most that a target was brought to: what the pair is said to show.
func (p *progress) offered() topics.Quantity {
	var most topics.Quantity
	for _, places := range p.done {
		var sum topics.Quantity
		for _, d := range places {
			sum += d.Qty
		}
		most = max(most, sum)
	}
	return most
}

// targetKey names a target among those of a pair.
func targetKey(t *topics.Target) string { return t.ProductID + "\x00" + t.VariantID }

// deliveredKey is the key of the target that something was delivered to.
func deliveredKey(d *topics.DeliveredTarget) string { return d.ProductID + "\x00" + d.VariantID }

// update makes the update that brings a target to what is wanted.
func (w *work) update(a *aim) Update {
	u := Update{
		SKU: w.sku, Revision: w.verdict.want.revision, Qty: a.qty, Locations: a.places,
		Cause: w.verdict.cause, Attempt: 1,
	}
	if a.target.ProductID != "" {
		u.Target = a.target
	}
	if w.status != nil {
		u.Attempt += w.status.Attempts
	}
	return u
}
