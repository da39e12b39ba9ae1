package topics_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stocksync/topics"
)

// codec is one topic's record type with its way to text and back.
type codec struct {
	base   string
	record reflect.Type
	encode func(record any) []byte
	decode func(value []byte) (record any, err error)
}

// codecs are all topics whose values are JSON.
var codecs = []codec{
	strict(topics.Mutations, topics.DecodeMutation, (*topics.Mutation).AppendJSON),
	strict(topics.Orders, topics.DecodeOrder, (*topics.Order).AppendJSON),
	strict(topics.Commands, decodeCommand, appended((*topics.Command).Encode)),
	tolerant(topics.AvailabilityTopic, decodeAvailability, (*topics.Availability).AppendJSON),
	tolerant(topics.Items, topics.DecodeItem, appended((*topics.Item).Encode)),
	tolerant(topics.Stores, topics.DecodeStore, appended((*topics.Store).Encode)),
	tolerant(topics.ItemSettingsTopic, topics.DecodeItemSettings, appended((*topics.ItemSettings).Encode)),
	tolerant(topics.Listings, topics.DecodeListing, appended((*topics.Listing).Encode)),
	tolerant(topics.SyncStatusTopic, topics.DecodeSyncStatus, appended((*topics.SyncStatus).Encode)),
	tolerant(topics.SyncLogTopic, topics.DecodeSyncLog, appended((*topics.SyncLog).Encode)),
	tolerant(topics.AuditTopic, topics.DecodeAuditEntry, appended((*topics.AuditEntry).Encode)),
}

// strict is the codec of an input. Its decoder gets the key that fits the value.
func strict[T any](base string, decode func(key, value []byte, maxBytes int, into *T) *topics.Reject,
	encode func(*T, []byte) []byte,
) codec {
	return tolerant(base, func(value []byte) (T, error) {
		var record T
		if reject := decode(keyOf(value), value, 0, &record); reject != nil {
			return record, reject
		}
		return record, nil
	}, encode)
}

// tolerant is the codec of any other topic.
func tolerant[T any](base string, decode func(value []byte) (T, error), encode func(*T, []byte) []byte) codec {
	return codec{
		base, reflect.TypeFor[T](),
		func(record any) []byte { r := record.(T); return encode(&r, nil) },
		func(value []byte) (any, error) { return decode(value) },
	}
}

// appended makes an Encode an AppendJSON.
func appended[T any](encode func(*T) []byte) func(*T, []byte) []byte {
	return func(record *T, b []byte) []byte { return append(b, encode(record)...) }
}

func decodeCommand(_, value []byte, maxBytes int, into *topics.Command) *topics.Reject {
	return topics.DecodeCommand(value, maxBytes, into)
}

func decodeAvailability(value []byte) (topics.Availability, error) {
	a, err := topics.DecodeAvailability(value)
	if err != nil {
		return topics.Availability{}, err
	}
	return *a, nil
}

// keyOf returns the sku of a value, or what is no SKU.
func keyOf(value []byte) []byte {
	var record struct{ SKU any }
	if err := json.Unmarshal(value, &record); err != nil {
		return []byte("?")
	}
	if sku, ok := record.SKU.(string); ok && sku != "" {
		return []byte(sku)
	}
	return []byte("?")
}

// codecOf returns the codec of a topic.
func codecOf(t *testing.T, base string) codec {
	t.Helper()
	for _, c := range codecs {
		if c.base == base {
			return c
		}
	}
	t.Fatalf("no codec of %s", base)
	return codec{}
}

func TestCodecs_AreOfEveryTopicWithJSONValues(t *testing.T) {
	for _, d := range topics.Definitions() {
		if d.Base != topics.Changelog && d.Base != topics.DeadLetters {
			codecOf(t, d.Base)
		}
	}
}

// at is a time of the tests, with microseconds.
var at = topics.TimeOf(time.Date(2026, 9, 26, 2, 15, 3, 11_000, time.UTC))

