package state_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// foldInOrder folds facts in the order given, one commit after every n.
func (r *rig) foldInOrder(facts []fact, n int) {
	r.tb.Helper()
	for i, f := range facts {
		input := state.InputMutations
		if f.order != nil {
			input = state.InputOrders
		}
		r.send(0, f.mutation, f.order)
		r.fold(input, 1)
		if (i+1)%n == 0 || i == len(facts)-1 {
			r.commit()
		}
	}
}

// snapshots returns what the changelog holds, in order of SKUs.
func (r *rig) snapshots() []*state.Snapshot {
	r.tb.Helper()
	var list []*state.Snapshot
	reader := r.read()
	for sku := range reader.SKUs() {
		s, _, err := reader.Snapshot(sku)
		r.must(err)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *state.Snapshot) int { return strings.Compare(a.SKU, b.SKU) })
	return list
}

func (r *rig) stockText() string {
	var b strings.Builder
	for _, s := range r.snapshots() {
		b.WriteString(testenv.FormatStock(&s.Availability))
	}
	return b.String()
}

func scenarioFacts(s *testenv.Scenario) []fact {
	var facts []fact
	for _, in := range s.Inputs {
		facts = append(facts, fact{in.Mutation, in.Order})
	}
	return facts
}

func TestFold_EqualsHandWorkedScenarios(t *testing.T) {
	all, err := testenv.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			r := newRig(t, s.Policy)
			r.foldInOrder(scenarioFacts(&s), 1+random.IntN(4))
			if diff := cmp.Diff(r.stockText(), s.Stock); diff != "" {
				t.Errorf("stock: got -, want +\n%s", diff)
			}
			var refused strings.Builder
			next := map[string]int64{}
			for i, in := range s.Inputs {
				topic := in.Event().Topic
				v := r.verdicts[testenv.Place{Topic: topic, Offset: next[topic]}]
				next[topic]++
				if v.outcome == state.DeadLettered {
					fmt.Fprintf(&refused, "input %d %s\n", i+1, v.reason)
				} else if v.outcome != state.Applied {
					fmt.Fprintf(&refused, "input %d %s\n", i+1, v.outcome)
				}
			}
			if diff := cmp.Diff(refused.String(), s.Refused); diff != "" {
				t.Errorf("not applied: got -, want +\n%s", diff)
			}
			r.check()
			r.close()
			if s.Arrival {
				return
			}
			for range 1 + 2/thin { // F2
				r := newRig(t, s.Policy)
				facts := scenarioFacts(&s)
				random.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
				r.foldInOrder(facts, 1+random.IntN(4))
				if diff := cmp.Diff(r.stockText(), s.Stock); diff != "" {
					t.Errorf("in another order: got -, want +\n%s", diff)
				}
				r.close()
			}
		})
	}
}

// unordered is what the order of arrival must not decide: what is held, and the numbers. A warehouse
// that only a superseded version named stays listed with zeros, and which version was the first of an
// order line decides orders_from: those two, and the days of arrival, are history.
func (r *rig) unordered() []shown {
	var list []shown
	for _, s := range r.snapshots() {
		s.OrdersFrom = nil
		s.Warehouses = slices.DeleteFunc(s.Warehouses, func(w topics.WarehouseStock) bool {
			return w.Actual == 0 && w.Reserved == 0 && len(w.ByStore) == 0
		})
		v := shownSKU(s)
		for i := range v.Lines {
			v.Lines[i].ArrivedDay = 0
		}
		for i := range v.Orders {
			v.Orders[i].ChangedDay = 0
		}
		list = append(list, v)
	}
	return list
}

