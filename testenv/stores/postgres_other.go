//go:build !unix

package stores

import "syscall"

// notRoot has nothing to do: the server runs as who we are.
func notRoot(string) (attributes func() *syscall.SysProcAttr, err error) {
	return func() *syscall.SysProcAttr { return nil }, nil
}
