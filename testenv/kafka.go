package testenv

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// kafkaStartTimeout is for an install, a format and a start of three JVMs on a machine with two busy cores;
// alone it takes a tenth of that.
const kafkaStartTimeout = 3 * time.Minute

// StartKafka returns a real Apache Kafka: the cluster that KAFKA_BROKERS names (comma separated), whatever
// nodes says, else one of that many nodes (1 or 3) that ends with the test. Only the latter is Killable;
// when the test fails, the ends of its nodes' logs are in the test's log.
func StartKafka(tb testing.TB, nodes int) *Cluster {
	tb.Helper()
	if c := namedKafka(); c != nil {
		return c
	}
	ctx, cancel := context.WithTimeout(tb.Context(), kafkaStartTimeout)
	defer cancel()
	c, err := NewKafka(ctx, nodes)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(c.nodes.logs())
		}
		if err := c.Close(); err != nil {
			tb.Errorf("close kafka: %v", err)
		}
	})
	return c
}

// namedKafka returns the cluster that KAFKA_BROKERS names, nil when it names none.
func namedKafka() *Cluster {
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		return &Cluster{Brokers: strings.Split(brokers, ",")}
	}
	return nil
}

// NewKafka starts an Apache Kafka of one or three nodes on free loopback ports, with data and logs in a
// temporary directory, and returns when all nodes answer and know each other. The caller closes it. It
// needs java and, the first time, mvn.
func NewKafka(ctx context.Context, n int) (*Cluster, error) {
	if n != 1 && n != 3 {
		return nil, fmt.Errorf("start kafka: %d nodes: want 1 or 3", n)
	}
	jars, err := kafkaJars(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stocksync-kafka-")
	if err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	ns, err := makeNodes(dir, jars, n)
	if err == nil {
		err = ns.startAll(ctx)
	}
	if err != nil {
		err = fmt.Errorf("start kafka: %w\n%s", err, ns.logs())
		if cerr := ns.close(); cerr != nil {
			err = fmt.Errorf("%w (and then: %w)", err, cerr)
		}
		return nil, err
	}
	return &Cluster{Brokers: ns.addresses(), nodes: ns, close: sync.OnceValue(ns.close)}, nil
}
