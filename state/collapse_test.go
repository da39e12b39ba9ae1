package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure weeks of a realistic upstream come to the same numbers with and without collapses, whatever is
// folded after them (C1 to C4). What may not happen within the rules is left out: a line that did not
// change for the retention and is re-dated then.
func TestCollapse_ChangesNothingThatIsFoldedLater(t *testing.T) {
	var lines, orders, refused int
	for seed := range uint64(5) {
		cfg := testenv.RealisticWorkload(seed)
		cfg.SKUs, cfg.Zipf, cfg.Step, cfg.WrongPartition, cfg.Garbage = 25, 1.3, 22*time.Minute, 0, 0
		a := newAging(t)
		a.retention = 20 * day
		a.policy.ReturnsReserve, a.policy.OnHoldReserves = seed%2 == 0, seed%3 == 0
		a.store, a.task = a.open()
		a.task.Stage(state.TaskRecord{Partitions: 1, Policy: a.policy, WalkEnded: true})
		cfg.Start = a.now
		w := testenv.NewWorkload(cfg)
		last := map[string]time.Time{} // when a line changed last
		for i := range 2500 {
			a.later(22 * time.Minute)
			e := w.Next()
			var m topics.Mutation
			if e.Topic == topics.Mutations && topics.DecodeMutation(e.Key, e.Value, 0, &m) == nil && m.LineID != "" {
				id := strings.Clone(m.LineID)
				if at, ok := last[id]; ok && a.now.Sub(at) > a.retention-3*day {
					continue // the producer's duty
				}
				last[id] = a.now
			}
			a.fold(e)
			if i%7 == 0 {
				a.commit()
			}
			if i%150 == 149 {
				a.night() // mostly on top of an overlay
			}
			if i%1200 == 1199 {
				a.commit()
				a.check()
			}
		}
		a.commit()
		a.check()
		lines, orders, refused = lines+a.done.Lines, orders+a.done.Orders, refused+len(a.refused)
	}
	if lines < 500 || orders < 250 || refused < 10 {
		t.Errorf("got %d lines and %d order lines collapsed, %d records refused: that shows little", lines, orders, refused)
	}
}

func TestCollapse_TakesTheLongestOldPrefixIntoTheBases(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 JKT +100 02T09:00", "count A C1 1 JKT 40 03T09:00", "delta A L2 1 JKT -4 04T09:00",
		"delta A L3 1 SUB +7 04T10:00", "delta A L4 1 SUB +9 06T10:00", "delta A L5 1 JKT -1 07T09:00 cancelled")
	a.later(day)
	a.do("delta A L6 1 SUB -2 05T09:00") // posted between them, and young
	before := a.stock("A")
	a.later(44 * day)
	if done := a.night(); done != (state.Collapsed{}) {
		t.Errorf("after 45 days to the hour: got %+v collapsed, want nothing: a day counts when it is over", done)
	}
	a.later(day)
	if done, want := a.night(), (state.Collapsed{Lines: 4}); done != want {
		t.Errorf("got %+v, want %+v: L4 and L5 come after a line that is young", done, want)
	}
	if got := a.stock("A"); got != before {
		t.Errorf("C1: got\n%swant\n%s", got, before)
	}
	s, h := a.horizon("A")
	want := state.HorizonView{
		Lines: "2026-01-04T10:00:00Z 0 L3", FirstLive: 2, Kept: map[string]string{}, Newest: map[string]string{},
		Bases: map[string]string{"JKT": "36 2026-01-03T09:00:00Z 0 C1 map[]", "SUB": "7  map[]"},
	}
	if diff := cmp.Diff(h, want); diff != "" {
		t.Errorf("horizon: got -, want +\n%s", diff)
	}
	if len(s.Lines) != 3 || s.Chunks != 1 {
		t.Errorf("got %d lines in %d chunks, want 3 in one", len(s.Lines), s.Chunks)
	}
	a.check()
	a.later(day)
	if done, want := a.night(), (state.Collapsed{Lines: 3}); done != want {
		t.Errorf("the next night: got %+v, want %+v", done, want)
	}
	if s, h := a.horizon("A"); len(s.Lines) != 0 || s.Chunks != 0 || h.Bases["SUB"] != "14  map[]" {
		t.Errorf("got %+v and %+v, want no line left", s, h)
	}
	a.check()
	if done := a.night(); done != (state.Collapsed{}) {
		t.Errorf("again: got %+v, want nothing: the days are forgotten", done)
	}
	a.do("delta A L9 1 JKT -6 2026-03-01T09:00:00Z", "count A C9 1 SUB 3 2026-03-02T09:00:00Z")
	a.check()
}

