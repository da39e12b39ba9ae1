package realdata_test

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/testenv"
)

//go:embed requirements.txt
var requirements []byte

// installTimeout is for 20 MB from the package index, behind another install that holds the lock.
const installTimeout = 10 * time.Minute

// python returns the interpreter of a virtual environment that has the requirements, made once in the user's cache
// directory. Of processes that need it at the same time one makes it and the others wait.
func python(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(requirements)
	home := filepath.Join(cache, "stocksync", "realdata-"+hex.EncodeToString(sum[:4]))
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	var lock io.Closer
	err = testenv.Until(ctx, 50*time.Millisecond, func(context.Context) (err error) {
		lock, err = vfs.Default.Lock(filepath.Join(home, "LOCK"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(install(ctx, home), lock.Close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, "venv", "bin", "python")
}

// install makes home/venv appear complete or not at all: an environment that was renamed works as long as its
// interpreter is called by its path. The caller holds home's lock.
func install(ctx context.Context, home string) error {
	venv := filepath.Join(home, "venv")
	if _, err := os.Stat(venv); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(home, "install-")
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	defer os.RemoveAll(work)
	list := filepath.Join(work, "requirements.txt")
	if err := os.WriteFile(list, requirements, 0o600); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	made := filepath.Join(work, "venv")
	for _, args := range [][]string{
		{"python3", "-m", "venv", made},
		{
			filepath.Join(made, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
			"--no-deps", "--only-binary", ":all:", "--requirement", list,
		},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("install with python3 (Debian: python3 and python3-venv): %w\n%s", err, out)
		}
	}
	if err := os.Rename(made, venv); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// dataset runs the script beside this file and returns what it prints.
func dataset(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python(t), append([]string{"dataset.py"}, args...)...).CombinedOutput()
	return string(out), err
}
