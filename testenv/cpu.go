package testenv

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuOf returns the time that a process has spent on processors, user and system. Linux only.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	// The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, at := range []int{11, 12} {
		if at >= len(fields) {
			return 0, fmt.Errorf("read the processor time of process %d: %q has no field %d", pid, text, at)
		}
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// rssOf returns the memory that a process holds, and the most it ever held, in bytes. Linux only.
func rssOf(pid int) (now, most int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // 0 for other lines
		switch name {
		case "VmRSS":
			now = n << 10
		case "VmHWM":
			most = n << 10
		}
	}
	return now, most, nil
}

// CPU returns the processor time of the process.
func (p *Process) CPU() (time.Duration, error) { return cpuOf(p.run.proc.Pid) }

// Memory returns the memory that the process holds, and the most it ever held, in bytes.
func (p *Process) Memory() (now, most int64, err error) { return rssOf(p.run.proc.Pid) }

// CPU returns the processor time of all nodes that this test started.
func (c *Cluster) CPU() (time.Duration, error) {
	if c.nodes == nil {
		return 0, ErrNotOurs
	}
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	var sum time.Duration
	for _, n := range c.nodes.all {
		if !n.up() {
			continue
		}
		used, err := cpuOf(n.run.proc.Pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
