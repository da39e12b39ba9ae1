package topics

import "fmt"

// Topic sync-log: one record an attempt or decision.
//
//	producer    sinks
//	consumer    console, CLI
//	key         `store|sku`
//	cleanup     delete, 30 d
//	partitions  S
//	schema      schemas/sync-log.json
//	version     additive only

// SyncLog is one attempt to bring a target to its quantity, or one decision about a pair.
type SyncLog struct {
	At          Time        `json:"at"`
	Store       string      `json:"store"`
	SKU         string      `json:"sku"`
	ProductID   string      `json:"product_id,omitzero"`
	VariantID   string      `json:"variant_id,omitzero"`
	LocationID  string      `json:"location_id,omitzero"`
	Revision    int64       `json:"revision"`
	Qty         Quantity    `json:"qty"`
	PreviousQty *Quantity   `json:"previous_qty"` // nil: nothing was delivered before
	Trigger     SyncCause   `json:"trigger,omitzero"`
	CauseID     string      `json:"cause_id,omitzero"`
	Outcome     SyncOutcome `json:"outcome"`
	Reason      SyncReason  `json:"reason,omitzero"`
	Code        string      `json:"code,omitzero"`
	Message     string      `json:"message,omitzero"`
	RequestID   string      `json:"request_id,omitzero"`
	Attempt     int         `json:"attempt"`
	LatencyMs   int64       `json:"latency_ms"`
	Superseded  int         `json:"superseded"` // newer revisions that replaced waiting ones since the last record
	Instance    string      `json:"instance,omitzero"`
}

// SyncOutcome is what came of an attempt: a class of marketplace answers, or a decision.
type SyncOutcome string

// The classes of marketplace answers, and OutcomeVerified. The list is open: a decision may have an outcome of its own.
const (
	OutcomeOK               SyncOutcome = "ok"
	OutcomeNotFound         SyncOutcome = "not_found"
	OutcomeNotEditable      SyncOutcome = "not_editable"
	OutcomePromoLock        SyncOutcome = "promo_lock"
	OutcomeBelowReserved    SyncOutcome = "below_reserved"
	OutcomeRaiseOnly        SyncOutcome = "raise_only"
	OutcomeToken            SyncOutcome = "token"
	OutcomeShopUnauthorised SyncOutcome = "shop_unauthorised"
	OutcomeLocation         SyncOutcome = "location"
	OutcomeQuantity         SyncOutcome = "quantity"
	OutcomeThrottle         SyncOutcome = "throttle"
	OutcomeTransient        SyncOutcome = "transient"
	OutcomeConfig           SyncOutcome = "config"
	OutcomeManagedElsewhere SyncOutcome = "managed_elsewhere"
	OutcomeVerified         SyncOutcome = "verified" // the shop already shows it: nothing was sent
)

// Key returns the record's key.
func (s *SyncLog) Key() []byte { return PairKey(s.Store, s.SKU) }

// Encode returns the record's value.
func (s *SyncLog) Encode() []byte { return encodeRecord(s) }

// DecodeSyncLog reads and checks a record's value. An outcome or reason that this release does not know is taken, for
// a newer sink may have written it.
func DecodeSyncLog(value []byte) (SyncLog, error) {
	var s SyncLog
	if err := decodeRecord(value, &s); err != nil {
		return SyncLog{}, fmt.Errorf("decode sync log: %w", err)
	}
	var f faults
	f.given("at", s.At)
	f.store("store", s.Store, false)
	f.id("sku", s.SKU, maxID)
	f.id("outcome", string(s.Outcome), maxID)
	f.notNegative("attempt", int64(s.Attempt))
	f.notNegative("latency_ms", s.LatencyMs)
	f.notNegative("superseded", int64(s.Superseded))
	if err := f.err(); err != nil {
		return SyncLog{}, fmt.Errorf("decode sync log: %w", err)
	}
	return s, nil
}
