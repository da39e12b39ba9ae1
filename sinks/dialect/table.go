package dialect

import (
	"slices"
	"strings"

	"stocksync/sinks"
)

// Table says what a marketplace's errors mean. The first rule that fits decides.
type Table []Rule

// Rule is a class with the codes that mean it.
type Rule struct {
	Class sinks.Class
	Codes []string // any of them; none: whatever the code
	Says  []string // in lower case: the message has one of them; none: whatever it says
}

// Class returns what an error means; false when no rule fits.
func (t Table) Class(code, message string) (sinks.Class, bool) {
	message = strings.ToLower(message)
	for _, r := range t {
		if len(r.Codes) > 0 && !slices.Contains(r.Codes, code) {
			continue
		}
		says := func(words string) bool { return strings.Contains(message, words) }
		if len(r.Says) == 0 || slices.ContainsFunc(r.Says, says) {
			return r.Class, true
		}
	}
	return 0, false
}

// Outcome returns the outcome of an error. One that no rule fits is transient: it is tried again, ever more
// seldom, and the pair's status shows the code.
func (t Table) Outcome(code, message string) sinks.Outcome {
	o := sinks.Outcome{Class: sinks.ClassTransient, Code: code, Message: message}
	if class, ok := t.Class(code, message); ok {
		o.Class = class
	}
	return o
}

// Worst returns the outcome that matters most: of several errors about one target the one that keeps it from
// being sent for longest.
func Worst(a, b sinks.Outcome) sinks.Outcome {
	if severity(b.Class) > severity(a.Class) {
		return b
	}
	return a
}

// severity orders classes by how long they keep an update from being sent.
func severity(c sinks.Class) int {
	switch c {
	case sinks.ClassOK:
		return 0
	case sinks.ClassTransient:
		return 1
	case sinks.ClassThrottle:
		return 2
	case sinks.ClassToken:
		return 3
	case sinks.ClassPromoLock, sinks.ClassRaiseOnly:
		return 4
	case sinks.ClassBelowReserved, sinks.ClassQuantity:
		return 5
	case sinks.ClassLocation, sinks.ClassManagedElsewhere, sinks.ClassNotEditable, sinks.ClassNotFound:
		return 6
	case sinks.ClassShopUnauthorised, sinks.ClassConfig:
		return 7
	}
	return -1
}
