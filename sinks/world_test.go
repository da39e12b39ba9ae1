package sinks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/sinks"
	"stocksync/sinks/webhook"
	"stocksync/state"
	"stocksync/testenv"
	"stocksync/topics"
)

// world is an installation without its processor: topics, a shop, and the sinks that a test starts. The test
// writes availability as the processor does, in transactions.
type world struct {
	*testing.T
	c      *testenv.Cluster
	prefix topics.Prefix
	shop   *testenv.Sandbox
	base   string      // of the shop's addresses
	out    *kgo.Client // for stores, settings and listings
	proc   *kgo.Client // for availability
	logs   *lockedBuffer

	running []func() // end the instances
	closed  []func() // end all else

	mu         sync.Mutex
	secrets    map[string]map[string]string // by credentials_ref
	stores     map[string]bool              // that are set up, and live
	latest     map[string]*topics.Availability
	revision   int64
	requests   []request
	statuses   map[string]*topics.SyncStatus // newest of the highest generation
	removed    map[string]bool               // statuses that were taken away
	logged     []*topics.SyncLog
	unlogged   bool  // requests may lack a record: an instance ended without writing it, or has no ids
	careless   bool  // records that are none are in the topics
	partitions int32 // of availability

	// answer, if set, answers requests in place of the shop: with a status above 0.
	answer func(r request) (status int, body string)
}

// request is what came over the network to the shop.
type request struct {
	id, store string
	at        time.Time
	skus      []string
	revisions []int64
}

// bubble runs a test in a world of virtual time: broker, shop and sinks talk through memory, and an hour
// costs nothing.
func bubble(t *testing.T, cfg testenv.SandboxConfig, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := testenv.StartKfake(t, testenv.KfakeVirtual)
		w := newWorld(t, c, testenv.NewSandbox(shopConfig(cfg)))
		listener, err := c.Network.Listen("tcp", "localhost:80")
		if err != nil {
			t.Fatal(err)
		}
		w.base = "http://localhost"
		server := &http.Server{Handler: w.recorder(), ReadHeaderTimeout: time.Minute}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		w.closed = append(w.closed, func() {
			_ = w.shop.Close()
			_ = server.Close()
			<-served
		})
		defer w.end()
		f(w)
	})
}

// shopConfig gives every store the canary as its secret: whatever a test looks at, it must not be there.
func shopConfig(cfg testenv.SandboxConfig) testenv.SandboxConfig {
	if cfg.Secret == "" {
		cfg.Secret = canary
	}
	return cfg
}

