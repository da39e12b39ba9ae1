//go:build synctests

package processor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// The simulation: whole processors, a cluster of three brokers on a network in memory and a disk that forgets
// what was not synced, all on virtual time. An event comes each second, and about once a minute something breaks.
// After each virtual hour all must be as if nothing had: state, changelog, availability and dead letters equal an
// independent refold of the input.
//
// Each hour has a seed of its own, which decides its faults and their times; a failing hour prints both, and
// STOCKSYNC_SIM_SEED with STOCKSYNC_SIM_HOURS=1 plays its faults again. The order of goroutines is not part of a
// seed: a fault schedule that found something once finds it again often, not always.
func TestSim_EveryHourEndsAsIfNothingHadFailed(t *testing.T) {
	first, hours := simSeed(t), simHours(t)
	total := &simTotal{faults: map[string]int{}}
	t.Run("hours", func(t *testing.T) {
		for h := range hours {
			seed := first + uint64(h)
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { newSim(t, seed, total).run() })
			})
		}
	})
	t.Log(total.text(hours))
}

func simHours(t *testing.T) int { return simNumber(t, "STOCKSYNC_SIM_HOURS", 1) }

func simSeed(t *testing.T) uint64 { return uint64(simNumber(t, "STOCKSYNC_SIM_SEED", 1)) }

func simNumber(t *testing.T, name string, def int) int {
	t.Helper()
	text := os.Getenv(name) //nolint:forbidigo // a knob of the test run
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number above 0", name, text)
	}
	return n
}

const (
	simPartitions = 4
	simMembers    = 3 // at most, at a time
	// simEvery is how long it is from one fault's end to the next on average: some last, so that one comes
	// each minute.
	simEvery = 40 * time.Second
	// simTick is a little below the second in which a transaction must be.
	simTick = 900 * time.Millisecond
	// simHeal is how long after the last fault all must be folded: a session timeout, a transaction
	// timeout, and some restarts.
	simHeal = 5 * time.Minute
	// simNightlyRate makes a run take seconds.
	simNightlyRate = 200
)

// simTotal sums up over the hours.
type simTotal struct {
	mu           sync.Mutex
	faults       map[string]int
	events       int
	transactions float64
}

func (s *simTotal) broke(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[fault]++
}

func (s *simTotal) sent(events int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events += events
}

func (s *simTotal) text(hours int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d virtual hours, %d events, %.0f transactions committed; faults:", hours, s.events, s.transactions)
	for _, name := range slices.Sorted(maps.Keys(s.faults)) {
		fmt.Fprintf(&b, " %s %d,", name, s.faults[name])
	}
	return strings.TrimSuffix(b.String(), ",")
}

// sim is one virtual hour.
type sim struct {
	t           *testing.T
	seed        uint64
	rng         *rand.Rand // decides the faults; used by run's goroutine alone
	cluster     *testenv.Cluster
	prefix      topics.Prefix
	nightlyRate int
	cacheBytes  int64 // of decoded items; 0 is the default
	began       time.Time
	members     [simMembers]*simMember
	dying       sync.WaitGroup
	schedule    []string
	total       *simTotal
	acks        []testenv.Ack // set when produce returns
}

// simMember is one processor that runs, or did: its disk outlives it.
type simMember struct {
	id    string
	disk  *vfs.MemFS
	clock wall
	wire  *testenv.Wire
	reg   *prometheus.Registry

	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // of Run; set before done is closed
	dead   atomic.Bool   // killed: what it still does reaches nobody

	ops     atomic.Int64 // file operations left until killed; below 0: none is planned
	crashed chan struct{}
	hook    atomic.Pointer[func(point string)] // called at the points of the crash table
}

