package processor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"stocksync/testenv"
	"stocksync/topics"
)

func TestMetrics_CountWhatWasFolded(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c) // one line in each partition
		reg := prometheus.NewRegistry()
		s.cfg.Registry = reg
		i := s.start()
		s.halts(i, "")
		s.sendTo(0, 3)
		twice := s.up.delta(s.up.skuOn(1))
		again := *twice
		stray := s.up.delta(s.up.skuOn(2))
		stray.Partition = 1
		s.up.send(twice, &again, stray, at(topics.Orders, 1, "A", "not JSON"), at(topics.Mutations, 1, "", "{}"))
		settle(t, c, s.prefix)
		want := `
# HELP stocksync_processor_dead_letters_total Records found unfit, by reason; a record of an aborted transaction is found again.
# TYPE stocksync_processor_dead_letters_total counter
stocksync_processor_dead_letters_total{reason="empty_key"} 1
stocksync_processor_dead_letters_total{reason="undecodable"} 1
# HELP stocksync_processor_group_offset_differences_total Starts of a task at which an offset of the group was not the task record's, which counts.
# TYPE stocksync_processor_group_offset_differences_total counter
stocksync_processor_group_offset_differences_total 0
# HELP stocksync_processor_lag_records Input records not yet folded.
# TYPE stocksync_processor_lag_records gauge
stocksync_processor_lag_records{partition="0"} 0
stocksync_processor_lag_records{partition="1"} 0
stocksync_processor_lag_records{partition="2"} 0
# HELP stocksync_processor_records_total Input records whose transaction is committed, by outcome.
# TYPE stocksync_processor_records_total counter
stocksync_processor_records_total{outcome="applied"} 5
stocksync_processor_records_total{outcome="dead_lettered"} 2
stocksync_processor_records_total{outcome="duplicate"} 1
stocksync_processor_records_total{outcome="forwarded"} 1
# HELP stocksync_processor_tasks Tasks of this instance, by phase.
# TYPE stocksync_processor_tasks gauge
stocksync_processor_tasks{phase="halted"} 0
stocksync_processor_tasks{phase="restoring"} 0
stocksync_processor_tasks{phase="running"} 3
`
		until(t, func(context.Context) error { // the lag is measured now and then
			return testutil.GatherAndCompare(reg, strings.NewReader(want), "stocksync_processor_dead_letters_total",
				"stocksync_processor_group_offset_differences_total", "stocksync_processor_lag_records",
				"stocksync_processor_records_total", "stocksync_processor_tasks")
		})
		for name, least := range map[string]float64{
			"stocksync_processor_transactions_total": 2, "stocksync_processor_restored_records_total": 0,
		} {
			if got := metric(t, reg, name, "", ""); got < least {
				t.Errorf("%s: got %v, want at least %v", name, got, least)
			}
		}
		problems, err := testutil.GatherAndLint(reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("got %v, %v, want names as they should be", problems, err)
		}
	})
}

// Ensure what is shown of a restore is gone when the task is.
func TestMetrics_ShowRestoresOfTasksThatAreHere(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.cfg.StateDir = t.TempDir()
		reg := prometheus.NewRegistry()
		s.cfg.Registry = reg
		i := s.start()
		s.halts(i, "")
		for _, name := range []string{"stocksync_processor_restore_offset", "stocksync_processor_restore_target_offset"} {
			if err := countSeries(reg, name, siteTasks); err != nil {
				t.Error(err)
			}
		}
		if got := metric(t, reg, "stocksync_processor_restored_records_total", "", ""); got < 2*siteTasks {
			t.Errorf("restored records: got %v, want a chunk and a task record of each task", got)
		}
		other := s.cfg
		other.InstanceID, other.StateDir, other.Registry = "two", t.TempDir(), nil
		two := start(t, other)
		tasks(t, two.Processor, 1)
		until(t, func(context.Context) error {
			return countSeries(reg, "stocksync_processor_restore_offset", siteTasks-1)
		})
	})
}
