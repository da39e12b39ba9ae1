//go:build !linux

package testenv

import "os/exec"

// dieWithUs does nothing where the kernel offers nothing: there a test binary that is killed, and not one
// that fails, leaves its children running.
func dieWithUs(*exec.Cmd) {}

// stopped has nowhere to look; a process that was told to stop is about to.
func stopped(int) error { return nil }
