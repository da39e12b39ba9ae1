package cli_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// verify holds all that the stores saw, and the statuses, against what is promised.
func (s *storm) verify() {
	s.t.Helper()
	s.eventually(func(context.Context) error { return s.statuses() })
	var ending sync.WaitGroup
	for _, m := range s.sinks {
		ending.Go(func() { m.terminate(s.t) })
	}
	ending.Wait()
	for _, v := range s.sandbox.Violations() {
		s.t.Errorf("violation: %s %s|%s: %s", v.Kind, v.Store, v.SKU, v.Text)
	}
	for _, store := range s.stores {
		var faults []string
		if store.twin == nil {
			faults = overRate(s.sandbox.requests[store.record.Store], webhookRate+webhookFlight+1)
		} else {
			faults = slices.Concat(store.twin.Breaches(), overlaps(store.twin), s.wentBack(store))
		}
		for _, f := range faults {
			s.t.Errorf("%s: %s", store.record.Store, f)
		}
	}
	s.report()
}

// report says what the storm was.
func (s *storm) report() {
	requests, failed := 0, 0
	for _, at := range s.sandbox.requests {
		requests += len(at)
	}
	for _, n := range s.sandbox.Stats().Faults {
		failed += int(n)
	}
	refreshes := 0
	for _, store := range s.stores {
		if store.twin == nil {
			continue
		}
		refreshes += store.twin.Refreshes()
		for _, c := range store.twin.Calls() {
			requests++
			if c.Fault != "" {
				failed++
			}
		}
	}
	s.t.Logf("%d updates to %d stores: %d requests, of which %d met a fault; %d tokens renewed; %d trades, killed before each: %t",
		s.size.updates, len(s.stores), requests, failed, refreshes, s.size.trades, s.size.kills)
}

// overRate finds windows of a second with more requests than a rate lets through: what was in flight when it began
// may have been on its way, and the first after a handover follows another's.
func overRate(at []time.Time, most int) (faults []string) {
	slices.SortFunc(at, time.Time.Compare)
	for i := most; i < len(at); i++ {
		if span := at[i].Sub(at[i-most]); span < time.Second {
			faults = append(faults, fmt.Sprintf("%d requests within %s", most+1, span))
		}
	}
	return faults
}

// overlaps finds writes of one item by two requests that were under way at the same time.
func overlaps(t *twin.Twin) (faults []string) {
	calls := t.Calls()
	last := map[twin.ID]int{}
	for _, w := range t.Writes() {
		before, known := last[w.ID]
		last[w.ID] = w.Call
		if !known || before == w.Call {
			continue
		}
		one, two := calls[before-1], calls[w.Call-1]
		if one.Ended.IsZero() || two.At.Before(one.Ended) {
			faults = append(faults, fmt.Sprintf("request %d for %v came before the end of request %d", two.Seq, w.ID, one.Seq))
		}
	}
	return faults
}

// wentBack finds numbers that are older than one that the store had been given: each must be of the same revision as the
// one before, or of a later one. A store that is read first may be given less, for what looks like a sale.
func (s *storm) wentBack(store *stormStore) (faults []string) {
	at := map[twin.ID]int{}
	skus := map[twin.ID]string{}
	for sku, id := range store.items {
		skus[id] = sku
	}
	second := ""
	if len(store.record.Locations) > 0 {
		second = store.record.Locations[0].LocationID
	}
	for _, w := range store.twin.Writes() {
		if second != "" && w.Location != second {
			continue // where nothing is offered
		}
		list := s.history[skus[w.ID]]
		next := slices.IndexFunc(list[at[w.ID]:], func(t told) bool {
			return t.qty == w.Qty || store.readsFirst() && t.qty > w.Qty
		})
		if next < 0 {
			faults = append(faults, fmt.Sprintf("%s was given %s, which is not among the numbers from %d of %d on",
				skus[w.ID], w.Qty, at[w.ID], len(list)))
			continue
		}
		at[w.ID] += next
	}
	return faults
}

// statuses tells what is wrong with the statuses: one for each pair, by whoever owned it last, and true.
func (s *storm) statuses() error {
	held := map[string]topics.SyncStatus{}
	for _, r := range records(s.t, s.cluster, s.cfg, topics.SyncStatusTopic) {
		status, err := topics.DecodeSyncStatus(r.Value)
		if err != nil {
			return fmt.Errorf("status of %s: %w", r.Key, err)
		}
		before := held[string(r.Key)]
		if before.Owner.Generation > status.Owner.Generation {
			return fmt.Errorf("status of %s: generation %d after %d", r.Key, status.Owner.Generation, before.Owner.Generation)
		}
		held[string(r.Key)] = status
	}
	pairs := 0
	for _, store := range s.stores {
		skus := map[string]bool{}
		for sku := range store.items {
			skus[sku] = true
		}
		for sku := range s.history {
			skus[sku] = true
		}
		for sku := range skus {
			pairs++
			status, ok := held[store.record.Store+"|"+sku]
			if !ok {
				return fmt.Errorf("%s|%s has no status", store.record.Store, sku)
			}
			if err := s.judge(store, sku, &status); err != nil {
				return fmt.Errorf("status of %s|%s: %w", store.record.Store, sku, err)
			}
		}
	}
	if len(held) != pairs {
		return fmt.Errorf("%d statuses, want those of %d pairs", len(held), pairs)
	}
	return nil
}

// judge tells what is wrong with a status.
func (s *storm) judge(store *stormStore, sku string, status *topics.SyncStatus) error {
	if !strings.HasPrefix(sku, "SKU-") || s.history[sku] == nil {
		if status.State != topics.StateNever || status.Reason != topics.SyncNoTransactionYet {
			return fmt.Errorf("got %s %s of a SKU that nobody has", status.State, status.Reason)
		}
		return nil
	}
	want, reason := s.wanted(sku), topics.SyncInSync
	if want.qty == 0 {
		reason = topics.SyncZeroAvailable
	}
	d := status.Delivered
	switch {
	case status.State != topics.StateSynced || status.Reason != reason:
		return fmt.Errorf("got %s %s, want synced %s", status.State, status.Reason, reason)
	case status.Wanted.Qty != want.qty || status.Wanted.Revision != want.revision:
		return fmt.Errorf("got %s at %d wanted, want %s at %d", status.Wanted.Qty, status.Wanted.Revision, want.qty, want.revision)
	case d == nil || d.Qty != want.qty || d.Revision != want.revision || d.Qty != store.shows(sku):
		return fmt.Errorf("got %+v delivered, want %s at %d", d, want.qty, want.revision)
	}
	return nil
}