func newSim(t *testing.T, seed uint64, total *simTotal) *sim {
	t.Helper()
	c, err := testenv.NewKfake(testenv.KfakeConfig{
		Brokers: 3, Virtual: true,
		Configs: map[string]string{"log.cleaner.backoff.ms": "864000000"}, // the check reads every record
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), cluster: c, prefix: "sim.", began: time.Now(),
		total: total, nightlyRate: simNightlyRate,
	}
	if seed%2 == 0 { // else nothing is written before a task is let go
		s.cacheBytes = smallCache
	}
	client := s.client()
	defer client.Close()
	_, err = topics.Ensure(t.Context(), kadm.NewClient(client), topics.EnsureConfig{
		Prefix: s.prefix, Partitions: simPartitions, SinkPartitions: 1, AllowDeleteChangelog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.members {
		s.members[i] = &simMember{id: fmt.Sprintf("m%d", i), disk: vfs.NewCrashableMem()}
	}
	return s
}

func (s *sim) client() *kgo.Client {
	s.t.Helper()
	cl, err := s.cluster.NewClient()
	if err != nil {
		s.t.Fatal(err)
	}
	return cl
}

// run lets the hour pass.
func (s *sim) run() {
	defer func() {
		if s.t.Failed() {
			s.t.Logf("again: STOCKSYNC_SIM_SEED=%d STOCKSYNC_SIM_HOURS=1; the faults:\n%s", s.seed, strings.Join(s.schedule, "\n"))
		}
	}()
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var producing sync.WaitGroup
	producing.Go(func() { s.produce(ctx, simTick) })
	s.start(s.members[0])
	s.start(s.members[1])
	for end := s.began.Add(time.Hour); time.Now().Before(end); {
		s.pass(time.Duration(s.rng.ExpFloat64() * float64(simEvery)))
		s.breakSomething()
	}
	stop()
	producing.Wait()
	s.heal()
	s.check()
	s.close()
}

// close ends all that runs.
func (s *sim) close() {
	for _, m := range s.members {
		s.end(m)
	}
	s.dying.Wait()
	if err := s.cluster.Close(); err != nil {
		s.t.Error(err)
	}
}

// pass lets virtual time go by; a member that is to die at some file operation may do so meanwhile.
func (s *sim) pass(d time.Duration) {
	timer := time.NewTimer(min(d, 10*time.Minute))
	defer timer.Stop()
	for {
		crashed := make([]<-chan struct{}, simMembers)
		for i, m := range s.members {
			crashed[i] = m.crashed
		}
		select {
		case <-timer.C:
			return
		case <-crashed[0]:
			s.buryCrashed(s.members[0])
		case <-crashed[1]:
			s.buryCrashed(s.members[1])
		case <-crashed[2]:
			s.buryCrashed(s.members[2])
		}
	}
}

// produce sends events until ctx ends, through broker changes and all.
func (s *sim) produce(ctx context.Context, every time.Duration) {
	w := testenv.NewWorkload(testenv.RealisticWorkload(s.seed))
	done, err := testenv.Produce(ctx, s.cluster, w.Next, testenv.ProduceConfig{
		Prefix: s.prefix, Events: math.MaxInt, Rate: float64(time.Second) / float64(every),
	})
	if ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		s.t.Errorf("produce: %v", err)
	}
	if done != nil {
		s.acks = done.Acks
	}
}

// start runs a member on its disk, with a network of its own.
func (s *sim) start(m *simMember) {
	s.t.Helper()
	m.wire, m.reg = s.cluster.Wire(), prometheus.NewRegistry()
	m.dead.Store(false)
	m.ops.Store(-1)
	m.crashed, m.done = make(chan struct{}), make(chan struct{})
	disk, ops, crashed := m.disk, &m.ops, m.crashed
	cfg := processor.Config{
		Brokers: s.cluster.Brokers, ClientOpts: append(slices.Clone(s.cluster.Opts), m.wire.Opt()), Prefix: s.prefix,
		InstanceID: m.id, StateDir: "state", Workers: 2, Policy: policy(), EmbeddedBroker: true, Registry: m.reg,
		Log: slog.New(slog.DiscardHandler), NightlyRate: s.nightlyRate, Now: m.clock.Now,
	}
	cfg.State.CacheBytes = s.cacheBytes
	cfg.State.FS = errorfs.Wrap(disk, errorfs.InjectorFunc(func(errorfs.Op) error {
		if ops.Load() >= 0 && ops.Add(-1) == -1 {
			close(crashed)
		}
		return nil
	}))
	cfg.Crash = func(point string) {
		if hook := m.hook.Load(); hook != nil {
			(*hook)(point)
		}
	}
	p, err := processor.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(s.t.Context()))
	done, dead, reg := m.done, &m.dead, m.reg
	s.dying.Go(func() {
		defer close(done)
		err := p.Run(ctx)
		s.count(reg)
		if err != nil && !dead.Load() {
			m.err = err
		}
	})
}

