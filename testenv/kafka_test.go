package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
)

// Ensure a node that is killed comes back on its port with what it had acknowledged.
func TestKafka_ComesBackAfterAKill(t *testing.T) {
	t.Parallel()
	testenv.KafkaNodes(t, 1, func(t *testing.T, c *testenv.Cluster) {
		topic := c.Prefix(t).Name("x")
		makeTopic(t, c, topic, 1)
		cl := c.Client(t)
		produce(t, cl, topic, "a")
		if err := c.Kill(0); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(limit(t), 0); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(limit(t), 0); err == nil {
			t.Error("restart of a running node: want an error")
		}
		produce(t, cl, topic, "b")
		if err := c.Stop(limit(t), 0); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(limit(t), 0); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, topic, "c")
		if got, want := committed(t, c, topic), []string{"a", "b", "c"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Ensure three nodes go on without any one of them, losing nothing that was acknowledged by two.
func TestKafka_GoesOnWithTwoOfThreeNodes(t *testing.T) {
	t.Parallel()
	testenv.KafkaNodes(t, 3, func(t *testing.T, c *testenv.Cluster) {
		topic := c.Prefix(t).Name("x")
		makeTopic(t, c, topic, 3)
		cl := c.Client(t, kgo.RequiredAcks(kgo.AllISRAcks()))
		produce(t, cl, topic, "a")
		want := []string{"a"}
		for node, value := range []string{"b", "c", "d"} {
			if err := c.Kill(node); err != nil {
				t.Fatal(err)
			}
			produce(t, cl, topic, value)
			want = append(want, value)
			if err := c.Restart(limit(t), node); err != nil {
				t.Fatal(err)
			}
			waitInSync(t, cl, topic, 3)
		}
		if got := committed(t, c, topic); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Ensure what KAFKA_BROKERS names is taken, and never killed.
func TestKafka_IsTheOneThatIsNamed(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "a.example:9092,b.example:9092")
	c := testenv.StartKafka(t, 3)
	if want := []string{"a.example:9092", "b.example:9092"}; !slices.Equal(c.Brokers, want) {
		t.Errorf("got %v, want %v", c.Brokers, want)
	}
	if err := c.Kill(0); !errors.Is(err, testenv.ErrNotOurs) {
		t.Errorf("kill: got %v, want ErrNotOurs", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Ensure nothing is left in the temporary directory after Close.
func TestKafka_RemovesWhatItKept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	testenv.KafkaNodes(t, 1, func(t *testing.T, c *testenv.Cluster) {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(os.TempDir())
		if err != nil || len(left) > 0 {
			t.Errorf("got %v, %v, want nothing left", left, err)
		}
	})
}

func TestKafka_RefusesOddClusters(t *testing.T) {
	for _, n := range []int{-1, 0, 2, 4} {
		if _, err := testenv.NewKafka(t.Context(), n); err == nil {
			t.Errorf("%d nodes: want an error", n)
		}
	}
}

// waitInSync waits until a topic's partition has so many replicas in sync.
func waitInSync(t *testing.T, cl *kgo.Client, topic string, want int) {
	t.Helper()
	adm := kadm.NewClient(cl)
	err := testenv.Until(limit(t), 50*time.Millisecond, func(ctx context.Context) error {
		meta, err := adm.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		if got := len(meta[topic].Partitions[0].ISR); got < want {
			return fmt.Errorf("%d replicas in sync of %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
