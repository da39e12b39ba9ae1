package state_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// partition is the one that a rig runs.
const partition = 5

// start is when the history of a rig begins.
var start = time.Date(2026, 1, 30, 20, 0, 0, 0, time.UTC)

func stamp() state.Stamp {
	return state.Stamp{ClusterID: "cluster-1", Prefix: "stock.", ChangelogID: "changelog-1"}
}

// rig runs one partition as the processor does, with slices for topics: it folds records through a
// Task, commits or aborts, crashes, and replays. After each commit it holds what the task hands out
// against the oracle.
type rig struct {
	tb         rapid.TB
	fs         *vfs.MemFS
	disk       func(vfs.FS) vfs.FS // what the store sees of fs; nil: fs
	logger     *fatalLogger        // the database's; nil: the one that ends the process
	policy     state.Policy
	cacheBytes int64
	store      *state.Store
	task       *state.Task
	now        time.Time
	batch      int // changelog offsets that one replay call takes

	inputs [2][]*kgo.Record // by state.InputMutations, state.InputOrders
	log    []logged         // the changelog: offset is index

	overlay  []folded // since the last commit
	verdicts map[testenv.Place]verdict
	last     map[string]topics.Availability // newest record of each SKU
	known    map[string]*knownSKU
	produced func(end int) // hears of the changelog's end; nil: nobody
	shallow  bool          // leave the oracle out: of commits, only the revisions are judged
}

// logged is one offset of the changelog; without a key it is a control record or was aborted.
type logged struct{ key, value []byte }

// verdict is what the task made of a record.
type verdict struct {
	outcome state.Outcome
	reason  topics.Reason
}

// folded is one record in the overlay.
type folded struct {
	place    testenv.Place
	at       topics.Time
	verdict  verdict
	mutation *topics.Mutation // one of the two is set
	order    *topics.Order
}

func (f *folded) sku() string {
	if f.order != nil {
		return f.order.SKU
	}
	return f.mutation.SKU
}

// knownSKU is what the order of arrival says of a SKU, which the oracle does not tell.
type knownSKU struct {
	firstSeen  topics.Time
	statuses   map[string]topics.OrderStatus // of order lines
	ordersFrom map[string]int64
	days       map[int32]bool // of accepted mutations and orders
}

func newRig(tb rapid.TB, policy state.Policy) *rig {
	tb.Helper()
	r := newClosedRig(tb, policy)
	r.open()
	return r
}

func newClosedRig(tb rapid.TB, policy state.Policy) *rig {
	return &rig{
		tb: tb, fs: memFS(), policy: policy, now: start, batch: 7, cacheBytes: 1 << 20,
		verdicts: map[testenv.Place]verdict{}, last: map[string]topics.Availability{}, known: map[string]*knownSKU{},
	}
}

// must ends the test on an error.
func (r *rig) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

// open opens store and task, and replays.
func (r *rig) open() {
	r.tb.Helper()
	var err error
	if r.logger != nil {
		r.store, err = state.OpenLogged(r.config(), r.logger)
	} else {
		r.store, err = state.Open(r.config())
	}
	r.must(err)
	r.openTask()
}

func (r *rig) config() state.Config {
	c := state.Config{Dir: "state", FS: r.fs, Stamp: stamp(), CacheBytes: r.cacheBytes}
	if r.disk != nil {
		c.FS = r.disk(r.fs)
	}
	return c
}

func (r *rig) openTask() {
	r.tb.Helper()
	var err error
	r.task, err = r.store.OpenTask(context.Background(), partition, r.policy, r.now)
	r.must(err)
	r.checkStored(r.store, r.task.Next())
	r.replay(r.task)
	r.ready()
}

// ready stages the first task record where there is none.
func (r *rig) ready() {
	if _, ok := r.task.Record(); ok {
		return
	}
	first := state.TaskRecord{Writer: "rig", Partitions: 1, Policy: r.policy, WalkEnded: true}
	for i := range first.Inputs {
		first.Inputs[i].LeaderEpoch = -1
	}
	r.task.Stage(first)
}

// close ends the rig's store; the overlay is lost.
func (r *rig) close() {
	r.tb.Helper()
	r.must(r.task.Close())
	r.must(r.store.Close())
	r.overlay = nil
}

