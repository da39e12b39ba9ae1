package processor_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/testenv"
	"stocksync/topics"
)

// Three brokers, each killed with -9 and started again under load: leaders, the group's and the transactions'
// coordinators move, and answers to commits are lost.
func TestBroker_KillsCostNoRecordAndDoubleNone(t *testing.T) {
	t.Parallel()
	testenv.KafkaNodes(t, 3, func(t *testing.T, c *testenv.Cluster) {
		const rounds, pause = 3, 3 * time.Second
		prefix := c.Prefix(t)
		_, err := topics.Ensure(t.Context(), kadm.NewClient(c.Client(t)), topics.EnsureConfig{
			Prefix: prefix, Partitions: 4, SinkPartitions: 1, ReplicationFactor: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		start(t, config(t, c, prefix, "one"))
		start(t, config(t, c, prefix, "two"))
		w := testenv.NewWorkload(testenv.RealisticWorkload(9))
		var producing sync.WaitGroup
		var done *testenv.Produced
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		producing.Go(func() {
			var err error
			done, err = testenv.Produce(ctx, c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: 12_000, Rate: 300})
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
		for node := range rounds {
			if err := c.Kill(node); err != nil {
				t.Fatal(err)
			}
			wait(ctx, pause)
			if err := c.Restart(ctx, node); err != nil {
				t.Fatal(err)
			}
		}
		producing.Wait()
		if t.Failed() {
			return
		}
		quiet, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := testenv.WaitQuiet(quiet, c, prefix); err != nil {
			t.Fatalf("wait until all input is folded: %v", err)
		}
		check(t, c, prefix, done.Acks)
	})
}

// wait lets a time pass that is the test's own, such as how long a fault lasts, and no wait for a condition.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
