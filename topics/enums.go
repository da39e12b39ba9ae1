package topics

import "fmt"

// unknownName is the error of a text that names no value of an enum.
func unknownName(text []byte, names string) error {
	return fmt.Errorf("%q is not one of %s", shorten(string(text)), names)
}

// kindNames, and the lists beside it, name what a message offers instead.
const (
	kindNames           = "delta, count, touch"
	mutationStatusNames = "posted, cancelled"
	orderStatusNames    = "draft, open, on_hold, closed, cancelled, removed"
	triggerNames        = "nightly, event, manual"
)

// kindOf returns the kind of that name.
func kindOf(name string) (MutationKind, bool) {
	switch name {
	case "delta":
		return KindDelta, true
	case "count":
		return KindCount, true
	case "touch":
		return KindTouch, true
	}
	return 0, false
}

// mutationStatusOf returns the mutation status of that name.
func mutationStatusOf(name string) (MutationStatus, bool) {
	switch name {
	case "posted":
		return StatusPosted, true
	case "cancelled":
		return StatusCancelled, true
	}
	return 0, false
}

// orderStatusOf returns the order status of that name.
func orderStatusOf(name string) (OrderStatus, bool) {
	switch name {
	case "draft":
		return OrderDraft, true
	case "open":
		return OrderOpen, true
	case "on_hold":
		return OrderOnHold, true
	case "closed":
		return OrderClosed, true
	case "cancelled":
		return OrderCancelled, true
	case "removed":
		return OrderRemoved, true
	}
	return 0, false
}

// triggerOf returns the trigger of that name.
func triggerOf(name string) (Trigger, bool) {
	switch name {
	case "nightly":
		return TriggerNightly, true
	case "event":
		return TriggerEvent, true
	case "manual":
		return TriggerManual, true
	}
	return 0, false
}

// MarshalText writes the kind's name.
func (k MutationKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *MutationKind) UnmarshalText(text []byte) error {
	v, ok := kindOf(string(text))
	if !ok {
		return unknownName(text, kindNames)
	}
	*k = v
	return nil
}

// MarshalText writes the status's name.
func (s MutationStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a status's name.
func (s *MutationStatus) UnmarshalText(text []byte) error {
	v, ok := mutationStatusOf(string(text))
	if !ok {
		return unknownName(text, mutationStatusNames)
	}
	*s = v
	return nil
}

// MarshalText writes the status's name.
func (s OrderStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a status's name.
func (s *OrderStatus) UnmarshalText(text []byte) error {
	v, ok := orderStatusOf(string(text))
	if !ok {
		return unknownName(text, orderStatusNames)
	}
	*s = v
	return nil
}

// MarshalText writes the trigger's name.
func (t Trigger) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a trigger's name.
func (t *Trigger) UnmarshalText(text []byte) error {
	v, ok := triggerOf(string(text))
	if !ok {
		return unknownName(text, triggerNames)
	}
	*t = v
	return nil
}
