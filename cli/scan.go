package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	cl, err := c.reader()
	if err != nil {
		return err
	}
	defer cl.Close()
	starts, ends, err := bounds(ctx, kadm.NewClient(cl), topic, only)
	if err != nil {
		return err
	}
	return scanSpan(ctx, cl, topic, starts, ends, each)
}

// reader returns a client that reads what is committed. The caller closes it.
func (c *call) reader() (*kgo.Client, error) {
	return c.client(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is often a transaction's marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(scanWait),
	)
}

// scanSpan reads each partition of a topic from its start to its end, which is its committed end or below. The
// client has not read before.
func scanSpan(
	ctx context.Context, cl *kgo.Client, topic string, starts, ends map[int32]int64, each func(*kgo.Record) error,
) error {
	from := map[int32]kgo.Offset{}
	ends = maps.Clone(ends)
	for p, end := range ends {
		if starts[p] < end {
			from[p] = kgo.NewOffset().At(starts[p])
		} else {
			delete(ends, p)
		}
	}
	if len(ends) > 0 {
		cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	}
	for len(ends) > 0 {
		if err := scanPoll(ctx, cl, ends, each); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return nil
}

// bounds returns where each partition starts, and where it ends as far as it is committed.
func bounds(ctx context.Context, adm *kadm.Client, topic string, only []int32) (
	starts, ends map[int32]int64, err error,
) {
	if _, err := partitionsOf(ctx, adm, topic); err != nil {
		return nil, nil, err
	}
	if starts, err = offsetsOf(ctx, topic, "start", adm.ListStartOffsets); err != nil {
		return nil, nil, err
	}
	if ends, err = offsetsOf(ctx, topic, "end", adm.ListCommittedOffsets); err != nil {
		return nil, nil, err
	}
	if len(only) > 0 {
		maps.DeleteFunc(ends, func(p int32, _ int64) bool { return !slices.Contains(only, p) })
	}
	return starts, ends, nil
}

// offsetsOf returns one offset for each partition of a topic.
func offsetsOf(
	ctx context.Context, topic, what string, list func(context.Context, ...string) (kadm.ListedOffsets, error),
) (map[int32]int64, error) {
	listed, err := list(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look up the %s of %s: %w", what, topic, err)
	}
	offsets := map[int32]int64{}
	for p, o := range listed[topic] {
		offsets[p] = o.Offset
	}
	return offsets, nil
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
				cl.PauseFetchPartitions(map[string][]int32{r.Topic: {r.Partition}}) // others may have far to go
			}
		}
	})
	return err
}
