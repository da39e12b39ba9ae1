package state_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// aging runs one partition through months: it folds events at the times they are given, lets nights pass
// as the processor does, and holds the state against the oracle, which never forgets.
type aging struct {
	t         testing.TB
	policy    state.Policy
	retention time.Duration
	now       time.Time
	store     *state.Store
	task      *state.Task

	log     []state.Change // the changelog; offset is index
	inputs  [2][]*kgo.Record
	refused map[testenv.Place]topics.Reason
	done    state.Collapsed // all that was collapsed
}

const agingPartition = 3

func newAging(tb testing.TB) *aging {
	tb.Helper()
	a := &aging{
		t: tb, policy: state.Policy{ReturnsReserve: true}, retention: 45 * 24 * time.Hour,
		now: time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC), refused: map[testenv.Place]topics.Reason{},
	}
	a.store, a.task = a.open()
	a.task.Stage(state.TaskRecord{Writer: "aging", Partitions: 1, Policy: a.policy, WalkEnded: true})
	return a
}

// open makes an empty store and replays the changelog into it.
func (a *aging) open() (*state.Store, *state.Task) {
	a.t.Helper()
	store, err := state.Open(state.Config{Dir: "aging", FS: vfs.NewMem()})
	if err != nil {
		a.t.Fatal(err)
	}
	task, err := store.OpenTask(a.t.Context(), agingPartition, a.policy, a.now)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(a.log) > 0 {
		if err := task.Replay(a.log, int64(len(a.log)), a.now); err != nil {
			a.t.Fatal(err)
		}
	}
	a.t.Cleanup(func() {
		if err := task.Close(); err != nil {
			a.t.Error(err)
		}
		if err := store.Close(); err != nil {
			a.t.Error(err)
		}
	})
	return store, task
}

