package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/sinks"
	"stocksync/topics"
)

// pairRecords are the records that decide about pairs.
type pairRecords struct {
	availability latest
	settings     map[string][]byte             // by key
	listings     map[string][]byte             // by key
	statuses     map[string]*topics.SyncStatus // by key
}

// pairRecords reads the records of the pairs that are wanted, and what holds for their SKUs in all stores. Without a
// SKU those of every SKU are read.
func (c *call) pairRecords(ctx context.Context, sku string, wanted func(store string) bool) (*pairRecords, error) {
	r := &pairRecords{availability: latest{}, statuses: map[string]*topics.SyncStatus{}}
	mine := func(store, key string) bool {
		return (wanted(store) || store == topics.AllStores) && (sku == "" || key == sku)
	}
	if err := c.availability(ctx, sku, r.availability); err != nil {
		return nil, err
	}
	var err error
	if r.settings, err = c.pairTable(ctx, topics.ItemSettingsTopic, mine); err != nil {
		return nil, err
	}
	if r.listings, err = c.pairTable(ctx, topics.Listings, mine); err != nil {
		return nil, err
	}
	err = c.eachStatus(ctx, mine, func(s *topics.SyncStatus) error {
		r.statuses[string(s.Key())] = s
		return nil
	})
	return r, err
}

// availability reads the availability of a SKU, or of every one, into found.
func (c *call) availability(ctx context.Context, sku string, found latest) error {
	topic := c.topic(topics.AvailabilityTopic)
	if sku == "" {
		return c.scan(ctx, topic, found.keep)
	}
	return c.scanKey(ctx, topic, sku, func(r *kgo.Record) error {
		if string(r.Key) != sku {
			return nil
		}
		return found.keep(r)
	})
}

// status returns the status of a pair; nil when there is none.
func (r *pairRecords) status(store, sku string) *topics.SyncStatus {
	return r.statuses[pairKey(store, sku)]
}

func pairKey(store, sku string) string { return string(topics.PairKey(store, sku)) }

// of returns the records of one pair.
func (r *pairRecords) of(store, sku string) sinks.Records {
	pair := pairKey(store, sku)
	records := sinks.Records{
		Own: r.settings[pair], All: r.settings[pairKey(topics.AllStores, sku)], Listing: r.listings[pair],
	}
	if held := r.availability[sku]; held != nil {
		records.Availability = held.value
	}
	if s := r.statuses[pair]; s != nil {
		records.Status = s.Encode()
	}
	return records
}

// skus returns all SKUs that any of the records of a store is about, sorted.
func (r *pairRecords) skus(store string) []string {
	known := map[string]bool{}
	for sku := range r.availability {
		known[sku] = true
	}
	add := func(key string) {
		if of, sku, ok := topics.SplitPairKey([]byte(key)); ok && of == store {
			known[sku] = true
		}
	}
	for key := range r.settings {
		add(key)
	}
	for key := range r.listings {
		add(key)
	}
	for key := range r.statuses {
		add(key)
	}
	return slices.Sorted(maps.Keys(known))
}
