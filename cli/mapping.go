package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"stocksync/topics"
)

// fieldKind says how a cell's text becomes the JSON value of a field.
type fieldKind uint8

const (
	textField fieldKind = iota
	integerField
	boolField
	quantityField
	timeField
)

// field is one field of a topic's records.
type field struct {
	name     string
	kind     fieldKind
	required bool
}

// fieldsOf returns the fields of an input topic in the order in which the design documents them, or nil.
func fieldsOf(base string) []field {
	switch base {
	case topics.Mutations:
		return []field{
			{"line_id", textField, true},
			{"version", integerField, true},
			{"sku", textField, true},
			{"warehouse", textField, true},
			{"kind", textField, false},
			{"status", textField, false},
			{"qty", quantityField, true},
			{"effective_at", timeField, true},
			{"seq", integerField, false},
			{"order_line_id", textField, false},
			{"is_return", boolField, false},
			{"reason", textField, false},
			{"voucher_type", textField, false},
			{"voucher_no", textField, false},
			{"source", textField, false},
			{"actor", textField, false},
			{"note", textField, false},
		}
	case topics.Orders:
		return []field{
			{"order_line_id", textField, true},
			{"version", integerField, true},
			{"sku", textField, true},
			{"warehouse", textField, true},
			{"status", textField, true},
			{"ordered_qty", quantityField, true},
			{"ordered_at", timeField, true},
			{"order_id", textField, true},
			{"store", textField, false},
			{"store_order_id", textField, false},
			{"store_sku", textField, false},
			{"changed_at", timeField, false},
			{"source", textField, false},
		}
	default:
		return nil
	}
}

// mapping makes the JSON of a record from a row: each field from the column of its name, from the column that
// --map names, or from the template that --set gives.
type mapping struct {
	zone    *time.Location // of times without one
	sources []source
	buf     []byte // reused from row to row
	text    []byte
}

// source is where one field comes from.
type source struct {
	field
	column   string     // when template is nil
	template []fragment // literals and columns in turn
}

// fragment is one piece of a template: a literal, or a column when column is not empty.
type fragment struct{ literal, column string }

// newMapping reads the flags --map and --set for a topic's records. Every fault is a usage error.
func newMapping(base string, maps, sets []string, zone *time.Location) (*mapping, error) {
	m := &mapping{zone: zone}
	for _, f := range fieldsOf(base) {
		m.sources = append(m.sources, source{field: f, column: f.name})
	}
	given := map[string]bool{}
	find := func(flag, text string) (*source, string, error) {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, "", usagef("%s %q: want field=value", flag, text)
		}
		i := slices.IndexFunc(m.sources, func(s source) bool { return s.name == name })
		if i < 0 {
			return nil, "", usagef("%s %q: topic %s has no field %q; it has %s", flag, text, base, name, m.fields())
		}
		if given[name] {
			return nil, "", usagef("%s %q: field %s is given twice", flag, text, name)
		}
		given[name] = true
		return &m.sources[i], value, nil
	}
	for _, text := range maps {
		s, column, err := find("--map", text)
		if err != nil {
			return nil, err
		}
		s.column = column
	}
	for _, text := range sets {
		s, value, err := find("--set", text)
		if err != nil {
			return nil, err
		}
		if s.template, err = parseTemplate(value); err != nil {
			return nil, usagef("--set %q: %w", text, err)
		}
	}
	return m, nil
}

