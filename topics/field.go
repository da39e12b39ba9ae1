package topics

import (
	"strconv"
	"unicode/utf8"
)

// field is one member of a record's JSON object, as the flat scanner or the full reader found it. Its strings alias
// the record's value unless an escape had to be undone.
type field struct {
	name string
	raw  string // the value's JSON text
	text string // of a string: what it says
	kind fieldKind
	lone bool // name or value holds a surrogate without its partner; only the full reader meets one
}

// fieldKind is the JSON type of a field's value.
type fieldKind uint8

const (
	kindNull fieldKind = iota
	kindString
	kindNumber
	kindBool
	kindNested // object or array
)

// Limits of the inputs, in code points.
const (
	maxID        = 200 // ids, sku, and every text that has no limit of its own
	maxWarehouse = 100 // warehouse and store
)

// maxNesting is how deep a record may nest; the record itself is level 1.
const maxNesting = 32

// checker reads the known fields of one record and remembers the first rule that one breaks. A rejected record is
// read to its end all the same, because undecodable comes before invalid.
type checker struct {
	named uint32 // bit n: known field n was named, to find the one that is named twice
	given uint32 // bit n: known field n has a value other than null
	fault string // the first broken rule; "" = none
}

// fail records a broken rule, unless an earlier one was.
func (c *checker) fail(name, value, what string) {
	if c.fault == "" {
		c.fault = name + ": " + shorten(value) + " " + what
	}
}

// take notes that the known field with that bit was named, and tells whether it has a value to read.
func (c *checker) take(f *field, bit uint32) bool {
	if c.named&bit != 0 {
		c.fail(f.name, f.raw, "is the second value of that name")
		return false
	}
	c.named |= bit
	if f.kind == kindNull {
		return false
	}
	c.given |= bit
	return true
}

// require notes the fault of a field without a value.
func (c *checker) require(bit uint32, name string) {
	if c.given&bit == 0 && c.fault == "" {
		c.fault = name + ": missing"
	}
}

// anyField holds the rules of every field, known or not.
func (c *checker) anyField(f *field) {
	if f.lone {
		c.fail(shorten(f.name), f.raw, "holds a lone surrogate")
	}
}

// text reads a string of at most limit code points.
func (c *checker) text(f *field, bit uint32, limit int) string {
	if !c.take(f, bit) {
		return ""
	}
	if f.kind != kindString {
		c.fail(f.name, f.raw, "is not a string")
		return ""
	}
	if len(f.text) > limit && utf8.RuneCountInString(f.text) > limit {
		c.fail(f.name, f.raw, "is longer than "+strconv.Itoa(limit)+" characters")
	}
	if len(f.raw) != len(f.text)+2 { // a NUL can only be written as an escape
		c.refuseNUL(f)
	}
	return f.text
}

// refuseNUL notes the fault of a text with a NUL in it.
func (c *checker) refuseNUL(f *field) {
	for i := range len(f.text) {
		if f.text[i] == 0 {
			c.fail(f.name, f.raw, "holds a NUL")
			return
		}
	}
}

// id reads a string of 1 to limit code points.
func (c *checker) id(f *field, bit uint32, limit int) string {
	s := c.text(f, bit, limit)
	if s == "" && f.kind == kindString {
		c.fail(f.name, f.raw, "is empty")
	}
	return s
}

// warehouse reads the id of a warehouse.
func (c *checker) warehouse(f *field, bit uint32) string {
	s := c.id(f, bit, maxWarehouse)
	if s == AllWarehouses {
		c.fail(f.name, f.raw, "is reserved")
	}
	return s
}

// store reads the id of a store.
func (c *checker) store(f *field, bit uint32) string {
	s := c.id(f, bit, maxWarehouse)
	if s == AllStores {
		c.fail(f.name, f.raw, "is reserved")
	}
	for i := range len(s) {
		if s[i] == '|' {
			c.fail(f.name, f.raw, "holds a |")
		}
	}
	return s
}

// integer reads an integer literal of 64 bits.
func (c *checker) integer(f *field, bit uint32) int64 {
	if !c.take(f, bit) {
		return 0
	}
	if f.kind != kindNumber {
		c.fail(f.name, f.raw, "is not an integer")
		return 0
	}
	if n, ok := smallInteger(f.raw); ok {
		return n
	}
	for i := range len(f.raw) {
		if ch := f.raw[i]; ch == '.' || ch == 'e' || ch == 'E' {
			c.fail(f.name, f.raw, "is not an integer literal")
			return 0
		}
	}
	n, err := strconv.ParseInt(f.raw, 10, 64)
	if err != nil {
		c.fail(f.name, f.raw, "does not fit 64 bits")
	}
	return n
}

// smallInteger reads up to 18 digits; ok is false for all else.
func smallInteger(s string) (n int64, ok bool) {
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) > 18 {
		return 0, false
	}
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if len(digits) != len(s) {
		n = -n
	}
	return n, true
}

// quantity reads a number or a decimal string.
func (c *checker) quantity(f *field, bit uint32) Quantity {
	if !c.take(f, bit) {
		return 0
	}
	var text string
	switch f.kind {
	case kindNumber:
		text = f.raw
	case kindString:
		text = f.text
	default:
		c.fail(f.name, f.raw, "is not a number or a decimal string")
		return 0
	}
	q, err := ParseQuantity(text)
	if err != nil {
		c.fail(f.name, f.raw, err.Error())
	}
	return q
}

// time reads a time.
func (c *checker) time(f *field, bit uint32) Time {
	if !c.take(f, bit) {
		return 0
	}
	if f.kind != kindString {
		c.fail(f.name, f.raw, "is not a string")
		return 0
	}
	t, err := ParseTime(f.text)
	if err != nil {
		c.fail(f.name, f.raw, err.Error())
	}
	return t
}

// boolean reads true or false.
func (c *checker) boolean(f *field, bit uint32) bool {
	if !c.take(f, bit) {
		return false
	}
	if f.kind != kindBool {
		c.fail(f.name, f.raw, "is not true or false")
	}
	return f.raw == "true"
}

// name reads a string that is one of an enum's names; ok is false when there is nothing to look up.
func (c *checker) name(f *field, bit uint32) (s string, ok bool) {
	if !c.take(f, bit) {
		return "", false
	}
	if f.kind != kindString {
		c.fail(f.name, f.raw, "is not a string")
		return "", false
	}
	return f.text, true
}

// verdict is the outcome of a record whose fields were read: invalid, then key_mismatch, or nil.
func (c *checker) verdict(key []byte, sku string) *Reject {
	if c.fault != "" {
		return &Reject{Reason: ReasonInvalid, Message: c.fault}
	}
	if string(key) != sku {
		return keyMismatch(key, sku)
	}
	return nil
}
