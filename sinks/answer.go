package sinks

import (
	"context"
	"slices"
	"time"

	"stocksync/topics"
)

// windowUnknown is the wait for the end of a campaign whose end the marketplace does not tell.
const windowUnknown = 30 * time.Minute

// answered deals with the outcomes of one pair: it writes its status and the log, and looks at the pair
// again, since something newer may wait.
func (r *reconciler) answered(ctx context.Context, w *work, d *result, index int) error {
	var last *Update
	var failed []failure
	worst := Outcome{Class: ClassOK}
	l := &d.loads[index]
	w.readUp(l)
	for i := range d.updates {
		if d.of[i] != index {
			continue
		}
		last = &d.updates[i]
		if o := d.outcomes[i]; o.Class == ClassOK {
			w.progress.finish(&d.aims[i], d.began)
		} else {
			failed = append(failed, r.failureOf(w, d, i, o))
			if o.Class == ClassNotFound && r.shop.listed {
				r.ask(w.sku, d.began.UnixMilli(), d.ended)
			}
			l.unwritten(&d.aims[i], last.Read, o.Class, r.shop.traits.Number)
			if worst.Class == ClassOK || o.Class.handling() > worst.Class.handling() {
				worst = o
			}
		}
		r.logAttempt(ctx, w, last, d.outcomes[i], d)
	}
	if len(w.progress.done) == 0 {
		w.progress = progress{} // nothing was written: the books are those of the status
	}
	w.place = placeNone
	w.inherited, w.reread = false, slices.Contains(d.moved, index)
	if last == nil || len(failed) == 0 && !w.complete(nil) {
		return r.look(ctx, w.sku, nil) // the pair's other targets are next
	}
	s := r.basis(w)
	failed = w.stillFailed(failed, topics.TimeOf(d.ended))
	if worst.Class != ClassOK {
		r.fail(s, last, worst, failed, w, d)
	}
	if w.complete(failed) {
		r.deliver(w, s, last, failed, d)
	}
	return r.conclude(ctx, w, s)
}

// readUp notes what a request read before it wrote.
func (w *work) readUp(l *load) {
	if l.ledger == nil {
		return
	}
	w.flown.qty, w.progress.qty = l.qty, l.qty
	w.progress.ledger, w.progress.shown = l.ledger, l.shown
}

// unwritten notes that a target shows what was read of it, not what was to be written, or perhaps that.
func (l *load) unwritten(a *aim, read *Reading, c Class, number Number) {
	if l.ledger == nil || read == nil {
		return
	}
	key := targetKey(&a.target)
	l.ledger.base[key] = number.offers(read)
	if c == ClassTransient {
		l.ledger.tried[key] = append(l.ledger.tried[key], a.qty)
	}
}

// stillFailed returns the new failures of a pair, and the earlier ones of targets that were not sent to. One whose
// floor was sent is still one until it may be asked for less.
func (w *work) stillFailed(failed []failure, now topics.Time) []failure {
	earlier := slices.DeleteFunc(failuresOf(w.status), func(x failure) bool {
		_, has := w.progress.done[x.target]
		again := slices.ContainsFunc(failed, func(y failure) bool { return y.target == x.target })
		return again || has && (x.floor == 0 || x.until <= now)
	})
	return append(failed, earlier...)
}

// complete tells whether every target that could be sent to has what it should, but for those that the
// marketplace refuses for good, and there is one that has.
func (w *work) complete(failed []failure) bool {
	for _, key := range w.flown.targets {
		_, has := w.progress.done[key]
		refused := slices.ContainsFunc(failed, func(x failure) bool {
			return x.target == key && x.class.handling() != handleRetry && x.class.handling() != handleStop
		})
		if !has && !refused {
			return false
		}
	}
	return len(w.progress.done) > 0
}

// basis returns a copy of a work's status to be changed.
func (r *reconciler) basis(w *work) *topics.SyncStatus {
	if w.status == nil {
		return &topics.SyncStatus{Store: r.store, SKU: w.sku}
	}
	s := *w.status
	return &s
}

// deliver notes what the shop took. Its time is when the first request began: a resync that was asked for
// meanwhile is still due. What it refuses of some targets goes on to be known.
func (r *reconciler) deliver(w *work, s *topics.SyncStatus, u *Update, failed []failure, d *result) {
	var before []topics.DeliveredTarget
	r.brake.delivered(w.sku, s.Delivered, w.progress.offered())
	if s.Delivered != nil {
		before = s.Delivered.Targets
	}
	s.Delivered = &topics.Delivered{
		Revision: u.Revision, Qty: w.progress.offered(), At: topics.TimeOf(w.progress.began),
		Taken: w.flown.taken, Targets: w.progress.targets(before, &w.verdict.want),
	}
	if books := w.progress.ledger; books != nil {
		s.Delivered.Unseen, s.Delivered.UnseenAt = books.unseen, books.since
		s.Delivered.Taken, s.Delivered.Shown = books.taken, w.progress.shown
	}
	if repaired := r.drifts[w.sku]; repaired != nil {
		s.LastDrift = &repaired.Drift
	}
	delete(r.drifts, w.sku)
	delete(r.sampling.short, w.sku)
	w.progress = progress{} // the next update, were it of the same revision, goes to all targets
	s.Wanted = w.wanted(u)
	s.Evidence = map[string]any{failuresKey: evidenceOf(failed)}
	if len(failed) == 0 {
		s.Attempts, s.NextAttemptAt, s.Error = 0, 0, nil
	}
	s.State, s.Reason = topics.StateSynced, topics.SyncInSync // nothing before counts any more
	w.limit, w.suspect = 0, false
	switch u.Cause {
	case topics.SyncEvent, topics.SyncManual, topics.SyncNightly:
		if !w.flown.processedAt.IsZero() {
			r.m.delivered(w.flown.processedAt.Time(), d.ended)
		}
	case topics.SyncSettings, topics.SyncListing, topics.SyncResync, topics.SyncEnabled, topics.SyncReadback:
	}
}

