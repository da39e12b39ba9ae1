package testenv

import (
	"context"
	"sync"
	"time"
)

// flights knows which request is in flight for each pair.
type flights struct {
	mu    sync.Mutex
	by    map[pair]*flight
	waits int // times that a request had to wait for an earlier one, ever
}

// pair is one SKU in one store.
type pair struct{ store, sku string }

// flight is one request from its arrival until its answer is about to leave, or its client has.
type flight struct {
	pairs []pair
	done  chan struct{}
	gone  bool // the client hung up before there was an answer; set before done is closed
}

func newFlights() flights { return flights{by: map[pair]*flight{}} }

// enter puts a request in flight and returns the pairs that were in flight already, which breaks the rule of
// one request per pair. A client that has given up an earlier request has broken nothing, but the server
// hears of that a moment later than the client's next request may come: so enter waits for earlier requests
// to end, for at most patience, and counts those whose client did not hang up.
func (fs *flights) enter(ctx context.Context, pairs []pair, patience time.Duration) (*flight, []pair) {
	f := &flight{pairs: pairs, done: make(chan struct{})}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var overlaps []pair
	over := false // patience is at its end
	for {
		fs.mu.Lock()
		var earlier *flight
		var at pair
		for _, p := range pairs {
			if old := fs.by[p]; old != nil {
				earlier, at = old, p
				if over {
					overlaps = append(overlaps, p)
				}
			}
		}
		if earlier == nil || over {
			for _, p := range pairs {
				fs.by[p] = f
			}
			fs.mu.Unlock()
			return f, overlaps
		}
		fs.waits++
		fs.mu.Unlock()
		select {
		case <-earlier.done:
			if !earlier.gone {
				overlaps = append(overlaps, at)
			}
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
}

// leave ends a flight. It must come before the answer, whose reader may send the pair's next request at once.
func (fs *flights) leave(f *flight, gone bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	select {
	case <-f.done:
		return // it has ended before
	default:
	}
	f.gone = gone
	close(f.done)
	for _, p := range f.pairs {
		if fs.by[p] == f {
			delete(fs.by, p)
		}
	}
}
