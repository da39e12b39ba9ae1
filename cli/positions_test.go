package cli_test

import (
	"fmt"
	"testing"

	"stocksync/cli"
	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestPositions_AreShownAndSetWhileStopped(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, s := stocked(t, c)
		n := topics.PartitionOf([]byte("A001"), cfg.Partitions)
		set := []string{"positions", "set", "--partition", fmt.Sprint(n), "mutations=start", "orders=end"}
		run(t, cfg, append(set, "--yes")...).want(t, cli.ExitFailed, "2:stop every instance first")
		s.stop()
		s.wait().want(t, cli.ExitOK)

		before := decode[[]processor.Positions](t, run(t, cfg, "positions", "show", "--json"))
		if len(before) != int(cfg.Partitions) || !before[n].HasRecord || before[n].Next[topics.Mutations] == 0 {
			t.Fatalf("got %+v", before)
		}
		run(t, cfg, "positions", "show").want(t, cli.ExitOK, "1:PARTITION  INPUT", "1:consumed")
		run(t, cfg, set...).want(t, cli.ExitUsage, "1:PARTITION", "2:nothing was changed: add --yes")
		run(t, cfg, append(set, "--yes")...).want(t, cli.ExitOK)
		after := decode[[]processor.Positions](t, run(t, cfg, "positions", "show", "--json"))
		if got := after[n].Next; got[topics.Mutations] != before[n].Start[topics.Mutations] ||
			got[topics.Orders] != before[n].End[topics.Orders] || got[topics.Commands] != before[n].Next[topics.Commands] {
			t.Errorf("got %v, before %v", got, before[n])
		}
		entry, err := topics.DecodeAuditEntry(records(t, c, cfg, topics.AuditTopic)[0].Value)
		if err != nil || entry.Action != "positions" || len(entry.Before) < 10 || string(entry.Before) == string(entry.After) {
			t.Errorf("got %+v, %v", entry, err)
		}

		again := start(t, cfg, "processor")
		again.ready(t)
		settle(t, c, cfg)
		run(t, cfg, "summary", "--totals", "A001").want(t, cli.ExitOK, "1:A001", "1:39         9")
	})
}

func TestPositions_SetRefusesWhatIsNotThere(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	for name, args := range map[string][]string{
		"partition":      {"--partition", "4", "mutations=start"},
		"input":          {"--partition", "0", "availability=start"},
		"offset":         {"--partition", "0", "mutations=-3"},
		"offset beyond":  {"--partition", "0", "mutations=7", "--yes"},
		"no equals sign": {"--partition", "0", "mutations"},
		"twice":          {"--partition", "0", "mutations=start", "mutations=end"},
		"no partition":   {"mutations=start"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, cfg, append([]string{"positions", "set"}, args...)...).want(t, cli.ExitUsage)
		})
	}
}