// Ensure that the same events in any order, each once or more often, come to the same state (F1, F2).
func TestFold_DoesNotDependOnOrderOrRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, policy := idsGen.Draw(t, "ids"), policyGen.Draw(t, "policy")
		var facts []fact
		seen := map[string]bool{}
		for range rapid.IntRange(1, 50).Draw(t, "facts") {
			if f := n.drawFact(t); !seen[f.identity()] {
				seen[f.identity()] = true
				facts = append(facts, f)
			}
		}
		one, other := newRig(t, policy), newRig(t, policy)
		one.shallow, other.shallow = true, true
		one.foldInOrder(facts, rapid.IntRange(1, 9).Draw(t, "commit"))
		again := rapid.SliceOfN(rapid.SampledFrom(facts), 0, len(facts)).Draw(t, "repeats")
		facts = rapid.Permutation(append(facts, again...)).Draw(t, "order")
		other.foldInOrder(facts, rapid.IntRange(1, 9).Draw(t, "other commit"))
		if diff := cmp.Diff(other.unordered(), one.unordered(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("in another order: got -, want +\n%s", diff)
		}
		one.close()
		other.close()
	})
}

// Ensure that an event folded before changes nothing: no byte of the changelog but the task record's,
// and no availability record (F1). Touches alone are never a repeat.
func TestFold_RepeatsLeaveNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, state.Policy{ReturnsReserve: true})
		n := idsGen.Draw(t, "ids")
		var facts []fact
		for range rapid.IntRange(1, 40).Draw(t, "facts") {
			if f := n.drawFact(t); f.mutation == nil || f.mutation.Kind != topics.KindTouch {
				facts = append(facts, f)
			}
		}
		r.foldInOrder(facts, 5)
		end := len(r.log)
		for _, f := range facts {
			r.send(0, f.mutation, f.order)
		}
		r.fold(state.InputMutations, len(facts))
		r.fold(state.InputOrders, len(facts))
		if records := r.commit(); len(records) > 0 {
			t.Errorf("got availability records %+v of repeats", records)
		}
		for _, l := range r.log[end:] {
			if l.key != nil && !state.IsTaskKey(l.key) {
				t.Errorf("got changelog record %q of repeats", l.key)
			}
		}
		r.close()
	})
}

func delta(sku, id string, version int64, qty topics.Quantity) *topics.Mutation {
	return &topics.Mutation{
		SKU: sku, LineID: id, Version: version, Warehouse: "JKT", Qty: qty, EffectiveAt: topics.TimeOf(start),
	}
}

func order(sku, id string, version int64, qty topics.Quantity) *topics.Order {
	return &topics.Order{
		SKU: sku, OrderLineID: id, OrderID: "SO-" + id, Version: version, Warehouse: "JKT", Status: topics.OrderOpen,
		OrderedQty: qty, OrderedAt: topics.TimeOf(start),
	}
}

// direct folds what no input can carry, for instance quantities that only sums reach.
func (r *rig) direct(f fact) (state.Outcome, *topics.Reject) {
	r.tb.Helper()
	a := &state.Arrival{Topic: "stock.any", Time: topics.TimeOf(start)}
	var o state.Outcome
	var reject *topics.Reject
	var err error
	if f.order != nil {
		o, reject, err = r.task.Order(f.order, a)
	} else {
		o, reject, err = r.task.Mutation(f.mutation, a)
	}
	r.must(err)
	return o, reject
}

// refuse folds an event that must be refused for a reason.
func (r *rig) refuse(f fact, why topics.Reason) *topics.Reject {
	r.tb.Helper()
	o, reject := r.direct(f)
	if o != state.DeadLettered || reject == nil || reject.Reason != why {
		r.tb.Fatalf("got %s %+v, want a dead letter of %s", o, reject, why)
	}
	return reject
}

func (r *rig) accept(f fact) {
	r.tb.Helper()
	if o, reject := r.direct(f); o != state.Applied {
		r.tb.Fatalf("%s: got %s %+v, want it applied", f.identity(), o, reject)
	}
}

