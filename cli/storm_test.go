package cli_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// stormSize says how large a storm is.
type stormSize struct {
	updates, perSecond int
	kinds              map[string]int // how many stores of each kind
	trades             int            // how often a sink ends in order, and comes back
	kills              bool           // before each trade the other is killed, and comes back
}

// Ensure two sinks that are killed and that trade their stores bring every store to what is wanted, through throttling,
// failures, answers that are lost after the write, requests that fail in part, and tokens that end; that no store ever
// sees an older number after a newer one, more requests than it takes, or two at a time of one pair; and that each pair
// has one status, which is true. Here they trade once and nobody is killed, since a death is noticed after some 20 s;
// `make sinks-storm` (STOCKSYNC_STORM=1) is 100,000 updates to 20 stores, with five deaths, in some minutes.
func TestStorm_EveryStoreEndsAtWhatIsWanted(t *testing.T) {
	t.Parallel()
	size := stormSize{
		updates: 2000, perSecond: 500, trades: 1,
		kinds: map[string]int{"webhook": 2, "tiktokshop": 1, "shopify": 1, "woocommerce": 1, "vendure": 1},
	}
	if os.Getenv("STOCKSYNC_STORM") == "1" {
		size = stormSize{
			updates: 100_000, perSecond: 1000, trades: 5, kills: true,
			kinds: map[string]int{
				"webhook": 8, "tiktokshop": 2, "shopee": 2, "lazada": 2, "shopify": 2, "woocommerce": 2, "vendure": 1, "medusa": 1,
			},
		}
	}
	s := startStorm(t, size)
	s.update(stormSKUs) // each SKU once: the stores have their catalogues and first numbers before anything breaks
	s.waitTold()
	calm := s.trouble()
	for n := range size.trades {
		s.update(size.updates / size.trades / 2)
		if size.kills {
			s.kill(s.sinks[n%2])
			s.sinks[n%2].restart(t)
		}
		s.update(size.updates / size.trades / 2)
		s.sinks[(n+1)%2].terminate(t) // the other takes its stores over
		s.sinks[(n+1)%2].restart(t)
	}
	calm()
	s.waitTold()
	s.verify()
}

// stormSKUs is how many SKUs there are: as many as every twin sells.
const stormSKUs = 50

// storm is two sinks, stores of several kinds, and what the stores should have shown so far.
type storm struct {
	t       *testing.T
	size    stormSize
	cluster *testenv.Cluster
	cfg     cli.Config
	random  *rand.Rand
	proc    *kgo.Client
	sandbox *sandboxes
	stores  []*stormStore
	sinks   []*member
	history map[string][]told // by SKU, oldest first

	secretsDir string // where the stores' secrets are
	tokensDir  string // where the sinks keep the tokens that they were given

	breaking sync.Mutex // held by who breaks something
}

// told is a number that all stores should show, until the next.
type told struct {
	qty      topics.Quantity
	revision int64
}

func startStorm(t *testing.T, size stormSize) *storm {
	t.Helper()
	s := newStorm(t, size)
	s.openStores()
	for _, store := range s.stores {
		store.write(t, s.secretsDir)
	}
	s.writeStores()
	for _, id := range []string{"one", "two"} {
		s.sinks = append(s.sinks, s.startSinks(id))
	}
	return s
}

