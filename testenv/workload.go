package testenv

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"stocksync/topics"
)

// WorkloadConfig says what a workload is like. Rates are fractions of the events, from 0 (never) to 1.
// The zero config is a tidy upstream of 1000 SKUs; RealisticWorkload adds what real upstreams do.
type WorkloadConfig struct {
	Seed       uint64 // one seed gives one stream
	SKUs       int    // default 1000
	Warehouses int    // default 3
	Stores     int    // default 4

	// The key law: uniform, unless Zipf (the exponent, above 1) or Hot (the share of one SKU, 1 = all) is set.
	Zipf float64
	Hot  float64

	Start time.Time     // of the simulated business clock; default 2026-01-02T01:00:00Z
	Step  time.Duration // mean time between two business transactions; default 1 s

	FlashSales     float64 // transactions that begin a flash sale: for a while most orders are for one SKU
	StockTakes     float64 // transactions that count many SKUs of one warehouse at one time
	Backdated      float64 // ledger lines posted up to 30 days back, counts too
	Duplicates     float64 // sent again: same bytes, shortly or long after
	Stale          float64 // held back until later versions have gone out
	Conflicts      float64 // same version, other content
	Garbage        float64 // records no decoder may take
	WrongPartition float64 // placed by CRC32, as librdkafka does
	Window         int     // events leave in a random order within a window of so many; 0 = in order
	// OversizedBytes, when set, lets Garbage hold values longer than this.
	OversizedBytes int
}

// RealisticWorkload is an upstream with all its faults, each at a rate that shows up in some thousand events.
func RealisticWorkload(seed uint64) WorkloadConfig {
	return WorkloadConfig{
		Seed: seed, SKUs: 500, Zipf: 1.1, FlashSales: 0.0005, StockTakes: 0.0005,
		Backdated: 0.05, Duplicates: 0.03, Stale: 0.02, Conflicts: 0.005, Garbage: 0.01, WrongPartition: 0.005,
		Window: 40,
	}
}

// Event is one record to produce.
type Event struct {
	Topic          string // base name
	Key, Value     []byte
	WrongPartition bool   // place it by CRC32 of the key, which is the right partition only by chance
	What           string // the business transaction or the fault behind it, for people
}

// sent is an event before it is encoded: one of the two is set.
type sent struct {
	mutation *topics.Mutation
	order    *topics.Order
	what     string
}

// Workload is an endless stream of input events with realistic shapes: a catalogue, warehouses and
// stores; orders that live through drafts, holds, shipments, returns and cancellations; receipts,
// transfers, counts and corrections; and an upstream that repeats, delays, reorders and garbles.
// It is not safe for concurrent use.
type Workload struct {
	cfg  WorkloadConfig
	rand *rand.Rand
	zipf *rand.Zipf
	now  time.Time

	// The business: what exists that later transactions refer to. Bounded; see pool.
	skus    []string
	open    pool[*sale]           // order lines that may still change or ship
	shipped pool[*sale]           // order lines of which something was delivered
	ledger  pool[topics.Mutation] // posted lines that may be corrected or cancelled
	serial  int
	flash   flashSale

	// The wire: what the business wrote and has not left yet, and what left.
	queue  []sent
	held   []heldBack
	recent pool[sent]
	count  int
	bad    map[string][]BadRecord // by SKU, since there are many and they cost time; bounded
}

// heldBack is an event that leaves when count events have left.
type heldBack struct {
	sent
	due int
}

// Sizes of what a workload remembers; they bound its memory, whatever the number of events.
const (
	openMax   = 20_000
	recentMax = 4_096
	heldMax   = 1_000
	badMax    = 64
)

// NewWorkload returns the workload of a config.
func NewWorkload(cfg WorkloadConfig) *Workload {
	cfg.SKUs = orDefault(cfg.SKUs, 1000)
	cfg.Warehouses = orDefault(cfg.Warehouses, 3)
	cfg.Stores = orDefault(cfg.Stores, 4)
	cfg.Step = orDefault(cfg.Step, time.Second)
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC)
	}
	w := &Workload{
		cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 0x73746f636b)), now: cfg.Start,
		open: pool[*sale]{max: openMax}, shipped: pool[*sale]{max: openMax},
		ledger: pool[topics.Mutation]{max: openMax}, recent: pool[sent]{max: recentMax},
		bad: map[string][]BadRecord{},
	}
	if cfg.Zipf > 1 {
		w.zipf = rand.NewZipf(w.rand, cfg.Zipf, 1, uint64(cfg.SKUs-1))
	}
	for i := range cfg.SKUs {
		w.skus = append(w.skus, SKUName(i))
	}
	return w
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Next returns the next event. The stream has no end.
func (w *Workload) Next() Event {
	w.count++
	switch roll := w.rand.Float64(); {
	case roll < w.cfg.Garbage:
		return w.garbage()
	case roll < w.cfg.Garbage+w.cfg.Duplicates && w.recent.len() > 0:
		again := w.recent.pick(w.rand)
		return w.encode(again, again.what+", again")
	case roll < w.cfg.Garbage+w.cfg.Duplicates+w.cfg.Conflicts && w.recent.len() > 0:
		return w.conflict(w.recent.pick(w.rand))
	}
	s := w.leave()
	w.recent.put(w.rand, s)
	return w.encode(s, s.what)
}