func newWorld(t *testing.T, c *testenv.Cluster, shop *testenv.Sandbox) *world {
	t.Helper()
	w := &world{
		T: t, c: c, prefix: c.Prefix(t), shop: shop, logs: &lockedBuffer{},
		secrets: map[string]map[string]string{"shop": {"secret": canary}}, stores: map[string]bool{},
		latest: map[string]*topics.Availability{}, partitions: 3, revision: time.Now().UnixMilli(),
		statuses: map[string]*topics.SyncStatus{}, removed: map[string]bool{},
	}
	w.out = w.newClient()
	_, err := topics.Ensure(t.Context(), kadm.NewClient(w.out), topics.EnsureConfig{
		Prefix: w.prefix, Partitions: 3, SinkPartitions: 4, AllowDeleteChangelog: !c.Real(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.proc = w.newClient(kgo.TransactionalID(string(w.prefix)+"test"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	w.observe()
	return w
}

func (w *world) newClient(opts ...kgo.Opt) *kgo.Client {
	cl, err := w.c.NewClient(opts...)
	if err != nil {
		w.Fatal(err)
	}
	w.closed = append(w.closed, cl.Close)
	return cl
}

// end stops all that the world has started, the newest first, and holds what happened against the rules.
func (w *world) end() {
	for _, f := range slices.Backward(w.running) {
		f()
	}
	w.checkRules()
	for _, f := range slices.Backward(w.closed) {
		f()
	}
}

// observe follows what the sinks write.
func (w *world) observe() {
	cl := w.newClient(kgo.ConsumeTopics(w.prefix.Name(topics.SyncStatusTopic), w.prefix.Name(topics.SyncLogTopic)))
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(w.see)
		}
	}()
	w.closed = append(w.closed, func() { cancel(); <-done })
}

func (w *world) see(r *kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hides("a record of "+r.Topic, string(r.Key)+string(r.Value))
	if base, _ := w.prefix.Base(r.Topic); base == topics.SyncLogTopic {
		l, err := topics.DecodeSyncLog(r.Value)
		if err != nil {
			w.Errorf("sync log: %v", err)
		}
		w.logged = append(w.logged, &l)
		return
	}
	key := string(r.Key)
	if r.Value == nil {
		delete(w.statuses, key)
		w.removed[key] = true
		return
	}
	s, err := topics.DecodeSyncStatus(r.Value)
	if err != nil && !w.careless {
		w.Errorf("sync status: %v", err)
	}
	if err != nil {
		return
	}
	if got := header(r, "generation"); got != strconv.FormatInt(s.Owner.Generation, 10) {
		w.Errorf("status of %s: header generation is %q, owner's is %d", key, got, s.Owner.Generation)
	}
	if held := w.statuses[key]; held == nil || held.Owner.Generation <= s.Owner.Generation {
		w.statuses[key] = &s
	}
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// recorder passes requests on to the shop, and remembers what they were.
func (w *world) recorder() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		var m struct {
			Data struct {
				Store   string
				Updates []struct {
					SKU      string
					Revision int64
				}
			}
		}
		if err := json.Unmarshal(body, &m); err != nil {
			w.Errorf("request: %v", err)
		}
		one := request{id: r.Header.Get("webhook-id"), store: m.Data.Store, at: time.Now()}
		for _, u := range m.Data.Updates {
			one.skus = append(one.skus, u.SKU)
			one.revisions = append(one.revisions, u.Revision)
		}
		if len(one.skus) == 0 {
			w.Error("a request without updates was sent")
		}
		w.mu.Lock()
		w.requests = append(w.requests, one)
		answer := w.answer
		w.mu.Unlock()
		if answer != nil {
			if status, text := answer(one); status > 0 {
				rw.WriteHeader(status)
				_, _ = io.WriteString(rw, text)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.shop.ServeHTTP(rw, r)
	})
}

// url is where a store takes updates.
func (w *world) url(store string) string {
	return w.base + "/stores/" + store
}

// instance is one instance of the sinks.
type instance struct {
	*sinks.Sinks
	w       *world
	cfg     sinks.Config
	wire    *testenv.Wire
	net     *network
	metrics *prometheus.Registry
	cancel  context.CancelFunc
	ended   chan struct{}
	wait    func() error // returns how it ended
}

// start starts an instance, with the files of one that has ended, if given.
func (w *world) start(id string, change ...func(c *sinks.Config)) *instance {
	w.Helper()
	i := &instance{w: w, wire: w.c.Wire(), net: &network{}, metrics: prometheus.NewRegistry()}
	i.cfg = sinks.Config{
		Brokers: w.c.Brokers, ClientOpts: append(slices.Clone(w.c.Opts), i.wire.Opt()), Prefix: w.prefix, InstanceID: id,
		Adapters: []sinks.Adapter{webhook.Adapter{}}, Credentials: w.credentials, AllowPrivate: true,
		Log:      slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})).With("instance", id),
		Registry: i.metrics, StateDir: "views", Views: state.ViewsConfig{FS: vfs.NewMem()},
	}
	if w.c.Network == nil {
		i.cfg.StateDir, i.cfg.Views.FS = w.TempDir(), nil
	}
	for _, f := range change {
		f(&i.cfg)
	}
	i.run()
	return i
}

func (i *instance) run() {
	w := i.w
	s, err := sinks.New(i.cfg)
	if err != nil {
		w.Fatal(err)
	}
	i.net.dial = (&net.Dialer{}).DialContext
	if w.c.Network != nil {
		i.net.dial = w.c.Network.DialContext
	}
	s.DialWith(i.net.Dial)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = s.Run(ctx)
	}()
	wait := func() error {
		<-ended
		return err
	}
	metrics := i.metrics
	i.Sinks, i.cancel, i.ended, i.wait = s, cancel, ended, wait
	w.running = append(w.running, func() {
		cancel()
		w.hides("the metrics", metricsText(w.T, metrics))
		if err := wait(); err != nil && !i.net.isCut() {
			w.Errorf("instance %s: %v", i.cfg.InstanceID, err)
		}
	})
}

