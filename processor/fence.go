package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/topics"
)

// fenceAfter is how long a read stands before an open transaction until it asks whose that is. A
// transaction of an instance that works is open for milliseconds.
const fenceAfter = time.Second

// clientID names the client of a lane to the broker, and with it the group's member.
func clientID(name string) string { return "stocksync-processor-" + name }

// pollCommitted polls a client that reads a topic up to an end that may lie behind an open transaction.
// A transaction whose owner has died keeps it waiting for 5 to 15 s, until the broker ends it; so the
// owners that the group no longer lists are fenced.
func (p *Processor) pollCommitted(
	ctx context.Context, client *kgo.Client, topic string, partitions []int32,
) kgo.Fetches {
	for {
		wait, cancel := context.WithTimeout(ctx, fenceAfter)
		fetches := client.PollFetches(wait)
		cancel()
		if ctx.Err() != nil || !errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return fetches
		}
		if err := p.fence(ctx, topic, partitions); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("look for the owner of an open transaction", "topic", topic, "cause", err)
		}
	}
}

// watchAwaited fences for partitions that the group has assigned and the client does not hand over, until
// ctx ends: it asks for the group's offsets first, and these may be part of an open transaction too.
func (p *Processor) watchAwaited(ctx context.Context) {
	tick := time.NewTicker(fenceAfter)
	defer tick.Stop()
	var before []int32
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var awaited, stuck []int32
		for _, l := range p.running() {
			awaited = append(awaited, l.events.waiting()...)
		}
		for _, n := range awaited {
			if slices.Contains(before, n) {
				stuck = append(stuck, n)
			}
		}
		before = awaited
		if len(stuck) == 0 {
			continue
		}
		if err := p.fence(ctx, p.c.Prefix.Name(topics.Changelog), stuck); err != nil && ctx.Err() == nil {
			p.c.Log.Warn("look for the owner of an open transaction", "partitions", stuck, "cause", err)
		}
	}
}

// fence ends the open transactions in some partitions whose owners the group does not list. Such an
// owner could not commit any more: its offsets are refused.
func (p *Processor) fence(ctx context.Context, topic string, partitions []int32) error {
	set := kadm.TopicsSet{}
	set.Add(topic, partitions...)
	producers, err := p.admin.DescribeProducers(ctx, set)
	if err != nil {
		return fmt.Errorf("describe producers: %w", err)
	}
	var open []int64
	producers.EachProducer(func(d kadm.DescribedProducer) {
		if d.CurrentTxnStartOffset >= 0 {
			open = append(open, d.ProducerID)
		}
	})
	if len(open) == 0 {
		return nil
	}
	transactions, err := p.admin.ListTransactions(ctx, open, nil)
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	members, err := p.members(ctx) // after the transactions: who has one open was a member when it began
	if err != nil {
		return err
	}
	for _, t := range transactions.Sorted() {
		name, ours := strings.CutPrefix(t.TxnID, string(p.c.Prefix))
		if !ours || t.State != "Ongoing" || members[clientID(name)] {
			continue
		}
		p.c.Log.Info("ending the transaction of an owner that left the group", "transactional_id", t.TxnID)
		if err := p.endTransaction(ctx, t.TxnID); err != nil {
			return err
		}
	}
	return nil
}

// members returns the client ids of the group's members; a group that is not there has none.
func (p *Processor) members(ctx context.Context) (map[string]bool, error) {
	group := p.group()
	described, err := p.admin.DescribeGroups(ctx, group)
	if err == nil {
		err = described[group].Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	members := map[string]bool{}
	for _, m := range described[group].Members {
		members[m.ClientID] = true
	}
	return members, nil
}

// endTransaction takes a transactional id over, which aborts what its owner has open.
func (p *Processor) endTransaction(ctx context.Context, id string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(transactionTimeout.Milliseconds())
	resp, err := req.RequestWith(ctx, p.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.ConcurrentTransactions) { // which is the abort under way
		return fmt.Errorf("take over transactional id %s: %w", id, err)
	}
	return nil
}
