package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Installed returns a directory of the user's cache, stocksync/name/part, which fetch fills when it is not there yet.
// It appears complete or not at all: fetch is given another directory, which is put in its place. Of processes that
// need it at the same time one fetches and the others wait.
func Installed(ctx context.Context, name, part string, fetch func(ctx context.Context, dir string) error,
) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	home := filepath.Join(cache, "stocksync", name)
	ready := filepath.Join(home, part)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make cache of %s: %w", name, err)
	}
	var lock io.Closer
	err = Until(ctx, 50*time.Millisecond, func(context.Context) (err error) {
		if _, err := os.Stat(ready); err == nil {
			return nil
		}
		lock, err = vfs.Default.Lock(filepath.Join(home, "LOCK"))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("wait for another install of %s in %s: %w", name, home, err)
	}
	if lock != nil {
		err = errors.Join(fill(ctx, home, ready, fetch), lock.Close())
	}
	if err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return ready, nil
}

// fill makes ready appear. The caller holds home's lock.
func fill(ctx context.Context, home, ready string, fetch func(ctx context.Context, dir string) error) error {
	if _, err := os.Stat(ready); err == nil {
		return nil // it came between the last look and the lock
	}
	work, err := os.MkdirTemp(home, "install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a left-over directory in a cache harms nobody
	if err := fetch(ctx, work); err != nil {
		return err
	}
	return os.Rename(work, ready)
}
