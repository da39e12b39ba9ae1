package processor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// wall is a clock that can be set: the real one, and how far it is off.
type wall struct{ off atomic.Int64 }

func (w *wall) Now() time.Time           { return time.Now().Add(time.Duration(w.off.Load())) }
func (w *wall) advance(by time.Duration) { w.off.Add(int64(by)) }

// date is the UTC date of the clock, in days since 1970.
func (w *wall) date() int32 { return topics.TimeOf(w.Now()).UTCDay() }

// text is the date as run ids have it.
func (w *wall) text() string { return w.Now().UTC().Format(time.DateOnly) }

// nights returns a configuration whose nights begin at midnight UTC by a clock of the test's.
func nights(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, id string, w *wall) processor.Config {
	cfg := config(t, c, prefix, id)
	cfg.Now, cfg.NightlyRate = w.Now, 1_000_000
	return cfg
}

// taskRecords returns the newest task record of each partition.
func taskRecords(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) map[int32]*state.TaskRecord {
	t.Helper()
	newest := map[int32]*state.TaskRecord{}
	for _, r := range read(t, c, prefix, topics.Changelog) {
		if !state.IsTaskKey(r.Key) {
			continue
		}
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		newest[r.Partition] = record
	}
	return newest
}

// nightly counts the records with trigger nightly, by SKU.
func nightly(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, a := range emissions(t, c, prefix) {
		if a.Trigger == topics.TriggerNightly {
			counts[a.SKU]++
		}
	}
	return counts
}

// moved returns the SKUs with an accepted mutation or order.
func moved(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) []string {
	t.Helper()
	skus := map[string]bool{}
	for _, a := range emissions(t, c, prefix) {
		if !a.AsOf.IsZero() {
			skus[a.SKU] = true
		}
	}
	return slices.Sorted(maps.Keys(skus))
}

// wantEach fails unless every SKU has n records with trigger nightly, and no other SKU has any.
func wantEach(t *testing.T, got map[string]int, skus []string, n int) {
	t.Helper()
	var wrong []string
	for _, sku := range skus {
		if got[sku] != n {
			wrong = append(wrong, fmt.Sprintf("%s %d times", sku, got[sku]))
		}
	}
	if len(wrong) > 0 || len(got) > len(skus) {
		t.Errorf("re-emitted: got %d SKUs, want %d, %d times each; %d are wrong: %.200q", len(got), len(skus), n, len(wrong), wrong)
	}
}

// waitRecords waits until the newest task record of every partition is as it should be.
func waitRecords(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, want func(*state.TaskRecord) bool) {
	t.Helper()
	until(t, func(context.Context) error {
		for n, r := range taskRecords(t, c, prefix) {
			if !want(r) {
				return fmt.Errorf("task %d: %+v", n, r.Nightly)
			}
		}
		return nil
	})
}

// done is a task record whose run for a date is over.
func done(date int32) func(*state.TaskRecord) bool {
	return func(r *state.TaskRecord) bool { return r.Nightly.Done == date && r.Nightly.Cursor == "" }
}

