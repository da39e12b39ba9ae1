package testenv_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"stocksync/testenv"
)

func startServer(t *testing.T) *testenv.Process {
	t.Helper()
	t.Setenv("LEAK", "of the test's environment")
	p := testenv.StartProcess(t, testenv.ProcessConfig{
		Binary: os.Args[0],
		Args:   []string{"run", "--fast"},
		Env:    map[string]string{"TESTENV_PLAY": "server", "COLOUR": "red"},
	})
	if err := p.WaitReady(limit(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// limit is the longest that a step of a test may take on a busy machine.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestProcess_TerminatesWithItsExitCode(t *testing.T) {
	p := startServer(t)
	code, err := p.Terminate(limit(t))
	if code != 3 || err != nil {
		t.Errorf("got %d, %v, want 3", code, err)
	}
	if got, want := p.Log(), "log line"; got != want {
		t.Errorf("log: got %q, want %q", got, want)
	}
	if got, want := p.Stdout(), "output line [run --fast] red "; got != want {
		t.Errorf("output: got %q, want %q", got, want)
	}
}

func TestProcess_RestartsAtTheSameAddressAfterAKill(t *testing.T) {
	p := startServer(t)
	if err := p.Restart(); err == nil {
		t.Error("restart of a running process: want an error")
	}
	before := p.URL("/readyz")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(limit(t)); code != -1 || err != nil {
		t.Errorf("got %d, %v, want -1: a signal ended it", code, err)
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitReady(limit(t)); err != nil {
		t.Fatal(err)
	}
	if got := p.URL("/readyz"); got != before {
		t.Errorf("got %s, want %s as before", got, before)
	}
	if got := strings.Count(p.Log(), "log line"); got != 2 {
		t.Errorf("got %d log lines, want one of each run", got)
	}
}

func TestProcess_SaysThatItEndedInsteadOfWaiting(t *testing.T) {
	p := testenv.StartProcess(t, testenv.ProcessConfig{
		Binary: os.Args[0], Env: map[string]string{"TESTENV_PLAY": "nothing"},
	})
	err := p.WaitReady(limit(t))
	if err == nil || !strings.Contains(err.Error(), "ended with code 7") {
		t.Errorf("got %v, want that it ended with code 7", err)
	}
}

func TestProcess_PausesAndResumes(t *testing.T) {
	p := startServer(t)
	if err := p.Pause(limit(t)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := p.Get(short, "/readyz"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused: got %v, want no answer", err)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitReady(limit(t)); err != nil {
		t.Errorf("resumed: %v", err)
	}
}

func TestFreePorts_AreDifferent(t *testing.T) {
	ports, err := testenv.FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		seen[p] = true
	}
	if len(seen) != 20 {
		t.Errorf("got %d different ports of 20: %v", len(seen), ports)
	}
}

func TestUntil_ReturnsWhatWasLastSaid(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	said := errors.New("not yet")
	calls := 0
	err := testenv.Until(ctx, time.Millisecond, func(context.Context) error {
		if calls++; calls == 3 {
			cancel()
		}
		return said
	})
	if !errors.Is(err, said) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want both reasons", err)
	}
	if err := testenv.Until(ctx, time.Hour, func(context.Context) error { return nil }); err != nil {
		t.Errorf("a condition that holds: got %v, want nil whatever ctx says", err)
	}
}

// Ensure the program is built once and is the one of this tree.
func TestBinary_IsBuiltOnce(t *testing.T) {
	path := testenv.Binary(t)
	built, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	p := testenv.StartProcess(t, testenv.ProcessConfig{Args: []string{"version"}})
	if code, err := p.Wait(limit(t)); code != 0 || err != nil {
		t.Errorf("stocksync version: got %d, %v: %s", code, err, p.Log())
	}
	again, err := os.Stat(testenv.Binary(t))
	if err != nil || !again.ModTime().Equal(built.ModTime()) {
		t.Errorf("got a binary of %v, %v, want the one of %v", again.ModTime(), err, built.ModTime())
	}
}
