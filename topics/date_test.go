package topics_test

import (
	"testing"
	"time"

	"stocksync/topics"
)

func TestTime_AppendsEveryDateAsTheStandardLibraryDoes(t *testing.T) {
	const lastDay = 2932896 // 9999-12-31
	for day := 0; day <= lastDay; day += 1 + day%3 {
		at := time.Unix(int64(day)*86_400+int64(day%86_400), int64(day%1_000_000)*1000).UTC()
		got := topics.TimeOf(at).String()
		if want := at.Format(time.RFC3339Nano); got != want {
			t.Fatalf("day %d: got %s, want %s", day, got, want)
		}
	}
}
