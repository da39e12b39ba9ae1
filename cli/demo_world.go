package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// world is the business that the demo plays: a catalogue, shops and an endless traffic. Its exported fields are
// kept in the demo's directory, so that the next demo goes on where this one ended.
type world struct {
	Seed    uint64    `json:"seed"`
	SKUs    int       `json:"skus"`
	Start   time.Time `json:"start"`  // of the business clock
	Events  int64     `json:"events"` // of the traffic, sent so far
	Stocked bool      `json:"stocked"`

	path     string
	workload *testenv.Workload
	sent     atomic.Int64 // in this run, acknowledged
	failed   chan error   // the first record that the broker refused
}

// demoWarehouses is the number of warehouses in the demo.
const demoWarehouses = 3

// saveInterval is how often the number of events sent is written down; a crash repeats at most so much, which
// the fold takes for the duplicates they are.
const saveInterval = time.Second

// openWorld reads the world of the directory, or makes a new one.
func openWorld(o demoOptions) (*world, error) {
	w := &world{
		Seed: o.seed, SKUs: o.skus, Start: time.Now().UTC().Truncate(time.Second),
		path: filepath.Join(o.dir, "demo.json"), failed: make(chan error, 1),
	}
	text, err := os.ReadFile(w.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the demo's state: %w", err)
	default:
		if err := json.Unmarshal(text, w); err != nil {
			return nil, fmt.Errorf("read the demo's state %s: %w", w.path, err)
		}
		if w.Seed != o.seed || w.SKUs != o.skus {
			return nil, usagef("%s holds a demo with --seed %d --skus %d: give these, another --dir, or delete it",
				o.dir, w.Seed, w.SKUs)
		}
	}
	conf := testenv.RealisticWorkload(w.Seed)
	conf.SKUs, conf.Warehouses, conf.Stores, conf.Start = w.SKUs, demoWarehouses, len(w.shops()), w.Start
	conf.WrongPartition = 0 // the demo's producer is well-behaved
	const eventsPerTransaction = 1.5
	conf.Step = time.Duration(eventsPerTransaction / o.rate * float64(time.Second)) // business time is real time
	w.workload = testenv.NewWorkload(conf)
	for range w.Events {
		w.workload.Next() // was sent by an earlier demo
	}
	return w, nil
}

// save writes the world down, whole or not at all.
func (w *world) save() error {
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	if err := os.WriteFile(w.path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	if err := os.Rename(w.path+".new", w.path); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	return nil
}

// shop is one sandbox shop and what it shows.
type shop struct {
	id, words  string
	warehouses []string
	percent    topics.Quantity
}

// shops are the demo's shops.
func (w *world) shops() []shop {
	const all, half = 100 * topics.One, 50 * topics.One
	jakarta := testenv.WarehouseName(0)
	return []shop{
		{testenv.StoreName(0), "all warehouses", []string{topics.AllWarehouses}, all},
		{testenv.StoreName(1), "only " + jakarta, []string{jakarta}, all},
		{testenv.StoreName(2), "half of all warehouses", []string{topics.AllWarehouses}, half},
	}
}

// shows returns what the shop must show of an availability: whole units, never below 0.
func (s shop) shows(a *topics.Availability) topics.Quantity {
	var net topics.Quantity
	for _, w := range a.Warehouses {
		for _, offered := range s.warehouses {
			if offered == topics.AllWarehouses || offered == w.Warehouse {
				net += w.Net
			}
		}
	}
	const roundUp = 10 // millionths: 0.99999 counts as 1
	share := net * (s.percent / topics.One) / 100
	return max(0, (share+roundUp)/topics.One*topics.One)
}

// open sends what is there before the traffic: shops, names and, the first time, opening stock.
func (w *world) open(ctx context.Context, d *demo) error {
	var records []*kgo.Record
	add := func(base string, key, value []byte) {
		records = append(records, &kgo.Record{Topic: d.topic(base), Key: key, Value: value})
	}
	now := topics.TimeOf(time.Now())
	for _, s := range w.shops() {
		options, err := json.Marshal(map[string]any{"url": d.shops.URL(s.id), "batch": 50})
		if err != nil {
			return fmt.Errorf("make the demo's shops: %w", err)
		}
		percent := s.percent
		store := topics.Store{
			Store: s.id, Marketplace: "webhook", Name: s.id, Mode: topics.ModeLive, Warehouses: s.warehouses,
			Percent: &percent, CredentialsRef: "demo", Options: topics.RawJSON(options), ChangedBy: "demo", ChangedAt: now,
		}
		if w.Stocked {
			// The sandbox forgets what it was told; a person would press "resync" in such a case.
			store.ResyncRequestedAt = now
		}
		add(topics.Stores, store.Key(), store.Encode())
	}
	names := rand.New(rand.NewPCG(w.Seed, 1)) //nolint:gosec // one seed gives one demo
	for i := range w.SKUs {
		item := topics.Item{SKU: testenv.SKUName(i), Name: itemName(names), UOM: "pcs"}
		d.watch.name(item.SKU, item.Name)
		add(topics.Items, item.Key(), item.Encode())
	}
	if !w.Stocked {
		stock := rand.New(rand.NewPCG(w.Seed, 2)) //nolint:gosec // one seed gives one demo
		for i := range w.SKUs {
			for at := range demoWarehouses {
				m := w.opening(i, at, stock)
				add(topics.Mutations, []byte(m.SKU), m.AppendJSON(nil))
			}
		}
	}
	if err := d.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("set the demo's stage: %w", err)
	}
	w.Stocked = true
	return w.save()
}

