package processor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// site is an installation of three partitions with some stock in each, and instance one, which is stopped.
type site struct {
	t      *testing.T
	c      *testenv.Cluster
	prefix topics.Prefix
	cfg    processor.Config
	up     *upstream
	admin  *kadm.Client
	sent   [siteTasks]topics.Quantity // to each partition's SKU, and not lost
}

const siteTasks = 3

func newSite(t *testing.T, c *testenv.Cluster) *site {
	t.Helper()
	s := &site{t: t, c: c, prefix: ensure(t, c, siteTasks), admin: kadm.NewClient(c.Client(t))}
	s.cfg = config(t, c, s.prefix, "one")
	s.cfg.Workers = 1
	s.up = newUpstream(t, c, s.prefix, siteTasks)
	i := s.start()
	s.send(1)
	settle(t, c, s.prefix)
	s.end(i)
	return s
}

func (s *site) start() *instance { s.t.Helper(); return start(s.t, s.cfg) }

func (s *site) end(i *instance) {
	s.t.Helper()
	i.stop()
	if err := i.wait(); err != nil {
		s.t.Fatal(err)
	}
}

// send adds n to the stock of each partition's SKU.
func (s *site) send(n int) {
	s.t.Helper()
	for p := range int32(siteTasks) {
		s.sendTo(p, n)
	}
}

func (s *site) sendTo(p int32, n int) {
	s.t.Helper()
	for range n {
		s.up.send(s.up.delta(s.up.skuOn(p)))
		s.sent[p] += topics.One
	}
}

// halts waits until exactly these tasks are halted, for that reason, and all others run.
func (s *site) halts(i *instance, says string, partitions ...int32) {
	s.t.Helper()
	until(s.t, func(context.Context) error {
		list := i.Tasks()
		if len(list) != siteTasks {
			return fmt.Errorf("it has %d tasks", len(list))
		}
		for _, task := range list {
			want := "running"
			if slices.Contains(partitions, task.Partition) {
				want = "halted"
			}
			if task.Phase != want || want == "halted" && !strings.Contains(task.Error, says) {
				return fmt.Errorf("task %d is %s (%s), want %s (%s)", task.Partition, task.Phase, task.Error, want, says)
			}
		}
		return nil
	})
	err := i.Ready()
	for _, p := range partitions {
		if want := fmt.Sprintf("task %d is halted: ", p); err == nil || !strings.Contains(err.Error(), want) {
			s.t.Errorf("ready: got %v, want it to say %q", err, want)
		}
	}
}

// goesOn expects that the stock of the partitions that are not halted follows their input.
func (s *site) goesOn(halted ...int32) {
	s.t.Helper()
	before := s.actual()
	s.send(1)
	until(s.t, func(context.Context) error {
		now := s.actual()
		for p, want := range s.sent {
			if slices.Contains(halted, int32(p)) {
				want = before[p]
			}
			if now[p] != want {
				return fmt.Errorf("actual of partition %d is %s, want %s", p, now[p], want)
			}
		}
		return nil
	})
}

// actual returns the stock of each partition's SKU.
func (s *site) actual() (actual [siteTasks]topics.Quantity) {
	s.t.Helper()
	latest := availability(s.t, s.c, s.prefix)
	for p := range actual {
		if a := latest[s.up.skuOn(int32(p))]; a != nil {
			actual[p] = a.Actual
		}
	}
	return actual
}

// set is the way past a halt.
func (s *site) set(next map[string]int64, partitions ...int32) {
	s.t.Helper()
	p, err := processor.New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range partitions {
		if err := p.SetPositions(s.t.Context(), n, next); err != nil {
			s.t.Fatalf("set positions of %d: %v", n, err)
		}
	}
}