func TestFold_OfOneVersionWithTwoContentsTheFirstWins(t *testing.T) {
	r := newRig(t, state.Policy{})
	defer r.close()
	first, second := delta("A", "L", 7, 5*topics.One), delta("A", "L", 7, 6*topics.One)
	r.accept(fact{mutation: first})
	reject := r.refuse(fact{mutation: second}, topics.ReasonVersionConflict)
	if want := `line_id: "L" has version 7 already, with other content; the first one stays`; reject.Message != want {
		t.Errorf("got message %q, want %q", reject.Message, want)
	}
	r.accept(fact{order: order("A", "O", 3, topics.One)})
	other := order("A", "O", 3, topics.One)
	other.Store = "shopee"
	reject = r.refuse(fact{order: other}, topics.ReasonVersionConflict)
	if want := `order_line_id: "O" has version 3 already, with other content; the first one stays`; reject.Message != want {
		t.Errorf("got message %q, want %q", reject.Message, want)
	}
	note := *first
	note.Note, note.Reason, note.VoucherNo = "other words", "manual", "V-9"
	if o, _ := r.direct(fact{mutation: &note}); o != state.Duplicate {
		t.Errorf("got %s for other words about the same line, want a duplicate", o)
	}
	r.shallow = true
	r.commit()
	want := "A actual 5 reserved 1 net 4 available 4\nA JKT actual 5 reserved 1 net 4 available 4\n"
	if got := r.stockText(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Ensure that a refused event leaves no trace: with or without it, the changelog has the same bytes.
func TestFold_RefusalsLeaveNoTrace(t *testing.T) {
	const half = topics.Quantity(1 << 62)
	at := func(warehouse string, m *topics.Mutation) fact { m.Warehouse = warehouse; return fact{mutation: m} }
	from := func(store, warehouse string, o *topics.Order) fact {
		o.Store, o.Warehouse = store, warehouse
		return fact{order: o}
	}
	linked := delta("A", "L1", 2, half-5)
	linked.OrderLineID = "O-new"
	before := []fact{
		at("JKT", delta("A", "L1", 1, half)), at("JKT", delta("A", "L2", 1, half-1)),
		from("shopee", "JKT", order("A", "O1", 1, half)), from("", "JKT", order("A", "O2", 1, half-2)),
	}
	refused := []fact{
		at("JKT", delta("A", "L3", 1, 1)),
		at("SUB", delta("A", "L3", 1, half)),
		at("JKT", delta("A", "L2", 2, half)),
		from("shopee", "JKT", order("A", "O3", 1, 2)),
		from("tokopedia", "SUB", order("A", "O3", 1, half)),
		from("tokopedia", "MES", order("A", "O1", 2, half+2)),
		at("NEW", func() *topics.Mutation {
			m := delta("A", "L4", 1, half)
			m.OrderLineID, m.IsReturn = "O-new", true
			return m
		}()),
	}
	after := []fact{
		at("SUB", delta("A", "L5", 1, -half)), from("tokopedia", "SUB", order("A", "O4", 1, 1)),
		{mutation: linked},
	}
	changelog := func(with bool) (log []logged, cached, replaced int) {
		r := newRig(t, state.Policy{ReturnsReserve: true})
		defer r.close()
		r.shallow = true
		for _, commit := range []bool{false, true} { // refused within the commit, and after it
			for _, f := range before {
				if !commit {
					r.accept(f)
				}
			}
			if commit {
				r.commit()
			}
			for _, f := range refused {
				if with {
					r.refuse(f, topics.ReasonOverflow)
				}
			}
		}
		for _, f := range after {
			r.accept(f)
		}
		r.commit()
		return r.log, state.CacheUsed(r.task), state.Replaced(r.task, "A")
	}
	withLog, withBytes, withReplaced := changelog(true)
	log, bytes, replaced := changelog(false)
	if diff := cmp.Diff(withLog, log, cmp.AllowUnexported(logged{})); diff != "" {
		t.Errorf("changelog: got -, want what it is without the refused events +\n%s", diff)
	}
	if withBytes != bytes || withReplaced != replaced {
		t.Errorf("got %d bytes in the cache and %d replaced entries, want %d and %d",
			withBytes, withReplaced, bytes, replaced)
	}
}

func TestFold_ASKUThatIsTooWideTakesNoNewNames(t *testing.T) {
	r := newRig(t, state.Policy{})
	defer r.close()
	r.shallow = true
	name := func(n int) string { return strings.Repeat("x", 130) + fmt.Sprint(n) }
	wide := 0
	widen := func() (state.Outcome, *topics.Reject) {
		m := delta("A", fmt.Sprint(wide), 1, topics.One)
		m.Warehouse = name(wide)
		wide++
		return r.direct(fact{mutation: m})
	}
	header := func() int {
		t.Helper()
		chunks := r.chunksOf("A")
		h, err := state.HeaderOf([]byte(chunks[slices.Max(slices.Collect(maps.Keys(chunks)))]))
		r.must(err)
		return len(h)
	}
	for size := 0; size <= 512<<10; {
		accepted := 0
		for o := state.Applied; o == state.Applied; accepted++ {
			o, _ = widen()
		}
		if wide--; accepted == 1 {
			t.Fatalf("got a refusal at %d bytes, want none up to 512 KiB", size)
		}
		r.commit() // what is still to be encoded is guessed on the safe side; now its size is known
		if size = header(); size > 513<<10 {
			t.Fatalf("got no refusal up to %d bytes", size)
		}
	}
	before := r.chunksOf("A")
	m := delta("A", "new", 1, topics.One)
	m.Warehouse = "new"
	reject := r.refuse(fact{mutation: m}, topics.ReasonSKUTooWide)
	if !strings.HasPrefix(reject.Message, `warehouse: "new" would be one more for "A"`) {
		t.Errorf("got message %q", reject.Message)
	}
	o := order("A", "O", 1, topics.One)
	o.Warehouse, o.Store = name(0), "new"
	reject = r.refuse(fact{order: o}, topics.ReasonSKUTooWide)
	if !strings.HasPrefix(reject.Message, `store: "new" would be one more for "A"`) {
		t.Errorf("got message %q", reject.Message)
	}
	o.Warehouse, o.Store = "new", ""
	r.refuse(fact{order: o}, topics.ReasonSKUTooWide)
	r.commit()
	if diff := cmp.Diff(r.chunksOf("A"), before); diff != "" {
		t.Errorf("refused events changed the changelog:\n%s", diff)
	}
	o.Warehouse = name(7)
	r.accept(fact{order: o})
	r.accept(fact{mutation: delta("B", "L", 1, topics.One)})
	r.commit()
	if got := len(r.snapshots()[0].Warehouses); got != wide {
		t.Errorf("got %d warehouses, want %d", got, wide)
	}
}

// Ensure that overflow is named before sku_too_wide when both hold.
func TestFold_OverflowComesBeforeTooWide(t *testing.T) {
	r := newRig(t, state.Policy{})
	defer r.close()
	r.shallow = true
	for i := range 3203 {
		m := delta("A", fmt.Sprint(i), 1, 0)
		m.Warehouse = strings.Repeat("x", 136) + fmt.Sprint(i)
		r.accept(fact{mutation: m})
	}
	r.accept(fact{mutation: delta("A", "L", 1, 1<<62)})
	r.commit() // the header's real size is less than was guessed
	for i := 3203; ; i++ {
		m := delta("A", fmt.Sprint(i), 1, 0)
		m.Warehouse = strings.Repeat("x", 136) + fmt.Sprint(i)
		if o, _ := r.direct(fact{mutation: m}); o != state.Applied {
			break
		}
	}
	r.accept(fact{mutation: delta("A", "L2", 1, 1<<62-1)})
	m, o := delta("A", "new", 1, 1), order("A", "O", 1, 1)
	m.Warehouse, o.Warehouse = "new", "new"
	r.refuse(fact{mutation: m}, topics.ReasonOverflow)
	r.refuse(fact{order: o}, topics.ReasonSKUTooWide)
	o.OrderedQty = 1 << 62
	r.accept(fact{mutation: delta("A", "L", 2, -1<<62)})
	r.accept(fact{mutation: delta("A", "L2", 2, -1<<62)})
	r.refuse(fact{order: o}, topics.ReasonOverflow)
	r.commit()
}
