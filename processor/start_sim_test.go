//go:build synctests

package processor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"stocksync/testenv"
)

// Ensure the lanes of a process get their tasks at once and keep them: no transaction is begun that the arrival of
// the next lane ends, and what waits is folded as soon as the lanes have joined.
func TestSim_LanesThatStartTogetherTakeNothingFromEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, &simTotal{faults: map[string]int{}})
		w := testenv.NewWorkload(testenv.RealisticWorkload(1))
		produced, err := testenv.Produce(t.Context(), s.cluster, w.Next, testenv.ProduceConfig{Prefix: s.prefix, Events: 500})
		if err != nil {
			t.Fatal(err)
		}
		s.acks = produced.Acks
		began := time.Now()
		s.start(s.members[0])
		if err := testenv.WaitQuiet(t.Context(), s.cluster, s.prefix); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 400*time.Millisecond {
			t.Errorf("folded what waited %s after the start, want at most 400 ms", took)
		}
		if n := metric(t, s.members[0].reg, "stocksync_processor_transactions_total", "result", "aborted"); n != 0 {
			t.Errorf("got %v transactions given up, want none", n)
		}
		s.check()
		s.close()
	})
}
