package sinks

import (
	"context"
	"time"

	"stocksync/topics"
)

// mostInFlight bounds the requests of a store at a time, whatever its adapter declares.
const mostInFlight = 64

// result is what came of a request, or of a refresh of the access token.
type result struct {
	works   []*work
	updates []Update
	of      []int // index in works, by index of updates
	reply   Reply
	began   time.Time
	ended   time.Time
	refresh bool
}

// send starts requests as long as there is something to send and leave to do so.
func (r *reconciler) send(ctx context.Context, now time.Time) {
	r.refreshToken(ctx)
	for r.ready.len() > 0 && r.maySend(now) {
		wait, ok := r.pacer.allow(now)
		if !ok {
			r.paceTill = now.Add(wait)
			return
		}
		r.launch(ctx, r.ready.take(max(1, r.shop.traits.Batch)), now)
	}
}

// blocked tells whether the store is sent nothing until something changes.
func (r *reconciler) blocked() bool {
	return r.session == nil || r.shop.trouble != nil || r.fenced
}

// maySend tells whether a request may start. While whole requests fail, one at a time tries.
func (r *reconciler) maySend(now time.Time) bool {
	limit := min(max(1, r.shop.traits.InFlight), mostInFlight)
	if r.failures > 0 {
		limit = 1
	}
	return !r.blocked() && !r.token.refreshing && !r.token.wanted && r.inFlight < limit &&
		!now.Before(r.sendAfter) && !now.Before(r.pausedTill) && !now.Before(r.paceTill) && r.lease.valid(now)
}

// launch sends one request for some works of one group.
func (r *reconciler) launch(ctx context.Context, works []*work, now time.Time) {
	done := result{works: works, began: now}
	most := max(1, r.shop.traits.Batch)
	for i, w := range works {
		w.place = placeFlying
		r.plan(ctx, w, now)
		for _, t := range w.todo() {
			u := w.update(t)
			if len(done.updates) < most && r.session.Group(&u) == w.group {
				done.updates, done.of = append(done.updates, u), append(done.of, i)
			}
		}
	}
	r.inFlight++
	r.m.inFlight.Set(float64(r.inFlight))
	session := r.session
	r.requests.Go(func() {
		limited, cancel := context.WithTimeout(ctx, r.c.RequestTimeout)
		defer cancel()
		done.reply = session.Push(limited, done.updates)
		done.ended = time.Now()
		r.results <- done // never full: it holds as many as may be in flight
	})
}

// tokenState is where a store's access token is.
type tokenState struct {
	wanted     bool // refresh when nothing is in flight
	refreshing bool
	fresh      bool // it was refreshed, and no request went through since
}

// refreshToken gets a new access token, one refresh at a time and with no request in flight.
func (r *reconciler) refreshToken(ctx context.Context) {
	session, ok := r.session.(Refresher)
	if !r.token.wanted || r.inFlight > 0 || !ok {
		return
	}
	r.token.wanted, r.token.refreshing = false, true
	r.inFlight++
	r.requests.Go(func() {
		limited, cancel := context.WithTimeout(ctx, r.c.RequestTimeout)
		defer cancel()
		r.results <- result{refresh: true, reply: Reply{Whole: session.Refresh(limited)}, ended: time.Now()}
	})
}

// refreshed deals with the outcome of a refresh.
func (r *reconciler) refreshed(ctx context.Context, d *result) {
	r.token = tokenState{fresh: true}
	o := d.reply.Whole
	switch o.Class.handling() {
	case handleDone:
		r.recover(ctx, d.ended)
	case handleStop:
		r.stop(o, d.ended)
	case handleRetry, handleWindow, handleChange:
		r.token = tokenState{wanted: true}
		r.pause(ctx, o.Class, d)
	}
}

