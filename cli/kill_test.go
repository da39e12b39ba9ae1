package cli_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stocksync/cli"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure kill -9 at any moment, of processors and of sinks, loses nothing and applies nothing twice, with and without
// the state directory; and that every shop ends at what its warehouses have.
func TestKill_LosesNothingAndAppliesNothingTwice(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		const kills = 10
		f := startFleet(t, c)
		stop := f.load()
		f.waitDeliveries()
		var dead *member
		for n := range kills {
			if dead != nil {
				dead.restart(t)
			}
			if n == kills/2 {
				f.trade()
			}
			pause(t, time.Duration(200+f.random.IntN(400))*time.Millisecond)
			dead = f.processors[f.random.IntN(len(f.processors))]
			dead.kill(t)
			f.meanwhile(n, dead)
		}
		acks := stop()
		settle(t, c, f.cfg) // by the other, which takes the tasks of the last one over
		f.other(dead).terminate(t)
		f.other(dead).restart(t)
		dead.restart(t)
		f.waitTold()
		f.verify(append(acks, f.touchAll()...))
	})
}

// meanwhile does what else happens at the n-th kill of a processor.
func (f *fleet) meanwhile(n int, dead *member) {
	f.t.Helper()
	switch n {
	case 1:
		f.sinks[0].kill(f.t)
		f.sinks[0].restart(f.t)
	case 2:
		f.sinks[0].waitReady(f.t) // kfake drops who joins for as long as a session, and two dead members take longer
		f.sinks[1].kill(f.t)
		f.sinks[1].forget(f.t)
		f.sinks[1].restart(f.t)
	case 4:
		dead.forget(f.t)
	}
}

// trade lets a processor end in order, so that the other takes its tasks, and come back for its share.
func (f *fleet) trade() {
	f.t.Helper()
	one, two := f.processors[0], f.processors[1]
	one.waitTasks(f.t, f.cfg.Partitions/2)
	one.terminate(f.t)
	two.waitTasks(f.t, f.cfg.Partitions)
	one.restart(f.t)
	one.waitTasks(f.t, f.cfg.Partitions/2)
}

// fleet is an installation of real processes, two that fold and two that send, and the shops they send to.
type fleet struct {
	t          *testing.T
	cluster    *testenv.Cluster
	cfg        cli.Config
	random     *rand.Rand
	shop       *testenv.Sandbox
	processors []*member
	sinks      []*member
}

// member is one process and its state directory.
type member struct {
	*testenv.Process
	dir string
}

// shops are the stores of the fleet, which offer different warehouses.
func (f *fleet) shops() map[string][]string {
	return map[string][]string{
		testenv.StoreName(0): {topics.AllWarehouses},
		testenv.StoreName(1): {testenv.WarehouseName(0)},
		testenv.StoreName(2): {testenv.WarehouseName(1), testenv.WarehouseName(2)},
		testenv.StoreName(3): {testenv.WarehouseName(2)},
	}
}

func startFleet(t *testing.T, c *testenv.Cluster) *fleet {
	t.Helper()
	f := &fleet{
		t: t, cluster: c, cfg: withTopics(t, c), random: rand.New(rand.NewPCG(5, 5)),
		shop: testenv.StartSandbox(t, testenv.SandboxConfig{}),
	}
	owned := map[int32]bool{}
	for store, warehouses := range f.shops() {
		owned[topics.PartitionOf([]byte(store), f.cfg.SinkPartitions)] = true
		produce(t, c, f.cfg, topics.Stores, store, storeRecord(t, f.shop, store, "SHOP_SECRET", warehouses...))
	}
	if len(owned) < 2 {
		t.Fatal("all shops lie in one partition: only one process would send")
	}
	for _, id := range []string{"one", "two"} {
		f.processors = append(f.processors, f.start("processor", id))
		f.sinks = append(f.sinks, f.start("sinks", id))
	}
	return f
}

// start starts the program as instance id, with a state directory of its own.
func (f *fleet) start(command, id string) *member {
	f.t.Helper()
	dir := f.t.TempDir()
	return &member{dir: dir, Process: testenv.StartProcess(f.t, testenv.ProcessConfig{
		Args: []string{command},
		Env: map[string]string{
			"KAFKA_BROKERS": strings.Join(f.cluster.Brokers, ","), "TOPIC_PREFIX": f.cfg.TopicPrefix, "INSTANCE_ID": id,
			"STATE_DIR": dir, "PROCESSOR_WORKERS": "2", "LOG_FORMAT": "text",
			"ALLOW_PRIVATE_URLS": "true", "SHOP_SECRET": testenv.DefaultSecret,
		},
	})}
}

// other returns the processor that is not this one.
func (f *fleet) other(m *member) *member {
	if f.processors[0] == m {
		return f.processors[1]
	}
	return f.processors[0]
}

