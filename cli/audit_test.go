package cli_test

import (
	"testing"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// produceWorkload puts a realistic stream into the inputs of an installation.
func produceWorkload(t *testing.T, c *testenv.Cluster, cfg cli.Config, w *testenv.Workload, n int, rate float64) {
	t.Helper()
	_, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{
		Prefix: topics.Prefix(cfg.TopicPrefix), Events: n, Rate: rate,
	})
	if err != nil {
		t.Error(err)
	}
}

func troubled(seed uint64) *testenv.Workload {
	w := testenv.RealisticWorkload(seed)
	w.SKUs, w.Garbage, w.Conflicts, w.WrongPartition = 60, 0.03, 0.03, 0.05
	return testenv.NewWorkload(w)
}

func TestAudit_FindsNothingInAFaithfulFold(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg := withTopics(t, c)
		start(t, cfg, "processor")
		w := troubled(7)
		produceWorkload(t, c, cfg, w, 5000, 0)
		settle(t, c, cfg)
		r := run(t, cfg, "audit", "--json")
		t.Log(r.stdout, r.stderr)
		r.want(t, cli.ExitOK)
	})
}
