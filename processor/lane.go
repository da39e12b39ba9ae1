package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
)

const (
	// transactionTimeout: consumers of availability wait that long for a transaction that a dead
	// instance left open.
	transactionTimeout = 5 * time.Second
	// commitTimeout bounds produce, offsets and EndTxn together; a commit in flight outlives ctx.
	commitTimeout = 10 * time.Second
	// stopTimeout bounds what is in flight when the process is told to stop, and again its abort: with
	// a broker that is gone a stop still ends within the 15 s that are promised.
	stopTimeout = 3 * time.Second
	// idlePoll bounds how long a lane without work goes without a look at its assignment.
	idlePoll = 500 * time.Millisecond
	// handoverPoll bounds it while the group has assigned something that the client does not show yet: it tells of
	// the assignment before it asks for the offsets, and of these it tells nobody.
	handoverPoll = 10 * time.Millisecond
	// catchUpLag is how old the oldest record of an overlay is when a lane is behind, and commits only
	// every catchUpInterval.
	catchUpLag      = 2 * time.Second
	catchUpInterval = time.Second
	// catchUpRecords is how many times as many records a transaction may then take.
	catchUpRecords = 10
	// retryWait is the pause before a lane tries again with a new session; it doubles with each that
	// commits nothing, up to retryWaitMax, which is short beside the group's session timeout.
	retryWait    = 250 * time.Millisecond
	retryWaitMax = 2 * time.Second
	// maxFenced in fencedWindow means that two processes share an INSTANCE_ID. fencedGrace is the most that
	// one of them lets the other be meanwhile.
	maxFenced    = 3
	fencedWindow = time.Minute
	fencedGrace  = 2 * time.Second
	// leaveTimeout bounds what is said to the group at the end of a session, and again at the end of all:
	// a group that is not told finds out after the session timeout.
	leaveTimeout = 2 * time.Second
)

// errSession reports that the session can't go on: the outcome of its transaction is not known, or
// it is fenced. A new one is made; the replay tells what became of the transaction.
var errSession = errors.New("transaction session ended")

// errSlow reports that a transaction took longer than its timeout: the broker ended it, and that looks
// like the act of another producer.
var errSlow = errors.New("the transaction took longer than its timeout")

// errState reports a fault of the local state, which a new session would meet again.
var errState = errors.New("local state")

// lane is one group member with one transactional producer, and the tasks assigned to it.
type lane struct {
	p *Processor
	// name is the lane's own among all of the installation, and stays over restarts: the transactional id,
	// the static member's and the client's are made of it, so that fence finds one by the other.
	name string
	log  *slog.Logger

	// Owned by run's goroutine.
	session    *kgo.GroupTransactSession
	tasks      map[int32]*task
	restores   *restores // in progress; nil: none
	member     string    // id that the group gave to the last session
	lastCommit time.Time
	lastLive   time.Time   // when the last commit of live events began
	commits    int         // over all sessions
	first      bool        // of its process
	fenced     []time.Time // within fencedWindow
	givenUp    int         // transactions in a row that were not committed, without an error
	records    int         // folded since the last commit
	oldest     time.Time   // broker time of the first of them
	lastFold   time.Time   // when the last of them came
	maxRecords int         // commit at the latest after so many; halved by an abort
	slab       slab
	pool       fetchPool
	fetched    []*kgo.Record // that the overlay was made of: strings in it alias them
	looked     time.Time     // when the tasks were last asked for background work
	backlog    backlog

	events events                     // written by the client's callbacks
	shown  atomic.Pointer[[]TaskInfo] // for readers outside
}

func newLane(p *Processor, i int) *lane {
	return &lane{
		p: p, name: p.c.InstanceID + "." + strconv.Itoa(i), log: p.c.Log.With("lane", i),
		first: i == 0, tasks: map[int32]*task{}, maxRecords: p.c.CommitMaxRecords,
	}
}

// run runs one session after the other until ctx ends, and leaves the group. An error stops the process.
func (l *lane) run(ctx context.Context) error {
	defer l.leaveGroup(ctx)
	wait := retryWait
	for ctx.Err() == nil {
		before := l.commits
		err := l.runSession(ctx)
		switch {
		case err == nil || ctx.Err() != nil && errors.Is(err, errSession):
			return nil
		case errors.Is(err, errState), errors.Is(err, state.ErrInvariant), !errors.Is(err, errSession):
			return err
		}
		grace, gaveUp := l.countFenced(ctx, err)
		if gaveUp != nil {
			return gaveUp
		}
		l.p.metrics.sessions.Inc()
		l.log.Warn("starting a new session", "cause", err)
		if wait = min(2*wait, retryWaitMax); l.commits != before {
			wait = retryWait
		}
		select {
		case <-time.After(wait + grace):
		case <-ctx.Done():
		}
	}
	return nil
}

