package topics

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Duration is a time.Duration that JSON writes as text, such as "30m0s". Zero means not given.
type Duration time.Duration

// String returns the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes d as a JSON string.
func (d Duration) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads a JSON string such as "30m" or "1h30m", or null for zero.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*d = 0
		return nil
	}
	text, err := jsontext.AppendUnquote(nil, data)
	if err != nil {
		return fmt.Errorf("%s is not a duration such as \"30m\"", shorten(string(data)))
	}
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%s is not a duration such as \"30m\"", shorten(string(data)))
	}
	*d = Duration(parsed)
	return nil
}
