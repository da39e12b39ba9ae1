package sinks

import (
	"context"

	"stocksync/state"
	"stocksync/topics"
)

// dispatch tells the reconcilers which pairs to look at again, after records came into a table.
func (o *owner) dispatch(ctx context.Context, base string, records []state.ViewRecord) {
	switch base {
	case topics.AvailabilityTopic:
		o.toAll(records, true, func(r *state.ViewRecord) string { return string(r.Key) })
	case topics.Stores:
		for i := range records {
			o.storeChanged(ctx, string(records[i].Key), records[i].Partition)
		}
	case topics.ItemSettingsTopic:
		o.toAll(records, false, func(r *state.ViewRecord) string {
			if store, sku, ok := topics.SplitPairKey(r.Key); ok && store == topics.AllStores {
				return sku
			}
			return ""
		})
		o.toOwners(records, dirty)
	case topics.Listings:
		o.toOwners(records, dirty)
	case topics.SyncStatusTopic:
		o.toOwners(records, statusSeen)
	}
}

// toAll marks SKUs in every store; the records may be revisions of theirs.
func (o *owner) toAll(records []state.ViewRecord, revisions bool, skuOf func(*state.ViewRecord) string) {
	news := make(map[string][]int64, len(records))
	for i := range records {
		switch sku := skuOf(&records[i]); {
		case sku != "" && revisions:
			news[sku] = append(news[sku], records[i].Rank)
		case sku != "":
			news[sku] = nil
		}
	}
	if len(news) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.shops {
		s.inbox.leave(func(m *mail) {
			for sku, heard := range news {
				m.dirty[sku] = append(m.dirty[sku], heard...)
			}
		})
	}
}

// toOwners passes the records of pairs on to their stores.
func (o *owner) toOwners(records []state.ViewRecord, pass func(s *shop, m *mail, sku string, r *state.ViewRecord)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range records {
		store, sku, ok := topics.SplitPairKey(records[i].Key)
		if !ok {
			continue
		}
		if s, owned := o.shops[store]; owned {
			s.inbox.leave(func(m *mail) { pass(s, m, sku, &records[i]) })
		}
	}
}

func dirty(_ *shop, m *mail, sku string, _ *state.ViewRecord) { m.dirty.mark(sku) }

// statusSeen notes how far the tables hold the statuses of a pair, and finds out a later owner.
func statusSeen(s *shop, m *mail, sku string, r *state.ViewRecord) {
	m.seen[sku] = max(m.seen[sku], r.Offset)
	if ours := s.generation.Load(); ours > 0 && r.Rank > ours {
		m.fenced = true
	}
}
