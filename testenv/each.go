package testenv

import (
	"os"
	"testing"
)

// realKafka says whether tests also run on a real broker: `make test-kafka` sets STOCKSYNC_KAFKA=1.
func realKafka() bool { return os.Getenv("STOCKSYNC_KAFKA") == "1" }

// Each runs f as subtest "kfake" on an in-process cluster of its own and, when STOCKSYNC_KAFKA=1, as subtest
// "kafka" on a real broker, which other tests use at the same time: topics, groups and transactional ids
// take their names from Cluster.Prefix, and nobody may kill it.
func Each(t *testing.T, f func(t *testing.T, c *Cluster)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) { f(t, StartKfake(t)) })
	KafkaOnly(t, f)
}

// KafkaOnly is the second half of Each, for what kfake cannot show. Without STOCKSYNC_KAFKA=1 there is no
// subtest at all.
func KafkaOnly(t *testing.T, f func(t *testing.T, c *Cluster)) {
	t.Helper()
	if !realKafka() {
		return
	}
	t.Run("kafka", func(t *testing.T) { f(t, sharedKafka(t)) })
}

// KafkaNodes runs f as subtest "kafka" on a real cluster of its own that it may kill and restart: one node
// costs 5 s, three cost 20. Without STOCKSYNC_KAFKA=1, or on a cluster named by KAFKA_BROKERS, which nobody
// here may kill, there is no subtest.
func KafkaNodes(t *testing.T, nodes int, f func(t *testing.T, c *Cluster)) {
	t.Helper()
	if !realKafka() || namedKafka() != nil {
		return
	}
	t.Run("kafka", func(t *testing.T) { f(t, StartKafka(t, nodes)) })
}

// sharedKafka returns the broker that Main started for this binary, or one of the test's own.
func sharedKafka(tb testing.TB) *Cluster {
	tb.Helper()
	if brokers := os.Getenv(envSharedKafka); brokers != "" {
		return &Cluster{Brokers: []string{brokers}}
	}
	return StartKafka(tb, 1)
}