// fold folds an event that arrives now, and tells what became of it: a reason, or the outcome.
func (a *aging) fold(e testenv.Event) string {
	a.t.Helper()
	input := state.InputMutations
	if e.Topic == topics.Orders {
		input = state.InputOrders
	}
	r := &kgo.Record{
		Topic: topics.DefaultPrefix.Name(e.Topic), Key: e.Key, Value: e.Value, Timestamp: a.now,
		Offset: int64(len(a.inputs[input])),
	}
	a.inputs[input] = append(a.inputs[input], r)
	arrival := &state.Arrival{Topic: r.Topic, Offset: r.Offset, Time: topics.TimeOf(a.now)}
	var m topics.Mutation
	var o topics.Order
	var outcome state.Outcome
	var reject *topics.Reject
	var err error
	if input == state.InputMutations {
		if reject = topics.DecodeMutation(r.Key, r.Value, 0, &m); reject == nil {
			outcome, reject, err = a.task.Mutation(&m, arrival)
		}
	} else if reject = topics.DecodeOrder(r.Key, r.Value, 0, &o); reject == nil {
		outcome, reject, err = a.task.Order(&o, arrival)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	if reject == nil {
		a.task.Passed(input, r.Offset, 0, arrival.Time, outcome)
		return outcome.String()
	}
	a.task.Passed(input, r.Offset, 0, arrival.Time, state.DeadLettered)
	if reject.Reason == topics.ReasonTooLate {
		a.refused[testenv.Place{Topic: e.Topic, Offset: r.Offset}] = reject.Reason
	}
	return string(reject.Reason)
}

// do folds events in the words of the scenarios (testenv's fold.txt) and commits them together. It
// returns what became of each, applied left out.
func (a *aging) do(lines ...string) string {
	a.t.Helper()
	var outcomes []string
	for _, e := range scenario(a.t, lines...) {
		if outcome := a.fold(e); outcome != state.Applied.String() {
			outcomes = append(outcomes, outcome)
		}
	}
	a.commit()
	return strings.Join(outcomes, " ")
}

// scenario reads events in the words of the scenarios.
func scenario(tb testing.TB, lines ...string) []testenv.Event {
	tb.Helper()
	all, err := testenv.ParseScenarios("== aging\n" + strings.Join(lines, "\n"))
	if err != nil {
		tb.Fatal(err)
	}
	var events []testenv.Event
	for _, in := range all[0].Inputs {
		events = append(events, in.Event())
	}
	return events
}

// stock returns a SKU's numbers as they are.
func (a *aging) stock(sku string) string {
	a.t.Helper()
	s, _, err := state.Inspect(a.task, sku)
	if err != nil {
		a.t.Fatal(err)
	}
	return testenv.FormatStock(&s.Availability)
}

// horizon returns what a SKU's header says of its horizon.
func (a *aging) horizon(sku string) (*state.Snapshot, state.HorizonView) {
	a.t.Helper()
	s, h, err := state.Inspect(a.task, sku)
	if err != nil {
		a.t.Fatal(err)
	}
	return s, h
}

// commit commits the overlay and returns its availability records.
func (a *aging) commit() []state.Output {
	a.t.Helper()
	var records []state.Output
	a.task.Prepare(a.now, func(o state.Output) {
		o.Key, o.Value = bytes.Clone(o.Key), bytes.Clone(o.Value)
		if o.Kind == state.ToChangelog {
			a.log = append(a.log, state.Change{Key: o.Key, Value: o.Value})
			return
		}
		records = append(records, o)
	})
	if err := a.task.Committed(int64(len(a.log))-1, a.now); err != nil {
		a.t.Fatal(err)
	}
	return records
}

// before is the day that a collapse at this moment is given.
func (a *aging) before() int32 { return topics.TimeOf(a.now.Add(-a.retention)).UTCDay() }

// night collapses everything that is old, in one commit or, with some rate, in many.
func (a *aging) night() state.Collapsed {
	a.t.Helper()
	var done state.Collapsed
	oldest, ok, err := a.task.OldestDay(0, a.before())
	if err != nil {
		a.t.Fatal(err)
	}
	for after := ""; ok; {
		skus := a.active(oldest, a.before()-1, after, 3)
		if len(skus) == 0 {
			break
		}
		after = skus[len(skus)-1]
		for _, sku := range skus {
			c, err := a.task.Collapse(sku, a.before())
			if err != nil {
				a.t.Fatal(err)
			}
			done.Lines, done.Orders = done.Lines+c.Lines, done.Orders+c.Orders
		}
		for _, r := range a.commit() {
			if strings.Contains(string(r.Value), `"trigger":"nightly"`) {
				a.t.Fatalf("C1: a collapse emits %s", r.Value)
			}
		}
	}
	if err := a.task.ForgetDays(a.before()); err != nil {
		a.t.Fatal(err)
	}
	a.done.Lines, a.done.Orders = a.done.Lines+done.Lines, a.done.Orders+done.Orders
	return done
}

// truth is what the oracle makes of all events.
func (a *aging) truth() *testenv.Truth {
	a.t.Helper()
	truth, err := testenv.Refold(slices.Concat(a.inputs[0], a.inputs[1]), testenv.RefoldConfig{
		Policy: a.policy, Partitions: []int32{1}, Refused: a.refused,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return truth
}

// check holds the state against the oracle (C1, C2), the frontiers against the clock (C3) and a restore
// against the memory (C4). The overlay must be empty.
func (a *aging) check() {
	a.t.Helper()
	reader := state.NewReader(a.policy)
	for _, c := range a.log {
		if err := reader.Apply(c.Key, c.Value); err != nil {
			a.t.Fatal(err)
		}
	}
	_, restored := a.open()
	for sku, want := range a.truth().Items {
		got, ok, err := reader.Snapshot(sku)
		if err != nil || !ok {
			a.t.Fatalf("%s: is not in the changelog: %v", sku, err)
		}
		want.Collapse(got, a.policy)
		if faults := want.CollapseFaults(a.retention-24*time.Hour, topics.TimeOf(a.now)); len(faults) > 0 {
			a.t.Errorf("%s: %q", sku, faults)
		}
		text := testenv.FormatStock(&topics.Availability{
			SKU: sku, Actual: want.Actual, Reserved: want.Reserved, Net: want.Net, Available: want.Available,
			Warehouses: want.Warehouses, OrdersFrom: got.OrdersFrom,
		})
		if diff := cmp.Diff(testenv.FormatStock(&got.Availability), text); diff != "" {
			a.t.Errorf("%s: got -, want what was never collapsed +\n%s", sku, diff)
		}
		if differences, err := reader.Audit(sku); err != nil || len(differences) > 0 {
			a.t.Errorf("audit: %q, %v", differences, err)
		}
		held, horizon, err := state.Inspect(a.task, sku)
		if err != nil {
			a.t.Fatal(err)
		}
		again, restoredHorizon, err := state.Inspect(restored, sku)
		if err != nil {
			a.t.Fatal(err)
		}
		if diff := cmp.Diff(again, held, cmpopts.EquateEmpty()); diff != "" {
			a.t.Errorf("C4: %s: restored -, in memory +\n%s", sku, diff)
		}
		if diff := cmp.Diff(restoredHorizon, horizon); diff != "" {
			a.t.Errorf("C4: horizon of %s: restored -, in memory +\n%s", sku, diff)
		}
		if horizon.Orders.UTCDay() >= a.before() && !horizon.Orders.IsZero() {
			a.t.Errorf("C3: %s: order frontier %s, want before day %d", sku, horizon.Orders, a.before())
		}
	}
	a.checkStored()
}

// checkStored holds the store against the changelog: a tombstone takes its chunk away, and there is one for
// each chunk that is dead.
func (a *aging) checkStored() {
	a.t.Helper()
	want := map[string]bool{}
	for _, c := range a.log {
		want[string(c.Key)] = c.Value != nil
	}
	for key, live := range want {
		sku, chunk, ok := strings.Cut(key, "\x00")
		if !ok {
			continue // the task record
		}
		if _, h := a.horizon(sku[1:]); live && binary.BigEndian.Uint32([]byte(chunk)) < h.FirstLive {
			a.t.Errorf("chunk %q is in the changelog, the first live one is %d", key, h.FirstLive)
		}
	}
	got := map[string]bool{}
	if err := a.task.Rollback(); err != nil { // writes what is pending
		a.t.Fatal(err)
	}
	if err := a.store.Each(agingPartition, func(key, _ []byte) error {
		got[string(key)] = true
		return nil
	}); err != nil {
		a.t.Fatal(err)
	}
	for key, live := range want {
		if got[key] != live {
			a.t.Errorf("chunk %q: got in the store %v, want %v", key, got[key], live)
		}
	}
}

// later lets time pass.
func (a *aging) later(d time.Duration) { a.now = a.now.Add(d) }

const day = 24 * time.Hour
