package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// on returns the settings of a test for a cluster, under a prefix of its own.
func on(t *testing.T, c *testenv.Cluster) cli.Config {
	t.Helper()
	cfg := config(t)
	cfg.Kafka.Brokers, cfg.Kafka.Opts = c.Brokers, c.Opts
	cfg.TopicPrefix = string(c.Prefix(t))
	return cfg
}

// withTopics is on, with the topics made.
func withTopics(t *testing.T, c *testenv.Cluster) cli.Config {
	t.Helper()
	cfg := on(t, c)
	ensure(t, c, cfg)
	return cfg
}

// ensure makes the topics as the demo does: the embedded broker must not compact the changelog.
func ensure(t *testing.T, c *testenv.Cluster, cfg cli.Config) {
	t.Helper()
	_, err := topics.Ensure(t.Context(), kadm.NewClient(c.Client(t)), topics.EnsureConfig{
		Prefix: topics.Prefix(cfg.TopicPrefix), Partitions: cfg.Partitions, SinkPartitions: cfg.SinkPartitions,
		ReplicationFactor: -1, AllowDeleteChangelog: !c.Real(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// records reads a topic to its end, as the command under test left it.
func records(t *testing.T, c *testenv.Cluster, cfg cli.Config, base string) []*kgo.Record {
	t.Helper()
	topic := cfg.TopicPrefix + base
	ends, err := kadm.NewClient(c.Client(t)).ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl := c.Client(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	var all []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}

// produce writes records to a topic of the installation.
func produce(t *testing.T, c *testenv.Cluster, cfg cli.Config, base, key, value string) {
	t.Helper()
	r := &kgo.Record{Topic: cfg.TopicPrefix + base, Key: []byte(key), Value: []byte(value)}
	if err := c.Client(t).ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// decode reads the JSON that a command printed.
func decode[T any](t *testing.T, r result) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	return v
}

func TestTopics_EnsureCreatesAndDescribeAgrees(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := on(t, c)
	run(t, cfg, "topics", "describe").want(t, cli.ExitDifferent, "1:missing", "2:found different")
	run(t, cfg, "topics", "ensure").want(t, cli.ExitOK, "1:"+cfg.TopicPrefix+"mutations", "1:created")
	run(t, cfg, "topics", "ensure").want(t, cli.ExitOK, "1:there")
	run(t, cfg, "topics", "describe").want(t, cli.ExitOK, "1:compact")
	report := decode[topics.Report](t, run(t, cfg, "topics", "describe", "--json"))
	if got := report.Partitions(topics.Orders); got != cfg.Partitions {
		t.Errorf("orders has %d partitions, want %d", got, cfg.Partitions)
	}
}

func TestTopics_EnsureNamesWhatDiffers(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := on(t, c)
	_, err := kadm.NewClient(c.Client(t)).CreateTopic(t.Context(), 3, -1, nil, cfg.TopicPrefix+topics.AvailabilityTopic)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, cfg, "topics", "ensure")
	r.want(t, cli.ExitFailed, "2:"+cfg.TopicPrefix+"availability", "2:partitions", "2:3", "2:4")
}

func TestCommands_NameTheCommandThatCreatesMissingTopics(t *testing.T) {
	cfg := on(t, testenv.StartKfake(t))
	file := write(t, "a.csv", "line_id,sku\n1,A\n")
	for _, args := range [][]string{
		{"summary"}, {"explain", "A"}, {"resync", "A"}, {"nightly"}, {"load", "--topic", "mutations", file}, {"audit"},
	} {
		t.Run(args[0], func(t *testing.T) {
			run(t, cfg, args...).want(t, cli.ExitFailed, "2:topics ensure")
		})
	}
}

func TestCommands_FailWhenNoBrokerAnswers(t *testing.T) {
	for _, args := range [][]string{
		{"summary"}, {"explain", "A"}, {"resync", "A"}, {"nightly"}, {"topics", "ensure"}, {"audit"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			run(t, config(t), args...).want(t, cli.ExitFailed, "2:stocksync: ", "2:127.0.0.1:1")
		})
	}
}

func TestTopics_SchemaNeedsNoBroker(t *testing.T) {
	cfg := config(t)
	run(t, cfg, "topics", "schema").want(t, cli.ExitOK, "1:mutations", "1:Mutation", "1:audit")
	for _, d := range topics.Definitions() {
		if d.Base == topics.Changelog {
			continue
		}
		for _, name := range []string{d.Base, cfg.TopicPrefix + d.Base} {
			want, err := topics.Schema(d.Base)
			if err != nil {
				t.Fatal(err)
			}
			if r := run(t, cfg, "topics", "schema", name); r.code != cli.ExitOK || r.stdout != string(want) {
				t.Errorf("%s: exit code %d, %s%s", name, r.code, r.stdout, r.stderr)
			}
		}
	}
	listed := decode[[]struct{ Topic, Title string }](t, run(t, cfg, "topics", "schema", "--json"))
	if got, want := len(listed), len(topics.Definitions())-1; got != want || listed[0].Topic != topics.Mutations || listed[0].Title == "" {
		t.Errorf("got %v, want %d topics", listed, want)
	}
	run(t, cfg, "topics", "schema", topics.Changelog).want(t, cli.ExitUsage, "2:no schema of topic \"changelog\"")
	run(t, cfg, "topics", "schema", "bogus").want(t, cli.ExitUsage, "2:bogus", "2:topics schema")
}
