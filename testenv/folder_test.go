package testenv_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// foldBatch is how many records one transaction of a folder folds.
const foldBatch = 40

// folder is a processor without any of its troubles: one process, one partition after the other, one
// transaction a batch. Change, if set, sees each output record before it is produced, to spoil it or,
// with nil, to lose it.
type folder struct {
	t      *testing.T
	prefix topics.Prefix
	n      int32
	client *kgo.Client
	tasks  []*state.Task
	policy state.Policy
	change func(base string, r *kgo.Record) *kgo.Record
	count  func(o state.Outcome) state.Outcome // what the task record says
}

func newFolder(
	t *testing.T, c *testenv.Cluster, prefix topics.Prefix, n int32, policy state.Policy,
) *folder {
	t.Helper()
	f := &folder{t: t, prefix: prefix, n: n, policy: policy}
	f.client = c.Client(t, kgo.TransactionalID(string(prefix)+"folder"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	store, err := state.Open(state.Config{Dir: "state", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	for p := range n {
		task, err := store.OpenTask(t.Context(), p, f.policy, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		task.Stage(state.TaskRecord{Writer: "test", Partitions: n, Policy: f.policy, WalkEnded: true})
		f.tasks = append(f.tasks, task)
	}
	t.Cleanup(func() {
		for _, task := range f.tasks {
			if err := task.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// run folds what stands in the inputs until nothing is left, forwarded records too.
func (f *folder) run(c *testenv.Cluster) {
	f.t.Helper()
	for again := true; again; {
		again = false
		left := map[int32][]*kgo.Record{}
		for _, r := range readTopics(f.t, c, f.prefix, topics.Mutations, topics.Orders, topics.Commands) {
			if r.Offset >= f.tasks[r.Partition].Expects(f.input(r)) {
				left[r.Partition] = append(left[r.Partition], r)
			}
		}
		for p := range f.n {
			records := left[p]
			again = again || len(records) > 0
			for len(records) > 0 || !f.exists(p) {
				m := min(len(records), foldBatch)
				f.commit(p, records[:m])
				records = records[m:]
			}
		}
	}
}

func (f *folder) exists(p int32) bool {
	_, ok := f.tasks[p].Record()
	return ok
}

func (f *folder) input(r *kgo.Record) int {
	base, _ := f.prefix.Base(r.Topic)
	bases := state.InputBases()
	return slices.Index(bases[:], base)
}

// commit folds a batch in one transaction.
func (f *folder) commit(p int32, records []*kgo.Record) {
	f.t.Helper()
	var out []*kgo.Record
	task := f.tasks[p]
	for _, r := range records {
		o, more := f.fold(p, r)
		out = append(out, more...)
		if f.count != nil {
			o = f.count(o)
		}
		task.Passed(f.input(r), r.Offset, r.LeaderEpoch, topics.TimeOf(r.Timestamp), o)
	}
	task.Prepare(time.Now(), func(o state.Output) {
		r := &kgo.Record{Topic: f.prefix.Name(topics.Changelog), Partition: p, Key: o.Key, Value: o.Value}
		if o.Kind == state.ToAvailability {
			r.Topic = f.prefix.Name(topics.AvailabilityTopic)
			r.Headers = []kgo.RecordHeader{{Key: topics.HeaderRevision, Value: o.Revision}}
		}
		out = append(out, r)
	})
	if err := f.client.BeginTransaction(); err != nil {
		f.t.Fatal(err)
	}
	var last int64
	for _, r := range out {
		if f.change != nil {
			base, _ := f.prefix.Base(r.Topic)
			if r = f.change(base, r); r == nil {
				continue
			}
		}
		f.client.Produce(f.t.Context(), r, func(r *kgo.Record, err error) {
			if err != nil {
				f.t.Error(err)
			}
			last = max(last, r.Offset)
		})
	}
	if err := f.client.Flush(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	if err := f.client.EndTransaction(f.t.Context(), kgo.TryCommit); err != nil {
		f.t.Fatal(err)
	}
	if err := task.Committed(last, time.Now()); err != nil {
		f.t.Fatal(err)
	}
}

// fold folds one record and returns what else its transaction must produce.
func (f *folder) fold(p int32, r *kgo.Record) (state.Outcome, []*kgo.Record) {
	f.t.Helper()
	arrival := &state.Arrival{Topic: r.Topic, Partition: p, Offset: r.Offset, Time: topics.TimeOf(r.Timestamp)}
	var m topics.Mutation
	var o topics.Order
	var why *topics.Reject
	switch f.input(r) {
	case state.InputMutations:
		why = topics.DecodeMutation(r.Key, r.Value, 1<<20, &m)
	case state.InputOrders:
		why = topics.DecodeOrder(r.Key, r.Value, 1<<20, &o)
	case state.InputCommands:
		why = topics.DecodeCommand(r.Value, 1<<20, new(topics.Command))
		if why == nil {
			return state.Applied, nil
		}
	}
	outcome := state.DeadLettered
	if to := topics.PartitionOf(r.Key, f.n); why == nil && to != p {
		return state.Forwarded, []*kgo.Record{topics.Forward(r, to)}
	}
	if why == nil {
		var err error
		if m.SKU != "" {
			outcome, why, err = f.tasks[p].Mutation(&m, arrival)
		} else {
			outcome, why, err = f.tasks[p].Order(&o, arrival)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if why != nil {
		return outcome, []*kgo.Record{topics.DeadLetter(r, f.prefix.Name(topics.DeadLetters), p, why)}
	}
	return outcome, nil
}
