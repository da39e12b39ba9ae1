package processor

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// Errors that halt a task. Each one's text says what to do.
var (
	errInputLost = errors.New("input records are gone that were not folded; after a look at what is lost, " +
		"`stocksync positions set` names where to go on")
	errBatchTooLarge = errors.New("a batch of input takes too much memory; after a look at who sent it, " +
		"`stocksync positions set` goes past it")
	errRecreated = errors.New("topic was deleted and made anew; `stocksync positions set` takes the new one")
)

// fold puts what was polled into the overlay of its tasks.
func (l *lane) fold(fetches kgo.Fetches) error {
	var err error
	fetches.EachError(func(topic string, partition int32, failed error) {
		err = errors.Join(err, l.fetchError(topic, partition, failed))
	})
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		t := l.tasks[f.Partition]
		input := l.input(f.Topic)
		if err != nil || t == nil || t.phase != running || input < 0 || len(f.Records) == 0 {
			return
		}
		if f.LogStartOffset > t.Expects(input) && input != state.InputCommands {
			l.halt(t, fmt.Errorf("%w: %s starts at offset %d, next to fold is %d",
				errInputLost, f.Topic, f.LogStartOffset, t.Expects(input)))
			return
		}
		err = l.foldPartition(t, input, f.Records)
		l.lastFold = l.p.c.Now()
	})
	return err
}

func (l *lane) input(topic string) int {
	for i, name := range l.p.names {
		if name == topic {
			return i
		}
	}
	return -1
}

func (l *lane) foldPartition(t *task, input int, records []*kgo.Record) error {
	l.fetched = append(l.fetched, records...)
	a := state.Arrival{Topic: l.p.names[input], Partition: t.partition}
	for i, r := range records {
		if i%state.AheadMost == 0 {
			next := records[i:min(i+state.AheadMost, len(records))]
			t.Ahead(len(next), func(i int) []byte { return next[i].Key })
		}
		if r.Offset < t.Expects(input) { // P4
			continue
		}
		if r.Attrs.IsControl() {
			// Committed like a record: once retention has taken the marker, a position before it is
			// below the log start, and the next start would halt for records that never were.
			t.Skip(input, r.Offset)
			t.Stage(t.Staged())
			continue
		}
		a.Offset, a.Time, a.Traceparent = r.Offset, topics.TimeOf(r.Timestamp), traceparent(r)
		outcome, reject, err := l.foldRecord(t, input, r, &a)
		if err != nil {
			return err
		}
		if reject != nil {
			outcome = state.DeadLettered
			l.deadLetter(t, r, reject)
		}
		t.Passed(input, r.Offset, r.LeaderEpoch, a.Time, outcome)
		t.observeOldest(r.Timestamp)
		if l.records++; l.records == 1 {
			l.oldest = r.Timestamp
		}
	}
	return nil
}

// foldRecord decides what becomes of one record. The first reason that holds is its own.
func (l *lane) foldRecord(t *task, input int, r *kgo.Record, a *state.Arrival) (
	state.Outcome, *topics.Reject, error,
) {
	switch input {
	case state.InputMutations:
		var m topics.Mutation
		if reject := topics.DecodeMutation(r.Key, r.Value, l.p.c.MaxRecordBytes, &m); reject != nil {
			return 0, reject, nil
		}
		if to := t.home(r.Key); to != t.partition {
			return l.forward(t, r, to)
		}
		return t.Mutation(&m, a)
	case state.InputOrders:
		var o topics.Order
		if reject := topics.DecodeOrder(r.Key, r.Value, l.p.c.MaxRecordBytes, &o); reject != nil {
			return 0, reject, nil
		}
		if to := t.home(r.Key); to != t.partition {
			return l.forward(t, r, to)
		}
		return t.Order(&o, a)
	}
	return l.command(t, r)
}

// home returns the partition that a key belongs to, by the task's own partition count.
func (t *task) home(key []byte) int32 {
	return topics.PartitionOf(key, t.Partitions())
}

// forward sends a record that a producer put on the wrong partition to the right one, inside the
// transaction that passes it here. More hops than the limit mean that two instances disagree about the
// partition count.
func (l *lane) forward(t *task, r *kgo.Record, to int32) (state.Outcome, *topics.Reject, error) {
	if hops := topics.OriginOf(r).Hops; hops >= topics.MaxHops {
		return 0, &topics.Reject{Reason: topics.ReasonMisrouted, Message: fmt.Sprintf(
			"key: %q belongs to partition %d and came to %d after %d hops", r.Key, to, t.partition, hops)}, nil
	}
	t.extra = append(t.extra, topics.Forward(r, to))
	return state.Forwarded, nil, nil
}

func (l *lane) deadLetter(t *task, r *kgo.Record, why *topics.Reject) {
	t.extra = append(t.extra, topics.DeadLetter(r, l.p.c.Prefix.Name(topics.DeadLetters), t.partition, why))
	l.p.metrics.deadLetters.WithLabelValues(string(why.Reason)).Inc()
	l.log.Debug("dead letter", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset,
		"reason", why.Reason, "detail", why.Message)
}

// fetchError halts the task whose input can't be read on, and logs the rest: the client tries again.
// It returns faults of the state, and what ends the session.
func (l *lane) fetchError(topic string, partition int32, err error) error {
	if ended := groupError(err); ended != nil {
		return ended
	}
	var lost *kgo.ErrDataLoss
	var large *kgo.ErrDecompressTooLarge
	t, input := l.tasks[partition], l.input(topic)
	switch {
	case input < 0 || t == nil || t.phase != running:
	case errors.As(err, &lost), errors.Is(err, kerr.OffsetOutOfRange):
		if input == state.InputCommands { // the start knows what to do
			return l.startAgain(t)
		}
		l.halt(t, fmt.Errorf("%w: %s: %w", errInputLost, topic, err))
		return nil
	case errors.As(err, &large) && input != state.InputCommands:
		l.halt(t, fmt.Errorf("%w: %s, from offset %d on; go on at %d",
			errBatchTooLarge, topic, large.Offset, large.NextOffset))
		return nil
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		l.halt(t, fmt.Errorf("%s: %w: %w", topic, errRecreated, err))
		return nil
	}
	if !isContext(err) {
		l.log.Warn("fetch", "topic", topic, "partition", partition, "cause", err)
	}
	return nil
}

func traceparent(r *kgo.Record) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == "traceparent" {
			return r.Headers[i].Value
		}
	}
	return nil
}
