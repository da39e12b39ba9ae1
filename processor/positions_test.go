package processor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestPositions_AreShownBesideARunningInstance(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		i := s.start()
		s.halts(i, "")
		s.sendTo(1, 2)
		settle(t, c, s.prefix)
		list, err := i.ShowPositions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for p, at := range list {
			n := int64(s.sent[p] / topics.One)
			want := processor.Positions{
				Partition: int32(p), HasRecord: true, Partitions: siteTasks,
				Next:     map[string]int64{topics.Mutations: n, topics.Orders: 0, topics.Commands: 0},
				Start:    map[string]int64{topics.Mutations: 0, topics.Orders: 0, topics.Commands: 0},
				End:      map[string]int64{topics.Mutations: n, topics.Orders: 0, topics.Commands: 0},
				Counters: state.Counters{Consumed: n, Applied: n},
			}
			if got, want := fmt.Sprint(at), fmt.Sprint(want); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if len(list) != siteTasks {
			t.Errorf("got %d, want %d", len(list), siteTasks)
		}
		s.goesOn() // to show is not to disturb
	})
}

func TestPositions_AreNotSetWhileTheGroupRuns(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		i := s.start()
		s.halts(i, "")
		err := i.SetPositions(t.Context(), 0, map[string]int64{topics.Mutations: -1})
		if !errors.Is(err, processor.ErrRunning) || !strings.Contains(err.Error(), "one.0") {
			t.Errorf("got %v, want %v, naming the member", err, processor.ErrRunning)
		}
		s.goesOn()
	})
}

func TestPositions_RefuseWhatIsNotThere(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.sendTo(0, 4)
		s.deleteUpTo(topics.Mutations, 2)
		p, err := processor.New(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			partition int32
			input     string
			offset    int64
			says      string
		}{
			{-1, topics.Mutations, 0, "partition -1, there are 3"},
			{3, topics.Mutations, 0, "partition 3, there are 3"},
			{0, topics.AvailabilityTopic, 0, `input ["availability"]`},
			{0, topics.Mutations, 1, "mutations partition 0 offset 1, the log goes from 2 to 5"},
			{0, topics.Mutations, 6, "mutations partition 0 offset 6, the log goes from 2 to 5"},
			{0, topics.Mutations, -3, "mutations partition 0 offset -3"},
			{0, topics.Orders, 1, "orders partition 0 offset 1, the log goes from 0 to 0"},
		} {
			err := p.SetPositions(t.Context(), row.partition, map[string]int64{row.input: row.offset})
			if !errors.Is(err, processor.ErrPosition) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%+v: got %v, want %v", row, err, processor.ErrPosition)
			}
		}
	})
}

// Ensure records that are passed over are not folded, and records read again are not folded twice.
func TestPositions_AreWhereTheTaskGoesOn(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.sendTo(0, 3)
		folded := func(input map[string]int64, want int64, counters state.Counters) {
			t.Helper()
			s.set(input, 0)
			i := s.start()
			s.halts(i, "")
			settle(t, c, s.prefix)
			if got := s.actual()[0]; got != topics.Quantity(want)*topics.One {
				t.Errorf("set %v: actual: got %s, want %d", input, got, want)
			}
			if got := lastRecords(t, c, s.prefix)[0].Counters; got != counters {
				t.Errorf("set %v: counters: got %+v, want %+v", input, got, counters)
			}
			s.end(i)
		}
		folded(map[string]int64{topics.Mutations: 3}, 2, state.Counters{Consumed: 2, Applied: 2})
		folded(map[string]int64{topics.Orders: -2}, 2, state.Counters{Consumed: 2, Applied: 2})
		folded(map[string]int64{topics.Mutations: -1}, 4, state.Counters{Consumed: 6, Applied: 4, Duplicate: 2})
		s.sendTo(0, 1)
		folded(map[string]int64{topics.Mutations: -2, topics.Orders: 0}, 4, state.Counters{Consumed: 6, Applied: 4, Duplicate: 2})
	})
}

// Ensure positions that a person cannot set to are no reason to give up: what fails leaves nothing behind.
func TestPositions_ChangeNothingWhenTheyFail(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		before := len(read(t, c, s.prefix, topics.Changelog))
		wire := c.Wire()
		s.cfg.ClientOpts = append(s.cfg.ClientOpts, wire.Opt())
		p, err := processor.New(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		wire.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), shortSession(c)/2)
		defer cancel()
		if err := p.SetPositions(ctx, 0, map[string]int64{topics.Mutations: -1}); !errors.Is(err, processor.ErrBroker) {
			t.Errorf("got %v, want %v", err, processor.ErrBroker)
		}
		if got := len(read(t, c, s.prefix, topics.Changelog)); got != before {
			t.Errorf("got %d records in the changelog, want %d as before", got, before)
		}
	})
}
