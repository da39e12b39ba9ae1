package processor_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones must not depend on the machine

	"stocksync/processor"
	"stocksync/state"
	"stocksync/topics"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// active is a task record of a task that gets input all the time and has done a date.
func activeRecord(now time.Time, done int32) *state.TaskRecord {
	return &state.TaskRecord{Newest: topics.TimeOf(now), Nightly: state.Nightly{Done: done}}
}

// Ensure each local date has one run, on that date and as soon as its time has come: in zones with and
// without daylight saving, with gaps and repeated hours at midnight, and where a date was left out.
func TestCalendar_EachDateHasOneRunAtItsTime(t *testing.T) {
	const step = 30 * time.Minute
	for _, c := range []struct {
		zone string
		year int
	}{
		{"UTC", 2026},
		{"Asia/Jakarta", 2026},
		{"Europe/Berlin", 2026},
		{"America/Santiago", 2026},
		{"Africa/Cairo", 2026},
		{"America/Havana", 2026},
		{"Asia/Beirut", 2026},
		{"Australia/Lord_Howe", 2026},
		{"Pacific/Apia", 2011},
	} {
		for _, at := range []time.Duration{0, 30 * time.Minute, 150 * time.Minute, 23*time.Hour + 30*time.Minute} {
			z := zone(t, c.zone)
			now := time.Date(c.year, 1, 1, 12, 0, 0, 0, z)
			done := processor.DateOf(z, at, now)
			for end := now.AddDate(1, 0, 0); now.Before(end); now = now.Add(step) {
				text, date, due := processor.Due(z, at, activeRecord(now, done), now)
				if !due {
					continue
				}
				local := now.In(z)
				if got := local.Format(time.DateOnly); got != text {
					t.Errorf("%s at %s: the run for %s is on %s", c.zone, at, text, got)
				}
				skips := c.zone == "Pacific/Apia" && text == "2011-12-31"
				if date != done+1 && !skips {
					t.Errorf("%s at %s: %s comes %d days after the date before", c.zone, at, text, date-done)
				}
				// A time that a date leaves out is made up for as soon as the gap is over.
				late := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute - at
				if _, before := now.Add(-step).In(z).Zone(); late < 0 || late >= step && offset(local) == before {
					t.Errorf("%s at %s: %s has its run at %s", c.zone, at, text, local)
				}
				done = date
			}
			if want := processor.DateOf(z, at, now); done != want && done != want-1 {
				t.Errorf("%s at %s: done is %d, the date is %d", c.zone, at, done, want)
			}
		}
	}
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}

func TestCalendar_ClocksThatAreWrong(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	today := processor.DateOf(time.UTC, 0, now)
	year := now.AddDate(1, 0, 0)
	for _, c := range []struct {
		name   string
		newest time.Time
		done   int32
		wall   time.Time
		want   string // the date that is due; empty: none
	}{
		{"done today", now, today, now, ""},
		{"down over one midnight", now.Add(-20 * time.Hour), today - 1, now, "2026-03-10"},
		{"down over a week: one run, two days after the last input", now.AddDate(0, 0, -7), today - 8, now, "2026-03-05"},
		{"and another when there is input again", now, today - 5, now, "2026-03-10"},
		{"nobody has written for a week", now.AddDate(0, 0, -7), today - 5, now, ""},
		{"no input ever", time.Time{}, today - 3, now, ""},
		{"a clock ahead by a year runs at most two days ahead", now, today, year, "2026-03-12"},
		{"and not again", now, today + 2, year, ""},
		{"set right: what is done for days to come does not count", now, today + 2, now, "2026-03-10"},
		{"a day ahead counts: the clocks of two instances differ", now, today + 1, now, ""},
		{"clock and inputs were ahead by a year", year, today + 365, now, "2026-03-10"},
		{"a clock behind", now, today, now.AddDate(0, 0, -1), ""},
		{"a first start that has much to read counts the present date", now.AddDate(0, 0, -30), today, now, ""},
	} {
		r := &state.TaskRecord{Newest: topics.TimeOf(c.newest), Nightly: state.Nightly{Done: c.done}}
		got, _, due := processor.Due(time.UTC, 0, r, c.wall)
		if !due {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPace_KeepsTheRateWhateverTheClockDoes(t *testing.T) {
	p := processor.NewPace(2000)
	now := time.Unix(1_800_000_000, 0)
	total := 0
	for range 1000 {
		now = now.Add(time.Millisecond)
		n := p.Take(50, now)
		p.Give(n / 2)
		total += n - n/2
	}
	if total < 1800 || total > 2300 {
		t.Errorf("got %d in a second, want about 2000", total)
	}
	for p.Take(50, now) > 0 { // empty it
	}
	for name, jump := range map[string]time.Duration{"ahead": 365 * 24 * time.Hour, "back": -1000 * 24 * time.Hour} {
		now = now.Add(jump)
		if n := p.Take(1_000_000, now); n > 200 {
			t.Errorf("%s: got %d at once, want at most the burst of 200", name, n)
		}
		now = now.Add(10 * time.Millisecond)
		if n := p.Take(1_000_000, now); n < 19 || n > 21 {
			t.Errorf("10 ms after %s: got %d, want 20", name, n)
		}
	}
	if slow := processor.NewPace(1); slow.Take(9, now) != 0 && slow.Take(9, now.Add(time.Minute)) != 1 {
		t.Error("a rate of one a second gives less or more than one")
	}
}
