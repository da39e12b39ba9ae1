package topics

import (
	"embed"
	"errors"
	"fmt"
)

//go:embed schemas/*.json
var schemas embed.FS

// ErrNoSchema is wrapped by the error of Schema for a name that has none: changelog, whose values are binary, and
// whatever is no topic's base name.
var ErrNoSchema = errors.New("no schema")

// Schema returns the JSON Schema (2020-12) of the values of the topic with that base name, as text with examples in
// it; of dead-letters, whose values are whatever arrived, that of their headers. A later release may add fields, names
// to a list that is not closed, and nothing else. What a schema cannot say, such as the digits of a number, its
// description says. The caller owns the result.
func Schema(base string) ([]byte, error) {
	schema, err := schemas.ReadFile("schemas/" + base + ".json")
	if err != nil {
		return nil, fmt.Errorf("%w of topic %q", ErrNoSchema, base)
	}
	return schema, nil
}