// load produces a realistic upstream until stop is called, which returns what the broker acknowledged.
func (f *fleet) load() (stop func() []testenv.Ack) {
	const slice, rate = 300, 1500
	ctx, cancel := context.WithCancel(f.t.Context())
	produced := make(chan []testenv.Ack, 1)
	go func() {
		w := testenv.NewWorkload(testenv.RealisticWorkload(5))
		var acks []testenv.Ack
		for ctx.Err() == nil {
			done, err := testenv.Produce(f.t.Context(), f.cluster, w.Next, testenv.ProduceConfig{
				Prefix: topics.Prefix(f.cfg.TopicPrefix), Events: slice, Rate: rate,
			})
			if err != nil {
				f.t.Errorf("load: %v", err)
				break
			}
			acks = append(acks, done.Acks...)
		}
		produced <- acks
	}()
	stop = sync.OnceValue(func() []testenv.Ack {
		cancel()
		return <-produced
	})
	f.t.Cleanup(func() { stop() })
	return stop
}

// waitDeliveries waits until every shop has been told something.
func (f *fleet) waitDeliveries() {
	f.t.Helper()
	until(f.t, func(context.Context) error {
		for store := range f.shops() {
			if len(f.shop.Quantities(store)) == 0 {
				return fmt.Errorf("%s was told nothing", store)
			}
		}
		return nil
	})
}

// verify compares all of it with the oracle.
func (f *fleet) verify(acks []testenv.Ack) {
	f.t.Helper()
	settle(f.t, f.cluster, f.cfg)
	f.waitTold()
	conf := testenv.CheckConfig{
		Prefix: topics.Prefix(f.cfg.TopicPrefix), Policy: state.Policy{ReturnsReserve: true}, Acked: acks,
	}
	for store, warehouses := range f.shops() {
		conf.Stores = append(conf.Stores, f.shop.CheckOf(store, warehouses...))
	}
	if err := testenv.Check(f.t.Context(), f.cluster, conf); err != nil {
		f.t.Errorf("check: %v", err)
	}
	if v := f.shop.Violations(); len(v) > 0 {
		f.t.Errorf("the shops saw violations: %v", v)
	}
	var ending sync.WaitGroup
	for _, m := range slices.Concat(f.processors, f.sinks) {
		ending.Go(func() { m.terminate(f.t) })
	}
	ending.Wait()
}

// touchAll asks for a record of every SKU that has one: what the processors have on their disks is then in
// availability, and in the shops.
func (f *fleet) touchAll() []testenv.Ack {
	f.t.Helper()
	var touches []testenv.Event
	for sku := range f.availability() {
		m := topics.Mutation{SKU: sku, Kind: topics.KindTouch}
		touches = append(touches, testenv.Event{Topic: topics.Mutations, Key: []byte(sku), Value: m.AppendJSON(nil)})
	}
	n := 0
	next := func() testenv.Event {
		n++
		return touches[n-1]
	}
	done, err := testenv.Produce(f.t.Context(), f.cluster, next, testenv.ProduceConfig{
		Prefix: topics.Prefix(f.cfg.TopicPrefix), Events: len(touches),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return done.Acks
}

// availability returns the newest record of every SKU.
func (f *fleet) availability() map[string]*topics.Availability {
	f.t.Helper()
	newest := map[string]*topics.Availability{}
	for _, r := range records(f.t, f.cluster, f.cfg, topics.AvailabilityTopic) {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			f.t.Fatal(err)
		}
		newest[a.SKU] = a
	}
	return newest
}

// waitTold waits until every shop has the newest revision of every SKU that ever moved.
func (f *fleet) waitTold() {
	f.t.Helper()
	newest := f.availability()
	maps.DeleteFunc(newest, func(_ string, a *topics.Availability) bool {
		return a.LastMutationAt.IsZero() && a.LastOrderAt.IsZero()
	})
	until(f.t, func(context.Context) error {
		for store := range f.shops() {
			for sku, a := range newest {
				if _, at, _ := f.shop.Quantity(store, sku); at < a.Revision {
					return fmt.Errorf("%s has revision %d of %s, want %d", store, at, sku, a.Revision)
				}
			}
		}
		return nil
	})
}

func (m *member) kill(t *testing.T) {
	t.Helper()
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (m *member) restart(t *testing.T) {
	t.Helper()
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
}

// forget deletes the state directory.
func (m *member) forget(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(m.dir); err != nil {
		t.Fatal(err)
	}
}

// terminate asks the process to end, once it has begun, and expects what is promised of that.
func (m *member) terminate(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := m.WaitHTTP(ctx, "/healthz", func(status int, _ string) bool { return status == http.StatusOK }); err != nil {
		t.Error(err)
		return
	}
	if code, err := m.Terminate(ctx); code != 0 || err != nil {
		t.Errorf("SIGTERM: got %d, %v, want 0 within 15 s", code, err)
	}
}

// waitReady waits until the process is at work.
func (m *member) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.WaitHTTP(ctx, "/readyz", func(status int, _ string) bool { return status == http.StatusOK }); err != nil {
		t.Fatal(err)
	}
}

// waitTasks waits until a processor runs so many tasks.
func (m *member) waitTasks(t *testing.T, n int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	line := fmt.Sprintf("\nstocksync_processor_tasks{phase=\"running\"} %d\n", n)
	if err := m.WaitHTTP(ctx, "/metrics", func(_ int, body string) bool { return strings.Contains(body, line) }); err != nil {
		t.Fatal(err)
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
