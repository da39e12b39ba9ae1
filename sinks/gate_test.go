package sinks_test

import (
	"fmt"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
)

// TestSend_ADaysBudgetSurvivesARestart ensures that a restart brings no requests back, that the last of them are
// kept for stock-outs, and that the next day of the marketplace's zone brings new ones.
func TestSend_ADaysBudgetSurvivesARestart(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 1, InFlight: 4, Rate: sinks.Rate{PerDay: 100, Zone: "Atlantic/Azores"}}}
		i := w.speak(d)
		midnight := w.midnight("Atlantic/Azores") // in an hour
		for n := range 8 {
			w.stock(many("A", 20, 10+n))
			w.pass(time.Minute)
		}
		w.pass(45 * time.Minute)
		used, _ := d.counts()
		if used < 65 || used > 80 {
			t.Errorf("got %d requests for increases, want up to 80 of 100", used)
		}
		i.stop()
		i.again()
		w.stock(many("A", 20, 100))
		w.pass(time.Minute)
		if got, _ := d.counts(); got > used+1 {
			t.Errorf("after a restart: got %d requests more, want none", got-used)
		}
		used, _ = d.counts()
		w.stock("A00=0")
		w.says("s", "A00", "synced zero_available")
		if got, _ := d.counts(); got != used+1 {
			t.Errorf("got %d requests, want one for the stock-out", got-used)
		}
		if !time.Now().Before(midnight) {
			t.Fatal("the test took until the next day")
		}
		w.pass(time.Until(midnight) + time.Minute)
		for n := 1; n < 20; n++ {
			w.says("s", fmt.Sprintf("A%02d", n), "synced in_sync")
		}
	})
}

// midnight is when the present day ends in a zone.
func (w *world) midnight(zone string) time.Time {
	w.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		w.Fatal(err)
	}
	y, m, d := time.Now().In(location).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, location)
}