// full are records without a field that holds its zero value.
var full = map[string]any{
	topics.Mutations: topics.Mutation{
		LineID: "erp1/SINV-1/3/in", Version: -7, SKU: "A|1 é\U0001F4E6", Warehouse: "WH-JKT-01", Kind: topics.KindDelta,
		Status: topics.StatusCancelled, Qty: -2_500_000, EffectiveAt: at, Seq: -1, OrderLineID: "erp1/SO-1/7", IsReturn: true,
		Reason: "return", VoucherType: "Sales Invoice", VoucherNo: "SINV-1", Source: "erp1", Actor: `an"a`, Note: "a\\b\n\x01\u2028",
	},
	topics.Orders: topics.Order{
		OrderLineID: "erp1/SO-1/7", Version: 1<<63 - 1, SKU: "A001", Warehouse: "WH-JKT-01", Status: topics.OrderRemoved,
		OrderedQty: 1, OrderedAt: at, OrderID: "SO-1", Store: "tokopedia-main", StoreOrderID: "INV/1", StoreSKU: "a001",
		ChangedAt: at, Source: "erp1",
	},
	topics.Commands: topics.Command{
		ID: "c-1", Command: topics.CommandNightly, Args: map[string]any{"a": "b", "n": 1.5}, RequestedBy: "ana", RequestedAt: at,
	},
	topics.AvailabilityTopic: topics.Availability{
		SKU: "A001", Revision: 1790388903011, Actual: 40_500_000, Reserved: 7, Net: -8, Available: 9,
		Warehouses: []topics.WarehouseStock{{
			Warehouse: "WH-JKT-01", Actual: -1<<63 + 1, Reserved: 1<<63 - 1, Net: -3, Available: 4,
			ByStore: topics.StoreStocks{{Store: "a", Reserved: 1, Taken: 2}, {Store: "b", Reserved: 3, Taken: 4}},
		}, {Warehouse: "WH-2"}},
		Trigger: topics.TriggerManual, Changed: true, CausesTotal: 9,
		Causes:     []topics.Cause{{Topic: "stock.mutations", Partition: 5, Offset: 991234, ID: "l", Ref: "SINV-1", Reason: "opname"}},
		OrdersFrom: topics.StoreRevisions{{Store: "a", Revision: 5}, {Store: "b", Revision: 6}}, FirstSeenAt: at,
		LastMutationAt: at, LastOrderAt: at, LastCountAt: at, AsOf: at, ProcessedAt: at,
	},
	topics.Items: topics.Item{
		SKU: "SET-1", Name: "Paket", UOM: "Set", Barcode: "899", ImageURL: "https://img.example/1", Retired: true,
		Bundle: []topics.Component{{SKU: "A001", Qty: 2_000_000}},
	},
	topics.Stores: topics.Store{
		Store: "tokopedia-main", Marketplace: "tiktokshop", Name: "Toko", Mode: topics.ModePreview, DisableStockUpdate: true,
		DisabledUntil: at, Warehouses: []string{topics.AllWarehouses}, ExcludeWarehouses: []string{"WH-2"},
		Locations: []topics.StoreLocation{{LocationID: "L1", Warehouses: []string{"WH-1", "WH-3"}}},
		Buffer:    quantity(-5), Percent: quantity(100), Min: quantity(1), Max: quantity(9), AutoDisableUnmatched: new(true),
		InFlight: topics.InFlightRead, OrderGrace: topics.Duration(90 * time.Minute), BrakePercent: quantity(30),
		BrakeReleasedAt: at, ResyncRequestedAt: at, CredentialsRef: "toko", Options: topics.RawJSON(`{"platform":"TOKOPEDIA"}`),
		ChangedBy: "ana", ChangedAt: at,
	},
	topics.ItemSettingsTopic: topics.ItemSettings{
		Store: topics.AllStores, SKU: "A|001", DisableStockUpdate: new(true), DisabledUntil: at, Buffer: quantity(5),
		Percent: quantity(1000), Min: quantity(1), Max: quantity(1), ResyncRequestedAt: at, ChangedBy: "ana", ChangedAt: at,
	},
	topics.Listings: topics.Listing{
		Store: "tokopedia-main", SKU: "A001", Origin: topics.OriginPerson, SeenAt: at,
		Targets: []topics.Target{{
			ProductID: "1", VariantID: "2", Platform: "TOKOPEDIA", Status: topics.TargetArchived, Tracked: true, Title: "Kaos",
			URL: "https://shop.example/1", Locations: []string{"L1"},
			Promos:         []topics.Promo{{Kind: topics.PromoFloor, From: at, Until: at, Floor: 1}},
			MarketplaceQty: quantity(3), MarketplaceReserved: quantity(-4),
		}},
	},
	topics.SyncStatusTopic: topics.SyncStatus{
		Store: "tokopedia-main", SKU: "A001", State: topics.StateBlocked, Reason: topics.SyncBelowReserved,
		Also: []topics.SyncReason{topics.SyncWaiting}, Since: at, Evidence: map[string]any{"floor": 5.0},
		Wanted: topics.Wanted{Revision: 1, Qty: 2, At: at, Cause: topics.SyncEvent},
		Delivered: &topics.Delivered{
			Revision: 1, Qty: 2, At: at, Shown: quantity(3), Unseen: 4, UnseenAt: at, Taken: 2 * topics.MaxQuantity,
			Targets: []topics.DeliveredTarget{{ProductID: "1", VariantID: "2", LocationID: "L1", Qty: 5}},
		},
		Attempts: 1, NextAttemptAt: at, Shortfall: 3, AutoDisabled: true, AutoDisabledAt: at, AutoDisabledRevision: 4,
		AutoEnabledBy: "order", LastDrift: &topics.Drift{Seen: 1, Ours: 2, At: at},
		Error: &topics.SyncError{Code: "1", Message: "m"}, Owner: topics.Owner{Instance: "s-1", Generation: 3}, UpdatedAt: at,
	},
	topics.SyncLogTopic: topics.SyncLog{
		At: at, Store: "tokopedia-main", SKU: "A001", ProductID: "1", VariantID: "2", LocationID: "L1", Revision: 5, Qty: 6,
		PreviousQty: quantity(7), Trigger: topics.SyncReadback, CauseID: "l", Outcome: topics.OutcomeVerified,
		Reason: topics.SyncInSync, Code: "0", Message: "ok", RequestID: "r", Attempt: 1, LatencyMs: 182, Superseded: 2, Instance: "s-1",
	},
	topics.AuditTopic: topics.AuditEntry{
		At: at, Actor: "ana", Action: "put", Topic: topics.Stores, RecordKey: "tokopedia-main",
		Before: topics.RawJSON(`{"a":[1,2.50]}`), After: topics.RawJSON(`"x"`), Via: "cli", Note: "n",
	},
}

