package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"stocksync/sinks/limit"
	"stocksync/state"
	"stocksync/topics"
)

// tools are what all reconcilers of an instance share.
type tools struct {
	c        *Config
	views    *state.Views
	writer   *writer
	lease    *lease
	http     *HTTP
	metrics  *metrics
	adapters map[string]Adapter
	// storePartitions is the partition count of `stores`.
	storePartitions int32
	// caughtUp waits until the tables hold what was committed before the call.
	caughtUp func(ctx context.Context) error
}

// reconciler brings one store to what is wanted. It is level-triggered: it compares what the tables say
// with what was delivered, and holds only the pairs that are not at rest. Nothing is lost when it ends,
// and latest wins, because what to send is worked out when it looks, never queued.
//
// All fields but tools, store and inbox belong to the goroutine in run, and before it to load and rescan.
type reconciler struct {
	*tools
	store      string
	generation atomic.Int64 // of the owner: higher than in any status before; 0 until begin
	inbox      *inbox
	log        *slog.Logger
	m          *shopMetrics
	sendAfter  time.Time // a predecessor that crashed may have requests in flight until then

	policy      *policy
	session     Session // nil: the store can't be opened
	shop        shopFacts
	credentials Credentials
	limiter     *limit.Limiter // nil: no session yet
	revisions   *limit.Daily   // of a listing; nil: no limit
	fault       error          // of the notes: it ends the run

	works       map[string]*work
	ready       *queue
	timed       *timers
	unpublished []deferred
	written     map[string]*written
	serial      int64               // of the last status written
	unwritten   map[string]struct{} // statuses that Kafka did not take
	rewriteAt   time.Time
	dirty       dirt

	catalogue   catalogue
	passes      chan passed
	near        nearMisses
	nearAt      time.Time // no walk for near misses before
	nearRunning bool
	nears       chan nears
	sampling    sampling
	samples     chan sample
	drifts      map[string]*drift // pairs that were changed on the marketplace and are not repaired yet
	shopSerial  int               // grows when the record leads to another shop

	brake  brake
	braked map[string]struct{} // pairs that the brake holds
	risky  map[string]struct{} // pairs whose shop offers too much and can't be told

	inFlight   int // requests
	results    chan result
	requests   sync.WaitGroup
	failures   int       // whole requests that failed in a row
	failedAt   time.Time // when the last of them ended
	pausedTill time.Time // no request before
	paceTill   time.Time // the limiter gives no leave before, for an update of pacedRank or less
	pacedRank  rank
	recheckAt  time.Time // when to see whether credentials changed; zero: no need
	token      tokenState
	rescanDue  bool
	fenced     bool // a later owner has written
}

// deferred is a status that is written unless it changes before.
type deferred struct {
	w  *work
	at time.Time
}

// written is a status that the tables may not hold yet.
type written struct {
	status *topics.SyncStatus
	serial int64
	offset int64 // once acknowledged; -1 before
	seen   int64 // highest offset of the pair that the tables hold; -1: none
}

// recheckEvery is how often a store that is stopped looks whether its credentials changed.
const recheckEvery = 30 * time.Second

// looksAtOnce bounds how many pairs are looked at between two looks at everything else.
const looksAtOnce = 2000

// rewriteAfter is how long a status that Kafka did not take waits for the next try.
const rewriteAfter = time.Second

func newReconciler(t *tools, store string) *reconciler {
	r := &reconciler{
		tools: t, store: store, inbox: newInbox(),
		log: t.c.Log.With("store", store), m: t.metrics.store(store),
		works: map[string]*work{}, ready: newQueue(), timed: newTimers(), written: map[string]*written{},
		unwritten: map[string]struct{}{}, dirty: dirt{}, brake: brake{fell: map[string]fall{}},
		braked: map[string]struct{}{}, risky: map[string]struct{}{},
		results: make(chan result, mostInFlight), passes: make(chan passed, 1), nears: make(chan nears, 1),
		samples: make(chan sample, 1), sampling: sampling{short: map[string]shortage{}}, drifts: map[string]*drift{},
		near: newNearMisses(),
	}
	return r
}

// load reads the store's record and opens its session anew.
func (r *reconciler) load() error {
	var values [2][]byte
	for i, id := range []string{r.store, topics.AllStores} {
		value, ok, err := r.views.View(topics.Stores).Get([]byte(id))
		if err != nil {
			return err
		}
		if ok {
			values[i] = value
		}
	}
	r.policy = newPolicy(r.store, values[0], values[1])
	return r.open()
}