// stopped stops an instance and waits for its end.
func stopped(t *testing.T, i *instance) {
	t.Helper()
	i.stop()
	if err := i.wait(); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// workloadStart is so long ago that what is dated back from it is past any horizon; one moment, so that a
// seed gives one stream.
var workloadStart = time.Now().Add(-60 * 24 * time.Hour)

// quietWorkload is a realistic upstream of many SKUs.
func quietWorkload(seed uint64, skus int) *testenv.Workload {
	cfg := testenv.RealisticWorkload(seed)
	cfg.SKUs, cfg.Zipf, cfg.Start = skus, 0, workloadStart
	return testenv.NewWorkload(cfg)
}

// Points of the crash table that a background job passes.
const (
	inTheRun    = "during the nightly run"
	afterCommit = "EndTxn ok, before Pebble"
)

// crashes ends a lane's goroutine at a point, as if the process had died there: the overlay is lost. It
// waits until something that a job made is committed: a crash before that is as none.
func crashes(at string) func(string) {
	var stepped, committed atomic.Bool
	return func(point string) {
		if point == at && (committed.Load() || stepped.Load() && at == afterCommit) {
			runtime.Goexit()
		}
		switch point {
		case inTheRun:
			stepped.Store(true)
		case afterCommit:
			committed.Store(stepped.Load())
		}
	}
}

func TestNightly_EmitsWhatWasActiveOnceADate(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 4)
		w := &wall{}
		cfg := nights(t, c, prefix, "one", w)
		registry := prometheus.NewRegistry()
		cfg.Registry = registry
		i := start(t, cfg)
		acks := produce(t, c, prefix, quietWorkload(1, 300), 3000)
		touch := &kgo.Record{Topic: prefix.Name(topics.Mutations), Key: []byte("touched"), Value: []byte(`{"sku":"touched","kind":"touch"}`)}
		if err := c.Client(t).ProduceSync(t.Context(), touch).FirstErr(); err != nil {
			t.Fatal(err)
		}
		settle(t, c, prefix)
		waitRecords(t, c, prefix, done(w.date())) // a first start counts the present date as done
		if got := nightly(t, c, prefix); len(got) > 0 {
			t.Errorf("before the first night: got %d SKUs re-emitted, want none", len(got))
		}
		active := moved(t, c, prefix)
		for night := 1; night <= 2; night++ {
			w.advance(24 * time.Hour)
			waitRecords(t, c, prefix, done(w.date()))
			wantEach(t, nightly(t, c, prefix), active, night)
		}
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		var considered int64
		for _, task := range i.Tasks() {
			n := task.Nightly
			considered += n.Considered
			if n.Run != w.text() || n.Running || n.Reemitted != n.Considered || n.Duration <= 0 {
				t.Errorf("task %d: got report %+v", task.Partition, n)
			}
		}
		if int(considered) != len(active) {
			t.Errorf("reports: got %d SKUs considered, want %d", considered, len(active))
		}
		const name = "stocksync_processor_nightly_"
		for what, want := range map[string]float64{"considered": 2, "reemitted": 2} {
			if got := metric(t, registry, name+"skus_total", "what", what); got != want*float64(len(active)) {
				t.Errorf("metric %s: got %v, want %v times %d", what, got, want, len(active))
			}
		}
		stopped(t, i) // a later start on the same date does nothing
		again := start(t, cfg2(cfg))
		waitRunning(t, again, 4)
		wantEach(t, nightly(t, c, prefix), active, 2)
	})
}

// cfg2 is the configuration of a second process with the same name, whose metrics are its own.
func cfg2(cfg processor.Config) processor.Config {
	cfg.Registry = nil
	return cfg
}

func waitRunning(t *testing.T, i *instance, n int) {
	t.Helper()
	until(t, func(context.Context) error {
		running := 0
		for _, task := range i.Tasks() {
			if task.Phase == "running" {
				running++
			}
		}
		if running != n {
			return fmt.Errorf("%d of %d tasks run", running, n)
		}
		return nil
	})
}

