package state_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"stocksync/state"
	"stocksync/topics"
)

// wideModel keeps the current version of each line and works out every total without bounds.
type wideModel struct {
	policy state.Policy
	lines  map[string]*topics.Mutation
	orders map[string]*topics.Order
}

func (w *wideModel) put(f fact) (undo func()) {
	if f.order != nil {
		was, held := w.orders[f.order.OrderLineID]
		w.orders[f.order.OrderLineID] = f.order
		return func() { restore(w.orders, f.order.OrderLineID, was, held) }
	}
	was, held := w.lines[f.mutation.LineID]
	w.lines[f.mutation.LineID] = f.mutation
	return func() { restore(w.lines, f.mutation.LineID, was, held) }
}

func restore[V any](m map[string]V, key string, was V, held bool) {
	if delete(m, key); held {
		m[key] = was
	}
}

// totals returns Actual, Reserved and Net per warehouse and in all, delivered and returned per order
// line, and taken per warehouse and store.
func (w *wideModel) totals() map[string]*big.Int {
	t := totals{}
	counts := map[string]*topics.Mutation{} // newest live one of each warehouse
	for _, l := range w.lines {
		if c := counts[l.Warehouse]; l.Kind == topics.KindCount && l.Status == topics.StatusPosted && (c == nil || after(l, c)) {
			counts[l.Warehouse] = l
		}
	}
	for _, l := range w.lines {
		if l.Status != topics.StatusPosted {
			continue
		}
		if c := counts[l.Warehouse]; l == c || l.Kind == topics.KindDelta && (c == nil || after(l, c)) {
			t.add("actual", l.Warehouse, l.Qty, 1)
			t.add("net", l.Warehouse, l.Qty, 1)
		}
		if l.OrderLineID != "" {
			t.add("delivered", l.OrderLineID, l.Qty, -1)
			if l.IsReturn {
				t.add("returned", l.OrderLineID, l.Qty, 1)
			}
		}
	}
	for id, o := range w.orders {
		c, ordered := big.NewInt(0), big.NewInt(int64(o.OrderedQty))
		delivered := t.get("delivered " + id)
		if o.Status == topics.OrderOpen && delivered.Cmp(ordered) <= 0 {
			c.Sub(ordered, delivered)
			if !w.policy.ReturnsReserve {
				c.Sub(c, t.get("returned "+id))
			}
			c = clamp(c, ordered)
		}
		reserved := topics.Quantity(c.Int64())
		t.add("reserved", o.Warehouse, reserved, 1)
		t.add("net", o.Warehouse, reserved, -1)
		if o.Store != "" {
			t.get("taken "+o.Warehouse+" "+o.Store).Add(
				t.get("taken "+o.Warehouse+" "+o.Store), clamp(c.Add(c, delivered), ordered))
		}
	}
	return t
}

func clamp(n, most *big.Int) *big.Int {
	switch {
	case n.Sign() < 0:
		return big.NewInt(0)
	case n.Cmp(most) > 0:
		return new(big.Int).Set(most)
	}
	return new(big.Int).Set(n)
}

func after(a, b *topics.Mutation) bool {
	return a.EffectiveAt > b.EffectiveAt || a.EffectiveAt == b.EffectiveAt && a.LineID > b.LineID
}

type totals map[string]*big.Int

func (t totals) get(name string) *big.Int {
	if t[name] == nil {
		t[name] = new(big.Int)
	}
	return t[name]
}

// add adds to a total of one warehouse or order line, and of warehouses to the SKU's.
func (t totals) add(name, of string, q topics.Quantity, sign int64) {
	n := new(big.Int).Mul(big.NewInt(int64(q)), big.NewInt(sign))
	t.get(name+" "+of).Add(t.get(name+" "+of), n)
	if name == "actual" || name == "reserved" || name == "net" {
		t.get(name).Add(t.get(name), n)
	}
}

// largeGen draws quantities of which few fit into one total.
var largeGen = rapid.Custom(func(t *rapid.T) topics.Quantity {
	near := rapid.SampledFrom([]topics.Quantity{0, 1 << 61, 1 << 62, math.MaxInt64 - 2, math.MinInt64}).Draw(t, "near")
	if near == math.MinInt64 {
		return near
	}
	q := near + topics.Quantity(rapid.Int64Range(0, 2).Draw(t, "more"))
	if rapid.Bool().Draw(t, "negative") {
		return -q
	}
	return q
})

// Ensure that exactly the events are refused that would take a total out of 64 bits, whatever sums
// wrap half way, and that nothing of them stays.
func TestFold_RefusesExactlyWhatWouldOverflow(t *testing.T) {
	applied, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		policy := state.Policy{ReturnsReserve: rapid.Bool().Draw(t, "returns reserve")}
		r := newRig(t, policy)
		defer r.close()
		r.shallow = true
		model := &wideModel{policy, map[string]*topics.Mutation{}, map[string]*topics.Order{}}
		for n := range rapid.IntRange(1, 40).Draw(t, "events") {
			f := drawLarge(t, int64(n))
			undo := model.put(f)
			overflow := ""
			for name, total := range model.totals() {
				if !total.IsInt64() {
					overflow = name
				}
			}
			o, reject := r.direct(f)
			switch {
			case overflow != "":
				refused++
				undo()
				if o != state.DeadLettered || reject.Reason != topics.ReasonOverflow {
					t.Fatalf("%s %+v %+v: got %s %+v, want overflow of %s", f.identity(), f.mutation, f.order, o, reject, overflow)
				}
			case o != state.Applied:
				t.Fatalf("%s %+v %+v: got %s %+v, want it applied", f.identity(), f.mutation, f.order, o, reject)
			default:
				applied++
			}
			if rapid.IntRange(0, 4).Draw(t, "commit") == 0 {
				r.commit()
			}
			if held, ok := state.Held(r.task, "A"); ok {
				model.compare(t, held)
			}
		}
		r.commit()
		for _, s := range r.snapshots() {
			model.compare(t, s)
		}
	})
	if applied < 100/thin || refused < 100/thin {
		t.Errorf("got %d applied and %d refused, want many of both", applied, refused)
	}
}