// open makes a session of the store's record. What the shop said of its limits holds on, as long as it is
// the same shop. An error is one of the notes.
func (r *reconciler) open() error {
	was, before := r.shop, r.session
	r.session = nil
	r.shop = shopFacts{policy: r.policy, recoveredAt: was.recoveredAt, passAt: was.passAt}
	r.token, r.recheckAt = tokenState{}, time.Time{}
	entrance := newGate(r.c.RequestTimeout)
	if r.policy.store != nil {
		r.session, r.shop.err = r.openSession(r.policy.store, entrance)
	}
	r.shop.listed = r.listed(was)
	switch {
	case r.session == nil:
	case before != nil && sameShop(was.policy, r.policy) && was.traits == r.session.Traits():
		r.shop.traits, r.shop.outage, r.shop.pausedUntil = was.traits, was.outage, was.pausedUntil
	default:
		r.shop.traits = r.session.Traits()
		r.resetCatalogue()
		if err := r.newLimits(); err != nil {
			return err
		}
		r.failures, r.failedAt, r.pausedTill, r.paceTill = 0, time.Time{}, time.Time{}, time.Time{}
		r.shop.recoveredAt = topics.TimeOf(time.Now()) // what failed elsewhere need not wait
	}
	if r.session != nil {
		entrance.open(r.limiter, r.shop.traits.InFlight)
	}
	if r.shop.err != nil {
		if was.err == nil || was.err.Error() != r.shop.err.Error() {
			r.log.Warn("store cannot be opened", "error", r.shop.err)
		}
		r.recheckAt = time.Now().Add(recheckEvery)
	}
	if r.policy.err != nil {
		r.log.Warn("store record cannot be used", "error", r.policy.err)
	}
	r.showStopped()
	return nil
}

// newLimits starts to count the store's requests anew, but for those of budgets of a day.
func (r *reconciler) newLimits() (err error) {
	rate, name := r.shop.traits.Rate, "limit/"+r.store
	r.limiter, err = limit.New(rate, name, r.views)
	r.revisions = nil
	if err == nil && rate.Revisions > 0 {
		r.revisions, err = limit.NewDaily(rate.Revisions, rate.Zone, name+"/revisions", r.views)
	}
	return err
}

// sameShop tells whether two records lead to the same door.
func sameShop(a, b *policy) bool {
	return a != nil && a.store != nil && b.store != nil && a.store.Marketplace == b.store.Marketplace &&
		a.store.CredentialsRef == b.store.CredentialsRef && bytes.Equal(a.store.Options, b.store.Options)
}

// listed tells whether pairs of the store exist by listing. A record that can't be read doesn't say; then
// what was true before, or the listings that are there, decide, so that no statuses come up for pairs that
// are none.
func (r *reconciler) listed(was shopFacts) bool {
	if r.policy.store != nil {
		adapter, known := r.adapters[r.policy.store.Marketplace]
		return !known || adapter.Listed()
	}
	if was.policy != nil {
		return was.listed
	}
	found := errors.New("there is a listing")
	err := r.views.View(topics.Listings).Scan([]byte(r.store+"|"), func(_, _ []byte) error { return found })
	return errors.Is(err, found)
}

func (r *reconciler) openSession(s *topics.Store, entrance *gate) (Session, error) {
	adapter, ok := r.adapters[s.Marketplace]
	if !ok {
		return nil, fmt.Errorf("there is no adapter for marketplace %q", s.Marketplace)
	}
	read := func() (Credentials, error) { return r.c.credentials(s.CredentialsRef) }
	session, err := adapter.Open(Account{
		Store: r.store, Options: s.Options, Credentials: read, HTTP: r.http.through(entrance), told: entrance.told,
	})
	if err != nil {
		return nil, err
	}
	if err := checkReads(session, s, r.policy); err != nil {
		return nil, err
	}
	r.credentials, _ = read() // only to see a change later; the session reads for itself
	return session, nil
}

// errNoReading reports a store that can't be brought to its numbers without a reading, where there is none.
var errNoReading = errors.New("this marketplace has no call that reads what the shop shows")

// checkReads tells whether a session can do all that its store needs.
func checkReads(session Session, s *topics.Store, p *policy) error {
	traits := session.Traits()
	if _, can := session.(Reader); can {
		return nil
	}
	switch {
	case traits.Number == NumberPhysical:
		return fmt.Errorf("what is allocated must be read: %w", errNoReading)
	case p.readsFirst(&traits):
		return fmt.Errorf("in_flight of store %q is %q: %w", s.Store, topics.InFlightRead, errNoReading)
	}
	return nil
}

func (r *reconciler) showStopped() {
	r.m.stopped.Set(0)
	if r.session == nil || r.shop.trouble != nil {
		r.m.stopped.Set(1)
	}
}

// head says what to scan for.
func (r *reconciler) head() scanHead {
	return scanHead{store: r.store, listed: r.shop.listed}
}

// errStopping ends a scan early.
var errStopping = errors.New("stopping")

