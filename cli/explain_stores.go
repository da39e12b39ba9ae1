package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ExplainedStore is where the SKU stands in one store, in words too.
type ExplainedStore struct {
	Store    string             `json:"store"`
	Status   *topics.SyncStatus `json:"status"` // null: the sinks have written none
	State    topics.SyncState   `json:"state"`  // of the status, or else what follows from the records
	Reason   topics.SyncReason  `json:"reason"`
	Evidence map[string]any     `json:"evidence"`
	Words
	Also     []AlsoReason     `json:"also"`           // the other reasons that hold
	Note     string           `json:"note,omitempty"` // why there is no status
	Numbers  *Numbers         `json:"numbers"`        // null: the records don't tell them
	Attempts []topics.SyncLog `json:"attempts"`       // the last, newest first
}

// AlsoReason is one of the other reasons that hold.
type AlsoReason struct {
	Reason topics.SyncReason `json:"reason"`
	Words
}

// explainStores returns where the SKU stands in each store, or in the one named: the status that the sinks wrote, or,
// for a store without one, what they would say.
func (c *call) explainStores(ctx context.Context, sku, only string, attempts int) ([]ExplainedStore, error) {
	stores, err := c.storeTable(ctx)
	if err != nil {
		return nil, err
	}
	records, err := c.pairRecords(ctx, sku, func(store string) bool { return only == "" || store == only })
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for id := range stores {
		ids[id] = id != topics.AllStores
	}
	for _, s := range records.statuses {
		ids[s.Store] = true
	}
	if only != "" && !ids[only] {
		return nil, fmt.Errorf("store %q: no such store", only)
	}
	list := []ExplainedStore{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if !ids[id] || only != "" && id != only {
			continue
		}
		one, err := c.explainStore(id, sku, stores, records)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, c.explainAttempts(ctx, sku, list, attempts)
}

// storeTable returns the values of the stores' records by id. An installation without the topic has none.
func (c *call) storeTable(ctx context.Context) (map[string][]byte, error) {
	stores, err := c.table(ctx, topics.Stores)
	if errors.Is(err, errNoTopic) {
		return stores, nil
	}
	return stores, err
}

// explainStore tells where the SKU stands in one store.
func (c *call) explainStore(id, sku string, stores map[string][]byte, r *pairRecords) (ExplainedStore, error) {
	one := ExplainedStore{
		Store: id, Status: r.status(id, sku), Also: []AlsoReason{}, Attempts: []topics.SyncLog{},
	}
	preview, err := c.previewOf(id, stores[id], stores[topics.AllStores])
	if err != nil {
		return one, err
	}
	fault := preview.Err()
	preview.Trust() // its credentials may be out of reach here
	seen := preview.Assess(sku, r.of(id, sku), time.Now())
	one.State, one.Reason, one.Evidence = seen.State, seen.Reason, seen.Evidence
	one.Numbers = numbersOf(seen.Reckoning)
	also := seen.Also
	switch s := one.Status; {
	case s != nil:
		one.State, one.Reason, one.Evidence, also = s.State, s.Reason, s.Evidence, s.Also
	case !seen.Exists && seen.Reason != topics.SyncConfigError: // of a record that is invalid nobody knows
		one.Note = "No status: the store has no listing, setting or order for this SKU."
	case fault != nil:
		one.Note = "No status yet, and the store could not be opened here: " + fault.Error()
	default:
		one.Note = "No status yet: the sinks have not come to it; see that `stocksync sinks` runs."
	}
	one.Words = wordsOf(one.Reason)
	for _, reason := range also {
		one.Also = append(one.Also, AlsoReason{reason, wordsOf(reason)})
	}
	return one, nil
}

// explainAttempts fills in the last attempts, as far back as topic sync-log reaches.
func (c *call) explainAttempts(ctx context.Context, sku string, list []ExplainedStore, most int) error {
	if most == 0 || len(list) == 0 {
		return nil
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	n, err := partitionsOf(ctx, kadm.NewClient(cl), c.topic(topics.SyncLogTopic))
	if errors.Is(err, errNoTopic) {
		return nil
	}
	if err != nil {
		return err
	}
	of, partitions := map[string]*ExplainedStore{}, []int32{}
	for i := range list {
		key := topics.PairKey(list[i].Store, sku)
		of[string(key)] = &list[i]
		partitions = append(partitions, topics.PartitionOf(key, n))
	}
	err = c.scan(ctx, c.topic(topics.SyncLogTopic), func(r *kgo.Record) error {
		one := of[string(r.Key)]
		if one == nil || r.Value == nil {
			return nil
		}
		l, err := topics.DecodeSyncLog(r.Value)
		if err != nil {
			c.log.Warn("attempt is not shown", "key", string(r.Key), "err", err)
			return nil
		}
		if one.Attempts = append(one.Attempts, l); len(one.Attempts) > most {
			one.Attempts = slices.Delete(one.Attempts, 0, 1)
		}
		return nil
	}, partitions...)
	for i := range list {
		slices.Reverse(list[i].Attempts)
	}
	return err
}
