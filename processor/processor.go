package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// Config holds what a Processor needs. Zero values of the numbers take the defaults named.
type Config struct {
	Brokers    []string
	ClientOpts []kgo.Opt // security, dialer; appended to every client's options
	Prefix     topics.Prefix
	InstanceID string // unique and stable: transactional ids are made of it
	StateDir   string
	State      state.Config // FS, CacheBytes; the rest is filled in
	Version    string       // of this release, for the task record

	Workers          int           // lanes; 0 = 1
	CommitInterval   time.Duration // 0 = 25 ms
	CommitMaxRecords int           // 0 = 20,000; a lane that is behind takes ten times as many
	MaxRecordBytes   int           // 0 = 1 MiB
	SessionTimeout   time.Duration // of the group; 0 = 8 s
	MaxLag           time.Duration // readiness; 0 = 60 s
	Policy           state.Policy

	Zone             *time.Location // of the nightly run; nil: UTC
	NightlyAt        time.Duration  // time of day; 0 is midnight
	NightlyRate      int            // SKUs a second of this instance; 0 = 2000
	ActiveWindow     time.Duration  // 0 = 48 h
	HistoryRetention time.Duration  // 0 = 45 days

	EmbeddedBroker bool // the demo's: its compaction moves the log start

	Log      *slog.Logger
	Registry prometheus.Registerer // nil: metrics are kept and not shown
	Now      func() time.Time      // nil: time.Now
	Crash    func(point string)    // tests: called at each point of the crash table; nil: none
}

// Processor runs the lanes of one instance.
type Processor struct {
	c       Config
	names   [3]string // full names of the inputs, in the order of state.InputBases
	admin   *kadm.Client
	client  *kgo.Client // the admin's
	store   *state.Store
	cluster cluster
	metrics *metrics
	lag     lag

	calendar calendar
	pace     pace

	mu    sync.Mutex
	lanes []*lane
}

// ErrFenced reports that another process uses this one's transactional ids.
var ErrFenced = errors.New("another process produces with the same INSTANCE_ID")

// New checks the configuration. It does no I/O.
func New(c Config) (*Processor, error) {
	if c.InstanceID == "" || c.StateDir == "" || len(c.Brokers) == 0 {
		return nil, fmt.Errorf("processor: brokers %q, instance id %q and state directory %q must be set",
			c.Brokers, c.InstanceID, c.StateDir)
	}
	c.Workers = max(c.Workers, 1)
	setDefault(&c.CommitInterval, 25*time.Millisecond)
	setDefault(&c.CommitMaxRecords, defaultCommitMaxRecords)
	setDefault(&c.MaxRecordBytes, 1<<20)
	setDefault(&c.SessionTimeout, 8*time.Second)
	setDefault(&c.MaxLag, time.Minute)
	setDefault(&c.Zone, time.UTC)
	setDefault(&c.NightlyRate, DefaultNightlyRate)
	setDefault(&c.ActiveWindow, 48*time.Hour)
	setDefault(&c.HistoryRetention, 45*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Processor{c: c, calendar: calendar{c.Zone, c.NightlyAt}, pace: pace{rate: float64(c.NightlyRate)}}
	for i, base := range state.InputBases() {
		p.names[i] = c.Prefix.Name(base)
	}
	p.metrics = newMetrics(c.Registry, p)
	return p, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Run checks the cluster and the topics, opens the state and folds until ctx ends. It returns nil
// after a graceful stop: the transaction in progress is finished and the group left. An error is
// one that a restart without a change would meet again, or ErrFenced.
func (p *Processor) Run(ctx context.Context) (err error) {
	if p.client, err = kgo.NewClient(p.clientOpts()...); err != nil {
		return fmt.Errorf("processor client: %w", err)
	}
	defer p.client.Close()
	p.admin = kadm.NewClient(p.client)
	if p.cluster, err = p.check(ctx); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil // stopped while it waited for a broker
		}
		return err
	}
	c := p.c.State
	c.Dir, c.Log = p.c.StateDir, p.c.Log
	c.Stamp = state.Stamp{
		ClusterID: p.cluster.id, Prefix: p.c.Prefix, ChangelogID: p.cluster.changelogID.String(),
	}
	if p.store, err = state.Open(c); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()
	return p.runLanes(ctx)
}

// runLanes runs every lane and ends them all with the first that fails.
func (p *Processor) runLanes(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg, lanes sync.WaitGroup
	lanes.Add(p.c.Workers)
	wg.Go(func() { p.watchLag(ctx) })
	wg.Go(func() { p.watchOrphans(ctx) })
	wg.Go(func() { p.watchAwaited(ctx) })
	errs := make([]error, p.c.Workers)
	for i := range p.c.Workers {
		l := newLane(p, i)
		p.mu.Lock()
		p.lanes = append(p.lanes, l)
		p.mu.Unlock()
		wg.Go(func() {
			defer lanes.Done()
			if errs[i] = l.run(ctx); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	lanes.Wait()
	cancel(nil)
	wg.Wait()
	return errors.Join(errs...)
}

const (
	defaultCommitMaxRecords = 20_000
	// fetchBytes is what a lane asks a broker for at a time, compressed, and so what waits beside the fetch that is
	// being folded: unpacked it is ten times as much.
	fetchBytes = 8 << 20
	// recordBytes is what a record of a transaction takes, roughly: as it came, its SKU, and what is produced.
	recordBytes = 2 << 10
)

// Memory returns how many bytes a processor of this configuration holds at most, one that catches up, but for what
// the garbage collector has yet to find.
func (c *Config) Memory() int64 {
	lane := 10*fetchBytes + recordBytes*int64(catchUpRecords*cmp.Or(c.CommitMaxRecords, defaultCommitMaxRecords))
	return c.State.Memory() + int64(max(c.Workers, 1))*lane
}

// maxBatchBytes bounds what a batch may take when it is decompressed: a hundred times what the broker
// takes of it compressed.
const maxBatchBytes = 256 << 20

// clientOpts are the options that all clients of the processor share.
func (p *Processor) clientOpts() []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(p.c.Brokers...),
		kgo.ClientID(clientID(p.c.InstanceID)),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(10 * time.Second),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.DisableClientMetrics(),
	}, p.c.ClientOpts...)
}

// crash calls the test's hook at a named point of the crash table.
func (p *Processor) crash(point string) {
	if p.c.Crash != nil {
		p.c.Crash(point)
	}
}