// count adds a member's committed transactions to the total.
func (s *sim) count(reg *prometheus.Registry) {
	families, err := reg.Gather()
	if err != nil {
		s.t.Error(err)
		return
	}
	s.total.mu.Lock()
	defer s.total.mu.Unlock()
	for _, f := range families {
		if f.GetName() != "stocksync_processor_transactions_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == "committed" {
				s.total.transactions += m.GetCounter().GetValue()
			}
		}
	}
}

// runs tells whether a member runs.
func (m *simMember) runs() bool {
	if m.done == nil {
		return false
	}
	select {
	case <-m.done:
		return false
	default:
		return !m.dead.Load()
	}
}

// kill ends a member as a power cut would: the disk keeps what was synced and a share of the rest, and nothing
// the dying process still does reaches anybody.
func (s *sim) kill(m *simMember) { s.killWith(m, s.rng) }

func (s *sim) killWith(m *simMember, rng *rand.Rand) {
	kept := []int{0, rng.IntN(101), 100}[rng.IntN(3)]
	m.disk = m.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
	m.dead.Store(true)
	m.wire.Cut()
	m.wire.Resume() // a stalled connection would not notice
	m.cancel()
}

// buryCrashed deals with a member that came to its planned file operation.
func (s *sim) buryCrashed(m *simMember) {
	m.crashed = nil
	if m.runs() {
		s.note("%s dies at a file operation", m.id)
		s.kill(m)
	}
}

// end stops a member in order.
func (s *sim) end(m *simMember) {
	if !m.runs() {
		return
	}
	m.cancel()
	<-m.done
	m.crashed = nil
	if m.err != nil {
		s.t.Errorf("%s: %v", m.id, m.err)
	}
}

// note adds to the schedule.
func (s *sim) note(format string, args ...any) {
	s.schedule = append(s.schedule, fmt.Sprintf("%9s  %s", time.Since(s.began).Round(time.Millisecond),
		fmt.Sprintf(format, args...)))
}

// pick returns a member that runs, or does not; nil when there is none.
func (s *sim) pick(runs bool) *simMember {
	var list []*simMember
	for _, m := range s.members {
		if m.runs() == runs {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[s.rng.IntN(len(list))]
}

// seconds returns a time below n seconds, short ones as often as long ones.
func (s *sim) seconds(n float64) time.Duration {
	return time.Duration(s.rng.Float64() * s.rng.Float64() * n * float64(time.Second))
}

// breakSomething does one thing that happens to those who run Kafka. At least one member runs afterwards, or will.
func (s *sim) breakSomething() {
	faults := []struct {
		name string
		do   func() bool // false: not possible now
	}{
		{"kill", s.faultKill},
		{"kill at file operation", s.faultKillAtOp},
		{"restart", s.faultRestart},
		{"join", s.faultJoin},
		{"lost disk", s.faultLostDisk},
		{"stall", s.faultStall},
		{"cut", s.faultCut},
		{"lost answer", s.faultLostAnswer},
		{"lost request", s.faultLostRequest},
		{"late request", s.faultLateRequest},
		{"leaders move", func() bool { s.cluster.Fake.ShufflePartitionLeaders(); return true }},
		{"coordinators move", func() bool { s.cluster.Fake.RehashCoordinators(); return true }},
		{"clock jumps", s.faultClock},
		{"nightly run", func() bool {
			ask(s.t, s.cluster, s.prefix, simPartitions, `{"id":"sim","command":"nightly"}`)
			return true
		}},
	}
	f := faults[s.rng.IntN(len(faults))]
	s.note("%s", f.name)
	if f.do() {
		s.total.broke(f.name)
	}
	if s.pick(true) == nil {
		s.start(s.pick(false))
	}
}

func (s *sim) faultKill() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	s.note("  of %s", m.id)
	s.kill(m)
	if s.rng.IntN(3) > 0 {
		s.pass(s.seconds(20))
		s.start(m)
	}
	return true
}

func (s *sim) faultKillAtOp() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	s.note("  of %s", m.id)
	m.ops.Store(s.rng.Int64N(200))
	s.pass(s.seconds(120))
	if !m.runs() {
		s.start(m)
	}
	return true
}

