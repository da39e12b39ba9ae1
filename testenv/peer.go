package testenv

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/topics"
)

// The peer is the same job in Kafka Streams, what a user would build without stocksync: exactly_once_v2, RocksDB
// tuned, one aggregate value a SKU. It knows deltas, order lines, cancellations, shipments and repeats; no counts,
// returns or on_hold. Main.java lists its settings, which are environment variables.
//
//go:embed peer
var peerSource embed.FS

// PeerConfig says how to run the peer.
type PeerConfig struct {
	Brokers        []string
	Prefix         topics.Prefix
	Out            string // topic of its availability records, with as many partitions as the inputs
	Group          string
	StateDir       string
	Threads        int
	CommitInterval time.Duration
	Compression    string
}

// StartPeer builds the peer, once for this user, and starts it. It needs java 17 and mvn. It ends with the test.
func StartPeer(tb testing.TB, cfg PeerConfig) *Process {
	tb.Helper()
	home, err := peerClasses(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	p := &Process{name: "the peer " + cfg.Group, dir: tb.TempDir(), cfg: ProcessConfig{
		Binary: "java", Dir: tb.TempDir(),
		Args: []string{
			"-Xms2g", "-Xmx2g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
			"-cp", filepath.Join(home, "classes") + ":" + filepath.Join(home, "lib", "*"), "peer.Main",
		},
		Env: map[string]string{
			"KAFKA_BROKERS": cfg.Brokers[0], "TOPIC_PREFIX": string(cfg.Prefix), "OUT_TOPIC": cfg.Out,
			"GROUP_ID": cfg.Group, "STATE_DIR": cfg.StateDir, "THREADS": strconv.Itoa(cfg.Threads),
			"COMMIT_MS": strconv.FormatInt(cfg.CommitInterval.Milliseconds(), 10), "COMPRESSION": cfg.Compression,
			"LINGER_MS": strconv.FormatInt(cfg.CommitInterval.Milliseconds(), 10), "CACHING": "false", "MODE": "sku",
		},
	}}
	if p.cfg.Binary, err = exec.LookPath("java"); err == nil {
		err = p.Restart()
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Kill(); err != nil {
			tb.Errorf("clean up: %v", err)
		}
		if tb.Failed() {
			tb.Logf("--- %s\n%s\n%s", p.name, tail(p.outPath(), 30), tail(p.logPath(), 30))
		}
	})
	return p
}

// peerClasses returns the directory that holds the peer's classes and jars, built by Maven when the source is not
// the one built last.
func peerClasses(ctx context.Context) (home string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	source, err := fs.Sub(peerSource, "peer")
	if err != nil {
		return "", fmt.Errorf("build the peer: %w", err)
	}
	sum, err := hashFS(source)
	if err != nil {
		return "", fmt.Errorf("build the peer: %w", err)
	}
	home = filepath.Join(cache, "stocksync", "peer-"+sum)
	target := filepath.Join(home, "target")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("build the peer: %w", err)
	}
	var lock io.Closer
	err = Until(ctx, 50*time.Millisecond, func(context.Context) (err error) {
		lock, err = vfs.Default.Lock(filepath.Join(home, "LOCK"))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("wait for another build of the peer in %s: %w", home, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if _, err := os.Stat(filepath.Join(home, "done")); err == nil {
		return target, nil
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(home, "src")), os.CopyFS(home, source)); err != nil {
		return "", fmt.Errorf("build the peer: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "compile", "dependency:copy-dependencies",
		"-DoutputDirectory="+filepath.Join(target, "lib"))
	cmd.Dir = home
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the peer with maven: %w\n%s", err, out)
	}
	return target, os.WriteFile(filepath.Join(home, "done"), nil, 0o600)
}
