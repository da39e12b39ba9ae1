package topics

import (
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// appendText appends s as a JSON string: quote, backslash and control characters escaped, the rest as it is, and
// U+FFFD for bytes that are not UTF-8.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	data := unsafe.Slice(unsafe.StringData(s), len(s))
	start := 0
	for i := nextSpecial(data, 0); i < len(data); i = nextSpecial(data, i) {
		c := data[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscape appends the shortest escape of a quote, a backslash or a control character.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendOptional appends a member, whose name comes with comma and colon, unless s is empty.
func appendOptional(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(append(b, name...), s)
}

// appendInt appends a member that is an integer.
func appendInt(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// appendQty appends a member that is a quantity.
func appendQty(b []byte, name string, q Quantity) []byte { return q.Append(append(b, name...)) }

// appendTime appends a member that is a time or null.
func appendTime(b []byte, name string, t Time) []byte { return t.appendJSON(append(b, name...)) }
