package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stocksync/processor"
	"stocksync/state"
	"stocksync/topics"
)

const positionsLong = `Show or set where the processor goes on reading. The positions are kept in
topic changelog, together with what was counted up to them; the offsets of the consumer group
are not used.

A task (one partition over mutations, orders and commands) that could lose or double stock halts
instead: when an input lost records it had not read, when a topic was deleted and made anew,
when the changelog was lost. The log and /readyz say which. 'positions set' is the only way past
a halt: a person decides what is right.`

const positionsSetLong = `Set where tasks go on: INPUT is mutations, orders or commands, OFFSET a
number within the log, start or end. Inputs that are not named keep their position. Every
processor must be stopped. Without --yes it shows what would change and writes nothing.

Records between the old and a later position are never read; records read again are duplicates
and change nothing, as long as their lines are still held. The change is one transaction for
each partition, and is noted in topic audit.`

const positionsSetExample = `  stocksync positions set --partition 3 mutations=start --yes
  stocksync positions set --partition 3 --partition 4 mutations=120034 orders=end --yes`

func (a *app) positionsCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:     "positions",
		GroupID: groupWork,
		Short:   "Show or set where the processor goes on reading",
		Long:    positionsLong,
		Args:    cobra.ArbitraryArgs,
		RunE:    a.parent(),
	}
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the position of every task",
		Long: "Show where each task stands in its inputs, and where their logs start and end. Works\n" +
			"beside running processors.",
		Example: "  stocksync positions show\n  stocksync positions show --json",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, c *call, _ []string) error {
			list, err := c.positions(ctx)
			if err != nil {
				return err
			}
			return c.printPositions(list)
		}),
	}
	addJSON(show)
	parent.AddCommand(show, a.positionsSetCommand())
	return parent
}

func (a *app) positionsSetCommand() *cobra.Command {
	var partitions []int32
	yes := false
	cmd := &cobra.Command{
		Use:     "set --partition N INPUT=OFFSET ...",
		Short:   "Set where tasks go on, with all processors stopped",
		Long:    positionsSetLong,
		Example: positionsSetExample,
		Args:    wants("INPUT=OFFSET ...", 1, math.MaxInt),
	}
	cmd.Flags().Int32SliceVar(&partitions, "partition", nil, "the task's partition `number` (repeatable, required)")
	cmd.Flags().BoolVar(&yes, "yes", false, "really set them")
	addJSON(cmd)
	_ = cmd.MarkFlagRequired("partition") // the flag exists
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		next, err := parsePositions(args)
		if err != nil {
			return err
		}
		return c.setPositions(ctx, partitions, next, yes)
	})
	return cmd
}

// Offsets that SetPositions takes for the ends of a log.
const (
	logStart = -1
	logEnd   = -2
)

// parsePositions reads INPUT=OFFSET arguments. Every fault is one of usage.
func parsePositions(args []string) (map[string]int64, error) {
	inputs := state.InputBases()
	next := map[string]int64{}
	for _, arg := range args {
		input, text, ok := strings.Cut(arg, "=")
		if !ok || !slices.Contains(inputs[:], input) {
			return nil, usagef("%q: want INPUT=OFFSET with one of %s", arg, strings.Join(inputs[:], ", "))
		}
		if _, twice := next[input]; twice {
			return nil, usagef("%q: %s is given twice", arg, input)
		}
		switch text {
		case "start":
			next[input] = logStart
		case "end":
			next[input] = logEnd
		default:
			offset, err := strconv.ParseInt(text, 10, 64)
			if err != nil || offset < 0 {
				return nil, usagef("%q: want an offset, start or end", arg)
			}
			next[input] = offset
		}
	}
	return next, nil
}

// positions reads where every task stands.
func (c *call) positions(ctx context.Context) ([]processor.Positions, error) {
	p, err := c.idleProcessor()
	if err != nil {
		return nil, err
	}
	return p.ShowPositions(ctx)
}

// idleProcessor returns a processor that does not run: for what it knows of the topics.
func (c *call) idleProcessor() (*processor.Processor, error) {
	conf, err := c.processorConfig(nil)
	if err != nil {
		return nil, err
	}
	return processor.New(conf)
}

// setPositions shows what changes and, when told to, changes it.
func (c *call) setPositions(ctx context.Context, partitions []int32, next map[string]int64, yes bool) error {
	before, err := c.positions(ctx)
	if err != nil {
		return err
	}
	for _, n := range partitions {
		if n < 0 || int(n) >= len(before) {
			return usagef("--partition %d: there are 0 to %d", n, len(before)-1)
		}
	}
	chosen := func(list []processor.Positions) []processor.Positions {
		return slices.DeleteFunc(slices.Clone(list), func(p processor.Positions) bool {
			return !slices.Contains(partitions, p.Partition)
		})
	}
	if !yes {
		if err := c.printPositions(chosen(before)); err != nil {
			return err
		}
		return usagef("nothing was changed: add --yes to set %s of these tasks",
			strings.Join(slices.Sorted(maps.Keys(next)), " and "))
	}
	p, err := c.idleProcessor()
	if err != nil {
		return err
	}
	for _, n := range partitions {
		if err := p.SetPositions(ctx, n, next); err != nil {
			if errors.Is(err, processor.ErrPosition) {
				err = usagef("%w", err)
			}
			return fmt.Errorf("set positions of partition %d: %w", n, err)
		}
	}
	after, err := c.positions(ctx)
	if err != nil {
		return err
	}
	if err := c.auditPositions(ctx, chosen(before), chosen(after)); err != nil {
		return err
	}
	return c.printPositions(chosen(after))
}

// auditPositions notes who moved what.
func (c *call) auditPositions(ctx context.Context, before, after []processor.Positions) error {
	was, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("note in audit: %w", err)
	}
	is, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("note in audit: %w", err)
	}
	cl, err := c.producer()
	if err != nil {
		return err
	}
	defer cl.Close()
	entry := topics.AuditEntry{Action: "positions", Topic: topics.Changelog, Before: was, After: is}
	if err := cl.ProduceSync(ctx, c.audit(entry)).FirstErr(); err != nil {
		return fmt.Errorf("positions are set; note in audit: %w", err)
	}
	return nil
}

// printPositions writes one row a task and input.
func (c *call) printPositions(list []processor.Positions) error {
	if c.json {
		return printJSON(c.Stdout, list)
	}
	t := newTable(">PARTITION", "INPUT", ">NEXT", ">LOG START", ">LOG END", ">BEHIND", "TASK RECORD")
	for _, p := range list {
		record := fmt.Sprintf("%d partitions, %d consumed", p.Partitions, p.Counters.Consumed)
		if !p.HasRecord {
			record = "none"
		}
		for _, input := range state.InputBases() {
			next, start, end := p.Next[input], p.Start[input], p.End[input]
			behind := fmt.Sprint(end - next)
			if next < start || next > end {
				behind = "outside"
			}
			t.add(fmt.Sprint(p.Partition), input, fmt.Sprint(next), fmt.Sprint(start), fmt.Sprint(end), behind, record)
		}
	}
	return t.print(c.Stdout)
}
