package topics_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// The vectors are those of the Java client's own test of Utils.murmur2.
func TestMurmur2_HashesAsTheJavaClient(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := topics.Murmur2([]byte(key)); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
		// toPositive(hash) % partitions, as the Java client has it.
		for _, n := range []int32{1, 2, 3, 16, 64, 1000, 1<<31 - 1} {
			if got, want := topics.PartitionOf([]byte(key), n), (want&0x7fffffff)%n; got != want {
				t.Errorf("%s of %d: got %d, want %d", key, n, got, want)
			}
		}
	}
}

// TestPartitionOf_IsWhereProducersWrite is T4.
func TestPartitionOf_IsWhereProducersWrite(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("mutations")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		key := make([]byte, 1+i%70)
		for j := range key {
			key[j] = byte(random.Uint32())
		}
		n := 1 + random.Int32N(200)
		got, want := topics.PartitionOf(key, n), theirs.Partition(&kgo.Record{Key: key}, int(n))
		if int(got) != want {
			t.Fatalf("%x of %d: got %d, want %d", key, n, got, want)
		}
	}
}

func TestPartitionOf_TakesAnyKeyAndCount(t *testing.T) {
	for _, n := range []int32{-1, 0, 1} {
		if got := topics.PartitionOf([]byte("A001"), n); got != 0 {
			t.Errorf("of %d: got %d, want 0", n, got)
		}
	}
	for _, key := range [][]byte{nil, {}, {0}, []byte(strings.Repeat("x", 1<<16))} {
		if got := topics.PartitionOf(key, 7); got < 0 || got > 6 {
			t.Errorf("%d bytes: got %d of 7", len(key), got)
		}
	}
}
