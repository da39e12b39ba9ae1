package sinks

import (
	"errors"
	"fmt"
	"time"

	"stocksync/topics"
)

// policy is what the record of a store and the record of store `*` say together.
type policy struct {
	present bool          // there is a record, valid or not
	store   *topics.Store // nil when there is no valid record
	all     *topics.Store // nil when there is none
	err     error         // the records can't be used: nothing is sent, and no default stands in

	everything bool
	warehouses map[string]bool
	excluded   map[string]bool
}

// newPolicy reads the values of both records of a store; nil stands for none.
func newPolicy(id string, store, all []byte) *policy {
	p := &policy{warehouses: map[string]bool{}, excluded: map[string]bool{}}
	if all != nil {
		record, err := decodeStore(topics.AllStores, all)
		if err != nil {
			p.err = fmt.Errorf("record of store %s: %w", topics.AllStores, err)
		} else {
			p.all = &record
			p.exclude(record.ExcludeWarehouses)
		}
	}
	if store == nil {
		p.err = errors.Join(p.err, errors.New("the store has no record"))
		return p
	}
	p.present = true
	record, err := decodeStore(id, store)
	if err != nil {
		p.err = errors.Join(p.err, err)
		return p
	}
	p.store = &record
	p.exclude(record.ExcludeWarehouses)
	for _, w := range record.Warehouses {
		p.everything = p.everything || w == topics.AllWarehouses
		p.warehouses[w] = true
	}
	return p
}

// decodeStore reads the record found under a store's id. One that says it is of another store was put
// there by mistake: its address and warehouses are not this store's.
func decodeStore(id string, value []byte) (topics.Store, error) {
	record, err := topics.DecodeStore(value)
	if err == nil && record.Store != id {
		err = fmt.Errorf("the record is of store %q", record.Store)
	}
	return record, err
}

func (p *policy) exclude(warehouses []string) {
	for _, w := range warehouses {
		p.excluded[w] = true
	}
}

// ref names the store's credentials.
func (p *policy) ref() string {
	if p == nil || p.store == nil {
		return ""
	}
	return p.store.CredentialsRef
}

// offers tells whether the store offers what lies in a warehouse. An exclusion wins over a mention.
func (p *policy) offers(warehouse string) bool {
	return !p.excluded[warehouse] && (p.everything || p.warehouses[warehouse])
}

// net sums Net over the warehouses that the store offers. Negative ones count: what is promised there
// is owed by the store.
func (p *policy) net(a *topics.Availability) topics.Quantity {
	var sum topics.Quantity
	for i := range a.Warehouses {
		if w := &a.Warehouses[i]; p.offers(w.Warehouse) {
			sum += w.Net // the processor refuses events that would overflow the sum over all
		}
	}
	return sum
}

// taken sums what the store's own orders have taken, over the warehouses that it offers.
func (p *policy) taken(a *topics.Availability) topics.Quantity {
	var sum topics.Quantity
	for i := range a.Warehouses {
		w := &a.Warehouses[i]
		if !p.offers(w.Warehouse) {
			continue
		}
		for j := range w.ByStore {
			if w.ByStore[j].Store == p.store.Store {
				sum += w.ByStore[j].Taken
			}
		}
	}
	return sum
}

// readsFirst tells whether the shop is read before each write, for what it sold unseen.
func (p *policy) readsFirst(t *Traits) bool {
	for _, s := range []*topics.Store{p.store, p.all} {
		if s != nil && s.InFlight != "" {
			return s.InFlight == topics.InFlightRead
		}
	}
	return t.ReadFirst
}

// defaultGrace is how long sales may go unreported before they count as none.
const defaultGrace = topics.Duration(30 * time.Minute)

// grace is how long sales that nobody reports stay in the reckoning.
func (p *policy) grace() topics.Duration {
	for _, s := range []*topics.Store{p.store, p.all} {
		if s != nil && s.OrderGrace > 0 {
			return s.OrderGrace
		}
	}
	return defaultGrace
}