// reopenTask gives the partition away and takes it back.
func (r *rig) reopenTask() {
	r.tb.Helper()
	r.must(r.task.Close())
	r.overlay = nil
	r.openTask()
}

// crash cuts the power: of what was not synced some percent remains.
func (r *rig) crash(percent int, seed uint64) {
	r.tb.Helper()
	left := cutPower(r.fs, percent, rand.New(rand.NewPCG(seed, 0)))
	r.close()
	r.fs = left
	if store, err := state.Open(r.config()); err == nil {
		r.must(store.Close())
	} else if r.fs = memFS(); percent == 0 || percent == 100 {
		r.tb.Fatal(err)
	}
	r.open()
}

// cutPower returns what is left of a disk. Where some of what was not synced is left and some is not,
// that may be the name of a file that is gone, as no file system of today would have it; then the
// database refuses to open, and the directory must be deleted.
func cutPower(fs *vfs.MemFS, percent int, random *rand.Rand) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
}

// replay brings a task to the end of the changelog.
func (r *rig) replay(task *state.Task) {
	r.tb.Helper()
	end := int64(len(r.log))
	for next := task.Next(); ; {
		to := min(next+int64(r.batch), end)
		var changes []state.Change
		for _, l := range r.log[next:to] {
			if l.key != nil {
				changes = append(changes, state.Change{Key: l.key, Value: l.value})
			}
		}
		var caughtUp time.Time
		if to == end {
			caughtUp = r.now
		}
		r.must(task.Replay(changes, to, caughtUp))
		if next = to; next == end {
			return
		}
	}
}

// send appends a record to an input, after the last one by some time.
func (r *rig) send(after time.Duration, m *topics.Mutation, o *topics.Order) {
	i, base, key, value := state.InputMutations, topics.Mutations, "", []byte(nil)
	if m != nil {
		key, value = m.SKU, m.AppendJSON(nil)
	} else {
		i, base = state.InputOrders, topics.Orders
		key, value = o.SKU, o.AppendJSON(nil)
	}
	at := start
	if n := len(r.inputs[i]); n > 0 {
		at = r.inputs[i][n-1].Timestamp
	}
	r.inputs[i] = append(r.inputs[i], &kgo.Record{
		Topic: topics.DefaultPrefix.Name(base), Offset: int64(len(r.inputs[i])),
		Key: []byte(key), Value: value, Timestamp: at.Add(after),
	})
}

// fold folds the next n records of an input, or as many as there are.
func (r *rig) fold(input, n int) {
	r.tb.Helper()
	for ; n > 0 && r.task.Expects(input) < int64(len(r.inputs[input])); n-- {
		rec := r.inputs[input][r.task.Expects(input)]
		f := folded{at: topics.TimeOf(rec.Timestamp), place: testenv.Place{Topic: topics.Mutations, Offset: rec.Offset}}
		a := &state.Arrival{Topic: rec.Topic, Offset: rec.Offset, Time: f.at}
		var reject *topics.Reject
		var err error
		if input == state.InputMutations {
			f.mutation = new(topics.Mutation)
			if reject = topics.DecodeMutation(rec.Key, rec.Value, 1<<20, f.mutation); reject == nil {
				f.verdict.outcome, reject, err = r.task.Mutation(f.mutation, a)
			}
		} else {
			f.order, f.place.Topic = new(topics.Order), topics.Orders
			if reject = topics.DecodeOrder(rec.Key, rec.Value, 1<<20, f.order); reject == nil {
				f.verdict.outcome, reject, err = r.task.Order(f.order, a)
			}
		}
		r.must(err)
		if reject != nil {
			f.verdict = verdict{state.DeadLettered, reject.Reason}
		}
		r.task.Passed(input, rec.Offset, 0, f.at, f.verdict.outcome)
		r.overlay = append(r.overlay, f)
	}
}

// left tells whether an input has records that are not folded.
func (r *rig) left() bool {
	return r.task.Expects(state.InputMutations) < int64(len(r.inputs[state.InputMutations])) ||
		r.task.Expects(state.InputOrders) < int64(len(r.inputs[state.InputOrders]))
}

