package cli

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// auditInput is a valid record of an input that the changelog has folded, refused or passed on.
type auditInput struct {
	at       auditPlace
	origin   auditPlace // its first place: another one than at when it was forwarded
	hops     int
	time     topics.Time // the broker's
	mutation *topics.Mutation
	order    *topics.Order
	passed   bool // forwarded from here
}

// takeInput puts a record into the scratch: a valid one with its SKU, an invalid one beside its dead letter.
func (a *auditor) takeInput(input int, r *kgo.Record) error {
	log := a.logs[input][r.Partition]
	log.saw(r)
	in := auditInput{at: auditPlace{input, r.Partition, r.Offset}, time: topics.TimeOf(r.Timestamp)}
	origin := topics.OriginOf(r)
	in.origin, in.hops = auditPlace{input, origin.Partition, origin.Offset}, origin.Hops
	if in.hops > 0 { // also one that is not folded yet: it shows that its source was passed on
		if err := a.scratch.Put(in.copyKey(in.hops), nil); err != nil {
			return err
		}
	}
	if r.Offset < log.next {
		log.folded++
	}
	if a.sku != "" && string(r.Key) != a.sku {
		return nil
	}
	if r.Offset >= log.next {
		a.report.NotFolded++
		return nil
	}
	a.report.Inputs++
	if reject := in.decode(r.Key, r.Value); reject != nil {
		value := binary.BigEndian.AppendUint64(nil, uint64(in.time))
		value = append(append(value, byte(len(reject.Reason))), reject.Reason...)
		key := append(in.origin.append(auditKey(nil, auditLetter)), auditRejected)
		return a.scratch.Put(in.at.append(key), append(value, shownKey(r.Key)...))
	}
	return a.scratch.Put(in.at.append(auditKey(r.Key, auditInputRecord)), in.append(nil, r.Value))
}

// decode reads the record, of any size: MAX_RECORD_BYTES is the processor's to judge.
func (in *auditInput) decode(key, value []byte) *topics.Reject {
	if in.at.input == state.InputMutations {
		in.mutation = &topics.Mutation{}
		return topics.DecodeMutation(key, value, 0, in.mutation)
	}
	in.order = &topics.Order{}
	return topics.DecodeOrder(key, value, 0, in.order)
}

// append appends what readAuditInput reads.
func (in *auditInput) append(b, value []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(in.time))
	b = in.origin.append(append(b, byte(in.hops)))
	return append(b, value...)
}

// readAuditInput reads a record that was valid when it was put in.
func readAuditInput(sku string, at auditPlace, b []byte) (*auditInput, error) {
	in := &auditInput{
		at: at, time: topics.Time(binary.BigEndian.Uint64(b)), hops: int(b[8]), origin: readAuditPlace(b[9:]),
	}
	if reject := in.decode([]byte(sku), b[9+auditPlaceBytes:]); reject != nil {
		return nil, fmt.Errorf("read scratch: %w", reject)
	}
	return in, nil
}

// copyKey is where the copy that was forwarded as the nth is noted.
func (in *auditInput) copyKey(n int) []byte {
	return append(in.origin.append(auditKey(nil, auditCopy)), byte(n))
}

// shownKey is what of a record's key can be shown as a SKU.
func shownKey(key []byte) []byte {
	if len(key) <= 200 && utf8.Valid(key) && mayBeSKU(key) {
		return key
	}
	return nil
}
