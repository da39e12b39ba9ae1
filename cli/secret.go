package cli

import "log/slog"

// Secret is a text that no log, error or listing shows: every way to print it gives stars.
// Convert it to string to use it.
type Secret string

// redacted is what a Secret that is set prints as.
const redacted = "*****"

// String returns stars, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString returns what String does, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue returns what String does, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does, for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
