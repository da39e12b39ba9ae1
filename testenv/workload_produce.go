package testenv

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ProduceConfig says what to produce and how quickly.
type ProduceConfig struct {
	Prefix topics.Prefix // default topics.DefaultPrefix
	Events int
	// Rate is in records per second, open-loop: a slow broker delays no record's intended time, and the
	// records wait in memory. 0 is as fast as the broker takes them.
	Rate float64
}

// Ack is a record that the broker acknowledged: it must be reflected or dead-lettered.
type Ack struct {
	Place
	Intended time.Time // when it should have left; when it did, without a rate
	At       time.Time // when the acknowledgement came
}

// Produced is what became of the events.
type Produced struct {
	Acks    []Ack // in order of acknowledgement
	Failed  int
	Elapsed time.Duration
}

// produceBuffer bounds what waits in memory for a broker that is away.
const produceBuffer = 1 << 20

// Produce takes events from the source, w.Next or any other, and produces them; it returns when each is
// acknowledged or has failed. When ctx ends first, what was acknowledged until then comes with its error.
func Produce(ctx context.Context, c *Cluster, next func() Event, cfg ProduceConfig) (*Produced, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = topics.DefaultPrefix
	}
	cl, err := c.NewClient(
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(placeRecord)),
		kgo.MaxBufferedRecords(produceBuffer), kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.SnappyCompression()),
	)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	p := &producing{cfg: cfg, done: &Produced{}}
	start := time.Now()
	err = p.run(ctx, cl, next, start)
	if flushed := cl.Flush(ctx); flushed != nil {
		err = errors.Join(err, fmt.Errorf("flush: %w", flushed))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Elapsed = time.Since(start)
	if err == nil {
		err = p.failed
	}
	out := *p.done
	return &out, err
}

// producing is one Produce in progress.
type producing struct {
	cfg ProduceConfig

	mu     sync.Mutex // guards what follows: promises run in the client's goroutine
	done   *Produced
	failed error // the first
}

func (p *producing) run(ctx context.Context, cl *kgo.Client, next func() Event, start time.Time) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	at := func(n int) time.Time { // is when the record after n others should leave
		return start.Add(time.Duration(float64(n) / p.cfg.Rate * float64(time.Second)))
	}
	for sent := 0; sent < p.cfg.Events; {
		due := p.cfg.Events
		if p.cfg.Rate > 0 {
			due = min(due, int(math.Ceil(time.Since(start).Seconds()*p.cfg.Rate)))
		}
		for ; sent < due; sent++ {
			intended := time.Now()
			if p.cfg.Rate > 0 {
				intended = at(sent)
			}
			p.send(ctx, cl, next(), intended)
			if ctx.Err() != nil {
				return fmt.Errorf("produce: %w", context.Cause(ctx))
			}
		}
		if sent == p.cfg.Events {
			break
		}
		timer.Reset(max(time.Millisecond, time.Until(at(sent))))
		select {
		case <-ctx.Done():
			return fmt.Errorf("produce: %w", context.Cause(ctx))
		case <-timer.C:
		}
	}
	return nil
}

func (p *producing) send(ctx context.Context, cl *kgo.Client, e Event, intended time.Time) {
	r := &kgo.Record{Topic: p.cfg.Prefix.Name(e.Topic), Key: e.Key, Value: e.Value}
	if e.WrongPartition {
		r.Context = context.WithValue(ctx, placeByCRC32{}, true)
	}
	cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.done.Failed++
			if p.failed == nil {
				p.failed = fmt.Errorf("produce to %s: %w", r.Topic, err)
			}
			return
		}
		p.done.Acks = append(p.done.Acks, Ack{Place{e.Topic, r.Partition, r.Offset}, intended, time.Now()})
	})
}

// placeByCRC32 marks, in a record's context, one that goes where librdkafka's default would put it.
type placeByCRC32 struct{}

// placeRecord returns the partitioner of one topic. Keys that are empty go to one partition after the
// other.
func placeRecord(string) func(*kgo.Record, int) int {
	next := 0
	return func(r *kgo.Record, n int) int {
		switch {
		case len(r.Key) == 0:
			next++
			return next % n
		case r.Context != nil && r.Context.Value(placeByCRC32{}) != nil:
			return int(crc32.ChecksumIEEE(r.Key) % uint32(n))
		}
		return int(topics.PartitionOf(r.Key, int32(n)))
	}
}
