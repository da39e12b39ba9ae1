//go:build !unix

package token

import "os"

// tryLock locks nothing: on this system only one process may use the directory.
func tryLock(*os.File) (bool, error) { return true, nil }

// syncDir does nothing: directories can't be synced here.
func (file) syncDir() error { return nil }
