package processor_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure leaders and coordinators may move in any step of a transaction: a request that is on its way to the one
// broker then finds that another is in charge.
func TestMove_InAStepOfATransactionCostsNothing(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t, testenv.KfakeBrokers(3))
	prefix := ensure(t, c, 2)
	cfg, wire := oneLane(t, c, prefix, "one")
	one := start(t, cfg)
	tasks(t, one.Processor, 2)
	w := testenv.NewWorkload(testenv.RealisticWorkload(91))
	acks := produce(t, c, prefix, w, 200)
	settle(t, c, prefix)
	group, txn := prefix.Name("processor"), prefix.Name("one.0")
	leaders := func() { moveLeaders(t, c, prefix) }
	for _, row := range []struct {
		during kmsg.Key
		move   func()
	}{
		{kmsg.Produce, leaders},
		{kmsg.TxnOffsetCommit, leaders},
		{kmsg.EndTxn, leaders},
		{kmsg.Fetch, leaders},
		{kmsg.Produce, func() { moveCoordinator(c, txn) }},
		{kmsg.TxnOffsetCommit, func() { moveCoordinator(c, group) }},
		{kmsg.EndTxn, func() { moveCoordinator(c, txn) }},
		{kmsg.Heartbeat, func() { moveCoordinator(c, group) }},
	} {
		held := wire.HoldRequest(row.during)
		acks = append(acks, produce(t, c, prefix, w, 100)...)
		until(t, func(ctx context.Context) error { return held.Wait(ctx, 1) })
		row.move()
		held.Release()
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	}
}

// moveLeaders gives every partition that a transaction writes another leader.
func moveLeaders(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) {
	t.Helper()
	for _, base := range []string{topics.Mutations, topics.Orders, topics.Changelog, topics.AvailabilityTopic} {
		for p := range int32(2) {
			name := prefix.Name(base)
			if err := c.Fake.MoveTopicPartition(name, p, (c.Fake.LeaderFor(name, p)+1)%3); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// moveCoordinator gives a group or a transactional id another coordinator.
func moveCoordinator(c *testenv.Cluster, key string) {
	for was := c.Fake.CoordinatorFor(key); c.Fake.CoordinatorFor(key) == was; {
		c.Fake.RehashCoordinators()
	}
}

// Ensure coordinators that are loading, or busy with the transaction before, are asked again, by the client or in
// another transaction.
func TestMove_CoordinatorsThatAreNotReadyCostNothing(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg, _ := oneLane(t, c, prefix, "one")
	cfg.ClientOpts = append(cfg.ClientOpts, kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	one := start(t, cfg)
	tasks(t, one.Processor, 2)
	w := testenv.NewWorkload(testenv.RealisticWorkload(92))
	acks := produce(t, c, prefix, w, 200)
	settle(t, c, prefix)
	for _, row := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.EndTxn, kerr.CoordinatorLoadInProgress},
		{kmsg.EndTxn, kerr.NotCoordinator},
		{kmsg.EndTxn, kerr.ConcurrentTransactions},
		{kmsg.EndTxn, kerr.UnknownServerError},
		{kmsg.TxnOffsetCommit, kerr.CoordinatorLoadInProgress},
		{kmsg.TxnOffsetCommit, kerr.NotCoordinator},
		{kmsg.TxnOffsetCommit, kerr.ConcurrentTransactions},
		{kmsg.Heartbeat, kerr.NotCoordinator},
		{kmsg.Produce, kerr.ConcurrentTransactions},
		{kmsg.Produce, kerr.NotLeaderForPartition},
	} {
		fault := c.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{row.key}, Err: row.err, Count: 4, When: func(r kmsg.Request) bool {
			p, ok := r.(*kmsg.ProduceRequest)
			return !ok || p.TransactionID != nil // the test's own may go
		}})
		acks = append(acks, produce(t, c, prefix, w, 100)...)
		until(t, func(ctx context.Context) error { return fault.Wait(ctx, 4) })
		settle(t, c, prefix)
	}
	check(t, c, prefix, acks)
}
