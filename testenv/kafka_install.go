package testenv

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// kafkaVersion is what embedded/pom.xml names.
const kafkaVersion = "4.3.1"

//go:embed embedded/pom.xml
var kafkaPOM []byte

// kafkaJars returns the directory of a Kafka node's jars, fetched by Maven into the user's cache directory
// when they are not there yet: about 54 MB and 6 s. Of processes that need them at the same time one
// fetches and the others wait.
func kafkaJars(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	home := filepath.Join(cache, "stocksync", "kafka-"+kafkaVersion)
	lib := filepath.Join(home, "lib")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make kafka cache: %w", err)
	}
	var lock io.Closer
	err = Until(ctx, 50*time.Millisecond, func(context.Context) (err error) {
		if _, err := os.Stat(lib); err == nil {
			return nil
		}
		lock, err = vfs.Default.Lock(filepath.Join(home, "LOCK"))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("wait for another install of kafka in %s: %w", home, err)
	}
	if lock != nil {
		err = errors.Join(installKafka(ctx, home, lib), lock.Close())
	}
	return lib, err
}

// installKafka makes lib appear complete or not at all. The caller holds home's lock.
func installKafka(ctx context.Context, home, lib string) error {
	if _, err := os.Stat(lib); err == nil {
		return nil // it came between the last look and the lock
	}
	work, err := os.MkdirTemp(home, "install-")
	if err != nil {
		return fmt.Errorf("install kafka: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a left-over directory in a cache harms nobody
	pom := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o600); err != nil {
		return fmt.Errorf("install kafka: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "lib"))
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install kafka %s with maven: %w\n%s", kafkaVersion, err, out)
	}
	if err := os.Rename(filepath.Join(work, "lib"), lib); err != nil {
		return fmt.Errorf("install kafka: %w", err)
	}
	return nil
}
