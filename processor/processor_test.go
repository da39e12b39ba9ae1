package processor_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(crashChildVar); text != "" {
		os.Exit(runCrashChild(text))
	}
	// The tests wait for groups, clocks and commits more than they work. A flag of the command line wins.
	if err := flag.Set("test.parallel", "6"); err != nil {
		os.Exit(1)
	}
	os.Exit(testenv.Main(m))
}

// policy is what the tests fold with: ERPNext's defaults.
func policy() state.Policy { return state.Policy{ReturnsReserve: true} }

// ensure makes an installation of its own on the cluster.
func ensure(t *testing.T, c *testenv.Cluster, partitions int32) topics.Prefix {
	t.Helper()
	prefix := c.Prefix(t)
	_, err := topics.Ensure(t.Context(), kadm.NewClient(c.Client(t)), topics.EnsureConfig{
		Prefix: prefix, Partitions: partitions, SinkPartitions: 2, AllowDeleteChangelog: !c.Real(),
	})
	if err != nil {
		t.Fatalf("ensure topics: %v", err)
	}
	return prefix
}

// instance is one processor that runs.
type instance struct {
	*processor.Processor
	stop context.CancelFunc
	wait func() error
}

func config(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, id string) processor.Config {
	return processor.Config{
		Brokers: c.Brokers, ClientOpts: c.Opts, Prefix: prefix, InstanceID: id, StateDir: t.TempDir(),
		Workers: 2, Policy: policy(), EmbeddedBroker: !c.Real(),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("instance", id),
	}
}

func start(t *testing.T, cfg processor.Config) *instance {
	t.Helper()
	p, err := processor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	i := &instance{Processor: p, stop: cancel}
	i.wait = sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() {
		cancel()
		if err := i.wait(); err != nil {
			t.Errorf("processor %s: %v", cfg.InstanceID, err)
		}
	})
	return i
}

// produce sends n events of a workload and waits until they are folded.
func produce(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, w *testenv.Workload, n int) []testenv.Ack {
	t.Helper()
	done, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: n})
	if err != nil {
		t.Fatalf("produce: %v", err)
	}
	return done.Acks
}

func settle(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := testenv.WaitQuiet(ctx, c, prefix); err != nil {
		t.Fatalf("wait until all input is folded: %v", err)
	}
}

func check(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, acks []testenv.Ack) {
	t.Helper()
	err := testenv.Check(t.Context(), c, testenv.CheckConfig{Prefix: prefix, Policy: policy(), Acked: acks})
	if err != nil {
		t.Fatalf("check: %v", err)
	}
}

func TestProcessor_FoldsARealisticUpstreamExactly(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 4)
		start(t, config(t, c, prefix, "one"))
		acks := produce(t, c, prefix, testenv.NewWorkload(testenv.RealisticWorkload(1)), 20_000)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	})
}

func TestProcessor_ResumesFromItsStateAndWithoutIt(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 4)
		w := testenv.NewWorkload(testenv.RealisticWorkload(2))
		cfg := config(t, c, prefix, "one")
		var acks []testenv.Ack
		for _, fresh := range []bool{false, false, true} {
			if fresh {
				cfg.StateDir = t.TempDir()
			}
			i := start(t, cfg)
			acks = append(acks, produce(t, c, prefix, w, 3000)...)
			settle(t, c, prefix)
			i.stop()
			if err := i.wait(); err != nil {
				t.Fatalf("stop: %v", err)
			}
		}
		check(t, c, prefix, acks)
	})
}

func TestProcessor_InstancesTradePartitionsUnderLoad(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 6)
		w := testenv.NewWorkload(testenv.RealisticWorkload(3))
		start(t, config(t, c, prefix, "one"))
		two := config(t, c, prefix, "two")
		var acks []testenv.Ack
		for range 3 {
			acks = append(acks, produce(t, c, prefix, w, 3000)...)
			i := start(t, two)
			acks = append(acks, produce(t, c, prefix, w, 3000)...)
			settle(t, c, prefix)
			acks = append(acks, produce(t, c, prefix, w, 3000)...)
			i.stop()
			if err := i.wait(); err != nil {
				t.Fatalf("stop: %v", err)
			}
		}
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	})
}