// leave takes an event off the wire: one held back that is due, or one of the window.
func (w *Workload) leave() sent {
	for i, h := range w.held {
		if h.due <= w.count {
			w.held = slices.Delete(w.held, i, i+1)
			return h.sent
		}
	}
	for {
		for len(w.queue) <= w.cfg.Window {
			w.now = w.now.Add(time.Duration(w.rand.ExpFloat64() * float64(w.cfg.Step)))
			w.transact()
		}
		i := 0
		if w.cfg.Window > 0 {
			i = w.rand.IntN(w.cfg.Window)
		}
		s := w.queue[i]
		w.queue = slices.Delete(w.queue, i, i+1)
		if len(w.held) < heldMax && w.chance(w.cfg.Stale) {
			w.held = append(w.held, heldBack{s, w.count + 100 + w.rand.IntN(2000)})
			continue
		}
		return s
	}
}

// encode turns an event into a record; the bytes are its own.
func (w *Workload) encode(s sent, what string) Event {
	e := Event{What: what, WrongPartition: w.chance(w.cfg.WrongPartition)}
	if s.order != nil {
		e.Topic, e.Key, e.Value = topics.Orders, []byte(s.order.SKU), s.order.AppendJSON(nil)
		return e
	}
	e.Topic, e.Key, e.Value = topics.Mutations, []byte(s.mutation.SKU), s.mutation.AppendJSON(nil)
	return e
}

// conflict returns an event that was sent with other content under the same version.
func (w *Workload) conflict(s sent) Event {
	if s.order != nil {
		o := *s.order
		o.OrderedQty += topics.One
		return w.encode(sent{order: &o}, "version conflict")
	}
	m := *s.mutation
	m.Qty += topics.One
	return w.encode(sent{mutation: &m}, "version conflict")
}

// chance is true with the probability p. It draws only when that is neither 0 nor 1.
func (w *Workload) chance(p float64) bool { return p >= 1 || p > 0 && w.rand.Float64() < p }

// sku returns a SKU by the key law.
func (w *Workload) sku() string {
	switch {
	case w.cfg.Hot > 0:
		if w.chance(w.cfg.Hot) {
			return w.skus[0]
		}
	case w.zipf != nil:
		return w.skus[w.zipf.Uint64()]
	}
	return w.skus[w.rand.IntN(len(w.skus))]
}

// qty returns a quantity of up to n units; SKUs sold by weight have grams.
func (w *Workload) qty(sku string, n int) topics.Quantity {
	q := topics.Quantity(1+w.rand.IntN(n)) * topics.One
	if soldByWeight(sku) {
		q += topics.Quantity(w.rand.IntN(1000)) * topics.One / 1000
	}
	return q
}

// pool keeps up to max things and forgets one at random when it is full.
type pool[T any] struct {
	all []T
	max int
}

func (p *pool[T]) len() int { return len(p.all) }

func (p *pool[T]) put(r *rand.Rand, v T) {
	if len(p.all) < p.max {
		p.all = append(p.all, v)
		return
	}
	p.all[r.IntN(len(p.all))] = v
}

func (p *pool[T]) pick(r *rand.Rand) T { return p.all[r.IntN(len(p.all))] }

func (p *pool[T]) take(r *rand.Rand) T {
	i := r.IntN(len(p.all))
	v := p.all[i]
	last := len(p.all) - 1
	p.all[i] = p.all[last]
	p.all = p.all[:last]
	return v
}

// fraction returns a share of q between 0 and 1, in whole millionths.
func (w *Workload) fraction(q topics.Quantity) topics.Quantity {
	return topics.Quantity(math.Round(float64(q) * w.rand.Float64()))
}
