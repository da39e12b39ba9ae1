package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// httpCap bounds what is read of an answer of a process under test.
const httpCap = 64 << 20

// ProcessConfig says how to run stocksync.
type ProcessConfig struct {
	Args   []string          // such as "run"
	Env    map[string]string // its whole configuration; nothing of the test's environment reaches it
	Dir    string            // working directory; default one of the test's own, so ./data is too
	Binary string            // default Binary(t)
}

// Process is a stocksync that runs as a child process. It serves HTTP on a free loopback port unless Env
// has HTTP_ADDR; the port stays the same over Restart. It ends with the test. When the test fails, the
// end of its log is in the test's log.
type Process struct {
	cfg  ProcessConfig
	name string // for people
	addr string // of its HTTP endpoints
	dir  string // where stdout and stderr are kept
	run  *child
}

// StartProcess starts stocksync and returns at once; WaitReady waits until it works.
func StartProcess(tb testing.TB, cfg ProcessConfig) *Process {
	tb.Helper()
	if cfg.Binary == "" {
		cfg.Binary = Binary(tb)
	}
	if cfg.Dir == "" {
		cfg.Dir = tb.TempDir()
	}
	p := &Process{cfg: cfg, addr: cfg.Env["HTTP_ADDR"], dir: tb.TempDir()}
	p.name = filepath.Base(cfg.Binary) + " " + strings.Join(cfg.Args, " ")
	if p.addr == "" {
		ports, err := freePorts(1)
		if err != nil {
			tb.Fatal(err)
		}
		p.addr = "127.0.0.1:" + strconv.Itoa(ports[0])
	}
	if err := p.Restart(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Kill(); err != nil {
			tb.Errorf("clean up: %v", err)
		}
		if tb.Failed() {
			tb.Logf("--- %s, end of its log\n%s", p.name, tail(p.logPath(), 50))
		}
	})
	return p
}

// Restart starts the process again, after it has ended, with the same configuration and addresses. Its log
// goes on where it stopped.
func (p *Process) Restart() error {
	if p.run != nil && !p.run.ended() {
		return fmt.Errorf("restart %s: it is running", p.name)
	}
	cmd := exec.Command(p.cfg.Binary, p.cfg.Args...)
	cmd.Dir = p.cfg.Dir
	cmd.Env = p.environment()
	for path, to := range map[string]*io.Writer{p.logPath(): &cmd.Stderr, p.outPath(): &cmd.Stdout} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("start %s: %w", p.name, err)
		}
		defer f.Close() //nolint:errcheck // the child has its own handle
		*to = f
	}
	run, err := startChild(cmd)
	if err != nil {
		return err
	}
	p.run = run
	return nil
}

// environment is what the process sees: what any program needs, and the configuration.
func (p *Process) environment() []string {
	vars := map[string]string{"HTTP_ADDR": p.addr}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "GORACE", "SYSTEMROOT"} {
		if v, ok := os.LookupEnv(name); ok {
			vars[name] = v
		}
	}
	maps.Copy(vars, p.cfg.Env)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env
}

func (p *Process) logPath() string { return filepath.Join(p.dir, "stderr") }
func (p *Process) outPath() string { return filepath.Join(p.dir, "stdout") }

// Log returns what it has written to standard error so far, over all restarts.
func (p *Process) Log() string { return tail(p.logPath(), 1<<30) }

// Stdout returns what it has written to standard output so far, over all restarts.
func (p *Process) Stdout() string { return tail(p.outPath(), 1<<30) }

// URL returns the address of an endpoint, such as "/readyz".
func (p *Process) URL(path string) string { return "http://" + p.addr + path }

// Get asks an endpoint once. It does not follow redirects.
func (p *Process) Get(ctx context.Context, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL(path), http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("get %s: %w", path, err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", fmt.Errorf("get %s: %w", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, httpCap))
	if err != nil {
		return 0, "", fmt.Errorf("get %s: %w", path, err)
	}
	return resp.StatusCode, string(b), nil
}

// WaitHTTP asks an endpoint until want says yes. It gives up when ctx ends or the process does.
func (p *Process) WaitHTTP(ctx context.Context, path string, want func(status int, body string) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := p.run
	go func() {
		select {
		case <-run.done:
			cancel(fmt.Errorf("it ended with code %d", run.code))
		case <-ctx.Done():
		}
	}()
	err := Until(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		status, body, err := p.Get(ctx, path)
		if err != nil {
			return err
		}
		if !want(status, body) {
			return fmt.Errorf("%s says %d: %.2000s", path, status, body)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// WaitReady waits until /readyz says 200.
func (p *Process) WaitReady(ctx context.Context) error {
	return p.WaitHTTP(ctx, "/readyz", func(status int, _ string) bool { return status == http.StatusOK })
}

// Wait returns the exit code once the process has ended; -1 means that a signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) { return p.run.wait(ctx) }

// Kill ends the process as a crash would (SIGKILL), and returns when it is gone.
func (p *Process) Kill() error { return p.run.kill() }

// Terminate asks the process to end (SIGTERM) and returns its exit code.
func (p *Process) Terminate(ctx context.Context) (int, error) {
	if err := p.run.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return p.run.wait(ctx)
}

// Binary returns the path of a stocksync built from this tree, with the race detector if the test has it. It
// is built once for all tests of a binary that has Main, else once for each test that asks.
func Binary(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv(envSharedDir)
	if dir == "" {
		dir = tb.TempDir()
	}
	path := filepath.Join(dir, "stocksync")
	var lock io.Closer
	err := Until(tb.Context(), 20*time.Millisecond, func(context.Context) (err error) {
		lock, err = vfs.Default.Lock(filepath.Join(dir, "LOCK"))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err = os.Stat(path); err != nil {
		err = build(tb.Context(), path)
	}
	if err := errors.Join(err, lock.Close()); err != nil {
		tb.Fatal(err)
	}
	return path
}

func build(ctx context.Context, path string) error {
	args := []string{"build", "-o", path}
	if raceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, "stocksync")...).CombinedOutput(); err != nil {
		return fmt.Errorf("build stocksync: %w\n%s", err, out)
	}
	return nil
}

// raceEnabled says whether this binary was built with -race.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
