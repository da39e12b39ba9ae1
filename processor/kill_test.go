package processor_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"stocksync/testenv"
	"stocksync/topics"
)

// startProcess starts the program as instance id, with a state directory of its own, which it returns too.
func startProcess(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, id string) (*testenv.Process, string) {
	t.Helper()
	dir := t.TempDir()
	return testenv.StartProcess(t, testenv.ProcessConfig{
		Args: []string{"processor"},
		Env: map[string]string{
			"KAFKA_BROKERS": strings.Join(c.Brokers, ","), "TOPIC_PREFIX": string(prefix), "INSTANCE_ID": id,
			"STATE_DIR": dir, "PROCESSOR_WORKERS": "2", "LOG_FORMAT": "text",
		},
	}), dir
}

// Ensure kill -9 at any moment loses nothing and applies nothing twice, with and without the state directory.
func TestKill_LosesNothingAndAppliesNothingTwice(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		const kills, events, rate = 10, 9000, 1500
		prefix := ensure(t, c, 6)
		random := rand.New(rand.NewPCG(5, 5))
		var processes []*testenv.Process
		var dirs []string
		for _, id := range []string{"one", "two"} {
			p, dir := startProcess(t, c, prefix, id)
			processes, dirs = append(processes, p), append(dirs, dir)
		}
		produced := make(chan []testenv.Ack, 1)
		go func() {
			w := testenv.NewWorkload(testenv.RealisticWorkload(5))
			done, err := testenv.Produce(t.Context(), c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: events, Rate: rate})
			if err != nil {
				t.Errorf("produce: %v", err)
			}
			produced <- done.Acks
		}()
		for n := range kills {
			pause(t, time.Duration(200+random.IntN(500))*time.Millisecond)
			i := random.IntN(len(processes))
			if err := processes[i].Kill(); err != nil {
				t.Fatal(err)
			}
			if n == kills/2 {
				if err := os.RemoveAll(dirs[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := processes[i].Restart(); err != nil {
				t.Fatal(err)
			}
		}
		acks := <-produced
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		for _, p := range processes {
			terminate(t, p)
		}
	})
}

// terminate asks a process to end and expects what is promised of that.
func terminate(t *testing.T, p *testenv.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if code, err := p.Terminate(ctx); code != 0 || err != nil {
		t.Errorf("SIGTERM: got %d, %v, want 0 within 15 s", code, err)
	}
}

// pause waits for a time that the test has drawn, not for a condition.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatal(ctx.Err())
	}
}
