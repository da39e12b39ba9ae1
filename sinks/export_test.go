package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stocksync/state"
	"stocksync/topics"
)

// Doors for the tests of this package.
var (
	Public   = public
	CheckURL = guard{}.checkURL
	RankOf   = rankOf
)

const (
	StockOut  = rankStockOut
	Decrease  = rankDecrease
	Increase  = rankIncrease
	Unchanged = rankUnchanged

	RecheckEvery   = recheckEvery
	AnswerTextMost = answerTextMost
)

// Facts is what a test says about a pair; see facts. Records are values, so that they pass the decoders.
type Facts struct {
	Now          topics.Time
	Store, All   []byte // records of the store and of store `*`
	Unopened     error
	Listed       bool
	Trouble      Outcome
	Outage       Class
	RecoveredAt  topics.Time
	Availability *topics.Availability
	Own, AllSet  *topics.ItemSettings
	Listing      *topics.Listing
	Status       *topics.SyncStatus
	Broken       error
	Blind        bool
	Traits       Traits
	Near         []string
	PassAt       topics.Time
	Seen, Ours   topics.Quantity // of a drift; none when they are the same
	Braking      bool
	Position     int // in the queue of a limited store; 0: not in it
}

func (f Facts) facts() *facts {
	shop := &shopFacts{
		policy: newPolicy("s", f.Store, f.All), err: f.Unopened, listed: f.Listed, outage: f.Outage,
		recoveredAt: f.RecoveredAt, traits: f.Traits, passAt: f.PassAt,
	}
	if f.Trouble.Class != 0 {
		shop.trouble = &trouble{outcome: f.Trouble, since: f.Now}
	}
	out := &facts{
		now: f.Now, shop: shop, av: f.Availability, own: f.Own, all: f.AllSet, list: f.Listing, status: f.Status,
		broken: f.Broken, blind: f.Blind, near: f.Near, braking: f.Braking,
	}
	if f.Seen != f.Ours {
		out.drift = &drift{Drift: topics.Drift{Seen: f.Seen, Ours: f.Ours, At: f.Now}}
	}
	if f.Position > 0 {
		out.queue = &turn{position: f.Position, at: f.Now}
	}
	return out
}

// Verdict is what judge says of Facts.
type Verdict struct {
	Reason    topics.SyncReason
	Also      []topics.SyncReason
	Evidence  map[string]any
	State     topics.SyncState
	Cause     topics.SyncCause // empty: nothing is due
	Qty       topics.Quantity
	NotBefore topics.Time
	WakeAt    topics.Time
	Shortfall topics.Quantity
	Sends     []Update       // when it is due
	Kept      map[string]any // evidence of the status written for it
	Auto      string         // how the pair is switched off or on by itself
}

// Judge decides about Facts.
func Judge(f Facts) Verdict {
	v := judge(f.facts())
	if v.due != (v.cause != "") {
		v.cause = "due and cause differ"
	}
	w := &work{sku: "A", verdict: v, status: f.Status}
	out := Verdict{
		Reason: v.reason, Also: v.also, Evidence: v.evidence, State: stateOf(&v, false), Cause: v.cause,
		Qty: v.want.qty, NotBefore: v.notBefore, WakeAt: v.wakeAt, Shortfall: v.shortfall,
		Kept: evidenceIn(&v),
	}
	if v.auto.disabled {
		out.Auto = fmt.Sprintf("off at %s of %d", v.auto.at, v.auto.revision)
	} else if v.auto.enabledBy != "" {
		out.Auto = "on by " + v.auto.enabledBy
	}
	if v.due {
		for _, a := range w.todo() {
			out.Sends = append(out.Sends, w.update(&a))
		}
	}
	return out
}

// Refused returns the evidence of an attempt for what Facts want, of which every target was refused at a time, to
// be asked again by itself at another.
func Refused(f Facts, c Class, at, until topics.Time) map[string]any {
	facts := f.facts()
	w := facts.wanted()
	var list []failure
	for _, a := range facts.aims(&w, false) {
		x := failure{
			target: targetKey(&a.target), class: c, revision: w.revision, qty: a.qty, listedAs: fingerprint(&a.target),
			touched: w.touched, at: at,
		}
		if c.handling() == handleWindow {
			x.until = until
		}
		list = append(list, x)
	}
	return map[string]any{failuresKey: evidenceOf(list)}
}

// Offer is offer with its terms as arguments; most may be nil.
func Offer(net, unseen, buffer, percent, least topics.Quantity, most *topics.Quantity) topics.Quantity {
	return offer(net, unseen, terms{buffer: buffer, percent: percent, min: least, max: most})
}

// UnseenSales, BroughtTo and the arithmetic of numbers, for tests of their own.
var UnseenSales = unseenSales

