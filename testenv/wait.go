package testenv

import (
	"context"
	"fmt"
	"time"
)

// Until calls cond at once and then every interval until it returns nil, and returns nil then. When ctx
// ends first, the error holds both why it ended and what cond last said.
func Until(ctx context.Context, every time.Duration, cond func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := cond(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait: %w: last: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
