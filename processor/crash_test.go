//go:build synctests

package processor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
)

// The crash table of the package's doc comment, row by row: a member dies at the row's point, at a random one of its
// passages, and comes back on what its disk kept. Afterwards all must be as if it had not died. The counter shows
// that the point was reached.
func TestCrash_AtEveryRowOfTheTable(t *testing.T) {
	seeds := simNumber(t, "STOCKSYNC_CRASH_SEEDS", 2)
	var ran, reached [len(crashRows)]atomic.Int64 // fewer than all run when a person picks some
	t.Run("rows", func(t *testing.T) {
		for i, row := range crashRows {
			for seed := range seeds {
				t.Run(fmt.Sprintf("%s/seed %d", row.name, seed+1), func(t *testing.T) {
					t.Parallel()
					ran[i].Add(1)
					synctest.Test(t, func(t *testing.T) {
						newCrash(t, uint64(seed+1)).run(row)
						if !t.Failed() {
							reached[i].Add(1)
						}
					})
				})
			}
		}
	})
	for i, row := range crashRows {
		if got, want := reached[i].Load(), ran[i].Load(); got != want {
			t.Errorf("%q was reached and survived in %d of %d runs", row.name, got, want)
		} else {
			t.Logf("%-32s reached %d times", row.name, got)
		}
	}
}

// crashRow is a row of the crash table: arm sees to it that the member dies there. When it has come back, then
// says what else must hold; nil: nothing.
type crashRow struct {
	name string
	arm  func(c *crash, m *simMember) (then func())
}

var crashRows = [...]crashRow{
	{rowBeforeFlush, (*crash).armHook},
	{rowBeforeOffsets, (*crash).armHook},
	{rowAfterOffsets, func(c *crash, m *simMember) func() {
		return c.armLoss(m, m.wire.LoseRequests(kmsg.EndTxn, 1))
	}},
	{rowNoAnswer, func(c *crash, m *simMember) func() {
		return c.armLoss(m, m.wire.LoseAnswers(kmsg.EndTxn, 1))
	}},
	{afterCommit, (*crash).armHook},
	{rowHalfFlush, (*crash).armFlush},
	{rowRestore, func(c *crash, m *simMember) func() {
		c.kill(m)
		m.disk = vfs.NewCrashableMem() // all of the changelog is to be restored
		c.armHook(m)
		c.start(m)
		return nil
	}},
	{rowRevoke, func(c *crash, m *simMember) func() {
		c.armHook(m)
		c.start(c.members[1])
		return nil
	}},
	{inTheRun, (*crash).armNight},
}

const (
	crashLoad = 30 * time.Second // of events, ten a second
	crashTick = 100 * time.Millisecond
)

// crash is one run of one row. It is a simulation in which one thing breaks.
type crash struct {
	*sim
	row  string
	dead chan struct{} // closed when the member has died at its point
	once sync.Once
}

func newCrash(t *testing.T, seed uint64) *crash {
	t.Helper()
	c := &crash{sim: newSim(t, seed, &simTotal{faults: map[string]int{}}), dead: make(chan struct{})}
	c.nightlyRate, c.cacheBytes = crashNightlyRate, int64(seed%2*smallCache)+1 // 1: each commit is written
	return c
}

func (c *crash) run(row crashRow) {
	c.row = row.name
	m := c.members[0]
	c.start(m)
	ctx, stop := context.WithTimeout(context.WithoutCancel(c.t.Context()), crashLoad)
	defer stop()
	var producing sync.WaitGroup
	producing.Go(func() { c.produce(ctx, crashTick) })
	c.pass(time.Second + c.seconds(15))
	then := row.arm(c, m)
	select {
	case <-c.dead:
	case <-time.After(time.Minute):
		c.t.Errorf("%q is not reached", row.name)
		c.kill(m)
	}
	c.pass(c.seconds(15))
	m.hook.Store(nil)
	c.start(m)
	producing.Wait()
	c.heal()
	c.check()
	if then != nil {
		then()
	}
	c.close()
}

// die kills the member from a goroutine of its own.
func (c *crash) die(m *simMember, rng *rand.Rand) {
	c.once.Do(func() {
		c.killWith(m, rng)
		close(c.dead)
	})
}

// armHook lets the member die at the row's point of the code, some passages from now.
func (c *crash) armHook(m *simMember) func() {
	var left atomic.Int64
	left.Store(c.rng.Int64N(passages(c.row)))
	rng := rand.New(rand.NewPCG(c.seed, 1))
	hook := func(point string) {
		if point == c.row && left.Add(-1) == -1 {
			c.die(m, rng)
		}
	}
	m.hook.Store(&hook)
	return nil
}

// armNight lets the member die in the run that it is asked for.
func (c *crash) armNight(m *simMember) func() {
	c.pass(10 * time.Second) // until there is enough to emit
	c.armHook(m)
	return askNight(c.t, c.cluster, c.prefix, simPartitions)
}

// passages is how often a run of the row is sure to come to its point.
func passages(row string) int64 {
	switch row {
	case rowRestore, rowRevoke:
		return 1
	case inTheRun:
		return 10
	}
	return 30
}

// armLoss lets the member die when the wire loses something.
func (c *crash) armLoss(m *simMember, loss *testenv.Loss) func() {
	rng := rand.New(rand.NewPCG(c.seed, 1))
	c.dying.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), time.Minute)
		defer cancel()
		if loss.Wait(ctx, 1) == nil {
			c.die(m, rng)
		}
	})
	return nil
}

// armFlush lets the member die at one of the file operations of the flush that ends it in order.
func (c *crash) armFlush(m *simMember) func() {
	crashed := m.crashed
	m.ops.Store(c.rng.Int64N(2))
	m.cancel()
	select {
	case <-crashed:
		c.die(m, c.rng)
	case <-m.done:
	}
	return nil
}