// stop ends the instance as SIGTERM does.
func (i *instance) stop() {
	i.w.Helper()
	i.cancel()
	if err := i.wait(); err != nil {
		i.w.Errorf("stop %s: %v", i.cfg.InstanceID, err)
	}
}

// again starts an instance that has ended anew, with its files.
func (i *instance) again(change ...func(c *sinks.Config)) *instance {
	i.w.Helper()
	next := *i
	next.metrics, next.net, next.wire = prometheus.NewRegistry(), &network{}, i.w.c.Wire()
	next.cfg.Registry = next.metrics
	next.cfg.ClientOpts = append(slices.Clone(i.w.c.Opts), next.wire.Opt())
	for _, f := range change {
		f(&next.cfg)
	}
	next.run()
	return &next
}

// crash cuts the instance off from everybody, as kill -9 does; what it does then nobody sees.
func (i *instance) crash() {
	i.w.mu.Lock()
	i.w.unlogged = true
	i.w.mu.Unlock()
	i.net.cut()
	i.wire.Cut()
	i.cancel()
}

// network is the way of one instance to the shops.
type network struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	gone  bool
	conns []net.Conn
}

func (n *network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		_ = conn.Close()
		return nil, errors.New("the network is gone")
	}
	n.conns = append(n.conns, conn)
	return conn, nil
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	for _, c := range n.conns {
		_ = c.Close()
	}
}

func (n *network) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gone
}

// credentials is what the instances read secrets with.
func (w *world) credentials(ref string) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	values, ok := w.secrets[ref]
	if !ok {
		return nil, fmt.Errorf("there are no credentials of that name")
	}
	return maps.Clone(values), nil
}

// rotate changes secrets.
func (w *world) rotate(ref string, values map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets[ref] = values
	if values == nil {
		delete(w.secrets, ref)
	}
}

// store sets a store up, or changes it.
func (w *world) store(id string, change ...func(s *topics.Store)) {
	w.Helper()
	s := topics.Store{
		Store: id, Marketplace: "webhook", Warehouses: []string{"*"}, CredentialsRef: "shop", ChangedAt: topics.TimeOf(time.Now()),
		Options: topics.RawJSON(fmt.Sprintf(`{"url":%q,"batch":20}`, w.url(id))),
	}
	if id == topics.AllStores {
		s = topics.Store{Store: id}
	}
	for _, f := range change {
		f(&s)
	}
	w.mu.Lock()
	w.stores[id] = id != topics.AllStores
	w.mu.Unlock()
	w.produce(topics.Stores, s.Key(), s.Encode())
}

// setting changes the settings of a pair.
func (w *world) setting(store, sku string, change func(s *topics.ItemSettings)) {
	w.Helper()
	s := topics.ItemSettings{Store: store, SKU: sku, ChangedAt: topics.TimeOf(time.Now())}
	change(&s)
	w.produce(topics.ItemSettingsTopic, s.Key(), s.Encode())
}

// removeStore takes a store away.
func (w *world) removeStore(id string) {
	w.Helper()
	w.mu.Lock()
	delete(w.stores, id)
	w.mu.Unlock()
	w.produce(topics.Stores, []byte(id), nil)
}

// produce writes a record as the console or the CLI does.
func (w *world) produce(base string, key, value []byte) {
	w.Helper()
	r := &kgo.Record{Topic: w.prefix.Name(base), Key: key, Value: value}
	if err := w.out.ProduceSync(w.limit(), r).FirstErr(); err != nil {
		w.Fatalf("produce %s: %v", base, err)
	}
}

// limit bounds what must not take long.
func (w *world) limit() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	w.Cleanup(cancel)
	return ctx
}

