package topics

import "unicode/utf8"

// Reason says why a record became a dead letter. The list is closed.
type Reason string

// The reasons of dead letters, in the order in which the first that holds decides.
const (
	ReasonNullValue       Reason = "null_value"
	ReasonEmptyKey        Reason = "empty_key"
	ReasonOversized       Reason = "oversized"
	ReasonUndecodable     Reason = "undecodable" // not exactly one JSON object in valid UTF-8 of nesting <= 32
	ReasonInvalid         Reason = "invalid"     // an object that breaks a rule of its record type
	ReasonKeyMismatch     Reason = "key_mismatch"
	ReasonMisrouted       Reason = "misrouted"
	ReasonTooLate         Reason = "too_late"
	ReasonVersionConflict Reason = "version_conflict"
	ReasonOverflow        Reason = "overflow"
	ReasonSKUTooWide      Reason = "sku_too_wide"
)

// Reasons returns every reason, in the order of precedence.
func Reasons() []Reason {
	return []Reason{
		ReasonNullValue, ReasonEmptyKey, ReasonOversized, ReasonUndecodable, ReasonInvalid, ReasonKeyMismatch,
		ReasonMisrouted, ReasonTooLate, ReasonVersionConflict, ReasonOverflow, ReasonSKUTooWide,
	}
}

// Reject is the error of a record that was not accepted. Message names the field and its value.
type Reject struct {
	Reason  Reason
	Message string
}

// Error returns reason and message.
func (r *Reject) Error() string { return string(r.Reason) + ": " + r.Message }

// shownRunes is how much of a value a message shows: enough to recognise it, short enough for a header and a log line.
const shownRunes = 80

// shorten cuts s to shownRunes code points and marks the cut.
func shorten(s string) string {
	if len(s) <= shownRunes {
		return s
	}
	n := 0
	for i := range s {
		if n == shownRunes {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// cutUTF8 returns the longest prefix of s of at most n bytes that ends at a code point.
func cutUTF8(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