// Ensure a crash in the middle of a run, with or without the state that it leaves on disk, goes on where
// the last commit was: every SKU once, and none twice.
func TestNightly_ResumesAfterCrashesWhereItWas(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	w := &wall{}
	i := start(t, nights(t, c, prefix, "one", w))
	acks := produce(t, c, prefix, quietWorkload(2, 400), 3000)
	settle(t, c, prefix)
	stopped(t, i)
	active := moved(t, c, prefix)
	w.advance(24 * time.Hour) // while nothing runs: the next start catches up
	dir := t.TempDir()
	for crash := range 4 {
		cfg := nights(t, c, prefix, "one", w)
		cfg.Workers, cfg.NightlyRate, cfg.Crash = 1, 500, crashes([]string{inTheRun, afterCommit}[crash%2])
		if cfg.StateDir = dir; crash == 2 {
			cfg.StateDir = t.TempDir()
		}
		if err := start(t, cfg).wait(); err != nil {
			t.Fatalf("crash %d: %v", crash, err)
		}
	}
	got := nightly(t, c, prefix)
	if len(got) == 0 || len(got) == len(active) {
		t.Errorf("got %d of %d SKUs re-emitted before the last start: the crashes were not in the middle", len(got), len(active))
	}
	cfg := nights(t, c, prefix, "one", w)
	cfg.StateDir = dir
	start(t, cfg)
	waitRecords(t, c, prefix, done(w.date()))
	wantEach(t, nightly(t, c, prefix), active, 1)
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

// Ensure the row `during the nightly run` of the crash table, and what a death at the others means for a run:
// the network is cut, the disk keeps some of what was not synced, and the successor emits what is left.
func TestNightly_ADeathInItsMiddleRepeatsNothing(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	all := t
	for seed, at := range []string{
		inTheRun, "before flush", "after flush, before offsets", "EndTxn sent, no answer", afterCommit,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			prefix := ensure(t, c, 3)
			w := &wall{}
			i := start(t, nights(t, c, prefix, "one", w))
			acks := produce(t, c, prefix, quietWorkload(uint64(seed), 200), 1500)
			settle(t, c, prefix)
			stopped(t, i)
			active := moved(t, c, prefix)
			w.advance(24 * time.Hour)
			d := startDoomed(t, all, c, prefix, uint64(seed), func(d *doomed, cfg *processor.Config) {
				cfg.Now, cfg.NightlyRate, cfg.Workers = w.Now, 400, 1
				var steps atomic.Int64
				cfg.Crash = func(point string) {
					if point == inTheRun && steps.Add(1) == 3 && at == "EndTxn sent, no answer" {
						d.atLoss(func() *testenv.Loss { return d.wire.LoseAnswers(kmsg.EndTxn, -1) })
					}
					if point == at && steps.Load() >= 3 {
						d.die()
					}
				}
			})
			d.waitDead()
			d.stop()
			if got := nightly(t, c, prefix); len(got) == len(active) {
				t.Errorf("got %d of %d SKUs re-emitted at the death: it was at the end", len(got), len(active))
			}
			next := nights(t, c, prefix, "one", w)
			next.State.FS = d.left
			start(t, next)
			waitRecords(t, c, prefix, done(w.date()))
			wantEach(t, nightly(t, c, prefix), active, 1)
			settle(t, c, prefix)
			check(t, c, prefix, acks)
		})
	}
}

func TestNightly_ARebalanceInItsMiddleRepeatsNothing(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 6)
	w := &wall{}
	one := nights(t, c, prefix, "one", w)
	one.NightlyRate = 400
	start(t, one)
	acks := produce(t, c, prefix, quietWorkload(3, 600), 3000)
	settle(t, c, prefix)
	active := moved(t, c, prefix)
	w.advance(24 * time.Hour)
	waitNightly := func(least int) {
		t.Helper()
		until(t, func(context.Context) error {
			if n := len(nightly(t, c, prefix)); n < least {
				return fmt.Errorf("%d SKUs re-emitted", n)
			}
			return nil
		})
	}
	waitNightly(50)
	two := nights(t, c, prefix, "two", w)
	two.NightlyRate = 100
	i := start(t, two)
	waitNightly(300)
	stopped(t, i)
	waitRecords(t, c, prefix, done(w.date()))
	wantEach(t, nightly(t, c, prefix), active, 1)
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

func TestNightly_AClockAheadByAYearCollapsesNothingAndIsForgotten(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	w := &wall{}
	start(t, nights(t, c, prefix, "one", w))
	acks := produce(t, c, prefix, quietWorkload(4, 100), 1000)
	settle(t, c, prefix)
	active := moved(t, c, prefix)
	today := w.date()
	w.advance(365 * 24 * time.Hour)
	waitRecords(t, c, prefix, func(r *state.TaskRecord) bool { return r.Nightly.Done > today && r.Nightly.Cursor == "" })
	wantEach(t, nightly(t, c, prefix), active, 1)
	for n, r := range taskRecords(t, c, prefix) {
		if r.Nightly.Done != today+2 {
			t.Errorf("task %d: got date %d done, want %d: two days after the newest input", n, r.Nightly.Done, today+2)
		}
	}
	check(t, c, prefix, acks) // nothing is collapsed
	w.advance(-365 * 24 * time.Hour)
	waitRecords(t, c, prefix, done(w.date()))
	wantEach(t, nightly(t, c, prefix), active, 2)
	check(t, c, prefix, acks)
}