// stock writes the availability of SKUs, given as "A=5 B=0", in one transaction, as the processor does.
func (w *world) stock(text string, change ...func(a *topics.Availability)) {
	w.Helper()
	var list []*topics.Availability
	for one := range strings.FieldsSeq(text) {
		sku, number, _ := strings.Cut(one, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			w.Fatal(err)
		}
		list = append(list, available(sku, 0, topics.Quantity(n)*qty))
	}
	for _, a := range list {
		w.mu.Lock()
		w.revision = max(w.revision+1, time.Now().UnixMilli())
		a.Revision, a.ProcessedAt = w.revision, topics.TimeOf(time.Now())
		a.FirstSeenAt = a.ProcessedAt
		if before := w.latest[a.SKU]; before != nil {
			a.FirstSeenAt = before.FirstSeenAt
		}
		a.Causes = []topics.Cause{{Topic: "stock.mutations", ID: fmt.Sprintf("line-%d", a.Revision)}}
		for _, f := range change {
			f(a)
		}
		w.latest[a.SKU] = a
		w.mu.Unlock()
	}
	w.commit(list, kgo.TryCommit)
}

// commit writes availability in one transaction. franz-go 1.22.2 counts its partitions in what it knows of the topic,
// which it may learn only after it has produced the first records: ended before, it aborts, and returns no error.
func (w *world) commit(list []*topics.Availability, end kgo.TransactionEndTry) {
	w.Helper()
	if err := w.proc.BeginTransaction(); err != nil {
		w.Fatal(err)
	}
	var produced kgo.FirstErrPromise
	for _, a := range list {
		w.proc.Produce(w.limit(), &kgo.Record{
			Topic: w.prefix.Name(topics.AvailabilityTopic), Partition: topics.PartitionOf([]byte(a.SKU), w.partitions),
			Key: []byte(a.SKU), Value: a.AppendJSON(nil),
			Headers: []kgo.RecordHeader{{Key: topics.HeaderRevision, Value: strconv.AppendInt(nil, a.Revision, 10)}},
		}, produced.Promise())
	}
	err := errors.Join(w.proc.Flush(w.limit()), produced.Err())
	w.eventually("the leader of availability", func() error {
		if leader, _, err := w.proc.PartitionLeader(w.prefix.Name(topics.AvailabilityTopic), 0); leader < 0 || err != nil {
			return fmt.Errorf("got %d, %w", leader, err)
		}
		return nil
	})
	if err := errors.Join(err, w.proc.EndTransaction(w.limit(), end)); err != nil {
		w.Fatal(err)
	}
}

// eventually waits for a condition, for at most some minutes of virtual time.
func (w *world) eventually(what string, cond func() error) {
	w.Helper()
	patience := 20 * time.Second
	if w.c.Network != nil {
		patience = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if err := testenv.Until(ctx, 10*time.Millisecond, func(context.Context) error { return cond() }); err != nil {
		w.Fatalf("%s: %v\n%s", what, err, w.logs)
	}
}

// pass lets virtual time go by.
func (w *world) pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.Context().Done():
	}
}

// status returns what the newest status of a pair says.
func (w *world) status(store, sku string) *topics.SyncStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses[store+"|"+sku]
}

// says waits until the status of a pair is "state reason".
func (w *world) says(store, sku, want string) *topics.SyncStatus {
	w.Helper()
	var s *topics.SyncStatus
	w.eventually("status of "+store+"|"+sku, func() error {
		got := "none"
		if s = w.status(store, sku); s != nil {
			got = string(s.State) + " " + string(s.Reason)
		}
		if got != want {
			return fmt.Errorf("got %s, want %s", got, want)
		}
		return nil
	})
	return s
}

// shows waits until the shop shows a quantity of a SKU.
func (w *world) shows(store, sku string, want topics.Quantity) {
	w.Helper()
	w.eventually("shop "+store+" "+sku, func() error {
		if got, revision, ok := w.shop.Quantity(store, sku); !ok || got != want*qty {
			return fmt.Errorf("got %s at %d (%v), want %d", got, revision, ok, want)
		}
		return nil
	})
}

// settled waits until every store shows every SKU as it is available, by its newest revision, and every
// status says so.
func (w *world) settled() {
	w.Helper()
	w.eventually("all shops at rest", w.difference)
}

