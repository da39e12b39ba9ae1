package sinks

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"stocksync/topics"
)

// owner runs the reconcilers of the stores that this instance owns: those whose records lie in the
// partitions of `stores` that the group has given it.
//
//	assign -> acquiring -> running -> released | abandoned
//
// Invariants:
//
//	S1: a store has one reconciler in this instance, and sends only while its partition is held
//	S2: after a predecessor that did not let go in order, nothing is sent for one request timeout
//	S3: nothing is sent when the group was not heard of for a session timeout
type owner struct {
	*tools
	log   *slog.Logger
	end   func(error) // ends Run
	marks marks
	tasks sync.WaitGroup

	// releasing holds a token while partitions are let go: whoever does waits for another who does, so that a
	// rebalance while the instance ends does not hand stores on before their last request is answered. It is
	// taken before mu.
	releasing chan struct{}

	mu        sync.Mutex
	held      map[int32]*holding
	shops     map[string]*shop
	acquiring int
}

// marks reads and writes the notes that owners leave beside a partition for their successors.
type marks interface {
	// released returns the partitions whose last owner let go in order.
	released(ctx context.Context, partitions []int32) (map[int32]bool, error)
	// set notes that partitions are held, or released; an error when the group has given them away.
	set(ctx context.Context, partitions []int32, released bool) error
}

// holding is a partition of `stores` that was given to this instance. Its fields are guarded by owner.mu.
type holding struct {
	generation int64
	sendAfter  time.Time
	running    bool // its stores are listed: one that comes up is added
	gone       bool // let go: nothing is added any more
	lost       bool // taken away: nothing more may be sent
}

// shop is a store with its reconciler.
type shop struct {
	*reconciler
	partition int32
	holding   *holding
	cancel    context.CancelFunc // nil until it runs; guarded by owner.mu
	done      chan struct{}      // closed when it has ended
}

// assign takes over partitions. It returns at once; acquiring goes on behind.
func (o *owner) assign(ctx context.Context, partitions []int32, generation int64) {
	if len(partitions) == 0 {
		return
	}
	o.mu.Lock()
	holdings := map[int32]*holding{}
	for _, p := range partitions {
		holdings[p] = &holding{generation: generation}
		o.held[p] = holdings[p]
	}
	o.acquiring++
	o.mu.Unlock()
	o.tasks.Go(func() {
		if err := o.acquire(ctx, holdings); err != nil && ctx.Err() == nil {
			o.end(err)
		}
		o.mu.Lock()
		o.acquiring--
		o.mu.Unlock()
	})
}

// acquire starts the stores of new partitions: note that they are held, catch up, work out what is due.
func (o *owner) acquire(ctx context.Context, holdings map[int32]*holding) error {
	partitions := make([]int32, 0, len(holdings))
	for p := range holdings {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	began := time.Now()
	released, err := o.mark(ctx, holdings, partitions)
	if err != nil {
		return err
	}
	if err := o.catchUp(ctx, func() bool { return o.allGone(holdings) }); err != nil {
		return err
	}
	o.mu.Lock()
	for p, h := range holdings {
		if !released[p] {
			h.sendAfter = began.Add(o.c.RequestTimeout)
		}
	}
	o.mu.Unlock()
	shops, err := o.enter(holdings)
	if err == nil {
		err = o.begin(ctx, shops)
	}
	for _, s := range shops {
		o.start(ctx, s)
	}
	if err == nil {
		o.log.Info("stores taken over", "partitions", partitions, "stores", len(shops))
	}
	return err
}

// mark reads the predecessors' marks and sets ours, until it is done or all partitions are gone again.
func (o *owner) mark(ctx context.Context, holdings map[int32]*holding, partitions []int32,
) (released map[int32]bool, err error) {
	err = o.insist(ctx, "mark stores as held", func() bool { return o.allGone(holdings) }, func() error {
		var err error
		if released, err = o.marks.released(ctx, partitions); err != nil {
			return err
		}
		return o.marks.set(ctx, partitions, false)
	})
	return released, err
}

// catchUp waits until the tables hold what was committed before the call, or until it is of no use.
func (o *owner) catchUp(ctx context.Context, useless func() bool) error {
	return o.insist(ctx, "catch up", useless, func() error { return o.caughtUp(ctx) })
}

// insist tries until f succeeds, until it is of no use any more, or until the context ends, which alone is
// an error: the brokers come back, and a store must not wait for a restart then.
func (o *owner) insist(ctx context.Context, what string, useless func() bool, f func() error) error {
	for {
		err := f()
		if err == nil || useless() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o.log.Warn("take stores over: trying again", "step", what, "error", err)
		pause(ctx, o.c.retry.after(1))
	}
}

func (o *owner) allGone(holdings map[int32]*holding) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range holdings {
		if !h.gone {
			return false
		}
	}
	return true
}

