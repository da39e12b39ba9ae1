package testenv_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"stocksync/testenv"
)

// Ensure that a program is fetched once, whoever needs it, and is there whole or not at all.
func TestInstalled_IsFetchedOnceAndWhole(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var fetched atomic.Int32
	fetch := func(_ context.Context, dir string) error {
		fetched.Add(1)
		return os.WriteFile(filepath.Join(dir, "it"), []byte("whole"), 0o600)
	}
	broken := errors.New("no network")
	_, err := testenv.Installed(t.Context(), "thing-1", "lib", func(ctx context.Context, dir string) error {
		return errors.Join(fetch(ctx, dir), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	fetched.Store(0)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			dir, err := testenv.Installed(t.Context(), "thing-1", "lib", fetch)
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(filepath.Join(dir, "it")); err != nil || string(text) != "whole" {
				t.Errorf("got %q, %v, want it whole", text, err)
			}
		})
	}
	all.Wait()
	if n := fetched.Load(); n != 1 {
		t.Errorf("it was fetched %d times, want once", n)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "stocksync", "thing-1", "install-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("got %q, %v left behind, want nothing", left, err)
	}
}

// Ensure that who waits for a program that ends learns why.
func TestProgram_WaitTellsWhyItEnded(t *testing.T) {
	p := testenv.StartProgram(t, exec.Command("sh", "-c", "echo no such table; exit 3"))
	err := p.Wait(t.Context(), func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "code 3") || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("got %v, want the code and what it said", err)
	}
	slow := testenv.StartProgram(t, exec.Command("sh", "-c", "echo up; exec sleep 600"))
	if err := slow.Wait(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("got %v, want it ready", err)
	}
}
