package topics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
	"stocksync/topics"
)

// admin returns a client of the cluster.
func admin(t *testing.T, c *testenv.Cluster) *kadm.Client {
	t.Helper()
	return kadm.NewClient(c.Client(t))
}

// limit bounds what a test waits for.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// create makes a topic as somebody else would, and waits until the broker knows it.
func create(t *testing.T, a *kadm.Client, name string, partitions int32, settings map[string]string) {
	t.Helper()
	configs := map[string]*string{}
	for setting, value := range settings {
		configs[setting] = &value
	}
	if _, err := a.CreateTopic(limit(t), partitions, 1, configs, name); err != nil {
		t.Fatal(err)
	}
	err := testenv.Until(limit(t), 10*time.Millisecond, func(ctx context.Context) error {
		details, err := a.ListTopics(ctx, name)
		if err == nil && len(details[name].Partitions) != int(partitions) {
			err = fmt.Errorf("%s has %d partitions", name, len(details[name].Partitions))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnsure_MakesEveryTopicAsDefined(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		a := admin(t, c)
		config := topics.EnsureConfig{Prefix: c.Prefix(t), Partitions: 3, SinkPartitions: 2, ReplicationFactor: 1}
		missing, err := topics.Describe(limit(t), a, config.Prefix)
		if err != nil || len(missing.Findings) != len(topics.Definitions()) || !errors.Is(missing.Err(), topics.ErrTopics) {
			t.Fatalf("before: got %v, %v", missing.Findings, err)
		}
		made, err := topics.Ensure(limit(t), a, config)
		if err != nil {
			t.Fatal(err)
		}
		want := map[topics.PartitionClass]int32{topics.PartitionsSKU: 3, topics.PartitionsSink: 2, topics.PartitionsOne: 1}
		for _, d := range topics.Definitions() {
			got, ok := made.Topic(d.Base)
			if !ok || !got.Created || got.Name != config.Prefix.Name(d.Base) || got.ID == "" || got.Replicas != 1 || len(got.Leaderless) > 0 {
				t.Errorf("%s: got %+v, %v", d.Base, got, ok)
			}
			if got.Partitions != want[d.Partitions] {
				t.Errorf("%s: got %d partitions, want %s = %d", d.Base, got.Partitions, d.Partitions, want[d.Partitions])
			}
			for name, value := range topics.WantedSettings(&d, false) {
				if got.Settings[name] != value {
					t.Errorf("%s: got %s=%s, want %s", d.Base, name, got.Settings[name], value)
				}
			}
		}
		wantOnlyReplicas(t, made.Findings)

		again, err := topics.Ensure(limit(t), a, topics.EnsureConfig{Prefix: config.Prefix, Partitions: 30, SinkPartitions: 2})
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		for i := range again.Topics {
			was, is := made.Topics[i], again.Topics[i]
			if is.Created || is.ID != was.ID || is.Partitions != was.Partitions || !maps.Equal(is.Settings, was.Settings) {
				t.Errorf("the second time: got %+v, want %+v", is, was)
			}
		}
		described, err := topics.Describe(limit(t), a, config.Prefix)
		if err != nil || described.Err() != nil {
			t.Errorf("described: got %v, %v", described.Findings, err)
		}
		wantOnlyReplicas(t, described.Findings)
	})
}

// wantOnlyReplicas fails the test unless the findings are those of one replica.
func wantOnlyReplicas(t *testing.T, findings []topics.Finding) {
	t.Helper()
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprint(f.Level, " ", f.Setting, " ", f.Found))
	}
	if want := []string{"warning replicas 1", "warning replicas 1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want availability and changelog with one replica", findings)
	}
}

