package sinks

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
)

// stars is what secrets print as.
const stars = "***"

// Credentials are the secrets of one store by name. They print as stars, whatever the verb, alone and
// inside other values; the secrets hide behind a function, which a printer that digs shows as an address.
type Credentials struct{ held func() map[string]string }

// NewCredentials wraps secrets.
func NewCredentials(values map[string]string) Credentials {
	return Credentials{held: func() map[string]string { return values }}
}

// Get returns a secret; it is empty when there is none of that name.
func (c Credentials) Get(name string) string { return c.values()[name] }

func (c Credentials) values() map[string]string {
	if c.held == nil {
		return nil
	}
	return c.held()
}

// Format hides the secrets from every verb of package fmt.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// String hides the secrets.
func (c Credentials) String() string { return stars }

// LogValue hides the secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(stars) }

// MarshalText hides the secrets, from encoders of JSON too.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(stars), nil }

// hideFrom is the length from which a secret is looked for in texts: a shorter one is no secret, and would
// spoil them.
const hideFrom = 8

// hide puts stars in the place of each secret in a text.
func (c Credentials) hide(text string) string {
	for _, secret := range c.values() {
		if len(secret) >= hideFrom {
			text = strings.ReplaceAll(text, secret, stars)
		}
	}
	return text
}

// equal tells whether two sets of secrets are the same.
func (c Credentials) equal(d Credentials) bool { return maps.Equal(c.values(), d.values()) }
