package sinks

import (
	"strings"

	"stocksync/topics"
)

// attempt is the last attempt to deliver a pair, when it failed. It travels in the evidence of the
// pair's status, so that a new owner knows what was refused and doesn't ask again.
type attempt struct {
	class    Class
	revision int64
	qty      topics.Quantity
	targets  string // fingerprint
	touched  string // when persons had last changed what the pair goes by
	at       topics.Time
}

// evidence puts the attempt into a status.
func (a attempt) evidence() map[string]any {
	return map[string]any{
		"class": a.class.String(), "revision": a.revision, "qty": a.qty, "targets": a.targets,
		"settings": a.touched, "tried_at": a.at,
	}
}

// attemptOf reads the attempt out of a status; ok is false when the last one succeeded or there was none.
func attemptOf(s *topics.SyncStatus) (a attempt, ok bool) {
	if s == nil || s.Error == nil {
		return a, false
	}
	name, _ := s.Evidence["class"].(string)
	class, err := ParseClass(name)
	if err != nil {
		return a, false
	}
	a = attempt{class: class}
	a.revision = integer(s.Evidence["revision"])
	a.targets, _ = s.Evidence["targets"].(string)
	switch q := s.Evidence["qty"].(type) {
	case topics.Quantity:
		a.qty = q
	case float64: // read from JSON: a whole number of units
		a.qty = topics.Quantity(q) * topics.One
	}
	a.touched, _ = s.Evidence["settings"].(string)
	switch t := s.Evidence["tried_at"].(type) {
	case topics.Time:
		a.at = t
	case string:
		a.at, _ = topics.ParseTime(t) // none when it is not a time: then anything counts as a change since
	}
	return a, true
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case float64: // revisions are milliseconds: far below 2^53
		return int64(n)
	}
	return 0
}

// fingerprint names a set of targets, so that a change of it is seen. It is empty for none.
func fingerprint(targets []topics.Target) string {
	var b strings.Builder
	for i := range targets {
		t := &targets[i]
		b.WriteString(t.ProductID + "/" + t.VariantID)
		for _, l := range t.Locations {
			b.WriteString("@" + l)
		}
		b.WriteByte(';')
	}
	return b.String()
}

// changedSince tells whether something about the pair is different from when the attempt was refused, in
// a way that may change the answer.
func (f *facts) changedSince(a attempt, w *want) bool {
	if w.resync > a.at || w.touched != a.touched || fingerprint(w.targets) != a.targets {
		return true
	}
	newer := f.av.Revision > a.revision
	if newer && f.av.Trigger == topics.TriggerManual {
		return true
	}
	if a.class.handling() == handleWindow {
		if a.class == ClassRaiseOnly && w.qty > a.qty && f.raises(w.qty) {
			return true
		}
		return f.status.NextAttemptAt <= f.now
	}
	if a.class.ofNumber() {
		return w.qty != a.qty
	}
	// Without a catalogue nobody tells when the shop's side changes: each event asks again.
	return newer && !f.shop.listed
}

// raises tells whether a quantity is above what the shop was last brought to.
func (f *facts) raises(qty topics.Quantity) bool {
	return f.status.Delivered == nil || qty > f.status.Delivered.Qty
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