// newStorm makes the topics.
func newStorm(t *testing.T, size stormSize) *storm {
	t.Helper()
	c := testenv.StartKfake(t)
	s := &storm{
		t: t, size: size, cluster: c, cfg: on(t, c), random: rand.New(rand.NewPCG(11, 11)), history: map[string][]told{},
		secretsDir: t.TempDir(), tokensDir: t.TempDir(),
	}
	s.cfg.SinkPartitions = 8
	ensure(t, c, s.cfg)
	s.proc = c.Client(t, kgo.TransactionalID(s.cfg.TopicPrefix+"storm"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return s
}

// writeStores writes the records of the stores.
func (s *storm) writeStores() {
	s.t.Helper()
	for _, store := range s.stores {
		produce(s.t, s.cluster, s.cfg, topics.Stores, store.record.Store, string(store.record.Encode()))
	}
}

// startSinks starts the sinks as instance id.
func (s *storm) startSinks(id string) *member {
	s.t.Helper()
	return s.start("sinks", id, map[string]string{"CREDENTIALS_DIR": s.secretsDir})
}

// start starts a service as instance id, with more in its environment.
func (s *storm) start(service, id string, more map[string]string) *member {
	s.t.Helper()
	dir := s.t.TempDir()
	return &member{dir: dir, Process: testenv.StartProcess(s.t, testenv.ProcessConfig{
		Args: []string{service}, Env: s.environment(id, dir, more),
	})}
}

// environment is that of instance id.
func (s *storm) environment(id, dir string, more map[string]string) map[string]string {
	env := map[string]string{
		"KAFKA_BROKERS": strings.Join(s.cluster.Brokers, ","), "TOPIC_PREFIX": s.cfg.TopicPrefix, "INSTANCE_ID": id,
		"STATE_DIR": dir, "LOG_FORMAT": "text", "LOG_LEVEL": "debug", "ALLOW_PRIVATE_URLS": "true", "TOKENS_DIR": s.tokensDir,
	}
	maps.Copy(env, more)
	return env
}

// update writes availability n times, at the size's rate, in transactions as the processor does.
func (s *storm) update(n int) {
	s.t.Helper()
	const commits = 10 // a second
	for n > 0 {
		began := time.Now()
		batch := map[string]*topics.Availability{}
		for range min(n, s.size.perSecond/commits) {
			n--
			sku := s.nextSKU()
			batch[sku] = s.draw(sku)
		}
		s.commit(batch)
		if n > 0 {
			pause(s.t, max(0, time.Second/commits-time.Since(began)))
		}
	}
}

// nextSKU returns those that have no number yet, and then any: a few much more often than others.
func (s *storm) nextSKU() string {
	if n := len(s.history); n < stormSKUs {
		return "SKU-" + strconv.Itoa(n)
	}
	return "SKU-" + strconv.Itoa(int(s.random.Float64()*s.random.Float64()*stormSKUs))
}

// draw gives a SKU another number; one in six is none left.
func (s *storm) draw(sku string) *topics.Availability {
	qty := topics.Quantity(max(0, s.random.IntN(60_000)-10_000)) * topics.One // few come twice: an old one is found
	next := told{qty: qty, revision: time.Now().UnixMilli()}
	if held := s.history[sku]; len(held) > 0 {
		next.revision = max(next.revision, held[len(held)-1].revision+1)
	}
	s.history[sku] = append(s.history[sku], next)
	now := topics.TimeOf(time.Now())
	return &topics.Availability{
		SKU: sku, Revision: next.revision, Actual: qty, Net: qty, Available: qty, Trigger: topics.TriggerEvent, Changed: true,
		Warehouses:  []topics.WarehouseStock{{Warehouse: "W1", Actual: qty, Net: qty, Available: qty}},
		CausesTotal: 1, Causes: []topics.Cause{{Topic: s.cfg.TopicPrefix + topics.Orders, ID: "line"}}, // no brake
		FirstSeenAt: now, LastMutationAt: now, AsOf: now, ProcessedAt: now,
	}
}

func (s *storm) commit(batch map[string]*topics.Availability) {
	s.t.Helper()
	if err := s.proc.BeginTransaction(); err != nil {
		s.t.Fatal(err)
	}
	var produced kgo.FirstErrPromise
	for sku, a := range batch {
		s.proc.Produce(s.t.Context(), &kgo.Record{
			Topic: s.cfg.TopicPrefix + topics.AvailabilityTopic, Partition: topics.PartitionOf([]byte(sku), s.cfg.Partitions),
			Key: []byte(sku), Value: a.AppendJSON(nil),
			Headers: []kgo.RecordHeader{{Key: topics.HeaderRevision, Value: strconv.AppendInt(nil, a.Revision, 10)}},
		}, produced.Promise())
	}
	err := errors.Join(s.proc.Flush(s.t.Context()), produced.Err())
	if err := errors.Join(err, s.proc.EndTransaction(s.t.Context(), kgo.TryCommit)); err != nil {
		s.t.Fatal(err)
	}
}

// wanted returns the newest number of a SKU.
func (s *storm) wanted(sku string) told {
	list := s.history[sku]
	return list[len(list)-1]
}

// waitTold waits until every store shows the newest number of every SKU, and every status says so.
func (s *storm) waitTold() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	if err := testenv.Until(ctx, 50*time.Millisecond, func(context.Context) error { return s.difference() }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *storm) difference() error {
	for _, store := range s.stores {
		for sku := range s.history {
			if got, want := store.shows(sku), s.wanted(sku).qty; got != want {
				return fmt.Errorf("%s shows %s of %s, want %s", store.record.Store, got, sku, want)
			}
		}
	}
	return nil
}

// eventually waits for what is in topics, which are read whole each time.
func (s *storm) eventually(cond func(context.Context) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := testenv.Until(ctx, 250*time.Millisecond, cond); err != nil {
		s.t.Fatal(err)
	}
}