func TestNightly_HasNothingToEmitWhenNothingWasActive(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 3)
	w := &wall{}
	cfg := nights(t, c, prefix, "one", w)
	cfg.ActiveWindow = time.Hour
	start(t, cfg)
	settle(t, c, prefix)
	w.advance(24 * time.Hour) // without any input there is no run
	produce(t, c, prefix, quietWorkload(5, 50), 300)
	settle(t, c, prefix)
	w.advance(23 * time.Hour)
	waitRecords(t, c, prefix, done(w.date()))
	if got := nightly(t, c, prefix); len(got) > 0 {
		t.Errorf("got %d SKUs re-emitted, want none", len(got))
	}
}

// Ensure the run collapses what is past the horizon, end to end: the numbers stay, repeats of what is gone
// are too late, and a restore from nothing comes to the same.
func TestNightly_CollapsesWhatIsPastTheHorizon(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 3)
		w := &wall{}
		cfg := nights(t, c, prefix, "one", w)
		cfg.HistoryRetention = time.Hour
		i := start(t, cfg)
		events := take(quietWorkload(6, 60).Next, 3000)
		acks := send(t, c, prefix, events)
		settle(t, c, prefix)
		w.advance(48 * time.Hour) // as far ahead as a clock is believed
		waitRecords(t, c, prefix, done(w.date()))
		var lines, orders int64
		for _, task := range i.Tasks() {
			lines, orders = lines+task.Nightly.CollapsedLines, orders+task.Nightly.CollapsedOrders
		}
		if lines < 500 || orders < 100 {
			t.Errorf("got %d lines and %d order lines collapsed, want most of them", lines, orders)
		}
		collapsed := testenv.CheckConfig{Prefix: prefix, Policy: policy(), Acked: acks, Collapsed: true}
		if err := testenv.Check(t.Context(), c, collapsed); err != nil {
			t.Fatal(err)
		}
		serial := 0
		collapsed.Acked = append(collapsed.Acked, send(t, c, prefix, append(newest(events), take(later(&serial), 300)...))...)
		settle(t, c, prefix)
		if err := testenv.Check(t.Context(), c, collapsed); err != nil {
			t.Fatal(err)
		}
		late := 0
		for _, r := range read(t, c, prefix, topics.DeadLetters) {
			if slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return string(h.Value) == string(topics.ReasonTooLate) }) {
				late++
			}
		}
		if late < 500 {
			t.Errorf("got %d records too late, want the repeats of what was collapsed", late)
		}
		stopped(t, i)
		cfg.StateDir = t.TempDir()
		start(t, cfg)
		collapsed.Acked = append(collapsed.Acked, send(t, c, prefix, take(later(&serial), 300))...)
		settle(t, c, prefix)
		if err := testenv.Check(t.Context(), c, collapsed); err != nil {
			t.Fatal(err)
		}
		collapsed.Collapsed = false
		if err := testenv.Check(t.Context(), c, collapsed); err == nil {
			t.Error("a check that knows of no collapse finds nothing missing")
		}
	})
}

func take(next func() testenv.Event, n int) []testenv.Event {
	var events []testenv.Event
	for range n {
		events = append(events, next())
	}
	return events
}

func send(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, events []testenv.Event) []testenv.Ack {
	t.Helper()
	i := -1
	sent, err := testenv.Produce(t.Context(), c, func() testenv.Event { i++; return events[i] },
		testenv.ProduceConfig{Prefix: prefix, Events: len(events)})
	if err != nil {
		t.Fatalf("produce: %v", err)
	}
	return sent.Acks
}

// newest returns the events with the newest version of their line: repeats as the rules allow them. An
// older version may lie after the horizon of a line that was re-dated and is gone.
func newest(events []testenv.Event) []testenv.Event {
	versions := map[string]int64{}
	kept := map[string]testenv.Event{}
	for _, e := range events {
		var m topics.Mutation
		var o topics.Order
		id, version := "", int64(0)
		switch {
		case e.Topic == topics.Mutations && topics.DecodeMutation(e.Key, e.Value, 0, &m) == nil && m.LineID != "":
			id, version = "line "+m.SKU+" "+m.LineID, m.Version
		case e.Topic == topics.Orders && topics.DecodeOrder(e.Key, e.Value, 0, &o) == nil:
			id, version = "order "+o.SKU+" "+o.OrderLineID, o.Version
		default:
			continue
		}
		if held, ok := versions[id]; !ok || version > held {
			versions[id], kept[id] = version, e
		}
	}
	var list []testenv.Event
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		list = append(list, kept[id])
	}
	return list
}

