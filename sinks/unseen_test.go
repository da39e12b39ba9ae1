package sinks_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/topics"
)

// stage is where an order is, in the shop or in the ERP.
type stage byte

const (
	nowhere   stage = iota // not placed; the ERP does not know it
	open                   // placed; reserved
	done                   // fulfilled; shipped
	cancelled              // on this side
)

const orders = 3

// trade is a state of the model: what the shop and the ERP know of each order, what the shop holds, and what the last
// delivery said. It is comparable.
type trade struct {
	shop, erp [orders]stage
	number    int // that the shop holds
	allocated int // of a physical number

	delivered          bool
	qty, unseen, taken int
}

// offers is what buyers can order now.
func (s *trade) offers() int { return s.number - s.allocated }

// count counts the orders at a stage.
func count(list [orders]stage, of ...stage) int {
	n := 0
	for _, s := range list {
		for _, o := range of {
			if s == o {
				n++
			}
		}
	}
	return n
}

// owed is how many of the goods belong to somebody: each order placed takes one, unless a side has cancelled it.
func (s *trade) owed() int {
	n := 0
	for i := range orders {
		if s.shop[i] != nowhere && s.shop[i] != cancelled && s.erp[i] != cancelled {
			n++
		}
	}
	return n
}

// model explores every interleaving of three orders that are placed, fulfilled and cancelled on either side, with a
// delivery at any moment, and the numbers reckoned as production does.
type model struct {
	t      *testing.T
	goods  int
	number sinks.Number
	seen   map[trade]string // how it was reached
	known  map[sum]sum      // what came of a delivery
}

// sum is all that a delivery goes by, or what it leaves.
type sum struct {
	number, allocated, net, reported int
	delivered                        bool
	qty, unseen, taken               int
}

// deliver reads the shop and writes what it should show.
func (m *model) deliver(s trade) trade {
	before := sum{
		number: s.number, allocated: s.allocated, net: m.goods - count(s.erp, open, done),
		reported: count(s.erp, open, done), delivered: s.delivered, qty: s.qty, unseen: s.unseen, taken: s.taken,
	}
	after, known := m.known[before]
	if !known {
		after = m.reckon(before)
		m.known[before] = after
	}
	s.number, s.delivered, s.qty, s.unseen, s.taken = after.number, true, after.qty, after.unseen, after.taken
	return s
}

// reckon does what production does.
func (m *model) reckon(s sum) sum {
	p := listedInSync("1")
	p.Traits.ReadFirst = true
	p.Availability = available("A", 100, topics.Quantity(s.net)*qty)
	p.Availability.Warehouses[0].ByStore = topics.StoreStocks{{Store: "s", Taken: topics.Quantity(s.reported) * qty}}
	p.Status = nil
	if s.delivered {
		p.Status = &topics.SyncStatus{State: topics.StateSynced, Reason: topics.SyncInSync, Delivered: &topics.Delivered{
			Revision: 99, Qty: topics.Quantity(s.qty) * qty, Unseen: topics.Quantity(s.unseen) * qty, UnseenAt: at(59),
			Taken: topics.Quantity(s.taken) * qty, Targets: []topics.DeliveredTarget{{ProductID: "1", Qty: topics.Quantity(s.qty) * qty}},
		}}
	}
	p.encode()
	read := sinks.Reading{Found: true, Qty: topics.Quantity(s.number) * qty, Allocated: topics.Quantity(s.allocated) * qty}
	write, d := sinks.Reckon(p.Facts, read, m.number)
	return sum{number: int(write / qty), qty: int(d.Qty / qty), unseen: int(d.Unseen / qty), taken: int(d.Taken / qty)}
}

// step is one thing that happens; ok is false when it cannot now.
type step struct {
	name string
	do   func(s trade, i int) (next trade, ok bool)
}

func (m *model) steps() []step {
	release := func(s *trade) {
		if m.number == sinks.NumberPhysical {
			s.allocated--
		} else {
			s.number++
		}
	}
	return []step{
		{"place", func(s trade, i int) (trade, bool) {
			if s.shop[i] != nowhere || s.offers() < 1 {
				return s, false
			}
			s.shop[i] = open
			if m.number == sinks.NumberPhysical {
				s.allocated++
			} else {
				s.number--
			}
			return s, true
		}},
		{"fulfil", func(s trade, i int) (trade, bool) {
			if s.shop[i] != open || s.erp[i] == cancelled { // nobody can sell what was cancelled and given away
				return s, false
			}
			s.shop[i] = done
			if m.number == sinks.NumberPhysical {
				s.number--
				s.allocated--
			}
			return s, true
		}},
		{"cancel", func(s trade, i int) (trade, bool) {
			if s.shop[i] != open || s.erp[i] == done { // the goods are gone, and the shop does not know
				return s, false
			}
			s.shop[i] = cancelled
			release(&s)
			return s, true
		}},
		{"hear", func(s trade, i int) (trade, bool) {
			ok := s.shop[i] != nowhere && s.erp[i] == nowhere
			s.erp[i] = open
			return s, ok
		}},
		{"ship", func(s trade, i int) (trade, bool) {
			ok := s.erp[i] == open && s.shop[i] != cancelled
			s.erp[i] = done
			return s, ok
		}},
		{"void", func(s trade, i int) (trade, bool) {
			ok := s.erp[i] == open && s.shop[i] != done
			s.erp[i] = cancelled
			return s, ok
		}},
		{"deliver", func(s trade, i int) (trade, bool) { return m.deliver(s), i == 0 }},
	}
}

