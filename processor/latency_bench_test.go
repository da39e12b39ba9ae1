package processor_test

import (
	"context"
	"sort"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"stocksync/processor"
	"stocksync/testenv"
	"stocksync/topics"
)

// BenchmarkLatency measures how long an event takes from when it should have been sent until the
// transaction that folds it is committed, at 10,000 events a second and commits of 25 ms. The load is open:
// an event that waits for its turn has waited.
func BenchmarkLatency(b *testing.B) {
	const (
		perSecond = 10_000
		seconds   = 20
		warmUp    = 5 // seconds that are not measured
	)
	eachBroker(b, func(b *testing.B, c *benchBroker) {
		b.Helper()
		p, stop := runBench(b, c)
		watch := watchCommits(p)
		if err := testenv.Until(b.Context(), time.Millisecond, func(context.Context) error { return p.Ready() }); err != nil {
			b.Fatal(err)
		}
		syscall.Sync() // what the last benchmark wrote is not this one's to wait for
		made, err := testenv.Produce(b.Context(), c.Cluster, ledgerLines(100_000, 0), testenv.ProduceConfig{
			Prefix: benchPrefix, Events: perSecond * seconds, Rate: perSecond,
		})
		if err != nil {
			b.Fatal(err)
		}
		waitFolded(b, p, perSecond*seconds)
		commits := watch()
		stop()
		took := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
		for _, a := range made.Acks {
			if a.Offset < warmUp*perSecond/benchPartitions {
				continue
			}
			if err := took.RecordValue(commits.at(a.Place).Sub(a.Intended).Microseconds()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(took.ValueAtQuantile(50))/1000, "p50-ms")
		b.ReportMetric(float64(took.ValueAtQuantile(99))/1000, "p99-ms")
	})
}

// commit is a moment at which a partition's mutations were seen to be committed up to an offset.
type commit struct {
	at   time.Time
	next int64
}

// commits are those of each partition, in order.
type commits map[int32][]commit

// at returns when the record was first seen to be committed.
func (c commits) at(p testenv.Place) time.Time {
	list := c[p.Partition]
	i := sort.Search(len(list), func(i int) bool { return list[i].next > p.Offset })
	if i == len(list) {
		return time.Now()
	}
	return list[i].at
}

// watchCommits notes the commits of a processor until the function it returns is called.
func watchCommits(p *processor.Processor) func() commits {
	seen := commits{}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.Tick(500 * time.Microsecond); ; {
			for _, t := range p.Tasks() {
				list, next := seen[t.Partition], t.Next[topics.Mutations]
				if len(list) == 0 || list[len(list)-1].next < next {
					seen[t.Partition] = append(list, commit{time.Now(), next})
				}
			}
			select {
			case <-tick:
			case <-stop:
				return
			}
		}
	}()
	return func() commits {
		close(stop)
		<-done
		return seen
	}
}
