package sinks

import (
	"slices"

	"stocksync/topics"
)

// dueFor returns why an update must be sent; "" when the shop has what it should have, or nothing may be sent to
// any target.
func (f *facts) dueFor(v *verdict) topics.SyncCause {
	w, s := &v.want, f.status
	free := w.free()
	switch {
	case len(free) == 0:
		return ""
	case s == nil || s.Delivered == nil:
		return causeOf(f.av.Trigger)
	case w.revision > s.Delivered.Revision: // also when the number is the same: a person may have changed it there
		return causeOf(f.av.Trigger)
	case w.resync > s.Delivered.At:
		return topics.SyncResync
	case f.shop.listed && f.targetsChanged(w):
		return topics.SyncListing
	case slices.ContainsFunc(free, f.lacks):
		return f.lackCause(w, free)
	case slices.ContainsFunc(free, f.wasHeld):
		return topics.SyncEnabled
	case f.reread, f.drift != nil:
		return topics.SyncReadback
	}
	return f.resumedCause()
}

// wasHeld tells whether nothing could be sent to a target when the status was written, or the marketplace had
// refused it.
func (f *facts) wasHeld(a aim) bool {
	refused := func(x failure) bool {
		floored := x.floor > 0 && f.now < x.until
		return x.target == targetKey(&a.target) && x.class.handling() != handleRetry && !floored
	}
	return slices.Contains(heldIn(f.status), nameOf(&a.target)) || slices.ContainsFunc(failuresOf(f.status), refused)
}

// resumedCause returns why an update must be sent that was due when the status was written, or could not be sent
// then for a reason that is gone.
func (f *facts) resumedCause() topics.SyncCause {
	s := f.status
	switch s.State {
	case topics.StatePending, topics.StateSending, topics.StateRetrying: // nothing was delivered since
		if s.Wanted.Cause != "" {
			return s.Wanted.Cause
		}
		return topics.SyncEvent
	case topics.StateDisabled, topics.StateNever, topics.StateUnmapped, topics.StateBlocked:
		refused := s.Reason == topics.SyncSKUMismatch && len(failuresOf(s)) > 0
		if !ofTargets(s.Reason) && !refused {
			return topics.SyncEnabled
		}
	case topics.StateSynced:
	}
	return ""
}

// ofTargets tells whether a reason may be about some of a pair's targets only: then it says nothing of whether
// the pair was sent. A target that was held is found by its name.
func ofTargets(r topics.SyncReason) bool {
	switch r {
	case topics.SyncListingDeleted, topics.SyncListingBanned, topics.SyncListingArchived, topics.SyncListingInactive,
		topics.SyncListingUntracked, topics.SyncManagedElsewhere, topics.SyncLocationMissing, topics.SyncPromoLocked,
		topics.SyncRaiseOnly, topics.SyncBelowReserved, topics.SyncQuantityRefused:
		return true
	default:
		return false
	}
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

// targetsChanged tells whether there is a target that was never delivered to, and may be, or one was delivered to
// that is none any more.
func (f *facts) targetsChanged(w *want) bool {
	for i := range w.aims {
		if _, told := f.deliveredTo(&w.aims[i].target); !told && w.aims[i].free() {
			return true
		}
	}
	return slices.ContainsFunc(f.status.Delivered.Targets, func(d topics.DeliveredTarget) bool {
		return !slices.ContainsFunc(w.aims, func(a aim) bool {
			return a.target.ProductID == d.ProductID && a.target.VariantID == d.VariantID
		})
	})
}

// lacks tells whether a target that was delivered to shows another number than it should, in sum or in one of
// its locations.
func (f *facts) lacks(a aim) bool {
	if qty, _ := f.deliveredTo(&a.target); qty != a.qty {
		return true
	}
	return f.shop.listed && slices.ContainsFunc(a.places, func(l LocationQty) bool {
		return !slices.ContainsFunc(f.status.Delivered.Targets, func(d topics.DeliveredTarget) bool {
			return d.ProductID == a.target.ProductID && d.VariantID == a.target.VariantID &&
				d.LocationID == l.LocationID && d.Qty == l.Qty
		})
	})
}

// lackCause says what brought another number about at the same revision: unseen sales that were forgotten, a
// campaign's floor that began or ended, or else the settings.
func (f *facts) lackCause(w *want, free []aim) topics.SyncCause {
	switch {
	case f.shop.policy.readsFirst(&f.shop.traits) && w.unseen != f.status.Delivered.Unseen:
		return topics.SyncReadback
	case f.status.Shortfall != shortfall(free):
		return topics.SyncListing
	}
	return topics.SyncSettings
}

// nameOf names a target in a status; "" where there is no catalogue.
func nameOf(t *topics.Target) string {
	if t.VariantID == "" {
		return t.ProductID
	}
	return t.ProductID + "/" + t.VariantID
}

// heldKey is where a status keeps the targets that nothing was sent to.
const heldKey = "held_targets"

// heldIn returns the targets that nothing could be sent to when a status was written.
func heldIn(s *topics.SyncStatus) []string {
	return textsIn(s, heldKey)
}

// textsIn reads a list of texts out of a status's evidence.
func textsIn(s *topics.SyncStatus, key string) []string {
	if s == nil {
		return nil
	}
	switch list := s.Evidence[key].(type) {
	case []string:
		return list
	case []any: // as JSON gave it back
		names := make([]string, 0, len(list))
		for _, entry := range list {
			if name, ok := entry.(string); ok {
				names = append(names, name)
			}
		}
		return names
	}
	return nil
}
