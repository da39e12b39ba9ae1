package processor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stocksync/processor"
	"stocksync/testenv"
)

// tasks waits until an instance has so many.
func tasks(t *testing.T, p *processor.Processor, want int) {
	t.Helper()
	until(t, func(context.Context) error {
		if n := len(p.Tasks()); n != want {
			return fmt.Errorf("it has %d tasks, want %d", n, want)
		}
		return p.Ready()
	})
}

// Ensure a partition that a member gave up, and died before it could say so, is not left without an owner: as
// a static member its successor gets what the member had kept, and the group sees no reason to rebalance.
// kfake does.
func TestOrphan_FindsAnOwner(t *testing.T) {
	t.Parallel()
	testenv.KafkaOnly(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 5)
		one := func(id string) *instance {
			cfg := config(t, c, prefix, id)
			cfg.Workers, cfg.SessionTimeout = 1, 4*time.Second
			return start(t, cfg)
		}
		leader := one("zz") // sorts behind one
		tasks(t, leader.Processor, 5)
		d := startDoomed(t, t, c, prefix, 0, func(d *doomed, cfg *processor.Config) {
			cfg.Workers = 1
			atPoint("during revoke")(d, cfg)
		})
		tasks(t, d.Processor, 2)
		gone := one("gone")
		tasks(t, gone.Processor, 1)
		gone.stop()
		tasks(t, d.Processor, 3)
		third := one("third")
		d.waitDead()
		d.stop()
		again := one("one")
		until(t, func(context.Context) error {
			if n := len(leader.Tasks()) + len(third.Tasks()) + len(again.Tasks()); n != 5 {
				return fmt.Errorf("%d tasks have an owner, want all 5", n)
			}
			return nil
		})
		up := newUpstream(t, c, prefix, 5)
		for p := range int32(5) {
			up.send(up.delta(up.skuOn(p)))
		}
		settle(t, c, prefix)
	})
}