// enter lists the stores in some partitions, so that what happens from now on reaches them.
func (o *owner) enter(holdings map[int32]*holding) ([]*shop, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	stores, err := o.storesIn(holdings)
	if err != nil {
		return nil, err
	}
	var shops []*shop
	for id, p := range stores {
		if h := holdings[p]; !h.gone {
			shops = append(shops, o.add(id, p, h))
		}
	}
	for _, h := range holdings {
		h.running = true
	}
	return shops, nil
}

// storesIn returns the stores whose records lie in some partitions, and those that are gone but have
// statuses left: the partition of the latter is where their records would be.
func (o *owner) storesIn(holdings map[int32]*holding) (map[string]int32, error) {
	stores, known := map[string]int32{}, map[string]bool{}
	c, err := o.views.View(topics.Stores).Cursor(nil)
	if err != nil {
		return nil, err
	}
	for c.Next() {
		id := string(c.Key())
		known[id] = true
		if _, ok := holdings[c.Partition()]; ok && id != topics.AllStores {
			stores[id] = c.Partition()
		}
	}
	if err := errors.Join(c.Err(), c.Close()); err != nil {
		return nil, err
	}
	left, err := statusStores(live{o.views})
	if err != nil {
		return nil, err
	}
	for _, id := range left {
		p := topics.PartitionOf([]byte(id), o.storePartitions)
		if _, ok := holdings[p]; ok && !known[id] {
			stores[id] = p
		}
	}
	return stores, nil
}

// add lists a store. The caller holds the mutex, and sees to it that the store is started.
func (o *owner) add(id string, partition int32, h *holding) *shop {
	s := &shop{
		reconciler: newReconciler(o.tools, id), partition: partition, holding: h,
		done: make(chan struct{}),
	}
	s.sendAfter = h.sendAfter
	o.shops[id] = s
	o.metrics.stores.Set(float64(len(o.shops)))
	return s
}

// begin works out what is due in some stores, in one walk over all tables. None of them runs yet.
func (o *owner) begin(ctx context.Context, shops []*shop) error {
	if len(shops) == 0 {
		return nil
	}
	snapshot := o.views.Snapshot()
	err := o.beginIn(ctx, snapshot, shops)
	return errors.Join(err, snapshot.Close())
}

func (o *owner) beginIn(ctx context.Context, snapshot tables, shops []*shop) error {
	began := time.Now()
	heads := make([]scanHead, len(shops))
	for i, s := range shops {
		rank, err := statusRank(snapshot, s.store)
		if err != nil {
			return err
		}
		s.generation.Store(max(s.holding.generation, rank+1))
		if err := s.load(); err != nil {
			return err
		}
		heads[i] = s.head()
	}
	pairs := 0
	facts := make([]*shopFacts, len(shops))
	for i, s := range shops {
		facts[i] = &s.shop
	}
	err := sweep(ctx, snapshot, heads, facts, func(p *swept) error {
		pairs++
		if shops[p.head].policy.present {
			shops[p.head].inherit(ctx, p)
		}
		return nil
	})
	o.log.Info("pairs looked at", "stores", len(shops), "pairs", pairs, "took", time.Since(began).String())
	return err
}

// start runs a listed store, which ends at once when its partition was let go meanwhile.
func (o *owner) start(ctx context.Context, s *shop) {
	own, cancel := context.WithCancel(ctx) // of this run; a store that comes back outlives it
	o.mu.Lock()
	s.cancel = cancel
	if s.holding.lost {
		cancel()
	}
	o.mu.Unlock()
	o.tasks.Go(func() {
		defer cancel()
		if s.policy != nil && !s.policy.present { // its record went while nobody owned it
			s.inbox.leave(func(m *mail) { m.remove = true })
		}
		if err := s.run(own); err != nil && own.Err() == nil {
			o.end(err)
		}
		o.ended(ctx, s)
	})
}

