package sinks

import (
	"slices"
	"strings"

	"stocksync/topics"
)

// failure is the last attempt to bring a target to its quantity, when it failed. It travels in the evidence of
// the pair's status, so that a new owner knows what was refused and doesn't ask again.
type failure struct {
	target   string // its key
	class    Class
	revision int64
	qty      topics.Quantity // what the target was to offer
	listedAs string          // the target as it was
	touched  string          // when persons had last changed what the pair goes by
	at       topics.Time
	until    topics.Time     // when it may be asked again by itself; zero: when something changes
	floor    topics.Quantity // ClassBelowReserved: what is sent instead until then; 0: nothing
	// perhaps are what the target may have been brought to since it was last delivered, by this attempt and those
	// before it, of which nobody knows whether they were applied.
	perhaps []topics.Quantity
}

// perhapsMost bounds the numbers that a failure keeps: beyond, the oldest are forgotten.
const perhapsMost = 8

// mayHave notes a number that the target may have been brought to.
func (x *failure) mayHave(qty topics.Quantity) {
	x.perhaps = slices.DeleteFunc(x.perhaps, func(q topics.Quantity) bool { return q == qty })
	x.perhaps = append(x.perhaps, qty)
	x.perhaps = x.perhaps[max(0, len(x.perhaps)-perhapsMost):]
}

// failuresKey is where a status keeps them.
const failuresKey = "failures"

// evidence puts a failure into a status.
func (x *failure) evidence() map[string]any {
	e := map[string]any{
		"class": x.class.String(), "revision": x.revision, "qty": x.qty, "listed_as": x.listedAs,
		"settings": x.touched, "tried_at": x.at,
	}
	product, variant, _ := strings.Cut(x.target, "\x00")
	if product != "" {
		e["product_id"], e["variant_id"] = product, variant
	}
	if !x.until.IsZero() {
		e["until"] = x.until
	}
	if x.floor > 0 {
		e["floor"] = x.floor
	}
	if len(x.perhaps) > 0 {
		perhaps := make([]any, len(x.perhaps))
		for i, q := range x.perhaps {
			perhaps[i] = q
		}
		e["perhaps"] = perhaps
	}
	return e
}

// evidenceOf puts failures into a status.
func evidenceOf(list []failure) []any {
	all := make([]any, len(list))
	for i := range list {
		all[i] = list[i].evidence()
	}
	return all
}

// failuresOf reads the failures out of a status. There are none when the last attempt at every target
// succeeded, or there was none.
func failuresOf(s *topics.SyncStatus) []failure {
	if s == nil {
		return nil
	}
	entries, _ := s.Evidence[failuresKey].([]any)
	var list []failure
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		name, _ := e["class"].(string)
		class, err := ParseClass(name)
		if err != nil {
			continue // of another release: asking once more tells
		}
		x := failure{class: class, revision: integer(e["revision"]), qty: quantity(e["qty"]), floor: quantity(e["floor"])}
		product, _ := e["product_id"].(string)
		variant, _ := e["variant_id"].(string)
		x.target = targetKey(&topics.Target{ProductID: product, VariantID: variant})
		x.listedAs, _ = e["listed_as"].(string)
		x.touched, _ = e["settings"].(string)
		x.at, x.until = moment(e["tried_at"]), moment(e["until"])
		perhaps, _ := e["perhaps"].([]any)
		for _, q := range perhaps {
			x.mayHave(quantity(q))
		}
		list = append(list, x)
	}
	return list
}

// integer reads a number of evidence, as it was put in or as JSON gave it back.
func integer(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case float64: // revisions are milliseconds: far below 2^53
		return int64(n)
	}
	return 0
}

// quantity reads a quantity of evidence, which is a whole number of units.
func quantity(v any) topics.Quantity {
	switch q := v.(type) {
	case topics.Quantity:
		return q
	case float64:
		return topics.Quantity(q) * topics.One
	}
	return 0
}

// moment reads a time of evidence; none when it is not one: then anything counts as a change since.
func moment(v any) topics.Time {
	switch t := v.(type) {
	case topics.Time:
		return t
	case string:
		at, err := topics.ParseTime(t)
		if err == nil {
			return at
		}
	}
	return 0
}

// fingerprint names a target and where its stock lies, so that a change is seen.
func fingerprint(t *topics.Target) string {
	return t.ProductID + "/" + t.VariantID + "@" + strings.Join(t.Locations, "@")
}

// hinderByRefusal finds whether the marketplace refused what the target should show, and would again.
func (f *facts) hinderByRefusal(a *aim, x *failure, w *want) {
	switch x.class.handling() {
	case handleChange, handleWindow:
	case handleDone, handleRetry, handleStop:
		return
	}
	asked := f.askedAgain(x, w) || fingerprint(&a.target) != x.listedAs
	if x.floor > 0 && f.now < x.until && !asked {
		w.wakeAt = sooner(w.wakeAt, x.until)
		a.raise(x.floor, x.until)
		return
	}
	if !asked && !f.changedSince(a, x) {
		w.wakeAt = sooner(w.wakeAt, x.until)
		a.hold(x.class.reason(), x.evidence())
	}
}

// askedAgain tells whether a person has asked for it, or changed what the pair goes by, since the attempt.
func (f *facts) askedAgain(x *failure, w *want) bool {
	return w.resync > x.at || w.touched != x.touched ||
		f.av.Revision > x.revision && f.av.Trigger == topics.TriggerManual
}

// changedSince tells whether something about the pair is different from when the attempt was refused, in a way
// that may change the answer.
func (f *facts) changedSince(a *aim, x *failure) bool {
	switch {
	case x.class.handling() == handleWindow:
		shown, told := f.deliveredTo(&a.target)
		raised := x.class == ClassRaiseOnly && a.qty > x.qty && (!told || a.qty > shown)
		return raised || x.until <= f.now
	case x.class.ofNumber():
		return a.qty != x.qty || x.floor > 0 && x.until <= f.now
	}
	// Without a catalogue nobody tells when the shop's side changes: each event asks again.
	return f.av.Revision > x.revision && !f.shop.listed
}

// touched says when persons last changed the store, and the SKU's settings for it and for all stores. It
// is compared for being another, never for being later than some time of ours: clocks differ.
func (f *facts) touched() string {
	b := f.shop.policy.store.ChangedAt.Append(nil)
	for _, s := range []*topics.ItemSettings{f.own, f.all} {
		b = append(b, ' ')
		if s != nil {
			b = s.ChangedAt.Append(b)
		}
	}
	return string(b)
}
