package topics

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Time is an instant in microseconds from 1970 to 9999: the zero Time is none (JSON null), any other is one plus the
// microseconds since 1970-01-01T00:00:00Z. So Times compare with < and none is before all.
type Time int64

// maxTime is 9999-12-31T23:59:59.999999Z.
const maxTime = 1 + Time(253402300800*1_000_000-1)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// ErrTimeSyntax and ErrTimeRange are the errors of ParseTime.
var (
	ErrTimeSyntax = errors.New("is not an RFC 3339 time")
	ErrTimeRange  = errors.New("is outside the years 1970 to 9999 (UTC)")
)

// TimeOf returns t cut to microseconds. The zero time.Time and all before 1970 become none; after 9999 is its end.
func TimeOf(t time.Time) Time {
	if t.Unix() < 0 {
		return 0
	}
	if t.Unix() >= int64(maxTime)/microsPerSecond {
		return maxTime
	}
	return Time(t.UnixMicro()) + 1
}

// ParseTime reads an RFC 3339 time strictly: upper-case T and Z, a zone, a point before the fraction, no second 60.
// Digits beyond microseconds are cut. It returns ErrTimeSyntax or ErrTimeRange.
func ParseTime(s string) (Time, error) {
	// 2006-01-02T15:04:05Z
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, ErrTimeSyntax
	}
	year, ok1 := fourDigits(s)
	month, ok2 := twoDigits(s[5:7], 1, 12)
	day, ok3 := twoDigits(s[8:10], 1, 31)
	hour, ok4 := twoDigits(s[11:13], 0, 23)
	minute, ok5 := twoDigits(s[14:16], 0, 59)
	second, ok6 := twoDigits(s[17:19], 0, 59)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || day > daysIn(year, month) {
		return 0, ErrTimeSyntax
	}
	micros, rest, ok := fraction(s[19:])
	if !ok {
		return 0, ErrTimeSyntax
	}
	offset, ok := zone(rest)
	if !ok {
		return 0, ErrTimeSyntax
	}
	seconds := int64(daysSince1970(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset)
	t := seconds*microsPerSecond + int64(micros) + 1
	if t < 1 || t > int64(maxTime) {
		return 0, ErrTimeRange
	}
	return Time(t), nil
}

// fourDigits reads a year.
func fourDigits(s string) (n int, ok bool) {
	high, ok1 := twoDigits(s[0:2], 0, 99)
	low, ok2 := twoDigits(s[2:4], 0, 99)
	return high*100 + low, ok1 && ok2
}

// twoDigits reads exactly two digits with a value from low to high.
func twoDigits(s string, low, high int) (n int, ok bool) {
	a, b := s[0]-'0', s[1]-'0'
	n = int(a)*10 + int(b)
	return n, a <= 9 && b <= 9 && n >= low && n <= high
}

// fraction reads an optional point and digits, cut to microseconds, and returns what follows.
func fraction(s string) (micros int, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i := 1
	for unit := 100_000; i < len(s) && s[i]-'0' <= 9; i++ {
		micros += int(s[i]-'0') * unit
		unit /= 10
	}
	return micros, s[i:], i > 1
}

// zone reads Z or +hh:mm or -hh:mm as seconds east of UTC.
func zone(s string) (seconds int, ok bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':' {
		return 0, false
	}
	hours, ok1 := twoDigits(s[1:3], 0, 23)
	minutes, ok2 := twoDigits(s[4:6], 0, 59)
	seconds = hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, ok1 && ok2
}

// daysIn returns the number of days of a month.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar (Howard Hinnant's days_from_civil: years start in March, so
// that the leap day is the last of its year).
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = -1
	}
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}

// IsZero tells whether t is none.
func (t Time) IsZero() bool { return t == 0 }

// Time returns t in UTC; none is the zero time.Time.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t) - 1).UTC()
}

// UTCDay returns the number of whole days since 1970-01-01 in UTC; none is day 0.
func (t Time) UTCDay() int32 {
	if t <= 0 {
		return 0
	}
	return int32((int64(t) - 1) / microsPerDay)
}

// Append appends t in RFC 3339, in UTC, with as many digits of its microseconds as are needed. None appends nothing.
func (t Time) Append(b []byte) []byte {
	if t <= 0 {
		return b
	}
	days, micros := (int64(t)-1)/microsPerDay, (int64(t)-1)%microsPerDay
	year, month, day := dateOf(int(days))
	second := int(micros / microsPerSecond)
	micros %= microsPerSecond
	n := len(b)
	b = append(b, "2006-01-02T15:04:05"...)
	putTwo(b[n:], year/100)
	putTwo(b[n+2:], year%100)
	putTwo(b[n+5:], month)
	putTwo(b[n+8:], day)
	putTwo(b[n+11:], second/3600)
	putTwo(b[n+14:], second/60%60)
	putTwo(b[n+17:], second%60)
	if micros > 0 {
		b = append(b, '.')
		for unit := int64(100_000); micros > 0; unit /= 10 {
			b = append(b, byte('0'+micros/unit))
			micros %= unit
		}
	}
	return append(b, 'Z')
}

// putTwo writes n, of 0 to 99, as two digits.
func putTwo(b []byte, n int) { b[0], b[1] = byte('0'+n/10), byte('0'+n%10) }

// dateOf is the inverse of daysSince1970, for days of 1970 and later.
func dateOf(days int) (year, month, day int) {
	days += 719468
	era := days / 146097
	dayOfEra := days % 146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	month = (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*month+2)/5 + 1
	year, month = era*400+yearOfEra, month+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// appendJSON appends t as a JSON string, or null for none.
func (t Time) appendJSON(b []byte) []byte {
	if t <= 0 {
		return append(b, "null"...)
	}
	return append(t.Append(append(b, '"')), '"')
}

// String returns what Append appends, or "none".
func (t Time) String() string {
	if t <= 0 {
		return "none"
	}
	return string(t.Append(make([]byte, 0, 32)))
}

// MarshalJSON writes t as a JSON string, or null for none.
func (t Time) MarshalJSON() ([]byte, error) { return t.appendJSON(nil), nil }

// UnmarshalJSON reads a JSON string, or null for none.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = 0
		return nil
	}
	text, err := jsontext.AppendUnquote(nil, data)
	if err != nil {
		return fmt.Errorf("%s %w", shorten(string(data)), ErrTimeSyntax)
	}
	parsed, err := ParseTime(string(text))
	if err != nil {
		return fmt.Errorf("%s %w", shorten(string(data)), err)
	}
	*t = parsed
	return nil
}
