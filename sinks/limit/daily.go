package limit

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Notes keeps small values across restarts. A value that was set is there after a crash.
type Notes interface {
	// Note returns a value; nil when there is none.
	Note(key string) ([]byte, error)
	SetNote(key string, value []byte) error
}

// Daily is a budget of so many uses of each key a day. Uses are noted in advance, some at a time, so that few
// writes are needed, and a restart forgets none: it may count some that never were.
//
// From half of the budget on, what is left is spread over what is left of the day, and the last part is kept
// for what is urgent: a listing whose number changes all day still goes to 0 in the evening. It is safe for
// concurrent use.
type Daily struct {
	most  int
	zone  *time.Location
	name  string
	notes Notes
	block int // uses noted at a time

	mu   sync.Mutex
	day  string // of used; days never go back
	used map[string]*use
}

// use is what was used of one key's budget in a day.
type use struct {
	used, noted int
	last        time.Time
}

// NewDaily returns a budget. What must survive a restart is in notes under the name; nil keeps it in memory.
// The error is that the zone is not known.
func NewDaily(most int, zone, name string, notes Notes) (*Daily, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone of a day's budget: %w", err)
	}
	return &Daily{
		most: most, zone: location, name: name, notes: notes, block: min(max(1, most/50), 100), used: map[string]*use{},
	}, nil
}

// Wait returns how long a use must wait; 0 when it may be now. An error is one of the notes.
func (d *Daily) Wait(key string, now time.Time, u Urgency) (time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.of(key, now)
	if err != nil {
		return 0, err
	}
	left := d.midnight(now).Sub(now)
	may := d.most*u.share()/100 - s.used
	switch {
	case may <= 0:
		return left, nil
	case u == Urgent || s.used < d.most/2:
		return 0, nil
	}
	return max(0, s.last.Add(left/time.Duration(may)).Sub(now)), nil
}

// Spend notes a use. An error is one of the notes.
func (d *Daily) Spend(key string, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.of(key, now)
	if err != nil {
		return err
	}
	s.used, s.last = s.used+1, now
	if s.used <= s.noted {
		return nil
	}
	s.noted = s.used + d.block - 1
	if d.notes == nil {
		return nil
	}
	return d.notes.SetNote(d.name+"/"+key, []byte(d.day+" "+strconv.Itoa(s.noted)))
}

// midnight is when the day ends.
func (d *Daily) midnight(now time.Time) time.Time {
	y, m, day := now.In(d.zone).Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, d.zone)
}

// of returns the use of a key on the present day. The caller holds the mutex.
func (d *Daily) of(key string, now time.Time) (*use, error) {
	if day := now.In(d.zone).Format(time.DateOnly); day > d.day {
		d.day = day
		clear(d.used)
	}
	s := d.used[key]
	if s != nil {
		return s, nil
	}
	s = &use{}
	if d.notes != nil {
		note, err := d.notes.Note(d.name + "/" + key)
		if err != nil {
			return nil, err
		}
		day, count, _ := strings.Cut(string(note), " ")
		if n, err := strconv.Atoi(count); err == nil && day == d.day {
			s.used, s.noted, s.last = n, n, now // all that was noted counts as used
		}
	}
	d.used[key] = s
	return s, nil
}