// runSession joins the group, in the place of the session before, and works until ctx ends or the
// session does.
func (l *lane) runSession(ctx context.Context) (err error) {
	l.events.reset()
	alive, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	if l.session, err = kgo.NewGroupTransactSession(append(l.sessionOpts(), kgo.WithContext(alive))...); err != nil {
		return fmt.Errorf("lane client: %w", err)
	}
	defer func() { err = errors.Join(err, l.endSession(kill)) }()
	// The client would ask for its producer id when it first produces, after the restore: a transaction
	// that a predecessor left open under this id would keep the restore waiting for its timeout.
	if _, _, err := l.session.Client().ProducerID(ctx); err != nil {
		return fmt.Errorf("%w: producer id: %w", errSession, err)
	}
	l.lastCommit = l.p.c.Now()
	for ctx.Err() == nil {
		fetches := l.poll(ctx)
		if err := l.sync(ctx); err != nil {
			return err
		}
		if err := l.fold(fetches); err != nil {
			return err
		}
		if err := l.background(); err != nil {
			return err
		}
		if l.due() {
			if err := l.commit(ctx); err != nil {
				return err
			}
		}
	}
	return l.commit(ctx)
}

func (l *lane) sessionOpts() []kgo.Opt {
	p := l.p
	return append(p.clientOpts(),
		kgo.ClientID(clientID(l.name)),
		kgo.TransactionalID(p.c.Prefix.Name(l.name)),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(p.batchMaxBytes),
		kgo.MaxBufferedRecords(4*catchUpRecords*p.c.CommitMaxRecords+1024),
		kgo.ConsumerGroup(p.group()),
		kgo.InstanceID(l.name),
		kgo.ConsumeTopics(p.names[:]...),
		kgo.Balancers(&balancer{
			instance: p.c.InstanceID, lanes: p.c.Workers, mutations: p.names[0], stored: p.store.Partitions,
		}),
		kgo.SessionTimeout(p.c.SessionTimeout),
		kgo.HeartbeatInterval(p.c.SessionTimeout/8),
		kgo.RebalanceTimeout(2*p.c.SessionTimeout),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(idlePoll),
		kgo.WithPools(&l.pool),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.OnPartitionsAssigned(l.onAssigned),
		kgo.OnPartitionsRevoked(l.onRevoked),
		kgo.OnPartitionsLost(l.onLost),
		kgo.AdjustFetchOffsetsFn(l.adjustOffsets),
	)
}