// rescan looks at every pair of the store.
func (r *reconciler) rescan(ctx context.Context) error {
	snapshot := r.views.Snapshot()
	heard := r.dirty
	r.dirty = dirt{}
	n, shop := 0, r.shop // as it is now
	r.brake.positive = 0
	err := sweep(ctx, snapshot, []scanHead{r.head()}, []*shopFacts{&shop}, func(p *swept) error {
		if n++; n%looksAtOnce == 0 && r.stopping(ctx) {
			return errStopping
		}
		r.sweepBy(ctx, p, heard[p.sku])
		return nil
	})
	err = errors.Join(err, snapshot.Close())
	if errors.Is(err, errStopping) {
		return nil
	}
	return err
}

func (r *reconciler) stopping(ctx context.Context) bool {
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	return ctx.Err() != nil || r.inbox.mail.release || r.inbox.mail.remove
}

// run reconciles until the inbox says release or remove, or the context ends: then requests in flight are
// cut off. It returns when no goroutine of its own is left.
func (r *reconciler) run(ctx context.Context) error {
	defer r.requests.Wait()
	background, cancel := context.WithCancel(ctx) // of what is only read: it ends when the store is let go
	defer cancel()
	for ctx.Err() == nil {
		mail := r.inbox.take()
		if err := r.read(ctx, &mail); err != nil {
			return err
		}
		if mail.release || mail.remove {
			cancel()
			return r.finish(ctx, mail.remove)
		}
		now := time.Now()
		if err := r.wakeUp(ctx, now); err != nil {
			return err
		}
		if err := r.applyBrake(ctx, now); err != nil {
			return err
		}
		if err := errors.Join(r.publish(ctx, now), r.fault); err != nil {
			return err
		}
		if err := r.send(ctx, now); err != nil {
			return err
		}
		r.readCatalogue(background, now)
		r.lookForNear(now)
		r.readBack(background, now)
		r.m.backlog.Set(float64(r.ready.len()))
		if err := r.wait(ctx, now); err != nil {
			return err
		}
	}
	return nil
}

// read deals with what others left.
func (r *reconciler) read(ctx context.Context, mail *mail) error {
	if mail.fenced && !r.fenced {
		r.fenced = true
		r.log.Error("a later owner has written a status of this store: sending nothing", "generation", r.generation.Load())
	}
	for sku, a := range mail.acked {
		r.acknowledged(sku, a)
	}
	for sku, offset := range mail.seen {
		r.sawStatus(sku, offset)
	}
	for _, sku := range mail.failed {
		r.unwritten[sku] = struct{}{}
		r.rewriteAt = time.Now().Add(rewriteAfter)
	}
	for sku, heard := range mail.dirty {
		r.dirty[sku] = append(r.dirty[sku], heard...)
	}
	if mail.release || mail.remove {
		return nil
	}
	if mail.record {
		if err := r.load(); err != nil {
			return err
		}
		r.rescanDue = true
	}
	if r.rescanDue {
		r.rescanDue = false
		return r.rescan(ctx)
	}
	return r.lookDirty(ctx)
}

// lookDirty looks at pairs that something happened to, and leaves some for later when they are many:
// what is ready need not wait for all of them.
func (r *reconciler) lookDirty(ctx context.Context) error {
	n := 0
	for sku, heard := range r.dirty {
		if n++; n > looksAtOnce {
			break
		}
		delete(r.dirty, sku)
		if err := r.look(ctx, sku, heard); err != nil {
			return err
		}
	}
	return nil
}

// wakeUp looks at the pairs whose time has come.
func (r *reconciler) wakeUp(ctx context.Context, now time.Time) error {
	for range looksAtOnce {
		w := r.timed.pop(now)
		if w == nil {
			break
		}
		w.place = placeNone
		if err := r.look(ctx, w.sku, nil); err != nil {
			r.log.Error("look at pair", "sku", w.sku, "error", err)
			w.place, w.wakeAt = placeTimed, now.Add(recheckEvery)
			r.timed.add(w)
		}
	}
	r.reopen(now)
	if !r.recheckAt.IsZero() && !now.Before(r.recheckAt) {
		return r.recheck(now)
	}
	return nil
}

// recheck sees whether what stops the store has changed where no record tells: its credentials.
func (r *reconciler) recheck(now time.Time) error {
	r.recheckAt = now.Add(recheckEvery)
	if r.policy.store == nil {
		return nil
	}
	c, err := r.c.credentials(r.policy.store.CredentialsRef)
	unread := r.shop.trouble != nil && r.shop.trouble.outcome.Code == CodeCredentials
	switch {
	case r.shop.err != nil, unread && err == nil, err == nil && !c.equal(r.credentials):
	default:
		return nil
	}
	was := r.shop.err
	if err := r.open(); err != nil {
		return err
	}
	if was == nil || r.shop.err == nil || r.shop.err.Error() != was.Error() {
		r.rescanDue = true
	}
	return nil
}

