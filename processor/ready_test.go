package processor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"stocksync/processor"
	"stocksync/testenv"
)

// countSeries returns an error unless a metric has so many series.
func countSeries(reg prometheus.Gatherer, name string, want int) error {
	got, err := testutil.GatherAndCount(reg, name)
	if err == nil && got != want {
		err = fmt.Errorf("%s has %d series, want %d", name, got, want)
	}
	return err
}

// unready expects that an instance comes to say why it is not ready.
func unready(t *testing.T, p *processor.Processor, says string) {
	t.Helper()
	until(t, func(context.Context) error {
		if err := p.Ready(); err == nil || !strings.Contains(err.Error(), says) {
			return fmt.Errorf("ready says %q, want %q", fmt.Sprint(err), says)
		}
		return nil
	})
}

func TestReady_NotBeforeTheGroupHasAssignedTasks(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg, wire := oneLane(t, c, prefix, "one")
	wire.Stall()
	i := start(t, cfg)
	unready(t, i.Processor, "no broker has answered yet")
	wire.Resume()
	until(t, func(context.Context) error { return i.Ready() })
	if n := len(i.Tasks()); n != 2 {
		t.Errorf("ready with %d tasks, want both", n)
	}
}

// Ensure a task under steady load, always some records behind, is not late.
func TestReady_UnderSteadyLoad(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg, _ := oneLane(t, c, prefix, "one")
		cfg.MaxLag = 2 * time.Second
		i := start(t, cfg)
		tasks(t, i.Processor, 2)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w := testenv.NewWorkload(testenv.RealisticWorkload(51))
			_, _ = testenv.Produce(ctx, c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: 1 << 20, Rate: 1000})
		}()
		for began := time.Now(); time.Since(began) < 2*cfg.MaxLag; {
			if err := i.Ready(); err != nil {
				t.Errorf("got %v after %s, want ready", err, time.Since(began))
				break
			}
			wait(t.Context(), 20*time.Millisecond)
		}
		cancel()
		<-done
	})
}

func TestReady_NotWhileATaskIsLate(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg, _ := oneLane(t, c, prefix, "one")
		cfg.MaxLag = 500 * time.Millisecond
		stuck := make(chan struct{})
		late := make(chan bool, 1)
		cfg.Crash = func(string) {
			select {
			case <-late:
				<-stuck
			default:
			}
		}
		i := start(t, cfg)
		tasks(t, i.Processor, 2)
		settle(t, c, prefix)
		late <- true
		up := newUpstream(t, c, prefix, 2)
		up.send(up.delta(up.skuOn(0)), up.delta(up.skuOn(0)))
		unready(t, i.Processor, "task 0 has been behind for")
		close(stuck)
		until(t, func(context.Context) error { return i.Ready() })
	})
}

func TestReady_NotWithoutABroker(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg, wire := oneLane(t, c, prefix, "one")
	cfg.MaxLag = time.Second
	i := start(t, cfg)
	tasks(t, i.Processor, 2)
	wire.Cut()
	unready(t, i.Processor, "no broker has answered for")
	wire.Mend()
	until(t, func(context.Context) error { return i.Ready() })
}