func (s *sim) faultRestart() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	s.note("  of %s", m.id)
	s.end(m)
	s.pass(s.seconds(20))
	s.start(m)
	return true
}

func (s *sim) faultJoin() bool {
	m := s.pick(false)
	if m == nil {
		return false
	}
	s.note("  of %s", m.id)
	s.start(m)
	return true
}

func (s *sim) faultLostDisk() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	s.note("  of %s", m.id)
	s.kill(m)
	m.disk = vfs.NewCrashableMem()
	s.start(m)
	return true
}

// faultStall makes a zombie of a member, or nearly.
func (s *sim) faultStall() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	d := s.seconds(40)
	s.note("  of %s for %s", m.id, d)
	m.wire.Stall()
	wire := m.wire
	s.pass(d)
	wire.Resume()
	return true
}

func (s *sim) faultCut() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	d := s.seconds(20)
	s.note("  of %s for %s", m.id, d)
	wire := m.wire
	wire.Cut()
	s.pass(d)
	if m.wire == wire && m.runs() {
		wire.Mend()
	}
	return true
}

// faultClock sets a member's clock wrong, or right again.
func (s *sim) faultClock() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	const day = 24 * time.Hour
	off := []time.Duration{0, time.Second, time.Minute, time.Hour, 25 * time.Hour, 366 * day, 3660 * day}[s.rng.IntN(7)]
	if s.rng.IntN(2) == 0 {
		off = -off
	}
	s.note("  of %s, by %s", m.id, off)
	m.clock.off.Store(int64(off))
	return true
}

// key draws a kind of request that is lost.
func (s *sim) key() kmsg.Key {
	keys := []kmsg.Key{
		kmsg.EndTxn, kmsg.EndTxn, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup,
		kmsg.Fetch, kmsg.InitProducerID, kmsg.Metadata, kmsg.OffsetFetch, kmsg.FindCoordinator, kmsg.ListOffsets,
	}
	return keys[s.rng.IntN(len(keys))]
}

func (s *sim) faultLostAnswer() bool {
	return s.lose(func(w *testenv.Wire, key kmsg.Key, n int) *testenv.Loss { return w.LoseAnswers(key, n) })
}

func (s *sim) faultLostRequest() bool {
	return s.lose(func(w *testenv.Wire, key kmsg.Key, n int) *testenv.Loss { return w.LoseRequests(key, n) })
}

func (s *sim) lose(how func(*testenv.Wire, kmsg.Key, int) *testenv.Loss) bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	key, n := s.key(), 1+s.rng.IntN(6)
	s.note("  %d of %s of %s", n, kmsg.NameForKey(int16(key)), m.id)
	loss := how(m.wire, key, n)
	s.pass(s.seconds(60))
	loss.Stop()
	return true
}

func (s *sim) faultLateRequest() bool {
	m := s.pick(true)
	if m == nil {
		return false
	}
	key := s.key()
	s.note("  %s of %s", kmsg.NameForKey(int16(key)), m.id)
	loss := m.wire.HoldRequest(key)
	s.pass(s.seconds(60))
	loss.Stop()
	loss.Release()
	return true
}

// heal lets every member run on a whole network.
func (s *sim) heal() {
	for _, m := range s.members {
		m.ops.Store(-1)
		if m.runs() {
			m.wire.Mend()
			m.wire.Resume()
		} else {
			if m.err != nil {
				s.t.Errorf("%s ended: %v", m.id, m.err)
			}
			s.start(m)
		}
	}
}

// check waits until all is folded and compares it with the input.
func (s *sim) check() {
	ctx, cancel := context.WithTimeout(s.t.Context(), simHeal)
	defer cancel()
	if err := testenv.WaitQuiet(ctx, s.cluster, s.prefix); err != nil {
		s.t.Errorf("not all is folded %s after the last fault: %v", simHeal, err)
		return
	}
	s.total.sent(len(s.acks))
	err := testenv.Check(s.t.Context(), s.cluster, testenv.CheckConfig{Prefix: s.prefix, Policy: policy(), Acked: s.acks})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.t.Errorf("check: %v", err)
	}
}