// deleteUpTo moves the log start of partition 0.
func (s *site) deleteUpTo(base string, offset int64) {
	s.t.Helper()
	var to kadm.Offsets
	to.AddOffset(s.prefix.Name(base), 0, offset, -1)
	done, err := s.admin.DeleteRecords(s.t.Context(), to)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// awaitPartitions waits until every broker tells of the partitions of all SKU-keyed topics.
func (s *site) awaitPartitions(least int) {
	s.t.Helper()
	until(s.t, func(ctx context.Context) error {
		list, err := s.admin.ListTopics(ctx)
		if err != nil {
			return err
		}
		for _, d := range topics.Definitions() {
			n := len(list[s.prefix.Name(d.Base)].Partitions)
			if d.Partitions == topics.PartitionsSKU && n < least {
				return fmt.Errorf("%s has %d partitions", d.Base, n)
			}
		}
		return nil
	})
}

// remake deletes a topic and makes it anew, with nothing in it. A real broker may say for a while that the old one
// is still there, and Ensure would leave it at that.
func (s *site) remake(base string) {
	s.t.Helper()
	name := s.prefix.Name(base)
	was := s.topicID(s.t.Context(), name)
	if _, err := s.admin.DeleteTopic(s.t.Context(), name); err != nil {
		s.t.Fatal(err)
	}
	until(s.t, func(ctx context.Context) error {
		_, err := topics.Ensure(ctx, s.admin, topics.EnsureConfig{
			Prefix: s.prefix, Partitions: siteTasks, SinkPartitions: 2, AllowDeleteChangelog: !s.c.Real(),
		})
		if is := s.topicID(ctx, name); err == nil && (is == was || is == kadm.TopicID{}) {
			err = fmt.Errorf("%s has id %s, as before", name, is)
		}
		return err
	})
}

func (s *site) topicID(ctx context.Context, name string) kadm.TopicID {
	s.t.Helper()
	meta, err := s.admin.Metadata(ctx, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return meta.Topics[name].ID
}

var allTasks = []int32{0, 1, 2}

func TestHalts_AtInputThatIsGoneBeforeItWasFolded(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.send(2)
		s.deleteUpTo(topics.Mutations, 2)
		i := s.start()
		s.halts(i, "mutations partition 0 starts at offset 2, next to fold is 1", 0)
		s.halts(i, "`stocksync positions set` names where to go on", 0)
		s.goesOn(0)
		s.end(i)
		s.set(map[string]int64{topics.Mutations: -1}, 0)
		s.sent[0] -= topics.One // is lost
		i = s.start()
		s.halts(i, "")
		s.goesOn()
	})
}

func TestHalts_AtInputThatGoesWhileItIsBehind(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		wire := c.Wire()
		s.cfg.ClientOpts = append(s.cfg.ClientOpts, wire.Opt())
		i := s.start()
		s.halts(i, "")
		wire.Stall()
		s.sendTo(0, 10) // of which the fetch on its way holds the first
		s.deleteUpTo(topics.Mutations, 10)
		wire.Resume()
		s.halts(i, "input records are gone that were not folded", 0)
		s.goesOn(0)
	})
}

// Ensure records that a leader has lost, as after an unclean election, are not passed over: the client finds that
// the log of the epoch it has read ends before where it stands.
func TestHalts_AtInputThatALeaderLost(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t, testenv.KfakeBrokers(2))
	s := newSite(t, c)
	s.send(3)
	i := s.start()
	s.halts(i, "")
	settle(t, c, s.prefix)
	name := s.prefix.Name(topics.Mutations)
	control(c, func(r *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
		answer := r.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, asked := range r.Topics {
			topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
			topic.Topic = asked.Topic
			for _, p := range asked.Partitions {
				partition := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				partition.Partition, partition.LeaderEpoch, partition.EndOffset = p.Partition, p.LeaderEpoch, 1<<40
				if asked.Topic == name && p.Partition == 0 {
					partition.EndOffset = 2
				}
				topic.Partitions = append(topic.Partitions, partition)
			}
			answer.Topics = append(answer.Topics, topic)
		}
		return answer
	})
	for p := range int32(siteTasks) {
		if err := c.Fake.MoveTopicPartition(name, p, 1-c.Fake.LeaderFor(name, p)); err != nil {
			t.Fatal(err)
		}
	}
	s.halts(i, "input records are gone that were not folded", 0)
	s.halts(i, "offset 2", 0)
	s.goesOn(0)
}