// prepare produces the overlay's transaction; committed tells whether readers will see it.
func (r *rig) prepare(committed bool) (last int64, outputs []state.Output) {
	r.task.Prepare(r.now, func(o state.Output) {
		o.Key, o.Value, o.Revision = bytes.Clone(o.Key), bytes.Clone(o.Value), bytes.Clone(o.Revision)
		outputs = append(outputs, o)
		if o.Kind != state.ToChangelog {
			return
		}
		var l logged
		if committed {
			l = logged{o.Key, o.Value}
		}
		r.log = append(r.log, l)
	})
	last = int64(len(r.log)) - 1
	r.log = append(r.log, logged{}) // the control record
	if r.produced != nil {
		r.produced(len(r.log))
	}
	return last, outputs
}

// commit commits the overlay and returns its availability records.
func (r *rig) commit() []topics.Availability {
	r.tb.Helper()
	last, outputs := r.prepare(true)
	r.must(r.task.Committed(last, r.now))
	return r.judge(outputs)
}

// commitUnknown commits the overlay without being told: the task learns it from the changelog.
func (r *rig) commitUnknown() {
	r.tb.Helper()
	_, outputs := r.prepare(true)
	r.judge(outputs)
	r.rollback()
}

// abort drops the overlay, after its transaction was produced or before.
func (r *rig) abort(produced bool) {
	r.tb.Helper()
	if produced {
		r.prepare(false)
	}
	r.overlay = nil
	r.rollback()
}

func (r *rig) rollback() {
	r.tb.Helper()
	r.must(r.task.Rollback())
	r.replay(r.task)
	r.ready()
}

// judge enters the overlay into the rig's books and holds the availability records of its
// transaction against the oracle (F3, F4, F5, F6).
func (r *rig) judge(outputs []state.Output) []topics.Availability {
	r.tb.Helper()
	events := map[string][]folded{}
	for _, f := range r.overlay {
		r.verdicts[f.place] = f.verdict
		if f.verdict.outcome == state.Applied {
			events[f.sku()] = append(events[f.sku()], f)
		}
	}
	r.overlay = nil
	var truth *testenv.Truth
	if !r.shallow {
		truth = r.truth()
	}
	var records []topics.Availability
	for _, o := range outputs {
		if o.Kind != state.ToAvailability {
			continue
		}
		got := &topics.Availability{SKU: string(o.Key)}
		var err error
		if r.shallow {
			got.Revision, err = strconv.ParseInt(string(o.Revision), 10, 64)
		} else {
			got, err = topics.DecodeAvailability(o.Value)
		}
		r.must(err)
		records = append(records, *got)
		if string(o.Key) != got.SKU || string(o.Revision) != fmt.Sprint(got.Revision) {
			r.tb.Errorf("record of %q: got key %q and header %s", got.SKU, o.Key, o.Revision)
		}
		if previous := r.last[got.SKU]; got.Revision <= previous.Revision {
			r.tb.Errorf("F6: %s: got revision %d after %d", got.SKU, got.Revision, previous.Revision)
		}
		if truth != nil {
			want := r.expect(truth.Items[got.SKU], events[got.SKU], got.Revision)
			if diff := cmp.Diff(*got, want, cmpopts.EquateEmpty()); diff != "" {
				r.tb.Fatalf("availability of %s: got -, want +\n%s", got.SKU, diff)
			}
		}
		delete(events, got.SKU)
		r.last[got.SKU] = *got
	}
	for sku := range events {
		r.tb.Errorf("%s: an event was accepted and no availability record was made", sku)
	}
	return records
}

