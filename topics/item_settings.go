package topics

import "fmt"

// Topic item-settings: what a person wants of one SKU in one store, or in all.
//
//	producer    people, through console and CLI
//	consumer    sinks, console, CLI
//	key         `store|sku`; `*|sku` is this SKU in all stores
//	cleanup     compact; delete.retention.ms 7 d
//	partitions  S
//	schema      schemas/item-settings.json
//	version     additive only

// ItemSettings is the intent for one pair. A nil field leaves the question to `*|sku`, the store, and store `*`.
type ItemSettings struct {
	Store              string    `json:"store"`
	SKU                string    `json:"sku"`
	DisableStockUpdate *bool     `json:"disable_stock_update"` // false overrides auto-disable only
	DisabledUntil      Time      `json:"disabled_until"`
	Buffer             *Quantity `json:"buffer"`
	Percent            *Quantity `json:"percent"`
	Min                *Quantity `json:"min"`
	Max                *Quantity `json:"max"`
	ResyncRequestedAt  Time      `json:"resync_requested_at"`
	ChangedBy          string    `json:"changed_by,omitzero"`
	ChangedAt          Time      `json:"changed_at"`
}

// Key returns the record's key.
func (s *ItemSettings) Key() []byte { return PairKey(s.Store, s.SKU) }

// Encode returns the record's value.
func (s *ItemSettings) Encode() []byte { return encodeRecord(s) }

// DecodeItemSettings reads and checks a record's value. The error names every broken field and its value.
func DecodeItemSettings(value []byte) (ItemSettings, error) {
	var s ItemSettings
	if err := decodeRecord(value, &s); err != nil {
		return ItemSettings{}, fmt.Errorf("decode item settings: %w", err)
	}
	var f faults
	f.store("store", s.Store, true)
	f.id("sku", s.SKU, maxID)
	f.limits(s.Buffer, s.Percent, s.Min, s.Max)
	f.text("changed_by", s.ChangedBy, maxID)
	if err := f.err(); err != nil {
		return ItemSettings{}, fmt.Errorf("decode item settings: %w", err)
	}
	return s, nil
}
