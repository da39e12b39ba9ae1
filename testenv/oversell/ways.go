package oversell

import (
	"context"
	"sync"
	"testing"
	"time"

	"stocksync/sinks/limit"
)

// Way is a way of bringing numbers to stores.
type Way string

// The ways. None is told more than the others, or allowed more calls.
const (
	Polling  Way = "polling"      // every Poll, a call for each number that changed, SKU by SKU
	PerEvent Way = "fifo"         // a call for every event, in the order of the events, with the event's number
	Reread   Way = "fifo, reread" // the same calls, each with the number of when it is made
	Ours     Way = "stocksync"    // the sinks: coalesced, stock-outs first
)

// courier brings numbers to the stores of a market.
type courier interface {
	tell(number)
	end()
}

// start starts a way.
func start(t *testing.T, m *market, w Way) courier {
	t.Helper()
	switch w {
	case Polling:
		return startPolling(t, m)
	case PerEvent, Reread:
		return startFIFO(t, m, w == Reread)
	case Ours:
	}
	return startOurs(t, m)
}

// runners are the goroutines of a simple way, one a store.
type runners struct {
	m      *market
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func startRunners(t *testing.T, m *market, run func(ctx context.Context, store int, leave func() bool)) *runners {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &runners{m: m, cancel: cancel}
	for store := range m.Stores {
		l, err := limit.New(limit.Rate{PerSecond: m.Budget}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.wait.Go(func() { run(ctx, store, func() bool { return l.Wait(ctx, limit.Normal) == nil }) })
	}
	return r
}

func (r *runners) end() {
	r.cancel()
	r.wait.Wait()
}

// polling looks at intervals at which numbers have changed.
type polling struct{ *runners }

func startPolling(t *testing.T, m *market) courier {
	t.Helper()
	return polling{startRunners(t, m, func(ctx context.Context, store int, leave func() bool) {
		sent := make([]int64, m.SKUs)
		for ctx.Err() == nil {
			began := time.Now()
			for sku := range m.SKUs {
				n := m.knows(sku)
				if n.revision > sent[sku] && leave() {
					n = m.knows(sku)
					sent[sku] = n.revision
					_ = m.call(ctx, store, sku, n.qty, n.revision)
				}
			}
			pause(ctx, time.Until(began.Add(m.Poll)))
		}
	})}
}

// tell does nothing: what has changed is seen at the next poll.
func (polling) tell(number) {}

// fifo has a queue for each store.
type fifo struct {
	*runners

	queues []chan number
}

// queueMost is more than any scenario has events.
const queueMost = 1 << 20

func startFIFO(t *testing.T, m *market, reread bool) courier {
	t.Helper()
	f := &fifo{queues: make([]chan number, m.Stores)}
	for store := range f.queues {
		f.queues[store] = make(chan number, queueMost)
	}
	f.runners = startRunners(t, m, func(ctx context.Context, store int, leave func() bool) {
		for {
			select {
			case n := <-f.queues[store]:
				if !leave() {
					return
				}
				if reread {
					n = m.knows(n.sku)
				}
				_ = m.call(ctx, store, n.sku, n.qty, n.revision)
			case <-ctx.Done():
				return
			}
		}
	})
	return f
}

func (f *fifo) tell(n number) {
	for _, q := range f.queues {
		q <- n
	}
}
