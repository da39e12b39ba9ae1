package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// programEnd is how long a program may take to end in order before it is killed.
const programEnd = 10 * time.Second

// Program is somebody else's program, such as a database or a shop, that a test runs beside stocksync.
type Program struct {
	run *child
	log string
}

// StartProgram starts cmd and returns at once. The program is asked to end (SIGTERM) when the test does. What it
// prints is kept; when the test fails, the end of it is in the test's log.
func StartProgram(tb testing.TB, cmd *exec.Cmd) *Program {
	tb.Helper()
	p := &Program{log: filepath.Join(tb.TempDir(), "log")}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the child has its own handle
	cmd.Stdout, cmd.Stderr = out, out
	if p.run, err = startChild(cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.end(); err != nil {
			tb.Errorf("clean up: %v", err)
		}
		if tb.Failed() {
			tb.Logf("--- %s, end of its log\n%s", filepath.Base(cmd.Path), tail(p.log, 30))
		}
	})
	return p
}

// end asks the program to end, and kills it when it does not.
func (p *Program) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), programEnd)
	defer cancel()
	if err := p.run.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if _, err := p.run.wait(ctx); err != nil {
		return p.run.kill()
	}
	return nil
}

// Wait waits until ready returns nil. It gives up when ctx ends or the program does.
func (p *Program) Wait(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.run.done:
			cancel(fmt.Errorf("it ended with code %d: %s", p.run.code, tail(p.log, 10)))
		case <-ctx.Done():
		}
	}()
	return Until(ctx, 50*time.Millisecond, ready)
}

// FreePort returns a loopback port that nobody listens on.
func FreePort(tb testing.TB) int {
	tb.Helper()
	ports, err := freePorts(1)
	if err != nil {
		tb.Fatal(err)
	}
	return ports[0]
}