func TestEnsure_NamesWhatDiffersAndLeavesItAlone(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		a, prefix := admin(t, c), c.Prefix(t)
		other := map[string]map[string]string{
			topics.Mutations: {"message.timestamp.type": "CreateTime", "max.message.bytes": "2097152"},
			topics.Orders:    {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "2097152"},
			topics.Changelog: {"cleanup.policy": "delete", "retention.ms": "3600000", "max.message.bytes": "1048588"},
			topics.Stores:    {"cleanup.policy": "compact", "delete.retention.ms": "60000"},
			topics.AuditTopic: {
				"retention.ms": "60000",
			},
		}
		partitions := map[string]int32{topics.Mutations: 4, topics.Orders: 3, topics.Changelog: 5, topics.Stores: 1, topics.AuditTopic: 1}
		for base, settings := range other {
			create(t, a, prefix.Name(base), partitions[base], settings)
		}
		log := &logged{}
		report, err := topics.Ensure(limit(t), a, topics.EnsureConfig{
			Prefix: prefix, Partitions: 16, SinkPartitions: 2, ReplicationFactor: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		if !errors.Is(err, topics.ErrTopics) {
			t.Fatalf("got %v, want ErrTopics", err)
		}
		name := prefix.Name
		for _, line := range []string{
			"topic " + name(topics.Mutations) + ": message.timestamp.type is CreateTime, wanted LogAppendTime",
			"topic " + name(topics.Orders) + ": partitions is 3, wanted 4",
			"topic " + name(topics.Changelog) + ": cleanup.policy is delete, wanted compact",
			"topic " + name(topics.Changelog) + ": max.message.bytes is 1048588, wanted 8388608",
			"topic " + name(topics.Stores) + ": delete.retention.ms is 60000, wanted 604800000",
		} {
			if !strings.Contains(err.Error(), line) {
				t.Errorf("the error lacks %q:\n%v", line, err)
			}
		}
		for _, text := range []string{
			"topic=" + name(topics.Changelog), "finding.setting=partitions", "finding.found=5 finding.wanted=4",
			"topic=" + name(topics.Stores), "finding.found=1 finding.wanted=2",
			"topic=" + name(topics.AuditTopic), "finding.setting=retention.ms",
		} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("the log lacks %q:\n%s", text, log)
			}
		}
		for base, settings := range other {
			got, _ := report.Topic(base)
			if got.Created || got.Partitions != partitions[base] {
				t.Errorf("%s: got %+v, want it as it was", base, got)
			}
			for setting, value := range settings {
				if got.Settings[setting] != value {
					t.Errorf("%s: %s was changed to %s", base, setting, got.Settings[setting])
				}
			}
		}
		// What was missing is there now, as wide as mutations is and not as configured.
		if got := report.Partitions(topics.AvailabilityTopic); got != 4 {
			t.Errorf("availability has %d partitions, want the 4 of mutations", got)
		}
	})
}

// logged is what was logged.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestEnsure_GuardsTopicsOfThreeReplicas(t *testing.T) {
	guarded := func(t *testing.T, c *testenv.Cluster) {
		a := admin(t, c)
		config := topics.EnsureConfig{Prefix: c.Prefix(t), Partitions: 1, SinkPartitions: 1, ReplicationFactor: 3}
		// Topics that are there already get their guards, and keep what is stronger.
		for base, minISR := range map[string]string{topics.Changelog: "3", topics.AvailabilityTopic: "1"} {
			settings := map[string]*string{"min.insync.replicas": &minISR, "unclean.leader.election.enable": new("true")}
			for _, d := range topics.Definitions() {
				if d.Base == base {
					for name, value := range topics.WantedSettings(&d, false) {
						settings[name] = &value
					}
				}
			}
			if _, err := a.CreateTopic(limit(t), 1, 3, settings, config.Prefix.Name(base)); err != nil {
				t.Fatal(err)
			}
		}
		report, err := topics.Ensure(limit(t), a, config)
		if err != nil || len(report.Findings) > 0 {
			t.Fatalf("got %v, %v", report.Findings, err)
		}
		for _, d := range topics.Definitions() {
			got, _ := report.Topic(d.Base)
			if got.Replicas != 3 {
				t.Errorf("%s: got %d replicas, want 3", d.Base, got.Replicas)
			}
			want := map[string]string{topics.Changelog: "3", topics.AvailabilityTopic: "2"}[d.Base]
			if d.Guarded && (got.Settings["min.insync.replicas"] != want || got.Settings["unclean.leader.election.enable"] != "false") {
				t.Errorf("%s: got %v, want min.insync.replicas %s", d.Base, got.Settings, want)
			}
			if !d.Guarded && !c.Real() && got.Settings["min.insync.replicas"] != "1" { // a real broker has a default of its own
				t.Errorf("%s is guarded: it has %v", d.Base, got.Settings)
			}
		}
	}
	t.Run("kfake", func(t *testing.T) { guarded(t, testenv.StartKfake(t, testenv.KfakeBrokers(3))) })
	testenv.KafkaNodes(t, 3, guarded)
}

func TestEnsure_GuardsNothingBelowThreeReplicas(t *testing.T) {
	c := testenv.StartKfake(t, testenv.KfakeBrokers(3))
	for replicas := range int16(3) {
		config := topics.EnsureConfig{Prefix: c.Prefix(t), Partitions: 1, SinkPartitions: 1, ReplicationFactor: replicas}
		report, err := topics.Ensure(limit(t), admin(t, c), config)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := report.Topic(topics.Changelog)
		want := "1"
		if replicas == 0 { // the broker's choice, which is three here
			want = "2"
		}
		if got.Settings["min.insync.replicas"] != want {
			t.Errorf("with %d replicas: got min.insync.replicas %s, want %s", got.Replicas, got.Settings["min.insync.replicas"], want)
		}
	}
}

