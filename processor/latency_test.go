package processor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure an event that comes after a while without any is not made to wait for a commit interval.
func TestLatency_OfAnEventOnAnIdleProcessor(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		const interval = 3 * time.Second
		prefix := ensure(t, c, 1)
		cfg := config(t, c, prefix, "one")
		cfg.CommitInterval, cfg.Workers = interval, 1
		i := start(t, cfg)
		tasks(t, i.Processor, 1)
		settle(t, c, prefix)
		wait(t.Context(), interval+100*time.Millisecond)
		up := newUpstream(t, c, prefix, 1)
		up.send(up.delta("A"))
		began := time.Now()
		until(t, func(context.Context) error {
			if n := len(read(t, c, prefix, topics.AvailabilityTopic)); n == 0 {
				return fmt.Errorf("%d availability records", n)
			}
			return nil
		})
		if took := time.Since(began); took > interval/2 {
			t.Errorf("got its availability after %s, want less than %s", took, interval/2)
		}
	})
}

// Ensure events that follow one another are folded together: one commit an interval.
func TestLatency_OfEventsThatFollowOneAnother(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		const interval = 500 * time.Millisecond
		prefix := ensure(t, c, 1)
		cfg := config(t, c, prefix, "one")
		cfg.CommitInterval, cfg.Workers = interval, 1
		i := start(t, cfg)
		tasks(t, i.Processor, 1)
		settle(t, c, prefix)
		up := newUpstream(t, c, prefix, 1)
		began := time.Now()
		for range 50 {
			up.send(up.delta("A"))
			wait(t.Context(), 10*time.Millisecond)
		}
		settle(t, c, prefix)
		most := 2 + int(time.Since(began)/interval)
		if got := len(emissions(t, c, prefix)); got > most {
			t.Errorf("got %d commits, want at most %d in %s", got, most, time.Since(began))
		}
	})
}
