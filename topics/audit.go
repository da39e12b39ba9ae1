package topics

import "fmt"

// Topic audit: every change a person made.
//
//	producer    console, CLI
//	consumer    console
//	key         actor
//	cleanup     delete, 1 y
//	partitions  1, so that the order of changes is one order
//	schema      schemas/audit.json
//	version     additive only

// AuditEntry says who changed what, from what, to what.
type AuditEntry struct {
	At        Time    `json:"at"`
	Actor     string  `json:"actor"`
	Action    string  `json:"action"`         // a verb: put, delete, resync, nightly, scale, positions...
	Topic     string  `json:"topic,omitzero"` // base name of the topic that was written
	RecordKey string  `json:"key,omitzero"`   // key of the record that was written
	Before    RawJSON `json:"before"`         // the record's value before; null when there was none
	After     RawJSON `json:"after"`          // the record's value after; null when it was removed
	Via       string  `json:"via,omitzero"`   // console or cli
	Note      string  `json:"note,omitzero"`
}

// Key returns the record's key.
func (a *AuditEntry) Key() []byte { return []byte(a.Actor) }

// Encode returns the record's value. A Before or After that no reader would take is written as a JSON string.
func (a *AuditEntry) Encode() []byte { return encodeRecord(a) }

// DecodeAuditEntry reads and checks a record's value. The error names every broken field and its value.
func DecodeAuditEntry(value []byte) (AuditEntry, error) {
	var a AuditEntry
	if err := decodeRecord(value, &a); err != nil {
		return AuditEntry{}, fmt.Errorf("decode audit entry: %w", err)
	}
	var f faults
	f.given("at", a.At)
	f.id("actor", a.Actor, maxID)
	f.id("action", a.Action, maxID)
	if err := f.err(); err != nil {
		return AuditEntry{}, fmt.Errorf("decode audit entry: %w", err)
	}
	return a, nil
}
