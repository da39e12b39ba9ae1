package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// bases are the compacted topics that sinks keep as local tables.
func bases() []string {
	return []string{
		topics.AvailabilityTopic, topics.Stores, topics.ItemSettingsTopic, topics.Listings, topics.SyncStatusTopic,
	}
}

const (
	// tailBatch bounds the records of one Pebble batch.
	tailBatch = 20_000
	// surveyEvery is how often the tail looks for new partitions, and notes that it is at the end.
	surveyEvery = 15 * time.Second
)

// errFellOff reports a table whose position the topic no longer has.
var errFellOff = errors.New("the topic no longer has the records at the table's position; the table was emptied " +
	"and is read anew at the next start")

// tailWait is how long a fetch waits for records. Now and then a start takes as long, under load: the tables have
// caught up only when the first fetch has come back.
const tailWait = time.Second

// tail follows the compacted topics into the tables: one consumer without a group, read_committed, from
// the stored positions. It keeps control records, so that its position passes those too.
type tail struct {
	prefix   topics.Prefix
	client   *kgo.Client
	admin    *kadm.Client
	views    *state.Views
	metrics  *metrics
	log      *slog.Logger
	dispatch func(ctx context.Context, base string, records []state.ViewRecord)

	mu       sync.Mutex
	next     map[string]map[int32]int64 // by base: the offset to apply next
	advanced chan struct{}              // closed and replaced when next moves
}

// offsets are offsets by full topic name and partition.
type offsets = map[string]map[int32]kgo.Offset

// begin tells the client where to read: from the stored positions, or from the start. A table whose
// position lies outside its topic is emptied first.
func (t *tail) begin(ctx context.Context) error {
	t.next = map[string]map[int32]int64{}
	t.advanced = make(chan struct{})
	for _, base := range bases() {
		t.next[base] = map[int32]int64{}
	}
	starts, ends, err := t.bounds(ctx)
	if err != nil {
		return err
	}
	for _, base := range bases() {
		view, name := t.views.View(base), t.prefix.Name(base)
		for p, next := range view.Positions() {
			start, known := starts.Lookup(name, p)
			end, _ := ends.Lookup(name, p)
			if !known || next < start.Offset || next > end.Offset {
				t.log.Warn("table does not fit its topic: reading anew", "topic", name, "partition", p,
					"position", next, "start", start.Offset, "end", end.Offset)
				if err := view.Drop(); err != nil {
					return err
				}
				break
			}
		}
	}
	t.client.AddConsumePartitions(t.add(starts))
	return nil
}

// bounds lists first and end offsets of all tables' topics; the ends are those of committed records.
func (t *tail) bounds(ctx context.Context) (starts, ends kadm.ListedOffsets, err error) {
	names := make([]string, 0, len(bases()))
	for _, base := range bases() {
		names = append(names, t.prefix.Name(base))
	}
	if starts, err = t.admin.ListStartOffsets(ctx, names...); err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list start offsets: %w", err)
	}
	if ends, err = t.admin.ListCommittedOffsets(ctx, names...); err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list end offsets: %w", err)
	}
	return starts, ends, nil
}

// add notes the partitions that are not followed yet, and returns where to read them.
func (t *tail) add(starts kadm.ListedOffsets) offsets {
	t.mu.Lock()
	defer t.mu.Unlock()
	added := offsets{}
	for _, base := range bases() {
		stored, name := t.views.View(base).Positions(), t.prefix.Name(base)
		for p, start := range starts[name] {
			if _, followed := t.next[base][p]; followed {
				continue
			}
			next, ok := stored[p]
			if !ok {
				next = start.Offset
			}
			t.next[base][p] = next
			if added[name] == nil {
				added[name] = map[int32]kgo.Offset{}
			}
			added[name][p] = kgo.NewOffset().At(next)
		}
	}
	return added
}

// run follows the topics until the context ends.
func (t *tail) run(ctx context.Context) error {
	for ctx.Err() == nil {
		fetches := t.client.PollRecords(ctx, tailBatch)
		if err := t.errorOf(fetches); err != nil {
			return err
		}
		var fault error
		fetches.EachTopic(func(topic kgo.FetchTopic) {
			if fault == nil {
				fault = t.apply(ctx, topic)
			}
		})
		if fault != nil {
			return fault
		}
	}
	return nil
}