// Ensure commands that retention took are no reason to halt, and those that are left are carried out.
func TestHalts_NotAtCommandsThatAreGone(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		command := func(id string) *kgo.Record {
			return at(topics.Commands, 0, "", `{"id":"`+id+`","command":"reboot","args":{}}`)
		}
		s.up.send(command("1"), command("2"), command("3"))
		s.deleteUpTo(topics.Commands, 2)
		i := s.start()
		s.halts(i, "")
		s.goesOn()
		dead := func() (ids string) {
			for _, r := range read(t, c, s.prefix, topics.DeadLetters) {
				ids += string(r.Value[7:8])
			}
			return ids
		}
		until(t, func(context.Context) error {
			if got := dead(); got != "3" {
				return fmt.Errorf("dead commands: got %q, want 3", got)
			}
			return nil
		})
	})
}

// Ensure a position behind the last record is not taken for a loss when retention takes all: the offset after
// it is a marker's, as after every transaction of an upstream.
func TestHalts_NotAtMarkersThatAreGone(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		i := s.start()
		s.halts(i, "")
		client := c.Client(t, kgo.TransactionalID(s.prefix.Name("upstream")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			r := s.up.delta(s.up.skuOn(0))
			r.Topic = s.prefix.Name(topics.Mutations)
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
		}
		s.sent[0] += topics.One
		const end = 5 // a record of newSite's, two of the transactions, each with its marker
		until(t, func(context.Context) error {
			if got := lastRecords(t, c, s.prefix)[0].Inputs[state.InputMutations].Next; got != end {
				return fmt.Errorf("the task record is at %d, want %d", got, end)
			}
			return nil
		})
		s.end(i)
		s.deleteUpTo(topics.Mutations, end)
		i = s.start()
		s.halts(i, "")
		s.goesOn()
	})
}

// Ensure a batch that is small on its way in and huge when it is unpacked neither takes all memory nor stops
// its partition without a word.
func TestHalts_AtABatchThatTakesTooMuchMemory(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.cfg.ClientOpts = append(s.cfg.ClientOpts, kgo.MaxDecompressBatchBytes(1<<20))
		i := s.start()
		s.halts(i, "")
		s.up.send(at(topics.Mutations, 0, "A", strings.Repeat("x", 4<<20)))
		s.halts(i, "mutations, from offset 1 on; go on at 2", 0)
		s.goesOn(0)
		s.end(i)
		s.set(map[string]int64{topics.Mutations: 2}, 0)
		i = s.start()
		s.halts(i, "")
		s.goesOn()
	})
}

func TestHalts_AtAnInputMadeAnew(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		i := s.start()
		s.halts(i, "")
		later := s.cfg // gets what the other leaves, and has known the topic before
		later.InstanceID, later.StateDir = "two", t.TempDir()
		two := start(t, later)
		tasks(t, two.Processor, 1)
		s.remake(topics.Orders)
		s.up.send(at(topics.Orders, 0, "A", "{}"), at(topics.Orders, 1, "A", "{}"), at(topics.Orders, 2, "A", "{}"))
		s.end(i)
		s.halts(two, "topic was deleted and made anew; `stocksync positions set` takes the new one", allTasks...)
		s.end(two)
		i = s.start()
		s.halts(i, "orders: topic was deleted and made anew", allTasks...)
		s.end(i)
		s.set(map[string]int64{topics.Orders: -1}, 0, 2)
		i = s.start()
		s.halts(i, "orders: topic was deleted and made anew", 1)
		s.goesOn(1)
		s.end(i)
		s.set(map[string]int64{topics.Orders: -1}, 1)
		s.start()
		s.goesOn()
	})
}

