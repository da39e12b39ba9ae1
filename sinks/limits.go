package sinks

import (
	"time"

	"stocksync/topics"
)

const (
	// queueAfter is how long a pair's turn must be away for its status to say that the store is limited, and not
	// just that the pair waits.
	queueAfter = 2 * time.Second
	// closedFor is how long a shop that says it is closed is left alone.
	closedFor = 30 * time.Minute
)

// addLimits puts into facts what the store's limits say of a pair.
func (r *reconciler) addLimits(f *facts, sku string, now time.Time) {
	if r.session == nil || r.limiter == nil {
		return
	}
	if w := r.works[sku]; w != nil && w.place == placeReady {
		f.queue = r.turnOf(w, now)
	}
	if r.revisions == nil || !r.shop.listed || f.list == nil {
		return
	}
	for rank := range ranks {
		for i := range f.list.Targets {
			wait, err := r.revisions.Wait(sku+"\x00"+targetKey(&f.list.Targets[i]), now, rank.urgency())
			if err != nil {
				r.fault = err
			}
			if wait > 0 {
				f.spent[rank] = max(f.spent[rank], topics.TimeOf(now.Add(wait)))
			}
		}
	}
}

// turnOf estimates when it is the turn of a pair that is ready; nil: soon, or nothing limits the store. Within a rank
// the place in the heap is near enough.
func (r *reconciler) turnOf(w *work, now time.Time) *turn {
	t := &turn{position: w.index + 1}
	for rank := range w.rank {
		t.position += r.ready.all[rank].Len()
	}
	var wait time.Duration
	if rate := r.limiter.PerSecond(); rate > 0 {
		requests := (t.position - 1) / max(1, r.shop.traits.Batch)
		wait = time.Duration(float64(requests) / rate * float64(time.Second))
	}
	if w.rank >= r.pacedRank {
		wait = max(wait, r.paceTill.Sub(now))
	}
	if wait < queueAfter {
		return nil
	}
	t.at = topics.TimeOf(now.Add(wait))
	return t
}

// placeInQueue judges a pair that has waited for a while once more, now that its place in the queue is known.
func (r *reconciler) placeInQueue(w *work, now time.Time) error {
	if w.place != placeReady || r.limiter == nil || r.turnOf(w, now) == nil {
		return nil
	}
	row, err := readRow(live{r.views}, r.store, w.sku)
	if err != nil {
		return err
	}
	f := r.facts(w.sku, row, now)
	if v := judge(f); v.due {
		w.decide(v, f.av, now)
		r.keepFacts(w, f)
	}
	return nil
}

// revise counts the changes of listings that a request brings, where a marketplace allows so many a day. An error is
// one of the notes.
func (r *reconciler) revise(works []*work, now time.Time) error {
	if r.revisions == nil {
		return nil
	}
	for _, w := range works {
		for _, a := range w.todo() {
			if err := r.revisions.Spend(w.sku+"\x00"+targetKey(&a.target), now); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeShop leaves a shop alone for a while that says it is closed. That is no fault of the pairs: they are tried
// again when it may be open.
func (r *reconciler) closeShop(d *result) {
	closed := func(o *Outcome) bool {
		if o.Code != CodeShopClosed || o.Class != ClassNotEditable {
			return false
		}
		o.Class = ClassTransient
		return true
	}
	said := d.reply.Whole
	found := closed(&d.reply.Whole)
	for i := range d.outcomes {
		if o := d.outcomes[i]; closed(&d.outcomes[i]) {
			said, found = o, true
		}
	}
	if !found || r.shop.trouble != nil {
		return
	}
	r.log.Warn("shop is closed: sending nothing for a while", "message", said.Message)
	r.shop.trouble = &trouble{
		outcome: said, since: topics.TimeOf(d.ended), until: topics.TimeOf(d.ended.Add(closedFor)),
	}
	r.rescanDue = true // the reason of every pair is another now
	r.showStopped()
}

// reopen tries a shop again that was closed.
func (r *reconciler) reopen(now time.Time) {
	if t := r.shop.trouble; t == nil || t.until.IsZero() || t.until.Time().After(now) {
		return
	}
	r.shop.trouble = nil
	r.rescanDue = true
	r.showStopped()
}
