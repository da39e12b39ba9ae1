package processor_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// The pipeline's speed beside its ceilings, from one run on one machine: numbers of different runs
// are not to be compared, their ratios are. BENCH_EVENTS (4000000) says how many events are preloaded.
//
//	consume  a group of two members reads the input, read_committed
//	R2       a stateless exactly-once copy with two outputs an event, two members, the same commits; once before the
//	         fold and once after it: what a machine that others use too gives changes within seconds
//	R2small  the same with outputs of the size that the processor's have
//	fold     the processor: lines kept, durable state, two lanes; the answer is checked before a rate
//	         is printed
//
// fold/R2 is the ratio in wall time; fold/R2-cpu that of events per CPU-second, broker included, which
// depends less on what else the machine does. The bytes are those that the broker stores, compressed.
func BenchmarkPipeline(b *testing.B) {
	for _, law := range []struct {
		name string
		skus int
		zipf float64
	}{{"uniform100k", 100_000, 0}, {"zipf1.1", 100_000, 1.1}, {"uniform1M", 1_000_000, 0}} {
		b.Run(law.name, func(b *testing.B) {
			eachBroker(b, func(b *testing.B, c *benchBroker) {
				b.Helper()
				benchPipeline(b, c, law.skus, law.zipf)
			})
		})
	}
}

const (
	benchPrefix     = topics.Prefix("bench.")
	benchPartitions = 8
	benchLanes      = 2
	benchInterval   = 25 * time.Millisecond
)

func benchEvents() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_EVENTS")); err == nil {
		return n
	}
	return 4_000_000
}

// benchBroker is a broker with an installation on it: kfake, which runs in this process, or a real one.
type benchBroker struct {
	*testenv.Cluster
	real bool
}

// eachBroker runs a benchmark on a kfake of its own and, with STOCKSYNC_KAFKA=1, on a real Kafka of its own.
func eachBroker(b *testing.B, bench func(b *testing.B, c *benchBroker)) {
	b.Helper()
	for _, name := range []string{"kfake", "kafka"} {
		if name == "kafka" && os.Getenv("STOCKSYNC_KAFKA") != "1" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				bench(b, startBenchBroker(b, name == "kafka"))
			}
		})
	}
}

// startBenchBroker also sets the garbage collector up as the program does (gcPercent of main.go), for all that the
// benchmark measures: the ceilings too.
func startBenchBroker(b *testing.B, real bool) *benchBroker {
	b.Helper()
	percent := debug.SetGCPercent(400)
	b.Cleanup(func() { debug.SetGCPercent(percent) })
	c := &benchBroker{real: real}
	if real {
		c.Cluster = testenv.StartKafka(b, 1)
		if !c.Killable() {
			b.Fatal("the broker's processor time is measured: it must be one of the test's own, not KAFKA_BROKERS")
		}
	} else {
		c.Cluster = testenv.StartKfake(b)
	}
	if _, err := topics.Ensure(b.Context(), kadm.NewClient(c.Client(b)), topics.EnsureConfig{
		Prefix: benchPrefix, Partitions: benchPartitions, SinkPartitions: 1, AllowDeleteChangelog: !real,
	}); err != nil {
		b.Fatal(err)
	}
	return c
}

// growHeap touches so many bytes of the heap once. A virtual machine may get a page of memory only when it first
// touches it, and pay microseconds: that would count against whatever happens to be measured while the heap grows.
func growHeap(bytes int) {
	memory := make([]byte, bytes)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	runtime.KeepAlive(memory)
}

