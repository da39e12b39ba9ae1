package sinks

import (
	"context"
	"runtime"
	"sync"
	"time"

	"stocksync/topics"
)

// sweepBatch is how many SKUs go from one stage of a sweep to the next at a time.
const sweepBatch = 256

// swept is one pair that a sweep came by.
type swept struct {
	head int
	sku  string
	row  row
	rest bool // nothing is to be done about it, as far as the tables tell
}

// sweep calls f for every pair of some stores, in one walk over all tables, and says which of them are at rest. A
// SKU's availability is decoded once, however many stores offer it. Walking over the tables, making sense of what
// they hold, and f are done at the same time, on as many processors as there are: a store with a million listings is
// to be sent within seconds of a start. The order is not that of the SKUs; f is called by the caller's goroutine.
func sweep(ctx context.Context, t tables, heads []scanHead, shops []*shopFacts, f func(p *swept) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	raw := make(chan []rawSKU, 2)
	made := make(chan []swept, 2)
	var walking, working sync.WaitGroup
	walking.Go(func() {
		defer close(raw)
		if err := walk(ctx, t, heads, raw); err != nil {
			cancel(err)
		}
	})
	for range max(1, runtime.GOMAXPROCS(0)) {
		working.Go(func() {
			for batch := range raw {
				pairs := makeSense(batch, heads, shops)
				select {
				case made <- pairs:
				case <-ctx.Done():
				}
			}
		})
	}
	go func() {
		working.Wait()
		close(made)
	}()
	for pairs := range made {
		for i := range pairs {
			if ctx.Err() != nil {
				break
			}
			if err := f(&pairs[i]); err != nil {
				cancel(err)
			}
		}
	}
	walking.Wait()
	return context.Cause(ctx)
}

// rawSKU is what the tables hold of a SKU, as it stands there.
type rawSKU struct {
	sku             string
	av, all         []byte
	own, list, says [][]byte // by head
}

// walk reads the tables, SKU by SKU, into batches.
func walk(ctx context.Context, t tables, heads []scanHead, out chan<- []rawSKU) (err error) {
	var s scanner
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	if err := s.open(t, heads); err != nil {
		return err
	}
	var batch []rawSKU
	flush := func() error {
		select {
		case out <- batch:
			batch = make([]rawSKU, 0, sweepBatch)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		sku, ok := s.least()
		if !ok {
			break
		}
		batch = append(batch, s.copyOf(sku))
		s.pass(sku)
		if len(batch) == sweepBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := s.err(); err != nil {
		return err
	}
	return flush()
}

// copyOf copies what the cursors hold of a SKU.
func (s *scanner) copyOf(sku []byte) rawSKU {
	n := len(s.stores)
	r := rawSKU{sku: string(sku)}
	lists := make([][]byte, 3*n)
	r.own, r.list, r.says = lists[:n], lists[n:2*n], lists[2*n:]
	keep := func(c *skuCursor, into *[]byte) {
		c.at(sku, func(value []byte) { *into = append(make([]byte, 0, len(value)), value...) })
	}
	keep(s.availability, &r.av)
	keep(s.all, &r.all)
	for i := range s.stores {
		keep(s.stores[i].own, &r.own[i])
		keep(s.stores[i].list, &r.list[i])
		keep(s.stores[i].status, &r.says[i])
	}
	return r
}

// makeSense decodes a batch, and judges its pairs.
func makeSense(batch []rawSKU, heads []scanHead, shops []*shopFacts) []swept {
	pairs := make([]swept, 0, len(batch)*len(heads))
	now := topics.TimeOf(time.Now())
	for i := range batch {
		b := &batch[i]
		var shared row
		set(b.av, shared.setAvailability)
		set(b.all, shared.setAll)
		for h := range heads {
			r := shared
			set(b.own[h], r.setOwn)
			set(b.list[h], r.setListing)
			set(b.says[h], r.setStatus)
			if !r.exists(heads[h].store, heads[h].listed) {
				continue
			}
			r.verify(heads[h].store, b.sku)
			pairs = append(pairs, swept{head: h, sku: b.sku, row: r, rest: atRest(&r, shops[h], now)})
		}
	}
	return pairs
}

func set(value []byte, f func([]byte)) {
	if value != nil {
		f(value)
	}
}

// atRest tells whether a pair shows what it should, its status says so, and nothing will change that by itself.
func atRest(r *row, shop *shopFacts, now topics.Time) bool {
	if r.av == nil || r.status == nil || r.status.State != topics.StateSynced {
		return false
	}
	f := &facts{
		now: now, shop: shop, av: r.av, own: r.own, all: r.all, list: r.list, status: r.status, broken: r.broken,
		blind: r.blind,
	}
	v := judge(f)
	return !v.due && v.wakeAt.IsZero() && !differs(r.status, &v, false)
}