// poll waits for records: until the overlay is due, or for idlePoll when it is empty.
func (l *lane) poll(ctx context.Context) kgo.Fetches {
	wait := l.pollWait()
	if len(l.events.waiting()) > 0 {
		wait = min(wait, handoverPoll)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l.events.onWake(cancel)
	return l.session.PollRecords(ctx, max(1, l.limit()-l.records))
}

// due tells whether the overlay is to be committed now: an interval is from the begin of one commit to that of the
// next, so what a commit takes does not come on top of it for what arrives meanwhile. Records that come after a
// whole interval without any find lastLive that long ago, and wait for nothing.
func (l *lane) due() bool {
	if l.records >= l.limit() {
		return true
	}
	return l.untilDue() <= 0
}

// untilDue returns how long the overlay may wait.
func (l *lane) untilDue() time.Duration {
	last, wait := l.lastCommit, l.p.c.CommitInterval
	if l.records > 0 {
		last, wait = l.lastLive, l.interval()
	}
	since := l.p.c.Now().Sub(last)
	if since < 0 { // the clock went back
		return 0
	}
	return wait - since
}

// interval returns how long the overlay may grow. The commit interval bounds the latency of a lane that
// keeps up; one that is behind commits less often, so that more events of one SKU become one record.
func (l *lane) interval() time.Duration {
	if !l.behind() {
		return l.p.c.CommitInterval
	}
	return max(l.p.c.CommitInterval, catchUpInterval)
}

// limit returns how many records the overlay may take.
func (l *lane) limit() int {
	if !l.behind() {
		return l.maxRecords
	}
	return catchUpRecords * l.maxRecords
}

// behind tells whether what the overlay began with is old, and more comes: by a time of which catchUpInterval
// is a part.
func (l *lane) behind() bool {
	now := l.p.c.Now()
	return l.records > 0 && now.Sub(l.oldest) >= catchUpLag && now.Sub(l.lastFold) < l.p.c.CommitInterval
}

// commit makes the overlay of every task one transaction: changelog, availability and dead letters
// to the task's own partition, the offsets, the end.
func (l *lane) commit(ctx context.Context) error {
	if err := l.sync(ctx); err != nil { // P2: only tasks that are assigned now
		return err
	}
	moved := l.moved()
	if len(moved) == 0 {
		l.records = 0
		return l.settle(ctx)
	}
	flight, cancel := outlive(ctx, commitTimeout)
	defer cancel()
	began := l.p.c.Now()
	revoked := l.events.takeRevoked() // the end of this transaction settles it
	l.p.crash("before flush")
	if err := l.session.Begin(); err != nil {
		return fmt.Errorf("%w: begin: %w", errSession, err)
	}
	produced, err := l.produce(flight, moved, began)
	if err != nil {
		return l.abort(ctx, began, err)
	}
	l.p.crash("after flush, before offsets")
	committed, err := l.session.End(l.withOffsets(flight, moved), kgo.TryCommit)
	if err != nil {
		return l.abort(ctx, began, err)
	}
	if !committed {
		return l.foldAgain(ctx, revoked || l.events.isRevoked())
	}
	l.p.crash("EndTxn ok, before Pebble")
	return l.committed(moved, produced, began)
}

// committed makes the overlay state.
func (l *lane) committed(moved []*task, produced *production, began time.Time) error {
	now := l.p.c.Now()
	for _, t := range moved {
		l.p.metrics.observe(t, now)
		if err := t.Committed(produced.last[t.Partition()], now); err != nil {
			return err
		}
		if err := l.jobCommitted(t); err != nil {
			return err
		}
		t.extra = t.extra[:0]
		t.oldest = 0
	}
	l.slab.reset()
	for _, r := range l.fetched {
		r.Recycle()
	}
	l.forgetFetched()
	l.p.metrics.commits.WithLabelValues("committed").Inc()
	l.p.metrics.commitSeconds.Observe(now.Sub(began).Seconds())
	if l.records > 0 {
		l.lastLive = began
	}
	l.lastCommit, l.records = now, 0
	l.commits++
	l.givenUp = 0
	l.maxRecords = l.p.c.CommitMaxRecords
	l.show()
	return nil
}

// forgetFetched leaves the records to the garbage collector, or lets go of recycled ones.
func (l *lane) forgetFetched() {
	clear(l.fetched)
	l.fetched = l.fetched[:0]
}

// abort ends a transaction that met an error, and the session with it: it is in a state that nobody knows.
func (l *lane) abort(ctx context.Context, began time.Time, cause error) error {
	l.log.Warn("transaction not committed", "cause", cause, "records", l.records)
	l.aborted()
	if l.p.c.Now().Sub(began) >= transactionTimeout {
		cause = fmt.Errorf("%w: %w", errSlow, cause)
	}
	ctx, cancel := outlive(ctx, transactionTimeout)
	defer cancel()
	_, err := l.session.End(ctx, kgo.TryAbort)
	return fmt.Errorf("%w: %w", errSession, errors.Join(cause, err))
}

// foldAgain drops the overlay of every task after a transaction that the client or the broker did not commit, and
// replays the changelog's tail before anything is folded again (P5): what looks like a failed commit may have
// been applied. That is what a rebalance does to a transaction in progress, and no fault unless it goes on.
func (l *lane) foldAgain(ctx context.Context, revoked bool) error {
	level := slog.LevelInfo
	if l.givenUp++; l.givenUp > 1 && !revoked {
		level = slog.LevelWarn
	}
	l.log.Log(ctx, level, "transaction given up", "revoked", revoked, "in_a_row", l.givenUp, "records", l.records)
	l.aborted()
	for _, t := range l.tasks {
		if t.phase != running {
			continue
		}
		if err := l.startAgain(t); err != nil {
			return err
		}
	}
	l.lastCommit, l.records = l.p.c.Now(), 0
	return l.restore(ctx)
}

// aborted notes that a transaction was not committed.
func (l *lane) aborted() {
	l.p.metrics.commits.WithLabelValues("aborted").Inc()
	l.slab = slab{} // some of it may be on its way still
	l.forgetFetched()
	l.maxRecords = max(1, l.maxRecords/2)
}

// outlive returns a context for what has to end in order: it goes on for d, and for no longer than
// stopTimeout after the end of ctx.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	flight, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(stopTimeout):
			cancel()
		case <-flight.Done():
		}
	})
	return flight, func() { stop(); cancel() }
}

// settle ends an empty transaction after a revocation: until one ends, the session would skip the
// callback of the next revocation, and abort the next commit.
func (l *lane) settle(ctx context.Context) error {
	if !l.events.takeRevoked() {
		return nil
	}
	ctx, cancel := outlive(ctx, commitTimeout)
	defer cancel()
	if err := l.session.Begin(); err != nil {
		return fmt.Errorf("%w: begin: %w", errSession, err)
	}
	if _, err := l.session.End(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("%w: end: %w", errSession, err)
	}
	for _, t := range l.tasks {
		if t.phase == running {
			l.seek(t)
		}
	}
	return nil
}
