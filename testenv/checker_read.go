package testenv

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// inputLog is what some topics hold.
type inputLog struct {
	records []*kgo.Record
	starts  map[string]map[int32]int64 // by base name
}

// readAll reads topics wholly.
func readAll(ctx context.Context, c *Cluster, prefix topics.Prefix, bases ...string) (*inputLog, error) {
	log := &inputLog{starts: map[string]map[int32]int64{}}
	for _, base := range bases {
		starts, err := scan(ctx, c, prefix.Name(base), func(r *kgo.Record) error {
			log.records = append(log.records, r)
			return nil
		})
		if err != nil {
			return nil, err
		}
		log.starts[base] = starts
	}
	return log, nil
}

// scan calls visit for each committed record of a topic, each partition in its order, up to the ends at
// the beginning of the call, and returns the log starts. A transaction that is still open is an error:
// the topic is not at rest.
func scan(
	ctx context.Context, c *Cluster, topic string, visit func(*kgo.Record) error,
) (map[int32]int64, error) {
	cl, err := c.NewClient(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a partition's share stays the default's: see KfakeConfig
	)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	starts, ends, err := bounds(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{} // ends of the partitions not read yet
	from := map[int32]kgo.Offset{}
	for p, end := range ends {
		if starts[p] < end {
			left[p] = end
			from[p] = kgo.NewOffset().At(starts[p])
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return nil, fmt.Errorf("read %s/%d: %w", topic, errs[0].Partition, errs[0].Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			end, ok := left[r.Partition]
			if !ok || r.Offset >= end {
				delete(left, r.Partition)
				continue
			}
			if r.Offset == end-1 {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := visit(r); err != nil {
				return nil, fmt.Errorf("%s/%d@%d: %w", topic, r.Partition, r.Offset, err)
			}
		}
	}
	return starts, nil
}

// bounds returns a topic's log starts and committed ends.
func bounds(ctx context.Context, adm *kadm.Client, topic string) (starts, ends map[int32]int64, err error) {
	first, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list starts of %s: %w", topic, err)
	}
	committed, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list committed ends of %s: %w", topic, err)
	}
	all, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list ends of %s: %w", topic, err)
	}
	starts, ends = map[int32]int64{}, map[int32]int64{}
	for p, o := range committed[topic] {
		if all[topic][p].Offset > o.Offset {
			return nil, nil, fmt.Errorf(
				"%s/%d: a transaction is open (committed to %d of %d)", topic, p, o.Offset, all[topic][p].Offset)
		}
		starts[p], ends[p] = first[topic][p].Offset, o.Offset
	}
	return starts, ends, nil
}
