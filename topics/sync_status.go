package topics

import (
	"fmt"
)

// Topic sync-status: where one pair stands.
//
//	producer    sinks: the owner of the store; a lower owner generation is ignored
//	consumer    sinks (on take-over), console, CLI
//	key         `store|sku`
//	cleanup     compact; delete.retention.ms and min.compaction.lag.ms 7 d
//	partitions  S
//	schema      schemas/sync-status.json
//	version     additive only

// SyncStatus says whether a pair has what it should have, and if not why.
type SyncStatus struct {
	Store                string         `json:"store"`
	SKU                  string         `json:"sku"`
	State                SyncState      `json:"state"`
	Reason               SyncReason     `json:"reason"`
	Also                 []SyncReason   `json:"also"` // the other reasons that hold
	Since                Time           `json:"since"`
	Evidence             map[string]any `json:"evidence"`
	Wanted               Wanted         `json:"wanted"`
	Delivered            *Delivered     `json:"delivered"` // nil: never delivered
	Attempts             int            `json:"attempts"`
	NextAttemptAt        Time           `json:"next_attempt_at"`
	Shortfall            Quantity       `json:"shortfall"` // how far the floor sent is above what is wanted
	AutoDisabled         bool           `json:"auto_disabled"`
	AutoDisabledAt       Time           `json:"auto_disabled_at"`
	AutoDisabledRevision int64          `json:"auto_disabled_revision"`
	AutoEnabledBy        string         `json:"auto_enabled_by,omitzero"`
	LastDrift            *Drift         `json:"last_drift"`
	Error                *SyncError     `json:"error"`
	Owner                Owner          `json:"owner"`
	UpdatedAt            Time           `json:"updated_at"`
}

// Wanted is what the pair should show.
type Wanted struct {
	Revision int64     `json:"revision"`
	Qty      Quantity  `json:"qty"`
	At       Time      `json:"at"`
	Cause    SyncCause `json:"cause,omitzero"`
}

// Delivered is what the shop last took.
type Delivered struct {
	Revision int64             `json:"revision"`
	Qty      Quantity          `json:"qty"`
	At       Time              `json:"at"`
	Shown    *Quantity         `json:"shown"` // what the shop offered just before; nil when it was not read
	Unseen   Quantity          `json:"unseen"`
	UnseenAt Time              `json:"unseen_at"` // since when Unseen is what it is
	Taken    Quantity          `json:"taken"`
	Targets  []DeliveredTarget `json:"targets"`
}

// DeliveredTarget is what one product, variant or location of the shop last took.
type DeliveredTarget struct {
	ProductID  string   `json:"product_id"`
	VariantID  string   `json:"variant_id,omitzero"`
	LocationID string   `json:"location_id,omitzero"`
	Qty        Quantity `json:"qty"`
}

// Drift is a difference that read-back found.
type Drift struct {
	Seen Quantity `json:"seen"`
	Ours Quantity `json:"ours"`
	At   Time     `json:"at"`
}

// SyncError is what the marketplace answered.
type SyncError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Owner is who wrote a status.
type Owner struct {
	Instance   string `json:"instance"`
	Generation int64  `json:"generation"`
}

// SyncState is where a pair stands. It follows from the reason.
type SyncState string

// The states of a pair.
const (
	StateSynced   SyncState = "synced"
	StatePending  SyncState = "pending"
	StateSending  SyncState = "sending"
	StateRetrying SyncState = "retrying"
	StateBlocked  SyncState = "blocked"
	StateDisabled SyncState = "disabled"
	StateUnmapped SyncState = "unmapped"
	StateNever    SyncState = "never"
)

// SyncCause says what made an update due.
type SyncCause string

// The causes of an update.
const (
	SyncEvent    SyncCause = "event"
	SyncNightly  SyncCause = "nightly"
	SyncManual   SyncCause = "manual"
	SyncSettings SyncCause = "settings"
	SyncListing  SyncCause = "listing"
	SyncResync   SyncCause = "resync"
	SyncEnabled  SyncCause = "enabled"
	SyncReadback SyncCause = "readback"
)

// Key returns the record's key.
func (s *SyncStatus) Key() []byte { return PairKey(s.Store, s.SKU) }

// Encode returns the record's value. Evidence that JSON cannot hold is written as its text.
func (s *SyncStatus) Encode() []byte {
	healed := *s
	healed.Evidence = encodable(s.Evidence)
	return encodeRecord(&healed)
}

// DecodeSyncStatus reads and checks a record's value. A reason or cause that this release does not know is taken, for
// a newer sink may have written it.
func DecodeSyncStatus(value []byte) (SyncStatus, error) {
	var s SyncStatus
	if err := decodeRecord(value, &s); err != nil {
		return SyncStatus{}, fmt.Errorf("decode sync status: %w", err)
	}
	var f faults
	f.store("store", s.Store, false)
	f.id("sku", s.SKU, maxID)
	oneOf(&f, "state", s.State, StateSynced, StatePending, StateSending, StateRetrying, StateBlocked, StateDisabled,
		StateUnmapped, StateNever)
	f.id("reason", string(s.Reason), maxID)
	f.notNegative("attempts", int64(s.Attempts))
	f.between("shortfall", &s.Shortfall, 0, MaxQuantity)
	if err := f.err(); err != nil {
		return SyncStatus{}, fmt.Errorf("decode sync status: %w", err)
	}
	return s, nil
}
