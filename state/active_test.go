package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/state"
	"stocksync/topics"
)

// today is the UTC day of the test's clock.
func (a *aging) today() int32 { return topics.TimeOf(a.now).UTCDay() }

func (a *aging) active(first, last int32, after string, n int) []string {
	a.t.Helper()
	skus, err := a.task.Active(first, last, after, n)
	if err != nil {
		a.t.Fatal(err)
	}
	return skus
}

func TestActive_ListsEachSKUOfTheDaysOnceAndGoesOnAfterOne(t *testing.T) {
	a := newAging(t)
	first := a.today()
	a.do("delta C L1 1 W +1 02T09:00", "delta A L1 1 W +1 02T09:00", "delta AB L1 1 W +1 02T09:00", "touch Z")
	a.later(day)
	a.do("order B O1 1 W draft 1", "delta A L2 1 W +1 02T09:00")
	a.later(day)
	a.do("delta A L2 1 W +1 02T09:00", "delta D L1 1 W +1 02T09:00", "touch C") // a duplicate and a touch count for nothing
	for _, c := range []struct {
		first, last int32
		after       string
		n           int
		want        string
	}{
		{first, first + 2, "", 9, "A AB B C D"},
		{first, first + 2, "", 2, "A AB"},
		{first, first + 2, "AB", 2, "B C"},
		{first, first + 2, "AA", 1, "AB"}, // a cursor need not be held
		{first, first + 2, "D", 9, ""},
		{first + 1, first + 2, "", 9, "A B D"},
		{first + 2, first + 2, "", 9, "D"},
		{first + 3, first + 9, "", 9, ""},
		{first + 2, first + 1, "", 9, ""},
	} {
		if got := strings.Join(a.active(c.first, c.last, c.after, c.n), " "); got != c.want {
			t.Errorf("active on days %d to %d, %d after %q: got %q, want %q",
				c.first-first, c.last-first, c.n, c.after, got, c.want)
		}
	}
	for _, c := range []struct{ from, before, want int32 }{
		{0, first + 9, first}, {first + 1, first + 9, first + 1}, {first + 2, first + 3, first + 2}, {0, first, -1}, {first + 3, first + 9, -1},
	} {
		day, ok, err := a.task.OldestDay(c.from, c.before)
		if err != nil || ok != (c.want >= 0) || ok && day != c.want {
			t.Errorf("oldest day from %d to before %d: got %d, %v, %v, want %d", c.from, c.before, day, ok, err, c.want)
		}
	}
	if err := a.task.ForgetDays(first + 1); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(a.active(first, first+2, "", 9), " "); got != "A B D" {
		t.Errorf("after the first day is forgotten: got %q", got)
	}
	_, a.task = a.open()
	if got := strings.Join(a.active(first, first+2, "", 9), " "); got != "A AB B C D" {
		t.Errorf("after a restore: got %q, want each SKU under the days of its entries again", got)
	}
}

