package sinks

import "log/slog"

// Credentials are the secrets of one store by name. They print as stars.
type Credentials struct{ values map[string]string }

// NewCredentials wraps secrets.
func NewCredentials(values map[string]string) Credentials { return Credentials{values: values} }

// Get returns a secret; it is empty when there is none of that name.
func (c Credentials) Get(name string) string { return c.values[name] }

// String hides the secrets.
func (c Credentials) String() string { return "***" }

// GoString hides the secrets.
func (c Credentials) GoString() string { return "***" }

// LogValue hides the secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalJSON hides the secrets.
func (c Credentials) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// equal tells whether two sets of secrets are the same.
func (c Credentials) equal(d Credentials) bool {
	if len(c.values) != len(d.values) {
		return false
	}
	for name, secret := range c.values {
		if other, ok := d.values[name]; !ok || other != secret {
			return false
		}
	}
	return true
}
