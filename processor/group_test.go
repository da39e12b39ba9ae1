package processor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// shortSession is the shortest session timeout that a cluster takes.
func shortSession(c *testenv.Cluster) time.Duration {
	if c.Real() {
		return 6 * time.Second
	}
	return time.Second
}

// oneLane is the config of an instance with one lane and a network of its own.
func oneLane(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, id string) (processor.Config, *testenv.Wire) {
	t.Helper()
	cfg := config(t, c, prefix, id)
	wire := c.Wire()
	cfg.ClientOpts = append(cfg.ClientOpts, wire.Opt())
	cfg.Workers, cfg.SessionTimeout, cfg.Version = 1, shortSession(c), id
	return cfg, wire
}

// Ensure the answer to a commit may be lost, once or for good: what it committed is not folded again.
func TestGroup_LosesTheAnswerToACommit(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg, wire := oneLane(t, c, prefix, "one")
		cfg.ClientOpts = append(cfg.ClientOpts, kgo.RequestRetries(2))
		reg := prometheus.NewRegistry()
		cfg.Registry = reg
		start(t, cfg)
		w := testenv.NewWorkload(testenv.RealisticWorkload(11))
		acks := produce(t, c, prefix, w, 300)
		settle(t, c, prefix)
		for _, n := range []int{1, 4} { // the client asks three times
			lost := wire.LoseAnswers(kmsg.EndTxn, n)
			acks = append(acks, produce(t, c, prefix, w, 300)...)
			until(t, func(ctx context.Context) error { return lost.Wait(ctx, n) })
			settle(t, c, prefix)
		}
		check(t, c, prefix, acks)
		if got := metric(t, reg, "stocksync_processor_sessions_restarted_total", "", ""); got < 1 {
			t.Errorf("got %v sessions restarted, want one after an outcome that stayed unknown", got)
		}
	})
}

// Ensure a member that the group has given up cannot commit when it wakes, wherever in its transaction it
// fell asleep, and that its partitions are taken over within the time that is promised.
func TestGroup_RefusesTheCommitOfAZombie(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		for _, row := range []struct {
			name  string
			key   kmsg.Key
			first bool
		}{
			{"before its records are sent", kmsg.Produce, false},
			{"before its offsets are sent", kmsg.TxnOffsetCommit, false},
			{"before its commit is decided", kmsg.EndTxn, false},
			{"before its first record is sent, which polled nothing", kmsg.Produce, true}, // P3
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				zombie(t, c, row.key, row.first)
			})
		}
	})
}

func zombie(t *testing.T, c *testenv.Cluster, key kmsg.Key, first bool) {
	prefix := ensure(t, c, 2)
	cfg, wire := oneLane(t, c, prefix, "asleep")
	w := testenv.NewWorkload(testenv.RealisticWorkload(uint64(key)))
	var acks []testenv.Ack
	var held *testenv.Loss
	if first {
		held = wire.HoldRequest(key)
	}
	asleep := start(t, cfg)
	tasks(t, asleep.Processor, 2)
	if !first {
		acks = produce(t, c, prefix, w, 200)
		settle(t, c, prefix)
		held = wire.HoldRequest(key)
		acks = append(acks, produce(t, c, prefix, w, 200)...)
	}
	until(t, func(ctx context.Context) error { return held.Wait(ctx, 1) })
	wire.Stall()
	slept := time.Now()
	next, _ := oneLane(t, c, prefix, "awake")
	awake := start(t, next)
	tasks(t, awake.Processor, 2)
	if took, most := time.Since(slept), 7*time.Second+shortSession(c); took > most {
		t.Errorf("taken over after %s, want at most %s", took, most)
	}
	settle(t, c, prefix)
	before := lastRecords(t, c, prefix)
	held.Release()
	wire.Resume()
	tasks(t, asleep.Processor, 1) // it is a member again
	for p, r := range lastRecords(t, c, prefix) {
		if r.Counters != before[p].Counters {
			t.Errorf("task %d: got counters %+v after the zombie woke, want %+v", p, r.Counters, before[p].Counters)
		}
	}
	acks = append(acks, produce(t, c, prefix, w, 200)...)
	settle(t, c, prefix)
	check(t, c, prefix, acks)
}

// Ensure a member that never hears that the group has given it up cannot commit either, not even a first task
// record, for which it has polled nothing (P3).
func TestGroup_RefusesTheCommitOfADeafZombie(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg, wire := oneLane(t, c, prefix, "deaf")
	var hears atomic.Bool
	c.Fake.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake.KeepControl()
		req := r.(*kmsg.HeartbeatRequest)
		if hears.Load() || req.InstanceID == nil || *req.InstanceID != "deaf.0" {
			return nil, nil, false
		}
		return req.ResponseKind(), nil, true // all is well
	})
	held := wire.HoldRequest(kmsg.Produce)
	deaf := start(t, cfg)
	until(t, func(ctx context.Context) error { return held.Wait(ctx, 1) })
	next, _ := oneLane(t, c, prefix, "awake")
	awake := start(t, next)
	tasks(t, awake.Processor, 2)
	acks := produce(t, c, prefix, testenv.NewWorkload(testenv.RealisticWorkload(61)), 200)
	settle(t, c, prefix)
	held.Release()
	until(t, func(context.Context) error { // it has tried, and is told to start again
		for _, task := range deaf.Tasks() {
			if task.Counters.Consumed > 0 {
				return nil
			}
		}
		return errors.New("it has seen nothing of what was folded meanwhile")
	})
	check(t, c, prefix, acks)
	hears.Store(true)
	tasks(t, deaf.Processor, 1)
}