func TestReemit_EmitsTheSameNumbersUnlessAnEventDoes(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 W +1 02T09:00", "delta B L1 1 W +1 02T09:00")
	a.later(time.Hour)
	all := scenario(t, "delta B L2 1 W +1 02T09:00")
	a.fold(all[0])
	for _, sku := range []string{"A", "B", "unknown"} {
		known, err := a.task.Reemit(sku)
		if err != nil || known != (sku != "unknown") {
			t.Errorf("%s: got %v, %v", sku, known, err)
		}
	}
	got := map[string]string{}
	for _, o := range a.commit() {
		r, err := topics.DecodeAvailability(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		got[r.SKU] = fmt.Sprint(r.Trigger, r.Changed, r.CausesTotal, r.Actual, r.Revision == a.now.UnixMilli())
	}
	if want := fmt.Sprint(topics.TriggerNightly, false, 0, topics.One, true); got["A"] != want {
		t.Errorf("A: got %s, want %s", got["A"], want)
	}
	if want := fmt.Sprint(topics.TriggerEvent, true, 1, 2*topics.One, true); got["B"] != want || len(got) != 2 {
		t.Errorf("got %v, want B %s and nothing more than A and B", got, want)
	}
	a.check()
}

// BenchmarkActive measures what it costs to list a million active SKUs, a tenth of them on three days, a
// thousand at a time: the index alone is read. BenchmarkReemit is what follows for each of them.
func BenchmarkActive(b *testing.B) {
	task, _ := benchTask(b, 1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		n, after := 0, ""
		for {
			skus, err := task.Active(100, 102, after, 1000)
			if err != nil {
				b.Fatal(err)
			}
			if len(skus) == 0 {
				break
			}
			n, after = n+len(skus), skus[len(skus)-1]
		}
		if n != 1_000_000 {
			b.Fatalf("listed %d SKUs", n)
		}
	}
}

// BenchmarkReemit re-emits SKUs that are not in the cache, a hundred in a commit.
func BenchmarkReemit(b *testing.B) {
	task, offset := benchTask(b, 200_000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if known, err := task.Reemit(benchSKU(i * 7919 % 200_000)); err != nil || !known {
			b.Fatal(known, err)
		}
		if i++; i%100 == 0 {
			offset = benchCommit(b, task, offset)
		}
	}
}

func benchSKU(i int) string { return fmt.Sprintf("SKU-%07d", i) }

func benchCommit(b *testing.B, task *state.Task, offset int64) int64 {
	b.Helper()
	task.Prepare(time.Now(), func(state.Output) { offset++ })
	if err := task.Committed(offset-1, time.Now()); err != nil {
		b.Fatal(err)
	}
	return offset
}

// benchTask returns a task with n SKUs: each has an event on the UTC day 102, a tenth on 100 and 101 too.
func benchTask(b *testing.B, n int) (*state.Task, int64) {
	b.Helper()
	store, err := state.Open(state.Config{Dir: "bench", FS: vfs.NewMem(), CacheBytes: 16 << 20})
	if err != nil {
		b.Fatal(err)
	}
	task, err := store.OpenTask(b.Context(), 0, state.Policy{}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := task.Close(); err != nil {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	var offset int64
	for d := range 3 {
		at := topics.TimeOf(time.Unix(int64(100+d)*86400, 0))
		step := 10
		if d == 2 {
			step = 1
		}
		for i := 0; i < n; i += step {
			m := topics.Mutation{
				SKU: benchSKU(i), LineID: fmt.Sprint("erp1/PR-", d, "/", i), Version: 1, Warehouse: "WH-JKT-01",
				Qty: topics.One, EffectiveAt: at, Reason: "purchase_receipt",
			}
			if o, _, err := task.Mutation(&m, &state.Arrival{Time: at}); err != nil || o != state.Applied {
				b.Fatal(o, err)
			}
			if i%10_000 == 9_999 {
				offset = benchCommit(b, task, offset)
			}
		}
		offset = benchCommit(b, task, offset)
	}
	return task, offset
}

func TestOtherPolicy_FindsWhatWasMadeWithAnother(t *testing.T) {
	a := newAging(t)
	for i := range 9_000 { // more than one look
		a.fold(scenario(t, fmt.Sprintf("order S%04d O1 1 W on_hold 2 store=web", i))[0])
	}
	a.do("order A O1 1 W on_hold 2 store=web", "delta A L1 1 W +5 02T09:00", "delta B L1 1 W +5 02T09:00")
	if got := a.otherPolicy(); len(got) != 0 {
		t.Errorf("got %d SKUs, want none: the policy is theirs", len(got))
	}
	a.policy.OnHoldReserves = true
	a.store, a.task = a.open()
	if got := a.otherPolicy(); len(got) != 9_002 || !slices.IsSorted(got) {
		t.Errorf("got %d SKUs, want all, in order", len(got))
	}
	for sku, want := range map[string]bool{"A": true, "B": false, "S0007": true} {
		if got, err := a.task.Revalue(sku); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", sku, got, err, want)
		}
	}
	for _, o := range a.commit() {
		if r, err := topics.DecodeAvailability(o.Value); err != nil || r.Trigger != topics.TriggerNightly || !r.Changed || r.Reserved != 2*topics.One {
			t.Errorf("got %s, %v", o.Value, err)
		}
	}
	if got := a.otherPolicy(); len(got) != 9_000 || slices.Contains(got, "A") || !slices.Contains(got, "B") {
		t.Errorf("got %d SKUs, want all but A and S0007", len(got))
	}
	if got, err := a.task.Revalue("A"); got || err != nil {
		t.Errorf("A again: got %v, %v", got, err)
	}
}

func (a *aging) otherPolicy() []string {
	a.t.Helper()
	var all []string
	for after := ""; ; {
		skus, next, err := a.task.OtherPolicy(after)
		if err != nil {
			a.t.Fatal(err)
		}
		all = append(all, skus...)
		if after = next; after == "" {
			return all
		}
	}
}

// Ensure `changed` compares with the record that is out, not with what another policy made of it in
// memory, and that a SKU of which only the stores' numbers differ goes out too.
func TestPolicy_ChangedComparesWithTheNewestRecord(t *testing.T) {
	a := newAging(t)
	a.do("order A O1 1 W on_hold 2 store=web", "order B O1 1 W on_hold 2 store=web", "delta C L1 1 W +5 02T09:00",
		"order D O1 1 W on_hold 2 store=web", "order D O2 1 W open 5 store=app", "delta D S1 1 W -3 02T09:00 for=O2",
		"delta D S2 1 W +2 02T10:00 for=O2 return")
	a.policy = state.Policy{OnHoldReserves: true} // what came back no longer reserves: two less, two more
	a.store, a.task = a.open()
	for _, sku := range []string{"A", "C"} {
		a.fold(scenario(t, "delta "+sku+" L9 1 X +0 02T09:00")[0])
	}
	for _, sku := range []string{"B", "C", "D"} {
		if got, err := a.task.Revalue(sku); got != (sku != "C") || err != nil {
			t.Errorf("%s: got %v, %v", sku, got, err)
		}
	}
	got := map[string]bool{}
	for _, o := range a.commit() {
		r, err := topics.DecodeAvailability(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		got[r.SKU] = r.Changed
	}
	if want := map[string]bool{"A": true, "B": true, "C": false, "D": false}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("changed: got %v, want %v", got, want)
	}
	if got := a.stock("D"); !strings.Contains(got, "W app reserved 2") || !strings.Contains(got, "W web reserved 2") {
		t.Errorf("D: got\n%s", got)
	}
	a.check()
}

// Ensure a SKU that a collapse rewrites under another policy goes out with it: afterwards nothing tells
// that its newest record shows other numbers.
func TestCollapse_EmitsASKUThatAnotherPolicyChanged(t *testing.T) {
	a := newAging(t)
	a.do("delta A L1 1 W +5 02T09:00", "order A O1 1 W on_hold 2 store=web")
	a.later(46 * day)
	a.policy.OnHoldReserves = true
	a.store, a.task = a.open()
	if _, err := a.task.Collapse("A", a.before()); err != nil {
		t.Fatal(err)
	}
	if records := a.commit(); len(records) != 1 || !strings.Contains(string(records[0].Value), `"reserved":2`) {
		t.Errorf("got %d records, want one with what is reserved now", len(records))
	}
}