func benchPipeline(b *testing.B, c *benchBroker, skus int, zipf float64) {
	b.Helper()
	n := benchEvents()
	if !c.real { // the broker's records are in this process too: with all garbage, some 2 KiB an event
		growHeap(n * 2 << 10)
	}
	next := ledgerLines(skus, zipf)
	if _, err := testenv.Produce(b.Context(), c.Cluster, next, testenv.ProduceConfig{Prefix: benchPrefix, Events: n}); err != nil {
		b.Fatal(err)
	}
	consume := c.measure(b, "consume", n, func() { benchConsume(b, c.Cluster, benchPrefix, n) })
	before := c.measure(b, "R2", n, func() { benchCopy(b, c.Cluster, "bench-before", n, 0) })
	fold := c.measure(b, "fold", n, func() { benchFold(b, c, n) })
	if err := testenv.Check(b.Context(), c.Cluster, testenv.CheckConfig{Prefix: benchPrefix, Policy: policy()}); err != nil {
		b.Fatalf("the answer is wrong, so its speed means nothing: %v", err)
	}
	after := c.measure(b, "R2", n, func() { benchCopy(b, c.Cluster, "bench-after", n, 0) })
	r2 := rate{between(before.wall, after.wall), between(before.cpu, after.cpu)}
	b.ReportMetric(consume.wall, "consume-events/s")
	b.ReportMetric(r2.wall, "R2-events/s")
	b.ReportMetric(fold.wall, "fold-events/s")
	b.ReportMetric(fold.wall/r2.wall, "fold/R2")
	b.ReportMetric(fold.cpu/r2.cpu, "fold/R2-cpu")
	var outputs float64
	for metric, base := range map[string]string{
		"changelog-B/event": topics.Changelog, "availability-B/event": topics.AvailabilityTopic,
	} {
		size := float64(c.stored(b, benchPrefix.Name(base))) / float64(n)
		b.ReportMetric(size, metric)
		outputs += size
	}
	small := c.measure(b, "R2small", n, func() { benchCopy(b, c.Cluster, "bench-small", n, int(outputs/2)) })
	b.ReportMetric(fold.wall/small.wall, "fold/R2small")
}

// stored returns the bytes that the broker stores of a topic.
func (c *benchBroker) stored(b *testing.B, topic string) (bytes int64) {
	b.Helper()
	sizes, err := kadm.NewClient(c.Client(b)).DescribeAllLogDirs(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, dirs := range sizes {
		dirs.EachPartition(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == topic {
				bytes += p.Size
			}
		})
	}
	return bytes
}

// between returns the rate of two halves of the same work.
func between(a, b float64) float64 { return 2 / (1/a + 1/b) }

// rate is events per second of wall time and of CPU time.
type rate struct{ wall, cpu float64 }

// measure runs fn and logs what it took, of CPU time the broker's included; kfake's can't be told from the
// application's.
func (c *benchBroker) measure(b *testing.B, name string, n int, fn func()) rate {
	b.Helper()
	runtime.GC() // what is left of the last is not this one's
	began, app, broker := time.Now(), cpuSeconds(), c.cpuSeconds(b)
	fn()
	wall, a, k := time.Since(began).Seconds(), cpuSeconds()-app, c.cpuSeconds(b)-broker
	events := float64(n)
	apart := ""
	if c.real {
		apart = fmt.Sprintf("  application %.2f us, broker %.2f us an event", a/events*1e6, k/events*1e6)
	}
	b.Logf("%-8s %9.0f events/s  %9.0f events/CPU-s%s", name, events/wall, events/(a+k), apart)
	return rate{events / wall, events / (a + k)}
}

// cpuSeconds is what a broker in a process of its own has used.
func (c *benchBroker) cpuSeconds(b *testing.B) float64 {
	b.Helper()
	if !c.real {
		return 0
	}
	used, err := c.CPU()
	if err != nil {
		b.Fatal(err)
	}
	return used.Seconds()
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// ledgerLines is a source of ledger lines of about 290 bytes.
func ledgerLines(skus int, zipf float64) func() testenv.Event {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() int { return r.IntN(skus) }
	if zipf > 0 {
		z := rand.NewZipf(r, zipf, 1, uint64(skus-1))
		pick = func() int { return int(z.Uint64()) }
	}
	at := topics.TimeOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	i := 0
	return func() testenv.Event {
		i++
		sku := fmt.Sprintf("SKU-%06d", pick())
		m := topics.Mutation{
			LineID: fmt.Sprintf("erp1/SINV-26-%08d/1/out", i), Version: int64(i), SKU: sku,
			Warehouse: fmt.Sprintf("WH-JKT-%02d", r.IntN(3)), Qty: topics.Quantity(1+r.IntN(9)) * topics.One,
			EffectiveAt: at + topics.Time(i)*1000, Reason: "sales_invoice", VoucherType: "Sales Invoice",
			VoucherNo: fmt.Sprintf("SINV-26-%08d", i), Source: "erp1",
		}
		return testenv.Event{Topic: topics.Mutations, Key: []byte(sku), Value: m.AppendJSON(nil)}
	}
}

// members runs one function per lane until n records are counted.
func members(b *testing.B, n int, run func(ctx context.Context, lane int, count func(int))) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	var seen atomic.Int64
	var wg sync.WaitGroup
	for lane := range benchLanes {
		wg.Go(func() {
			run(ctx, lane, func(k int) {
				if seen.Add(int64(k)) >= int64(n) {
					cancel()
				}
			})
		})
	}
	wg.Wait()
	if int(seen.Load()) < n {
		b.Fatalf("saw %d of %d records", seen.Load(), n)
	}
}

