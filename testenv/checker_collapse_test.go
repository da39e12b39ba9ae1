package testenv_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// collapse lets a folder's tasks collapse everything, as a nightly run would whose clock is years ahead.
func (f *folder) collapse() (done state.Collapsed) {
	f.t.Helper()
	before := topics.TimeOf(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)).UTCDay()
	today := topics.TimeOf(time.Now()).UTCDay()
	for p, task := range f.tasks {
		skus, err := task.Active(today-1, today+1, "", 1<<20)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, sku := range skus {
			c, err := task.Collapse(sku, before)
			if err != nil {
				f.t.Fatal(err)
			}
			done.Lines, done.Orders = done.Lines+c.Lines, done.Orders+c.Orders
		}
		f.commit(int32(p), nil)
	}
	return done
}

// Ensure a faithful collapse is followed, with what is too late after it, and that a checker which is not told
// of one, or of when it may be, names what is missing.
func TestCheck_FollowsACollapse(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 2)
	produceWorkload(t, c, "p.", 3, 1500)
	f := newFolder(t, c, "p.", 2, returnsReserve())
	f.run(c)
	if done := f.collapse(); done.Lines < 300 || done.Orders < 50 {
		t.Fatalf("got %+v collapsed, want most of it", done)
	}
	repeated := 0
	for _, r := range readTopics(t, c, "p.", topics.Mutations) {
		var m topics.Mutation
		if topics.DecodeMutation(r.Key, r.Value, 0, &m) != nil || m.Version > 1 || repeated == 200 {
			continue
		}
		again := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		if err := f.client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := f.client.ProduceSync(t.Context(), again).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := f.client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		repeated++
	}
	f.run(c)
	cfg := config("p.")
	cfg.Collapsed = true
	if err := testenv.Check(t.Context(), c, cfg); err != nil {
		t.Error(err)
	}
	for name, row := range map[string]struct {
		change func(*testenv.CheckConfig)
		want   string
	}{
		"it is not told of the collapse":  {func(cfg *testenv.CheckConfig) { cfg.Collapsed = false }, "is not held"},
		"a collapse within the retention": {func(cfg *testenv.CheckConfig) { cfg.Retention = time.Hour }, "is gone, and changed at"},
	} {
		wrong := cfg
		row.change(&wrong)
		if err := testenv.Check(t.Context(), c, wrong); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}

// Ensure a false word about what is too late is not taken.
func TestCheck_NamesWhatIsNotTooLate(t *testing.T) {
	c := testenv.StartKfake(t)
	createTopics(t, c, "p.", 2)
	produceWorkload(t, c, "p.", 4, 900)
	f := newFolder(t, c, "p.", 2, returnsReserve())
	f.change = spoil(topics.DeadLetters, 1, func(r *kgo.Record) bool {
		for _, h := range r.Headers {
			if string(h.Value) == string(topics.ReasonVersionConflict) {
				return true
			}
		}
		return false
	}, header("reason", string(topics.ReasonTooLate)))
	f.run(c)
	cfg := config("p.")
	if err := testenv.Check(t.Context(), c, cfg); err == nil || !strings.Contains(err.Error(), "yet nothing was collapsed") {
		t.Errorf("nothing was collapsed: got %v", err)
	}
	cfg.Collapsed = true
	if err := testenv.Check(t.Context(), c, cfg); err == nil || !strings.Contains(err.Error(), "yet it is held, or lies after") {
		t.Errorf("its line is held: got %v", err)
	}
}

// Ensure an order line that still reserves may not be gone, and that its going does not count as a release.
func TestCollapseFaults_NamesWhatWasNotOver(t *testing.T) {
	open := topics.Order{
		SKU: "A", OrderLineID: "O1", Version: 1, Warehouse: "W", Status: topics.OrderOpen, OrderedQty: 5 * topics.One,
		OrderedAt: topics.TimeOf(time.Unix(1_700_000_000, 0)), OrderID: "SO-1",
	}
	e := testenv.Event{Topic: topics.Orders, Key: []byte("A"), Value: open.AppendJSON(nil)}
	it := refold(t, returnsReserve(), []*kgo.Record{placedRecord(e, 0, 1)}, 1).Items["A"]
	it.Collapse(&state.Snapshot{Orders: []state.OrderLine{{ID: "O1", Arrived: true}}}, returnsReserve())
	if faults := it.CollapseFaults(0, 0); len(faults) != 0 || it.Reserved != 5*topics.One {
		t.Errorf("held: got %q and reserved %s, want nothing and 5", faults, it.Reserved)
	}
	it.Collapse(&state.Snapshot{}, returnsReserve())
	if faults := it.CollapseFaults(0, 0); len(faults) != 1 || !strings.Contains(faults[0], "was not over: open, 0 of 5 delivered") {
		t.Errorf("gone: got %q", faults)
	}
}
