package processor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/testenv"
	"stocksync/topics"
)

// The crash table on a real broker, with processes that kill themselves: `make crash`. Without
// STOCKSYNC_CRASH_KILLS, the number of seeds a row, there is no subtest.
func TestCrashKafka_AtEveryRowOfTheTable(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("STOCKSYNC_CRASH_KILLS"))
	if err != nil {
		return
	}
	testenv.KafkaOnly(t, func(t *testing.T, c *testenv.Cluster) {
		for _, row := range []string{
			rowBeforeFlush, rowBeforeOffsets, rowAfterOffsets, rowNoAnswer, afterCommit, rowHalfFlush, rowRestore, rowRevoke,
			inTheRun,
		} {
			for seed := range seeds {
				t.Run(fmt.Sprintf("%s/seed %d", row, seed+1), func(t *testing.T) {
					killAtRow(t, c, row, rand.New(rand.NewPCG(uint64(seed+1), 0)))
				})
			}
		}
	})
}

// killAtRow lets a processor die at a row under load, starts it again and checks what came of it.
func killAtRow(t *testing.T, c *testenv.Cluster, row string, rng *rand.Rand) {
	t.Helper()
	child := crashChild{Brokers: c.Brokers, Prefix: ensure(t, c, 4), ID: "one", Dir: t.TempDir()}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	w := testenv.NewWorkload(testenv.RealisticWorkload(rng.Uint64()))
	if row == rowRestore { // there must be something to restore
		first := startChild(t, child)
		produce(t, c, child.Prefix, w, 500)
		settle(t, c, child.Prefix)
		if code, err := first.Terminate(ctx); err != nil || code != 0 {
			t.Fatalf("stop before the restore: code %d, %v", code, err)
		}
		child.Dir = t.TempDir()
	}
	doomed := child
	doomed.Row = row
	if row != rowRestore && row != rowRevoke {
		doomed.Passage = rng.Int64N(20)
	}
	var acks []testenv.Ack
	var producing sync.WaitGroup
	producing.Go(func() {
		done, err := testenv.Produce(ctx, c, w.Next, testenv.ProduceConfig{Prefix: child.Prefix, Events: 3000, Rate: 500})
		if err != nil {
			t.Errorf("produce: %v", err)
			return
		}
		acks = done.Acks
	})
	one := startChild(t, doomed)
	two := child
	two.ID, two.Dir = "two", t.TempDir()
	then := func() {}
	switch row {
	case rowRevoke:
		waitFolding(ctx, t, c, child.Prefix)
		startChild(t, two)
	case inTheRun:
		waitFolding(ctx, t, c, child.Prefix)
		then = askNight(t, c, child.Prefix, 4)
	}
	if code, err := one.Wait(ctx); err != nil || code != -1 {
		t.Fatalf("%q was not reached: exit code %d, %v\n%s", row, code, err, one.Log())
	}
	again := startChild(t, child)
	producing.Wait()
	settle(t, c, child.Prefix)
	then()
	if code, err := again.Terminate(ctx); err != nil || code != 0 {
		t.Fatalf("stop: code %d, %v", code, err)
	}
	check(t, c, child.Prefix, acks)
}

// startChild runs the test binary as a processor.
func startChild(t *testing.T, c crashChild) *testenv.Process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return testenv.StartProcess(t, testenv.ProcessConfig{Binary: self, Env: map[string]string{crashChildVar: string(text)}})
}

// waitFolding waits until a processor has written availability.
func waitFolding(ctx context.Context, t *testing.T, c *testenv.Cluster, prefix topics.Prefix) {
	t.Helper()
	adm := kadm.NewClient(c.Client(t))
	err := testenv.Until(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		ends, err := adm.ListCommittedOffsets(ctx, prefix.Name(topics.AvailabilityTopic))
		if err != nil {
			return err
		}
		for p := range int32(4) {
			if end, ok := ends.Lookup(prefix.Name(topics.AvailabilityTopic), p); !ok || end.Offset == 0 {
				return fmt.Errorf("partition %d has no availability", p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
