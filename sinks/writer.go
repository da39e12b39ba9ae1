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

// unsentMost is how many records may wait for Kafka; more make the reconcilers wait. It holds the first
// statuses of a store with a large catalogue, and some tens of megabytes.
const unsentMost = 50_000

// writer produces statuses, log records and listings. It is safe for concurrent use.
type writer struct {
	client  *kgo.Client
	prefix  topics.Prefix
	metrics *metrics
	unsent  chan struct{} // one token for each record that Kafka has not answered for
}

func newWriter(client *kgo.Client, prefix topics.Prefix, m *metrics) *writer {
	return &writer{client: client, prefix: prefix, metrics: m, unsent: make(chan struct{}, unsentMost)}
}

// status writes a status and calls done with its offset once it is acknowledged. It blocks while too many
// records wait, until ctx ends.
func (w *writer) status(ctx context.Context, s *topics.SyncStatus, done func(offset int64, err error)) {
	w.put(ctx, s.Key(), s.Encode(), s.Owner.Generation, done)
}

// remove writes the tombstone of a status and calls done once it is acknowledged.
func (w *writer) remove(ctx context.Context, store, sku string, generation int64, done func(error)) {
	w.put(ctx, topics.PairKey(store, sku), nil, generation, func(_ int64, err error) { done(err) })
}

// listing writes a listing of the catalogue and calls done once it is acknowledged.
func (w *writer) listing(ctx context.Context, l *topics.Listing, done func(error)) {
	w.produce(ctx, &kgo.Record{
		Topic: w.prefix.Name(topics.Listings), Key: l.Key(), Value: l.Encode(),
	}, func(_ int64, err error) { done(err) })
}

func (w *writer) put(ctx context.Context, key, value []byte, generation int64, done func(int64, error)) {
	w.metrics.statuses.Inc()
	w.produce(ctx, &kgo.Record{
		Topic: w.prefix.Name(topics.SyncStatusTopic), Key: key, Value: value,
		Headers: []kgo.RecordHeader{{Key: headerGeneration, Value: strconv.AppendInt(nil, generation, 10)}},
	}, done)
}

// log writes a record of the sync log.
func (w *writer) log(ctx context.Context, l *topics.SyncLog) {
	w.produce(ctx, &kgo.Record{
		Topic: w.prefix.Name(topics.SyncLogTopic), Key: l.Key(), Value: l.Encode(),
	}, func(int64, error) {})
}

// produce hands a record over. Its context bounds the wait for room only: what was handed over is sent,
// also when its store is let go the moment after, for a record whose context ends takes all that wait for
// the same partition with it, those of other stores too.
func (w *writer) produce(ctx context.Context, r *kgo.Record, done func(offset int64, err error)) {
	lost := w.metrics.lost.WithLabelValues(r.Topic[len(w.prefix):])
	select {
	case w.unsent <- struct{}{}:
	case <-ctx.Done():
		lost.Inc()
		done(-1, context.Cause(ctx))
		return
	}
	w.client.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
		<-w.unsent
		if err != nil {
			lost.Inc()
		}
		done(r.Offset, err)
	})
}

// flush waits until all that was written is acknowledged.
func (w *writer) flush(ctx context.Context) error {
	if err := w.client.Flush(ctx); err != nil {
		return fmt.Errorf("flush statuses: %w", err)
	}
	return nil
}