// wanted is what an update brought, for the status.
func (w *work) wanted(u *Update) topics.Wanted {
	return topics.Wanted{Revision: u.Revision, Qty: w.flown.qty, At: w.flown.wantedAt, Cause: u.Cause}
}

// failureOf remembers what the marketplace said of one target, and when it may be asked again.
func (r *reconciler) failureOf(w *work, d *result, i int, o Outcome) failure {
	u, a := &d.updates[i], &d.aims[i]
	x := failure{
		target: targetKey(&a.target), class: o.Class, revision: u.Revision, qty: a.qty,
		listedAs: fingerprint(&a.target), touched: w.flown.touched, at: topics.TimeOf(d.began),
	}
	for _, earlier := range failuresOf(w.status) {
		if earlier.target == x.target {
			x.perhaps = earlier.perhaps
		}
	}
	if o.Class == ClassTransient {
		x.mayHave(a.qty)
	}
	if o.Class == ClassBelowReserved {
		x.floor = o.Floor
	}
	if o.Class.handling() == handleWindow || x.floor > 0 {
		until := o.Until
		if until.IsZero() {
			until = d.ended.Add(windowUnknown)
		}
		// A window that is over by the marketplace's own clock is asked for again as any failure is.
		x.until = topics.TimeOf(later(until, d.ended.Add(r.c.retry.spread(u.Attempt, d.chance))))
	}
	return x
}

// fail notes what the marketplace said instead, and when to try again.
func (r *reconciler) fail(s *topics.SyncStatus, u *Update, worst Outcome, failed []failure, w *work, d *result) {
	s.Attempts++
	s.Wanted = w.wanted(u)
	s.Error = &topics.SyncError{Code: worst.Code, Message: worst.Message}
	s.Evidence = map[string]any{failuresKey: evidenceOf(failed)}
	s.Reason = worst.Class.reason()
	s.State = s.Reason.State()
	s.NextAttemptAt = 0
	for i := range failed {
		switch failed[i].class.handling() {
		case handleRetry:
			s.NextAttemptAt = sooner(s.NextAttemptAt, r.nextTry(s, w, d))
		case handleWindow:
			s.NextAttemptAt = sooner(s.NextAttemptAt, failed[i].until)
		case handleDone, handleChange, handleStop:
		}
	}
}

// nextTry is when to try again what failed; none: at once, with a new token.
func (r *reconciler) nextTry(s *topics.SyncStatus, w *work, d *result) topics.Time {
	if r.token.wanted {
		return 0
	}
	if d.reply.Whole.Class == ClassTransient {
		w.limit = max(1, len(d.loads)/2) // one of them may be what makes the request fail
		w.suspect = len(d.loads) == 1
	}
	wait := max(d.reply.RetryAfter, r.c.retry.spread(s.Attempts, d.chance))
	return topics.TimeOf(d.ended.Add(wait))
}

// conclude judges a pair after an attempt and writes its status in any case.
func (r *reconciler) conclude(ctx context.Context, w *work, s *topics.SyncStatus) error {
	row, err := readRow(live{r.views}, r.store, w.sku)
	if err != nil {
		return err
	}
	now := time.Now()
	f := r.factsWith(s, w.sku, row, now)
	v := judge(f)
	r.watch(w.sku, f, &v)
	r.supersede(w, &v, nil)
	w.decide(v, f.av, now)
	r.keepFacts(w, f)
	w.since = time.Time{}
	r.write(ctx, w, s, now)
	r.put(w, now)
	r.forget(w)
	return nil
}

// logAttempt writes the record of one update.
func (r *reconciler) logAttempt(ctx context.Context, w *work, u *Update, o Outcome, d *result) {
	l := &topics.SyncLog{
		At: topics.TimeOf(d.ended), Store: r.store, SKU: u.SKU, ProductID: u.Target.ProductID,
		VariantID: u.Target.VariantID, Revision: u.Revision, Qty: u.Qty, PreviousQty: previous(w.status),
		Trigger: u.Cause, CauseID: w.flown.causeID, Outcome: o.Class.Outcome(), Message: o.Message,
		RequestID: d.reply.RequestID, Attempt: u.Attempt, LatencyMs: d.ended.Sub(d.began).Milliseconds(),
		Superseded: w.flown.superseded, Instance: r.c.InstanceID,
	}
	switch {
	case o.Class != ClassOK:
		l.Reason, l.Code = o.Class.reason(), o.Code
	case o.Code == codeVerified:
		l.Outcome = topics.OutcomeVerified
	}
	w.flown.superseded = 0
	r.writer.log(ctx, l)
}
