package twin

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"stocksync/sinks"
	"stocksync/topics"
)

// ID names an item of a shop. A product without variants is an item whose Variant is empty.
type ID struct{ Product, Variant string }

// Item is one thing that a shop sells.
type Item struct {
	ID

	SKU, Title string
	Status     string           // of the product, in the dialect's words
	Platform   string           // where one shop sells on several
	Levels     map[string]Level // by location; a shop without locations has one, ""
	Threshold  topics.Quantity  // held back, where a shop does
	Untracked  bool             // the shop keeps no stock of it
	Note       string           // what else a dialect knows of an item
}

// Level is what an item has at a location.
type Level struct {
	Qty       topics.Quantity // what was set
	Allocated topics.Quantity // of it, or beside it, promised to the shop's orders
}

// Write is one quantity that a shop took.
type Write struct {
	At       time.Time
	Call     int // Seq of the call that brought it
	ID       ID
	Location string
	Qty      topics.Quantity
}

// Shelf is what a shop sells. Its methods may be called from any goroutine.
type Shelf struct {
	now func() time.Time

	mu      sync.Mutex
	items   map[ID]*Item
	order   []ID
	writes  []Write
	changed chan struct{} // closed and replaced by each write
}

func newShelf(now func() time.Time) *Shelf {
	return &Shelf{now: now, items: map[ID]*Item{}, changed: make(chan struct{})}
}

// Put places an item, or replaces the one of its ID.
func (s *Shelf) Put(list ...Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range list {
		it.Levels = maps.Clone(it.Levels)
		if it.Levels == nil {
			it.Levels = map[string]Level{"": {}}
		}
		if s.items[it.ID] == nil {
			s.order = append(s.order, it.ID)
		}
		s.items[it.ID] = &it
	}
}

// Drop takes an item away.
func (s *Shelf) Drop(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, id)
	s.order = slices.DeleteFunc(s.order, func(o ID) bool { return o == id })
}

// Fill places n items with numbers for ids, several to a product, at locations; none is "". Later items have
// higher numbers.
func (s *Shelf) Fill(n, perProduct int, status string, locations ...string) {
	if len(locations) == 0 {
		locations = []string{""}
	}
	s.mu.Lock()
	first := len(s.order)
	s.mu.Unlock()
	for i := first; i < first+n; i++ {
		it := Item{
			ID: ID{
				// What was there before gets no further variants.
				Product: strconv.Itoa(1_000_000 + first*1000 + (i-first)/perProduct), Variant: strconv.Itoa(5_000_000 + i),
			},
			SKU: "SKU-" + strconv.Itoa(i), Title: "Thing " + strconv.Itoa(i), Status: status, Levels: map[string]Level{},
		}
		for _, l := range locations {
			it.Levels[l] = Level{Qty: 7 * topics.One}
		}
		s.Put(it)
	}
}

// Items returns what the shop sells, in the order in which it was placed.
func (s *Shelf) Items() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Item, len(s.order))
	for i, id := range s.order {
		list[i] = s.copyOf(id)
	}
	return list
}

// Item returns one of them.
func (s *Shelf) Item(id ID) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[id] == nil {
		return Item{}, false
	}
	return s.copyOf(id), true
}

// Variants returns the items of a product, in order.
func (s *Shelf) Variants(product string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Item
	for _, id := range s.order {
		if id.Product == product {
			list = append(list, s.copyOf(id))
		}
	}
	return list
}

// Products returns the ids of all products, in order.
func (s *Shelf) Products() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	seen := map[string]bool{}
	for _, id := range s.order {
		if !seen[id.Product] {
			seen[id.Product] = true
			list = append(list, id.Product)
		}
	}
	return list
}

// copyOf returns an item that the caller may keep. The caller holds the mutex.
func (s *Shelf) copyOf(id ID) Item {
	it := *s.items[id]
	it.Levels = maps.Clone(it.Levels)
	return it
}

// Sell takes units of an item away, as a buyer does.
func (s *Shelf) Sell(id ID, location string, qty topics.Quantity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[id]; it != nil {
		level := it.Levels[location]
		level.Qty -= qty
		it.Levels[location] = level
	}
}

// Writes returns what was taken, in order.
func (s *Shelf) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// Changed returns a channel that is closed by the next write.
func (s *Shelf) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Shown returns the sum of what the shop has of an update's target; false when it has no such target.
func (s *Shelf) Shown(u *sinks.Update) (topics.Quantity, bool) {
	it, ok := s.Item(ID{u.Target.ProductID, u.Target.VariantID})
	var sum topics.Quantity
	for _, level := range it.Levels {
		sum += level.Qty
	}
	return sum, ok
}

// Unknown returns an update of something that no shop sells.
func (s *Shelf) Unknown() sinks.Update {
	return Updates([]Item{{ID: ID{"999999999", "999999998"}, SKU: "GONE", Levels: map[string]Level{"": {}}}})[0]
}

// Updates returns an update of each item, to a quantity of its own that differs from what is there. Where the
// item has locations, its quantity is spread over them.
func Updates(items []Item) []sinks.Update {
	list := make([]sinks.Update, len(items))
	for i, it := range items {
		qty := topics.Quantity(100+i) * topics.One
		u := sinks.Update{
			SKU: it.SKU, Revision: 1790388903011 + int64(i), Qty: qty, Cause: topics.SyncEvent, Attempt: 1,
			Target: topics.Target{
				ProductID: it.Product, VariantID: it.Variant, Platform: it.Platform, Status: topics.TargetActive, Tracked: true,
			},
		}
		for j, location := range slices.Sorted(maps.Keys(it.Levels)) {
			if location == "" {
				continue
			}
			part := topics.One // the first has what the others leave
			if j == 0 {
				part = qty - topics.Quantity(len(it.Levels)-1)*topics.One
			}
			u.Target.Locations = append(u.Target.Locations, location)
			u.Locations = append(u.Locations, sinks.LocationQty{LocationID: location, Qty: part})
		}
		list[i] = u
	}
	return list
}

func (s *Shelf) has(id ID, location string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items[id]
	if it == nil {
		return false
	}
	_, ok := it.Levels[location]
	return ok
}

func (s *Shelf) set(call int, id ID, location string, qty topics.Quantity) bool {
	if !s.has(id, location) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items[id]
	level := it.Levels[location]
	level.Qty = qty
	it.Levels[location] = level
	s.writes = append(s.writes, Write{At: s.now(), Call: call, ID: id, Location: location, Qty: qty})
	close(s.changed)
	s.changed = make(chan struct{})
	return true
}
