package sinks

import (
	"slices"

	"stocksync/topics"
)

// finding is a reason that holds, with what shows it.
type finding struct {
	reason   topics.SyncReason
	evidence map[string]any
}

// findings are the reasons that hold. In the order of design 5.4 the first is the status's reason, and the others
// are in `also`; of several with the same reason the evidence of the first that was found counts.
type findings []finding

func (l *findings) add(reason topics.SyncReason, evidence map[string]any) {
	*l = append(*l, finding{reason, evidence})
}

// sort puts them in the order of design 5.4.
func (l findings) sort() {
	order := topics.SyncReasons()
	slices.SortStableFunc(l, func(a, b finding) int {
		return slices.Index(order, a.reason) - slices.Index(order, b.reason)
	})
}

// findStore finds what blocks all pairs of the store.
func (f *facts) findStore(l *findings, v *verdict) {
	shop := f.shop
	switch {
	case shop.policy.err != nil:
		l.add(topics.SyncConfigError, map[string]any{"error": shop.policy.err.Error()})
	case shop.err != nil:
		l.add(topics.SyncConfigError, map[string]any{"error": shop.err.Error()})
	case f.broken != nil:
		l.add(topics.SyncConfigError, map[string]any{"error": f.broken.Error()})
	case shop.trouble != nil && shop.trouble.outcome.Class == ClassConfig:
		l.add(topics.SyncConfigError, shop.trouble.evidence())
	}
	if d := shop.policy.disabled(f.now); d.on {
		l.add(topics.SyncStoreDisabled, d.evidence())
		v.wakeAt = sooner(v.wakeAt, d.until)
	}
	if s := shop.policy.store; s != nil && s.Mode == topics.ModePreview {
		l.add(topics.SyncPreview, nil)
	}
	if shop.trouble != nil && shop.trouble.outcome.Class == ClassShopUnauthorised {
		l.add(topics.SyncShopUnauthorised, shop.trouble.evidence())
	}
	if shop.trouble != nil && shop.trouble.outcome.Code == CodeShopClosed {
		l.add(topics.SyncShopClosed, shop.trouble.evidence())
	}
	if s := shop.policy.store; s != nil && len(s.Warehouses) == 0 {
		l.add(topics.SyncNoWarehouse, nil)
	}
}

func (t *trouble) evidence() map[string]any {
	e := map[string]any{"since": t.since, "code": t.outcome.Code, "message": t.outcome.Message}
	if !t.until.IsZero() {
		e["until"] = t.until
	}
	return e
}

// findPair finds what blocks the pair: switched off, not mapped, nothing known of the SKU.
func (f *facts) findPair(l *findings, v *verdict) {
	if d := itemDisabled(f.own, f.all, f.now); d.on {
		l.add(topics.SyncItemDisabled, d.evidence())
		v.wakeAt = sooner(v.wakeAt, d.until)
	}
	f.findAutoDisabled(l, v)
	f.findMapping(l, v)
	if !v.want.known && !f.blind {
		l.add(topics.SyncNoTransactionYet, nil)
	}
}

// findTargets finds what hinders single targets, and floors that are sent instead of what is wanted.
func (f *facts) findTargets(l *findings, v *verdict) {
	v.shortfall = shortfall(v.want.aims)
	for i := range v.want.aims {
		a := &v.want.aims[i]
		switch {
		case !a.free():
			*l = append(*l, a.hinder)
			v.held = append(v.held, nameOf(&a.target))
		case a.below > 0:
			*l = append(*l, a.floor)
		}
	}
}

// findSending finds why an update that is due is not there yet.
func (f *facts) findSending(l *findings, v *verdict) {
	failed := slices.IndexFunc(v.failures, func(x failure) bool { return x.class.handling() == handleRetry })
	if failed >= 0 && v.failures[failed].at >= f.shop.recoveredAt {
		v.notBefore = f.status.NextAttemptAt
	}
	spent := f.spent[rankOf(v.want.qty, f.delivered(), v.cause)]
	v.notBefore = max(v.notBefore, spent)
	switch {
	case failed >= 0:
		x := &v.failures[failed]
		l.add(x.class.reason(), x.evidence())
	case f.shop.outage != 0:
		l.add(f.shop.outage.reason(), map[string]any{"until": f.shop.pausedUntil})
	case spent > f.now:
		l.add(topics.SyncRateLimited, map[string]any{"until": spent})
	case f.queue != nil:
		l.add(topics.SyncRateLimited, map[string]any{"position": f.queue.position, "estimate": f.queue.at})
	case f.drift == nil || v.cause != topics.SyncReadback:
		l.add(topics.SyncWaiting, nil)
	}
	if f.drift != nil {
		l.add(topics.SyncChangedOnMarketplace, f.drift.evidence())
	}
}

// delivered is what the pair was last brought to; nil: it never was.
func (f *facts) delivered() *topics.Delivered {
	if f.status == nil {
		return nil
	}
	return f.status.Delivered
}

// findSynced finds what to say of a pair that shows what it should.
func (f *facts) findSynced(l *findings, w *want) {
	switch {
	case w.qty == 0 && w.net <= 0:
		l.add(topics.SyncZeroAvailable, nil)
	case w.qty == 0:
		l.add(topics.SyncZeroByRule, map[string]any{"net": w.net})
	default:
		l.add(topics.SyncInSync, nil)
	}
}
