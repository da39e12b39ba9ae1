package topics

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Quantity is a fixed-point decimal in millionths of a SKU's stock unit. Never a float: 0.1 + 0.2 is 0.3.
// Sums of Quantities may exceed MaxQuantity; who adds them checks for overflow.
type Quantity int64

// One is one stock unit.
const One Quantity = 1_000_000

// MaxQuantity is the largest absolute value a record may carry.
const MaxQuantity = 1_000_000_000 * One

// quantityDecimals is the number of digits a Quantity keeps after the point.
const quantityDecimals = 6

// The errors of ParseQuantity.
var (
	ErrQuantitySyntax   = errors.New("is not a decimal")
	ErrQuantityDecimals = errors.New("has more than six decimals")
	ErrQuantityRange    = errors.New("is beyond 1000000000")
)

// ParseQuantity reads a decimal written by the grammar of a JSON number: no sign +, no spaces, no leading zeros, at
// most six digits after the point, an exponent only when the value is a multiple of 1e-6, and at most MaxQuantity in
// absolute value. It returns ErrQuantitySyntax, ErrQuantityDecimals or ErrQuantityRange.
func ParseQuantity(s string) (Quantity, error) {
	if q, ok := parsePlainQuantity(s); ok {
		return q, nil
	}
	return parseAnyQuantity(s, -MaxQuantity, MaxQuantity)
}

// errTotalRange is ErrQuantityRange of a total.
var errTotalRange = errors.New("does not fit 64 bits")

// parseTotal is ParseQuantity for records that hold sums, which may be whatever a Quantity can.
func parseTotal(s string) (Quantity, error) {
	if q, ok := parsePlainQuantity(s); ok {
		return q, nil
	}
	q, err := parseAnyQuantity(s, math.MinInt64, math.MaxInt64)
	if errors.Is(err, ErrQuantityRange) {
		err = errTotalRange
	}
	return q, err
}

// parsePlainQuantity reads the form nearly every record has: at most ten digits, a point and at most six more, no
// exponent. ok is false for everything else, valid or not.
func parsePlainQuantity(s string) (q Quantity, ok bool) {
	i, neg := 0, false
	if len(s) > 0 && s[0] == '-' {
		i, neg = 1, true
	}
	start := i
	for i < len(s) && s[i]-'0' <= 9 {
		q = q*10 + Quantity(s[i]-'0')
		i++
		if i-start > 10 {
			return 0, false
		}
	}
	if i == start || (i-start > 1 && s[start] == '0') {
		return 0, false
	}
	q *= One
	if i < len(s) {
		if s[i] != '.' {
			return 0, false
		}
		frac := s[i+1:]
		if len(frac) == 0 || len(frac) > quantityDecimals {
			return 0, false
		}
		unit := One
		for j := range len(frac) {
			d := frac[j] - '0'
			if d > 9 {
				return 0, false
			}
			unit /= 10
			q += Quantity(d) * unit
		}
	}
	if q > MaxQuantity {
		return 0, false
	}
	if neg {
		q = -q
	}
	return q, true
}

// parseAnyQuantity reads every valid form, with exponents and any number of digits, of a value from least to most, and
// names what is wrong with an invalid one.
func parseAnyQuantity(s string, least, most Quantity) (Quantity, error) {
	n, ok := splitNumber(s)
	if !ok {
		return 0, ErrQuantitySyntax
	}
	if len(n.frac) > quantityDecimals {
		return 0, ErrQuantityDecimals
	}
	// The value is digits times 10^exp; without the zeros at both ends it has one form only.
	digits := strings.TrimLeft(n.whole+n.frac, "0")
	exp := n.exp - int64(len(n.frac)) + int64(len(digits))
	digits = strings.TrimRight(digits, "0")
	exp -= int64(len(digits))
	switch {
	case digits == "":
		return 0, nil
	case exp < -quantityDecimals:
		return 0, ErrQuantityDecimals
	case int64(len(digits))+exp > 13: // at least 1e13, and an int64 ends before that
		return 0, ErrQuantityRange
	}
	var u uint64 // at most 13 digits before the point and 6 after: no overflow
	for i := range len(digits) {
		u = u*10 + uint64(digits[i]-'0')
	}
	for range exp + quantityDecimals {
		u *= 10
	}
	if n.negative {
		u = -u
	}
	q := Quantity(u)
	if (q < 0) != n.negative || q < least || q > most {
		return 0, ErrQuantityRange
	}
	return q, nil
}

// number is a JSON number taken apart: [-] whole [. frac] [e exp].
type number struct {
	negative    bool
	whole, frac string
	exp         int64 // at most maxExponent either way: more digits than a record can hold
}

const maxExponent = 1 << 40

// splitNumber takes a number apart by the grammar of RFC 8259; ok is false when s is not one.
func splitNumber(s string) (n number, ok bool) {
	s, n.negative = strings.CutPrefix(s, "-")
	n.whole, s = cutDigits(s)
	if n.whole == "" || (len(n.whole) > 1 && n.whole[0] == '0') {
		return n, false
	}
	if rest, found := strings.CutPrefix(s, "."); found {
		if n.frac, s = cutDigits(rest); n.frac == "" {
			return n, false
		}
	}
	if s == "" {
		return n, true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return n, false
	}
	s = s[1:]
	minus := strings.HasPrefix(s, "-")
	if minus || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	exp, rest := cutDigits(s)
	if exp == "" || rest != "" {
		return n, false
	}
	for i := range len(exp) {
		n.exp = min(n.exp*10+int64(exp[i]-'0'), maxExponent)
	}
	if minus {
		n.exp = -n.exp
	}
	return n, true
}

// cutDigits splits s after its leading decimal digits.
func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return s[:i], s[i:]
}

// Append appends q as the shortest JSON number, such as 40, -0.5 or 0.000001. It never writes an exponent.
func (q Quantity) Append(b []byte) []byte {
	u := uint64(q)
	if q < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/uint64(One), 10)
	frac := u % uint64(One)
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(One) / 10; frac > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit))
		frac %= unit
	}
	return b
}

// String returns what Append appends.
func (q Quantity) String() string { return string(q.Append(make([]byte, 0, 24))) }

// MarshalJSON writes q as a JSON number.
func (q Quantity) MarshalJSON() ([]byte, error) { return q.Append(nil), nil }

// UnmarshalJSON reads a JSON number or a string that holds one; null leaves q as it is. It takes any value that a
// Quantity can hold, since totals exceed MaxQuantity: decoders of records that may not, check it.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	raw := string(data)
	if raw == "null" {
		return nil
	}
	text := raw
	if len(raw) > 1 && raw[0] == '"' {
		unquoted, err := jsontext.AppendUnquote(nil, data)
		if err != nil {
			return fmt.Errorf("%s %w", shorten(raw), ErrQuantitySyntax)
		}
		text = string(unquoted)
	}
	parsed, err := parseTotal(text)
	if err != nil {
		return fmt.Errorf("%s %w", shorten(raw), err)
	}
	*q = parsed
	return nil
}