// autoDisable tells whether pairs that the store does not list are switched off by themselves.
func (p *policy) autoDisable(t *Traits) bool {
	for _, s := range []*topics.Store{p.store, p.all} {
		if s != nil && s.AutoDisableUnmatched != nil {
			return *s.AutoDisableUnmatched
		}
	}
	return t.AutoDisable
}

// brakePercent is the share of pairs that may fall to 0 at once, in percent.
func (p *policy) brakePercent() topics.Quantity {
	for _, s := range []*topics.Store{p.store, p.all} {
		if s != nil && s.BrakePercent != nil {
			return *s.BrakePercent
		}
	}
	return 30 * topics.One
}

// terms picks each rule from the pair's settings, then those of the SKU in all stores, then the store,
// then store `*`, then the default.
func (p *policy) terms(own, all *topics.ItemSettings) terms {
	var t terms
	pick := func(f func(s *topics.ItemSettings) *topics.Quantity, g func(s *topics.Store) *topics.Quantity,
	) *topics.Quantity {
		for _, s := range []*topics.ItemSettings{own, all} {
			if s != nil && f(s) != nil {
				return f(s)
			}
		}
		for _, s := range []*topics.Store{p.store, p.all} {
			if s != nil && g(s) != nil {
				return g(s)
			}
		}
		return nil
	}
	t.buffer = orElse(0, pick(
		func(s *topics.ItemSettings) *topics.Quantity { return s.Buffer },
		func(s *topics.Store) *topics.Quantity { return s.Buffer }))
	t.percent = orElse(100*topics.One, pick(
		func(s *topics.ItemSettings) *topics.Quantity { return s.Percent },
		func(s *topics.Store) *topics.Quantity { return s.Percent }))
	t.min = orElse(0, pick(
		func(s *topics.ItemSettings) *topics.Quantity { return s.Min },
		func(s *topics.Store) *topics.Quantity { return s.Min }))
	t.max = pick(
		func(s *topics.ItemSettings) *topics.Quantity { return s.Max },
		func(s *topics.Store) *topics.Quantity { return s.Max })
	return t
}

func orElse(fallback topics.Quantity, q *topics.Quantity) topics.Quantity {
	if q == nil {
		return fallback
	}
	return *q
}

// disabling says who switched something off, and until when (zero: until it is switched on).
type disabling struct {
	on    bool
	scope string // store, *, pair or *|sku
	by    string
	until topics.Time
}

// evidence describes a disabling to people.
func (d disabling) evidence() map[string]any {
	e := map[string]any{"scope": d.scope}
	if d.by != "" {
		e["by"] = d.by
	}
	if !d.until.IsZero() {
		e["until"] = d.until
	}
	return e
}

// inForce tells whether a switch holds now, given the time at which it ends by itself.
func inForce(off bool, until, now topics.Time) bool { return off && (until.IsZero() || now < until) }

// disabled tells whether store `*` or the store is switched off.
func (p *policy) disabled(now topics.Time) disabling {
	if s := p.all; s != nil && inForce(s.DisableStockUpdate, s.DisabledUntil, now) {
		return disabling{on: true, scope: "*", by: s.ChangedBy, until: s.DisabledUntil}
	}
	if s := p.store; s != nil && inForce(s.DisableStockUpdate, s.DisabledUntil, now) {
		return disabling{on: true, scope: "store", by: s.ChangedBy, until: s.DisabledUntil}
	}
	return disabling{}
}

// itemDisabled tells whether the SKU in all stores, or the pair, is switched off.
func itemDisabled(own, all *topics.ItemSettings, now topics.Time) disabling {
	if s := all; s != nil && s.DisableStockUpdate != nil && inForce(*s.DisableStockUpdate, s.DisabledUntil, now) {
		return disabling{on: true, scope: "*|sku", by: s.ChangedBy, until: s.DisabledUntil}
	}
	if s := own; s != nil && s.DisableStockUpdate != nil && inForce(*s.DisableStockUpdate, s.DisabledUntil, now) {
		return disabling{on: true, scope: "pair", by: s.ChangedBy, until: s.DisabledUntil}
	}
	return disabling{}
}
