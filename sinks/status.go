package sinks

import (
	"context"
	"maps"
	"time"

	"stocksync/topics"
)

// OutcomeDecided is the outcome of a sync-log record that tells of a decision and not of an attempt.
const OutcomeDecided topics.SyncOutcome = "decided"

// plan sees to it that a work's status gets written: at once when it tells of a decision, and after a
// while when it passes by itself, so that an update that is delivered at once costs one status, not three.
func (r *reconciler) plan(ctx context.Context, w *work, now time.Time) {
	if !differs(w.status, &w.verdict, w.place == placeFlying) {
		w.publishAt = time.Time{}
		return
	}
	if w.verdict.due {
		if w.publishAt.IsZero() {
			w.publishAt = now.Add(r.c.StatusDelay)
			r.unpublished = append(r.unpublished, deferred{w: w, at: w.publishAt})
		}
		return
	}
	decided := w.status == nil || w.status.Reason != w.verdict.reason
	r.write(ctx, w, w.status, now)
	if decided {
		r.logDecision(ctx, w, now)
	}
}

// publish writes the statuses that have stood for a while, and those that Kafka did not take. An error is one of
// the tables.
func (r *reconciler) publish(ctx context.Context, now time.Time) error {
	if len(r.unwritten) > 0 && !now.Before(r.rewriteAt) {
		r.log.Error("statuses were not written: trying again", "count", len(r.unwritten))
		for sku := range r.unwritten {
			delete(r.unwritten, sku)
			if ours, ok := r.written[sku]; ok {
				r.produce(ctx, ours.status)
			}
		}
	}
	for len(r.unpublished) > 0 && !r.unpublished[0].at.After(now) {
		next := r.unpublished[0]
		r.unpublished[0] = deferred{}
		r.unpublished = r.unpublished[1:]
		if !next.w.publishAt.Equal(next.at) {
			continue // it changed, or was written, meanwhile
		}
		if err := r.placeInQueue(next.w, now); err != nil {
			return err
		}
		if differs(next.w.status, &next.w.verdict, next.w.place == placeFlying) {
			r.write(ctx, next.w, next.w.status, now)
		}
		next.w.publishAt = time.Time{}
		r.forget(next.w)
	}
	return nil
}

// write produces the status that a work's verdict makes of its basis: the status before, with what an
// attempt changed of it.
func (r *reconciler) write(ctx context.Context, w *work, basis *topics.SyncStatus, now time.Time) {
	s := r.compose(w, basis, now)
	w.status, w.publishAt = s, time.Time{}
	r.produce(ctx, s)
}

// produce writes a status and keeps it until the tables hold it.
func (r *reconciler) produce(ctx context.Context, s *topics.SyncStatus) {
	r.serial++
	serial, sku := r.serial, s.SKU
	delete(r.unwritten, sku)
	r.written[sku] = &written{status: s, serial: serial, offset: -1, seen: -1}
	r.writer.status(ctx, s, func(offset int64, err error) {
		r.inbox.leave(func(m *mail) {
			if err != nil {
				m.failed = append(m.failed, sku)
			} else {
				m.acked[sku] = ack{serial: serial, offset: offset}
			}
		})
	})
}

func (r *reconciler) compose(w *work, basis *topics.SyncStatus, now time.Time) *topics.SyncStatus {
	v, at := &w.verdict, topics.TimeOf(now)
	s := &topics.SyncStatus{Store: r.store, SKU: w.sku, Since: at}
	if basis != nil {
		*s = *basis
	}
	state := stateOf(v, w.place == placeFlying)
	if w.status == nil || w.status.State != state || w.status.Reason != v.reason {
		s.Since = at
	}
	s.State, s.Reason, s.Also = state, v.reason, v.also
	if s.Also == nil {
		s.Also = []topics.SyncReason{}
	}
	s.Evidence = evidenceIn(v)
	if v.want.known && v.want.offered {
		s.Wanted = wantedNow(w, s.Wanted)
	}
	s.Shortfall = v.shortfall
	s.AutoDisabled, s.AutoDisabledAt = v.auto.disabled, v.auto.at
	s.AutoDisabledRevision, s.AutoEnabledBy = v.auto.revision, v.auto.enabledBy
	if len(v.failures) == 0 {
		s.NextAttemptAt = 0 // no attempt is planned: what stands in the way now is something else
	}
	if v.drift != nil {
		s.LastDrift = &v.drift.Drift
	}
	s.Owner = topics.Owner{Instance: r.c.InstanceID, Generation: r.generation.Load()}
	s.UpdatedAt = at
	return s
}

// evidenceIn is what a status shows of a verdict: what its reason was concluded from, and what the next verdict
// must know of the targets.
func evidenceIn(v *verdict) map[string]any {
	e := maps.Clone(v.evidence)
	if e == nil {
		e = map[string]any{}
	}
	if len(v.failures) > 0 {
		e[failuresKey] = evidenceOf(v.failures)
	}
	if len(v.held) > 0 {
		e[heldKey] = v.held
	}
	return e
}

// wantedNow is what a work's verdict wants; the same as before keeps its time, and its cause unless there
// is a new one.
func wantedNow(w *work, before topics.Wanted) topics.Wanted {
	v := &w.verdict
	now := topics.Wanted{Revision: v.want.revision, Qty: v.want.qty, At: w.source.wantedAt, Cause: v.cause}
	if now.Revision == before.Revision && now.Qty == before.Qty {
		now.At = before.At
		if now.Cause == "" {
			now.Cause = before.Cause
		}
	}
	return now
}

// acknowledged notes where a status was written.
func (r *reconciler) acknowledged(sku string, a ack) {
	if ours, ok := r.written[sku]; ok && ours.serial == a.serial {
		ours.offset = a.offset
		r.unload(sku, ours)
	}
}

// sawStatus notes that the tables hold a status of ours up to an offset.
func (r *reconciler) sawStatus(sku string, offset int64) {
	if ours, ok := r.written[sku]; ok {
		ours.seen = max(ours.seen, offset)
		r.unload(sku, ours)
	}
}

// unload lets go of a status that the tables hold by now.
func (r *reconciler) unload(sku string, ours *written) {
	if ours.offset >= 0 && ours.seen >= ours.offset {
		delete(r.written, sku)
	}
}

func (r *reconciler) logDecision(ctx context.Context, w *work, now time.Time) {
	l := &topics.SyncLog{
		At: topics.TimeOf(now), Store: r.store, SKU: w.sku, Revision: w.verdict.want.revision,
		Qty: w.verdict.want.qty, Trigger: w.verdict.cause, CauseID: w.source.causeID,
		Outcome: OutcomeDecided, Reason: w.verdict.reason, Instance: r.c.InstanceID,
	}
	l.PreviousQty = previous(w.status)
	r.writer.log(ctx, l)
}

func previous(s *topics.SyncStatus) *topics.Quantity {
	if s == nil || s.Delivered == nil {
		return nil
	}
	qty := s.Delivered.Qty
	return &qty
}
