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
}

// shopFacts is what decides about all pairs of a store.
type shopFacts struct {
	policy  *policy
	err     error // the store can't be opened: no adapter, bad options, no credentials
	listed  bool  // pairs exist by listing
	traits  Traits
	trouble *trouble // the marketplace refuses the store as such; nil: it does not
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
}

// want is what a pair should show.
type want struct {
	known    bool // there is an availability record with a transaction behind it
	offered  bool // the rules can be read: revision, qty and what follows are worked out
	revision int64
	qty      topics.Quantity
	net      topics.Quantity
	targets  []topics.Target // none for a shop without a catalogue, whatever a listing says
	touched  string          // when persons last changed what the pair goes by
	resync   topics.Time     // newest request that has come due
	wakeAt   topics.Time     // when another request comes due
}

// verdict is what follows from facts.
type verdict struct {
	reason    topics.SyncReason
	also      []topics.SyncReason
	evidence  map[string]any
	due       bool // an update must be sent
	cause     topics.SyncCause
	want      want
	notBefore topics.Time // due: the pair waits for a retry until then
	wakeAt    topics.Time // the verdict changes by itself at this time; zero: it does not
}

// judge decides about a pair.
func judge(f *facts) verdict {
	v := verdict{want: f.wanted()}
	v.wakeAt = v.want.wakeAt
	var found findings
	f.findStore(&found, &v)
	f.findPair(&found, &v)
	f.findRefusal(&found, &v)
	if len(found) == 0 {
		v.cause = f.dueFor(&v.want)
		v.due = v.cause != ""
		if v.due {
			f.findSending(&found, &v)
		} else {
			f.findSynced(&found, &v.want)
		}
	}
	v.reason, v.evidence = found[0].reason, found[0].evidence
	for _, other := range found[1:] {
		v.also = append(v.also, other.reason)
	}
	return v
}

// wanted works out revision and quantity.
func (f *facts) wanted() want {
	var w want
	if f.list != nil && f.shop.listed {
		w.targets = f.list.Targets
	}
	w.known = f.av != nil && (!f.av.LastMutationAt.IsZero() || !f.av.LastOrderAt.IsZero())
	if f.shop.policy.err != nil || f.av == nil {
		return w
	}
	w.offered = true
	w.touched = f.touched()
	w.revision = f.av.Revision
	w.net = f.shop.policy.net(f.av)
	w.qty = offer(w.net, 0, f.shop.policy.terms(f.own, f.all))
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
	return w
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

// dueFor returns why an update must be sent; "" when the shop has what it should have.
func (f *facts) dueFor(w *want) topics.SyncCause {
	s := f.status
	switch {
	case s == nil || s.Delivered == nil:
		return causeOf(f.av.Trigger)
	case w.revision > s.Delivered.Revision: // also when the number is the same: a person may have changed it there
		return causeOf(f.av.Trigger)
	case w.resync > s.Delivered.At:
		return topics.SyncResync
	case f.shop.listed && !sameTargets(w.targets, s.Delivered.Targets):
		return topics.SyncListing
	case w.qty != s.Delivered.Qty:
		return topics.SyncSettings
	}
	switch s.State {
	case topics.StatePending, topics.StateSending, topics.StateRetrying: // it was due, and nothing was delivered since
		if s.Wanted.Cause != "" {
			return s.Wanted.Cause
		}
		return topics.SyncEvent
	case topics.StateBlocked, topics.StateDisabled, topics.StateUnmapped, topics.StateNever:
		return topics.SyncEnabled
	case topics.StateSynced:
	}
	return ""
}

func causeOf(t topics.Trigger) topics.SyncCause {
	switch t {
	case topics.TriggerManual:
		return topics.SyncManual
	case topics.TriggerNightly:
		return topics.SyncNightly
	case topics.TriggerEvent:
	}
	return topics.SyncEvent
}

// sameTargets tells whether exactly the products and variants of now were delivered to.
func sameTargets(now []topics.Target, delivered []topics.DeliveredTarget) bool {
	type id struct{ product, variant string }
	was := map[id]bool{}
	for _, d := range delivered {
		was[id{d.ProductID, d.VariantID}] = true
	}
	is := map[id]bool{}
	for i := range now {
		is[id{now[i].ProductID, now[i].VariantID}] = true
	}
	return len(is) == len(was) && !slices.ContainsFunc(now, func(t topics.Target) bool {
		return !was[id{t.ProductID, t.VariantID}]
	})
}
