package topics_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"stocksync/topics"
)

func TestDuration_JSON(t *testing.T) {
	for text, want := range map[string]string{
		`"30m"`: `"30m0s"`, `"1h30m"`: `"1h30m0s"`, `"1.5s"`: `"1.5s"`, `"90s"`: `"1m30s"`, `"0"`: `"0s"`, "null": `"0s"`, `"\u0031m"`: `"1m0s"`,
	} {
		d := topics.Duration(time.Hour)
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := json.Marshal(d); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"30", `""`, `"30"`, `"half an hour"`, "true", `"1d"`} {
		var d topics.Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "30m") {
			t.Errorf("%s: got %s, %v, want an error that names the value and the form", text, d, err)
		}
	}
}
