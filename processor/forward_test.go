package processor_test

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure a producer that places keys by CRC32, as librdkafka does, ends with what Java's murmur2 would have.
func TestForward_MakesRecordsOfAnotherPartitionerCountOnce(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 4)
		i := start(t, config(t, c, prefix, "one"))
		start(t, config(t, c, prefix, "two"))
		cfg := testenv.RealisticWorkload(4)
		cfg.WrongPartition = 1
		acks := produce(t, c, prefix, testenv.NewWorkload(cfg), 4000)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		n, err := i.ShowPositions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var consumed, sum, forwarded int64
		for _, p := range n {
			consumed += p.Counters.Consumed
			sum += p.Counters.Applied + p.Counters.Duplicate + p.Counters.DeadLettered + p.Counters.Forwarded
			forwarded += p.Counters.Forwarded
		}
		if forwarded < 1000 || consumed != sum || consumed != int64(len(acks))+forwarded {
			t.Errorf("got %d consumed, %d by outcome, %d forwarded of %d sent; want what was sent and forwarded",
				consumed, sum, forwarded, len(acks))
		}
		for _, r := range read(t, c, prefix, topics.Mutations) {
			if o := topics.OriginOf(r); o.Hops > 1 {
				t.Errorf("%s/%d@%d: has %d hops, want at most one", r.Topic, r.Partition, r.Offset, o.Hops)
			}
		}
	})
}

func TestForward_SaysWhereARecordCameInFirst(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		up := newUpstream(t, c, prefix, 2)
		start(t, config(t, c, prefix, "one"))
		home := up.delta(up.skuOn(1))
		home.Partition = 0
		home.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-1-2-01")}, {Key: "kept", Value: []byte("x")}}
		acks := up.send(home)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		all := read(t, c, prefix, topics.Mutations)
		if len(all) != 2 {
			t.Fatalf("got %d records, want the one sent and its copy", len(all))
		}
		for _, r := range all {
			if r.Partition == 0 {
				continue
			}
			want := topics.Origin{
				Topic: prefix.Name(topics.Mutations), Partition: 0, Offset: home.Offset, Hops: 1,
				TimestampMs: all[0].Timestamp.UnixMilli() + all[1].Timestamp.UnixMilli() - r.Timestamp.UnixMilli(),
			}
			if got := topics.OriginOf(r); got != want {
				t.Errorf("origin: got %+v, want %+v", got, want)
			}
			if got := r.Headers[1].Key; got != "kept" {
				t.Errorf("headers: got %q, want those of the record first", r.Headers)
			}
		}
	})
}

func TestForward_GivesUpAfterTwoHops(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 3)
		up := newUpstream(t, c, prefix, 3)
		start(t, config(t, c, prefix, "one"))
		origin := func(hops int) []kgo.RecordHeader {
			return []kgo.RecordHeader{
				{Key: topics.HeaderOriginTopic, Value: []byte(prefix.Name(topics.Mutations))},
				{Key: topics.HeaderOriginPartition, Value: []byte("2")},
				{Key: topics.HeaderOriginOffset, Value: []byte("77")},
				{Key: topics.HeaderOriginTimestamp, Value: []byte("1767323045000")},
				{Key: topics.HeaderHops, Value: []byte(strconv.Itoa(hops))},
			}
		}
		sku := up.skuOn(1)
		dead, once := up.delta(sku), up.delta(sku)
		dead.Partition, dead.Headers = 0, origin(2)
		once.Partition, once.Headers = 0, origin(1)
		up.send(dead, once)
		settle(t, c, prefix)
		letters := read(t, c, prefix, topics.DeadLetters)
		if len(letters) != 1 {
			t.Fatalf("got %d dead letters, want 1", len(letters))
		}
		letter, _ := topics.LetterOf(letters[0])
		want := topics.Origin{
			Topic: prefix.Name(topics.Mutations), Partition: 2, Offset: 77, TimestampMs: 1767323045000, Hops: letter.Origin.Hops,
		}
		if letter.Reason != topics.ReasonMisrouted || letter.Origin != want || string(letters[0].Value) != string(dead.Value) {
			t.Errorf("got %+v, want misrouted, from %+v", letter, want)
		}
		if got := availability(t, c, prefix)[sku]; got == nil || got.CausesTotal != 1 || got.Actual != topics.One {
			t.Errorf("got %+v, want the record of one hop folded after its second", got)
		}
	})
}

// Ensure records of some size that one commit forwards to one partition are not refused together: the broker
// holds their batch against the topic's limit.
func TestForward_KeepsBatchesWithinTheInputsLimit(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 2)
		up := newUpstream(t, c, prefix, 2)
		random := rand.New(rand.NewPCG(1, 1))
		sku := up.skuOn(1)
		var records []*kgo.Record
		for range 40 {
			noise := make([]byte, 100_000)
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			r := up.delta(sku)
			r.Partition = 0
			r.Value = append(r.Value[:len(r.Value)-1], `,"x":"`+base64.StdEncoding.EncodeToString(noise)+`"}`...)
			records = append(records, r)
		}
		var acks []testenv.Ack
		for _, r := range records {
			acks = append(acks, up.send(r)...)
		}
		cfg := config(t, c, prefix, "one")
		reg := prometheus.NewRegistry()
		cfg.Registry, cfg.Workers = reg, 1 // another lane's arrival would abort a transaction
		start(t, cfg)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		if got := metric(t, reg, "stocksync_processor_transactions_total", "result", "aborted"); got != 0 {
			t.Errorf("got %v aborted transactions, want none", got)
		}
	})
}