// explore visits every state that can be reached, and holds each against the rule: the shop never offers what
// belongs to somebody.
func (m *model) explore(from trade) {
	m.seen = map[trade]string{from: ""}
	queue := []trade{from}
	for len(queue) > 0 && !m.t.Failed() {
		s := queue[0]
		queue = queue[1:]
		for _, step := range m.steps() {
			for i := range orders {
				next, ok := step.do(s, i)
				if _, been := m.seen[next]; !ok || been {
					continue
				}
				m.seen[next] = fmt.Sprintf("%s %s%d", m.seen[s], step.name, i)
				queue = append(queue, next)
				if free := m.goods - next.owed(); next.offers() > max(0, free) {
					m.t.Errorf("%d goods:%s: offers %d, want %d at most: %+v", m.goods, m.seen[next], next.offers(), free, next)
				}
			}
		}
	}
}

// TestUnseen_NoInterleavingOfThreeOrdersOversells is the model of design 5.2: no order of events makes the shop offer
// more than Actual minus what is promised, but for the two that nobody could know of, which are left out.
func TestUnseen_NoInterleavingOfThreeOrdersOversells(t *testing.T) {
	for _, number := range []sinks.Number{sinks.NumberAvailable, sinks.NumberPhysical} {
		for goods := 1; goods <= orders; goods++ {
			t.Run(fmt.Sprintf("number %d, %d goods", number, goods), func(t *testing.T) {
				m := &model{t: t, goods: goods, number: number, known: map[sum]sum{}}
				m.explore(m.deliver(trade{}))
				if len(m.seen) < 500 {
					t.Errorf("got %d states, want all of them", len(m.seen))
				}
				m.checkRest()
			})
		}
	}
}

// checkRest ensures that the rule is not kept by offering nothing: as long as nothing was cancelled and the ERP has
// heard of every order, the shop offers all that is free; and so it does when every order has ended on both sides,
// and what is left of the unseen sales was forgotten.
func (m *model) checkRest() {
	for s, path := range m.seen {
		if calm := count(s.shop, cancelled)+count(s.erp, cancelled) == 0; calm && !unheard(&s) {
			if after, want := m.deliver(s), m.goods-s.owed(); after.offers() != want {
				m.t.Errorf("%d goods:%s: offers %d, want %d", m.goods, path, after.offers(), want)
			}
		}
		if count(s.shop, open) > 0 || count(s.erp, open) > 0 || unheard(&s) {
			continue
		}
		after := m.deliver(s)
		after.unseen = 0
		after = m.deliver(after)
		if want := m.goods - count(s.erp, done); after.offers() != want {
			m.t.Errorf("%d goods:%s: offers %d at rest, want %d", m.goods, path, after.offers(), want)
		}
	}
}

// unheard tells whether the ERP does not know some order.
func unheard(s *trade) bool {
	for i := range orders {
		if s.shop[i] != nowhere && s.erp[i] == nowhere {
			return true
		}
	}
	return false
}

// TestToWrite_MakesUpForWhatIsPromisedAndHeldBack ensures that a physical number is above what is offered by what
// is allocated, location by location, and by the threshold, once.
func TestToWrite_MakesUpForWhatIsPromisedAndHeldBack(t *testing.T) {
	places := func(text string) (list []sinks.LocationQty) {
		for one := range strings.FieldsSeq(text) {
			id, n, _ := strings.Cut(one, "=")
			units, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, sinks.LocationQty{LocationID: id, Qty: topics.Quantity(units) * qty})
		}
		return list
	}
	at := []sinks.LocationReading{{LocationID: "L2", Qty: 9 * qty, Allocated: 3 * qty}, {LocationID: "L1", Allocated: 1 * qty}}
	for name, tc := range map[string]struct {
		number sinks.Number
		places string
		read   sinks.Reading
		want   string
	}{
		"available":               {sinks.NumberAvailable, "", sinks.Reading{Allocated: 4 * qty, Threshold: 2 * qty}, "10"},
		"available, spread":       {sinks.NumberAvailable, "L1=6 L2=4", sinks.Reading{Allocated: 4 * qty}, "10 L1=6 L2=4"},
		"physical":                {sinks.NumberPhysical, "", sinks.Reading{Allocated: 4 * qty, Threshold: 2 * qty}, "16"},
		"backorders":              {sinks.NumberPhysical, "", sinks.Reading{Threshold: -5 * qty}, "5"},
		"physical, spread":        {sinks.NumberPhysical, "L1=6 L2=4", sinks.Reading{Allocated: 4 * qty, Threshold: 2 * qty, Locations: at}, "16 L1=9 L2=7"},
		"a place that gets none":  {sinks.NumberPhysical, "L1=10 L2=0", sinks.Reading{Allocated: 4 * qty, Locations: at}, "14 L1=11 L2=3"},
		"a place it has not":      {sinks.NumberPhysical, "L1=10 L3=0", sinks.Reading{Allocated: 4 * qty, Locations: at}, "11 L1=11 L3=0"},
		"no reading of locations": {sinks.NumberPhysical, "L1=6 L2=4", sinks.Reading{Allocated: 4 * qty, Threshold: 2 * qty}, "16 L1=12 L2=4"},
	} {
		t.Run(name, func(t *testing.T) {
			q, spread := sinks.ToWrite(tc.number, 10*qty, places(tc.places), tc.read)
			got := q.String()
			for _, l := range spread {
				got += fmt.Sprintf(" %s=%s", l.LocationID, l.Qty)
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
