package topics

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeRecord reads a JSON object into *into. It ignores unknown fields and takes null for absent; what it refuses,
// it refuses naming the field and its value. A name twice is refused, since nobody can say which one was meant, and so
// is nesting deeper than maxNesting.
func decodeRecord(value []byte, into any) error {
	if len(value) == 0 || jsontext.Value(value).Kind() != '{' {
		return fmt.Errorf("value: %q is not a JSON object", shownBytes(value))
	}
	err := json.Unmarshal(value, into)
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return semanticFault(value, semantic)
	}
	if err != nil {
		return fmt.Errorf("value: %q is not JSON: %w", shownBytes(value), err)
	}
	if nesting(alias(value)) > maxNesting {
		return fmt.Errorf("value: %q is not usable: %w", shownBytes(value), errNesting)
	}
	return nil
}

// semanticFault names field and value of a JSON value that its Go type refused.
func semanticFault(value []byte, e *json.SemanticError) error {
	name := strings.TrimPrefix(string(e.JSONPointer), "/")
	if name == "" {
		name = "value"
	}
	// What this package's own types refuse, they refuse with the value in the text.
	if e.Err != nil && e.GoType != nil && e.GoType.PkgPath() == reflect.TypeFor[Quantity]().PkgPath() {
		return fmt.Errorf("%s: %w", name, e.Err)
	}
	return fmt.Errorf("%s: %s is not %s", name, shorten(string(valueAt(value, e.JSONPointer))), wantedOf(e.GoType))
}

// wantedOf says in words what JSON a Go type takes.
func wantedOf(t reflect.Type) string {
	if t == nil {
		return "what belongs here"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "an integer that fits"
	default:
		return "a " + t.String()
	}
}

// valueAt returns the JSON text at a pointer, or nothing when the text has none.
func valueAt(text []byte, at jsontext.Pointer) jsontext.Value {
	value := jsontext.Value(text)
	for name := range at.Tokens() {
		value = memberOf(value, name)
	}
	return value
}

// memberOf returns one member of an object, or one element of an array.
func memberOf(value jsontext.Value, name string) jsontext.Value {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	open, err := d.ReadToken()
	if err != nil {
		return nil
	}
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if open.Kind() == '{' {
			if _, err := d.ReadToken(); err != nil {
				return nil
			}
		}
		member, err := d.ReadValue()
		if err != nil {
			return nil
		}
		if d.StackPointer().LastToken() == name {
			return member
		}
	}
	return nil
}

// shownBytes is what a message shows of a value that may not be text.
func shownBytes(value []byte) string {
	return shorten(strings.ToValidUTF8(string(value[:min(len(value), 4*shownRunes)]), "\uFFFD"))
}

// encodeRecord writes a record. It cannot fail: the record types write themselves, RawJSON heals itself, and open maps
// go through encodable first.
func encodeRecord(record any) []byte {
	value, err := json.Marshal(record, json.Deterministic(true), jsontext.AllowInvalidUTF8(true),
		jsontext.AllowDuplicateNames(true))
	if err != nil {
		return nil
	}
	return value
}

// encodable returns open with every value that JSON cannot hold (a NaN, a channel), or that nests too deep for a
// record, replaced by its text, and names made valid UTF-8.
func encodable(open map[string]any) map[string]any {
	if text, err := json.Marshal(open); err == nil && embeddable(text) {
		return open
	}
	healed := make(map[string]any, len(open))
	for name, value := range open {
		text, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true))
		if err != nil || nesting(alias(text)) > maxNesting-2 {
			value = fmt.Sprint(value)
		}
		healed[strings.ToValidUTF8(name, "\uFFFD")] = value
	}
	return healed
}

// embeddable tells whether text is a JSON value that every decoder here takes as a member of a record.
func embeddable(text jsontext.Value) bool { return text.IsValid() && nesting(alias(text)) < maxNesting }

// RawJSON is a JSON value that is passed on as it is. What no reader would take (text that is not JSON, an object with
// a name twice, nesting too deep for a record) is written as a JSON string, so that it is shown rather than lost.
type RawJSON []byte

// MarshalJSON writes the value; nothing is null.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	if !embeddable(jsontext.Value(r)) {
		return appendText(nil, string(r)), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of the value; null is nothing.
func (r *RawJSON) UnmarshalJSON(data []byte) error {
	*r = nil
	if string(data) != "null" {
		*r = bytes.Clone(data)
	}
	return nil
}

// member is one member of a JSON object whose names are data.
type member[T any] struct {
	name  string
	value T
}

// decodeSorted reads an object whose names are data, such as store ids, into members sorted by name.
func decodeSorted[T any](data []byte) ([]member[T], error) {
	var byName map[string]T
	if err := json.Unmarshal(data, &byName); err != nil {
		return nil, err
	}
	members := make([]member[T], 0, len(byName))
	for name, value := range byName {
		members = append(members, member[T]{name, value})
	}
	slices.SortFunc(members, func(a, b member[T]) int { return cmp.Compare(a.name, b.name) })
	return members, nil
}
