package oversell

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/sinks"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// marketplace is the name by which the stores of a market ask for its adapter.
const marketplace = "market"

// partitions of availability.
const partitions = 2

// ours is the sinks as they run in production: tables, views, wanted quantities, queue, limiter and status. The market
// is behind an adapter, and the ERP writes availability in transactions, as the processor does.
type ours struct {
	t      *testing.T
	prefix topics.Prefix
	client *kgo.Client
	cancel context.CancelFunc
	wait   sync.WaitGroup
	fresh  chan struct{} // holds one when there is something to write

	mu    sync.Mutex
	heard []number // not written yet
}

func startOurs(t *testing.T, m *market) courier {
	t.Helper()
	c := testenv.StartKfake(t, testenv.KfakeVirtual)
	o := &ours{t: t, prefix: c.Prefix(t), fresh: make(chan struct{}, 1)}
	o.client = c.Client(t, kgo.TransactionalID(string(o.prefix)+"market"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	plain := c.Client(t)
	_, err := topics.Ensure(t.Context(), kadm.NewClient(plain), topics.EnsureConfig{
		Prefix: o.prefix, Partitions: partitions, SinkPartitions: 4, AllowDeleteChangelog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for store := range m.Stores {
		s := topics.Store{
			Store: strconv.Itoa(store), Marketplace: marketplace, Mode: topics.ModeLive,
			Warehouses: []string{topics.AllWarehouses},
		}
		r := &kgo.Record{Topic: o.prefix.Name(topics.Stores), Key: s.Key(), Value: s.Encode()}
		if err := plain.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sinks.New(sinks.Config{
		Brokers: c.Brokers, ClientOpts: c.Opts, Prefix: o.prefix, InstanceID: "one", StateDir: "views",
		Views: state.ViewsConfig{FS: vfs.NewMem()}, Adapters: []sinks.Adapter{adapter{m}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.cancel = cancel
	o.wait.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("sinks: %v", err)
		}
	})
	o.wait.Go(func() { o.write(ctx) })
	return o
}

func (o *ours) end() {
	o.cancel()
	o.wait.Wait()
}

func (o *ours) tell(n number) {
	o.mu.Lock()
	o.heard = append(o.heard, n)
	o.mu.Unlock()
	select {
	case o.fresh <- struct{}{}:
	default:
	}
}

// write writes availability: what was heard since the last transaction is in the next one.
func (o *ours) write(ctx context.Context) {
	for {
		select {
		case <-o.fresh:
		case <-ctx.Done():
			return
		}
		o.mu.Lock()
		batch := o.heard
		o.heard = nil
		o.mu.Unlock()
		if err := o.commit(ctx, records(batch)); err != nil && ctx.Err() == nil {
			o.t.Errorf("write availability: %v", err)
			return
		}
	}
}

func (o *ours) commit(ctx context.Context, list []*topics.Availability) error {
	if err := o.client.BeginTransaction(); err != nil {
		return err
	}
	var produced kgo.FirstErrPromise
	for _, a := range list {
		o.client.Produce(ctx, &kgo.Record{
			Topic: o.prefix.Name(topics.AvailabilityTopic), Partition: topics.PartitionOf([]byte(a.SKU), partitions),
			Key: []byte(a.SKU), Value: a.AppendJSON(nil),
			Headers: []kgo.RecordHeader{{Key: topics.HeaderRevision, Value: strconv.AppendInt(nil, a.Revision, 10)}},
		}, produced.Promise())
	}
	err := errors.Join(o.client.Flush(ctx), produced.Err())
	return errors.Join(err, o.client.EndTransaction(ctx, kgo.TryCommit))
}

// records returns one record of each SKU among some numbers, its newest.
func records(batch []number) []*topics.Availability {
	var list []*topics.Availability
	at := map[int]int{}
	for _, n := range batch {
		i, again := at[n.sku]
		if !again {
			i = len(list)
			at[n.sku], list = i, append(list, &topics.Availability{SKU: name(n.sku)})
		}
		n.record(list[i])
	}
	return list
}

// record writes a number into a record, which may hold older ones of the same commit.
func (n number) record(a *topics.Availability) {
	qty := topics.Quantity(n.qty) * topics.One
	now := topics.Time(n.revision * 1000) // a revision is a time in milliseconds, or one of the next
	a.Revision, a.Actual, a.Net, a.Available = n.revision, qty, qty, max(0, qty)
	a.Warehouses = []topics.WarehouseStock{{Warehouse: "W", Actual: qty, Net: qty, Available: max(0, qty)}}
	a.Trigger, a.FirstSeenAt, a.LastMutationAt, a.AsOf, a.ProcessedAt = topics.TriggerEvent, now, now, now, now
	topic := topics.Mutations
	if n.order {
		topic = topics.Orders
	}
	a.Causes = append(a.Causes, topics.Cause{Topic: "stock." + topic, ID: strconv.FormatInt(n.revision, 10)})
	if len(a.Causes) > topics.MaxCauses {
		a.Causes = a.Causes[1:]
	}
	a.CausesTotal++
}

func name(sku int) string { return fmt.Sprintf("SKU-%04d", sku) }

// adapter opens the stores of a market.
type adapter struct{ m *market }

// Marketplace implements sinks.Adapter.
func (adapter) Marketplace() string { return marketplace }

// Listed implements sinks.Adapter: every SKU is a pair.
func (adapter) Listed() bool { return false }

// Open implements sinks.Adapter.
func (a adapter) Open(account sinks.Account) (sinks.Session, error) {
	store, err := strconv.Atoi(account.Store)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return session{a.m, store}, nil
}

// session is one store of a market.
type session struct {
	m     *market
	store int
}

// Traits implements sinks.Session: one number a call and one call at a time, as the other ways have it.
func (s session) Traits() sinks.Traits {
	return sinks.Traits{Batch: 1, InFlight: 1, Rate: sinks.Rate{PerSecond: s.m.Budget, Burst: 1}}
}

// Group implements sinks.Session.
func (session) Group(*sinks.Update) string { return "" }

// Push implements sinks.Session.
func (s session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	for _, u := range updates {
		var sku int
		if _, err := fmt.Sscanf(u.SKU, "SKU-%d", &sku); err != nil {
			return sinks.Reply{Whole: sinks.Outcome{Class: sinks.ClassNotFound, Code: "sku", Message: u.SKU}}
		}
		if err := s.m.call(ctx, s.store, sku, int(u.Qty/topics.One), u.Revision); err != nil {
			return sinks.Reply{Whole: sinks.ClassifyError(err)}
		}
	}
	ok := sinks.Outcome{Class: sinks.ClassOK}
	items := make([]sinks.Outcome, len(updates))
	for i := range items {
		items[i] = ok
	}
	return sinks.Reply{Whole: ok, Items: items}
}
