package state

import (
	"cmp"
	"fmt"
	"slices"

	"stocksync/topics"
)

// HorizonView is what a SKU's header says of its horizon, for tests.
type HorizonView struct {
	Lines     string // position of the line frontier
	Orders    topics.Time
	FirstLive uint32
	Bases     map[string]string // by warehouse
	Kept      map[string]string // what order lines keep of collapsed ones, by id
	Newest    map[string]string // newest count held, by warehouse
}

// Inspect returns a SKU as a task holds it or loads it, entries in order.
func Inspect(t *Task, sku string) (*Snapshot, HorizonView, error) {
	it, err := t.item(sku)
	if err != nil {
		return nil, HorizonView{}, err
	}
	touched := it.touched
	s := it.snapshot()
	it.touched = touched
	s.Orders = slices.DeleteFunc(s.Orders, func(o OrderLine) bool {
		return !o.Arrived && o.Delivered == 0 && o.Returned == 0
	})
	slices.SortFunc(s.Orders, func(a, b OrderLine) int { return cmp.Compare(a.ID, b.ID) })
	h := HorizonView{
		Lines: it.lineFrontier.text(), Orders: it.orderFrontier, FirstLive: it.firstLive,
		Bases: map[string]string{}, Kept: map[string]string{}, Newest: map[string]string{},
	}
	for i := range it.warehouses {
		w := &it.warehouses[i]
		taken := map[string]topics.Quantity{}
		for _, b := range w.base.taken {
			taken[it.stores[b.store]] = b.taken
		}
		if w.newest != nil {
			h.Newest[w.name] = w.newest.id
		}
		h.Bases[w.name] = fmt.Sprint(w.base.actual, " ", w.base.count.text(), " ", taken)
	}
	for _, o := range it.orders.list {
		if o.collapsed != (deliveries{}) || !o.arrived && !o.orderedAt.IsZero() {
			h.Kept[o.id] = fmt.Sprint(o.collapsed.delivered, " ", o.collapsed.returned)
			if !o.arrived {
				h.Kept[o.id] += fmt.Sprint(" ", o.orderedAt, " ", o.changed)
			}
		}
	}
	return s, h, nil
}

func (p position) text() string {
	if p.isZero() {
		return ""
	}
	return fmt.Sprint(p.at, " ", p.seq, " ", p.id)
}