func drawLarge(t *rapid.T, version int64) fact {
	warehouse := rapid.SampledFrom([]string{"JKT", "SUB"}).Draw(t, "warehouse")
	q := largeGen.Draw(t, "qty")
	if rapid.IntRange(0, 2).Draw(t, "topic") == 0 {
		o := order("A", fmt.Sprintf("O%d", rapid.IntRange(1, 3).Draw(t, "order")), version, max(q, -(q+1)))
		o.Warehouse = warehouse
		o.Store = rapid.SampledFrom([]string{"", "shopee"}).Draw(t, "store")
		o.Status = rapid.SampledFrom([]topics.OrderStatus{topics.OrderOpen, topics.OrderClosed}).Draw(t, "status")
		return fact{order: o}
	}
	m := delta("A", fmt.Sprintf("L%d", rapid.IntRange(1, 5).Draw(t, "line")), version, q)
	m.Warehouse, m.EffectiveAt = warehouse, momentGen.Draw(t, "effective at")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		m.Kind, m.Qty = topics.KindCount, max(q, -(q+1))
	case 1, 2:
		m.OrderLineID = fmt.Sprintf("O%d", rapid.IntRange(1, 3).Draw(t, "ships"))
		m.IsReturn = rapid.Bool().Draw(t, "return")
	}
	if rapid.IntRange(0, 4).Draw(t, "cancelled") == 0 {
		m.Status = topics.StatusCancelled
	}
	return fact{mutation: m}
}

// compare holds all numbers of a SKU against the model.
func (w *wideModel) compare(t *rapid.T, s *state.Snapshot) {
	want := w.totals()
	number := func(got topics.Quantity, name string) {
		if n := want[name]; n == nil && got != 0 || n != nil && n.Cmp(big.NewInt(int64(got))) != 0 {
			t.Errorf("%s: got %d, want %s", name, int64(got), n)
		}
	}
	number(s.Actual, "actual")
	number(s.Reserved, "reserved")
	number(s.Net, "net")
	for _, h := range s.Warehouses {
		number(h.Actual, "actual "+h.Warehouse)
		number(h.Reserved, "reserved "+h.Warehouse)
		number(h.Net, "net "+h.Warehouse)
		for _, b := range h.ByStore {
			number(b.Taken, "taken "+h.Warehouse+" "+b.Store)
		}
	}
	for _, o := range s.Orders {
		number(o.Delivered, "delivered "+o.ID)
		number(o.Returned, "returned "+o.ID)
	}
}

// Ensure that what a store has taken is a total too: it grows where Reserved does not.
func TestFold_RefusesWhatWouldOverflowTaken(t *testing.T) {
	r := newRig(t, state.Policy{})
	defer r.close()
	r.shallow = true
	const half = topics.Quantity(1 << 62)
	for i, id := range []string{"O1", "O2"} {
		shipment := delta("A", id+"/out", 1, -half)
		shipment.Kind, shipment.OrderLineID = topics.KindDelta, id
		receipt := delta("A", id+"/in", 1, half)
		r.accept(fact{mutation: shipment})
		r.accept(fact{mutation: receipt})
		o := order("A", id, 1, half)
		o.Store = "shopee"
		if i == 0 {
			r.accept(fact{order: o})
		} else {
			r.refuse(fact{order: o}, topics.ReasonOverflow)
		}
	}
}

func TestFold_SumsAreExactAtTheEdge(t *testing.T) {
	r := newRig(t, state.Policy{})
	defer r.close()
	r.shallow = true
	least := delta("A", "L1", 1, math.MinInt64)
	for _, f := range []fact{
		{mutation: least}, {mutation: delta("A", "L2", 1, math.MaxInt64)}, {mutation: delta("A", "L3", 1, math.MaxInt64)},
	} {
		r.accept(f)
	}
	cancelled := *least
	cancelled.Version, cancelled.Status = 2, topics.StatusCancelled
	r.refuse(fact{mutation: &cancelled}, topics.ReasonOverflow)

	shipment := delta("B", "L", 1, -5)
	shipment.OrderLineID, shipment.IsReturn = "O", true // a return that takes goods away: nothing forbids it
	o := order("B", "O", 1, math.MaxInt64)
	o.Store = "shopee"
	r.accept(fact{mutation: shipment})
	r.accept(fact{mutation: delta("B", "L2", 1, 5)})
	r.accept(fact{order: o})
	r.commit()
	for _, s := range r.snapshots() {
		if s.SKU == "B" && (s.Reserved != math.MaxInt64 || s.Warehouses[0].ByStore[0].Taken != math.MaxInt64) {
			t.Errorf("got %+v, want all of the order reserved and taken", s.Warehouses)
		}
	}
}
