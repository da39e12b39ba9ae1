package topics_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"stocksync/topics"
)

func TestParseTime_ReadsRFC3339(t *testing.T) {
	rows := map[string]string{ // what is read, and how it is written
		"2026-09-26T02:15:02.431Z":             "2026-09-26T02:15:02.431Z",
		"2026-09-26T09:15:02.431+07:00":        "2026-09-26T02:15:02.431Z",
		"2026-09-26T00:00:00-09:30":            "2026-09-26T09:30:00Z",
		"2026-09-26T02:15:02-00:00":            "2026-09-26T02:15:02Z",
		"2026-09-26T02:15:02+00:00":            "2026-09-26T02:15:02Z",
		"2026-09-26T02:15:02.4Z":               "2026-09-26T02:15:02.4Z",
		"2026-09-26T02:15:02.400000Z":          "2026-09-26T02:15:02.4Z",
		"2026-09-26T02:15:02.0000019Z":         "2026-09-26T02:15:02.000001Z",
		"2026-09-26T02:15:02.999999999Z":       "2026-09-26T02:15:02.999999Z",
		"1970-01-01T00:00:00Z":                 "1970-01-01T00:00:00Z",
		"1969-12-31T23:30:00-01:00":            "1970-01-01T00:30:00Z",
		"9999-12-31T23:59:59.9999999Z":         "9999-12-31T23:59:59.999999Z",
		"2024-02-29T12:00:00Z":                 "2024-02-29T12:00:00Z",
		"2000-02-29T12:00:00Z":                 "2000-02-29T12:00:00Z",
		"2026-01-01T00:00:00+23:59":            "2025-12-31T00:01:00Z",
		"2026-01-01T00:00:00." + nines + "Z":   "2026-01-01T00:00:00.999999Z",
		"2026-12-31T23:59:59.1234567890+00:00": "2026-12-31T23:59:59.123456Z",
	}
	for text, want := range rows {
		got, err := topics.ParseTime(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
		if std, err := time.Parse(time.RFC3339Nano, text); err == nil && topics.TimeOf(std) != got {
			t.Errorf("%s: got %d, package time has %d", text, got, topics.TimeOf(std))
		}
	}
}

var nines = strings.Repeat("9", 100)

func TestParseTime_RefusesTheRest(t *testing.T) {
	rows := map[error][]string{
		topics.ErrTimeSyntax: {
			"", "Z", "2026", "2026-09-26", "2026-09-26T02:15:02", "2026-09-26T02:15Z", "2026-09-26 02:15:02Z", "2026-09-26t02:15:02Z",
			"2026-09-26T02:15:02z", "2026-09-26T02:15:60Z", "2016-12-31T23:59:60Z", "2026-09-26T24:00:00Z", "2026-09-26T02:60:00Z",
			"2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
			"2026-01-00T00:00:00Z", "2026-09-26T02:15:02,5Z", "2026-09-26T02:15:02.Z", "2026-09-26T02:15:02.5", "2026-9-26T02:15:02ZZ",
			"10000-01-01T00:00:00Z", "+2026-01-01T00:00:00Z", "-2026-01-01T00:00:00Z", "2026-09-26T02:15:02+7:00", "2026-09-26T02:15:02+0700",
			"2026-09-26T02:15:02+07", "2026-09-26T02:15:02+24:00", "2026-09-26T02:15:02+07:60", "2026-09-26T02:15:02Z ",
			" 2026-09-26T02:15:02Z", "2026-09-26T02:15:02Z\x00", "2026-09-26T2:15:02ZZZ", "٢٠٢٦-09-26T02:15:02Z", "2026-09-26T02:15:02UTC",
			"2026/09/26T02:15:02Z", "2026-W39-6T02:15:02Z", "1790388902", "2026-09-26T-1:15:02Z",
		},
		topics.ErrTimeRange: {
			"1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
			"9999-12-31T23:59:59-00:01",
		},
	}
	for want, texts := range rows {
		for _, text := range texts {
			if got, err := topics.ParseTime(text); !errors.Is(err, want) {
				t.Errorf("%q: got %s, %v, want %v", text, got, err, want)
			}
		}
	}
}

func TestTime_NoneIsBeforeAll(t *testing.T) {
	first, err := topics.ParseTime("1970-01-01T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	var none topics.Time
	if !none.IsZero() || first.IsZero() || none >= first || none.UTCDay() != 0 || first.UTCDay() != 0 {
		t.Errorf("none %d, first %d", none, first)
	}
	if got := none.String(); got != "none" || len(none.Append(nil)) != 0 || !none.Time().IsZero() {
		t.Errorf("none is %s, %q, %s", got, none.Append(nil), none.Time())
	}
}

func TestTimeOf_CutsAndStaysInRange(t *testing.T) {
	rows := []struct {
		of   time.Time
		want string
	}{
		{time.Time{}, "none"},
		{time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "none"},
		{time.Unix(0, 0), "1970-01-01T00:00:00Z"},
		{time.Date(2026, 9, 26, 9, 0, 0, 1_999, time.FixedZone("WIB", 7*3600)), "2026-09-26T02:00:00.000001Z"},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "9999-12-31T23:59:59.999999Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "9999-12-31T23:59:59.999999Z"},
		{time.Unix(1<<60, 0), "9999-12-31T23:59:59.999999Z"},
	}
	for _, r := range rows {
		got := topics.TimeOf(r.of)
		if got.String() != r.want {
			t.Errorf("%s: got %s, want %s", r.of, got, r.want)
		}
		if !got.IsZero() && topics.TimeOf(got.Time()) != got {
			t.Errorf("%s: comes back as %s", got, topics.TimeOf(got.Time()))
		}
	}
}

func TestTime_UTCDayEndsAtMidnight(t *testing.T) {
	for text, want := range map[string]int32{
		"1970-01-01T23:59:59.999999Z": 0, "1970-01-02T00:00:00Z": 1, "2026-09-25T23:59:59.999999Z": 20721, "2026-09-26T00:00:00Z": 20722,
		"2026-09-26T06:59:59+07:00": 20721, "9999-12-31T23:59:59Z": 2932896,
	} {
		got, err := topics.ParseTime(text)
		if err != nil || got.UTCDay() != want {
			t.Errorf("%s: got day %d, %v, want %d", text, got.UTCDay(), err, want)
		}
	}
}

func TestTime_JSON(t *testing.T) {
	var at topics.Time
	if err := json.Unmarshal([]byte(`"2026-09-26T02:15:02\u005a"`), &at); err != nil || at.String() != "2026-09-26T02:15:02Z" {
		t.Errorf("got %s, %v", at, err)
	}
	if err := json.Unmarshal([]byte("null"), &at); err != nil || !at.IsZero() {
		t.Errorf("null: got %s, %v", at, err)
	}
	for _, text := range []string{"1790388902", `""`, `"2026-09-26"`, "{}"} {
		if err := json.Unmarshal([]byte(text), &at); !errors.Is(err, topics.ErrTimeSyntax) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %s, %v, want ErrTimeSyntax with the value", text, at, err)
		}
	}
}

// strictTime is the grammar of a time; what it leaves open, such as the days of a month, package time decides.
var strictTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// FuzzTime compares ParseTime with package time, and its value with what is written of it.
func FuzzTime(f *testing.F) {
	for _, text := range []string{
		"2026-09-26T02:15:02.431Z", "1969-12-31T23:30:00-01:00", "9999-12-31T23:59:59.9999999Z", "2024-02-29T12:00:00+23:59",
		"2026-09-26t02:15:02z", "2016-12-31T23:59:60Z", "2026-09-26T02:15:02,5Z", "1900-02-29T00:00:00Z",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := topics.ParseTime(text)
		std, stdErr := time.Parse(time.RFC3339Nano, text)
		valid := strictTime.MatchString(text) && stdErr == nil
		inRange := valid && std.Unix() >= 0 && std.UTC().Year() <= 9999
		if (err == nil) != inRange || valid && !inRange && !errors.Is(err, topics.ErrTimeRange) {
			t.Fatalf("%q: got %s, %v, package time %s, %v", text, got, err, std, stdErr)
		}
		if err != nil {
			return
		}
		if want := topics.TimeOf(std); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
		if again, err := topics.ParseTime(got.String()); err != nil || again != got {
			t.Errorf("%q: %s comes back as %s, %v", text, got, again, err)
		}
	})
}
