package processor_test

import (
	"testing"
	"time"

	"stocksync/testenv"
)

// stopWithin is what a stop has; the process needs some of the promised 15 s to come and go.
const stopWithin = 13 * time.Second

func TestStop_EndsWhileTheBrokerIsGone(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg := config(t, c, prefix, "one")
		wire := c.Wire()
		cfg.ClientOpts = append(cfg.ClientOpts, wire.Opt())
		i := start(t, cfg)
		up := newUpstream(t, c, prefix, 2)
		up.send(up.delta(up.skuOn(0)), up.delta(up.skuOn(1)))
		settle(t, c, prefix)
		stalled := make(chan struct{})
		go func() { // events are folded, and their transaction meets a network that is no more
			defer close(stalled)
			up.send(up.delta(up.skuOn(0)), up.delta(up.skuOn(1)))
			wire.Stall()
		}()
		<-stalled
		began := time.Now()
		i.stop()
		if err := i.wait(); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		if took := time.Since(began); took > stopWithin {
			t.Errorf("stopped after %s, want at most %s", took, stopWithin)
		}
		wire.Resume()
	})
}
