package topics_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"stocksync/topics"
)

func TestParseQuantity_ReadsWhatIsExact(t *testing.T) {
	rows := map[string]topics.Quantity{
		"0": 0, "-0": 0, "0.0": 0, "-0.000000": 0, "0e99": 0, "0E-99": 0,
		"1": topics.One, "-1": -topics.One, "40": 40 * topics.One, "0.5": 500_000, "-2.5": -2_500_000,
		"0.000001": 1, "-0.000001": -1, "1e-6": 1, "10e-7": 1, "0.1": 100_000, "0.3": 300_000, "10.500000": 10_500_000,
		"1e2": 100 * topics.One, "1E+2": 100 * topics.One, "1.5e3": 1500 * topics.One, "12.3e-5": 123, "0.000001e6": topics.One,
		"999999999.999999": topics.MaxQuantity - 1, "1000000000": topics.MaxQuantity, "-1000000000.000000": -topics.MaxQuantity,
		"1e9": topics.MaxQuantity, "100000000000e-2": topics.MaxQuantity, "0.00001e14": topics.MaxQuantity,
		"1" + strings.Repeat("0", 300) + "e-300": topics.One,
	}
	for text, want := range rows {
		if got, err := topics.ParseQuantity(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestParseQuantity_RefusesTheRest(t *testing.T) {
	rows := map[error][]string{
		topics.ErrQuantitySyntax: {
			"", " ", "-", "+5", "5 ", " 5", "007", "00", "-01", ".5", "5.", "1.e2", "1e", "1e+", "1e1.5", "0x10", "1_000", "1,5",
			"٣", "NaN", "Infinity", "five", "1e5x", "--1", "1\x00",
		},
		topics.ErrQuantityDecimals: {"1.0000001", "0.0000000", "1e-7", "15e-7", "0.1e-6", "1e-99999999999999999999"},
		topics.ErrQuantityRange: {
			"1000000000.000001", "-1000000000.000001", "1000000001", "9999999999", "10000000000", "1e10", "-1e10", "1e18", "1e400",
			"9223372036854775807", "1e99999999999999999999",
		},
	}
	for want, texts := range rows {
		for _, text := range texts {
			if got, err := topics.ParseQuantity(text); !errors.Is(err, want) {
				t.Errorf("%q: got %d, %v, want %v", text, got, err, want)
			}
		}
	}
}

func TestQuantity_NeverIsAFloat(t *testing.T) {
	a, b := parse(t, "0.1"), parse(t, "0.2")
	if got := (a + b).String(); got != "0.3" {
		t.Errorf("0.1 + 0.2: got %s, want 0.3", got)
	}
	var cents topics.Quantity
	for range 1_000_000 {
		cents += parse(t, "0.01")
	}
	if got := cents.String(); got != "10000" {
		t.Errorf("a million times 0.01: got %s, want 10000", got)
	}
}

func parse(t *testing.T, text string) topics.Quantity {
	t.Helper()
	q, err := topics.ParseQuantity(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

func TestQuantity_WritesTheShortestForm(t *testing.T) {
	rows := map[topics.Quantity]string{
		0: "0", topics.One: "1", -topics.One: "-1", 1: "0.000001", -1: "-0.000001", 500_000: "0.5", 100_010: "0.10001",
		10_500_000: "10.5", topics.MaxQuantity: "1000000000",
		math.MaxInt64: "9223372036854.775807", math.MinInt64: "-9223372036854.775808",
	}
	for q, want := range rows {
		if got := q.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(q), got, want)
		}
		if got := string(q.Append([]byte("x="))); got != "x="+want {
			t.Errorf("%d: appended %s, want x=%s", int64(q), got, want)
		}
	}
}

// Ensure a record that holds sums reads what another wrote: a sum of valid quantities may be beyond what one may be.
func TestQuantity_TotalsGoBeyondOneRecordsLimit(t *testing.T) {
	for _, want := range []topics.Quantity{
		topics.MaxQuantity + 1, -topics.MaxQuantity - 1, 10_000_000_001 * topics.One, math.MaxInt64, math.MinInt64, math.MinInt64 + 1,
	} {
		a := topics.Availability{SKU: "A", Actual: want}
		got, err := topics.DecodeAvailability(a.AppendJSON(nil))
		if err != nil || got.Actual != want {
			t.Errorf("got %v, %v, want actual %s", got, err, want)
		}
	}
	for text, want := range map[string]string{
		"9223372036854.775808": "64 bits", "-9223372036854.775809": "64 bits", "9999999999999.999999": "64 bits",
		"1e13": "64 bits", "1e400": "64 bits", "1.0000001": "six decimals", "x": "not a decimal",
	} {
		if got, err := topics.ParseTotal(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestQuantity_JSON(t *testing.T) {
	var q topics.Quantity = 7
	for text, want := range map[string]topics.Quantity{
		"1.5": 1_500_000, `"1.5"`: 1_500_000, `"\u0031e1"`: 10 * topics.One, "null": 7, "2000000000": 2 * topics.MaxQuantity,
	} {
		q = 7
		if err := json.Unmarshal([]byte(text), &q); err != nil || q != want {
			t.Errorf("%s: got %d, %v, want %d", text, q, err, want)
		}
	}
	for _, text := range []string{`""`, `"x"`, "true", "[]", "1.0000001", `"+1"`} {
		if err := json.Unmarshal([]byte(text), &q); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %s, %v, want an error that names the value", text, q, err)
		}
	}
	if got, err := json.Marshal(map[string]topics.Quantity{"q": -2_500_000}); err != nil || string(got) != `{"q":-2.5}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// FuzzQuantity compares ParseQuantity with arithmetic of any precision, and its value with what is written of it.
func FuzzQuantity(f *testing.F) {
	for _, text := range []string{
		"0", "-0.5", "1e9", "1e-6", "10e-7", "1000000000.000001", "007", "+5", "0.0000001", "9999999999.9", "12.3e-5", "1e400",
		"123456789012345678901234567890e-25", "0e1000000",
	} {
		f.Add(text, int64(1))
	}
	f.Add("", int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, text string, n int64) {
		got, err := topics.ParseQuantity(text)
		if want, ok := exact(text); ok != (err == nil) || got != want {
			t.Errorf("%q: got %d, %v, want %d, %v", text, got, err, want, ok)
		}
		if again, err := topics.ParseQuantity(got.String()); err != nil || again != got {
			t.Errorf("%q: %s comes back as %s, %v", text, got, again, err)
		}
		q := topics.Quantity(n)
		if again, err := topics.ParseTotal(q.String()); err != nil || again != q {
			t.Errorf("%d: %s comes back as %s, %v", n, q, again, err)
		}
		if again, err := topics.ParseQuantity(q.String()); (err == nil) != (q >= -topics.MaxQuantity && q <= topics.MaxQuantity) {
			t.Errorf("%d: %s comes back as %s, %v", n, q, again, err)
		}
	})
}

// decimal is the grammar of a quantity: a JSON number with at most six digits behind the point.
var decimal = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]{1,6})?(?:[eE]([+-]?[0-9]+))?$`)

// exact is ParseQuantity by big numbers.
func exact(text string) (q topics.Quantity, ok bool) {
	m := decimal.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	if digits, _, _ := strings.Cut(strings.ToLower(text), "e"); strings.Trim(digits, "-0.") == "" {
		return 0, true
	}
	if exp, err := strconv.Atoi(m[1]); m[1] != "" && (err != nil || exp > len(text)+20 || exp < -len(text)-20) {
		return 0, false // big.Rat would write out all its zeros
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(int64(topics.One), 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	q = topics.Quantity(r.Num().Int64())
	if q > topics.MaxQuantity || q < -topics.MaxQuantity {
		return 0, false
	}
	return q, true
}