// least are records with the fewest fields that decode.
var least = map[string]any{
	topics.Mutations:         topics.Mutation{SKU: "A001", Kind: topics.KindTouch},
	topics.Orders:            topics.Order{OrderLineID: "1", SKU: "A", Warehouse: "W", OrderedAt: 1, OrderID: "2"},
	topics.Commands:          topics.Command{ID: "1", Command: topics.CommandNightly},
	topics.AvailabilityTopic: topics.Availability{SKU: "A"},
	topics.Items:             topics.Item{SKU: "A"},
	topics.Stores:            topics.Store{Store: topics.AllStores, Mode: topics.ModeLive},
	topics.ItemSettingsTopic: topics.ItemSettings{Store: "s", SKU: "A"},
	topics.Listings:          topics.Listing{Store: "s", SKU: "A", Origin: topics.OriginUpstream},
	topics.SyncStatusTopic:   topics.SyncStatus{Store: "s", SKU: "A", State: topics.StateNever, Reason: topics.SyncNoTransactionYet},
	topics.SyncLogTopic:      topics.SyncLog{At: 1, Store: "s", SKU: "A", Outcome: topics.OutcomeOK},
	topics.AuditTopic:        topics.AuditEntry{At: 1, Actor: "ana", Action: "put"},
}

// quantity returns n units.
func quantity(n int64) *topics.Quantity { return new(topics.Quantity(n) * topics.One) }

// TestRecords_ComeBackAsTheyWent is half of T2; the other half is in the schemas' tests.
func TestRecords_ComeBackAsTheyWent(t *testing.T) {
	for _, c := range codecs {
		for name, records := range map[string]map[string]any{"full": full, "least": least} {
			t.Run(c.base+" "+name, func(t *testing.T) {
				want := records[c.base]
				value := c.encode(want)
				got, err := c.decode(value)
				if err != nil {
					t.Fatalf("%v in %s", err, value)
				}
				if diff := cmp.Diff(got, want, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("got (-) is not want (+):\n%s", diff)
				}
			})
		}
	}
}

func TestRecords_FullOnesHaveEveryField(t *testing.T) {
	for _, c := range codecs {
		wantFull(t, c.base, reflect.ValueOf(full[c.base]))
	}
}

// wantFull fails the test for each zero field of v, at any depth. An enum's zero is a value like any other.
func wantFull(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch {
	case v.IsZero() && v.Kind() != reflect.Uint8:
		t.Errorf("%s: holds nothing", path)
	case v.Kind() == reflect.Pointer:
		wantFull(t, path, v.Elem())
	case v.Kind() == reflect.Struct:
		for field, value := range v.Fields() {
			wantFull(t, path+"."+field.Name, value)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		wantFull(t, path+"[0]", v.Index(0))
	}
}

func TestRecords_KeysNameWhatTheyAreAbout(t *testing.T) {
	rows := []struct {
		topic string
		key   []byte
		want  string
	}{
		{topics.Items, new(topics.Item{SKU: "A|1"}).Key(), "A|1"},
		{topics.Stores, new(topics.Store{Store: "s"}).Key(), "s"},
		{topics.ItemSettingsTopic, new(topics.ItemSettings{Store: "*", SKU: "A|1"}).Key(), "*|A|1"},
		{topics.Listings, new(topics.Listing{Store: "s", SKU: "A"}).Key(), "s|A"},
		{topics.SyncStatusTopic, new(topics.SyncStatus{Store: "s", SKU: "A"}).Key(), "s|A"},
		{topics.SyncLogTopic, new(topics.SyncLog{Store: "s", SKU: "A"}).Key(), "s|A"},
		{topics.AuditTopic, new(topics.AuditEntry{Actor: "ana"}).Key(), "ana"},
	}
	for _, r := range rows {
		if got := string(r.key); got != r.want {
			t.Errorf("%s: got key %q, want %q", r.topic, got, r.want)
		}
	}
}

// Ensure a record inside another value is written as it is by itself.
func TestRecords_MarshalAsTheyAppend(t *testing.T) {
	for _, c := range codecs {
		got, err := json.Marshal(full[c.base])
		if err != nil {
			t.Fatal(err)
		}
		if want := c.encode(full[c.base]); !reflect.DeepEqual(said(got), said(want)) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
