// Package oversell measures what stores sell beyond what is there, for several ways of bringing numbers to them: by
// polling, by a call for every event in order, and by the sinks of this tree.
//
//	scenario.go  Scenario: who buys what and when, drawn from one seed
//	market.go    shops that sell what they show, a warehouse, and an ERP that hears of sales a little later
//	ways.go      polling, and a call for every event
//	ours.go      the sinks as they run in production, on a broker in memory
//	outcome.go   Run: one way through one scenario; Outcome, and the table of several
//
// All ways have the same demand, the same calls a second for each store and the same time a call takes. Time is
// virtual: an hour of a sale takes seconds. The demand is a function of the seed; what the sinks do also hangs on
// the order of goroutines, so that their numbers differ a little from run to run.
//
// A buyer wants one unit of one SKU in one store, and gets it if the store shows one. A store takes what it sells
// off its number by itself; the ERP hears of the sale after OrderLag, and then every other store should show less.
// A unit is oversold when it is sold and nothing is left in the warehouse.
package oversell

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Scenario is a sale. All stores offer the whole stock of one warehouse.
type Scenario struct {
	Seed   uint64
	Stores int
	SKUs   int
	Stock  int           // of each SKU at first
	Lasts  time.Duration // of the sale
	Buyers float64       // a second, in all stores together; popular SKUs and stores draw more of them
	Lines  float64       // of the warehouse's ledger, a second: half are receipts, half change nothing (bins, counts)

	Budget   float64       // calls a second that each store takes
	Latency  time.Duration // of a call
	OrderLag time.Duration // from a sale until the ERP has the order
	Poll     time.Duration // between the beginnings of two polls
}

// Default is a flash sale of ten minutes: 8 stores that sell 400 SKUs of 12 units each, 8 buyers and 4 ledger lines
// a second, 5 calls a second for each store. An event concerns every store, so that one call for each of them
// is more than twice what the stores take.
func Default(seed uint64) Scenario {
	return Scenario{
		Seed: seed, Stores: 8, SKUs: 400, Stock: 12, Lasts: 10 * time.Minute, Buyers: 8, Lines: 4,
		Budget: 5, Latency: 150 * time.Millisecond, OrderLag: 2 * time.Second, Poll: 5 * time.Minute,
	}
}

// String describes the scenario for people.
func (s Scenario) String() string {
	return fmt.Sprintf("seed %d: %d stores, %d SKUs of %d units, %s of %v buyers/s and %v ledger lines/s, "+
		"%v calls/s a store of %s each, orders known after %s",
		s.Seed, s.Stores, s.SKUs, s.Stock, s.Lasts, s.Buyers, s.Lines, s.Budget, s.Latency, s.OrderLag)
}

// event is one thing that happens whatever the stores show.
type event struct {
	at      time.Duration // since the sale began
	sku     int
	store   int // where somebody buys; -1: a line of the warehouse's ledger
	receive int // units that the line brings
}

// warehouse is the store of an event that is none.
const warehouse = -1

// events draws the sale.
func (s Scenario) events() []event {
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	skus, stores := rand.NewZipf(rng, 1.1, 8, uint64(s.SKUs-1)), rand.NewZipf(rng, 1.5, 4, uint64(s.Stores-1))
	var list []event
	for _, at := range s.moments(rng, s.Buyers) {
		list = append(list, event{at: at, sku: int(skus.Uint64()), store: int(stores.Uint64())})
	}
	for _, at := range s.moments(rng, s.Lines) {
		list = append(list, event{at: at, sku: rng.IntN(s.SKUs), store: warehouse, receive: rng.IntN(2)})
	}
	slices.SortStableFunc(list, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return list
}

// moments draws when something happens that happens so often a second.
func (s Scenario) moments(rng *rand.Rand, perSecond float64) []time.Duration {
	var list []time.Duration
	for at := 0.0; perSecond > 0; {
		if at += rng.ExpFloat64() / perSecond; at >= s.Lasts.Seconds() {
			break
		}
		list = append(list, time.Duration(at*float64(time.Second)))
	}
	return list
}
