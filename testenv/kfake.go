package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// virtualPort is the first broker's port on a virtual network, where nobody else can be.
const virtualPort = 9092

// KfakeConfig says what an in-process cluster is like. The zero value is one broker in memory on a free
// loopback port.
//
// kfake reports the features of a current release (transaction.version 2). What it does not do, and what
// it does otherwise than Kafka, is in the notes of its package; the ones that matter here: it has no
// replication, EndTxn is one step, compaction ignores open transactions and moves the log start, so
// topics that are written in transactions must not be compacted on it. A read_committed fetch that meets its
// limit of bytes in the midst of a partition does not say what was aborted there: a client that could read
// aborted records asks for so little of each partition that the limit of all is out of reach.
type KfakeConfig struct {
	Brokers    int               // default 1
	DataDir    string            // keeps everything across Close and NewKfake; one cluster at a time
	SyncWrites bool              // fsync each batch in DataDir: a kill -9 of this process then loses nothing
	Virtual    bool              // listen in memory, not on TCP: for testing/synctest
	Configs    map[string]string // broker configs, such as transaction.max.timeout.ms
	Faults     []kfake.Fault     // in force from the start; more through Cluster.Fake.Fault
	Log        *slog.Logger      // kfake's own log; default none
	Opts       []kfake.Opt       // anything else kfake can do
}

// KfakeOption changes a KfakeConfig; a function literal is as good as a named one.
type KfakeOption func(*KfakeConfig)

// KfakeBrokers makes a cluster of n brokers.
func KfakeBrokers(n int) KfakeOption { return func(c *KfakeConfig) { c.Brokers = n } }

// KfakeVirtual makes the brokers listen in memory, which testing/synctest needs: start the cluster inside
// the bubble, give every client Cluster.Opts, and Close both before the bubble ends.
func KfakeVirtual(c *KfakeConfig) { c.Virtual = true }

// StartKfake starts an in-process cluster that ends with the test.
func StartKfake(tb testing.TB, o ...KfakeOption) *Cluster {
	tb.Helper()
	var cfg KfakeConfig
	for _, f := range o {
		f(&cfg)
	}
	c, err := NewKfake(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("close kfake: %v", err)
		}
	})
	return c
}

// NewKfake starts an in-process cluster; the caller closes it. With a DataDir that another cluster uses,
// in this process or another, it fails.
func NewKfake(cfg KfakeConfig) (*Cluster, error) {
	brokers := max(1, cfg.Brokers)
	opts := []kfake.Opt{
		kfake.NumBrokers(brokers),
		kfake.GroupMinSessionTimeout(0), // tests choose short ones
		kfake.BrokerConfigs(cfg.Configs),
	}
	c := &Cluster{}
	if cfg.Virtual {
		c.Network = new(kfake.VirtualNetwork)
		c.Opts = []kgo.Opt{kgo.Dialer(c.Network.DialContext)}
		ports := make([]int, brokers)
		for i := range ports {
			ports[i] = virtualPort + i
		}
		opts = append(opts, kfake.ListenFn(c.Network.Listen), kfake.Ports(ports...))
	}
	if cfg.Log != nil {
		opts = append(opts, kfake.WithLogger(kfakeLog{cfg.Log}))
	}
	lock := io.Closer(io.NopCloser(nil))
	if cfg.DataDir != "" {
		var err error
		if lock, err = lockDir(cfg.DataDir); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(filepath.Join(cfg.DataDir, "kfake")))
		if cfg.SyncWrites {
			opts = append(opts, kfake.SyncWrites())
		}
	}
	fake, err := kfake.NewCluster(append(opts, cfg.Opts...)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kfake: %w", err), lock.Close())
	}
	fake.Fault(cfg.Faults...)
	c.Fake = fake
	c.Brokers = fake.ListenAddrs()
	c.close = sync.OnceValue(func() error {
		fake.Close()
		return lock.Close()
	})
	return c, nil
}

// lockDir makes dir and holds it until the lock is closed or the process ends.
func lockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s (is it in use?): %w", dir, err)
	}
	return lock, nil
}

// kfakeLog passes kfake's log on.
type kfakeLog struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l kfakeLog) Logf(level kfake.LogLevel, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelInfo:
		to = slog.LevelInfo
	case kfake.LogLevelDebug, kfake.LogLevelNone:
	}
	if ctx := context.Background(); l.log.Enabled(ctx, to) {
		l.log.Log(ctx, to, "kfake", "message", fmt.Sprintf(msg, args...))
	}
}
