package sinks

import (
	"context"
	"slices"
	"strings"
	"time"

	"stocksync/sinks/limit"
	"stocksync/topics"
)

// mostInFlight bounds the requests of a store at a time, whatever its adapter declares.
const mostInFlight = 64

// result is what came of a request, or of a refresh of the access token.
type result struct {
	loads    []load
	updates  []Update
	aims     []aim // by index of updates
	of       []int // index in loads, by index of updates
	outcomes []Outcome
	moved    []int // loads whose answer shows something else than was reckoned with
	reply    Reply
	began    time.Time
	ended    time.Time
	chance   float64 // of the waits for the next try
	refresh  bool
	limiter  *limit.Limiter // that gave leave
}

// send starts requests as long as there is something to send and leave to do so. An error is one of the notes.
func (r *reconciler) send(ctx context.Context, now time.Time) error {
	r.refreshToken(ctx, now)
	for r.ready.len() > 0 && r.maySend(now) {
		ok, err := r.leave(now)
		if err != nil || !ok {
			return err
		}
		works := r.current(r.ready.take(max(1, r.shop.traits.Batch)), now)
		if len(works) == 0 {
			r.limiter.Done()
			continue
		}
		if err := r.revise(works, now); err != nil {
			return err
		}
		r.launch(ctx, works, now)
	}
	if r.limiter != nil {
		r.limiter.Crowded(r.ready.len() > 0)
	}
	return nil
}

// current returns those works whose verdict still holds. The others, on which a campaign has begun or ended or the
// like while they waited, are looked at again.
func (r *reconciler) current(works []*work, now time.Time) []*work {
	return slices.DeleteFunc(works, func(w *work) bool {
		at := w.verdict.wakeAt
		if at.IsZero() || at.Time().After(now) {
			return false
		}
		w.place = placeNone
		r.dirty.mark(w.sku)
		return true
	})
}

// leave takes leave for the request that is next. Where the turn of whoever has waited longest finds none, and a more
// urgent request would, as budgets keep their last part for what is urgent, the turn passes. Where it is the rate that
// both wait for, it does not: else there would be no such turns while the rate holds everything back.
func (r *reconciler) leave(now time.Time) (ok bool, err error) {
	first, aged := r.ready.first()
	wait, ok, err := r.limiter.Take(now, first.rank.urgency())
	if err != nil || ok {
		return ok, err
	}
	best := r.ready.all.next(false)
	if aged {
		sooner, ok, err := r.limiter.Take(now, best.rank.urgency())
		if err != nil {
			return false, err
		}
		if ok || sooner < wait {
			r.ready.picks++
		}
		if ok {
			return true, nil
		}
		wait = min(wait, sooner)
	}
	r.paceTill, r.pacedRank = now.Add(wait), best.rank
	return false, nil
}

// paced tells whether the limiter holds back what is next.
func (r *reconciler) paced(now time.Time) bool {
	if !now.Before(r.paceTill) {
		return false
	}
	best := r.ready.all.next(false)
	return best == nil || best.rank >= r.pacedRank
}

// mayAsk tells whether the store may be sent any request at all.
func (r *reconciler) mayAsk(now time.Time) bool {
	return !r.blocked() && !now.Before(r.sendAfter) && !now.Before(r.pausedTill) && r.lease.valid(now)
}

// blocked tells whether the store is sent nothing until something changes.
func (r *reconciler) blocked() bool {
	return r.session == nil || r.shop.trouble != nil || r.fenced
}

// maySend tells whether an update may start. While whole requests fail, one at a time tries.
func (r *reconciler) maySend(now time.Time) bool {
	limit := min(max(1, r.shop.traits.InFlight), mostInFlight)
	if r.failures > 0 {
		limit = 1
	}
	return r.mayAsk(now) && !r.token.refreshing && !r.token.wanted && r.inFlight < limit && !r.paced(now)
}

// launch sends one request for some works of one group.
func (r *reconciler) launch(ctx context.Context, works []*work, now time.Time) {
	done := result{began: now, chance: chance(), limiter: r.limiter}
	most := max(1, r.shop.traits.Batch)
	shop := r.shop // as it is now
	for i, w := range works {
		todo := w.todo()
		done.loads = append(done.loads, r.pack(w, &shop, now))
		w.takeOff()
		r.plan(ctx, w, now)
		for _, a := range todo {
			u := w.update(&a)
			if len(done.updates) < most && r.session.Group(&u) == w.group {
				done.updates, done.aims, done.of = append(done.updates, u), append(done.aims, a), append(done.of, i)
			}
		}
	}
	r.inFlight++
	r.m.inFlight.Set(float64(r.inFlight))
	session, urgency := r.session, works[0].rank.urgency()
	r.requests.Go(func() {
		limited, cancel := context.WithTimeout(withLeave(ctx, 1, urgency), r.c.RequestTimeout)
		defer cancel()
		done.carry(limited, session, &shop.traits)
		done.ended = time.Now()
		r.results <- done // never full: it holds as many as may be in flight
	})
}

