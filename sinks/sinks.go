package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// Config holds what Sinks needs. Zero values of the numbers take the defaults named.
type Config struct {
	Brokers    []string
	ClientOpts []kgo.Opt // security, dialer; appended to every client's options
	Prefix     topics.Prefix
	InstanceID string            // for people: who wrote a status
	StateDir   string            // of its own
	Views      state.ViewsConfig // FS, Now; the rest is filled in
	Adapters   []Adapter
	// Credentials returns the secrets that a credentials_ref names. It is called often, so that a changed
	// secret is used at once; its errors must not hold one.
	Credentials func(ref string) (map[string]string, error)

	AllowPrivate   bool          // stores may have private and loopback addresses and plain http: demo, tests
	SessionTimeout time.Duration // of the group; 0 = 8 s
	RequestTimeout time.Duration // of one request to a store, and the wait after a crash; 0 = 10 s
	RetryFirst     time.Duration // wait after the first failure, doubled with each; 0 = 1 s
	RetryMost      time.Duration // 0 = 30 s
	StatusDelay    time.Duration // how long a passing state stands before its status is written; 0 = 1 s

	CatalogInterval time.Duration // between two passes over a shop's catalogue; 0 = 6 h
	ReadBackEvery   time.Duration // between two batches that are read back by day; 0 = 1 min
	Zone            *time.Location
	NightlyAt       time.Duration // since midnight in Zone: when every pair is read back

	Log      *slog.Logger
	Registry prometheus.Registerer // nil: metrics are kept and not shown

	retry backoff
}

// Sinks is one instance of the sink group.
type Sinks struct {
	c       Config
	metrics *metrics
	lease   *lease
	http    *HTTP
	owner   atomic.Pointer[owner] // nil before the tables have caught up
}

// New checks the configuration. It does no I/O.
func New(c Config) (*Sinks, error) {
	if c.InstanceID == "" || c.StateDir == "" || len(c.Brokers) == 0 {
		return nil, fmt.Errorf("sinks: brokers %q, instance id %q and state directory %q must be set",
			c.Brokers, c.InstanceID, c.StateDir)
	}
	setDefault(&c.SessionTimeout, 8*time.Second)
	setDefault(&c.RequestTimeout, 10*time.Second)
	setDefault(&c.RetryFirst, time.Second)
	setDefault(&c.RetryMost, 30*time.Second)
	setDefault(&c.StatusDelay, time.Second)
	setDefault(&c.CatalogInterval, 6*time.Hour)
	setDefault(&c.ReadBackEvery, time.Minute)
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	c.retry = backoff{first: c.RetryFirst, most: c.RetryMost}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Sinks{
		c: c, metrics: newMetrics(c.Registry), lease: &lease{timeout: c.SessionTimeout}, http: NewHTTP(c.AllowPrivate),
	}, nil
}

func setDefault(d *time.Duration, to time.Duration) {
	if *d <= 0 {
		*d = to
	}
}

// credentials reads the secrets of a store.
func (c *Config) credentials(ref string) (Credentials, error) {
	if c.Credentials == nil || ref == "" {
		return Credentials{}, nil
	}
	values, err := c.Credentials(ref)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %q: %w", ref, err)
	}
	return NewCredentials(values), nil
}

// Ready returns nil when the tables have caught up, the group has been heard of, and the stores that it
// gave us are at work; else why not.
func (s *Sinks) Ready() error {
	o := s.owner.Load()
	switch {
	case o == nil:
		return errors.New("reading tables")
	case !s.lease.valid(time.Now()):
		return errors.New("not a member of the sink group")
	case o.busy():
		return errors.New("taking stores over")
	}
	return nil
}

