package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// heldStatus is one status as it was read; it is decoded at the end, for of most a newer one follows.
type heldStatus struct {
	generation int64 // of the owner that wrote it
	value      []byte
}

// allPairs wants the statuses of all pairs.
func allPairs(string, string) bool { return true }

// eachStatus passes on the newest status of every pair that is wanted, in the order of store and SKU. Of two owners
// the higher generation counts. An installation without the topic has none.
func (c *call) eachStatus(
	ctx context.Context, wanted func(store, sku string) bool, each func(*topics.SyncStatus) error,
) error {
	found := map[string]heldStatus{}
	err := c.scan(ctx, c.topic(topics.SyncStatusTopic), func(r *kgo.Record) error {
		store, sku, ok := topics.SplitPairKey(r.Key)
		if !ok || !wanted(store, sku) {
			return nil
		}
		key := string(r.Key)
		if r.Value == nil {
			delete(found, key)
			return nil
		}
		generation := generationOf(r)
		if held := found[key]; held.value == nil || held.generation <= generation {
			found[key] = heldStatus{generation, append(held.value[:0], r.Value...)}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNoTopic) {
		return err
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		status, err := topics.DecodeSyncStatus(found[key].value)
		if err != nil {
			c.log.Warn("status is not shown", "key", key, "err", err)
			continue
		}
		if err := each(&status); err != nil {
			return err
		}
	}
	return nil
}

// generationOf returns the generation of the owner that wrote a status: a header says it, or else the value.
func generationOf(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == "generation" {
			if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				return n
			}
		}
	}
	s, err := topics.DecodeSyncStatus(r.Value)
	if err != nil {
		return 0
	}
	return s.Owner.Generation
}
