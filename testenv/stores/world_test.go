package stores_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/testenv/stores"
	"stocksync/topics"
)

const (
	storeID   = "real-shop"
	warehouse = "WH-JKT-01"
	// grace is the store's order_grace. When the shop's own cancellation is read before the ERP's arrives, the order
	// counts as one that nobody has reported, once more, and the shop offers that much too little for so long.
	grace = 30 * time.Second
	// patience is for one thing to come about, on a machine that does much else, a grace included.
	patience = 2 * time.Minute
	// sampleMost is how long it may take until a number is read back that nobody changed here: samples are a minute
	// apart.
	sampleMost = 4 * time.Minute
	// roundTrip is how long a shop may offer too much: from a change in the shop between stocksync's read and its
	// write, which the answer shows, to the next write. A round trip takes some 100 ms; a busy machine takes longer.
	roundTrip = 2 * time.Second
)

// world is an installation of stocksync before one real shop, and the ERP that feeds it.
type world struct {
	t       *testing.T
	shop    stores.Till
	cluster *testenv.Cluster
	prefix  topics.Prefix
	client  *kgo.Client

	mu       sync.Mutex
	items    map[string]*item
	latest   map[string]*topics.Availability
	statuses map[string]topics.SyncStatus
	listed   map[string]topics.Listing
	serial   int64
	past     map[string][]string // what happened to each SKU, for a test that failed

	watching sync.WaitGroup
	longest  time.Duration // that the shop offered too much at a stretch
	over     int           // samples with too much
	samples  int
}

// item is what the ERP and the test know of a SKU. It is guarded by the world's mutex.
type item struct {
	actual   int64 // in the ERP
	reserved int64 // by orders that the ERP knows and has not shipped
	promised int64 // by orders of the shop that neither side has cancelled or the ERP shipped
	slack    int64 // that a person offers by hand
}

// limit is the most that the shop may offer: Actual minus what is promised.
func (it *item) limit() int64 { return max(0, it.actual-it.promised) + it.slack }

// startWorld starts stocksync with a store that is the shop.
func startWorld(t *testing.T, shop stores.Till) *world {
	t.Helper()
	w := &world{
		t: t, shop: shop, cluster: testenv.StartKfake(t), items: map[string]*item{},
		latest: map[string]*topics.Availability{}, statuses: map[string]topics.SyncStatus{}, listed: map[string]topics.Listing{},
		past: map[string][]string{},
	}
	t.Cleanup(w.tellStory)
	w.prefix = w.cluster.Prefix(t)
	secrets, err := json.Marshal(shop.Credentials())
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "shop"), secrets, 0o600))
	env := map[string]string{
		"KAFKA_BROKERS": strings.Join(w.cluster.Brokers, ","), "TOPIC_PREFIX": string(w.prefix), "PARTITIONS": "4",
		"SINK_PARTITIONS": "2", "INSTANCE_ID": "real", "STATE_DIR": t.TempDir(), "CREDENTIALS_DIR": dir,
		"ALLOW_PRIVATE_URLS": "true", "LOG_LEVEL": "info",
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ensure := testenv.StartProcess(t, testenv.ProcessConfig{Args: []string{"topics", "ensure"}, Env: env})
	if code, err := ensure.Wait(ctx); err != nil || code != 0 {
		t.Fatalf("topics ensure: code %d, %v\n%s", code, err, ensure.Log())
	}
	w.client = w.cluster.Client(t, kgo.ConsumeTopics(
		w.prefix.Name(topics.AvailabilityTopic), w.prefix.Name(topics.SyncStatusTopic), w.prefix.Name(topics.SyncLogTopic),
		w.prefix.Name(topics.Listings)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	process := testenv.StartProcess(t, testenv.ProcessConfig{Args: []string{"run"}, Env: env})
	must(t, process.WaitReady(ctx))
	w.follow()
	w.produce(topics.Stores, storeID, fmt.Appendf(nil, `{"store":%q,"marketplace":%q,"mode":"live","warehouses":["*"],
		"order_grace":%q,"credentials_ref":"shop","options":%s,"changed_by":"test",
		"changed_at":"2026-01-31T08:00:00+07:00"}`, storeID, shop.Marketplace(), grace, shop.Options()))
	return w
}

// follow reads the topics until the test ends.
func (w *world) follow() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var behind sync.WaitGroup
	behind.Go(func() {
		for ctx.Err() == nil {
			w.client.PollFetches(ctx).EachRecord(w.see)
		}
	})
	w.t.Cleanup(func() { cancel(); behind.Wait() })
}

// see notes one record.
func (w *world) see(r *kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	base, _ := w.prefix.Base(r.Topic)
	switch base {
	case topics.AvailabilityTopic:
		if a, err := topics.DecodeAvailability(r.Value); err == nil {
			w.latest[a.SKU] = a
			w.happened(a.SKU, "availability %d: actual %s reserved %s", a.Revision, a.Actual, a.Reserved)
		}
	case topics.SyncStatusTopic:
		if s, err := topics.DecodeSyncStatus(r.Value); err == nil {
			w.statuses[s.SKU] = s
			w.happened(s.SKU, "status %s %s, delivered %+v", s.State, s.Reason, s.Delivered)
		}
	case topics.SyncLogTopic:
		if l, err := topics.DecodeSyncLog(r.Value); err == nil {
			w.happened(l.SKU, "log %s %s: revision %d qty %s, %s %s, after %d ms", l.Trigger, l.Outcome, l.Revision, l.Qty,
				l.Code, l.Message, l.LatencyMs)
		}
	case topics.Listings:
		if l, err := topics.DecodeListing(r.Value); err == nil {
			w.listed[l.SKU] = l
		}
	}
}

// happened notes something about a SKU. The caller holds the mutex.
func (w *world) happened(sku, format string, args ...any) {
	text := time.Now().UTC().Format("05.000 ") + fmt.Sprintf(format, args...)
	w.past[sku] = append(w.past[sku], text)
}

// did notes something that the test did or saw.
func (w *world) did(sku, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened(sku, format, args...)
}

// tellStory prints what happened, when the test failed.
func (w *world) tellStory() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sku := range w.items {
		if w.t.Failed() {
			w.t.Logf("--- %s\n%s", sku, strings.Join(w.past[sku], "\n"))
		}
	}
}