// expect works out the availability record that a SKU's accepted events of one commit must make.
func (r *rig) expect(it *testenv.TruthItem, events []folded, revision int64) topics.Availability {
	k := r.known[it.SKU]
	if k == nil {
		k = &knownSKU{statuses: map[string]topics.OrderStatus{}, ordersFrom: map[string]int64{}, days: map[int32]bool{}}
		r.known[it.SKU] = k
	}
	want := topics.Availability{
		SKU: it.SKU, Revision: revision, Actual: it.Actual, Reserved: it.Reserved, Net: it.Net,
		Available: it.Available, Warehouses: warehousesOf(it), Trigger: topics.TriggerEvent, CausesTotal: len(events),
		LastMutationAt: it.LastMutationAt, LastOrderAt: it.LastOrderAt, LastCountAt: it.LastCountAt, AsOf: it.AsOf,
		ProcessedAt: topics.TimeOf(r.now),
	}
	for _, f := range events {
		want.Causes = append(want.Causes, causeOf(&f))
		if f.mutation != nil && f.mutation.Kind == topics.KindTouch {
			want.Trigger = topics.TriggerManual
			continue
		}
		if k.firstSeen.IsZero() {
			k.firstSeen = f.at
		}
		k.days[f.at.UTCDay()] = true
		if f.order == nil {
			continue
		}
		was, held := k.statuses[f.order.OrderLineID]
		k.statuses[f.order.OrderLineID] = f.order.Status
		isNew := (!held || was == topics.OrderDraft) && f.order.Status != topics.OrderDraft
		if o := f.order; isNew && o.Store != "" && (o.StoreSKU == "" || o.StoreSKU == o.SKU) {
			k.ordersFrom[f.order.Store] = revision
		}
	}
	want.Causes = want.Causes[max(0, len(want.Causes)-topics.MaxCauses):]
	want.FirstSeenAt = k.firstSeen
	for _, store := range slices.Sorted(maps.Keys(k.ordersFrom)) {
		want.OrdersFrom = append(want.OrdersFrom, topics.StoreRevision{Store: store, Revision: k.ordersFrom[store]})
	}
	want.Changed = !maps.Equal(numbers(r.last[it.SKU].Warehouses), numbers(want.Warehouses))
	return want
}

func causeOf(f *folded) topics.Cause {
	c := topics.Cause{Topic: topics.DefaultPrefix.Name(f.place.Topic), Offset: f.place.Offset}
	if f.order != nil {
		c.ID, c.Ref, c.Reason = f.order.OrderLineID, f.order.OrderID, "order_"+f.order.Status.String()
	} else {
		c.ID, c.Ref, c.Reason = f.mutation.LineID, f.mutation.VoucherNo, f.mutation.Reason
	}
	return c
}

// numbers returns Actual and Reserved of the warehouses where one of them is not zero.
func numbers(warehouses []topics.WarehouseStock) map[string][2]topics.Quantity {
	all := map[string][2]topics.Quantity{}
	for _, w := range warehouses {
		if w.Actual != 0 || w.Reserved != 0 {
			all[w.Warehouse] = [2]topics.Quantity{w.Actual, w.Reserved}
		}
	}
	return all
}

// warehousesOf returns the oracle's warehouses without the stores that have nothing there.
func warehousesOf(it *testenv.TruthItem) []topics.WarehouseStock {
	list := slices.Clone(it.Warehouses)
	for i := range list {
		list[i].ByStore = slices.DeleteFunc(slices.Clone(list[i].ByStore), func(s topics.StoreStock) bool {
			return s.Reserved == 0 && s.Taken == 0
		})
	}
	return list
}

// truth is what the oracle makes of all records that the task has folded.
func (r *rig) truth() *testenv.Truth {
	r.tb.Helper()
	var records []*kgo.Record
	for i := range r.inputs {
		records = append(records, r.inputs[i][:r.task.Expects(i)]...)
	}
	refused := map[testenv.Place]topics.Reason{}
	for place, v := range r.verdicts {
		switch v.reason {
		case topics.ReasonOverflow, topics.ReasonSKUTooWide, topics.ReasonTooLate:
			refused[place] = v.reason
		}
	}
	truth, err := testenv.Refold(records, testenv.RefoldConfig{
		Policy: r.policy, Partitions: []int32{1}, Refused: refused,
	})
	r.must(err)
	return truth
}

