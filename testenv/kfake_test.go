package testenv_test

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
)

// makeTopic creates a topic of one partition and waits until it has a leader.
func makeTopic(t *testing.T, c *testenv.Cluster, name string, replicas int16) {
	t.Helper()
	adm := kadm.NewClient(c.Client(t))
	if _, err := adm.CreateTopic(limit(t), 1, replicas, nil, name); err != nil {
		t.Fatal(err)
	}
	err := testenv.Until(limit(t), 10*time.Millisecond, func(ctx context.Context) error {
		_, err := adm.ListEndOffsets(ctx, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// produce sends values and fails the test unless all are acknowledged.
func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(limit(t), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatalf("produce %s: %v", v, err)
		}
	}
}

// committed returns the values that a read_committed reader sees up to the present end.
func committed(t *testing.T, c *testenv.Cluster, topic string) []string {
	t.Helper()
	end, err := kadm.NewClient(c.Client(t)).ListCommittedOffsets(limit(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	stop, _ := end.Lookup(topic, 0)
	cl := c.Client(t,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	var values []string
	for at := int64(0); at < stop.Offset; {
		fs := cl.PollFetches(limit(t))
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
		})
	}
	return values
}

// transactionVersion returns the finalized level of transaction.version.
func transactionVersion(t *testing.T, c *testenv.Cluster) int16 {
	t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "testenv", "1"
	resp, err := req.RequestWith(limit(t), c.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel
		}
	}
	return -1
}

func TestKfake_ListensOnFreeLoopbackPorts(t *testing.T) {
	c := testenv.StartKfake(t, testenv.KfakeBrokers(3))
	if len(c.Brokers) != 3 || c.Real() || c.Killable() {
		t.Fatalf("got %+v, want three brokers of kfake", c)
	}
	for _, b := range c.Brokers {
		conn, err := net.Dial("tcp", b)
		if err != nil {
			t.Errorf("a child process cannot reach it: %v", err)
			continue
		}
		_ = conn.Close()
		if host, _, _ := net.SplitHostPort(b); host != "127.0.0.1" {
			t.Errorf("listens on %s, want loopback", b)
		}
	}
	if err := c.Kill(0); !errors.Is(err, testenv.ErrNotOurs) {
		t.Errorf("kill: got %v, want ErrNotOurs", err)
	}
}

func TestKfake_KeepsItsDataDirectory(t *testing.T) {
	dir := t.TempDir()
	first := testenv.StartKfake(t, func(c *testenv.KfakeConfig) { c.DataDir = dir })
	makeTopic(t, first, "kept", 1)
	produce(t, first.Client(t), "kept", "a", "b")
	if _, err := testenv.NewKfake(testenv.KfakeConfig{DataDir: dir}); err == nil {
		t.Error("a second cluster in the same directory: want an error")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := testenv.StartKfake(t, func(c *testenv.KfakeConfig) { c.DataDir = dir })
	produce(t, second.Client(t), "kept", "c")
	if got, want := committed(t, second, "kept"), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKfake_RunsInsideSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := testenv.NewKfake(testenv.KfakeConfig{Brokers: 3, Virtual: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		w := c.Wire()
		cl, err := c.NewClient(w.Opt(), kgo.AllowAutoTopicCreation())
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		adm := kadm.NewClient(cl)
		if _, err := adm.CreateTopic(t.Context(), 4, 3, nil, "x"); err != nil {
			t.Fatal(err)
		}
		w.Stall()
		start := time.Now()
		time.AfterFunc(5*time.Second, w.Resume)
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "x", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 10*time.Second {
			t.Errorf("a produce over a wire stalled for 5 s of virtual time took %s", took)
		}
	})
}

func TestKfake_HasItsFaultsFromTheStart(t *testing.T) {
	c := testenv.StartKfake(t, func(c *testenv.KfakeConfig) {
		c.Faults = []kfake.Fault{{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.PolicyViolation}}
	})
	adm := kadm.NewClient(c.Client(t))
	if _, err := adm.CreateTopic(limit(t), 1, 1, nil, "x"); err == nil {
		t.Error("create: want the fault")
	}
	if _, err := adm.CreateTopic(limit(t), 1, 1, nil, "x"); err != nil {
		t.Errorf("create again: got %v, want the fault used up", err)
	}
}

func TestPrefix_IsUniqueAndTakenByKafka(t *testing.T) {
	valid := regexp.MustCompile(`^[a-zA-Z0-9]+-[0-9a-f]{10}\.$`)
	long := "TestÜ/with spaces_and.dots/" + string(make([]byte, 300))
	a, b := testenv.UniquePrefix(long), testenv.UniquePrefix(long)
	if a == b {
		t.Errorf("got %s twice", a)
	}
	for _, p := range []string{string(a), string(b)} {
		if !valid.MatchString(p) || len(p) > 60 {
			t.Errorf("got %q, want %s", p, valid)
		}
	}
}