func (w *world) produce(topic, key string, value []byte) {
	w.t.Helper()
	if topic != topics.Stores {
		w.did(key, "the ERP says %s", value)
	}
	r := &kgo.Record{Topic: w.prefix.Name(topic), Key: []byte(key), Value: value}
	if err := w.client.ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
		w.t.Errorf("produce %s: %v", topic, err)
	}
}

// until waits for something, with a limit.
func (w *world) until(cond func(context.Context) error) {
	w.t.Helper()
	w.untilWithin(patience, cond)
}

func (w *world) untilWithin(limit time.Duration, cond func(context.Context) error) {
	w.t.Helper()
	if w.t.Failed() {
		limit = time.Second // what comes after a failure tells little
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	if err := testenv.Until(ctx, 20*time.Millisecond, cond); err != nil {
		w.t.Error(err)
	}
}

// change changes what is known of a SKU.
func (w *world) change(sku string, f func(*item)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.items[sku] == nil {
		w.items[sku] = &item{}
	}
	f(w.items[sku])
}

// next returns a number that nothing else has.
func (w *world) next() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	return w.serial
}

// receive books goods in; units may be negative: booked out without an order.
func (w *world) receive(sku string, units int64) {
	w.t.Helper()
	w.change(sku, func(it *item) { it.actual += units })
	w.produce(topics.Mutations, sku, fmt.Appendf(nil, `{"line_id":"in-%d","version":1,"sku":%q,"warehouse":%q,"qty":%d,
		"effective_at":%q,"reason":"purchase_receipt"}`, w.next(), sku, warehouse, units, now()))
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

// order is one order of the shop's.
type order struct {
	sku   string
	units int64
	id    string // of the shop
	at    string // when it was placed
}

// place places an order in the shop, of which the ERP knows nothing yet. ok is false when the shop offers less.
func (w *world) place(sku string, units int64) (o order, ok bool) {
	w.t.Helper()
	id, err := w.shop.Order(w.t.Context(), sku, units)
	if err != nil {
		w.t.Logf("an order of %d %s was not taken: %v", units, sku, err)
		return order{}, false
	}
	w.change(sku, func(it *item) { it.promised += units })
	w.did(sku, "order %s of %d was placed", id, units)
	return order{sku: sku, units: units, id: id, at: now()}, true
}

// tell lets the ERP know an order, as one in some status.
func (w *world) tell(o order, status string) {
	w.t.Helper()
	w.produce(topics.Orders, o.sku, fmt.Appendf(nil, `{"order_line_id":%q,"version":%d,"sku":%q,"warehouse":%q,"status":%q,
		"ordered_qty":%d,"ordered_at":%q,"order_id":%q,"store":%q,"store_order_id":%q,"store_sku":%q}`,
		o.id, w.next(), o.sku, warehouse, status, o.units, o.at, o.id, storeID, o.id, o.sku))
}

// book lets the ERP know an order that is open.
func (w *world) book(o order) {
	w.change(o.sku, func(it *item) { it.reserved += o.units })
	w.tell(o, "open")
}

// ship lets the ERP ship an order that it knows: goods and promise go together.
func (w *world) ship(o order) {
	w.t.Helper()
	w.change(o.sku, func(it *item) {
		it.actual, it.reserved, it.promised = it.actual-o.units, it.reserved-o.units, it.promised-o.units
	})
	w.produce(topics.Mutations, o.sku, fmt.Appendf(nil, `{"line_id":"out-%s","version":1,"sku":%q,"warehouse":%q,"qty":%d,
		"effective_at":%q,"order_line_id":%q,"reason":"sales_invoice"}`, o.id, o.sku, warehouse, -o.units, now(), o.id))
}

// cancel lets the ERP cancel an order that it knows; last says that the shop has, before.
func (w *world) cancel(o order, last bool) {
	w.change(o.sku, func(it *item) {
		it.reserved -= o.units
		if !last {
			it.promised -= o.units
		}
	})
	w.tell(o, "cancelled")
}

// cancelThere cancels an order in the shop; last says that the ERP has, before.
func (w *world) cancelThere(o order, last bool) {
	w.t.Helper()
	if !last {
		w.change(o.sku, func(it *item) { it.promised -= o.units })
	}
	if err := w.shop.Cancel(w.t.Context(), o.id); err != nil {
		w.t.Errorf("cancel %s: %v", o.id, err)
	}
	w.did(o.sku, "the shop has cancelled %s", o.id)
}

// fulfil ships an order in the shop.
func (w *world) fulfil(o order) {
	w.t.Helper()
	if err := w.shop.Fulfil(w.t.Context(), o.id); err != nil {
		w.t.Errorf("fulfil %s: %v", o.id, err)
	}
	w.did(o.sku, "the shop has shipped %s", o.id)
}

// untilOffered waits until the shop offers so many, which nothing that the ERP says brings about.
func (w *world) untilOffered(sku string, offered int64) {
	w.t.Helper()
	w.untilWithin(sampleMost, func(context.Context) error {
		return w.offers(sku, offered)
	})
}

// settled waits until stocksync has dealt with everything that the ERP said of a SKU, and the shop offers so many.
func (w *world) settled(sku string, offered int64) {
	w.t.Helper()
	w.until(func(context.Context) error {
		if err := w.dealtWith(sku); err != nil {
			return err
		}
		return w.offers(sku, offered)
	})
}

// offers returns an error unless the shop offers so many.
func (w *world) offers(sku string, want int64) error {
	got, err := w.shop.Offered(w.t.Context(), sku)
	if err == nil && got != want {
		err = fmt.Errorf("%s: the shop offers %d, want %d", sku, got, want)
	}
	return err
}

// dealtWith returns what is missing until the shop has been brought to what the ERP said last.
func (w *world) dealtWith(sku string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	it, a, s := w.items[sku], w.latest[sku], w.statuses[sku]
	switch {
	case a == nil:
		return fmt.Errorf("%s has no availability", sku)
	case a.Actual != topics.Quantity(it.actual)*topics.One, a.Reserved != topics.Quantity(it.reserved)*topics.One:
		return fmt.Errorf("%s: actual %s and reserved %s, want %d and %d", sku, a.Actual, a.Reserved, it.actual, it.reserved)
	case s.Delivered == nil || s.Delivered.Revision < a.Revision || s.State != topics.StateSynced:
		return fmt.Errorf("%s: %s %s, delivered %+v, %+v, want revision %d synced", sku, s.State, s.Reason, s.Delivered, s.Error, a.Revision)
	}
	return nil
}

// watch looks at what the shop offers, again and again, until the function that it returns is called, which fails the
// test when the shop offered too much for longer than a round trip.
func (w *world) watch() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.watching.Go(func() {
		since := map[string]time.Time{} // when a shop was first seen to offer too much of a SKU
		for ctx.Err() == nil {
			w.mu.Lock()
			skus := maps.Clone(w.items)
			w.mu.Unlock()
			for sku := range skus {
				w.sample(ctx, sku, since)
			}
		}
	})
	return func() {
		w.t.Helper()
		cancel()
		w.watching.Wait()
		w.t.Logf("%d samples, of which %d with too much, for %s at a stretch", w.samples, w.over, w.longest.Round(time.Millisecond))
		if w.longest > roundTrip {
			w.t.Errorf("the shop offered too much for %s", w.longest)
		}
		if w.samples == 0 {
			w.t.Error("nobody looked")
		}
	}
}

// sample looks once. What is allowed may change while the shop answers: either limit will do.
func (w *world) sample(ctx context.Context, sku string, since map[string]time.Time) {
	before := w.limitOf(sku)
	began := time.Now()
	got, err := w.shop.Offered(ctx, sku)
	if err != nil {
		if ctx.Err() == nil {
			w.t.Errorf("look at %s: %v", sku, err)
		}
		return
	}
	w.samples++
	most := max(before, w.limitOf(sku))
	if got <= most {
		delete(since, sku)
		return
	}
	w.over++
	w.did(sku, "the shop offers %d, %d too many", got, got-most)
	first, again := since[sku]
	if !again {
		since[sku], first = began, began
	}
	if length := time.Since(first); length > w.longest {
		w.longest = length
	}
	if !again {
		w.t.Logf("%s: the shop offers %d, and %d are there that nobody was promised", sku, got, most)
	}
}

func (w *world) limitOf(sku string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items[sku].limit()
}
