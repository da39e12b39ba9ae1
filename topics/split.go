package topics

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// admit checks what comes before a record's text: null_value, empty_key, oversized.
func admit(key, value []byte, keyed bool, maxBytes int) *Reject {
	switch {
	case value == nil:
		return &Reject{Reason: ReasonNullValue, Message: "value: null is no record of this topic"}
	case keyed && len(key) == 0:
		return &Reject{Reason: ReasonEmptyKey, Message: "key: empty, not a SKU"}
	case maxBytes > 0 && len(value) > maxBytes:
		return &Reject{
			Reason:  ReasonOversized,
			Message: fmt.Sprintf("value: %d bytes are more than %d", len(value), maxBytes),
		}
	}
	return nil
}

// keyMismatch is the reject of a record whose key is not its SKU.
func keyMismatch(key []byte, sku string) *Reject {
	return &Reject{
		Reason:  ReasonKeyMismatch,
		Message: fmt.Sprintf("sku: %q is not the key %q", shorten(sku), shorten(string(key))),
	}
}

// splitObject reads any JSON object into its members, in order, and rejects as undecodable what is not exactly one
// JSON object in valid UTF-8 of nesting at most maxNesting. It is the full reader behind flatScanner.
func splitObject(value []byte) ([]field, *Reject) {
	fields, err := splitMembers(value)
	if err != nil {
		shown := shorten(strings.ToValidUTF8(string(value[:min(len(value), 4*shownRunes)]), "\uFFFD"))
		return nil, &Reject{
			Reason:  ReasonUndecodable,
			Message: fmt.Sprintf("value: %q is not one JSON object: %v", shown, err),
		}
	}
	return fields, nil
}

var (
	errNotUTF8 = errors.New("invalid UTF-8")
	errNesting = errors.New("nesting deeper than " + strconv.Itoa(maxNesting))
)

// splitMembers is splitObject with its errors plain.
func splitMembers(value []byte) ([]field, error) {
	if !utf8.Valid(value) {
		return nil, errNotUTF8
	}
	// Both options are the record's own rules: a name twice is a matter of known names, a lone surrogate is invalid,
	// not undecodable.
	d := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	open, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	if open.Kind() != '{' {
		return nil, fmt.Errorf("it starts with %s", open.Kind())
	}
	var fields []field
	for d.PeekKind() != '}' {
		name, err := readRaw(d, value)
		if err != nil {
			return nil, err
		}
		raw, err := readRaw(d, value)
		if err != nil {
			return nil, err
		}
		f := newField(name, raw)
		if f.kind == kindNested && nesting(raw) >= maxNesting {
			return nil, errNesting
		}
		fields = append(fields, f)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more follows at byte %d", d.InputOffset())
	}
	return fields, nil
}

// readRaw reads one value and returns its text in the input, which outlives the decoder's own buffer.
func readRaw(d *jsontext.Decoder, input []byte) (string, error) {
	v, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	end := int(d.InputOffset())
	return alias(input[end-len(v) : end]), nil
}

// newField makes a field of the JSON texts of its name and value.
func newField(name, raw string) field {
	f := field{name: unquote(name), raw: raw, lone: loneSurrogate(name) || loneSurrogate(raw)}
	switch raw[0] {
	case 'n':
		f.kind = kindNull
	case '"':
		f.kind = kindString
		f.text = unquote(raw)
	case 't', 'f':
		f.kind = kindBool
	case '{', '[':
		f.kind = kindNested
	default:
		f.kind = kindNumber
	}
	return f
}

// unquote returns what a valid JSON string says. A lone surrogate reads as U+FFFD, which is why fields carry lone.
func unquote(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw[1 : len(raw)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // its error is the lone surrogate, and text is whole all the same
	return string(text)
}

// loneSurrogate tells whether valid JSON text holds an escaped surrogate without its partner.
func loneSurrogate(raw string) bool {
	for {
		i := strings.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		high, ok := escapedUnit(raw[i:])
		raw = raw[i+2:]
		if !ok {
			continue
		}
		raw = raw[4:]
		switch {
		case high < 0xd800 || high > 0xdfff:
			continue
		case high > 0xdbff:
			return true // the second half without the first
		}
		low, ok := escapedUnit(raw)
		if !ok || low < 0xdc00 || low > 0xdfff {
			return true
		}
		raw = raw[6:]
	}
}

// escapedUnit reads the code unit of an escape \uXXXX at the start of raw; ok is false when there is none.
func escapedUnit(raw string) (unit uint64, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(raw[2:6], 16, 16)
	return unit, err == nil
}

// nesting returns how deep valid JSON text nests: 0 for a string, 1 for [1], 2 for [[1]].
func nesting(raw string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}
