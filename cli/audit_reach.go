package cli

import (
	"fmt"
	"math"

	"stocksync/state"
	"stocksync/topics"
)

// reach is how far the inputs of one SKU go back.
type reach struct {
	why  string   // they do not hold everything that was folded; empty: they do
	from [2]int32 // of each input: the last UTC day of which something may be gone; -1: nothing is
}

// reach looks at the SKU's home, and at the partitions that it may have come to before some were added.
func (a *auditor) reach() reach {
	r := reach{from: [2]int32{-1, -1}}
	for _, m := range a.divisors {
		home := topics.PartitionOf([]byte(a.group.sku), m)
		if a.gaps[home] == "" {
			continue
		}
		r.why = a.gaps[home]
		for input := range a.logs {
			day := int32(math.MaxInt32)
			if log := a.logs[input][home]; log != nil && log.lost == "" && !log.oldest.IsZero() {
				day = log.oldest.UTCDay()
			}
			r.from[input] = max(r.from[input], day)
		}
	}
	return r
}

// lookForGaps finds the partitions whose inputs do not hold all that was folded.
func (a *auditor) lookForGaps() {
	for p := range a.tasks {
		if why := a.incomplete(p); why != "" {
			a.gaps[p] = why
		}
	}
	for m := int32(1); m <= a.partitions; m++ {
		if a.partitions%m == 0 {
			a.divisors = append(a.divisors, m)
		}
	}
}

// incomplete says why the inputs of a partition do not hold all that its task has consumed; empty when they do.
func (a *auditor) incomplete(partition int32) string {
	var records int64
	for input := range a.logs {
		base, log := state.InputBases()[input], a.logs[input][partition]
		switch {
		case log == nil:
			return fmt.Sprintf("%s/%d is not there", a.topic(base), partition)
		case log.lost != "":
			return log.lost
		case log.start > 0:
			return fmt.Sprintf("%s/%d starts at offset %d: retention took what was before", a.topic(base), partition, log.start)
		}
		records += log.folded
	}
	if n := a.tasks[partition].Counters.Consumed; n != records {
		return fmt.Sprintf("task %d consumed %d records, and %d are there: a topic was made anew, or positions were set",
			partition, n, records)
	}
	return ""
}