// opening is the opening count of a SKU in a warehouse, an hour before the traffic.
func (w *world) opening(sku, warehouse int, stock *rand.Rand) *topics.Mutation {
	name, at := testenv.SKUName(sku), testenv.WarehouseName(warehouse)
	return &topics.Mutation{
		LineID: "opening/" + name + "/" + at, Version: 1, SKU: name, Warehouse: at, Kind: topics.KindCount,
		Qty:         topics.Quantity(5+stock.IntN(120)) * topics.One,
		EffectiveAt: topics.TimeOf(w.Start.Add(-time.Hour)), Reason: "opname", VoucherNo: "OPENING",
	}
}

// itemName makes up the name of a thing that a shop sells.
func itemName(r *rand.Rand) string {
	pick := func(words string) string {
		list := strings.Fields(words)
		return list[r.IntN(len(list))]
	}
	return strings.Join([]string{
		pick("Kaos Kemeja Celana Jaket Topi Sepatu Sandal Tas Sarung Batik Kerudung Daster"),
		pick("Polos Lurik Garis Bunga Sport Kasual Anak Pria Wanita"),
		pick("Merah Biru Hitam Putih Hijau Kuning Abu Coklat"),
		pick("S M L XL"),
	}, " ")
}

// traffic sends events at the demo's rate until ctx ends.
func (w *world) traffic(ctx context.Context, d *demo) error {
	const tickInterval = 10 * time.Millisecond
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	save := time.NewTicker(saveInterval)
	defer save.Stop()
	sending, release := outlive(ctx, flushTimeout)
	defer release()
	began, sent := time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			if err := d.client.Flush(sending); err != nil {
				return fmt.Errorf("flush the demo's traffic: %w", err)
			}
			return w.save()
		case err := <-w.failed:
			return err
		case <-save.C:
			if err := w.save(); err != nil {
				return err
			}
		case <-tick.C:
			due := int64(time.Since(began).Seconds() * d.opts.rate)
			for ; sent < due; sent++ {
				w.send(sending, d)
			}
		}
	}
}

// send produces the next event of the traffic.
func (w *world) send(ctx context.Context, d *demo) {
	e := w.workload.Next()
	w.Events++
	r := &kgo.Record{Topic: d.topic(e.Topic), Key: e.Key, Value: e.Value}
	d.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case w.failed <- fmt.Errorf("produce the demo's traffic: %w", err):
			default: // an earlier one is told
			}
			return
		}
		w.sent.Add(1)
	})
}