// Ensure a new session, whose client has not known the topic before, does not take the new one for the old.
func TestHalts_AtAnInputMadeAnewBetweenSessions(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		wire := c.Wire()
		s.cfg.ClientOpts = append(s.cfg.ClientOpts, wire.Opt())
		i := s.start()
		s.halts(i, "")
		wire.Stall()
		s.remake(topics.Orders)
		leaveOpen(t, c, s.prefix, "one.0", false) // fences the session
		for p := range int32(siteTasks) {
			s.up.send(at(topics.Orders, p, "A", "{}"), s.up.delta(s.up.skuOn(p)))
		}
		wire.Resume()
		s.halts(i, "topic was deleted and made anew", allTasks...)
	})
}

func TestHalts_AtAChangelogMadeAnew(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		i := s.start()
		s.halts(i, "")
		s.remake(topics.Changelog)
		s.send(1)
		s.halts(i, "the changelog was deleted and made anew: what it held is lost", allTasks...)
		s.end(i)
		refuses(t, s.cfg, state.ErrForeign, "changelog_topic_id", "delete it to rebuild")
		s.cfg.StateDir = t.TempDir()
		i = s.start()
		s.halts(i, "there is no task record, but the availability topic has records: the changelog is lost", allTasks...)
		s.end(i)
		s.set(nil, allTasks...)
		s.start()
		s.goesOn()
	})
}

// Ensure a store ahead of the changelog is not believed: committed records are lost. A real broker has no way
// to lose them on request, so the store is made to say that it was further.
func TestHalts_AtAChangelogThatIsTooShort(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		dir := t.TempDir()
		meta, err := s.admin.Metadata(t.Context(), s.prefix.Name(topics.Changelog))
		if err != nil {
			t.Fatal(err)
		}
		store, err := state.Open(state.Config{Dir: dir, Stamp: state.Stamp{
			ClusterID: meta.Cluster, Prefix: s.prefix, ChangelogID: meta.Topics[s.prefix.Name(topics.Changelog)].ID.String(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		task, err := store.OpenTask(t.Context(), 1, policy(), time.Now())
		if err == nil {
			err = errors.Join(task.Replay(nil, 1000, time.Now()), task.Close(), store.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := s.cfg.StateDir
		s.cfg.StateDir = dir
		i := s.start()
		s.halts(i, "the changelog ends before what is stored here", 1)
		s.halts(i, "stored is 1000", 1)
		s.goesOn(1)
		s.end(i)
		s.cfg.StateDir = kept // deleting it would do too
		i = s.start()
		s.halts(i, "")
		s.goesOn()
	})
}

func TestHalts_AtAvailabilityWithoutATaskRecord(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := &site{t: t, c: c, prefix: ensure(t, c, siteTasks), admin: kadm.NewClient(c.Client(t))}
		s.cfg = config(t, c, s.prefix, "one")
		s.up = newUpstream(t, c, s.prefix, siteTasks)
		s.up.send(at(topics.AvailabilityTopic, 2, "A", `{"sku":"A","revision":5}`))
		i := s.start()
		s.halts(i, "let `stocksync positions set` fold the inputs again from where they begin", 2)
		s.goesOn(2)
		s.end(i)
		s.set(nil, 2)
		i = s.start()
		s.halts(i, "")
		s.goesOn()
	})
}

func TestHalts_AtANewerFormat(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		s.up.send(at(topics.Changelog, 1, string(state.TaskKey()), "\x63of a release to come"))
		for _, dir := range []string{s.cfg.StateDir, t.TempDir()} {
			s.cfg.StateDir = dir
			i := s.start()
			s.halts(i, "value is of a newer format; run the newer release", 1)
			s.halts(i, "99", 1)
			s.goesOn(1)
			s.end(i)
		}
	})
}

func TestHalts_AtAnotherPartitionCount(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := newSite(t, c)
		for _, d := range topics.Definitions() {
			if d.Partitions != topics.PartitionsSKU {
				continue
			}
			done, err := s.admin.UpdatePartitions(t.Context(), 2*siteTasks, s.prefix.Name(d.Base))
			if err == nil {
				err = done.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s.awaitPartitions(2 * siteTasks)
		i := s.start()
		until(t, func(context.Context) error {
			list := i.Tasks()
			for _, task := range list {
				if len(list) == 2*siteTasks && task.Partition < siteTasks &&
					!strings.Contains(task.Error, "the task was made with another partition count") {
					return fmt.Errorf("%+v is not halted", task)
				}
			}
			if len(list) != 2*siteTasks {
				return fmt.Errorf("it has %d tasks", len(list))
			}
			return nil
		})
	})
}

