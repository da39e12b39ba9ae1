package sinks

import (
	"time"

	"stocksync/topics"
)

// mappingPendingMost is how long a SKU may wait for a complete pass over the catalogue before it counts as not listed.
const mappingPendingMost = 24 * time.Hour

// passKey is where a status keeps when the catalogue was last read to its end.
const passKey = "catalogue_read_at"

// nearKey is where a status keeps what differs from the SKU by case or spaces only.
const nearKey = "near_misses"

// mapped tells whether the store lists the SKU, in whatever state.
func (f *facts) mapped() bool { return f.list != nil && len(f.list.Targets) > 0 }

// passAt is when the last complete pass over the catalogue began, of this owner, or as the status says of one before;
// none: there was none.
func (f *facts) passAt() topics.Time {
	at := f.shop.passAt
	if f.status != nil {
		at = max(at, moment(f.status.Evidence[passKey]))
	}
	return at
}

// findMapping finds why a pair of a store with a catalogue has nothing to be sent to.
func (f *facts) findMapping(l *findings, v *verdict) {
	switch {
	case !f.shop.listed:
	case f.mapped():
		if f.av == nil && len(f.near) > 0 {
			l.add(topics.SyncSKUMismatch, f.mismatch())
		}
	default:
		pending, end := f.mappingPending()
		if pending {
			l.add(topics.SyncMappingPending, until(end))
			v.wakeAt = sooner(v.wakeAt, end)
			return
		}
		l.add(topics.SyncSKUMismatch, f.mismatch())
	}
}

// mappingPending tells whether no pass over the catalogue was completed since the SKU was first seen, and until when
// that is said.
func (f *facts) mappingPending() (pending bool, end topics.Time) {
	pass := f.passAt()
	if f.av == nil || f.av.FirstSeenAt.IsZero() {
		return pass.IsZero(), 0
	}
	end = f.av.FirstSeenAt + topics.Time(mappingPendingMost.Microseconds())
	return pass < f.av.FirstSeenAt && f.now < end, end
}

// mismatch is the evidence that no listing has exactly the SKU.
func (f *facts) mismatch() map[string]any {
	e := map[string]any{}
	if len(f.near) > 0 {
		e[nearKey] = f.near
	}
	if pass := f.passAt(); !pass.IsZero() {
		e[passKey] = pass
	}
	if s := f.own; s != nil && s.DisableStockUpdate != nil && !*s.DisableStockUpdate && f.auto().disabled {
		e["auto_disable"] = "overridden"
		if s.ChangedBy != "" {
			e["by"] = s.ChangedBy
		}
	}
	return e
}

// autoState is whether the pair is switched off by itself, because the store has no listing for it.
type autoState struct {
	disabled  bool
	at        topics.Time
	revision  int64  // of the SKU when it was switched off
	enabledBy string // what ended the last time: order, catalogue or setting
}

// What ends an auto-disabling.
const (
	enabledByOrder     = "order"
	enabledByCatalogue = "catalogue"
	enabledBySetting   = "setting"
)

// auto works out whether the pair is switched off by itself. It is switched off only after a complete pass over the
// catalogue that began after the SKU was first seen and after its last order from the store; a new order from the
// store, or a listing, switches it on.
func (f *facts) auto() autoState {
	var a autoState
	if s := f.status; s != nil {
		a = autoState{s.AutoDisabled, s.AutoDisabledAt, s.AutoDisabledRevision, s.AutoEnabledBy}
	}
	if f.shop.policy.store == nil || f.av == nil {
		return a
	}
	on := f.shop.listed && f.shop.policy.autoDisable(&f.shop.traits)
	ordered := f.ordered()
	switch {
	case a.disabled && ordered > a.revision:
		return autoState{enabledBy: enabledByOrder}
	case a.disabled && f.mapped():
		return autoState{enabledBy: enabledByCatalogue}
	case a.disabled && !on:
		return autoState{enabledBy: enabledBySetting}
	case a.disabled, !on, f.mapped():
		return a
	}
	pass := f.passAt()
	if !pass.IsZero() && pass >= f.av.FirstSeenAt && pass > revisionTime(ordered) {
		return autoState{disabled: true, at: f.now, revision: f.av.Revision}
	}
	return a
}

// ordered is the revision that carried the store's latest new order line for the SKU; 0: there was none.
func (f *facts) ordered() int64 {
	for _, o := range f.av.OrdersFrom {
		if o.Store == f.shop.policy.store.Store {
			return o.Revision
		}
	}
	return 0
}

// revisionTime is when a revision was made: it is the wall clock in milliseconds, or a little more.
func revisionTime(revision int64) topics.Time { return topics.Time(revision * 1000) }

// findAutoDisabled finds whether the pair is switched off by itself. A person's setting wins, whatever it says.
func (f *facts) findAutoDisabled(l *findings, v *verdict) {
	v.auto = f.auto()
	if !v.auto.disabled || f.own != nil && f.own.DisableStockUpdate != nil {
		return
	}
	e := f.mismatch()
	e["since"], e["revision"] = v.auto.at, v.auto.revision
	l.add(topics.SyncAutoDisabled, e)
}