// handle deals with the answer to a request.
func (r *reconciler) handle(ctx context.Context, d result) error {
	r.inFlight--
	r.m.inFlight.Set(float64(r.inFlight))
	if d.refresh {
		r.refreshed(ctx, &d)
		return nil
	}
	r.m.httpSeconds.Observe(d.ended.Sub(d.began).Seconds())
	if whole := d.reply.Whole.Class; whole.handling() == handleChange && len(d.works) > 1 {
		return r.split(ctx, &d)
	}
	outcomes := make([]Outcome, len(d.updates))
	throttled := false
	for i := range d.updates {
		outcomes[i] = d.reply.item(i)
		r.m.answered(outcomes[i].Class, 1)
		throttled = throttled || outcomes[i].Class == ClassThrottle
	}
	if throttled {
		r.pacer.throttled(d.ended)
	} else {
		r.pacer.answered(d.ended)
	}
	r.wholeAnswer(ctx, &d)
	for i, w := range d.works {
		if err := r.answered(ctx, w, &d, i, outcomes); err != nil {
			return err
		}
	}
	return nil
}

// wholeAnswer deals with what an answer says of the store.
func (r *reconciler) wholeAnswer(ctx context.Context, d *result) {
	o := d.reply.Whole
	for i := range d.updates {
		if item := d.reply.item(i); item.Class.handling() == handleStop {
			o = item
		}
	}
	switch o.Class.handling() {
	case handleDone, handleChange, handleWindow:
		r.token.fresh = false
		if r.failures > 0 {
			r.recover(ctx, d.ended)
		}
		if d.reply.RetryAfter > 0 { // said beside results: some items were too many
			r.pausedTill = d.ended.Add(d.reply.RetryAfter)
		}
	case handleStop:
		r.stop(o, d.ended)
	case handleRetry:
		if _, can := r.session.(Refresher); o.Class == ClassToken && can && !r.token.fresh {
			r.token.wanted = true
			return
		}
		r.token.fresh = false
		r.pause(ctx, o.Class, d)
	}
}

// pause leaves the store alone for a while after a whole request failed.
func (r *reconciler) pause(ctx context.Context, class Class, d *result) {
	r.failures++
	wait := max(d.reply.RetryAfter, r.c.retry.after(r.failures))
	r.pausedTill = d.ended.Add(wait)
	r.shop.pausedUntil = topics.TimeOf(r.pausedTill)
	if r.failures == outageAfter {
		r.shop.outage = class
		r.log.Warn("store fails", "class", class.String(), "code", d.reply.Whole.Code,
			"message", d.reply.Whole.Message)
		r.lookAgain(ctx)
	}
}

// outageAfter is how many whole requests in a row must fail before every pair that waits says so.
const outageAfter = 2

// recover goes back to full speed: retries that were planned during the outage need not wait.
func (r *reconciler) recover(ctx context.Context, now time.Time) {
	outage := r.failures >= outageAfter
	r.failures, r.shop.outage, r.shop.pausedUntil = 0, 0, 0
	r.pausedTill = time.Time{}
	if !outage && !r.token.fresh {
		return
	}
	r.log.Info("store answers again")
	r.shop.recoveredAt = topics.TimeOf(now)
	for _, w := range r.works {
		w.limit = 0
	}
	r.lookAgain(ctx)
}

// lookAgain looks at all pairs that are due, since something about the store changed.
func (r *reconciler) lookAgain(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	for sku, w := range r.works {
		if w.verdict.due {
			r.dirty[sku] += 0
		}
	}
}

// stop sends the store nothing more until something about it changes.
func (r *reconciler) stop(o Outcome, now time.Time) {
	if r.shop.trouble != nil {
		return
	}
	r.log.Error("store refuses us: sending nothing until something changes", "class", o.Class.String(),
		"code", o.Code, "message", o.Message)
	r.shop.trouble = &trouble{outcome: o, since: topics.TimeOf(now)}
	r.recheckAt = now.Add(recheckEvery)
	r.rescanDue = true // the reason of every pair is another now
	r.showStopped()
}

// split sends the pairs of a request that was refused as a whole, for what one of them holds, again in
// smaller ones, until that one is alone.
func (r *reconciler) split(ctx context.Context, d *result) error {
	r.log.Info("request refused as a whole: sending smaller ones", "pairs", len(d.works),
		"code", d.reply.Whole.Code, "message", d.reply.Whole.Message)
	for _, w := range d.works {
		w.limit = max(1, len(d.works)/2)
		w.place = placeNone
		if err := r.look(ctx, w.sku, 0); err != nil {
			return err
		}
	}
	return nil
}
