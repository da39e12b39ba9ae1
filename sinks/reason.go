package sinks

import "stocksync/topics"

// finding is a reason that holds, with what shows it.
type finding struct {
	reason   topics.SyncReason
	evidence map[string]any
}

// findings are the reasons that hold, in the order of design 5.4: the first is the status's reason, the
// others are in `also`. The find functions below are called in that order, and each adds in that order.
type findings []finding

func (l *findings) add(reason topics.SyncReason, evidence map[string]any) {
	*l = append(*l, finding{reason, evidence})
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
	if s := shop.policy.store; s != nil && len(s.Warehouses) == 0 {
		l.add(topics.SyncNoWarehouse, nil)
	}
}

func (t *trouble) evidence() map[string]any {
	return map[string]any{"since": t.since, "code": t.outcome.Code, "message": t.outcome.Message}
}

// findPair finds what blocks the pair: switched off, not mapped, nothing known of the SKU.
func (f *facts) findPair(l *findings, v *verdict) {
	if d := itemDisabled(f.own, f.all, f.now); d.on {
		l.add(topics.SyncItemDisabled, d.evidence())
		v.wakeAt = sooner(v.wakeAt, d.until)
	}
	if f.shop.listed && len(v.want.targets) == 0 {
		l.add(topics.SyncMappingPending, nil)
	}
	if !v.want.known && !f.blind {
		l.add(topics.SyncNoTransactionYet, nil)
	}
}

// findRefusal finds whether the marketplace refused what is wanted, and would again.
func (f *facts) findRefusal(l *findings, v *verdict) {
	last, failed := attemptOf(f.status)
	if !failed || len(*l) > 0 {
		return
	}
	switch last.class.handling() {
	case handleChange:
	case handleWindow:
		v.wakeAt = sooner(v.wakeAt, f.status.NextAttemptAt)
	case handleDone, handleRetry, handleStop:
		return
	}
	if f.status.Reason == last.class.reason() && !f.changedSince(last, &v.want) {
		l.add(last.class.reason(), last.evidence())
	}
}

// findSending finds why an update that is due is not there yet.
func (f *facts) findSending(l *findings, v *verdict) {
	last, failed := attemptOf(f.status)
	failed = failed && last.class.handling() == handleRetry
	if failed && last.at >= f.shop.recoveredAt {
		v.notBefore = f.status.NextAttemptAt
	}
	switch {
	case failed:
		l.add(last.class.reason(), last.evidence())
	case f.shop.outage != 0:
		l.add(f.shop.outage.reason(), map[string]any{"until": f.shop.pausedUntil})
	default:
		l.add(topics.SyncWaiting, nil)
	}
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