// refuses expects that Run ends at once, with that error and that text.
func refuses(t *testing.T, cfg processor.Config, want error, says ...string) {
	t.Helper()
	p, err := processor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = p.Run(ctx)
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want it to say %q", err, text)
		}
	}
}

func TestRun_RefusesTopicsThatAreNotAsTheyMustBe(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		s := &site{t: t, c: c, prefix: c.Prefix(t), admin: kadm.NewClient(c.Client(t))}
		s.cfg = config(t, c, s.prefix, "one")
		missing := func(base string) string {
			return "topic " + s.prefix.Name(base) + " is missing; run `stocksync topics ensure`"
		}
		refuses(t, s.cfg, processor.ErrTopics, missing(topics.Mutations), missing(topics.Orders), missing(topics.Commands),
			missing(topics.Changelog), missing(topics.AvailabilityTopic), missing(topics.DeadLetters))
		partitions := map[string]int32{
			topics.Mutations: 3, topics.Orders: 2, topics.Commands: 3, topics.Changelog: 3, topics.AvailabilityTopic: 1,
		}
		for base, n := range partitions {
			if _, err := s.admin.CreateTopic(t.Context(), n, 1, nil, s.prefix.Name(base)); err != nil {
				t.Fatal(err)
			}
		}
		until(t, func(ctx context.Context) error { // a real broker tells of them a little later
			list, err := s.admin.ListTopics(ctx)
			for base := range partitions {
				if !list.Has(s.prefix.Name(base)) {
					return fmt.Errorf("%s is missing: %w", base, err)
				}
			}
			return err
		})
		refuses(t, s.cfg, processor.ErrTopics, missing(topics.DeadLetters))
		if _, err := s.admin.CreateTopic(t.Context(), 3, 1, nil, s.prefix.Name(topics.DeadLetters)); err != nil {
			t.Fatal(err)
		}
		s.awaitPartitions(1)
		says := []string{}
		for _, base := range slices.Sorted(maps.Keys(partitions)) {
			if n := partitions[base]; n < 3 {
				name := s.prefix.Name(base)
				says = append(says, fmt.Sprintf("topic %s has %d partitions", name, n),
					"`kafka-topics.sh --alter --topic "+name+" --partitions 3`")
			}
		}
		refuses(t, s.cfg, processor.ErrTopics, says...)
	})
}

func TestRun_RefusesABrokerWithoutTransactionVersion2(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t, func(k *testenv.KfakeConfig) {
		k.Opts = append(k.Opts, kfake.MaxVersions(kversion.V3_9_0()))
	})
	cfg := config(t, c, c.Prefix(t), "one")
	refuses(t, cfg, processor.ErrTransactionVersion, "Apache Kafka 4.0", "--feature transaction.version=2")
}

func TestRun_SaysThatNoBrokerAnswers(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, c, "gone.", "one")
	refuses(t, cfg, processor.ErrBroker, c.Brokers[0], "check KAFKA_BROKERS")
}

func TestRun_RefusesAStateDirectoryInUse(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	prefix := ensure(t, c, 2)
	cfg := config(t, c, prefix, "one")
	i := start(t, cfg)
	tasks(t, i.Processor, 2)
	cfg.InstanceID = "two"
	refuses(t, cfg, state.ErrInUse, cfg.StateDir)
}

func TestRun_RefusesAStateDirectoryOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	s := newSite(t, c)
	other := s.cfg
	other.Prefix = ensure(t, c, siteTasks)
	refuses(t, other, state.ErrForeign, string(s.prefix), string(other.Prefix), "name another STATE_DIR, or delete it")
}
