package topics

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// flatScanner reads the records that nearly all producers send: one JSON object, no nesting, no escapes. It meets
// anything else, valid or not, by giving up; the caller then reads the record with splitObject, which alone decides
// that a record is undecodable. So the scanner need not know what is wrong with a record, only that it is plain.
//
// The strings of its field alias data.
type flatScanner struct {
	data  []byte
	pos   int
	field field
	begun bool // the opening brace was read
	plain bool // the closing brace was read and nothing but space follows
}

// next reads the next member into s.field. When it returns false, s.plain tells whether the object is complete.
func (s *flatScanner) next() bool {
	if !s.begun {
		s.begun = true
		if s.peek() != '{' {
			return false
		}
		s.pos++
		if s.peek() == '}' {
			s.finish()
			return false
		}
	} else {
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.finish()
			return false
		default:
			return false
		}
	}
	if s.peek() != '"' {
		return false
	}
	start, ok := s.scanString()
	if !ok {
		return false
	}
	s.field.name = alias(s.data[start : s.pos-1])
	if s.peek() != ':' {
		return false
	}
	s.pos++
	return s.scanValue()
}

// peek skips space and returns the byte that follows, or 0 at the end.
func (s *flatScanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// finish steps over the closing brace and checks that only space follows.
func (s *flatScanner) finish() {
	s.pos++
	s.plain = s.peek() == 0 && s.pos == len(s.data)
}

// scanValue reads a string, number or literal into s.field.
func (s *flatScanner) scanValue() bool {
	f := &s.field
	f.text = ""
	switch c := s.peek(); c {
	case '"':
		start, ok := s.scanString()
		if !ok {
			return false
		}
		f.kind = kindString
		f.raw = alias(s.data[start-1 : s.pos])
		f.text = f.raw[1 : len(f.raw)-1]
		return true
	case 't':
		f.kind = kindBool
		return s.scanLiteral("true")
	case 'f':
		f.kind = kindBool
		return s.scanLiteral("false")
	case 'n':
		f.kind = kindNull
		return s.scanLiteral("null")
	default:
		end, ok := scanNumber(s.data, s.pos)
		if !ok {
			return false
		}
		f.kind = kindNumber
		f.raw = alias(s.data[s.pos:end])
		s.pos = end
		return true
	}
}

// scanLiteral steps over the literal.
func (s *flatScanner) scanLiteral(want string) bool {
	end := s.pos + len(want)
	if end > len(s.data) || string(s.data[s.pos:end]) != want {
		return false
	}
	s.field.raw = want
	s.pos = end
	return true
}

// scanString steps over a string without escapes, from its opening quote, and returns where its text starts.
func (s *flatScanner) scanString() (start int, ok bool) {
	start = s.pos + 1
	ascii := true
	for i := start; ; {
		i = nextSpecial(s.data, i)
		if i >= len(s.data) {
			return 0, false
		}
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return start, ascii || utf8.Valid(s.data[start:i])
		case c >= utf8.RuneSelf:
			ascii = false
			i++
		default: // an escape or a control character
			return 0, false
		}
	}
}

// nextSpecial returns the index, at or after i, of the first byte that is a quote, a backslash, a control character or
// not ASCII; len(data) when there is none. It looks at eight bytes at a time: a byte of a word is one of these exactly
// if its high bit is set in hit, but for false hits above a true one, and only the lowest is used.
func nextSpecial(data []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		hit := ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-ones*' ')&^w | w) & highs
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(data) {
		if c := data[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return i
		}
		i++
	}
	return i
}

// scanNumber returns where the JSON number that starts at i ends; ok is false when there is none.
func scanNumber(data []byte, i int) (end int, ok bool) {
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch start := i; {
	case i < len(data) && data[i] == '0':
		i++
	default:
		if i = skipDigits(data, i); i == start {
			return 0, false
		}
	}
	if i < len(data) && data[i] == '.' {
		start := i + 1
		if i = skipDigits(data, start); i == start {
			return 0, false
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		start := i
		if i = skipDigits(data, start); i == start {
			return 0, false
		}
	}
	return i, true
}

// skipDigits returns the index of the first byte at or after i that is no digit.
func skipDigits(data []byte, i int) int {
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

// alias returns b as a string that shares its memory: the decoders' contract is that strings alias the value.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
