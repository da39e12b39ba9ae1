package oversell

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stocksync/testenv"
)

// number is what the ERP knows of a SKU: what should be shown.
type number struct {
	sku      int
	qty      int // may be below 0: more is promised than there is
	revision int64
	order    bool // an order brought it about
}

// market is the warehouse, the ERP and the shops. Its methods may be called from any goroutine.
type market struct {
	Scenario

	mu       sync.Mutex
	left     []int    // in the warehouse and promised to nobody, by SKU: the truth
	known    []number // by SKU
	revision int64
	shops    []shop
	tally
}

// shop is one store.
type shop struct {
	shown []int   // by SKU
	told  []int64 // revision of the last number, by SKU
	late  [][]told
	calls []time.Time
}

// told is a number that the shop should have.
type told struct {
	revision int64
	at       time.Time
}

// tally is what is counted.
type tally struct {
	sold, oversold, missed int
	stale                  []time.Duration // of each number and store: from known to shown
}

func newMarket(s Scenario) *market {
	m := &market{Scenario: s, left: make([]int, s.SKUs), known: make([]number, s.SKUs), shops: make([]shop, s.Stores)}
	for i := range m.shops {
		m.shops[i] = shop{shown: make([]int, s.SKUs), told: make([]int64, s.SKUs), late: make([][]told, s.SKUs)}
	}
	return m
}

// open puts the stock into the warehouse and waits until every store shows it. Nothing of that counts.
func (m *market) open(ctx context.Context, tell func(number)) error {
	for sku := range m.left {
		m.mu.Lock()
		m.left[sku] = m.Stock
		m.mu.Unlock()
		tell(m.learn(sku, m.Stock, false))
	}
	if err := m.settled(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally = tally{}
	for i := range m.shops {
		m.shops[i].calls = nil
	}
	return nil
}

// sale lets the events happen, and tells what the ERP learns of them.
func (m *market) sale(ctx context.Context, events []event, tell func(number)) error {
	began := time.Now()
	var orders []event // that the ERP has not heard of, oldest first
	for len(events) > 0 || len(orders) > 0 {
		if len(orders) > 0 && (len(events) == 0 || orders[0].at <= events[0].at) {
			pause(ctx, time.Until(began.Add(orders[0].at)))
			tell(m.learn(orders[0].sku, -1, true))
			orders = orders[1:]
			continue
		}
		e := events[0]
		events = events[1:]
		pause(ctx, time.Until(began.Add(e.at)))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case e.store == warehouse:
			m.receive(e.sku, e.receive)
			tell(m.learn(e.sku, e.receive, false))
		case m.buy(e.store, e.sku):
			e.at += m.OrderLag
			orders = append(orders, e)
		}
	}
	return m.settled(ctx)
}

// receive puts units into the warehouse.
func (m *market) receive(sku, units int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left[sku] += units
}

// buy sells a unit if the store shows one.
func (m *market) buy(store, sku int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.shops[store]
	if s.shown[sku] <= 0 {
		if m.left[sku] > 0 {
			m.missed++
		}
		return false
	}
	if m.left[sku] <= 0 {
		m.oversold++
	}
	s.shown[sku]--
	m.left[sku]--
	m.sold++
	return true
}

// learn makes a change known to the ERP, and returns the number that follows.
func (m *market) learn(sku, change int, order bool) number {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.revision = max(m.revision+1, now.UnixMilli())
	m.known[sku] = number{sku: sku, qty: m.known[sku].qty + change, revision: m.revision, order: order}
	for i := range m.shops {
		m.shops[i].late[sku] = append(m.shops[i].late[sku], told{m.revision, now})
	}
	return m.known[sku]
}

// knows returns what the ERP knows of a SKU.
func (m *market) knows(sku int) number {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[sku]
}

// call is one request that sets a number: it arrives after half of its time, and the answer after the rest.
func (m *market) call(ctx context.Context, store, sku, qty int, revision int64) error {
	m.mu.Lock()
	s := &m.shops[store]
	s.calls = append(s.calls, time.Now())
	m.mu.Unlock()
	pause(ctx, m.Latency/2)
	m.set(store, sku, qty, revision)
	pause(ctx, m.Latency-m.Latency/2)
	return ctx.Err()
}

// set gives a store a number, which brings all older ones up to date.
func (m *market) set(store, sku, qty int, revision int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, now := &m.shops[store], time.Now()
	s.shown[sku], s.told[sku] = max(0, qty), revision
	for len(s.late[sku]) > 0 && s.late[sku][0].revision <= revision {
		m.stale = append(m.stale, now.Sub(s.late[sku][0].at))
		s.late[sku] = s.late[sku][1:]
	}
}

// settled waits until every store shows the newest number of every SKU.
func (m *market) settled(ctx context.Context) error {
	return testenv.Until(ctx, time.Second, func(context.Context) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range m.shops {
			for sku, n := range m.known {
				if got := m.shops[i].told[sku]; got != n.revision {
					return fmt.Errorf("store %d has revision %d of SKU %d, want %d", i, got, sku, n.revision)
				}
			}
		}
		return nil
	})
}

// errOverBudget reports more calls than a store takes.
var errOverBudget = errors.New("more calls than the budget")

// rounding is what intervals that are no whole nanoseconds lose.
const rounding = time.Microsecond

// checkBudget holds the calls of every store against the budget, in every window of a second and of ten.
func (m *market) checkBudget() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.shops {
		calls := m.shops[i].calls
		for _, seconds := range []int{1, 10} {
			most := int(m.Budget * float64(seconds))
			for j := most; j < len(calls); j++ {
				if span := calls[j].Sub(calls[j-most]); span < time.Duration(seconds)*time.Second-rounding {
					return fmt.Errorf("%w: store %d got %d in %s", errOverBudget, i, most+1, span)
				}
			}
		}
	}
	return nil
}

// pause waits for a while, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
