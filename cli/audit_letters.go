package cli

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// auditReject is a record that no processor can fold.
type auditReject struct {
	auditInput
	sku    string
	reason topics.Reason
}

func readAuditReject(at auditPlace, b []byte) *auditReject {
	n := 9 + int(b[8])
	r := &auditReject{sku: string(b[n:]), reason: topics.Reason(b[9:n])}
	r.at, r.time = at, topics.Time(binary.BigEndian.Uint64(b))
	return r
}

// checkRejects holds the records that no processor can fold against the dead letters, which follow them in the
// scratch: a dead letter is all there is of them.
func (a *auditor) checkRejects() error {
	var origin auditPlace
	var rejects []*auditReject
	var letters []topics.Reason
	err := a.scratch.Each(auditKey(nil, auditLetter), func(key, value []byte) error {
		_, _, rest := splitAuditKey(key)
		if at := readAuditPlace(rest); at != origin {
			a.checkLetters(rejects, letters)
			origin, rejects, letters = at, nil, nil
		}
		if rest = rest[auditPlaceBytes:]; rest[0] == auditRejected {
			rejects = append(rejects, readAuditReject(readAuditPlace(rest[1:]), value))
		} else {
			letters = append(letters, topics.Reason(value))
		}
		return nil
	})
	a.checkLetters(rejects, letters)
	return err
}

// checkLetters holds the invalid records of one origin, one but for a producer's own origin headers, against the
// dead letters that name it.
func (a *auditor) checkLetters(rejects []*auditReject, letters []topics.Reason) {
	for i, r := range rejects {
		d := AuditDifference{
			Check: CheckDeadLetters, What: "record", SKU: r.sku, Want: string(r.reason), Evidence: a.evidenceOf(r.at),
		}
		switch {
		case i >= len(letters) && !a.lettersReach(&r.auditInput):
			a.skip(1, "refused records against the dead letters", lettersGone)
		case i >= len(letters):
			d.Got = "no dead letter"
			a.differ(d)
		case !slices.Contains(letters, r.reason) && !slices.Contains(letters, topics.ReasonOversized):
			d.Got = string(letters[i]) // MAX_RECORD_BYTES, which decides about oversized, is the processor's
			a.differ(d)
		case i == 0 && len(letters) > len(rejects):
			d.Got = fmt.Sprintf("%d dead letters", len(letters))
			a.differ(d)
		}
	}
}

const (
	lettersGone = "the dead letters of their time are gone"
	// lettersSlack is how far the clocks of brokers and processors may be apart.
	lettersSlack = time.Minute
)

// lettersReach tells whether a dead letter of an input record would still be there.
func (a *auditor) lettersReach(in *auditInput) bool {
	log := a.letters[in.at.partition]
	if log == nil || log.start == 0 {
		return true
	}
	return !log.oldest.IsZero() && in.time > log.oldest+topics.Time(lettersSlack.Microseconds())
}

// missing notes that an input record left no trace, unless its dead letter may be gone.
func (a *auditor) missing(d AuditDifference, in *auditInput) {
	if !a.lettersReach(in) {
		a.skip(1, "records that are neither held nor refused", lettersGone)
		return
	}
	a.differ(d)
}

// tooWideAtLeast is less than the names in any header that is too wide.
const tooWideAtLeast = 32 << 10

// checkRefused asks whether what arrival decided can be true.
func (a *auditor) checkRefused(acc *state.Account, f *refold) {
	for _, in := range a.group.inputs {
		letters := a.group.letters[in.origin]
		if len(letters) == 0 || in.passed {
			continue
		}
		d := AuditDifference{
			Check: CheckDeadLetters, What: "record", SKU: a.group.sku, Got: string(letters[0]), Evidence: a.evidenceOf(in.at),
		}
		switch {
		case len(letters) > 1:
			d.Got, d.Want = fmt.Sprintf("%d dead letters", len(letters)), "one"
		case a.plausible(letters[0], in, acc, f):
			continue
		default:
			d.Want = "folded: there is no reason to refuse it"
		}
		a.differ(d)
	}
}

// plausible tells whether a valid record may have been refused for a reason.
func (a *auditor) plausible(why topics.Reason, in *auditInput, acc *state.Account, f *refold) bool {
	whole := f.reach.why == ""
	switch why {
	case topics.ReasonOversized:
		return true // MAX_RECORD_BYTES is the processor's
	case topics.ReasonMisrouted:
		return in.hops >= topics.MaxHops
	case topics.ReasonTooLate:
		if in.order != nil {
			return acc != nil && !acc.OrderFrontier.IsZero()
		}
		return acc != nil && !acc.LineFrontier.At.IsZero()
	case topics.ReasonVersionConflict:
		return !whole || f.hasVersion(a.group.inputs, in)
	case topics.ReasonOverflow:
		return !whole || f.gross > math.MaxInt64
	case topics.ReasonSKUTooWide:
		return !whole || f.names >= tooWideAtLeast
	default:
		return false // of a record that can't be read: this one can
	}
}

// hasVersion tells whether another record has the version of this one, with other content.
func (f *refold) hasVersion(inputs []*auditInput, in *auditInput) bool {
	return slices.ContainsFunc(inputs, func(other *auditInput) bool {
		switch {
		case in.mutation != nil && other.mutation != nil:
			x, y := lineOf(in.mutation), lineOf(other.mutation)
			return x.ID == y.ID && x.Version == y.Version && x != y
		case in.order != nil && other.order != nil:
			x, y := orderOf(in.order), orderOf(other.order)
			return x.ID == y.ID && x.Version == y.Version && x != y
		}
		return false
	})
}
