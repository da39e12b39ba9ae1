package testenv

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// Main hands what a test binary has once to its tests through these variables, so that nothing here is a
// package variable. Child processes of tests do not get them.
const (
	envSharedKafka = "STOCKSYNC_TEST_KAFKA" // address of the broker that all tests of the binary share
	envSharedDir   = "STOCKSYNC_TEST_DIR"   // directory for what is built once, see Binary
)

// Main runs the tests of a package and returns the exit code. It gives them one directory for what is built
// once and, when STOCKSYNC_KAFKA=1 and KAFKA_BROKERS names no cluster, one real broker; both end with it.
func Main(m *testing.M) int {
	stop, err := startShared()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// startShared sets up what Main promises and returns what takes it down.
func startShared() (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "stocksync-test-")
	if err != nil {
		return nil, fmt.Errorf("make directory of the test binary: %w", err)
	}
	if err := os.Setenv(envSharedDir, dir); err != nil {
		return nil, fmt.Errorf("name directory of the test binary: %w", err)
	}
	stop = func() error { return os.RemoveAll(dir) }
	if !realKafka() || namedKafka() != nil {
		return stop, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), kafkaStartTimeout)
	defer cancel()
	c, err := NewKafka(ctx, 1)
	if err != nil {
		return nil, err
	}
	if err := os.Setenv(envSharedKafka, c.Brokers[0]); err != nil {
		return nil, fmt.Errorf("name shared kafka: %w", err)
	}
	return func() error {
		if err := c.Close(); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}, nil
}