func TestCollapse_RefusesWhatMayBeARepeat(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 JKT +100 02T09:00", "count A C1 1 JKT 40 03T09:00", "delta A L2 1 JKT -4 04T09:00",
		"delta A B1 1 SUB +5 02T09:00")
	a.later(40 * day)
	a.do("delta A L3 1 JKT -1 2026-02-19T09:00:00Z", "count A C3 1 SUB 8 2026-02-19T10:00:00Z")
	a.later(6 * day)
	if done := a.night(); done.Lines != 4 {
		t.Fatalf("got %+v, want 4 lines", done)
	}
	for _, c := range []struct{ event, want string }{
		{"delta A L1 1 JKT +100 02T09:00", "too_late"}, // a repeat
		{"delta A L2 2 JKT -5 04T09:00", "too_late"},   // a later version
		{"delta A L2 2 JKT -4 04T09:00 cancelled", "too_late"},
		{"delta A L7 1 MES +1 04T08:59", "too_late"},        // another warehouse: the frontier is the SKU's
		{"delta A L7 1 JKT +1 04T09:00 seq=-1", "too_late"}, // a tie of the time, before it
		{"count A C3 2 SUB 8 04T08:00", "too_late"},         // held, and a count
		{"delta A M7 1 JKT +1 04T09:00", ""},                // after it by its id
		{"delta A L3 2 JKT -2 03T12:00", ""},                // held, after the base's newest count: it counts
		{"delta A L3 3 JKT -2 03T08:00", ""},                // held, before it: it adds nothing
		{"delta A C3 3 SUB +8 02T10:00", ""},                // held, no count any more
		{"delta B L1 1 JKT +1 02T09:00", ""},                // a SKU without a frontier takes any age
	} {
		if got := a.do(c.event); got != c.want {
			t.Errorf("%s: got %q, want %q", c.event, got, c.want)
		}
		a.check()
	}
	want := "A actual 50 reserved 0 net 50 available 50\n" + // 40 - 4 + 1, and 5 + 8
		"A JKT actual 37 reserved 0 net 37 available 37\nA SUB actual 13 reserved 0 net 13 available 13\n"
	if got := a.stock("A"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	a.later(46 * day)
	if done := a.night(); done.Lines != 4 {
		t.Errorf("got %+v, want L3, M7, C3 and B's line", done)
	}
	if got := a.stock("A"); got != want {
		t.Errorf("C1: got\n%swant\n%s", got, want)
	}
	a.check()
}

