package sinks

import (
	"time"

	"stocksync/topics"
)

// Preview works out from records alone what the store's reconciler makes of its pairs: for commands and pages that
// read Kafka, and no instance's memory. It decides by the same function. What only the owner knows is as the
// statuses tell: when the catalogue was read, which pairs the brake holds. That requests fail just now it can't know.
//
// It sends nothing. It is not safe for concurrent use.
type Preview struct {
	shop   shopFacts
	store  string
	opened bool // traits are the adapter's
}

// Records are the values that the topics hold of one pair; nil stands for none.
type Records struct{ Availability, Own, All, Listing, Status []byte }

// Assessment is what follows from the records of a pair.
type Assessment struct {
	Exists    bool             // store and SKU are a pair: the sinks keep a status of it
	State     topics.SyncState // that goes with the reason
	Reason    topics.SyncReason
	Also      []topics.SyncReason
	Evidence  map[string]any
	Reckoning *Reckoning       // how the quantity comes about; nil when the records don't tell
	Cause     topics.SyncCause // of what would be sent now; empty: nothing would
	Sends     []Update         // one a target
}

// Reckoning is how the quantity that a pair should show comes about, as sums over the warehouses that the store offers.
type Reckoning struct {
	Warehouses            []string // of the SKU's, those that count
	Actual, Reserved, Net topics.Quantity
	Buffer, Percent, Min  topics.Quantity
	Max                   *topics.Quantity // nil: none
	Unseen                topics.Quantity  // that the shop sold and nobody has told of yet
	Qty                   topics.Quantity
}

// NewPreview reads the values of a store's record and of that of store `*`; nil stands for none. Of the
// configuration, Adapters, Credentials and AllowPrivate count.
func NewPreview(c Config, store string, record, all []byte) *Preview {
	p := &Preview{store: store, shop: shopFacts{policy: newPolicy(store, record, all)}}
	p.shop.listed = true
	if p.shop.policy.store == nil {
		return p
	}
	t := &tools{c: &c, http: NewHTTP(c.AllowPrivate), adapters: map[string]Adapter{}}
	defer t.http.Close()
	for _, a := range c.Adapters {
		t.adapters[a.Marketplace()] = a
	}
	r := &reconciler{tools: t, store: store, policy: p.shop.policy}
	p.shop.listed = r.listed(shopFacts{})
	var session Session
	if session, p.shop.err = r.openSession(p.shop.policy.store, newGate(c.RequestTimeout)); session != nil {
		p.shop.traits, p.opened = session.Traits(), true
	}
	return p
}

// Err returns why the sinks would send the store nothing at all, as far as it lies in its records, its options or
// its credentials: config_error. Credentials may be out of reach here and not where the sinks run.
func (p *Preview) Err() error {
	if p.shop.policy.err != nil {
		return p.shop.policy.err
	}
	return p.shop.err
}

// Listed tells whether pairs exist by listing; if not, every SKU is one.
func (p *Preview) Listed() bool { return p.shop.listed }

// Trust supposes from now on that what Err names of options and credentials is in order where the sinks run.
func (p *Preview) Trust() { p.shop.err = nil }

// GoLive supposes from now on that the store is live, beside what Trust does.
func (p *Preview) GoLive() {
	p.Trust()
	if s := p.shop.policy.store; s != nil {
		s.Mode = topics.ModeLive
	}
}

// Assess decides about one pair at a time.
func (p *Preview) Assess(sku string, records Records, now time.Time) Assessment {
	r := records.row(p.store, sku)
	f := &facts{
		now: topics.TimeOf(now), shop: &p.shop, av: r.av, own: r.own, all: r.all, list: r.list, status: r.status,
		broken: r.broken, blind: r.blind, near: nearIn(r.status),
	}
	if !p.opened && r.status != nil { // as the owner, who could open it, has treated the pair
		p.shop.traits.AutoDisable = r.status.AutoDisabled
		p.shop.traits.ReadFirst = r.status.Delivered != nil && r.status.Delivered.Shown != nil
	}
	v := judge(f)
	a := Assessment{
		Exists: r.exists(p.store, p.shop.listed), State: stateOf(&v, false),
		Reason: v.reason, Also: v.also, Evidence: v.evidence, Cause: v.cause,
	}
	if v.want.offered && p.shop.policy.store != nil {
		a.Reckoning = p.reckon(r.av, &v.want)
	}
	if v.due {
		w := &work{sku: sku, verdict: v, status: r.status}
		for _, aim := range w.todo() {
			a.Sends = append(a.Sends, w.update(&aim))
		}
	}
	return a
}

// reckon tells how a quantity comes about.
func (p *Preview) reckon(av *topics.Availability, w *want) *Reckoning {
	o := &Reckoning{
		Net: w.net, Buffer: w.terms.buffer, Percent: w.terms.percent, Min: w.terms.min, Max: w.terms.max,
		Unseen: w.unseen, Qty: w.qty,
	}
	for i := range av.Warehouses {
		if at := &av.Warehouses[i]; p.shop.policy.offers(at.Warehouse) {
			o.Warehouses = append(o.Warehouses, at.Warehouse)
			o.Actual += at.Actual
			o.Reserved += at.Reserved
		}
	}
	return o
}

// row decodes what the tables would hold.
func (r *Records) row(store, sku string) *row {
	row := &row{}
	for _, part := range []struct {
		value []byte
		set   func([]byte)
	}{
		{r.Availability, row.setAvailability},
		{r.All, row.setAll},
		{r.Own, row.setOwn},
		{r.Listing, row.setListing},
		{r.Status, row.setStatus},
	} {
		if part.value != nil {
			part.set(part.value)
		}
	}
	row.verify(store, sku)
	return row
}

// nearIn returns the near misses that a status shows.
func nearIn(s *topics.SyncStatus) []string {
	if s == nil {
		return nil
	}
	var near []string
	list, _ := s.Evidence["near_misses"].([]any)
	for _, entry := range list {
		if sku, ok := entry.(string); ok {
			near = append(near, sku)
		}
	}
	return near
}
