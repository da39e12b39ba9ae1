package sinks

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// headerGeneration carries the owner's generation on a sync status and its tombstone (decimal text), so
// that readers who merge owners need not decode the value.
const headerGeneration = "generation"

// writer produces statuses and log records. It is safe for concurrent use.
type writer struct {
	client  *kgo.Client
	prefix  topics.Prefix
	metrics *metrics
}

// status writes a status and calls done with its offset once it is acknowledged. It blocks while the
// client's buffer is full.
func (w *writer) status(ctx context.Context, s *topics.SyncStatus, done func(offset int64, err error)) {
	w.put(ctx, s.Key(), s.Encode(), s.Owner.Generation, done)
}

// remove writes the tombstone of a status.
func (w *writer) remove(ctx context.Context, store, sku string, generation int64) {
	w.put(ctx, topics.PairKey(store, sku), nil, generation, func(int64, error) {})
}

func (w *writer) put(ctx context.Context, key, value []byte, generation int64, done func(int64, error)) {
	w.metrics.statuses.Inc()
	w.client.Produce(ctx, &kgo.Record{
		Topic: w.prefix.Name(topics.SyncStatusTopic), Key: key, Value: value,
		Headers: []kgo.RecordHeader{{Key: headerGeneration, Value: strconv.AppendInt(nil, generation, 10)}},
	}, func(r *kgo.Record, err error) { done(r.Offset, err) })
}

// log writes a record of the sync log.
func (w *writer) log(ctx context.Context, l *topics.SyncLog) {
	w.client.Produce(ctx, &kgo.Record{
		Topic: w.prefix.Name(topics.SyncLogTopic), Key: l.Key(), Value: l.Encode(),
	}, nil)
}

// flush waits until all that was written is acknowledged.
func (w *writer) flush(ctx context.Context) error {
	if err := w.client.Flush(ctx); err != nil {
		return fmt.Errorf("flush statuses: %w", err)
	}
	return nil
}