// check proves the whole state: what the task holds in memory, what the store has on disk, what a
// reader and an empty store make of the changelog, and what the oracle makes of the input, are one
// (I7, I11, I13). The overlay must be empty.
func (r *rig) check() {
	r.tb.Helper()
	r.must(r.task.Rollback()) // writes what is pending
	r.checkStored(r.store, r.task.Next())
	truth := r.truth()
	r.checkVerdicts(truth)
	reader := r.read()
	var skus []string
	for sku := range reader.SKUs() {
		skus = append(skus, sku)
	}
	slices.Sort(skus)
	if want := slices.Sorted(maps.Keys(truth.Items)); !slices.Equal(skus, want) {
		r.tb.Fatalf("got SKUs %q, want %q", skus, want)
	}
	for _, sku := range skus {
		s, ok, err := reader.Snapshot(sku)
		r.must(err)
		if !ok {
			r.tb.Fatalf("%s: the reader lists it and has no snapshot", sku)
		}
		if diff := cmp.Diff(shownSKU(s), shownTruth(truth.Items[sku]), cmpopts.EquateEmpty()); diff != "" {
			r.tb.Errorf("%s in the changelog: got -, want what the oracle has +\n%s", sku, diff)
		}
		if held, ok := state.Held(r.task, sku); ok {
			if diff := cmp.Diff(shownSKU(held), shownSKU(s), cmpopts.EquateEmpty()); diff != "" {
				r.tb.Errorf("%s in memory: got -, want what the changelog has +\n%s", sku, diff)
			}
		}
		differences, err := reader.Audit(sku)
		r.must(err)
		if len(differences) > 0 {
			r.tb.Errorf("audit: %q", differences)
		}
	}
	r.checkDays(r.store, truth)
	r.checkFreshStore(truth)
}

// read returns what a reader makes of the changelog.
func (r *rig) read() *state.Reader {
	r.tb.Helper()
	reader := state.NewReader(r.policy)
	for _, l := range r.log {
		if l.key != nil {
			r.must(reader.Apply(l.key, l.value))
		}
	}
	return reader
}

// checkStored holds the store's bytes against the changelog up to a position.
func (r *rig) checkStored(s *state.Store, next int64) {
	r.tb.Helper()
	if next > int64(len(r.log)) {
		r.tb.Fatalf("the store is ahead: at %d of %d", next, len(r.log))
	}
	want := map[string]string{}
	for _, l := range r.log[:next] {
		if l.key != nil {
			want[string(l.key)] = string(l.value)
		}
	}
	got := map[string]string{}
	r.must(s.Each(partition, func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	}))
	if diff := cmp.Diff(got, want); diff != "" {
		r.tb.Fatalf("store at %d of %d: got -, want the changelog +\n%s", next, len(r.log), diff)
	}
}

// checkFreshStore replays the changelog into an empty store and compares bytes, day index and task
// record.
func (r *rig) checkFreshStore(truth *testenv.Truth) {
	r.tb.Helper()
	fresh, err := state.Open(state.Config{Dir: "fresh", FS: vfs.NewMem(), Stamp: stamp()})
	r.must(err)
	task, err := fresh.OpenTask(context.Background(), partition, r.policy, r.now)
	r.must(err)
	r.replay(task)
	r.checkStored(fresh, int64(len(r.log)))
	r.checkDays(fresh, truth)
	a, okA := task.Record()
	b, okB := r.task.Record()
	if a != b || okA != okB {
		r.tb.Errorf("task record of a fresh store: got %+v, want %+v", a, b)
	}
	r.must(task.Close())
	r.must(fresh.Close())
}

// checkDays holds the index of active days against the accepted events: it has each SKU under its
// last active day and under the day of every entry, and under no day without an event.
func (r *rig) checkDays(s *state.Store, truth *testenv.Truth) {
	r.tb.Helper()
	index, err := state.DayIndex(s, partition)
	r.must(err)
	for sku, it := range truth.Items {
		if !it.AsOf.IsZero() && !slices.Contains(index[it.AsOf.UTCDay()], sku) {
			r.tb.Errorf("%s is not indexed under its last active day %d", sku, it.AsOf.UTCDay())
		}
		for _, l := range it.Lines {
			if !slices.Contains(index[l.At.UTCDay()], sku) {
				r.tb.Errorf("%s is not indexed under day %d of line %s", sku, l.At.UTCDay(), l.LineID)
			}
		}
		for _, o := range it.Orders {
			if o.Arrived && !slices.Contains(index[o.At.UTCDay()], sku) {
				r.tb.Errorf("%s is not indexed under day %d of order line %s", sku, o.At.UTCDay(), o.OrderLineID)
			}
		}
	}
	for day, skus := range index {
		for _, sku := range skus {
			if k := r.known[sku]; !r.shallow && (k == nil || !k.days[day]) {
				r.tb.Errorf("%s is indexed under day %d, on which nothing of it was accepted", sku, day)
			}
		}
	}
}