func benchConsume(b *testing.B, c *testenv.Cluster, prefix topics.Prefix, n int) {
	b.Helper()
	members(b, n, func(ctx context.Context, _ int, count func(int)) {
		client, err := c.NewClient(kgo.ConsumerGroup("bench-consume"), kgo.ConsumeTopics(prefix.Name(topics.Mutations)),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
			kgo.DisableAutoCommit())
		if err != nil {
			b.Error(err)
			return
		}
		defer client.Close()
		for ctx.Err() == nil {
			count(client.PollFetches(ctx).NumRecords())
		}
	})
}

// benchCopy is R2: each record goes to two topics, exactly once, whole or its first size bytes.
func benchCopy(b *testing.B, c *testenv.Cluster, name string, n, size int) {
	b.Helper()
	to := [2]string{name + "-1", name + "-2"}
	if _, err := kadm.NewClient(c.Client(b)).CreateTopics(b.Context(), benchPartitions, 1, nil, to[:]...); err != nil {
		b.Fatal(err)
	}
	members(b, n, func(ctx context.Context, lane int, count func(int)) {
		s, err := kgo.NewGroupTransactSession(append(c.Opts, kgo.SeedBrokers(c.Brokers...),
			kgo.TransactionalID(fmt.Sprint(name, "-", lane)), kgo.ConsumerGroup(name),
			kgo.ConsumeTopics(benchPrefix.Name(topics.Mutations)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.MaxBufferedRecords(1<<20), kgo.MetadataMinAge(250*time.Millisecond))...)
		if err != nil {
			b.Error(err)
			return
		}
		defer s.Close()
		for ctx.Err() == nil {
			copyOnce(ctx, b, s, to, size, count)
		}
	})
}

// copyOnce copies what comes in one commit interval.
func copyOnce(ctx context.Context, b *testing.B, s *kgo.GroupTransactSession, to [2]string, size int, count func(int)) {
	b.Helper()
	until, cancel := context.WithTimeout(ctx, benchInterval)
	defer cancel()
	var records []*kgo.Record
	for until.Err() == nil && len(records) < 20_000 {
		records = append(records, s.PollRecords(until, 20_000-len(records)).Records()...)
	}
	if len(records) == 0 {
		return
	}
	if err := s.Begin(); err != nil {
		b.Error(err)
		return
	}
	for _, r := range records {
		value := r.Value
		if size > 0 {
			value = value[:min(size, len(value))]
		}
		for _, topic := range to {
			s.Produce(ctx, &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: value}, nil)
		}
	}
	committed, err := s.End(context.WithoutCancel(ctx), kgo.TryCommit)
	if err != nil {
		b.Error(err)
	}
	if committed {
		count(len(records))
	}
}

// runBench runs the processor until stop is called.
func runBench(b *testing.B, c *benchBroker) (p *processor.Processor, stop func()) {
	b.Helper()
	p, err := processor.New(processor.Config{
		Brokers: c.Brokers, ClientOpts: c.Opts, Prefix: benchPrefix, InstanceID: "bench", StateDir: b.TempDir(),
		Workers: benchLanes, CommitInterval: benchInterval, Policy: policy(),
		EmbeddedBroker: !c.real, Log: slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return p, func() {
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// folded returns how many records are folded and committed.
func folded(p *processor.Processor) (n int64) {
	for _, t := range p.Tasks() {
		n += t.Counters.Consumed
	}
	return n
}

func benchFold(b *testing.B, c *benchBroker, n int) {
	b.Helper()
	if name := os.Getenv("BENCH_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			b.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	p, stop := runBench(b, c)
	defer stop()
	waitFolded(b, p, n)
}

// waitFolded waits until n records are folded and committed.
func waitFolded(b *testing.B, p *processor.Processor, n int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	if err := testenv.Until(ctx, time.Millisecond, func(context.Context) error {
		if done := folded(p); done < int64(n) {
			return fmt.Errorf("folded %d of %d", done, n)
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}
