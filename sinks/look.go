package sinks

import (
	"context"
	"slices"
	"time"

	"stocksync/topics"
)

// look works out anew where a pair stands. heard are the revisions that were heard of since the last look.
func (r *reconciler) look(ctx context.Context, sku string, heard []int64) error {
	row, err := readRow(live{r.views}, r.store, sku)
	if err != nil {
		return err
	}
	r.noteNear(sku, row)
	near := r.shop.listed && row.av != nil && len(r.near.of(sku, true)) > 0
	if _, ours := r.written[sku]; ours || near || row.exists(r.store, r.shop.listed) {
		r.settle(ctx, sku, row, heard)
		return nil
	}
	now := time.Now()
	r.askForNews(sku, r.facts(sku, row, now), now)
	if w := r.works[sku]; w != nil && w.place != placeFlying {
		r.lift(w) // it was a pair, and nothing was ever said or done about it
		w.publishAt = time.Time{}
		delete(r.works, sku)
	}
	return nil
}

// noteNear brings the near misses up to what is known of a SKU, and looks at the others that this is about.
func (r *reconciler) noteNear(sku string, row *row) {
	if !r.shop.listed {
		return
	}
	for _, other := range r.near.note(sku, row) {
		r.dirty.mark(other)
	}
}

// facts puts together what decides about a pair. The status is the one written last, which the tables
// may not hold yet.
func (r *reconciler) facts(sku string, row *row, now time.Time) *facts {
	status := row.status
	if ours, ok := r.written[sku]; ok {
		status = ours.status
	}
	return r.factsWith(status, sku, row, now)
}

// factsWith is facts with a status that is about to be written.
func (r *reconciler) factsWith(status *topics.SyncStatus, sku string, row *row, now time.Time) *facts {
	f := &facts{
		now: topics.TimeOf(now), shop: &r.shop, av: row.av, own: row.own, all: row.all, list: row.list,
		status: status, broken: row.broken, blind: row.blind, near: r.near.of(sku, row.av != nil),
	}
	if w := r.works[sku]; w != nil {
		f.reread, f.ledger = w.reread, w.progress.ledger
	}
	r.addLimits(f, sku, now)
	f.drift = r.drifts[sku]
	if f.drift == nil {
		f.drift = driftIn(f.status)
	}
	f.braking, f.fellAt = r.brake.on, r.brake.fell[sku].at
	return f
}

// driftIn is the drift that a status tells of as not repaired yet; nil: none.
func driftIn(s *topics.SyncStatus) *drift {
	if s == nil || s.Reason != topics.SyncChangedOnMarketplace || s.LastDrift == nil {
		return nil
	}
	return &drift{Drift: *s.LastDrift, sold: s.LastDrift.Seen < s.LastDrift.Ours}
}

// keepFacts keeps what a verdict follows from where the request may have to reckon anew with what it reads.
func (r *reconciler) keepFacts(w *work, f *facts) {
	w.facts = nil
	if t := &r.shop.traits; r.session != nil && r.policy.store != nil && w.verdict.due &&
		(t.Number == NumberPhysical || t.Cheap || r.policy.readsFirst(t)) {
		w.facts = f
	}
}

// settle judges a pair and puts its work where it belongs.
func (r *reconciler) settle(ctx context.Context, sku string, row *row, heard []int64) {
	now := time.Now()
	r.noteNear(sku, row)
	f := r.facts(sku, row, now)
	r.askForNews(sku, f, now)
	v := judge(f)
	r.watch(sku, f, &v)
	w := r.works[sku]
	if w == nil {
		if !v.due && v.wakeAt.IsZero() && !differs(f.status, &v, false) {
			return // at rest, as nearly all pairs are
		}
		w = &work{sku: sku, index: -1, groupIndex: -1}
		r.works[sku] = w
	}
	r.supersede(w, &v, heard)
	w.decide(v, f.av, now)
	w.status = f.status
	r.keepFacts(w, f)
	if w.place != placeFlying {
		r.put(w, now)
	}
	r.plan(ctx, w, now)
	r.forget(w)
}

