package processor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// doomed is a processor that dies at a point: from then on nothing it sends reaches a broker, and what its
// disk held is what its successor finds. Its code goes on, which is nobody's concern.
type doomed struct {
	*instance
	t    *testing.T
	wire *testenv.Wire
	runs chan struct{} // closed when instance is set
	disk *vfs.MemFS
	rng  *rand.Rand

	once sync.Once
	dead chan struct{}
	left *vfs.MemFS // what the disk held, some of what was not synced among it; set before dead is closed
}

// die cuts the wire and takes what is on the disk.
func (d *doomed) die() {
	d.once.Do(func() {
		d.wire.Cut()
		d.left = d.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * d.rng.IntN(3), RNG: d.rng})
		close(d.dead)
	})
}

// after returns a function that dies when it is called for the nth time.
func (d *doomed) after(n int) func() {
	var mu sync.Mutex
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			d.die()
		}
	}
}

func (d *doomed) waitDead() {
	d.t.Helper()
	select {
	case <-d.dead:
	case <-time.After(patience):
		d.t.Fatal("the point was not reached")
	}
}

// Writing the cache of decoded items is what makes a task flush; a small one does so in each commit or two.
const smallCache = 64 << 10

// startDoomed starts instance one with a disk and a network of its own. After its death its code takes
// some seconds to give up; all waits for that at the end.
func startDoomed(
	t, all *testing.T, c *testenv.Cluster, prefix topics.Prefix, seed uint64, arm func(*doomed, *processor.Config),
) *doomed {
	t.Helper()
	d := &doomed{
		t: t, wire: c.Wire(), disk: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 0)), dead: make(chan struct{}),
		runs: make(chan struct{}),
	}
	cfg := config(all, c, prefix, "one")
	cfg.ClientOpts = append(cfg.ClientOpts, d.wire.Opt())
	cfg.State.FS, cfg.State.CacheBytes = d.disk, smallCache
	arm(d, &cfg)
	d.instance = start(all, cfg)
	close(d.runs)
	return d
}

// deathPoints are the rows of the crash table, each with what makes an instance die there.
var deathPoints = []struct {
	name string
	arm  func(d *doomed, cfg *processor.Config)
}{
	{"before flush", atPoint("before flush")},
	{"after flush, before offsets", atPoint("after flush, before offsets")},
	{"after offsets, before EndTxn", func(d *doomed, _ *processor.Config) {
		d.atLoss(func() *testenv.Loss { return d.wire.HoldRequest(kmsg.EndTxn) })
	}},
	{"EndTxn sent, no answer", func(d *doomed, _ *processor.Config) {
		d.atLoss(func() *testenv.Loss { return d.wire.LoseAnswers(kmsg.EndTxn, -1) })
	}},
	{"EndTxn ok, before Pebble", atPoint("EndTxn ok, before Pebble")},
	{"half of Pebble's flush", func(d *doomed, cfg *processor.Config) {
		dies := d.after(1 + d.rng.IntN(8))
		cfg.State.FS = errorfs.Wrap(d.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") {
				dies()
			}
			return nil
		}))
	}},
	{"during restore", atPoint("during restore")},
	{"during revoke", func(d *doomed, cfg *processor.Config) {
		cfg.Workers = 1 // a second lane's arrival would be the first revocation
		atPoint("during revoke")(d, cfg)
	}},
}

// atPoint dies when a point is reached for the first to tenth time.
func atPoint(point string) func(*doomed, *processor.Config) {
	return func(d *doomed, cfg *processor.Config) {
		n := 1 + d.rng.IntN(10)
		if strings.HasPrefix(point, "during") {
			n = 1
		}
		dies := d.after(n)
		cfg.Crash = func(at string) {
			if at == point {
				dies()
			}
		}
	}
}

// atLoss makes a rule of the wire when some records are folded, and dies when it has hit.
func (d *doomed) atLoss(rule func() *testenv.Loss) {
	folded := int64(1 + d.rng.IntN(500))
	go func() {
		<-d.runs
		ctx, cancel := context.WithTimeout(d.t.Context(), patience)
		defer cancel()
		err := testenv.Until(ctx, time.Millisecond, func(context.Context) error {
			if n := counters(d.instance).Consumed; n < folded {
				return fmt.Errorf("%d of %d are folded", n, folded)
			}
			return nil
		})
		if err == nil {
			err = rule().Wait(ctx, 1)
		}
		if err != nil {
			d.t.Errorf("wait for the loss: %v", err)
		}
		d.die()
	}()
}

func TestDeath_LeavesWhatARefoldOfTheInputGives(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		all := t
		for i, p := range deathPoints {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				dieAndComeBack(t, all, c, p.name, uint64(i), p.arm)
			})
		}
	})
}

func dieAndComeBack(
	t, all *testing.T, c *testenv.Cluster, point string, seed uint64, arm func(*doomed, *processor.Config),
) {
	prefix := ensure(all, c, 6)
	w := testenv.NewWorkload(testenv.RealisticWorkload(seed))
	var acks []testenv.Ack
	switch point {
	case "during restore": // of what a predecessor has left
		i := start(t, config(t, c, prefix, "one"))
		acks = produce(t, c, prefix, w, 2000)
		settle(t, c, prefix)
		i.stop()
		if err := i.wait(); err != nil {
			t.Fatal(err)
		}
	case "during revoke": // of a member that does not lead the group
		startOneLane(t, c, prefix, "leader")
	}
	d := startDoomed(t, all, c, prefix, seed, arm)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	more := make(chan []testenv.Ack, 1)
	go func() {
		done, err := testenv.Produce(ctx, c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: 1 << 20, Rate: 3000})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("produce: %v", err)
		}
		more <- done.Acks
	}()
	if point == "during revoke" { // for a third one that joins
		until(t, func(context.Context) error {
			if n := len(d.Tasks()); n != 3 {
				return fmt.Errorf("it has %d tasks, want half of them", n)
			}
			return nil
		})
		startOneLane(t, c, prefix, "third")
	}
	d.waitDead()
	d.stop()
	cancel()
	acks = append(acks, <-more...)
	next := config(t, c, prefix, "one")
	if seed%2 == 0 { // else the disk is lost too
		next.State.FS = d.left
	}
	start(t, next)
	acks = append(acks, produce(t, c, prefix, w, 300)...)
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

func startOneLane(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, id string) {
	t.Helper()
	cfg := config(t, c, prefix, id)
	cfg.Workers = 1
	i := start(t, cfg)
	until(t, func(context.Context) error { return i.Ready() })
}