// Run owns stores until the context ends, and then lets them go in order. Another error is fatal: the
// process ends, and a new one takes up where this one was.
func (s *Sinks) Run(ctx context.Context) error {
	base, err := s.newClient(kgo.MaxBufferedRecords(unsentMost), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer base.Close()
	admin := kadm.NewClient(base)
	views, stores, err := s.openViews(ctx, admin)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	// What runs behind outlives ctx, until the stores are let go.
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	defer s.http.Close()
	o := &owner{
		tools: &tools{
			c: &s.c, views: views, lease: s.lease, http: s.http, metrics: s.metrics,
			storePartitions: int32(len(stores.Partitions)),
			writer:          newWriter(base, s.c.Prefix, s.metrics),
			adapters:        map[string]Adapter{},
		},
		log: s.c.Log, end: end, held: map[int32]*holding{}, shops: map[string]*shop{},
		releasing: make(chan struct{}, 1),
	}
	for _, a := range s.c.Adapters {
		o.adapters[a.Marketplace()] = a
	}
	g := &group{
		name: string(s.c.Prefix) + "sinks", topic: stores.Topic, topicID: stores.ID, base: base, admin: admin,
		log: s.c.Log,
	}
	o.marks = g
	err = s.runTail(ctx, life, end, o, g)
	o.tasks.Wait()
	return errors.Join(err, views.Close())
}

// unlessStopped returns an error that did not come of the context's end, which is no fault.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// runTail follows the topics, and is a member of the group while the tables are up to date.
func (s *Sinks) runTail(ctx, life context.Context, end func(error), o *owner, g *group) error {
	client, err := s.newClient(kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(tailWait), kgo.FetchMaxBytes(16<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	t := &tail{
		prefix: s.c.Prefix, client: client, admin: g.admin, views: o.views, metrics: s.metrics, log: s.c.Log,
		dispatch: o.dispatch,
	}
	if err := t.begin(ctx); err != nil {
		return unlessStopped(ctx, err)
	}
	o.caughtUp = t.caughtUp
	var behind sync.WaitGroup
	behind.Go(func() {
		if err := t.run(life); err != nil {
			end(err)
		}
	})
	behind.Go(func() { t.survey(life) })
	defer behind.Wait()
	defer end(nil) // after the group is left
	began := time.Now()
	if err := s.firstCatchUp(ctx, life, t); err != nil {
		return err
	}
	s.c.Log.Info("tables have caught up", "took", time.Since(began).String())
	return s.runGroup(ctx, life, o, g)
}

// firstCatchUp waits for the tables; either context ends it.
func (s *Sinks) firstCatchUp(ctx, life context.Context, t *tail) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	err := t.caughtUp(waiting)
	switch {
	case life.Err() != nil:
		return context.Cause(life)
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// runGroup is a member of the group until ctx ends or life does.
func (s *Sinks) runGroup(ctx, life context.Context, o *owner, g *group) error {
	if ctx.Err() != nil {
		return nil
	}
	alive, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	client, err := s.newClient(append(g.options(life, &s.c, o, s.lease), kgo.WithContext(alive))...)
	if err != nil {
		return err
	}
	g.client.Store(client)
	s.owner.Store(o)
	defer s.owner.Store(nil)
	polling, stop := context.WithCancel(life)
	var member sync.WaitGroup
	member.Go(func() { g.run(polling) })
	select {
	case <-ctx.Done():
	case <-life.Done():
	}
	if life.Err() == nil {
		o.release(life, o.partitions())
	} else {
		o.abandon(o.partitions())
	}
	stop()
	g.leave(context.WithoutCancel(ctx), client, kill)
	member.Wait()
	if life.Err() != nil {
		return context.Cause(life)
	}
	return nil
}

// newClient makes a client with the options that all of ours have.
func (s *Sinks) newClient(opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(s.c.Brokers...), kgo.MetadataMinAge(250 * time.Millisecond), kgo.ClientID("stocksync-sinks"),
	}
	client, err := kgo.NewClient(slices.Concat(all, opts, s.c.ClientOpts)...)
	if err != nil {
		return nil, fmt.Errorf("make kafka client: %w", err)
	}
	return client, nil
}

// openViews opens the tables for the cluster and the topics that are there, of which it returns `stores`.
func (s *Sinks) openViews(ctx context.Context, admin *kadm.Client) (*state.Views, kadm.TopicDetail, error) {
	names := []string{s.c.Prefix.Name(topics.SyncLogTopic)}
	for _, base := range bases() {
		names = append(names, s.c.Prefix.Name(base))
	}
	meta, err := admin.Metadata(ctx, names...)
	if err != nil {
		return nil, kadm.TopicDetail{}, fmt.Errorf("read metadata: %w", err)
	}
	c := s.c.Views
	c.Dir, c.Log = s.c.StateDir, s.c.Log
	c.Stamp = state.Stamp{ClusterID: meta.Cluster, Prefix: s.c.Prefix}
	c.TopicIDs = map[string][16]byte{}
	for _, name := range names {
		topic, ok := meta.Topics[name]
		if !ok || topic.Err != nil {
			return nil, kadm.TopicDetail{}, fmt.Errorf("topic %s: %w; run `stocksync topics ensure`",
				name, errMissing(topic.Err))
		}
	}
	for _, base := range bases() {
		c.TopicIDs[base] = meta.Topics[s.c.Prefix.Name(base)].ID
	}
	views, err := state.OpenViews(c)
	if err != nil {
		return nil, kadm.TopicDetail{}, err
	}
	return views, meta.Topics[s.c.Prefix.Name(topics.Stores)], nil
}

func errMissing(err error) error {
	if err == nil {
		return errors.New("it is not there")
	}
	return err
}
