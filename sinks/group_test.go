package sinks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/testenv"
	"stocksync/topics"
)

// marks returns the notes that owners have left beside the partitions of `stores`: "held released held none".
func (w *world) marks() string {
	w.Helper()
	list, err := kadm.NewClient(w.out).FetchOffsets(w.limit(), string(w.prefix)+"sinks")
	if err != nil {
		w.Fatal(err)
	}
	var words []string
	for p := range int32(4) {
		o, ok := list.Lookup(w.prefix.Name(topics.Stores), p)
		word := "none"
		if ok && o.At >= 0 {
			word, _, _ = strings.Cut(o.Metadata, " ")
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// TestGroup_OwnersLeaveMarks ensures that a successor can tell a clean end from a crash.
func TestGroup_OwnersLeaveMarks(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		real(t, c, testenv.SandboxConfig{}, func(w *world) {
			w.store("s")
			one := w.start("one")
			w.stock("A=5")
			w.settled()
			if got := w.marks(); got != "held held held held" {
				t.Errorf("at work: got %s", got)
			}
			one.stop()
			if got := w.marks(); got != "released released released released" {
				t.Errorf("after a stop: got %s", got)
			}
			began := time.Now()
			one.again()
			w.stock("A=4")
			w.settled()
			if took := time.Since(began); took > requestTimeout {
				t.Errorf("took %s after a clean end, want no wait", took)
			}
		})
	})
}

func TestGroup_ACrashLeavesTheMarkOfAnOwner(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5")
		w.settled()
		one.crash()
		w.pass(time.Minute)
		if got := w.marks(); got != "held held held held" {
			t.Errorf("got %s", got)
		}
		began := time.Now()
		w.start("two")
		w.stock("A=4")
		w.settled()
		if took := time.Since(began); took < requestTimeout || took > 2*requestTimeout {
			t.Errorf("took %s although nobody knows when the crash was, want a request timeout", took)
		}
		if got := w.marks(); got != "held held held held" {
			t.Errorf("got %s", got)
		}
	})
}

// TestGroup_AStopWaitsForNoMember ensures that an instance ends in order while it joins, which lasts as long as the
// group believes in a member that is dead; and that nobody has to wait for the one that has ended.
func TestGroup_AStopWaitsForNoMember(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5")
		w.settled()
		one.crash()
		two := w.start("two")
		w.pass(time.Second)
		began := time.Now()
		two.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop took %s", took)
		}
		w.pass(time.Second)
		group := string(w.prefix) + "sinks"
		described, err := kadm.NewClient(w.out).DescribeGroups(w.limit(), group)
		if err != nil {
			t.Fatal(err)
		}
		if got := described[group].Members; len(got) > 1 {
			t.Errorf("members: got %v, want at most the dead one", got)
		}
	})
}
