package sinks_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"stocksync/sinks"
	"stocksync/state"
	"stocksync/topics"
)

// tables opens empty tables in memory.
func tables(tb testing.TB) *state.Views {
	tb.Helper()
	v, err := state.OpenViews(state.ViewsConfig{
		Dir: "views", FS: vfs.NewMem(), Stamp: state.Stamp{ClusterID: "c", Prefix: "stock."},
		TopicIDs: map[string][16]byte{
			topics.AvailabilityTopic: {1}, topics.Stores: {2}, topics.ItemSettingsTopic: {3}, topics.Listings: {4},
			topics.SyncStatusTopic: {5},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := v.Close(); err != nil {
			tb.Error(err)
		}
	})
	return v
}

// apply puts records into a table.
func apply(tb testing.TB, v *state.Views, base string, records ...state.ViewRecord) {
	tb.Helper()
	if err := v.View(base).Apply(records, map[int32]int64{0: 1}); err != nil {
		tb.Fatal(err)
	}
}

func put(key, value []byte) state.ViewRecord {
	return state.ViewRecord{Rank: 1, Key: key, Value: value}
}

func settings(store, sku string) state.ViewRecord {
	s := topics.ItemSettings{Store: store, SKU: sku}
	return put(s.Key(), s.Encode())
}

func status(store, sku string, generation int64) state.ViewRecord {
	s := topics.SyncStatus{
		Store: store, SKU: sku, State: topics.StateSynced, Reason: topics.SyncInSync, Owner: topics.Owner{Generation: generation},
		Delivered: &topics.Delivered{Revision: 1, Qty: 5 * qty}, Wanted: topics.Wanted{Revision: 1, Qty: 5 * qty},
	}
	r := put(s.Key(), s.Encode())
	r.Rank = generation
	return r
}

// TestScan_FindsEveryPairOnceWithAllThatIsKnown ensures that a walk over all tables and a look at each pair
// agree, and which pairs exist for shops with and without a catalogue.
func TestScan_FindsEveryPairOnceWithAllThatIsKnown(t *testing.T) {
	v := tables(t)
	ordered := available("ORDERED", 1, qty)
	ordered.OrdersFrom = topics.StoreRevisions{{Store: "b", Revision: 1}}
	apply(t, v, topics.AvailabilityTopic,
		put([]byte("A"), available("A", 1, qty).AppendJSON(nil)), put([]byte("A|B"), available("A|B", 1, qty).AppendJSON(nil)),
		put([]byte("ORDERED"), ordered.AppendJSON(nil)), put([]byte("BROKEN"), []byte("{")))
	listing := topics.Listing{Store: "a", SKU: "LISTED", Origin: topics.OriginUpstream}
	misplaced := topics.Listing{Store: "b", SKU: "A", Origin: topics.OriginUpstream}
	apply(t, v, topics.Listings, put(listing.Key(), listing.Encode()), put([]byte("a|MISPLACED"), misplaced.Encode()))
	apply(t, v, topics.ItemSettingsTopic, settings("*", "A"), settings("a", "A"), settings("b", "SET"), settings("a b", "A"))
	apply(t, v, topics.SyncStatusTopic, status("a", "OLD", 3), status("b", "A|B", 7), status("aa", "A", 9), put([]byte("b|BROKEN"), []byte("{")))
	for listed, want := range map[bool][]string{
		true: {
			"a|A av own all", "a|LISTED list", "a|MISPLACED list broken", "a|OLD status",
			"b|A|B av status", "b|ORDERED av", "b|SET own",
		},
		false: {
			"a|A av own all", "b|A av all", "a|A|B av", "b|A|B av status", "a|LISTED list", "a|MISPLACED list broken",
			"a|OLD status", "a|ORDERED av", "b|ORDERED av", "b|SET own",
		},
	} {
		got, err := sinks.ScanPairs(v, []string{"a", "b"}, listed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sorted(got), sorted(want)); diff != "" {
			t.Errorf("listed %v (-got +want)\n%s", listed, diff)
		}
	}
	stores, highest, err := sinks.StatusStores(v, "b")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stores, []string{"a", "aa", "b"}); diff != "" || highest != 7 {
		t.Errorf("highest generation of b is %d, want 7; stores with statuses (-got +want)\n%s", highest, diff)
	}
}

