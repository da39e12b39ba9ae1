package sinks

import (
	"slices"

	"stocksync/topics"
)

// facts is all that decides about one pair at one moment. Nothing else does: same facts, same verdict.
type facts struct {
	now    topics.Time
	shop   *shopFacts
	av     *topics.Availability // nil: the SKU has no record
	own    *topics.ItemSettings // of the pair; nil: none
	all    *topics.ItemSettings // of the SKU in all stores; nil: none
	broken error                // one of the records can't be read
	blind  bool                 // it is that of availability, or one of these
	list   *topics.Listing      // nil: none
	status *topics.SyncStatus   // as last written; nil: never
	near   []string             // what differs by case or spaces only: listings of a SKU, or SKUs of a listing
	ledger *ledger              // after requests of a delivery that is under way; nil: the status has it
	// braking: too many pairs of the store fall to 0 at once. fellAt is when this one began to, if that is known.
	braking bool
	fellAt  topics.Time
	drift   *drift
	queue   *turn              // where the pair stands in the queue of a limited store; nil: nowhere
	spent   [ranks]topics.Time // until when the budgets of its listings' day are used up, by urgency
	reread  bool               // the shop showed another number than the one written, in its very answer
}

// shopFacts is what decides about all pairs of a store.
type shopFacts struct {
	policy  *policy
	err     error // the store can't be opened: no adapter, bad options, no credentials
	listed  bool  // pairs exist by listing
	traits  Traits
	passAt  topics.Time // the last complete pass over the catalogue began; zero: there was none yet
	trouble *trouble    // the marketplace refuses the store as such; nil: it does not
	// outage is the class of answers that whole requests get again and again; zero: they go through.
	outage      Class
	pausedUntil topics.Time
	// A retry that was planned before this time needs no more waiting: the store answers again.
	recoveredAt topics.Time
}

// trouble is why a store is sent nothing until something about it changes.
type trouble struct {
	outcome Outcome
	since   topics.Time
	until   topics.Time // when it is tried again by itself; zero: it is not
}

// turn is where a pair stands among those that wait for a limited store, and when it may be its turn.
type turn struct {
	position int
	at       topics.Time
}

// want is what a pair should show.
type want struct {
	known    bool // there is an availability record with a transaction behind it
	offered  bool // the rules can be read: revision, qty and what follows are worked out
	revision int64
	qty      topics.Quantity
	net      topics.Quantity
	terms    terms
	unseen   topics.Quantity // sales of the shop that count, of those that nobody has reported
	taken    topics.Quantity // that the store's orders have taken
	aims     []aim
	touched  string      // when persons last changed what the pair goes by
	resync   topics.Time // newest request that has come due
	wakeAt   topics.Time // when the want changes by itself: a request comes due, a campaign begins or ends
}

// free returns the aims that may be sent.
func (w *want) free() []aim {
	return slices.DeleteFunc(slices.Clone(w.aims), func(a aim) bool { return !a.free() })
}

// verdict is what follows from facts.
type verdict struct {
	reason    topics.SyncReason
	also      []topics.SyncReason
	evidence  map[string]any
	failures  []failure // of the pair's targets that still stand
	held      []string  // targets that nothing is sent to
	shortfall topics.Quantity
	auto      autoState
	drift     *drift // that is to be repaired; nil: none
	falls     bool   // from above 0 to 0, other than by orders
	fellAt    topics.Time
	due       bool // an update must be sent
	cause     topics.SyncCause
	want      want
	notBefore topics.Time // due: the pair waits for a retry until then
	wakeAt    topics.Time // the verdict changes by itself at this time; zero: it does not
}

// judge decides about a pair.
func judge(f *facts) verdict {
	v := verdict{want: f.wanted()}
	var found findings
	f.findStore(&found, &v)
	f.findPair(&found, &v)
	whole := len(found) > 0 // it hinders the pair, whatever its targets
	v.want.aims = f.aims(&v.want, !whole)
	f.findTargets(&found, &v)
	if !whole {
		f.decide(&found, &v)
	}
	v.wakeAt = sooner(v.wakeAt, v.want.wakeAt)
	v.conclude(found)
	return v
}