// pack makes a work ready to leave. The shop is read first where it sells by itself, where its number is a
// physical one, and where that may spare a write.
func (r *reconciler) pack(w *work, shop *shopFacts, now time.Time) load {
	l := load{work: w}
	t := &shop.traits
	unchanged := t.Cheap && w.rank == rankUnchanged && w.status != nil && w.status.Delivered != nil
	if w.facts == nil || t.Number != NumberPhysical && !r.policy.readsFirst(t) && !unchanged {
		return l
	}
	facts := *w.facts
	facts.shop, facts.now = shop, topics.TimeOf(now)
	l.facts = &facts
	l.clean = facts.drift != nil && facts.drift.sold
	if w.inherited && facts.ledger == nil {
		facts.ledger = ledgerOf(facts.status)
	}
	for _, a := range w.verdict.want.free() {
		l.looks = append(l.looks, w.update(&a))
		if w.inherited {
			key := targetKey(&a.target)
			facts.ledger.tried[key] = append(facts.ledger.tried[key], a.qty)
		}
	}
	return l
}

// refreshRequests is how many requests a refresh may take.
const refreshRequests = 4

// tokenState is where a store's access token is.
type tokenState struct {
	wanted     bool // refresh when nothing is in flight
	refreshing bool
	fresh      bool // it was refreshed, and no request went through since
}

// refreshToken gets a new access token, one refresh at a time and with no request in flight.
func (r *reconciler) refreshToken(ctx context.Context, now time.Time) {
	session, ok := r.session.(Refresher)
	if !r.token.wanted || r.inFlight > 0 || !ok || !r.mayAsk(now) {
		return
	}
	r.token.wanted, r.token.refreshing = false, true
	r.inFlight++
	r.requests.Go(func() {
		limited, cancel := context.WithTimeout(AtOnce(ctx), r.c.RequestTimeout)
		defer cancel()
		done := result{refresh: true, began: now}
		done.reply.Whole = session.Refresh(limited)
		done.ended = time.Now()
		r.results <- done
	})
}

// refreshed deals with the outcome of a refresh.
func (r *reconciler) refreshed(ctx context.Context, d *result) {
	r.token = tokenState{fresh: true}
	o := d.reply.Whole
	switch o.Class.handling() {
	case handleDone: // that the store answers again the next request must show
		r.shop.recoveredAt = topics.TimeOf(d.ended)
		r.lookAgain(ctx)
	case handleStop:
		r.stop(o, d.ended)
	case handleRetry, handleWindow, handleChange:
		r.token = tokenState{wanted: true}
		r.slowDown(ctx, o.Class, d)
	}
}

// handle deals with the answer to a request.
func (r *reconciler) handle(ctx context.Context, d result) error {
	r.inFlight--
	r.m.inFlight.Set(float64(r.inFlight))
	r.clean(&d)
	r.closeShop(&d)
	if d.refresh {
		r.refreshed(ctx, &d)
		return nil
	}
	r.m.httpSeconds.Observe(d.ended.Sub(d.began).Seconds())
	throttled := false
	for _, o := range d.outcomes {
		r.m.answered(o.Class, 1)
		throttled = throttled || o.Class == ClassThrottle
	}
	if throttled {
		d.limiter.Throttled(d.began, d.ended)
	} else {
		d.limiter.Answered(d.began, d.ended)
	}
	d.limiter.Told(d.reply.Bucket, d.ended)
	d.limiter.Done()
	r.wholeAnswer(ctx, &d)
	if d.spoiled() {
		return r.split(ctx, &d)
	}
	for i := range d.loads {
		if err := r.answered(ctx, d.loads[i].work, &d, i); err != nil {
			return err
		}
	}
	return nil
}

