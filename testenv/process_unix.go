//go:build unix

package testenv

import (
	"context"
	"syscall"
	"time"
)

// Pause stops the process where it is (SIGSTOP), so that it neither runs nor knows that it does not. It returns
// when all its threads stand still.
func (p *Process) Pause(ctx context.Context) error {
	if err := p.run.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return Until(ctx, time.Millisecond, func(context.Context) error { return stopped(p.run.proc.Pid) })
}

// Resume lets a paused process go on (SIGCONT).
func (p *Process) Resume() error { return p.run.signal(syscall.SIGCONT) }
