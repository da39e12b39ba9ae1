package token

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lockEvery is how often a lock that another process holds is tried: a refresh takes a round trip.
const lockEvery = 20 * time.Millisecond

// lock waits until this process alone may change the file, and returns what ends that. The kernel ends it too,
// with the process.
func (f file) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock tokens: %w", err)
	}
	held, err := os.OpenFile(filepath.Join(f.dir, f.name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock tokens: %w", err)
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		ok, err := tryLock(held)
		if ok {
			return func() { _ = held.Close() }, nil // which unlocks
		}
		if err == nil {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		_ = held.Close()
		return nil, fmt.Errorf("lock tokens: %w", err)
	}
}