func (w *world) difference() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for store, live := range w.stores {
		for sku, a := range w.latest {
			if !live {
				continue
			}
			got, revision, ok := w.shop.Quantity(store, sku)
			s := w.statuses[store+"|"+sku]
			want := topics.StateSynced
			switch {
			case !ok || got != a.Available || revision != a.Revision:
				return fmt.Errorf("shop %s shows %s of %s at %d, want %s at %d", store, got, sku, revision, a.Available, a.Revision)
			case s == nil || s.State != want || s.Delivered == nil || s.Delivered.Revision != a.Revision || s.Delivered.Qty != got:
				return fmt.Errorf("status of %s|%s is %+v, want %s at %d", store, sku, s, want, a.Revision)
			}
		}
	}
	return nil
}

// attempts returns how many requests carried a SKU to a store.
func (w *world) attempts(store, sku string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.requests {
		if r.store == store && slices.Contains(r.skus, sku) {
			n++
		}
	}
	return n
}

// answers sets what answers requests in place of the shop.
func (w *world) answers(f func(r request) (status int, body string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// since returns the requests to a store, or to all, from the nth on.
func (w *world) since(n int, store string) []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.requests[n:]), func(r request) bool { return store != "" && r.store != store })
}

// mark returns how many requests there were so far.
func (w *world) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

// logOf returns the sync log of a pair.
func (w *world) logOf(store, sku string) []*topics.SyncLog {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*topics.SyncLog
	for _, l := range w.logged {
		if l.Store == store && l.SKU == sku {
			list = append(list, l)
		}
	}
	return list
}

// checkRules holds all that happened against what must always be true: no violation of the dialect, no two
// requests of a pair at a time and no revision that went back (which the sandbox watches), one log record for
// each update of each request, and the secrets in no log.
func (w *world) checkRules() {
	for _, v := range w.shop.Violations() {
		w.Errorf("violation: %s %s|%s: %s", v.Kind, v.Store, v.SKU, v.Text)
	}
	w.hides("the instances' log", w.logs.all())
	if w.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second) // the observer may be behind
	defer cancel()
	if err := testenv.Until(ctx, 10*time.Millisecond, func(context.Context) error { return w.compareLog() }); err != nil {
		w.Errorf("sync log: %v", err)
	}
}

// compareLog compares the sync log with what came over the network.
func (w *world) compareLog() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent, told := map[string]int{}, map[string]int{}
	for _, r := range w.requests {
		for _, sku := range r.skus {
			sent[r.id+" "+r.store+"|"+sku] = 1 // again with the same id: a connection was replaced
		}
	}
	for _, l := range w.logged {
		if l.Outcome != sinks.OutcomeDecided && l.RequestID != "" {
			told[l.RequestID+" "+l.Store+"|"+l.SKU]++
		}
	}
	for key, n := range told {
		if n != 1 {
			return fmt.Errorf("%d records of %s, want 1", n, key)
		}
	}
	for key := range sent {
		if told[key] != 1 && !w.unlogged {
			return fmt.Errorf("no record of request %s", key)
		}
	}
	return nil
}

// hides fails the test when a text holds the secret.
func (w *world) hides(what, text string) {
	if strings.Contains(text, canary[6:]) {
		w.Errorf("%s holds the secret: %.300s", what, text)
	}
}

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// String returns the end of what was written.
func (b *lockedBuffer) String() string {
	text := b.all()
	return text[max(0, len(text)-20_000):]
}

// metric returns the value of one line of the instance's metrics.
func (i *instance) metric(name string) string {
	i.w.Helper()
	for line := range strings.Lines(metricsText(i.w.T, i.metrics)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "nothing"
}

// metricsText returns the metrics of a registry as a scraper sees them.
func metricsText(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return rec.Body.String()
}

// real runs a test in a world of wall time, on a cluster that may be a real one, and over sockets.
func real(t *testing.T, c *testenv.Cluster, cfg testenv.SandboxConfig, f func(w *world)) {
	t.Helper()
	shop := testenv.NewSandbox(shopConfig(cfg))
	w := newWorld(t, c, shop)
	server := httptest.NewServer(w.recorder())
	w.base = server.URL
	w.closed = append(w.closed, func() {
		_ = shop.Close()
		server.Close()
	})
	defer w.end()
	f(w)
}
