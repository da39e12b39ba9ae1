package processor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// control looks at every request of a kind before the fake broker does, and may change it; with an answer the
// broker does not see it.
func control[R kmsg.Request](c *testenv.Cluster, see func(R) kmsg.Response) {
	var zero R
	c.Fake.ControlKey(zero.Key(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake.KeepControl()
		answer := see(r.(R))
		return answer, nil, answer != nil
	})
}

// Ensure a restore goes to the changelog's end and not to its last stable offset: a predecessor's commit that is
// decided and not yet to be seen is waited for. On a real broker the markers of one transaction are written one
// partition after the other, so the group's offsets may be free before the changelog is; here they always are.
func TestRestore_WaitsForACommitThatIsPending(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	control(c, func(r *kmsg.InitProducerIDRequest) kmsg.Response {
		r.TransactionTimeoutMillis = 60_000 // the broker does not end what the test holds
		return nil
	})
	control(c, func(r *kmsg.OffsetFetchRequest) kmsg.Response {
		r.RequireStable = false
		return nil
	})
	stands := make(chan struct{}, 1)
	control(c, func(r *kmsg.DescribeProducersRequest) kmsg.Response { // which comes before a fence
		select {
		case stands <- struct{}{}:
		default:
		}
		return r.ResponseKind() // nobody has anything open
	})
	prefix := ensure(t, c, 2)
	w := testenv.NewWorkload(testenv.RealisticWorkload(71))
	cfg, wire := oneLane(t, c, prefix, "first")
	first := start(t, cfg)
	tasks(t, first.Processor, 2)
	acks := produce(t, c, prefix, w, 200)
	settle(t, c, prefix)
	pending := wire.HoldRequest(kmsg.EndTxn)
	acks = append(acks, produce(t, c, prefix, w, 200)...)
	until(t, func(ctx context.Context) error { return pending.Wait(ctx, 1) })
	wire.Stall()
	next, _ := oneLane(t, c, prefix, "next")
	second := start(t, next)
	until(t, func(context.Context) error {
		select {
		case <-stands:
			return nil
		default:
		}
		if n := inPhase(second.Processor, "running"); n == 2 {
			t.Error("it runs while a commit of its predecessor is pending")
			return nil
		}
		return errors.New("it neither runs nor asks who has a transaction open")
	})
	pending.Release()
	wire.Resume()
	tasks(t, first.Processor, 1) // it is a member again
	acks = append(acks, produce(t, c, prefix, w, 200)...)
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

// inPhase returns how many tasks of an instance are in a phase.
func inPhase(p *processor.Processor, phase string) (n int) {
	for _, task := range p.Tasks() {
		if task.Phase == phase {
			n++
		}
	}
	return n
}

// Ensure an answer to a commit that is an error and says nothing of its outcome is not taken for an abort: the
// client then reports neither a commit nor an error, and the broker may have committed.
func TestRestore_TellsWhatBecameOfACommitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg, _ := oneLane(t, c, prefix, "one")
	one := start(t, cfg)
	tasks(t, one.Processor, 2)
	w := testenv.NewWorkload(testenv.RealisticWorkload(81))
	acks := produce(t, c, prefix, w, 200)
	settle(t, c, prefix)
	client := c.Client(t)
	armed := make(chan struct{}, 1)
	committed := make(chan error, 1)
	control(c, func(r *kmsg.EndTxnRequest) kmsg.Response {
		select {
		case <-armed: // this one; its repetition below goes through
		default:
			return nil
		}
		again := *r
		c.Fake.SleepControl(func() {
			resp, err := again.RequestWith(t.Context(), client)
			if err == nil {
				err = kerr.ErrorForCode(resp.ErrorCode)
			}
			if !again.Commit {
				err = errors.Join(err, errors.New("it is an abort"))
			}
			committed <- err
		})
		answer := r.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = kerr.UnknownServerError.Code
		return answer
	})
	for range 3 {
		armed <- struct{}{}
		acks = append(acks, produce(t, c, prefix, w, 200)...)
		if err := <-committed; err != nil {
			t.Fatal(fmt.Errorf("commit in the client's name: %w", err))
		}
		settle(t, c, prefix)
	}
	check(t, c, prefix, acks)
}

// Ensure what a restore has stored when it is cut short is how far it came, not how far it would have gone: the next
// one goes on there.
func TestRestore_GoesOnWhereItWasCutShort(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg := config(t, c, prefix, "one")
		cfg.Workers, cfg.CommitMaxRecords = 1, 100 // of many small transactions
		i := start(t, cfg)
		w := testenv.NewWorkload(testenv.RealisticWorkload(101))
		acks := produce(t, c, prefix, w, 1000)
		settle(t, c, prefix)
		stopped(t, i)
		cfg.StateDir = t.TempDir()
		cfg.ClientOpts = append(slices.Clone(cfg.ClientOpts), kgo.FetchMaxPartitionBytes(4<<10))
		var batches atomic.Int64
		stopping := make(chan struct{})
		cfg.Crash = func(point string) {
			if point == rowRestore && batches.Add(1) == 3 {
				<-stopping
			}
		}
		i = start(t, cfg)
		until(t, func(context.Context) error {
			if n := batches.Load(); n < 3 && inPhase(i.Processor, "running") < 2 {
				return fmt.Errorf("%d batches are restored", n)
			}
			return nil
		})
		i.stop()
		close(stopping)
		stopped(t, i)
		cut := batches.Load()
		i = start(t, cfg)
		tasks(t, i.Processor, 2)
		if n := batches.Load(); n < cut+3 {
			t.Errorf("got %d batches of the changelog restored, %d of them before the stop, want more after it", n, cut)
		}
		acks = append(acks, produce(t, c, prefix, w, 200)...)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	})
}

// Ensure what was aborted is left out where it does not fit into one fetch: it is not only the broker's business,
// because the embedded one does not say so of a partition in which a fetch has met its limit.
func TestRestore_LeavesOutWhatWasAborted(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		const partitions, records, size = 12, 20, 128 << 10
		prefix := ensure(t, c, partitions)
		cfg := config(t, c, prefix, "one")
		i := start(t, cfg)
		w := testenv.NewWorkload(testenv.RealisticWorkload(111))
		acks := produce(t, c, prefix, w, 300)
		settle(t, c, prefix)
		stopped(t, i)
		client := c.Client(t, kgo.TransactionalID(prefix.Name("gone.0")), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchMaxBytes(2*size), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		var aborted []*kgo.Record
		for n := range records * partitions {
			aborted = append(aborted, &kgo.Record{
				Topic: prefix.Name(topics.Changelog), Partition: int32(n % partitions), Key: []byte("s"), Value: make([]byte, size),
			})
		}
		if err := client.ProduceSync(t.Context(), aborted...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		cfg.Workers, cfg.StateDir = 1, t.TempDir()
		i = start(t, cfg)
		tasks(t, i.Processor, partitions)
		acks = append(acks, produce(t, c, prefix, w, 300)...)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	})
}
