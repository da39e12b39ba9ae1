package limit_test

import (
	"errors"
	"testing"
	"time"

	"stocksync/sinks/limit"
)

// notes is what survives a restart.
type notes struct {
	values map[string]string
	writes int
	err    error
}

func (n *notes) Note(key string) ([]byte, error) { return []byte(n.values[key]), n.err }

func (n *notes) SetNote(key string, value []byte) error {
	n.writes++
	n.values[key] = string(value)
	return n.err
}

func newDaily(t *testing.T, most int, zone string, n limit.Notes) *limit.Daily {
	t.Helper()
	d, err := limit.NewDaily(most, zone, "s/x", n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// use uses a key at a time if it may, and returns the wait otherwise.
func use(t *testing.T, d *limit.Daily, key string, now time.Time, u limit.Urgency) time.Duration {
	t.Helper()
	wait, err := d.Wait(key, now, u)
	if err == nil && wait == 0 {
		err = d.Spend(key, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// greedy uses a key as often as it may from a time until its day ends.
func greedy(t *testing.T, d *limit.Daily, key string, now time.Time, u limit.Urgency) (uses int) {
	t.Helper()
	for end := now.Add(24 * time.Hour).Truncate(24 * time.Hour); now.Before(end); {
		wait := use(t, d, key, now, u)
		if wait == 0 {
			uses++
		}
		now = now.Add(max(wait, time.Second))
	}
	return uses
}

// TestDaily_KeepsItsLastPartForWhatIsUrgent ensures that a listing which changes all day goes to 0 all the
// same, and that nothing goes beyond the budget.
func TestDaily_KeepsItsLastPartForWhatIsUrgent(t *testing.T) {
	d := newDaily(t, 250, "", nil)
	evening := start.Truncate(24 * time.Hour).Add(23 * time.Hour)
	for u, upTo := range map[limit.Urgency]int{
		limit.Background: 100, limit.Low: 150, limit.Normal: 200, limit.High: 237, limit.Urgent: 250,
	} {
		if used := greedy(t, newDaily(t, 250, "", nil), "A", evening, u); used != upTo {
			t.Errorf("urgency %d: got %d uses, want %d of 250", u, used, upTo)
		}
	}
	if low, urgent := greedy(t, d, "A", evening, limit.Low), greedy(t, d, "A", evening, limit.Urgent); low+urgent != 250 {
		t.Errorf("got %d and %d uses, want 250 in all", low, urgent)
	}
	if wait := use(t, d, "A", evening, limit.Urgent); wait != time.Hour {
		t.Errorf("after the last: got a wait of %s, want until midnight", wait)
	}
	if wait := use(t, d, "B", evening, limit.Low); wait != 0 {
		t.Errorf("another key: got a wait of %s, want none", wait)
	}
	if wait := use(t, d, "A", evening.Add(time.Hour), limit.Low); wait != 0 {
		t.Errorf("the next day: got a wait of %s, want none", wait)
	}
}

// TestDaily_SpreadsWhatIsLeftOverTheDay ensures that a number which changes every second is still followed in
// the evening.
func TestDaily_SpreadsWhatIsLeftOverTheDay(t *testing.T) {
	d := newDaily(t, 250, "", nil)
	morning := start.Truncate(24 * time.Hour)
	var uses []time.Time
	for now := morning; now.Before(morning.Add(24 * time.Hour)); now = now.Add(time.Second) {
		if use(t, d, "A", now, limit.High) == 0 {
			uses = append(uses, now)
		}
	}
	for _, now := range []time.Time{uses[len(uses)-1], uses[len(uses)-2]} {
		if gap := morning.Add(24 * time.Hour).Sub(now); gap > time.Hour {
			t.Errorf("got one of the last changes %s before midnight, want them spread", gap)
		}
	}
	if wait := use(t, d, "A", morning.Add(24*time.Hour-time.Minute), limit.Urgent); wait != 0 {
		t.Errorf("got a wait of %s for a stock-out, want none", wait)
	}
}

// TestDaily_SurvivesARestart ensures that what was used is not used again, that little is written for it, and
// that another day begins anew.
func TestDaily_SurvivesARestart(t *testing.T) {
	kept := &notes{values: map[string]string{}}
	now, used := start, 0
	for range 20 { // restarts
		d := newDaily(t, 1000, "Asia/Singapore", kept)
		for range 25 {
			if use(t, d, "", now, limit.Urgent) == 0 {
				used++
			}
		}
	}
	if used != 500 {
		t.Errorf("got %d uses, want 500", used)
	}
	if kept.writes > 50 {
		t.Errorf("got %d writes for %d uses, want few", kept.writes, used)
	}
	for range 1000 {
		d := newDaily(t, 1000, "Asia/Singapore", kept)
		if use(t, d, "", now, limit.Urgent) == 0 {
			used++
		}
	}
	if used > 1000 {
		t.Errorf("got %d uses in a day of restarts, want 1000 at most", used)
	}
	midnight := time.Date(2026, 9, 26, 16, 0, 0, 0, time.UTC) // in Singapore
	if wait := use(t, newDaily(t, 1000, "Asia/Singapore", kept), "", now, limit.Urgent); wait != midnight.Sub(now) {
		t.Errorf("got a wait of %s, want until midnight in Singapore", wait)
	}
	if wait := use(t, newDaily(t, 1000, "Asia/Singapore", kept), "", midnight, limit.Urgent); wait != 0 {
		t.Errorf("the next day: got a wait of %s, want none", wait)
	}
}

// TestDaily_AClockThatGoesBackBringsNothingBack ensures that yesterday is not used twice.
func TestDaily_AClockThatGoesBackBringsNothingBack(t *testing.T) {
	d := newDaily(t, 10, "", nil)
	for range 10 {
		use(t, d, "", start, limit.Urgent)
	}
	if wait := use(t, d, "", start.Add(-24*time.Hour), limit.Urgent); wait == 0 {
		t.Error("got leave on the day before")
	}
}

func TestDaily_PassesOnThatNotesFail(t *testing.T) {
	broken := &notes{values: map[string]string{}, err: errors.New("disk full")}
	l, err := limit.New(limit.Rate{PerDay: 10}, "s", broken)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := l.Take(start, limit.Urgent); ok || !errors.Is(err, broken.err) {
		t.Errorf("got leave %v, %v, want the error", ok, err)
	}
}

// TestLimiter_KeepsTheDaysBudget ensures that the budget of a day holds beside the rate.
func TestLimiter_KeepsTheDaysBudget(t *testing.T) {
	kept := &notes{values: map[string]string{}}
	l, err := limit.New(limit.Rate{PerSecond: 100, PerDay: 200}, "s", kept)
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for now := start; now.Before(start.Add(time.Hour)); now = now.Add(10 * time.Millisecond) {
		if _, ok, err := l.Take(now, limit.Urgent); err != nil {
			t.Fatal(err)
		} else if ok {
			sent++
		}
	}
	if sent != 200 {
		t.Errorf("got %d requests, want 200", sent)
	}
}