// inherit is settle for a pair of a store that is taken over.
func (r *reconciler) inherit(ctx context.Context, p *swept) {
	r.sweepBy(ctx, p, nil)
	if w := r.works[p.sku]; w != nil && w.verdict.due {
		w.inherited = !r.sendAfter.IsZero()
	}
}

// sweepBy settles a pair that a sweep comes by, unless it is at rest.
func (r *reconciler) sweepBy(ctx context.Context, p *swept, heard []int64) {
	r.brake.see(p.row.status)
	_, ours := r.written[p.sku]
	if p.rest && !ours && r.works[p.sku] == nil {
		delete(r.braked, p.sku)
		delete(r.risky, p.sku)
		return
	}
	r.settle(ctx, p.sku, &p.row, heard)
}

// watch keeps count of what people must know of a store as a whole: pairs that fall to 0 together, pairs that wait
// for a person, and pairs whose shop offers more than there is and can't be told.
func (r *reconciler) watch(sku string, f *facts, v *verdict) {
	r.brake.watch(sku, v)
	set := func(list map[string]struct{}, in bool) {
		if in {
			list[sku] = struct{}{}
		} else {
			delete(list, sku)
		}
	}
	set(r.braked, v.reason == topics.SyncBraked)
	set(r.risky, f.oversells(v))
	r.m.braked.Set(float64(len(r.braked)))
	r.m.risky.Set(float64(len(r.risky)))
}

// oversells tells whether a target was last brought to more than it should show, and may not be brought lower now.
func (f *facts) oversells(v *verdict) bool {
	return slices.ContainsFunc(v.want.aims, func(a aim) bool {
		shown, told := f.deliveredTo(&a.target)
		held := !a.free() || v.reason == topics.SyncBraked
		return v.want.offered && told && held && shown > a.qty
	})
}

// causeID names the newest cause of an availability record.
func causeID(a *topics.Availability) string {
	if n := len(a.Causes); n > 0 {
		return a.Causes[n-1].ID
	}
	return ""
}

// supersede counts the revisions that a newer one replaced before they were sent. A look may see a revision
// before it hears of it and of those between; they are counted when they are heard of.
func (r *reconciler) supersede(w *work, v *verdict, heard []int64) {
	latest := w.sent
	if v.due && v.want.revision > w.sent {
		latest = v.want.revision
		heard = append(heard, latest)
	}
	for _, revision := range heard {
		if revision != w.sent && !slices.Contains(w.heard, revision) {
			w.heard = append(w.heard, revision)
		}
	}
	all := len(w.heard)
	w.heard = slices.DeleteFunc(w.heard, func(revision int64) bool { return revision < latest })
	replaced := all - len(w.heard)
	w.superseded += replaced
	r.m.superseded.Add(float64(replaced))
	if !v.due && w.place != placeFlying {
		w.heard = nil // nothing waits that another could replace
	}
}

// put moves a work to the place that its verdict asks for.
func (r *reconciler) put(w *work, now time.Time) {
	r.lift(w)
	v := &w.verdict
	if !v.due {
		w.since = time.Time{}
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
	near, _ := v.evidence[nearKey].([]string)
	return s == nil || s.State != stateOf(v, flying) || s.Reason != v.reason || !slices.Equal(s.Also, v.also) ||
		!slices.Equal(heldIn(s), v.held) || !slices.Equal(textsIn(s, nearKey), near) ||
		s.AutoDisabled != v.auto.disabled || s.AutoEnabledBy != v.auto.enabledBy
}

// stateOf is the state that follows from a verdict's reason.
func stateOf(v *verdict, flying bool) topics.SyncState {
	if flying && v.reason == topics.SyncWaiting {
		return topics.StateSending
	}
	return v.reason.State()
}
