// Command stocksync keeps exact stock quantities from Kafka and brings every marketplace store to them.
// Run it with --help.
package main

import (
	"context"
	"os"
	"os/signal"
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
	}
}
