package cli_test

import (
	"strings"
	"testing"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestNightly_EmitsEveryActiveSKUAgain(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, s := stocked(t, c)
		before := decode[cli.Explanation](t, run(t, cfg, "explain", "A002", "--json")).Availability
		report := decode[cli.NightlyReport](t, run(t, cfg, "nightly", "--wait", "--json"))
		if !report.Done || report.Partitions != cfg.Partitions || report.ID == "" {
			t.Errorf("got %+v", report)
		}
		after := decode[cli.Explanation](t, run(t, cfg, "explain", "A002", "--json")).Availability
		if after.Revision <= before.Revision || after.Trigger != topics.TriggerNightly || after.Changed ||
			after.Actual != before.Actual || after.AsOf != before.AsOf {
			t.Errorf("before %+v, after %+v", before, after)
		}
		commands := records(t, c, cfg, topics.Commands)
		seen := map[int32]bool{}
		for _, r := range commands {
			var command topics.Command
			if why := topics.DecodeCommand(r.Value, 0, &command); why != nil || command.ID != report.ID ||
				command.Command != topics.CommandNightly || command.RequestedBy == "" || command.RequestedAt.IsZero() {
				t.Errorf("partition %d: got %+v, %v", r.Partition, command, why)
			}
			seen[r.Partition] = true
		}
		if len(commands) != int(cfg.Partitions) || len(seen) != int(cfg.Partitions) {
			t.Errorf("got %d commands on %d partitions, want one on each of %d", len(commands), len(seen), cfg.Partitions)
		}
		entry, err := topics.DecodeAuditEntry(records(t, c, cfg, topics.AuditTopic)[0].Value)
		if err != nil || entry.Action != "nightly" || entry.Note != report.ID || entry.Actor == "" {
			t.Errorf("got %+v, %v", entry, err)
		}
		if log := s.stderr.String(); !strings.Contains(log, "nightly run done") || !strings.Contains(log, report.ID) {
			t.Errorf("the log lacks the report of run %s:\n%s", report.ID, log)
		}
		if _, body := s.get(t, "/metrics"); !strings.Contains(body, `stocksync_processor_nightly_skus_total{what="reemitted"} 2`) {
			t.Errorf("/metrics lacks the 2 SKUs:\n%s", body)
		}
		run(t, cfg, "nightly").want(t, cli.ExitOK, "1:asked the owners of 4 partitions for a nightly run (")
	})
}

func TestNightly_WaitFailsWhenNobodyWorks(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	run(t, cfg, "nightly", "--wait", "--timeout", "50ms").want(t, cli.ExitFailed, "2:partitions [0 1 2 3]", "2:no progress")
	run(t, cfg, "nightly", "--timeout", "0s").want(t, cli.ExitUsage, "2:--timeout")
	s := start(t, cfg, "processor") // what was asked for is carried out when somebody does
	s.ready(t)
	settle(t, c, cfg)
	if n := len(records(t, c, cfg, topics.DeadLetters)); n != 0 {
		t.Errorf("got %d dead letters, want none", n)
	}
}
