package sinks

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"stocksync/topics"
)

const (
	// brakeWindow is the time within which pairs that fall to 0 count together.
	brakeWindow = 10 * time.Minute
	// brakeLeast is how many pairs must fall for a mistake to be likely.
	brakeLeast = 50
)

// brake notices when much of a store would fall to 0 at once for another cause than orders: then somebody has made a
// mistake, and the zeros that were not sent yet wait for a person. It belongs to the reconciler.
type brake struct {
	on       bool
	positive int             // pairs last brought above 0
	fell     map[string]fall // by SKU, within the window
}

// fall is a pair that was above 0 and should be 0.
type fall struct {
	at   topics.Time // since when it should
	sent bool        // it was brought there
}

// see counts a pair that a scan comes by.
func (b *brake) see(s *topics.SyncStatus) {
	if s != nil && s.Delivered != nil && s.Delivered.Qty > 0 {
		b.positive++
	}
}

// watch notes that a pair falls, or no longer does.
func (b *brake) watch(sku string, v *verdict) {
	noted, known := b.fell[sku]
	switch {
	case v.falls && !known:
		b.fell[sku] = fall{at: v.fellAt}
	case !v.falls && known && !noted.sent:
		delete(b.fell, sku)
	}
}

// delivered notes what a pair was brought to.
func (b *brake) delivered(sku string, before *topics.Delivered, now topics.Quantity) {
	above := before != nil && before.Qty > 0
	switch {
	case above && now == 0:
		b.positive--
		if f, ok := b.fell[sku]; ok {
			b.fell[sku] = fall{at: f.at, sent: true}
		}
	case !above && now > 0:
		b.positive++
		delete(b.fell, sku)
	}
}

// apply tells whether the brake is to be on: more of the pairs fall within the window than the store allows. What
// fell before a person released it does not count.
func (b *brake) apply(now, released topics.Time, percent topics.Quantity) bool {
	begin := now - topics.Time(brakeWindow.Microseconds())
	maps.DeleteFunc(b.fell, func(_ string, f fall) bool { return f.at < begin || f.at <= released })
	base := b.positive
	for _, f := range b.fell {
		if f.sent {
			base++
		}
	}
	n := len(b.fell)
	return n >= brakeLeast && topics.Quantity(n)*100*topics.One > percent*topics.Quantity(base)
}

// waiting returns the SKUs of the falls that were not sent.
func (b *brake) waiting() []string {
	var skus []string
	for sku, f := range b.fell {
		if !f.sent {
			skus = append(skus, sku)
		}
	}
	slices.Sort(skus)
	return skus
}

// applyBrake sets the brake or takes it off, before anything is sent. Pairs that fall are looked at anew when it is
// set; those that it holds go on to wait when it comes off by itself.
func (r *reconciler) applyBrake(ctx context.Context, now time.Time) error {
	on := r.policy.store != nil &&
		r.brake.apply(topics.TimeOf(now), r.policy.store.BrakeReleasedAt, r.policy.brakePercent())
	if on == r.brake.on {
		return nil
	}
	r.brake.on = on
	if !on {
		return nil
	}
	skus := r.brake.waiting()
	r.log.Error("brake: too many pairs would fall to 0 at once, other than by orders; they wait for a person",
		"pairs", len(skus), "last_above_0", r.brake.positive)
	for _, sku := range skus {
		if err := r.look(ctx, sku, nil); err != nil {
			return err
		}
	}
	return nil
}

// findBraked finds whether the pair would fall to 0 for another cause than orders, and the brake holds it: since it
// is on now, or was when the pair's status was written. A person lets go all that fell before.
func (f *facts) findBraked(l *findings, v *verdict) {
	s := f.status
	if v.want.qty > 0 || s == nil || s.Delivered == nil || s.Delivered.Qty == 0 || len(v.want.free()) == 0 {
		return
	}
	held := s.Reason == topics.SyncBraked
	if !held && byOrders(f.av) {
		return
	}
	v.falls, v.fellAt = true, f.sinceZero()
	if (held || f.braking) && v.fellAt > f.shop.policy.store.BrakeReleasedAt {
		l.add(topics.SyncBraked, map[string]any{"since": v.fellAt, "last": s.Delivered.Qty})
	}
}

// sinceZero is when the pair began to fall.
func (f *facts) sinceZero() topics.Time {
	if !f.fellAt.IsZero() {
		return f.fellAt
	}
	switch s := f.status; s.State {
	case topics.StateBlocked:
		if at := moment(s.Evidence["since"]); s.Reason == topics.SyncBraked && !at.IsZero() {
			return at
		}
	case topics.StatePending, topics.StateSending, topics.StateRetrying: // it was due already
		if s.Wanted.Qty == 0 && !s.Wanted.At.IsZero() {
			return s.Wanted.At
		}
	case topics.StateSynced, topics.StateDisabled, topics.StateUnmapped, topics.StateNever:
	}
	return f.now
}

// byOrders tells whether an order is among what the revision follows from.
func byOrders(a *topics.Availability) bool {
	return a.Trigger != topics.TriggerNightly && slices.ContainsFunc(a.Causes, func(c topics.Cause) bool {
		return strings.HasSuffix(c.Topic, topics.Orders)
	})
}