// wait blocks until there is something to do.
func (r *reconciler) wait(ctx context.Context, now time.Time) error {
	timer := time.NewTimer(max(0, r.nextTime(now).Sub(now)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.inbox.wake:
	case <-timer.C:
	case done := <-r.results:
		return r.handle(ctx, done)
	case done := <-r.passes:
		r.handlePass(done)
	case found := <-r.nears:
		return r.handleNear(found)
	case done := <-r.samples:
		return r.handleSample(ctx, done)
	}
	return nil
}

// nextTime is when the next thing happens by itself.
func (r *reconciler) nextTime(now time.Time) time.Time {
	next := now.Add(time.Minute)
	consider := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	consider(r.timed.first())
	if len(r.unpublished) > 0 {
		consider(r.unpublished[0].at)
	}
	consider(r.recheckAt)
	if t := r.shop.trouble; t != nil && !t.until.IsZero() {
		consider(t.until.Time())
	}
	if len(r.near.fresh) > 0 && !r.nearRunning {
		consider(later(now, r.nearAt))
	}
	if !r.blocked() {
		consider(r.nextReading(now))
	}
	if len(r.unwritten) > 0 {
		consider(r.rewriteAt)
	}
	if r.rescanDue || len(r.dirty) > 0 {
		consider(now)
	}
	if (r.ready.len() > 0 || r.token.wanted) && !r.blocked() {
		switch {
		case now.Before(r.sendAfter):
			consider(r.sendAfter)
		case now.Before(r.pausedTill):
			consider(r.pausedTill)
		case r.paced(now):
			consider(r.paceTill)
		case !r.lease.valid(now):
			consider(now.Add(leaseEvery))
		}
	}
	return next
}

// nextReading is when the catalogue is read next, or the shop read back; zero: when what is under way has ended, or
// never.
func (r *reconciler) nextReading(now time.Time) time.Time {
	var at time.Time
	if r.token.wanted || r.token.refreshing {
		return at
	}
	if !r.catalogue.running {
		at = r.catalogueAt()
	}
	if _, can := r.session.(Reader); can && !r.sampling.running {
		next := r.sampling.nextAt
		if night := r.sampling.nightAt; !night.IsZero() && night.Before(next) {
			next = night
		}
		if at.IsZero() || next.Before(at) {
			at = later(next, time.Unix(0, 1))
		}
	}
	switch {
	case at.IsZero():
		return at
	case !r.lease.valid(now):
		return now.Add(leaseEvery)
	}
	return later(at, later(r.sendAfter, r.pausedTill))
}

// leaseEvery is how often an owner that may not send looks whether it may again.
const leaseEvery = 100 * time.Millisecond

// finish ends in order: requests in flight are waited for, and their statuses written.
func (r *reconciler) finish(ctx context.Context, remove bool) error {
	for r.inFlight > 0 {
		select {
		case done := <-r.results:
			if err := r.handle(ctx, done); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	if !remove {
		return nil
	}
	return r.erase(ctx)
}

// erase takes the store's statuses away, and returns when Kafka has taken every tombstone: whoever sets
// the store up again must not meet a status that is about to go.
func (r *reconciler) erase(ctx context.Context) error {
	left := map[string]struct{}{}
	for sku := range r.written {
		left[sku] = struct{}{}
	}
	err := r.views.View(topics.SyncStatusTopic).Scan([]byte(r.store+"|"), func(key, _ []byte) error {
		if _, sku, ok := topics.SplitPairKey(key); ok {
			left[sku] = struct{}{}
		}
		return ctx.Err()
	})
	for err == nil && len(left) > 0 && ctx.Err() == nil {
		r.eraseOnce(ctx, left)
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what ended it is no fault of the tables
	}
	return err
}

// eraseOnce writes tombstones and strikes off those that Kafka took; when it refused some, it waits.
func (r *reconciler) eraseOnce(ctx context.Context, left map[string]struct{}) {
	type answer struct {
		sku string
		err error
	}
	answers := make(chan answer, len(left)) // never full: callbacks must not wait for us
	for sku := range left {
		r.writer.remove(ctx, r.store, sku, r.generation.Load(), func(err error) { answers <- answer{sku, err} })
	}
	refused := false
	for range cap(answers) {
		select {
		case a := <-answers:
			if refused = refused || a.err != nil; a.err == nil {
				delete(left, a.sku)
			}
		case <-ctx.Done():
			return
		}
	}
	if refused {
		r.log.Error("statuses were not removed: trying again", "count", len(left))
		pause(ctx, rewriteAfter)
	}
}

// pause waits for a while, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