// lastRecords returns the newest task record of each partition.
func lastRecords(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) map[int32]*state.TaskRecord {
	t.Helper()
	last := map[int32]*state.TaskRecord{}
	for _, r := range read(t, c, prefix, topics.Changelog) {
		if !state.IsTaskKey(r.Key) {
			continue
		}
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		last[r.Partition] = record
	}
	return last
}

// Ensure what a member has folded of a partition and not committed goes when the partition goes (P2).
func TestGroup_ProducesNothingForALostPartition(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 4)
		cfg, _ := oneLane(t, c, prefix, "holds")
		cfg.CommitInterval = 2 * time.Second
		holds := start(t, cfg)
		tasks(t, holds.Processor, 4)
		w := testenv.NewWorkload(testenv.RealisticWorkload(21))
		acks := produce(t, c, prefix, w, 400) // into an overlay, for two seconds
		next, _ := oneLane(t, c, prefix, "takes")
		takes := start(t, next)
		tasks(t, takes.Processor, 2)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		taken := map[int32]bool{}
		for _, task := range takes.Tasks() {
			taken[task.Partition] = true
		}
		writer := map[int32]string{}
		for _, r := range read(t, c, prefix, topics.Changelog) {
			if !state.IsTaskKey(r.Key) || !taken[r.Partition] {
				continue
			}
			record, err := state.DecodeTaskRecord(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if writer[r.Partition] == "takes" && record.Writer != "takes" {
				t.Errorf("changelog/%d@%d: was written by %q, which had lost the partition",
					r.Partition, r.Offset, record.Writer)
			}
			writer[r.Partition] = record.Writer
		}
		for p := range taken {
			if writer[p] != "takes" {
				t.Errorf("task %d: was last written by %q, want its new owner", p, writer[p])
			}
		}
	})
}

// Ensure one record that the broker refuses takes the whole transaction with it.
func TestGroup_AbortsAllWhenOneRecordIsRefused(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		cfg, _ := oneLane(t, c, prefix, "one")
		reg := prometheus.NewRegistry()
		cfg.Registry = reg
		i := start(t, cfg)
		tasks(t, i.Processor, 2)
		w := testenv.NewWorkload(testenv.RealisticWorkload(31))
		acks := produce(t, c, prefix, w, 100)
		settle(t, c, prefix)
		visible := func() int {
			return len(read(t, c, prefix, topics.Changelog)) + len(read(t, c, prefix, topics.AvailabilityTopic)) +
				len(read(t, c, prefix, topics.DeadLetters))
		}
		before := visible()
		limitAvailability(t, c, prefix, "100")
		acks = append(acks, produce(t, c, prefix, w, 100)...)
		until(t, func(context.Context) error {
			if n := metric(t, reg, "stocksync_processor_transactions_total", "result", "aborted"); n < 2 {
				return fmt.Errorf("%v transactions are aborted", n)
			}
			return nil
		})
		if got := visible(); got != before {
			t.Errorf("got %d records visible, want %d as before", got, before)
		}
		limitAvailability(t, c, prefix, fmt.Sprint(topics.MaxOutputBytes))
		settle(t, c, prefix)
		check(t, c, prefix, acks)
	})
}

// limitAvailability sets the largest batch that the availability topic takes.
func limitAvailability(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, limit string) {
	t.Helper()
	done, err := kadm.NewClient(c.Client(t)).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, prefix.Name(topics.AvailabilityTopic))
	if err == nil {
		_, err = done.On(prefix.Name(topics.AvailabilityTopic), func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Ensure of two processes with one INSTANCE_ID one gives up and says why, and the stock is right all the same.
func TestGroup_EndsOneOfTwoProcessesWithOneInstanceID(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		w := testenv.NewWorkload(testenv.RealisticWorkload(41))
		ended := make(chan error, 2)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 2 {
			cfg := config(t, c, prefix, "twin-7")
			p, err := processor.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			go func() { ended <- p.Run(ctx) }()
		}
		more, stop := context.WithCancel(t.Context())
		produced := make(chan []testenv.Ack, 1)
		go func() {
			done, _ := testenv.Produce(more, c, w.Next, testenv.ProduceConfig{Prefix: prefix, Events: 1 << 20, Rate: 500})
			produced <- done.Acks
		}()
		var err error
		select {
		case err = <-ended:
		case <-time.After(patience):
		}
		if !errors.Is(err, processor.ErrFenced) || !strings.Contains(err.Error(), `INSTANCE_ID ("twin-7")`) {
			t.Errorf("got %v, want one to end with %v, naming twin-7", err, processor.ErrFenced)
		}
		stop()
		acks := <-produced
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the other: got %v, want it to go on until it is stopped", err)
		}
	})
}
