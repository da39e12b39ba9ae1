package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// dieWithUs makes the kernel kill the program when the thread that starts it ends, as it does when this
// process ends in whatever way.
func dieWithUs(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// stopped returns nil when every thread of a process has stopped: a signal to stop returns before that.
func stopped(pid int) error {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		return fmt.Errorf("process %d has no threads: %w", pid, errors.Join(err, os.ErrProcessDone))
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("look at a thread: %w", err)
		}
		// "pid (name) state ...", and a name may hold anything.
		if state := stat[bytes.LastIndexByte(stat, ')')+1:]; !bytes.HasPrefix(state, []byte(" T ")) {
			return fmt.Errorf("a thread of process %d has not stopped: %.2s", pid, state)
		}
	}
	return nil
}