// ended takes a store off the list, and adds it anew when its record came back meanwhile.
func (o *owner) ended(ctx context.Context, s *shop) {
	o.metrics.forget(s.store)
	o.mu.Lock()
	delete(o.shops, s.store)
	o.metrics.stores.Set(float64(len(o.shops)))
	o.mu.Unlock()
	close(s.done)
	if ctx.Err() == nil {
		o.storeChanged(ctx, s.store, s.partition)
	}
}

// storeChanged deals with a record of a store, which the tables hold by now.
func (o *owner) storeChanged(ctx context.Context, id string, partition int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == topics.AllStores {
		for _, s := range o.shops {
			s.inbox.leave(func(m *mail) { m.record = true })
		}
		return
	}
	_, there, err := o.views.View(topics.Stores).Get([]byte(id))
	if err != nil {
		o.end(err)
		return
	}
	if s, ok := o.shops[id]; ok {
		s.inbox.leave(func(m *mail) { m.record, m.remove = there, m.remove || !there })
		return
	}
	if h, held := o.held[partition]; there && held && h.running {
		o.tasks.Go(func() { o.adopt(ctx, id, partition, h) })
	}
}

// adopt starts a store that came up in a partition that is held. A store of that name that was taken away
// just now may have left tombstones that the tables do not hold yet: it waits for those.
func (o *owner) adopt(ctx context.Context, id string, partition int32, h *holding) {
	gone := func() bool { return o.allGone(map[int32]*holding{partition: h}) }
	if o.catchUp(ctx, gone) != nil {
		return
	}
	s, err := o.addNew(id, partition, h)
	if s != nil {
		err = o.begin(ctx, []*shop{s})
		o.start(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		o.end(err)
	}
}

// addNew lists a store, unless it is listed, or gone again, or its partition is let go.
func (o *owner) addNew(id string, partition int32, h *holding) (*shop, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, there, err := o.views.View(topics.Stores).Get([]byte(id))
	if _, listed := o.shops[id]; err != nil || !there || listed || h.gone {
		return nil, err
	}
	return o.add(id, partition, h), nil
}

// release lets partitions go in order and returns when that is done: no request is in flight any more,
// every status is written, and the mark for the successor is set.
func (o *owner) release(ctx context.Context, partitions []int32) {
	o.releasing <- struct{}{}
	defer func() { <-o.releasing }()
	if partitions = o.stillHeld(partitions); len(partitions) == 0 {
		return
	}
	o.leave(partitions, func(_ *holding) {}, func(s *shop) { s.inbox.leave(func(m *mail) { m.release = true }) })
	ctx, cancel := context.WithTimeout(ctx, o.c.RequestTimeout) // who ends must not wait for brokers that are gone
	defer cancel()
	if err := o.writer.flush(ctx); err != nil {
		o.log.Warn("stores let go without the mark: statuses may be missing", "error", err)
		return
	}
	if err := o.marks.set(ctx, partitions, true); err != nil {
		o.log.Warn("stores let go without the mark: the next owner will wait", "error", err)
		return
	}
	o.log.Info("stores let go", "partitions", partitions)
}

// abandon stops partitions that the group has taken away: requests in flight are cut off.
func (o *owner) abandon(partitions []int32) {
	o.leave(partitions, func(h *holding) { h.lost = true }, func(s *shop) {
		if s.cancel != nil {
			s.cancel()
		}
	})
	o.log.Warn("stores lost", "partitions", partitions)
}

// leave takes partitions off the list, tells their stores, and waits until these have ended. A partition
// that is still being acquired has no stores yet, and gets none any more.
func (o *owner) leave(partitions []int32, note func(*holding), tell func(*shop)) {
	var waiting []*shop
	o.mu.Lock()
	for _, p := range partitions {
		h, ok := o.held[p]
		if !ok {
			continue
		}
		delete(o.held, p)
		h.gone = true
		note(h)
		for _, s := range o.shops {
			if s.holding == h {
				tell(s)
				waiting = append(waiting, s)
			}
		}
	}
	o.mu.Unlock()
	for _, s := range waiting {
		<-s.done
	}
}

// stillHeld returns those of some partitions that are held.
func (o *owner) stillHeld(partitions []int32) []int32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(partitions), func(p int32) bool {
		_, held := o.held[p]
		return !held
	})
}

// partitions returns what is held.
func (o *owner) partitions() []int32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]int32, 0, len(o.held))
	for p := range o.held {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// busy tells whether stores are still being taken over.
func (o *owner) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.acquiring > 0
}
