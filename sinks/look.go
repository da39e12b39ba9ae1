package sinks

import (
	"context"
	"slices"
	"time"

	"stocksync/topics"
)

// look works out anew where a pair stands. news is how many revisions were seen since the last look.
func (r *reconciler) look(ctx context.Context, sku string, news int) error {
	row, err := readRow(live{r.views}, r.store, sku)
	if err != nil {
		return err
	}
	if _, ours := r.written[sku]; ours || row.exists(r.store, r.shop.listed) {
		r.settle(ctx, sku, row, news)
	} else if w := r.works[sku]; w != nil && w.place != placeFlying {
		r.lift(w) // it was a pair, and nothing was ever said or done about it
		w.publishAt = time.Time{}
		delete(r.works, sku)
	}
	return nil
}

// facts puts together what decides about a pair. The status is the one written last, which the tables
// may not hold yet.
func (r *reconciler) facts(sku string, row *row, now time.Time) *facts {
	f := &facts{
		now: topics.TimeOf(now), shop: &r.shop, av: row.av, own: row.own, all: row.all, list: row.list,
		status: row.status, broken: row.broken, blind: row.blind,
	}
	if ours, ok := r.written[sku]; ok {
		f.status = ours.status
	}
	return f
}

// settle judges a pair and puts its work where it belongs.
func (r *reconciler) settle(ctx context.Context, sku string, row *row, news int) {
	now := time.Now()
	f := r.facts(sku, row, now)
	v := judge(f)
	w := r.works[sku]
	if w == nil {
		if !v.due && v.wakeAt.IsZero() && !differs(f.status, &v, false) {
			return // at rest, as nearly all pairs are
		}
		w = &work{sku: sku, index: -1, groupIndex: -1}
		r.works[sku] = w
	}
	r.supersede(w, &v, news)
	w.decide(v, f.av, now)
	w.status = f.status
	if w.place != placeFlying {
		r.put(w, now)
	}
	r.plan(ctx, w, now)
	r.forget(w)
}

// causeID names the newest cause of an availability record.
func causeID(a *topics.Availability) string {
	if n := len(a.Causes); n > 0 {
		return a.Causes[n-1].ID
	}
	return ""
}

// supersede counts the revisions that a newer one replaces before they were sent.
func (r *reconciler) supersede(w *work, v *verdict, news int) {
	if !v.due || v.want.revision <= w.waiting {
		return
	}
	replaced := max(0, news-1)
	if w.waiting > 0 {
		replaced++
	}
	w.waiting = v.want.revision
	w.superseded += replaced
	r.m.superseded.Add(float64(replaced))
}

// put moves a work to the place that its verdict asks for.
func (r *reconciler) put(w *work, now time.Time) {
	r.lift(w)
	v := &w.verdict
	if !v.due {
		w.since, w.waiting = time.Time{}, 0
		if !v.wakeAt.IsZero() {
			w.place, w.wakeAt = placeTimed, v.wakeAt.Time()
			r.timed.add(w)
		}
		return
	}
	if w.since.IsZero() {
		w.since = now
	}
	if at := v.notBefore.Time(); !v.notBefore.IsZero() && at.After(now) {
		w.place, w.wakeAt = placeTimed, at
		r.timed.add(w)
		return
	}
	var delivered *topics.Delivered
	if w.status != nil {
		delivered = w.status.Delivered
	}
	w.rank = rankOf(v.want.qty, delivered, v.cause)
	w.group = ""
	if r.session != nil {
		if todo := w.todo(); len(todo) > 0 {
			u := w.update(&todo[0])
			w.group = r.session.Group(&u)
		}
	}
	w.place = placeReady
	r.ready.add(w)
}

// lift takes a work out of the heap it is in.
func (r *reconciler) lift(w *work) {
	switch w.place {
	case placeReady:
		r.ready.remove(w)
	case placeTimed:
		r.timed.remove(w)
	case placeNone, placeFlying:
	}
	w.place = placeNone
}

// forget drops a work that is at rest.
func (r *reconciler) forget(w *work) {
	if w.place == placeNone && w.publishAt.IsZero() {
		delete(r.works, w.sku)
	}
}

// differs tells whether a status says something else than a verdict.
func differs(s *topics.SyncStatus, v *verdict, flying bool) bool {
	return s == nil || s.State != stateOf(v, flying) || s.Reason != v.reason || !slices.Equal(s.Also, v.also) ||
		!slices.Equal(heldIn(s), v.held)
}

// stateOf is the state that follows from a verdict's reason.
func stateOf(v *verdict, flying bool) topics.SyncState {
	if flying && v.reason == topics.SyncWaiting {
		return topics.StateSending
	}
	return v.reason.State()
}
