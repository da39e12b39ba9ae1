package testenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// child is a running program that does not outlive this process.
type child struct {
	proc *os.Process
	done chan struct{} // closed when it has ended and been reaped
	code int           // exit code, -1 when a signal ended it; set before done is closed
}

// startChild starts cmd. The kernel ends a child when the *thread* that started it ends (see dieWithUs), so
// that thread is held until the child is gone.
func startChild(cmd *exec.Cmd) (*child, error) {
	dieWithUs(cmd)
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		c.proc = cmd.Process
		started <- nil
		_ = cmd.Wait() // only says again what the exit code says
		c.code = cmd.ProcessState.ExitCode()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// CombinedOutput runs cmd as its own method of that name does, and sees to it that the program ends with this
// process, in whatever way that ends. The kernel ends it with the thread that started it, which is held meanwhile.
func CombinedOutput(cmd *exec.Cmd) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithUs(cmd)
	return cmd.CombinedOutput()
}

// signal sends sig unless the child has ended, which is not an error.
func (c *child) signal(sig os.Signal) error {
	if err := c.proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", c.proc.Pid, err)
	}
	return nil
}

// kill ends the child with SIGKILL and returns when it is reaped.
func (c *child) kill() error {
	if err := c.signal(os.Kill); err != nil {
		return err
	}
	<-c.done
	return nil
}

// wait returns the exit code when the child has ended.
func (c *child) wait(ctx context.Context) (int, error) {
	select {
	case <-c.done:
		return c.code, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for process %d: %w", c.proc.Pid, context.Cause(ctx))
	}
}

// ended says whether the child is gone.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// freePorts returns n different loopback ports that nobody listens on. They lie below the range the kernel
// takes for outgoing connections: a node that restarts on its port would else find it taken now and then.
func freePorts(n int) ([]int, error) {
	const first, last, tries = 15_000, 32_000, 1000
	var ports []int
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)))
		if err != nil {
			continue
		}
		defer ln.Close() //nolint:errcheck // held until all are chosen; nothing was written
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return nil, fmt.Errorf("find %d free ports: none after %d tries", n, tries)
}

// tail returns the last lines of a file, for the log of a test that failed.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