// fields lists the names of the topic's fields.
func (m *mapping) fields() string {
	var names []string
	for _, s := range m.sources {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// check returns an error when a flag names a column that a file with these columns does not have, and when a
// required field comes from nowhere: said once, with all their names, instead of row by row.
func (m *mapping) check(header []string) error {
	has := func(column string) bool {
		return column == columnLine || column == columnFile || slices.Contains(header, column)
	}
	var missing []string
	for _, s := range m.sources {
		if s.template == nil && s.column != s.name && !has(s.column) {
			return usagef("--map %s=%s: no such column; there are %s", s.name, s.column, listed(header))
		}
		for _, f := range s.template {
			if f.column != "" && !has(f.column) {
				return usagef("--set %s: no column %q; there are %s", s.name, f.column, listed(header))
			}
		}
		if s.required && s.template == nil && !has(s.column) && (s.name == "sku" || !m.mayTouch(has)) {
			missing = append(missing, s.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	hint := "see --map and --set"
	if i := strings.IndexAny(header[0], ";\t|"); len(header) == 1 && i >= 0 {
		hint = "is --delimiter '" + strings.ReplaceAll(header[0][i:i+1], "\t", "tab") + "' wanted?"
	}
	return usagef("no column for %s; there are %s; %s", strings.Join(missing, ", "), listed(header), hint)
}

// mayTouch says whether rows of a file with these columns may be touches, which need a sku only.
func (m *mapping) mayTouch(has func(column string) bool) bool {
	i := slices.IndexFunc(m.sources, func(s source) bool { return s.name == "kind" })
	if i < 0 {
		return false
	}
	kind := m.sources[i]
	if kind.template == nil {
		return has(kind.column)
	}
	var text strings.Builder
	for _, f := range kind.template {
		if f.column != "" {
			return true
		}
		text.WriteString(f.literal)
	}
	return text.String() == topics.KindTouch.String()
}

// listed joins the names of columns; of very many or very long ones the first.
func listed(columns []string) string {
	const most = 1000
	text := strings.Join(columns, ", ")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "..."
	}
	return text
}

// parseTemplate splits "csv/{order}/{_line}" into fragments; "{{" and "}}" stand for the braces themselves.
func parseTemplate(text string) ([]fragment, error) {
	parts := []fragment{} // not nil: an empty template makes the field absent
	literal := ""
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			literal += text
			break
		}
		literal += text[:i]
		if i+1 < len(text) && text[i+1] == text[i] {
			literal += text[i : i+1]
			text = text[i+2:]
			continue
		}
		column, rest, closed := strings.Cut(text[i+1:], "}")
		if text[i] == '}' || !closed || column == "" {
			return nil, fmt.Errorf("braces that do not match; write {column}, or {{ for a brace")
		}
		parts = append(parts, fragment{literal: literal}, fragment{column: column})
		literal, text = "", rest
	}
	return append(parts, fragment{literal: literal}), nil
}

// record returns the JSON of the record that the row makes, and the row's sku. Both are valid until the next
// call. Whether the record is right is for the topic's decoder to say: a cell that does not fit its field is
// passed on as a JSON string, so that the decoder's message names field and value.
func (m *mapping) record(r *row, file string) (json, sku []byte, err error) {
	m.buf = append(m.buf[:0], '{')
	for i := range m.sources {
		s := &m.sources[i]
		c, err := m.value(s, r, file)
		if err != nil {
			return nil, nil, err
		}
		if c.json == nil && len(c.text) == 0 || string(c.json) == "null" {
			continue // empty is absent
		}
		if len(m.buf) > 1 {
			m.buf = append(m.buf, ',')
		}
		if !utf8.Valid(c.text) {
			return nil, nil, fmt.Errorf("%s: %.80q is not valid UTF-8", s.name, c.text)
		}
		m.buf = append(m.buf, '"')
		m.buf = append(m.buf, s.name...)
		m.buf = append(m.buf, '"', ':')
		if c.json != nil {
			m.buf = append(m.buf, c.json...)
			continue
		}
		if s.name == "sku" {
			sku = bytes.Clone(c.text)
		}
		m.buf = m.appendText(m.buf, s.kind, c.text)
	}
	return append(m.buf, '}'), sku, nil
}

// value returns the cell of a field: a column's, or a template's text.
func (m *mapping) value(s *source, r *row, file string) (cell, error) {
	if s.template == nil {
		c, _ := m.column(s.column, r, file)
		return c, nil
	}
	m.text = m.text[:0]
	for _, f := range s.template {
		if f.column == "" {
			m.text = append(m.text, f.literal...)
			continue
		}
		c, ok := m.column(f.column, r, file)
		if !ok {
			return cell{}, fmt.Errorf("field %s: no column %q in this row", s.name, f.column)
		}
		m.text = append(append(m.text, c.text...), c.json...)
	}
	return cell{text: m.text}, nil
}

// column returns the row's cell of that name, or one of the columns every row has.
func (m *mapping) column(name string, r *row, file string) (cell, bool) {
	if c, ok := r.get(name); ok {
		return c, true
	}
	switch name {
	case columnLine:
		return cell{text: strconv.AppendInt(nil, int64(r.line), 10)}, true
	case columnFile:
		return cell{text: []byte(file)}, true
	}
	return cell{}, false
}

// appendText appends a text as the JSON value of a field of that kind.
func (m *mapping) appendText(buf []byte, kind fieldKind, text []byte) []byte {
	trimmed := bytes.TrimSpace(text)
	switch kind {
	case integerField:
		if n, err := strconv.ParseInt(plainNumber(trimmed), 10, 64); err == nil {
			return strconv.AppendInt(buf, n, 10)
		}
	case boolField:
		switch strings.ToLower(string(trimmed)) {
		case "true", "t", "1", "yes", "y", "ya":
			return append(buf, "true"...)
		case "false", "f", "0", "no", "n", "tidak":
			return append(buf, "false"...)
		}
	case quantityField:
		return appendString(buf, []byte(plainNumber(trimmed)))
	case timeField:
		if t, ok := parseLocalTime(string(trimmed), m.zone); ok {
			return append(t.UTC().AppendFormat(append(buf, '"'), time.RFC3339Nano), '"')
		}
		return appendString(buf, trimmed)
	case textField:
	}
	return appendString(buf, text)
}

// plainNumber writes the numbers that databases and spreadsheets export as the topic's decoder takes them: without
// a plus sign, with a digit before the point (Oracle leaves it out) and without zeros at the end (a column of nine
// decimals has more than a quantity may have). A template -{qty} turns the sign: of a negative cell it makes two
// minus signs. What is no number stays as it is.
func plainNumber(text []byte) string {
	s, negative := strings.CutPrefix(string(text), "-")
	if twice, ok := strings.CutPrefix(s, "-"); ok && negative {
		s, negative = twice, false
	} else {
		s = strings.TrimPrefix(s, "+")
	}
	whole, fraction, point := strings.Cut(s, ".")
	if point && whole+fraction != "" && strings.Trim(whole+fraction, "0123456789") == "" {
		s = cmp.Or(whole, "0")
		if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
			s += "." + fraction
		}
	}
	if negative {
		return "-" + s
	}
	return s
}

// appendString appends a JSON string. Bytes that are not UTF-8 stay as they are, for the decoder to refuse.
func appendString(buf, text []byte) []byte {
	out, err := jsontext.AppendQuote(buf, text)
	if err == nil {
		return out
	}
	buf = append(buf, '"')
	for _, b := range text {
		if b == '"' || b == '\\' {
			buf = append(buf, '\\')
		}
		buf = append(buf, max(b, ' '))
	}
	return append(buf, '"')
}

// parseLocalTime reads the times that spreadsheets and databases export: local ones, and those whose zone is not
// written as RFC 3339 has it. What is RFC 3339 is left to the decoder.
func parseLocalTime(text string, zone *time.Location) (time.Time, bool) {
	layouts := []string{
		"2006-01-02 15:04:05", "2006-01-02", "2006-01-02 15:04",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05 Z07:00",
	}
	if strings.Contains(text, "T") {
		layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05Z0700"}
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true // the layout's seconds take a fraction as well
		}
	}
	return time.Time{}, false
}
