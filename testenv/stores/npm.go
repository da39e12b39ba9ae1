package stores

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/testenv"
)

//go:embed vendure medusa
var programs embed.FS

// install returns the directory of a shop's program with everything it needs, fetched by npm into the user's cache
// directory when it is not there yet: half a minute and 170 MB for Vendure, more than a minute and 680 MB for Medusa.
// Of processes that need it at the same time one fetches and the others wait.
func install(ctx context.Context, name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	version, err := versionOf(name)
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "stocksync", name+"-"+version)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("make cache of %s: %w", name, err)
	}
	ready := filepath.Join(home, "program")
	var lock io.Closer
	err = testenv.Until(ctx, 50*time.Millisecond, func(context.Context) (err error) {
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
		err = errors.Join(fetch(ctx, name, home, ready), lock.Close())
	}
	if err != nil {
		return "", err
	}
	return ready, write(name, ready)
}

// versionOf tells one set of packages from another.
func versionOf(name string) (string, error) {
	sum := sha256.New()
	for _, file := range []string{"package.json", "package-lock.json"} {
		text, err := programs.ReadFile(name + "/" + file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// write puts a program's own files into a directory: each is there whole, or the one before it.
func write(name, dir string) error {
	entries, err := programs.ReadDir(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, e := range entries {
		text, err := programs.ReadFile(name + "/" + e.Name())
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		temp, err := os.CreateTemp(dir, "writing-")
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		_, err = temp.Write(text)
		err = errors.Join(err, temp.Close())
		if err == nil {
			err = os.Rename(temp.Name(), filepath.Join(dir, e.Name()))
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// fetch makes ready appear complete or not at all. The caller holds home's lock. Scripts of packages don't run: none
// of these needs its own.
func fetch(ctx context.Context, name, home, ready string) error {
	if _, err := os.Stat(ready); err == nil {
		return nil // it came between the last look and the lock
	}
	work, err := os.MkdirTemp(home, "install-")
	if err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a left-over directory in a cache harms nobody
	if err := write(name, work); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s with npm: %w\n%s", name, err, out)
	}
	if err := os.Rename(work, ready); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	return nil
}
