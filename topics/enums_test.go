package topics_test

import (
	"encoding"
	"fmt"
	"strings"
	"testing"

	"stocksync/topics"
)

// name is an enum whose values have names.
type name interface {
	comparable
	fmt.Stringer
	encoding.TextMarshaler
}

func TestEnums_ComeBackFromTheirNames(t *testing.T) {
	wantNames(t, (*topics.MutationKind).UnmarshalText, "delta", "count", "touch")
	wantNames(t, (*topics.MutationStatus).UnmarshalText, "posted", "cancelled")
	wantNames(t, (*topics.OrderStatus).UnmarshalText, "draft", "open", "on_hold", "closed", "cancelled", "removed")
	wantNames(t, (*topics.Trigger).UnmarshalText, "nightly", "event", "manual")
}

// wantNames fails the test unless the values from 0 on have these names, and no other text is one.
func wantNames[T interface {
	name
	~uint8
}](t *testing.T, unmarshal func(*T, []byte) error, names ...string) {
	t.Helper()
	for i, want := range names {
		value := T(i)
		text, err := value.MarshalText()
		if err != nil || string(text) != want || value.String() != want {
			t.Errorf("%T %d: got %s, %s, %v, want %s", value, i, text, value, err, want)
		}
		var back T
		if err := unmarshal(&back, text); err != nil || back != value {
			t.Errorf("%s: comes back as %s, %v", text, back, err)
		}
	}
	beyond := T(len(names))
	if got, want := beyond.String(), fmt.Sprintf("(%d)", len(names)); !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want ...%s", got, want)
	}
	for _, text := range []string{"", "bogus", strings.ToUpper(names[0]), names[0] + " "} {
		kept := T(1)
		if err := unmarshal(&kept, []byte(text)); err == nil || kept != 1 || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("%q: got %s, %v, want an error that offers the names", text, kept, err)
		}
	}
}

func TestSyncReason_DecidesTheState(t *testing.T) {
	want := map[topics.SyncState][]topics.SyncReason{
		topics.StateSynced:   {"in_sync", "zero_available", "zero_by_rule"},
		topics.StatePending:  {"waiting", "changed_on_marketplace"},
		topics.StateRetrying: {"marketplace_error", "rate_limited", "auth_expired"},
		topics.StateDisabled: {"store_disabled", "item_disabled", "auto_disabled"},
		topics.StateUnmapped: {"mapping_pending", "sku_mismatch"},
		topics.StateNever:    {"no_transaction_yet"},
		topics.StateBlocked: {
			"config_error", "preview", "shop_unauthorised", "shop_closed", "no_warehouse", "listing_deleted", "listing_banned",
			"listing_archived", "listing_inactive", "listing_untracked", "managed_elsewhere", "location_missing", "braked",
			"promo_locked", "raise_only", "below_reserved", "quantity_refused", "a_later_reason",
		},
	}
	seen := map[topics.SyncReason]bool{}
	for state, reasons := range want {
		for _, r := range reasons {
			seen[r] = true
			if got := r.State(); got != state {
				t.Errorf("%s: got %s, want %s", r, got, state)
			}
		}
	}
	for _, r := range topics.SyncReasons() {
		if !seen[r] {
			t.Errorf("%s is not in the table", r)
		}
	}
}