// errorOf sorts the errors of a poll: those that end the tail, and those that pass.
func (t *tail) errorOf(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		base, known := t.prefix.Base(e.Topic)
		switch {
		case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, kgo.ErrClientClosed):
		case known && errors.Is(e.Err, kerr.OffsetOutOfRange):
			err := fmt.Errorf("read %s partition %d: %w", e.Topic, e.Partition, errFellOff)
			return errors.Join(err, t.views.View(base).Drop())
		case kerr.IsRetriable(e.Err), e.Topic == "":
			t.log.Warn("read tables' topics", "topic", e.Topic, "partition", e.Partition, "error", e.Err)
		default:
			return fmt.Errorf("read %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// apply puts the records of one topic into its table, and then tells who they concern.
func (t *tail) apply(ctx context.Context, topic kgo.FetchTopic) error {
	base, _ := t.prefix.Base(topic.Topic)
	view := t.views.View(base)
	var batch []state.ViewRecord
	next := map[int32]int64{}
	topic.EachRecord(func(r *kgo.Record) {
		next[r.Partition] = r.Offset + 1
		if r.Attrs.IsControl() {
			return
		}
		rank, ok := rankOfRecord(base, r)
		if !ok || !keyed(base, r.Key) {
			t.log.Warn("record without proper key or rank left out", "topic", r.Topic, "partition", r.Partition,
				"offset", r.Offset, "key", string(r.Key[:min(len(r.Key), 100)]))
			return
		}
		batch = append(batch, state.ViewRecord{
			Partition: r.Partition, Offset: r.Offset, Rank: rank, Key: r.Key, Value: r.Value,
		})
	})
	if len(next) == 0 {
		return nil
	}
	if err := view.Apply(batch, next); err != nil {
		return err
	}
	t.metrics.records.WithLabelValues(base).Add(float64(len(batch)))
	t.advance(base, next)
	t.dispatch(ctx, base, batch)
	return nil
}

// keyed tells whether a key is one that records of a topic can have: a store id without a bar, a pair of a
// store and a SKU, a SKU.
func keyed(base string, key []byte) bool {
	switch base {
	case topics.Stores:
		return len(key) > 0 && !bytes.Contains(key, []byte{'|'})
	case topics.ItemSettingsTopic, topics.Listings, topics.SyncStatusTopic:
		_, _, ok := topics.SplitPairKey(key)
		return ok
	}
	return len(key) > 0
}

// rankOfRecord returns the revision of an availability record, or the owner's generation of a status:
// from the header, else from the value.
func rankOfRecord(base string, r *kgo.Record) (rank int64, ok bool) {
	header := ""
	switch base {
	case topics.AvailabilityTopic:
		header = topics.HeaderRevision
	case topics.SyncStatusTopic:
		header = headerGeneration
	default:
		return 0, true
	}
	for i := range r.Headers {
		if r.Headers[i].Key == header {
			rank, err := strconv.ParseInt(string(r.Headers[i].Value), 10, 64)
			return rank, err == nil
		}
	}
	if r.Value == nil {
		return 0, false // a tombstone that nobody of ours has written
	}
	if base == topics.AvailabilityTopic {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			return 0, false
		}
		return a.Revision, true
	}
	s, err := topics.DecodeSyncStatus(r.Value)
	return s.Owner.Generation, err == nil
}

func (t *tail) advance(base string, next map[int32]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(t.next[base], next)
	close(t.advanced)
	t.advanced = make(chan struct{})
}

// caughtUp waits until the tables hold all that was committed before the call.
func (t *tail) caughtUp(ctx context.Context) error {
	_, ends, err := t.bounds(ctx)
	if err != nil {
		return err
	}
	for {
		t.mu.Lock()
		moved, behind := t.advanced, t.behind(ends)
		t.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-moved:
		}
	}
}

// behind tells whether a followed partition is short of its end. The caller holds the mutex.
func (t *tail) behind(ends kadm.ListedOffsets) bool {
	for _, base := range bases() {
		for p, end := range ends[t.prefix.Name(base)] {
			if next, followed := t.next[base][p]; followed && next < end.Offset {
				return true
			}
		}
	}
	return false
}

// survey looks for new partitions, and notes which tables are at the end, until the context ends.
func (t *tail) survey(ctx context.Context) {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		if err := t.lookAround(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("survey tables' topics", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *tail) lookAround(ctx context.Context) error {
	starts, ends, err := t.bounds(ctx)
	if err != nil {
		return err
	}
	if added := t.add(starts); len(added) > 0 {
		t.log.Info("following new partitions", "topics", len(added))
		t.client.AddConsumePartitions(added)
	}
	for _, base := range bases() {
		var level []int32
		t.mu.Lock()
		for p, end := range ends[t.prefix.Name(base)] {
			if next, followed := t.next[base][p]; followed && next >= end.Offset {
				level = append(level, p)
			}
		}
		t.mu.Unlock()
		if err := t.views.View(base).CaughtUp(level...); err != nil {
			return err
		}
	}
	return nil
}
