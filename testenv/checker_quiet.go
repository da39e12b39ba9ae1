package testenv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// quietEvery is how often WaitQuiet looks: a fraction of a commit interval.
const quietEvery = 20 * time.Millisecond

// WaitQuiet waits until the processors are done with the input: every partition of mutations has a task
// record whose positions have reached the ends of the inputs, no transaction is open, and no split is
// under way. The error of a ctx that ends first names what was missing last. Nothing else may be
// produced meanwhile, or the wait is for that too.
func WaitQuiet(ctx context.Context, c *Cluster, prefix topics.Prefix) error {
	if prefix == "" {
		prefix = topics.DefaultPrefix
	}
	cl, err := c.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	q := &quiet{
		cluster: c, prefix: prefix, adm: kadm.NewClient(cl),
		records: map[int32]*state.TaskRecord{}, next: map[int32]int64{}, empty: map[gap]bool{},
	}
	defer q.close()
	return Until(ctx, quietEvery, q.look)
}

// quiet is one WaitQuiet in progress.
type quiet struct {
	cluster *Cluster
	prefix  topics.Prefix
	adm     *kadm.Client
	tail    *kgo.Client // of the changelog; nil before the first look

	records map[int32]*state.TaskRecord
	next    map[int32]int64 // changelog positions of the tail
	empty   map[gap]bool    // offsets found to hold no records
	seen    map[gap]bool    // gaps of the last look: only one that stays is worth a read
}

// gap is a range of offsets of a topic that may hold only aborted records and markers.
type gap struct {
	topic     string
	partition int32
	from, to  int64
}

func (q *quiet) close() {
	if q.tail != nil {
		q.tail.Close()
	}
}

// look returns nil when all is quiet, else what is not.
func (q *quiet) look(ctx context.Context) error {
	changelog := q.prefix.Name(topics.Changelog)
	starts, ends, err := bounds(ctx, q.adm, changelog)
	if err != nil {
		return err
	}
	if err := q.follow(ctx, changelog, starts, ends); err != nil {
		return err
	}
	_, mutations, err := bounds(ctx, q.adm, q.prefix.Name(topics.Mutations))
	if err != nil {
		return err
	}
	for p := range mutations {
		if q.records[p] == nil {
			return fmt.Errorf("task %d has no task record yet", p)
		}
		if n := q.records[p].SplitFrom; n != 0 {
			return fmt.Errorf("task %d is being split from %d partitions", p, n)
		}
	}
	gaps := map[gap]bool{}
	for i, base := range state.InputBases() {
		_, ends, err := bounds(ctx, q.adm, q.prefix.Name(base))
		if err != nil {
			return err
		}
		for p, end := range ends {
			if record := q.records[p]; record != nil && record.Inputs[i].Next < end {
				gaps[gap{q.prefix.Name(base), p, record.Inputs[i].Next, end}] = true
			}
		}
	}
	before := q.seen
	q.seen = gaps
	for g := range gaps {
		if !before[g] {
			return fmt.Errorf("%s/%d: the task is at %d, the end is %d", g.topic, g.partition, g.from, g.to)
		}
		if err := q.lags(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// follow reads the changelog up to ends.
func (q *quiet) follow(ctx context.Context, topic string, starts, ends map[int32]int64) error {
	if q.tail == nil {
		from := map[int32]kgo.Offset{}
		for p, start := range starts {
			from[p], q.next[p] = kgo.NewOffset().At(start), start
		}
		tail, err := q.cluster.NewClient(
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		)
		if err != nil {
			return err
		}
		q.tail = tail
	}
	for {
		behind := false
		for p, end := range ends {
			if _, ok := q.next[p]; !ok { // added by a scale
				q.tail.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(starts[p])}})
				q.next[p] = starts[p]
			}
			behind = behind || q.next[p] < end
		}
		if !behind {
			return nil
		}
		if err := q.poll(ctx); err != nil {
			return err
		}
	}
}

func (q *quiet) poll(ctx context.Context) error {
	fetches := q.tail.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return fmt.Errorf("follow the changelog: %w", err)
	}
	for it := fetches.RecordIter(); !it.Done(); {
		r := it.Next()
		q.next[r.Partition] = r.Offset + 1
		if r.Attrs.IsControl() || !state.IsTaskKey(r.Key) || r.Value == nil {
			continue
		}
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			return fmt.Errorf("changelog/%d@%d: %w", r.Partition, r.Offset, err)
		}
		q.records[r.Partition] = record
	}
	return nil
}

// errLags ends a probe that has found a record.
var errLags = errors.New("a record is not folded yet")

// lags returns an error when a committed record stands in the gap; markers and aborted records do not
// count. Each gap is read once.
func (q *quiet) lags(ctx context.Context, g gap) error {
	if q.empty[g] {
		return nil
	}
	cl, err := q.cluster.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			g.topic: {g.partition: kgo.NewOffset().At(g.from)},
		}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxPartitionBytes(64<<10),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for at := g.from; at < g.to; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("probe %s/%d: %w", g.topic, g.partition, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset < g.to && !r.Attrs.IsControl() {
				return fmt.Errorf("%s/%d: the task is at %d, a record stands at %d: %w",
					g.topic, g.partition, g.from, r.Offset, errLags)
			}
			at = r.Offset + 1
		}
	}
	q.empty[g] = true
	return nil
}
