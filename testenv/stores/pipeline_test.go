package stores_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"stocksync/testenv/stores"
	"stocksync/topics"
)

// tryPipeline runs all of stocksync before a shop: its catalogue is listed, stock is set, orders come to the shop before
// the ERP knows them, and are booked, shipped and cancelled on either side in any order. At no moment, a round trip
// aside, does the shop offer more than Actual minus what is promised.
func tryPipeline(t *testing.T, shop stores.Till, skus ...string) {
	w := startWorld(t, shop)
	stop := w.watchAfter(skus)
	w.story(skus[0])
	var byHand sync.WaitGroup
	byHand.Go(func() { w.byHand(skus[0], 12) })
	w.storm(skus[1:], 20)
	byHand.Wait()
	stop()
}

// watchAfter brings the SKUs under stocksync's care, and begins to watch when the shop's own numbers are gone.
func (w *world) watchAfter(skus []string) (stop func()) {
	w.t.Helper()
	for _, sku := range skus {
		w.receive(sku, 40)
	}
	for _, sku := range skus {
		w.until(func(context.Context) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if l := w.listed[sku]; l.Origin != topics.OriginCatalogue || len(l.Targets) != 1 {
				return fmt.Errorf("%s is listed as %+v, want one target", sku, l)
			}
			return nil
		})
		w.settled(sku, 40)
	}
	return w.watch()
}

// story is one SKU's, step by step, with what the shop offers after each.
func (w *world) story(sku string) {
	w.t.Helper()
	unseen := w.mustPlace(sku, 3) // the ERP doesn't know
	w.receive(sku, 5)             // and says something else: it must not give the three back
	w.settled(sku, 42)
	w.book(unseen)
	w.settled(sku, 42)
	w.fulfil(unseen) // first there
	w.ship(unseen)
	w.settled(sku, 42)

	second := w.mustPlace(sku, 4)
	w.book(second)
	w.settled(sku, 38)
	w.ship(second) // first here
	w.settled(sku, 38)
	w.fulfil(second)
	w.receive(sku, 1)
	w.settled(sku, 39)

	for _, cancel := range []func(order){
		func(o order) { w.cancelThere(o, false); w.cancel(o, true) }, // first there
		func(o order) { w.cancel(o, false); w.cancelThere(o, true) }, // first here
	} {
		o := w.mustPlace(sku, 5)
		w.book(o)
		w.settled(sku, 34)
		cancel(o)
		w.settled(sku, 39)
	}

	w.receive(sku, -39) // a stock-out
	w.settled(sku, 0)
	w.receive(sku, 12)
	w.settled(sku, 12)
}

// byHand lets a person change a number in the shop, which is found by reading back and repaired.
func (w *world) byHand(sku string, offered int64) {
	w.t.Helper()
	w.change(sku, func(it *item) { it.slack = 50 })
	if err := w.shop.SetByHand(w.t.Context(), sku, 50); err != nil {
		w.t.Error(err)
	}
	w.untilOffered(sku, offered)
	w.change(sku, func(it *item) { it.slack = 0 })
}

func (w *world) mustPlace(sku string, units int64) order {
	w.t.Helper()
	o, ok := w.place(sku, units)
	if !ok {
		w.t.Fatalf("the shop took no order of %d %s", units, sku)
	}
	return o
}

// storm lets many orders run at the same time, each through one of the ways that orders go.
func (w *world) storm(skus []string, orders int) {
	w.t.Helper()
	const seed = 7
	var all sync.WaitGroup
	for i, sku := range skus {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			var under sync.WaitGroup
			for range orders / len(skus) {
				o, ok := w.place(sku, 1+random.Int64N(4))
				if random.IntN(3) == 0 {
					w.receive(sku, random.Int64N(9)-3)
				}
				if ok {
					way := w.ways()[random.IntN(len(w.ways()))]
					under.Go(func() { way(o) })
				}
			}
			under.Wait()
		})
	}
	all.Wait()
	for _, sku := range skus {
		w.mu.Lock()
		it := *w.items[sku]
		w.mu.Unlock()
		if it.promised != 0 || it.reserved != 0 {
			w.t.Errorf("%s: %d are promised and %d reserved in the end, want none", sku, it.promised, it.reserved)
		}
		w.settled(sku, max(0, it.actual))
	}
}

// ways are the lives of an order that was placed in the shop. That the shop cancels what the ERP has shipped, or ships
// what the ERP has cancelled, is none of them: nothing that looks at numbers can help there.
func (w *world) ways() []func(order) {
	return []func(order){
		func(o order) { w.book(o); w.fulfil(o); w.ship(o) },
		func(o order) { w.fulfil(o); w.book(o); w.ship(o) },
		func(o order) { w.book(o); w.ship(o); w.fulfil(o) },
		func(o order) { w.book(o); w.cancelThere(o, false); w.cancel(o, true) },
		func(o order) { w.book(o); w.cancel(o, false); w.cancelThere(o, true) },
	}
}
