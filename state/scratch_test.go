package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"stocksync/state"
)

func openScratch(t *testing.T, parent string) *state.Scratch {
	t.Helper()
	s, err := state.OpenScratch(parent, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scratched returns what is under a prefix, as "key=value".
func scratched(t *testing.T, s *state.Scratch, prefix string) []string {
	t.Helper()
	var all []string
	err := s.Each([]byte(prefix), func(key, value []byte) error {
		all = append(all, fmt.Sprintf("%s=%s", key, value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func putPair(t *testing.T, s *state.Scratch, key, value string) {
	t.Helper()
	if err := s.Put([]byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestScratch_SortsAndKeepsTheLastOfAKey(t *testing.T) {
	s := openScratch(t, t.TempDir())
	defer s.Close()
	for _, key := range []string{"b2", "a1", "c", "b1", "b3", "a1"} {
		putPair(t, s, key, key)
	}
	putPair(t, s, "b2", "again")
	if err := s.Delete([]byte("b3")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(scratched(t, s, "b")); got != "[b1=b1 b2=again]" {
		t.Errorf("got %s", got)
	}
	putPair(t, s, "\xff", "x")
	if got := fmt.Sprint(scratched(t, s, "")); got != "[a1=a1 b1=b1 b2=again c=c \xff=x]" {
		t.Errorf("got %q", got)
	}
	stop := errors.New("stop")
	if err := s.Each(nil, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// Ensure what is put in comes out when it is more than one batch, and the caller may use its slices again.
func TestScratch_TakesMoreThanABatch(t *testing.T) {
	s := openScratch(t, t.TempDir())
	defer s.Close()
	const n = 300
	value := bytes.Repeat([]byte("v"), 10_000)
	var key []byte
	for i := range n {
		key = fmt.Appendf(key[:0], "%05d", n-i)
		value[0] = byte(i)
		if err := s.Put(key, value); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	err := s.Each(nil, func(key, value []byte) error {
		i++
		if want := fmt.Sprintf("%05d", i); string(key) != want || value[0] != byte(n-i) {
			t.Fatalf("got %s %d, want %s %d", key, value[0], want, byte(n-i))
		}
		return nil
	})
	if err != nil || i != n {
		t.Errorf("got %d pairs, %v", i, err)
	}
}

func TestScratch_LeavesNothingBehind(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "new")
	s := openScratch(t, parent)
	twin := openScratch(t, parent) // of another audit
	putPair(t, s, "a", "b")
	if got := scratched(t, twin, ""); got != nil {
		t.Errorf("got %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v", left, err)
	}
	if err := twin.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v", left, err)
	}
	alone := filepath.Join(parent, "again")
	if err := openScratch(t, alone).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(alone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", alone, err)
	}
}