// later returns lines of today on the workload's SKUs: receipts, counts, orders and their shipments.
func later(serial *int) func() testenv.Event {
	return func() testenv.Event {
		*serial++
		now := topics.TimeOf(time.Now())
		sku := testenv.SKUName(*serial / 4 % 60)
		id := fmt.Sprint("later/", *serial)
		if *serial%4 == 2 {
			o := topics.Order{
				OrderLineID: id, Version: 1, SKU: sku, Warehouse: testenv.WarehouseName(0), Status: topics.OrderOpen,
				OrderedQty: 5 * topics.One, OrderedAt: now, OrderID: id, Store: "web",
			}
			return testenv.Event{Topic: topics.Orders, Key: []byte(sku), Value: o.AppendJSON(nil)}
		}
		m := topics.Mutation{
			LineID: id, Version: 1, SKU: sku, Warehouse: testenv.WarehouseName(*serial % 3), Qty: 7 * topics.One, EffectiveAt: now,
		}
		switch *serial % 4 {
		case 1:
			m.Kind = topics.KindCount
		case 3:
			m.Qty, m.OrderLineID = -2*topics.One, fmt.Sprint("later/", *serial-1)
		}
		return testenv.Event{Topic: topics.Mutations, Key: []byte(sku), Value: m.AppendJSON(nil)}
	}
}

// ask produces a command to every partition.
func ask(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, partitions int32, value string) {
	t.Helper()
	cl := c.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for p := range partitions {
		r := &kgo.Record{Topic: prefix.Name(topics.Commands), Partition: p, Value: []byte(value)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// askNight asks for a run and returns what holds when it should be over: no SKU was emitted by it twice, and
// none that was active before it not at all, by it or by an event that came meanwhile.
func askNight(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, partitions int32) (then func()) {
	t.Helper()
	before := availability(t, c, prefix)
	ask(t, c, prefix, partitions, `{"id":"asked","command":"nightly"}`)
	return func() {
		t.Helper()
		waitRecords(t, c, prefix, func(r *state.TaskRecord) bool {
			return r.Nightly.Cursor == "" && strings.HasSuffix(r.Nightly.RunID, " asked")
		})
		for sku, n := range nightly(t, c, prefix) {
			if n > 1 {
				t.Errorf("%s: one run emitted it %d times", sku, n)
			}
		}
		after := availability(t, c, prefix)
		for sku, was := range before {
			if !was.AsOf.IsZero() && after[sku].Revision == was.Revision {
				t.Errorf("%s: was not emitted by the run", sku)
			}
		}
	}
}

func TestCommand_NightlyRunsOnceForEachThatIsAsked(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 3)
		w := &wall{}
		cfg := nights(t, c, prefix, "one", w)
		i := start(t, cfg)
		acks := produce(t, c, prefix, quietWorkload(8, 200), 2000)
		settle(t, c, prefix)
		active := moved(t, c, prefix)
		ranBy := func(id string) func(*state.TaskRecord) bool {
			return func(r *state.TaskRecord) bool {
				return r.Nightly.Cursor == "" && strings.HasSuffix(r.Nightly.RunID, " "+id)
			}
		}
		ask(t, c, prefix, 3, `{"id":"c1","command":"nightly","args":{},"requested_by":"ana","requested_at":"2026-11-25T10:00:00Z"}`)
		waitRecords(t, c, prefix, ranBy("c1"))
		wantEach(t, nightly(t, c, prefix), active, 1)
		stopped(t, i)

		// Asked for while nothing runs, and carried out over a crash.
		ask(t, c, prefix, 3, `{"id":"c2","command":"nightly"}`)
		ask(t, c, prefix, 3, `{"id":"c3","command":"dance"}`)
		slow := cfg
		slow.Workers, slow.NightlyRate, slow.Crash = 1, 1000, crashes(inTheRun)
		if err := start(t, slow).wait(); err != nil {
			t.Fatal(err)
		}
		start(t, cfg)
		waitRecords(t, c, prefix, ranBy("c2"))
		wantEach(t, nightly(t, c, prefix), active, 2)
		for n, r := range taskRecords(t, c, prefix) {
			if r.Nightly.Done != w.date() {
				t.Errorf("task %d: got date %d done, want %d: a command does not do tomorrow's run", n, r.Nightly.Done, w.date())
			}
		}
		w.advance(24 * time.Hour)
		waitRecords(t, c, prefix, done(w.date()))
		wantEach(t, nightly(t, c, prefix), active, 3)
		settle(t, c, prefix)
		check(t, c, prefix, acks) // c3 is a dead letter, the others are not
	})
}

