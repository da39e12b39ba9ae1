package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// Sizes and intervals of what the watcher shows.
const (
	changesShown  = 8
	delaysKept    = 2048 // newest, for the quantiles
	panelInterval = 500 * time.Millisecond
	plainInterval = 2 * time.Second
	plainChanges  = 2 // latest changes between two plain status lines
)

// watch follows the demo's availability and shops as anyone could, and shows what happens.
type watch struct {
	d     *demo
	out   io.Writer
	began time.Time
	names map[string]string // by SKU; written before run

	mu      sync.Mutex // guards what follows, and the output
	latest  map[string]*topics.Availability
	records int64
	first   time.Duration // until the first availability record of this run; 0 = none yet
	changes []string      // newest last
	delays  []time.Duration
	next    int // in delays, once it is full
	lines   int // of the panel on the screen
	shops   map[string]*shopCount
	seen    int64 // newest write of the sandbox that is counted
	before  tally // at the last status
}

// shopCount is what one shop was told in this run.
type shopCount struct {
	writes int64
	last   testenv.Write
}

// tally is what rates are made of.
type tally struct {
	at            time.Time
	sent, records int64
	writes        map[string]int64
}

func newWatch(d *demo, began time.Time) *watch {
	w := &watch{
		d: d, out: d.Stdout, began: began, names: map[string]string{}, latest: map[string]*topics.Availability{},
		shops: map[string]*shopCount{}, before: tally{at: time.Now(), writes: map[string]int64{}},
	}
	for _, s := range d.world.shops() {
		w.shops[s.id] = &shopCount{}
	}
	return w
}

// name tells the watch the name of a SKU.
func (w *watch) name(sku, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[sku] = name
}

// run reads availability from its start and shows what happens until ctx ends.
func (w *watch) run(ctx context.Context) error {
	cl, err := w.d.call.client(
		kgo.ConsumeTopics(w.d.topic(topics.AvailabilityTopic)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(scanWait),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { w.show(ctx, kadm.NewClient(cl)) })
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		for _, fault := range fetches.Errors() {
			if ctx.Err() == nil {
				w.d.log.Warn("watch availability", "err", fault.Err)
			}
		}
		fetches.EachRecord(w.take)
	}
	return nil
}

// take notes an availability record.
func (w *watch) take(r *kgo.Record) {
	a, err := topics.DecodeAvailability(r.Value)
	if err != nil {
		w.d.log.Warn("availability record cannot be read", "sku", string(r.Key), "err", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.latest[a.SKU]
	if before != nil && before.Revision >= a.Revision {
		return
	}
	w.latest[a.SKU] = a
	if a.ProcessedAt < topics.TimeOf(w.began) {
		return // of an earlier demo
	}
	w.records++
	if w.first == 0 {
		w.first = time.Since(w.began)
		w.sayLocked("first availability record after %.1f s: %s", w.first.Seconds(), w.words(before, a))
	}
	w.changes = append(w.changes, w.words(before, a))
	if len(w.changes) > changesShown {
		w.changes = slices.Delete(w.changes, 0, len(w.changes)-changesShown)
	}
	if a.Trigger != topics.TriggerEvent {
		return // a touch has no time of its own in the record
	}
	delay := a.ProcessedAt.Time().Sub(a.AsOf.Time())
	if len(w.delays) < delaysKept {
		w.delays = append(w.delays, delay)
		return
	}
	w.delays[w.next] = delay
	w.next = (w.next + 1) % delaysKept
}

// words tells what an availability record changed.
func (w *watch) words(before, a *topics.Availability) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", a.ProcessedAt.Time().In(w.d.cfg.Timezone).Format("15:04:05"), a.SKU)
	if name := w.names[a.SKU]; name != "" {
		b.WriteString(" " + name)
	}
	b.WriteString(": ")
	if len(a.Causes) > 0 {
		cause := a.Causes[len(a.Causes)-1]
		b.WriteString(strings.ReplaceAll(strings.TrimSpace(cause.Reason+" "+cause.Ref), "_", " ") + ", ")
	}
	if !a.Changed || before == nil {
		if before == nil {
			fmt.Fprintf(&b, "actual %s, reserved %s, available %s", a.Actual, a.Reserved, a.Available)
			return b.String()
		}
		fmt.Fprintf(&b, "no number changed, available %s", a.Available)
		return b.String()
	}
	held := map[string]topics.WarehouseStock{}
	for _, s := range before.Warehouses {
		held[s.Warehouse] = s
	}
	for _, s := range a.Warehouses {
		was := held[s.Warehouse]
		if was.Actual == s.Actual && was.Reserved == s.Reserved {
			continue
		}
		b.WriteString(s.Warehouse)
		if was.Actual != s.Actual {
			fmt.Fprintf(&b, " actual %s→%s", was.Actual, s.Actual)
		}
		if was.Reserved != s.Reserved {
			fmt.Fprintf(&b, " reserved %s→%s", was.Reserved, s.Reserved)
		}
		b.WriteString(", ")
	}
	fmt.Fprintf(&b, "available %s→%s", before.Available, a.Available)
	return b.String()
}

// show prints the state again and again until ctx ends.
func (w *watch) show(ctx context.Context, admin *kadm.Client) {
	interval := plainInterval
	if w.d.panel() {
		interval = panelInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		behind, dead := w.d.behind(ctx, admin)
		w.mu.Lock()
		w.countWrites()
		w.print(w.status(behind, dead))
		w.mu.Unlock()
	}
}

// countWrites adds what the shops were told since the last time.
func (w *watch) countWrites() {
	for _, write := range w.d.shops.Writes() {
		if write.Seq <= w.seen {
			continue
		}
		w.seen = write.Seq
		if count := w.shops[write.Store]; count != nil {
			count.writes++
			count.last = write
		}
	}
}

// behind returns how many input records are not folded yet, and how many became dead letters.
func (d *demo) behind(ctx context.Context, admin *kadm.Client) (behind, dead int64) {
	ends, err := admin.ListCommittedOffsets(ctx, d.topic(topics.Mutations), d.topic(topics.Orders))
	if err != nil {
		return 0, 0 // at the end of the demo; nothing to show then
	}
	for _, task := range d.processor.Tasks() {
		dead += task.Counters.DeadLettered
		for _, base := range []string{topics.Mutations, topics.Orders} {
			end, _ := ends.Lookup(d.topic(base), task.Partition)
			behind += max(0, end.Offset-task.Next[base])
		}
	}
	return behind, dead
}

// say prints a line of its own.
func (w *watch) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sayLocked(format, args...)
}

func (w *watch) sayLocked(format string, args ...any) {
	if w.d.panel() {
		w.clearPanel()
	}
	fmt.Fprintf(w.out, format+"\n", args...)
}
