// Package cli holds the commands of stocksync: it parses a command line, reads the configuration it is given,
// builds the parts that the command needs and prints their results.
//
// What every command keeps to:
//
//   - results go to standard output, logs and progress to standard error, so that output can be piped;
//   - --json prints the result as JSON on every command that has one;
//   - exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 checked and found different;
//   - SIGINT and SIGTERM (the context ends) stop it in order: a service has then done what it was asked and
//     exits 0, work that was cut short exits 1 and says how far it came;
//   - commands that look at data read Kafka (read_committed), never another process's state directory.
//
// The package must not read the environment: main does, and hands over a Config.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Exit codes of the process.
const (
	ExitOK        = 0 // done
	ExitFailed    = 1 // failed
	ExitUsage     = 2 // wrong usage or configuration
	ExitDifferent = 3 // checked and found different
)

// ErrUsage marks an error of the command line or the configuration: exit code 2.
var ErrUsage = errors.New("wrong usage")

// ErrDifferent marks a check that ran and found a difference: exit code 3.
var ErrDifferent = errors.New("found different")

// Program is one call of stocksync: its arguments, its three streams and where its settings come from.
type Program struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Config reads and checks the settings. It is called once, by commands that need them; an error is exit
	// code 2 and names every fault.
	Config func() (Config, error)
	// Settings documents the environment for --help; `config` asks for the values in force as well.
	Settings func(values bool) ([]Setting, error)
	// Tune lets the garbage collector take the memory that a service holds at most, and what it needs itself; it
	// returns the limit that then is in force. nil: the collector is left as it is.
	Tune func(memory int64) (limit int64)
	// KafkaOpts are added to every client. For tests, whose broker lives on a virtual network.
	KafkaOpts []kgo.Opt
}

// Main runs the command and returns its exit code. Errors are printed to Stderr, once.
func Main(ctx context.Context, p Program) int {
	a := &app{Program: p}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(p.Stderr, "stocksync: %v\n", err)
	switch {
	case errors.Is(err, ErrDifferent):
		return ExitDifferent
	case errors.Is(err, ErrUsage) || !a.started:
		// Not started: cobra refused the line itself, an unknown command, flag or number of arguments.
		fmt.Fprintln(p.Stderr, "Run 'stocksync --help', or a command with --help, for usage.")
		return ExitUsage
	default:
		return ExitFailed
	}
}

// usagef returns an error that exits with code 2.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// usageError makes an error one of usage without adding words to it.
type usageError struct{ error }

// Is says that the error is ErrUsage.
func (usageError) Is(target error) bool { return target == ErrUsage }

// Unwrap returns the error inside.
func (e usageError) Unwrap() error { return e.error }

// app is one call of stocksync while its command line is parsed.
type app struct {
	Program
	started bool // a command's function was reached: the line itself was right
}

// call is what a running command has at hand.
type call struct {
	Program
	cfg  Config
	log  *slog.Logger
	json bool // --json was given
}

// runFunc is the body of a command.
type runFunc func(ctx context.Context, c *call, args []string) error

// run gives cobra a function that reads the settings and then runs the command's body.
func (a *app) run(body runFunc) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		cfg, err := a.Config()
		if err != nil {
			return usagef("configuration:\n%w", err)
		}
		cfg.Kafka.Opts = append(cfg.Kafka.Opts, a.KafkaOpts...)
		c := &call{Program: a.Program, cfg: cfg, log: newLogger(a.Stderr, cfg.LogLevel, cfg.LogFormat)}
		if f := cmd.Flags().Lookup("json"); f != nil {
			c.json = f.Value.String() == "true"
		}
		return body(cmd.Context(), c, args)
	}
}