// Ensure a run that is asked for while one is in progress begins anew, and does the date's too.
func TestCommand_NightlyStartsARunInProgressOver(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 1)
	w := &wall{}
	cfg := nights(t, c, prefix, "one", w)
	cfg.NightlyRate = 300
	var steps atomic.Int64
	reached, asked := make(chan struct{}), make(chan struct{})
	cfg.Crash = func(point string) {
		if point == inTheRun && steps.Add(1) == 3 {
			close(reached)
			<-asked
		}
	}
	start(t, cfg)
	acks := produce(t, c, prefix, quietWorkload(9, 300), 2000)
	settle(t, c, prefix)
	active := moved(t, c, prefix)
	w.advance(24 * time.Hour)
	<-reached
	ask(t, c, prefix, 1, `{"id":"now","command":"nightly"}`)
	close(asked)
	waitRecords(t, c, prefix, done(w.date()))
	got := nightly(t, c, prefix)
	twice := 0
	for _, sku := range active {
		if got[sku] == 2 {
			twice++
		} else if got[sku] != 1 {
			t.Errorf("%s: got %d records, want 1 or 2", sku, got[sku])
		}
	}
	if twice == 0 || twice == len(active) {
		t.Errorf("got %d of %d SKUs twice, want those that had gone out when the command came", twice, len(active))
	}
	if r := taskRecords(t, c, prefix)[0]; r.Nightly.RunID != w.text()+" now" {
		t.Errorf("got run %q", r.Nightly.RunID)
	}
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

// Ensure a change of policy emits what it changes and nothing else, over a crash in the middle of its walk.
func TestPolicyWalk_EmitsWhatChangedOverARestart(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	w := &wall{}
	i := start(t, nights(t, c, prefix, "one", w))
	acks := produce(t, c, prefix, quietWorkload(10, 300), 6000)
	settle(t, c, prefix)
	stopped(t, i)
	before := map[string]topics.Quantity{}
	for _, a := range emissions(t, c, prefix) {
		before[a.SKU] = a.Reserved
	}
	on := policy()
	on.OnHoldReserves = true
	cfg := nights(t, c, prefix, "one", w)
	cfg.Policy, cfg.Workers, cfg.NightlyRate, cfg.Crash = on, 1, 500, crashes(inTheRun)
	if err := start(t, cfg).wait(); err != nil {
		t.Fatal(err)
	}
	for n, r := range taskRecords(t, c, prefix) {
		if r.Policy != on || r.WalkEnded && n == 1 {
			t.Errorf("task %d after the crash: got policy %+v, ended %v", n, r.Policy, r.WalkEnded)
		}
	}
	cfg.Crash, cfg.NightlyRate = nil, 0
	start(t, cfg)
	waitRecords(t, c, prefix, func(r *state.TaskRecord) bool { return r.Policy == on && r.WalkEnded })
	settle(t, c, prefix)
	if err := testenv.Check(t.Context(), c, testenv.CheckConfig{Prefix: prefix, Policy: on, Acked: acks}); err != nil {
		t.Fatal(err)
	}
	emitted := nightly(t, c, prefix)
	for _, a := range emissions(t, c, prefix) {
		if a.Trigger == topics.TriggerNightly && !a.Changed {
			t.Errorf("%s: was emitted unchanged", a.SKU)
		}
	}
	if len(emitted) == 0 || len(emitted) == len(before) {
		t.Errorf("got %d of %d SKUs emitted, want those with something on hold", len(emitted), len(before))
	}
	for sku, n := range emitted {
		if n != 1 {
			t.Errorf("%s: was emitted %d times", sku, n)
		}
	}
}