// ToWrite is what makes a target offer a quantity.
func ToWrite(n Number, qty topics.Quantity, places []LocationQty, r Reading) (topics.Quantity, []LocationQty) {
	return n.toWrite(qty, places, &r)
}

// Reckon is what production does with a pair of one product "1" whose shop was read: it returns the number to write,
// and what the status says of the delivery.
func Reckon(f Facts, read Reading, number Number) (write topics.Quantity, d topics.Delivered) {
	l := load{facts: f.facts()}
	target := topics.Target{ProductID: "1"}
	aims := l.reckon(map[string]*Reading{targetKey(&target): &read}, number)
	write, _ = number.toWrite(aims[0].qty, aims[0].places, &read)
	return write, topics.Delivered{
		Revision: f.Availability.Revision, Qty: aims[0].qty, At: f.Now, Shown: l.shown, Unseen: l.ledger.unseen,
		UnseenAt: l.ledger.since, Taken: l.ledger.taken, Targets: aims[0].delivered(),
	}
}

// Wait is what a backoff waits after failures, given its chance.
func Wait(first, most time.Duration, failures int, chance float64) time.Duration {
	return backoff{first: first, most: most}.spread(failures, chance)
}

// WaitAtRandom is Wait with a chance of its own.
func WaitAtRandom(first, most time.Duration, failures int) time.Duration {
	return backoff{first: first, most: most}.after(failures)
}

// Queue is a queue of works that have a name and little else.
type Queue struct {
	q     *queue
	works map[string]*work
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{q: newQueue(), works: map[string]*work{}} }

// Add puts a work in, or changes one that is in.
func (q *Queue) Add(sku string, r rank, since time.Time, group string, limit int) {
	if w := q.works[sku]; w != nil {
		q.q.remove(w)
	}
	w := &work{sku: sku, rank: r, since: since, group: group, limit: limit, index: -1, groupIndex: -1}
	q.works[sku] = w
	q.q.add(w)
}

// Remove takes a work out.
func (q *Queue) Remove(sku string) {
	q.q.remove(q.works[sku])
	delete(q.works, sku)
}

// Take takes the works of the next request.
func (q *Queue) Take(n int) []string {
	var skus []string
	for _, w := range q.q.take(n) {
		skus = append(skus, w.sku)
		delete(q.works, w.sku)
	}
	return skus
}

// Len returns how many works are in the queue, and how many groups it knows.
func (q *Queue) Len() (works, groups int) { return q.q.len(), len(q.q.groups) }

// Timers is a set of works that wait for a time.
type Timers struct{ t *timers }

// NewTimers returns an empty set.
func NewTimers() Timers { return Timers{newTimers()} }

// Add puts a work in and returns what takes it out.
func (t Timers) Add(sku string, at time.Time) (remove func()) {
	w := &work{sku: sku, wakeAt: at, index: -1}
	t.t.add(w)
	return func() { t.t.remove(w) }
}

// First is when the first work wakes.
func (t Timers) First() time.Time { return t.t.first() }

// Pop takes out the first work, if its time has come.
func (t Timers) Pop(now time.Time) string {
	if w := t.t.pop(now); w != nil {
		return w.sku
	}
	return ""
}

// Lease is a lease with a timeout.
type Lease struct{ *lease }

// NewLease returns a lease that was never renewed.
func NewLease(timeout time.Duration) Lease { return Lease{&lease{timeout: timeout}} }

// Renew notes an answer.
func (l Lease) Renew(sent, now time.Time) { l.renew(sent, now) }

// Assigned notes an assignment.
func (l Lease) Assigned() { l.assigned() }

// Valid tells whether to send.
func (l Lease) Valid(now time.Time) bool { return l.valid(now) }

// Hide takes the secrets out of a text.
func (c Credentials) Hide(text string) string { return c.hide(text) }

// NormalForm is what near misses have in common.
var NormalForm = normalForm

// Near is the index of near misses of a store.
type Near struct{ n nearMisses }

// NewNear returns an empty index.
func NewNear() *Near { return &Near{newNearMisses()} }

// Note says whether a SKU has stock, and whether the store lists it; it returns whom that is news about.
func (n *Near) Note(sku string, stocked, listed bool) []string {
	r := &row{}
	if stocked {
		r.av = &topics.Availability{}
	}
	if listed {
		r.list = &topics.Listing{Targets: make([]topics.Target, 1)}
	}
	return n.n.note(sku, r)
}

// Of returns the near misses of a SKU.
func (n *Near) Of(sku string, stocked bool) []string { return n.n.of(sku, stocked) }

// Groups returns how many normal forms are kept.
func (n *Near) Groups() int { return len(n.n.groups) }

// DialWith makes the client of stores dial through a function; the guard of addresses is out of the way.
func (s *Sinks) DialWith(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	s.http.transport().DialContext = dial
}

// ResolveWith makes the client look names up with a resolver.
func (h *HTTP) ResolveWith(r *net.Resolver) { h.dialer.Resolver = r }