func TestCollapse_TakesOrderLinesThatAreOver(t *testing.T) {
	a := newAging(t)
	var events []string
	for i, status := range []string{"closed", "cancelled", "removed", "open", "on_hold", "draft", "open"} {
		events = append(events, fmt.Sprintf("order A O%d 1 JKT %s 10 store=web at=%02dT09:00", i, status, i+1))
	}
	a.do(append(events, "delta A R1 1 JKT +50 01T08:00", "delta A S0 1 JKT -3 08T09:00 for=O0",
		"delta A S3 1 JKT -10 08T10:00 for=O3", "delta A S6 1 SUB -4 08T11:00 for=O6")...)
	before := a.stock("A")
	a.later(46 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 4, Orders: 4}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if got := a.stock("A"); got != before {
		t.Errorf("C1: got\n%swant\n%s", got, before)
	}
	s, h := a.horizon("A")
	if ids := idsOf(s.Orders); !slices.Equal(ids, []string{"O4", "O5", "O6"}) {
		t.Errorf("got order lines %q held, want O4, O5 and O6", ids)
	}
	if diff := cmp.Diff(h.Bases["JKT"], "37  map[web:13]"); diff != "" {
		t.Errorf("base: got -, want +\n%s", diff)
	}
	if diff := cmp.Diff(h.Kept, map[string]string{"O6": "4 0"}); diff != "" {
		t.Errorf("kept by order lines: got -, want +\n%s", diff)
	}
	if got := h.Orders.String(); got != "2026-01-04T09:00:00Z" {
		t.Errorf("order frontier: got %s, want O3's time", got)
	}
	a.check()
	for _, c := range []struct{ event, want string }{
		{"order A O3 1 JKT open 10 store=web at=04T09:00", "too_late"},
		{"order A O9 1 JKT open 10 store=web at=03T09:00", "too_late"},
		{"delta A V3 1 JKT +2 2026-02-20T09:00:00Z for=O3 return", ""}, // changes Actual only
		{"order A O3 2 JKT open 10 store=web at=04T09:00", "too_late"}, // a return does not bring it back
		{"order A O4 2 JKT open 10 store=web at=05T09:00", ""},
		{"order A O9 1 JKT open 1 store=web at=04T09:01", ""},
	} {
		if got := a.do(c.event); got != c.want {
			t.Errorf("%s: got %q, want %q", c.event, got, c.want)
		}
		a.check()
	}
	want := "A actual 35 reserved 17 net 18 available 18\nA JKT actual 39 reserved 17 net 22 available 22\n" +
		"A JKT web reserved 17 taken 34\nA SUB actual -4 reserved 0 net -4 available 0\nA orders_from web\n"
	if got := a.stock("A"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func idsOf(orders []state.OrderLine) []string {
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

// Ensure an order line that arrives after its shipments were collapsed finds what they delivered, as long
// as one of them is young; and that its going keeps it from coming later.
func TestCollapse_KeepsWhatWasDeliveredOnOrderLinesThatHaveNotArrived(t *testing.T) {
	a := newAging(t)
	a.do("delta A S1 1 JKT -3 02T09:00 for=O1", "delta A S2 1 JKT -1 03T09:00 for=O2", "delta A S3 1 JKT -2 02T08:00 for=O3",
		"order A O9 1 JKT cancelled 1 at=05T09:00")
	a.later(40 * day)
	a.do("delta A S4 1 JKT -2 2026-02-19T09:00:00Z for=O1", "delta A S5 1 JKT -2 2026-02-19T10:00:00Z for=O2")
	a.later(6 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 3, Orders: 2}); done != want {
		t.Errorf("got %+v, want %+v: O3 is named by nothing that is left", done, want)
	}
	_, h := a.horizon("A")
	if diff := cmp.Diff(h.Kept, map[string]string{
		"O1": "3 0 2026-01-02T09:00:00Z 20463", "O2": "1 0 2026-01-03T09:00:00Z 20463",
	}); diff != "" {
		t.Errorf("kept: got -, want +\n%s", diff)
	}
	if got := h.Orders.String(); got != "2026-01-05T09:00:00Z" {
		t.Errorf("order frontier: got %s, want O9's time", got)
	}
	a.check()
	for _, c := range []struct{ event, want string }{
		{"order A O3 1 JKT open 10 at=01T09:00", "too_late"},
		{"order A O1 1 JKT open 10 at=01T09:00", ""},     // held, so it is late and not a repeat: 5 of 10 delivered
		{"delta A S5 2 JKT -2 2026-02-19T10:00:00Z", ""}, // names O2 no longer
	} {
		if got := a.do(c.event); got != c.want {
			t.Errorf("%s: got %q, want %q", c.event, got, c.want)
		}
		a.check()
	}
	if got := a.stock("A"); !strings.HasPrefix(got, "A actual -10 reserved 5 ") {
		t.Errorf("got %s, want -10 and 5", got)
	}
	a.later(46 * day)
	a.night()
	s, h := a.horizon("A")
	if ids := idsOf(s.Orders); !slices.Equal(ids, []string{"O1"}) || h.Kept["O1"] != "5 0" {
		t.Errorf("got order lines %q and %v, want O1 alone with 5 delivered", ids, h.Kept)
	}
	a.check()
}

func TestCollapse_RaisesTheOrderFrontierByOrderLinesThatNeverArrived(t *testing.T) {
	a := newAging(t)
	a.do("delta A S1 1 JKT -3 02T09:00 for=O1", "delta A S2 1 JKT -1 02T10:00 for=O1")
	a.later(day)
	a.do("delta A S3 1 JKT -1 03T09:00 for=O1") // holds O1 for a day longer
	a.later(45 * day)
	a.night()
	if _, h := a.horizon("A"); !h.Orders.IsZero() {
		t.Errorf("held: got order frontier %s, want none", h.Orders)
	}
	a.do("delta A S3 2 JKT -1 03T09:00") // names nothing any more: what O1 kept is as old as S2
	a.later(46 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 1, Orders: 1}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if _, h := a.horizon("A"); h.Orders.String() != "2026-01-02T10:00:00Z" {
		t.Errorf("got order frontier %s, want the time of S2", h.Orders)
	}
	a.check()
}

// Ensure corrections that make what was kept zero leave nothing of an order line that has not arrived.
func TestCollapse_KeepsNothingOfWhatComesToZero(t *testing.T) {
	a := newAging(t)
	a.do("delta A S1 1 JKT -5 02T09:00 for=O1")
	a.later(10 * day)
	a.do("delta A S2 1 JKT +5 03T09:00 for=O1")
	a.later(10 * day)
	a.do("delta A S3 1 JKT -1 04T09:00 for=O1")
	a.later(26 * day)
	a.night()
	if _, h := a.horizon("A"); h.Kept["O1"] != "5 0 2026-01-02T09:00:00Z 20463" {
		t.Errorf("got %v kept, want 5", h.Kept)
	}
	a.check()
	a.later(10 * day)
	a.night()
	if _, h := a.horizon("A"); len(h.Kept) != 0 {
		t.Errorf("got %v kept, want nothing", h.Kept)
	}
	a.check()
}

// Ensure what still reserves stays, whatever was delivered: here a return that was booked the wrong way.
func TestCollapse_LeavesAnOrderLineThatStillReserves(t *testing.T) {
	a := newAging(t)
	a.policy.ReturnsReserve = false
	a.store, a.task = a.open()
	a.do("order A O1 1 JKT open 10 at=02T08:00", "delta A S1 1 JKT -7 02T09:00 for=O1",
		"delta A S2 1 JKT -3 02T10:00 for=O1 return")
	before := a.stock("A")
	a.later(46 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 2}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if got := a.stock("A"); got != before || !strings.Contains(got, "reserved 3") {
		t.Errorf("C1: got\n%swant\n%s", got, before)
	}
	a.check()
}

// Ensure a line that is so late that it is old when it comes may go in the commit that folds it.
func TestCollapse_TakesWhatTheSameCommitHasFolded(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 JKT +5 02T09:00", "order A O1 1 JKT closed 5 at=02T09:00")
	for _, e := range []string{
		"delta A L2 1 JKT +7 02T10:00", "delta A L1 2 JKT +6 02T09:00", "order A O2 1 JKT closed 5 at=02T10:00",
		"order A O1 2 JKT cancelled 5 at=02T09:00", "order A O3 1 JKT open 2 at=02T10:00",
	} {
		a.fold(scenario(t, e)[0])
	}
	a.later(46 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 2, Orders: 2}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if got := a.stock("A"); !strings.HasPrefix(got, "A actual 13 reserved 2 ") {
		t.Errorf("got %s, want 13 and 2", got)
	}
	a.check()
}

// Ensure a slip of the keyboard by years refuses nothing that comes after it (C3).
func TestCollapse_LeavesWhatIsDatedAhead(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 JKT +5 02T09:00", "delta A L2 1 JKT +7 2062-01-02T09:00:00Z",
		"order A O1 1 JKT cancelled 1 at=2062-01-02T09:00:00Z", "order A O2 1 JKT cancelled 1 at=02T09:00")
	a.later(60 * day)
	if done, want := a.night(), (state.Collapsed{Lines: 1, Orders: 1}); done != want {
		t.Errorf("got %+v, want %+v", done, want)
	}
	if got := a.do("delta A L3 1 JKT +1 2026-02-20T09:00:00Z", "order A O3 1 JKT open 1 at=2026-02-20T09:00:00Z"); got != "" {
		t.Errorf("got %q, want all applied", got)
	}
	a.check()
}

// Ensure a sum that would not fit is not made: the lines stay with the order line that they name, and so
// does every total. What comes later in effective order keeps Actual in its range here; with a count among
// the old lines, the sum of what was delivered is the one that would not fit.
func TestCollapse_LeavesASKUWhoseSumsWouldOverflow(t *testing.T) {
	for _, counted := range []bool{false, true} {
		a := newAging(t)
		post := func(id string, version int64, kind topics.MutationKind, qty topics.Quantity, after time.Duration) {
			m := topics.Mutation{
				SKU: "A", LineID: id, Version: version, Warehouse: "W", Kind: kind, Qty: qty,
				EffectiveAt: topics.TimeOf(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Add(after)),
			}
			switch {
			case id == "old":
				m.OrderLineID = "O2"
			case counted && kind == topics.KindDelta:
				m.OrderLineID = "O1"
			}
			if got := a.fold(testenv.Event{Topic: topics.Mutations, Key: []byte("A"), Value: m.AppendJSON(nil)}); got != "applied" {
				t.Fatalf("line %s: got %s", id, got)
			}
		}
		const more, fit = 9_300, 200 // times 1e9 units: 9,223 fit
		out := func(version int64) {
			for i := range fit {
				post(fmt.Sprint("out", i), version, topics.KindDelta, -topics.MaxQuantity, time.Hour)
			}
		}
		a.do("order A O2 1 W closed 5 at=02T00:00")
		post("old", 1, topics.KindDelta, -topics.One, 0)
		out(1)
		want := state.Collapsed{Lines: more + fit + 1, Orders: 1}
		if counted {
			a.do("order A O1 1 W closed 5 at=02T00:00")
			post("count", 1, topics.KindCount, topics.One, time.Minute)
			want.Lines, want.Orders = want.Lines+1, 2
		}
		for i := range more {
			post(fmt.Sprint("in", i), 1, topics.KindDelta, topics.MaxQuantity, 0)
		}
		a.commit()
		a.later(40 * day)
		out(2)
		a.commit()
		before := a.stock("A")
		a.later(6 * day)
		if done := a.night(); done != (state.Collapsed{}) {
			t.Errorf("counted %v: got %+v, want nothing", counted, done)
		}
		a.later(40 * day)
		if done := a.night(); done != want {
			t.Errorf("counted %v: with what keeps it in its range: got %+v, want %+v", counted, done, want)
		}
		if got := a.stock("A"); got != before {
			t.Errorf("C1: got %s, want %s", got, before)
		}
	}
}