// checkVerdicts holds what became of each record, and the counters, against the oracle (I11).
func (r *rig) checkVerdicts(truth *testenv.Truth) {
	r.tb.Helper()
	for base, byPartition := range truth.Inputs {
		for _, j := range byPartition[0] {
			got := r.verdicts[testenv.Place{Topic: base, Offset: j.Place.Offset}]
			if got.reason != j.Reason || got.outcome.String() != strings.ReplaceAll(j.Verdict.String(), "-", "_") {
				r.tb.Errorf("%s: got %s %s, want %s %s", j.Place, got.outcome, got.reason, j.Verdict, j.Reason)
			}
		}
	}
	record, _ := r.task.Record()
	if got, want := testenv.VerdictCounts(record.Counters), truth.Counts[0]; got != want {
		r.tb.Errorf("counters: got %+v, want %+v", got, want)
	}
}

// shown is a SKU in a form that fold and oracle share.
type shown struct {
	Stock  string
	Lines  []state.Line
	Orders []state.OrderLine
}

// shownSKU leaves out what depends on history alone: order lines that nothing is known of.
func shownSKU(s *state.Snapshot) shown {
	v := shown{Stock: testenv.FormatStock(&s.Availability), Lines: s.Lines}
	for _, o := range s.Orders {
		if o.Arrived || o.Delivered != 0 || o.Returned != 0 {
			v.Orders = append(v.Orders, o)
		}
	}
	return v.sort()
}

func shownTruth(it *testenv.TruthItem) shown {
	a := topics.Availability{
		SKU: it.SKU, Actual: it.Actual, Reserved: it.Reserved, Net: it.Net, Available: it.Available,
		Warehouses: it.Warehouses,
	}
	for _, store := range it.OrdersFrom {
		a.OrdersFrom = append(a.OrdersFrom, topics.StoreRevision{Store: store})
	}
	v := shown{Stock: testenv.FormatStock(&a)}
	for _, l := range it.Lines {
		v.Lines = append(v.Lines, state.Line{
			ID: l.LineID, Version: l.Version, Kind: l.Kind, Status: l.Status, IsReturn: l.IsReturn,
			Warehouse: l.Warehouse, Qty: l.Qty, EffectiveAt: l.EffectiveAt, Seq: l.Seq, OrderLineID: l.OrderLineID,
			Reason: l.Reason, VoucherNo: l.VoucherNo, ArrivedDay: l.At.UTCDay(),
		})
	}
	for _, o := range it.Orders {
		if !o.Arrived && o.Delivered == 0 && o.Returned == 0 {
			continue
		}
		v.Orders = append(v.Orders, state.OrderLine{
			ID: o.OrderLineID, Version: o.Version, Arrived: o.Arrived, Status: o.Status, Warehouse: o.Warehouse,
			OrderedQty: o.OrderedQty, OrderedAt: o.OrderedAt, OrderID: o.OrderID, Store: o.Store,
			Delivered: o.Delivered, Returned: o.Returned, Reserved: o.Contribution, Taken: o.Taken,
			ChangedDay: o.At.UTCDay(),
		})
	}
	return v.sort()
}

func (v shown) sort() shown {
	slices.SortFunc(v.Lines, func(a, b state.Line) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(v.Orders, func(a, b state.OrderLine) int { return strings.Compare(a.ID, b.ID) })
	return v
}

// chunksOf returns the newest value of each chunk of a SKU in the changelog.
func (r *rig) chunksOf(sku string) map[uint32]string {
	chunks := map[uint32]string{}
	prefix := append([]byte("s"+sku), 0)
	for _, l := range r.log {
		if len(l.key) == len(prefix)+4 && bytes.HasPrefix(l.key, prefix) {
			n := l.key[len(prefix):]
			chunks[uint32(n[0])<<24|uint32(n[1])<<16|uint32(n[2])<<8|uint32(n[3])] = string(l.value)
		}
	}
	return chunks
}