// Ensure every transaction of a run commits an offset of the group, so that the broker can refuse a member
// that is no longer in it (P3).
func TestNightly_EveryTransactionCarriesOffsets(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	w := &wall{}
	cfg := nights(t, c, prefix, "one", w)
	cfg.NightlyRate = 400
	start(t, cfg)
	produce(t, c, prefix, quietWorkload(11, 200), 1000)
	settle(t, c, prefix)
	var mu sync.Mutex
	var bare, ended int
	with := map[int64]bool{} // producers whose transaction has committed offsets
	observe := func(key kmsg.Key, see func(kmsg.Request)) {
		c.Fake.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.Fake.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			see(req)
			return nil, nil, false
		})
	}
	observe(kmsg.TxnOffsetCommit, func(req kmsg.Request) {
		if r := req.(*kmsg.TxnOffsetCommitRequest); len(r.Topics) > 0 && r.MemberID != "" {
			with[r.ProducerID] = true
		}
	})
	observe(kmsg.EndTxn, func(req kmsg.Request) {
		r := req.(*kmsg.EndTxnRequest)
		if r.Commit {
			if ended++; !with[r.ProducerID] {
				bare++
			}
		}
		delete(with, r.ProducerID)
	})
	w.advance(24 * time.Hour)
	waitRecords(t, c, prefix, done(w.date()))
	mu.Lock()
	defer mu.Unlock()
	if ended < 3 || bare > 0 {
		t.Errorf("got %d transactions committed, %d of them without offsets, want several and none", ended, bare)
	}
}

// Ensure no background work is done while a task of the lane restores, and that live events are: a run that
// is asked for meanwhile begins when the restore is over.
func TestNightly_WaitsWhileATaskRestores(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	w := &wall{}
	other := nights(t, c, prefix, "two", w)
	other.Workers = 1
	two := start(t, other)
	one := nights(t, c, prefix, "one", w)
	var steps atomic.Int64
	var armed atomic.Bool
	restoring, goOn := make(chan struct{}), make(chan struct{})
	one.Crash = func(point string) {
		switch {
		case point == inTheRun:
			steps.Add(1)
		case point == "during restore" && armed.CompareAndSwap(true, false):
			close(restoring)
			<-goOn
		}
	}
	one.Workers = 1
	i := start(t, one)
	end := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(end)
	waitRunning(t, i, 1)
	acks := produce(t, c, prefix, quietWorkload(12, 200), 2000)
	settle(t, c, prefix)
	armed.Store(true)
	stopped(t, two) // its task comes to one, which has to restore it
	select {
	case <-restoring:
	case <-time.After(patience):
		t.Fatal("no restore")
	}
	ask(t, c, prefix, 2, `{"id":"now","command":"nightly"}`)
	mine := i.Tasks()[slices.IndexFunc(i.Tasks(), func(t processor.TaskInfo) bool { return t.Phase == "running" })].Partition
	sku := skuOn(mine, 2)
	for n := range 10 {
		value := fmt.Sprintf(`{"line_id":"live/%d","version":1,"sku":%q,"warehouse":"W","qty":1,"effective_at":"2026-01-01T00:00:00Z"}`, n, sku)
		r := &kgo.Record{Topic: prefix.Name(topics.Mutations), Key: []byte(sku), Value: []byte(value)}
		if err := c.Client(t).ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		waitActual(t, c, prefix, sku, n+1)
	}
	if n := steps.Load(); n != 0 || taskRecords(t, c, prefix)[mine].Nightly.Cursor == "" {
		t.Errorf("got %d steps of the run during the restore, want none of a run that has begun", n)
	}
	end()
	waitRecords(t, c, prefix, func(r *state.TaskRecord) bool {
		return r.Nightly.Cursor == "" && strings.HasSuffix(r.Nightly.RunID, " now")
	})
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

func skuOn(partition, n int32) string {
	for i := 0; ; i++ {
		if sku := fmt.Sprint("live-", i); topics.PartitionOf([]byte(sku), n) == partition {
			return sku
		}
	}
}

// waitActual waits until a SKU's availability says that n events were folded.
func waitActual(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, sku string, n int) {
	t.Helper()
	until(t, func(context.Context) error {
		for _, a := range emissions(t, c, prefix) {
			if a.SKU == sku && a.Actual >= topics.Quantity(n)*topics.One {
				return nil
			}
		}
		return errors.New("not folded")
	})
}