func TestEnsure_AllowsADeletedChangelogOnlyWhenTold(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		a := admin(t, c)
		config := topics.EnsureConfig{Prefix: c.Prefix(t), Partitions: 1, SinkPartitions: 1, ReplicationFactor: 1, AllowDeleteChangelog: true}
		report, err := topics.Ensure(limit(t), a, config)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := report.Topic(topics.Changelog)
		for setting, want := range map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"} {
			if got.Settings[setting] != want {
				t.Errorf("got %s=%s, want %s", setting, got.Settings[setting], want)
			}
		}
		config.AllowDeleteChangelog = false
		if _, err := topics.Ensure(limit(t), a, config); !errors.Is(err, topics.ErrTopics) || !strings.Contains(err.Error(), "cleanup.policy is delete, wanted compact") {
			t.Errorf("not told: got %v", err)
		}
		if report, err := topics.Describe(limit(t), a, config.Prefix); err != nil || report.Err() == nil {
			t.Errorf("described: got %v, %v", report.Err(), err)
		}
	})
}

func TestEnsure_MayRunInSeveralPlacesAtOnce(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		config := topics.EnsureConfig{Prefix: c.Prefix(t), Partitions: 2, SinkPartitions: 2, ReplicationFactor: 1}
		const places = 4
		made := make(chan int, places)
		for range places {
			a := admin(t, c)
			go func() {
				report, err := topics.Ensure(limit(t), a, config)
				if err != nil {
					t.Error(err)
				}
				n := 0
				for _, topic := range report.Topics {
					if topic.Created {
						n++
					}
				}
				made <- n
			}()
		}
		sum := 0
		for range places {
			sum += <-made
		}
		if want := len(topics.Definitions()); sum != want {
			t.Errorf("got %d topics made in all, want each of %d once", sum, want)
		}
	})
}

func TestEnsure_SaysWhatTheBrokerSaid(t *testing.T) {
	c := testenv.StartKfake(t)
	config := topics.EnsureConfig{Prefix: c.Prefix(t), ReplicationFactor: 7}
	if _, err := topics.Ensure(limit(t), admin(t, c), config); !errors.Is(err, kerr.InvalidReplicationFactor) ||
		!strings.Contains(err.Error(), "ensure topics: create "+config.Prefix.Name(topics.Mutations)) {
		t.Errorf("got %v, want InvalidReplicationFactor with the topic", err)
	}
	refuse(c.Fake)
	for what, err := range map[string]error{
		"ensure topics: list":   second(topics.Ensure(limit(t), admin(t, c), config)),
		"describe topics: list": second(topics.Describe(limit(t), admin(t, c), config.Prefix)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("got %v, want %s...", err, what)
		}
	}
}

// refuse makes the cluster answer who asks for topics with an authorization error for each.
func refuse(c *kfake.Cluster) {
	answerTopics(c, func(topic *kmsg.MetadataResponseTopic) { topic.ErrorCode = kerr.TopicAuthorizationFailed.Code })
}

// answerTopics makes the cluster answer who asks for topics with what say makes of each.
func answerTopics(c *kfake.Cluster, say func(*kmsg.MetadataResponseTopic)) {
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		m := req.(*kmsg.MetadataRequest)
		if len(m.Topics) == 0 {
			return nil, nil, false
		}
		resp := m.ResponseKind().(*kmsg.MetadataResponse)
		for _, asked := range m.Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = asked.Topic
			say(&topic)
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

func second[T any](_ T, err error) error { return err }

func TestEnsure_WaitsForLeadersUntilItsContextEnds(t *testing.T) {
	c := testenv.StartKfake(t)
	ctx, cancel := context.WithCancelCause(limit(t))
	enough := errors.New("enough")
	var asked atomic.Int32
	answerTopics(c.Fake, func(topic *kmsg.MetadataResponseTopic) {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Leader = -1
		topic.Partitions = append(topic.Partitions, p)
		if strings.HasSuffix(*topic.Topic, "."+topics.Mutations) && asked.Add(1) == 3 {
			cancel(enough)
		}
	})
	prefix := c.Prefix(t)
	_, err := topics.Ensure(ctx, admin(t, c), topics.EnsureConfig{Prefix: prefix})
	if !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cause", err)
	}
	if asked.Load() < 3 {
		t.Errorf("it asked %d times for leaders, and ended with %v", asked.Load(), err)
	}
}
