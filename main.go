// Command stocksync keeps exact stock quantities from Kafka and brings every marketplace store to them.
// Run it with --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // TIMEZONE works where the system has no zones, as in a small container

	"stocksync/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back: a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, program())
	stop()
	os.Exit(code)
}

// program is this process: its arguments, its streams and its environment.
func program() cli.Program {
	return cli.Program{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Config: func() (cli.Config, error) {
			c, err := loadConfig(os.Environ())
			if err != nil {
				return cli.Config{}, err
			}
			return c.parts()
		},
		Settings: func(values bool) ([]cli.Setting, error) {
			if !values {
				return settings(nil), nil
			}
			c, err := loadConfig(os.Environ())
			if err != nil {
				return nil, err
			}
			return settings(c), nil
		},
		Tune: tune,
	}
}

// gcPercent lets the heap grow to five times what lives, up to a soft limit a quarter above what a service holds at
// most: a heap that may only double costs the processor an eighth of its time more. Who sets GOGC or GOMEMLIMIT decides
// otherwise.
const gcPercent = 400

// tune sets the garbage collector up for a service that holds so many bytes at most, and returns its limit.
func tune(memory int64) (limit int64) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(memory / 4 * 5)
	}
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	return debug.SetMemoryLimit(-1)
}

const (
	defaultCacheBytes = 1 << 30
	leastCacheBytes   = 32 << 20
)

// cacheWithin returns how many bytes of SKUs to hold decoded in a process that is to stay below a limit: Pebble, the
// records on their way and the collector need the rest.
func cacheWithin(limit int64) int64 {
	return max(leastCacheBytes, min(limit/3, defaultCacheBytes))
}