// decide finds whether a pair that nothing hinders as a whole is due, and what to say of it.
func (f *facts) decide(l *findings, v *verdict) {
	v.failures = f.standing(&v.want)
	v.cause = f.dueFor(v)
	if v.cause != "" {
		before := len(*l)
		if f.findBraked(l, v); len(*l) > before {
			v.cause = ""
			return
		}
	}
	v.due = v.cause != ""
	v.drift = f.drift
	switch {
	case v.due:
		f.findSending(l, v)
	case len(*l) == 0:
		f.findSynced(l, &v.want)
	}
}

// conclude makes reason, evidence and the other reasons of what was found.
func (v *verdict) conclude(found findings) {
	found.sort()
	v.reason, v.evidence = found[0].reason, found[0].evidence
	for _, other := range found[1:] {
		if other.reason != v.reason && !slices.Contains(v.also, other.reason) {
			v.also = append(v.also, other.reason)
		}
	}
}

// standing returns the failures of targets that the pair still has.
func (f *facts) standing(w *want) []failure {
	return slices.DeleteFunc(failuresOf(f.status), func(x failure) bool {
		return !slices.ContainsFunc(w.aims, func(a aim) bool { return targetKey(&a.target) == x.target })
	})
}

// wanted works out revision and quantity.
func (f *facts) wanted() want {
	var w want
	w.known = f.av != nil && (!f.av.LastMutationAt.IsZero() || !f.av.LastOrderAt.IsZero())
	if f.shop.policy.err != nil || f.av == nil {
		return w
	}
	w.offered = true
	w.touched = f.touched()
	w.revision = f.av.Revision
	w.net, w.terms = f.shop.policy.net(f.av), f.shop.policy.terms(f.own, f.all)
	w.taken = f.shop.policy.taken(f.av)
	f.unseenSoFar(&w)
	w.qty = offer(w.net, w.unseen, w.terms)
	f.requests(&w)
	return w
}

// books returns what the shop was brought to and had sold unseen, less what nobody has reported for too long.
func (f *facts) books(taken topics.Quantity) *ledger {
	books, _ := f.booksUntil(taken)
	return books
}

// booksUntil is books, and when they change by themselves.
func (f *facts) booksUntil(taken topics.Quantity) (*ledger, topics.Time) {
	held := f.ledger
	if held == nil {
		held = ledgerOf(f.status)
	}
	return held.expire(taken, f.shop.policy.grace(), f.now)
}

// unseenSoFar works out which unseen sales count, as long as the shop is not read anew.
func (f *facts) unseenSoFar(w *want) {
	if !f.shop.policy.readsFirst(&f.shop.traits) {
		return
	}
	books, end := f.booksUntil(w.taken)
	w.unseen = books.left(w.taken)
	w.wakeAt = sooner(w.wakeAt, end)
}

// requests finds the newest request for a resync that has come due, and the next that will.
func (f *facts) requests(w *want) {
	requests := []topics.Time{f.shop.policy.store.ResyncRequestedAt}
	if f.shop.policy.all != nil {
		requests = append(requests, f.shop.policy.all.ResyncRequestedAt)
	}
	for _, s := range []*topics.ItemSettings{f.own, f.all} {
		if s != nil {
			requests = append(requests, s.ResyncRequestedAt)
		}
	}
	for _, at := range requests {
		if at <= f.now {
			w.resync = max(w.resync, at)
		} else { // a clock elsewhere is ahead: its request comes due at that time, once
			w.wakeAt = sooner(w.wakeAt, at)
		}
	}
}

// sooner returns the earlier of two times, of which none counts as never.
func sooner(a, b topics.Time) topics.Time {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	}
	return min(a, b)
}