// CapBodies lowers the cap of answers.
func (h *HTTP) CapBodies(n int64) { h.bodyMost = n }

func (h *HTTP) transport() *http.Transport {
	t, ok := h.client.HTTPClient.Transport.(*http.Transport)
	if !ok {
		return &http.Transport{}
	}
	return t
}

// Control is the guard's check of an address that is dialled.
func Control(address string) error { return guard{}.control("tcp", address, nil) }

// sweepAll sweeps over the pairs of stores that have no records.
func sweepAll(v *state.Views, stores []string, listed bool, f func(p *swept) error) error {
	heads, facts := make([]scanHead, len(stores)), make([]*shopFacts, len(stores))
	for i, s := range stores {
		heads[i] = scanHead{store: s, listed: listed}
		facts[i] = &shopFacts{policy: newPolicy(s, nil, nil), listed: listed}
	}
	snapshot := v.Snapshot()
	err := sweep(context.Background(), snapshot, heads, facts, f)
	return errors.Join(err, snapshot.Close())
}

// ScanPairs walks over the pairs of stores and returns `store|sku state` of each, by SKU, or an error's text.
func ScanPairs(v *state.Views, stores []string, listed bool) (pairs []string, err error) {
	var all []swept
	err = sweepAll(v, stores, listed, func(p *swept) error { all = append(all, *p); return nil })
	slices.SortStableFunc(all, func(a, b swept) int { return strings.Compare(a.sku, b.sku) })
	for i := range all {
		r, text := &all[i].row, stores[all[i].head]+"|"+all[i].sku
		for _, part := range []struct {
			held bool
			name string
		}{
			{r.av != nil, "av"},
			{r.own != nil, "own"},
			{r.all != nil, "all"},
			{r.list != nil, "list"},
			{r.status != nil, "status"},
			{r.broken != nil, "broken"},
		} {
			if part.held {
				text += " " + part.name
			}
		}
		pairs = append(pairs, text)
		again, fault := readRow(live{v}, stores[all[i].head], all[i].sku)
		if fault == nil && (again.av == nil) != (r.av == nil) {
			fault = errors.New("readRow and sweep differ about " + text)
		}
		err = errors.Join(err, fault)
	}
	return pairs, err
}

// CountPairs walks over the pairs of stores.
func CountPairs(v *state.Views, stores []string) (n int, err error) {
	err = sweepAll(v, stores, false, func(*swept) error { n++; return nil })
	return n, err
}

// TakeOver does what an instance does before it sends anything when it takes a store over: it works out what is due.
// It returns how many pairs are not at rest.
func TakeOver(ctx context.Context, v *state.Views, a Adapter, store string) (works int, err error) {
	c := &Config{InstanceID: "test", Log: slog.New(slog.DiscardHandler)}
	o := &owner{
		tools: &tools{
			c: c, views: v, metrics: newMetrics(nil), http: NewHTTP(true), lease: &lease{},
			adapters: map[string]Adapter{a.Marketplace(): a},
		},
		log: c.Log,
	}
	s := &shop{reconciler: newReconciler(o.tools, store), holding: &holding{generation: 2}}
	err = o.begin(ctx, []*shop{s})
	return len(s.works), err
}

// StatusStores returns the stores that have statuses, and the highest generation of one.
func StatusStores(v *state.Views, of string) (stores []string, highest int64, err error) {
	if stores, err = statusStores(live{v}); err != nil {
		return nil, 0, err
	}
	slices.Sort(stores)
	highest, err = statusRank(live{v}, of)
	return stores, highest, err
}

// Keyed tells whether a topic's record may have a key.
func Keyed(base, key string) bool { return keyed(base, []byte(key)) }

// ShopMetrics are the metrics of a store, to be moved by a test.
type ShopMetrics struct{ *shopMetrics }

// StoreMetrics returns the metrics of a store in a registry, and what forgets them.
func StoreMetrics(r prometheus.Registerer, id string) (m ShopMetrics, forget func()) {
	all := newMetrics(r)
	return ShopMetrics{all.store(id)}, func() { all.forget(id) }
}

// Move moves every metric of the store.
func (m ShopMetrics) Move() {
	m.answered(ClassOK, 2)
	m.answered(ClassThrottle, 1)
	m.superseded.Add(3)
	m.backlog.Set(4)
	m.inFlight.Set(5)
	m.stopped.Set(1)
	m.braked.Set(6)
	m.risky.Set(7)
	m.passes.WithLabelValues("complete").Inc()
	m.passedAt.Set(8)
	m.drifts.WithLabelValues("above").Inc()
	m.httpSeconds.Observe(0.5)
	m.delivered(time.Unix(10, 0), time.Unix(12, 0))
	m.delivered(time.Unix(10, 0), time.Unix(9, 0)) // by a clock that is behind
}
