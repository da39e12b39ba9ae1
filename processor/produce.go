package processor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/state"
	"stocksync/topics"
)

// production is what one transaction produced.
type production struct {
	changelog string

	mu          sync.Mutex
	first, last map[int32]int64 // partition -> offset of its first and its last changelog record
	err         error           // of the first record that failed
}

// done is the promise of every record of the transaction.
func (p *production) done(r *kgo.Record, err error) {
	if err == nil && r.Topic != p.changelog {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.err == nil { // with one fail all that wait behind it, for the same reason
			p.err = fmt.Errorf("produce to %s partition %d: %w", r.Topic, r.Partition, err)
		}
		return
	}
	if _, ok := p.first[r.Partition]; !ok {
		p.first[r.Partition] = r.Offset
	}
	p.last[r.Partition] = r.Offset
}

// produce hands the overlay's records to the client and waits for every promise: a transaction
// would commit without one that failed.
func (l *lane) produce(ctx context.Context, moved []*task, now time.Time) (*production, error) {
	made := &production{
		changelog: l.p.c.Prefix.Name(topics.Changelog), first: map[int32]int64{}, last: map[int32]int64{},
	}
	availability := l.p.c.Prefix.Name(topics.AvailabilityTopic)
	for _, t := range moved {
		for _, r := range t.extra {
			l.session.Produce(ctx, r, made.done)
		}
		t.Prepare(now, func(o state.Output) {
			r := l.slab.record()
			*r = kgo.Record{Topic: made.changelog, Partition: t.partition, Key: o.Key, Value: o.Value}
			if o.Kind == state.ToAvailability {
				r.Topic = availability
				r.Headers = l.slab.headersOf(o)
			}
			l.session.Produce(ctx, r, made.done)
		})
	}
	if err := l.session.Client().Flush(ctx); err != nil {
		return nil, fmt.Errorf("flush: %w", err)
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	if made.err != nil {
		return nil, made.err
	}
	for _, t := range moved {
		switch first, ok := made.first[t.partition]; {
		case !ok:
			return nil, fmt.Errorf("partition %d: no task record was produced: %w", t.partition, state.ErrInvariant)
		case first < t.Next(): // the client does not mind; a commit would make the rest of the state unfindable
			return nil, fmt.Errorf("partition %d: %w: it gave offset %d after %d",
				t.partition, errChangelogAnew, first, t.Next())
		}
	}
	return made, nil
}

// batchMaxBytes is what a batch of a topic may take: the broker holds whole batches, not records, against
// the topic's limit. Forwarded records go to the inputs, which take less than the outputs.
func (p *Processor) batchMaxBytes(topic string) int32 {
	if slices.Contains(p.names[:], topic) {
		return int32(max(topics.MaxInputBytes, p.c.MaxRecordBytes+topics.MaxInputBytes/2))
	}
	return topics.MaxOutputBytes
}

// withOffsets makes sure that the transaction carries offsets (P3): also one that polled nothing,
// which the broker would otherwise take from a member that is no longer in the group.
func (l *lane) withOffsets(ctx context.Context, moved []*task) context.Context {
	return kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		if len(req.Topics) > 0 {
			return nil
		}
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic, t.TopicID = l.p.names[state.InputMutations], l.p.cluster.inputIDs[state.InputMutations]
		for _, m := range moved {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = m.partition, m.Expects(state.InputMutations), -1
			p.Metadata = &req.MemberID
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
		return nil
	})
}

// headersOf returns the headers of an availability record.
func (s *slab) headersOf(o state.Output) []kgo.RecordHeader {
	n := 1
	if len(o.Traceparent) > 0 {
		n = 2
	}
	h := s.header(n)
	h[0] = kgo.RecordHeader{Key: topics.HeaderRevision, Value: o.Revision}
	if n == 2 {
		h[1] = kgo.RecordHeader{Key: "traceparent", Value: o.Traceparent}
	}
	return h
}