// sorted returns a sorted copy.
func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestScan_GoesOnAtKeysThatAreNone ensures that a key without a SKU, which the tail lets in no more, ends no
// walk.
func TestScan_GoesOnAtKeysThatAreNone(t *testing.T) {
	v := tables(t)
	apply(t, v, topics.ItemSettingsTopic, put([]byte("a|"), []byte("{}")), settings("a", "A"))
	apply(t, v, topics.SyncStatusTopic, put([]byte("nobar"), []byte("{}")), status("a", "A", 1))
	got, err := sinks.ScanPairs(v, []string{"a"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if last := got[len(got)-1]; last != "a|A own status" {
		t.Errorf("got %v, want the pair behind too", got)
	}
	stores, _, err := sinks.StatusStores(v, "a")
	if diff := cmp.Diff(stores, []string{"a"}); diff != "" || err != nil {
		t.Errorf("%v (-got +want)\n%s", err, diff)
	}
}

// BenchmarkScan walks over 100,000 pairs: 33,334 SKUs in three stores, all delivered. It is what an instance
// does before it sends anything when it takes stores over.
func BenchmarkScan(b *testing.B) {
	const skus = 33_334
	v := tables(b)
	stores := []string{"shop-a", "shop-b", "shop-c"}
	for base, record := range map[string]func(store, sku string) state.ViewRecord{
		topics.AvailabilityTopic: func(_, sku string) state.ViewRecord {
			return put([]byte(sku), available(sku, 1, 5*qty).AppendJSON(nil))
		},
		topics.SyncStatusTopic:   func(store, sku string) state.ViewRecord { return status(store, sku, 1) },
		topics.ItemSettingsTopic: settings,
	} {
		var batch []state.ViewRecord
		for i := range skus {
			for _, store := range stores {
				if base != topics.AvailabilityTopic || store == stores[0] {
					batch = append(batch, record(store, fmt.Sprintf("SKU-%06d", i)))
				}
			}
		}
		apply(b, v, base, batch...)
	}
	for b.Loop() {
		n, err := sinks.CountPairs(v, stores)
		if err != nil || n != skus*len(stores) {
			b.Fatalf("got %d pairs, %v, want %d", n, err, skus*len(stores))
		}
	}
	b.ReportMetric(float64(b.N*skus*len(stores))/b.Elapsed().Seconds(), "pairs/s")
}

// BenchmarkTakeOver takes a store with 1,000,000 listings over, all delivered: what a start costs before anything is
// sent, when the tables are there. It is to stay below ten seconds.
func BenchmarkTakeOver(b *testing.B) {
	const listings = 1_000_000
	v := tables(b)
	store := topics.Store{Store: "s", Marketplace: "test", Warehouses: []string{"*"}}
	apply(b, v, topics.Stores, put(store.Key(), store.Encode()))
	for from := 0; from < listings; from += 10_000 {
		var stock, listed, delivered []state.ViewRecord
		for i := from; i < from+10_000; i++ {
			sku := fmt.Sprintf("SKU-%07d", i)
			a := available(sku, 1, 5*qty)
			stock = append(stock, put([]byte(sku), a.AppendJSON(nil)))
			l := topics.Listing{Store: "s", SKU: sku, Origin: topics.OriginCatalogue, Targets: []topics.Target{{
				ProductID: fmt.Sprint(1_729_000_000_000_000_000 + i), VariantID: fmt.Sprint(1_730_000_000_000_000_000 + i),
				Status: topics.TargetActive, Tracked: true, Title: "Kaos polos hitam lengan pendek",
			}}}
			listed = append(listed, put(l.Key(), l.Encode()))
			s := topics.SyncStatus{
				Store: "s", SKU: sku, State: topics.StateSynced, Reason: topics.SyncInSync, Also: []topics.SyncReason{},
				Evidence: map[string]any{}, Wanted: topics.Wanted{Revision: 1, Qty: 5 * qty, At: at(10), Cause: topics.SyncEvent},
				Delivered: &topics.Delivered{Revision: 1, Qty: 5 * qty, At: at(10), Targets: []topics.DeliveredTarget{{
					ProductID: l.Targets[0].ProductID, VariantID: l.Targets[0].VariantID, Qty: 5 * qty,
				}}},
				Owner: topics.Owner{Instance: "one", Generation: 1}, UpdatedAt: at(10),
			}
			r := put(s.Key(), s.Encode())
			r.Rank = 1
			delivered = append(delivered, r)
		}
		apply(b, v, topics.AvailabilityTopic, stock...)
		apply(b, v, topics.Listings, listed...)
		apply(b, v, topics.SyncStatusTopic, delivered...)
	}
	d := &dialect{listed: true, traits: sinks.Traits{Batch: 100, InFlight: 1}}
	b.ResetTimer()
	for b.Loop() {
		works, err := sinks.TakeOver(b.Context(), v, d, "s")
		if err != nil || works != 0 {
			b.Fatalf("got %d pairs not at rest, %v, want none", works, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
}
