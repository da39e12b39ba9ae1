package processor

import (
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// calendar says when nights begin: at one time of day, in one zone. It asks a clock what the date is and
// never computes when a date begins, so that it does not matter which hours a zone leaves out or has twice.
type calendar struct {
	zone *time.Location
	at   time.Duration // since midnight
}

// clockLead is how far the wall clock is believed beyond the newest input. A clock that jumps ahead then
// ends the retention of nothing that is younger than it by more, and a task that nobody writes to stops
// having nights.
const clockLead = 48 * time.Hour

// date is the local date whose night has begun last, in days since 1970.
func (c calendar) date(t time.Time) int32 {
	local := t.In(c.zone)
	date := dateOf(local)
	hour, minute, _ := local.Clock()
	if time.Duration(hour)*time.Hour+time.Duration(minute)*time.Minute >= c.at {
		return date
	}
	for dateOf(local) == date { // the date before: not always one less, a zone that crosses the date line leaves one out
		local = local.Add(-time.Hour)
	}
	return dateOf(local)
}

// dateOf is the local date of a time, in days since 1970.
func dateOf(local time.Time) int32 {
	year, month, day := local.Date()
	return int32(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// dateText writes a date as people do.
func dateText(date int32) string { return time.Unix(int64(date)*86400, 0).UTC().Format(time.DateOnly) }

// clock is the time by which a task's nights go: the smaller of the wall clock and the newest input's time
// and the lead.
func clock(r *state.TaskRecord, wall time.Time) time.Time {
	if bound := r.Newest.Time().Add(clockLead); bound.Before(wall) {
		return bound
	}
	return wall
}

// due returns the date whose run a task owes; false when it owes none. Runs that were missed are made up
// for by one. A date done that lies more than a day ahead was done by a clock that was wrong, and does not
// count.
func (c calendar) due(r *state.TaskRecord, wall time.Time) (int32, bool) {
	if r.Newest.IsZero() {
		return 0, false
	}
	date := c.date(clock(r, wall))
	return date, r.Nightly.Done < date || r.Nightly.Done > c.date(wall)+1
}

// dayOf is the UTC day that index and horizon go by.
func dayOf(t time.Time) int32 { return topics.TimeOf(t).UTCDay() }
