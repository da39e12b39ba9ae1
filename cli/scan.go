package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of a scan.
const (
	scanStall = 30 * time.Second // without a record, while records are known to be there
	scanWait  = 250 * time.Millisecond
)

// errStalled is returned by a scan whose brokers stopped answering before its end.
var errStalled = errors.New("no answer")

// scan reads a topic as far as it is committed at this moment, and calls each with every record, in order
// within a partition. Partitions are all, or those given. Records are valid after the call.
func (c *call) scan(ctx context.Context, topic string, each func(*kgo.Record) error, only ...int32) error {
	cl, err := c.client(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is often a transaction's marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(scanWait),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, starts, err := bounds(ctx, kadm.NewClient(cl), topic, only)
	if err != nil {
		return err
	}
	if len(starts) == 0 {
		return nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts})
	for len(ends) > 0 {
		if err := scanPoll(ctx, cl, ends, each); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return nil
}

// bounds returns where each partition with records ends, as far as it is committed, and where it starts.
func bounds(ctx context.Context, adm *kadm.Client, topic string, only []int32) (
	ends map[int32]int64, starts map[int32]kgo.Offset, err error,
) {
	if _, err := partitionsOf(ctx, adm, topic); err != nil {
		return nil, nil, err
	}
	first, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look up the start of %s: %w", topic, err)
	}
	last, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = last.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look up the end of %s: %w", topic, err)
	}
	wanted := map[int32]bool{}
	for _, p := range only {
		wanted[p] = true
	}
	ends, starts = map[int32]int64{}, map[int32]kgo.Offset{}
	for p, end := range last[topic] {
		start := first[topic][p].Offset
		if start < end.Offset && (len(only) == 0 || wanted[p]) {
			ends[p], starts[p] = end.Offset, kgo.NewOffset().At(start)
		}
	}
	return ends, starts, nil
}

// scanPoll reads once and takes the partitions that reached their end out of ends.
func scanPoll(ctx context.Context, cl *kgo.Client, ends map[int32]int64, each func(*kgo.Record) error) error {
	wait, cancel := context.WithTimeoutCause(ctx, scanStall, errStalled)
	defer cancel()
	fetches := cl.PollFetches(wait)
	for _, fault := range fetches.Errors() {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case wait.Err() != nil:
			return fmt.Errorf("%w for %s, with %d partitions to go", errStalled, scanStall, len(ends))
		case kerr.IsRetriable(fault.Err):
		default:
			return fmt.Errorf("partition %d: %w", fault.Partition, fault.Err)
		}
	}
	var err error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		for _, r := range p.Records {
			end, open := ends[r.Partition]
			if err != nil || !open {
				return
			}
			if r.Offset < end && !r.Attrs.IsControl() {
				err = each(r)
			}
			if r.Offset+1 >= end {
				delete(ends, r.Partition)
			}
		}
	})
	return err
}