// wholeAnswer deals with what an answer says of the store.
func (r *reconciler) wholeAnswer(ctx context.Context, d *result) {
	o := d.reply.Whole
	for _, item := range d.outcomes {
		if item.Class.handling() == handleStop {
			o = item
		}
	}
	switch o.Class.handling() {
	case handleDone, handleChange, handleWindow:
		r.token.fresh = false
		if r.failures > 0 && d.began.After(r.failedAt) {
			r.recover(ctx, d.ended)
		}
		if d.reply.RetryAfter > 0 { // said beside results: some items were too many
			r.leaveAlone(d.ended.Add(d.reply.RetryAfter))
		}
	case handleStop:
		r.stop(o, d.ended)
	case handleRetry:
		if _, can := r.session.(Refresher); o.Class == ClassToken && can && !r.token.fresh {
			r.token.wanted = true
			return
		}
		r.token.fresh = false
		if o.Class == ClassTransient && len(d.loads) == 1 && d.loads[0].work.suspect {
			return // it fails wherever it goes: that says nothing of the store
		}
		r.slowDown(ctx, o.Class, d)
	}
}

// leaveAlone sends the store nothing before a time, or before a later one that it named earlier.
func (r *reconciler) leaveAlone(till time.Time) {
	r.pausedTill = later(r.pausedTill, till)
	r.shop.pausedUntil = topics.TimeOf(r.pausedTill)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// slowDown leaves the store alone for a while after a whole request failed. Several that were in flight
// together count as one failure.
func (r *reconciler) slowDown(ctx context.Context, class Class, d *result) {
	again := !d.began.After(r.failedAt)
	r.failedAt = later(r.failedAt, d.ended)
	if again {
		r.leaveAlone(d.ended.Add(d.reply.RetryAfter))
		return
	}
	r.failures++
	r.leaveAlone(d.ended.Add(max(d.reply.RetryAfter, r.c.retry.after(r.failures))))
	if r.failures == outageAfter {
		r.shop.outage = class
		r.log.Warn("store fails", "class", class.String(), "code", d.reply.Whole.Code,
			"message", d.reply.Whole.Message)
		r.lookAgain(ctx)
	}
}

// outageAfter is how many whole requests in a row must fail before every pair that waits says so.
const outageAfter = 2

// halvings is how many failures in a row it takes at most to find the pair that makes a batch fail.
const halvings = 10

// recover goes back to full speed: retries that were planned during the outage need not wait. Pairs that
// had to share requests with fewer and fewer others share them with many again, when it was the store that
// failed and not one of them.
func (r *reconciler) recover(ctx context.Context, now time.Time) {
	failures := r.failures
	r.failures, r.shop.outage, r.shop.pausedUntil = 0, 0, 0
	if failures < outageAfter {
		return
	}
	r.log.Info("store answers again")
	r.shop.recoveredAt = topics.TimeOf(now)
	for _, w := range r.works {
		if failures > halvings && !w.suspect {
			w.limit = 0
		}
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
			r.dirty.mark(sku)
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

// spoiled tells whether a request of several pairs was refused as a whole for what one of them may hold: a number,
// a product, a campaign.
func (d *result) spoiled() bool {
	switch d.reply.Whole.Class.handling() {
	case handleChange, handleWindow:
		return len(d.loads) > 1
	case handleDone, handleRetry, handleStop:
	}
	return false
}

// split sends the pairs of a request that was refused as a whole, for what one of them holds, again in
// smaller ones, until that one is alone.
func (r *reconciler) split(ctx context.Context, d *result) error {
	r.log.Info("request refused as a whole: sending smaller ones", "pairs", len(d.loads),
		"code", d.reply.Whole.Code, "message", d.reply.Whole.Message)
	for i := range d.updates {
		r.logAttempt(ctx, d.loads[d.of[i]].work, &d.updates[i], d.reply.Whole, d)
	}
	for i := range d.loads {
		w := d.loads[i].work
		w.limit = max(1, len(d.loads)/2)
		w.place = placeNone
		if err := r.look(ctx, w.sku, nil); err != nil {
			return err
		}
	}
	return nil
}

// answerTextMost bounds what is kept of a marketplace's text: it goes into a status and a log record for
// every pair of a request.
const answerTextMost = 500

// clean makes what a marketplace wrote fit to be kept: not long, valid text, none of our secrets, neither
// those of now nor those that the session began with. Some marketplaces repeat what they were sent.
func (r *reconciler) clean(d *result) {
	now, err := r.c.credentials(r.policy.ref())
	fit := func(text *string) {
		*text = r.credentials.hide(*text)
		if err == nil {
			*text = now.hide(*text)
		}
		*text = shorten(*text)
	}
	fit(&d.reply.RequestID)
	fit(&d.reply.Whole.Code)
	fit(&d.reply.Whole.Message)
	for i := range d.outcomes {
		fit(&d.outcomes[i].Code)
		fit(&d.outcomes[i].Message)
	}
}

// shorten cuts a text after a whole character.
func shorten(text string) string {
	if len(text) > answerTextMost {
		text = text[:answerTextMost]
	}
	return strings.ToValidUTF8(text, "")
}
