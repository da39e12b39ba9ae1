package sinks_test

import (
	"strings"
	"testing"

	"stocksync/sinks"
)

func TestClasses_AreTheFourteenOfTheDesignAndTheirNamesReadBack(t *testing.T) {
	want := "ok not_found not_editable promo_lock below_reserved raise_only token shop_unauthorised location " +
		"quantity throttle transient config managed_elsewhere"
	var names []string
	for _, c := range sinks.Classes() {
		names = append(names, c.String())
		if back, err := sinks.ParseClass(c.String()); back != c || err != nil {
			t.Errorf("%s reads back as %s, %v", c, back, err)
		}
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, name := range []string{"", "none", "OK", "ok ", "unknown"} {
		if c, err := sinks.ParseClass(name); err == nil {
			t.Errorf("%q reads as %s, want an error", name, c)
		}
	}
}
