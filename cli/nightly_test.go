package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/state"
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

// Ensure explain shows what the lines that are gone come to: without it the ledger would not add up.
func TestExplain_ShowsWhatIsCollapsed(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	store, err := state.Open(state.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	partition := topics.PartitionOf([]byte("A"), cfg.Partitions)
	task, err := store.OpenTask(t.Context(), partition, state.Policy{ReturnsReserve: true}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	task.Stage(state.TaskRecord{Partitions: cfg.Partitions, Policy: state.Policy{ReturnsReserve: true}, WalkEnded: true})
	producer := c.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i, qty := range []topics.Quantity{40 * topics.One, -3 * topics.One} {
		arrived := time.Date(2026, 1, 2+50*i, 3, 0, 0, 0, time.UTC)
		m := topics.Mutation{
			SKU: "A", LineID: "L" + string(rune('1'+i)), Version: 1, Warehouse: "JKT", Qty: qty, EffectiveAt: topics.TimeOf(arrived),
		}
		if o, why, err := task.Mutation(&m, &state.Arrival{Time: topics.TimeOf(arrived)}); o != state.Applied || err != nil {
			t.Fatal(o, why, err)
		}
		if _, err := task.Collapse("A", topics.TimeOf(arrived.AddDate(0, 0, -45)).UTCDay()); err != nil {
			t.Fatal(err)
		}
		var last int64
		task.Prepare(arrived, func(o state.Output) {
			r := &kgo.Record{Topic: cfg.TopicPrefix + topics.Changelog, Partition: partition, Key: o.Key, Value: o.Value}
			if o.Kind == state.ToAvailability {
				r.Topic = cfg.TopicPrefix + topics.AvailabilityTopic
			}
			if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			last = max(last, r.Offset)
		})
		if err := task.Committed(last, arrived); err != nil {
			t.Fatal(err)
		}
	}
	if err := task.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	e := decode[cli.Explanation](t, run(t, cfg, "explain", "A", "--json"))
	if len(e.Lines) != 1 || len(e.Collapsed) != 1 || e.Collapsed[0].Actual != 40*topics.One || e.Collapsed[0].Warehouse != "JKT" ||
		e.Availability.Actual != 37*topics.One {
		t.Errorf("got %+v and %+v", e.Lines, e.Collapsed)
	}
	run(t, cfg, "explain", "A").want(t, cli.ExitOK, "1:  2026-01-02 10:00:00  JKT        older lines   40  collapsed")
}
