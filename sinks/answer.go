package sinks

import (
	"context"
	"time"

	"stocksync/topics"
)

// windowUnknown is the wait for the end of a campaign whose end the marketplace does not tell.
const windowUnknown = 30 * time.Minute

// answered deals with the outcomes of one pair: it writes its status and the log, and looks at the pair
// again, since something newer may wait.
func (r *reconciler) answered(ctx context.Context, w *work, d *result, index int, outcomes []Outcome) error {
	var last *Update
	worst := Outcome{Class: ClassOK}
	for i := range d.updates {
		if d.of[i] != index {
			continue
		}
		last = &d.updates[i]
		if outcomes[i].Class == ClassOK {
			w.progress.finish(last, d.began)
		} else if worst.Class == ClassOK || outcomes[i].Class.handling() > worst.Class.handling() {
			worst = outcomes[i]
		}
		r.logAttempt(ctx, w, last, outcomes[i], d)
	}
	w.place = placeNone
	if last == nil || worst.Class == ClassOK && r.unfinished(w, last) {
		return r.look(ctx, w.sku, 0) // the pair's other targets are next
	}
	s := r.basis(w)
	if worst.Class == ClassOK {
		r.deliver(w, s, last, d)
	} else {
		r.fail(s, last, worst, w, d)
	}
	return r.conclude(ctx, w, s)
}

// unfinished tells whether a pair has targets that still lack what an update brought to others.
func (r *reconciler) unfinished(w *work, u *Update) bool {
	same := w.progress.revision == u.Revision && w.progress.qty == u.Qty
	return same && len(w.progress.done) < len(w.verdict.want.wanting())
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
// meanwhile is still due.
func (r *reconciler) deliver(w *work, s *topics.SyncStatus, u *Update, d *result) {
	s.Delivered = &topics.Delivered{
		Revision: u.Revision, Qty: u.Qty, At: topics.TimeOf(w.progress.began), Targets: w.progress.targets(),
	}
	w.progress = progress{} // the next update, were it of the same revision, goes to all targets
	s.Wanted = w.wanted(u)
	s.Attempts, s.NextAttemptAt, s.Error = 0, 0, nil
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
	return topics.Wanted{Revision: u.Revision, Qty: u.Qty, At: w.flown.wantedAt, Cause: u.Cause}
}

// fail notes what the marketplace said instead, and when to try again.
func (r *reconciler) fail(s *topics.SyncStatus, u *Update, o Outcome, w *work, d *result) {
	s.Attempts++
	s.Wanted = w.wanted(u)
	s.Error = &topics.SyncError{Code: o.Code, Message: o.Message}
	s.Evidence = attempt{
		class: o.Class, revision: u.Revision, qty: u.Qty, at: topics.TimeOf(d.began),
		targets: w.flown.targets, touched: w.flown.touched,
	}.evidence()
	s.Reason = o.Class.reason()
	s.State = s.Reason.State()
	s.NextAttemptAt = 0
	switch o.Class.handling() {
	case handleRetry:
		if r.token.wanted { // at once, with the new token
			break
		}
		wait := max(d.reply.RetryAfter, r.c.retry.spread(s.Attempts, d.chance))
		s.NextAttemptAt = topics.TimeOf(d.ended.Add(wait))
		if d.reply.Whole.Class == ClassTransient {
			w.limit = max(1, len(d.works)/2) // one of them may be what makes the request fail
			w.suspect = len(d.works) == 1
		}
	case handleWindow:
		until := o.Until
		if until.IsZero() {
			until = d.ended.Add(windowUnknown)
		}
		// A window that is over by the marketplace's own clock is asked for again as any failure is.
		soonest := d.ended.Add(r.c.retry.spread(s.Attempts, d.chance))
		s.NextAttemptAt = topics.TimeOf(later(until, soonest))
	case handleDone, handleChange, handleStop:
	}
}

// conclude judges a pair after an attempt and writes its status in any case.
func (r *reconciler) conclude(ctx context.Context, w *work, s *topics.SyncStatus) error {
	row, err := readRow(live{r.views}, r.store, w.sku)
	if err != nil {
		return err
	}
	now := time.Now()
	f := r.facts(w.sku, row, now)
	f.status = s
	w.decide(judge(f), f.av, now)
	w.since, w.waiting = time.Time{}, 0
	if w.verdict.due {
		w.waiting = w.verdict.want.revision
	}
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
	if o.Class != ClassOK {
		l.Reason, l.Code = o.Class.reason(), o.Code
	}
	w.flown.superseded = 0
	r.writer.log(ctx, l)
}
