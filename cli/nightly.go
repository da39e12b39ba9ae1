package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// NightlyReport is the result of `nightly`.
type NightlyReport struct {
	ID         string `json:"id"`         // of the command; the log and the task records name it
	Partitions int32  `json:"partitions"` // each one's owner was asked
	Done       bool   `json:"done"`       // with --wait: every run is over
}

const nightlyLong = `Ask for the nightly run now: the owner of each partition emits every SKU again that
had an accepted event in ACTIVE_WINDOW, which makes every store's copy due, and collapses what
has not changed for HISTORY_RETENTION. The run of the date comes at NIGHTLY_AT all the same.

The request is one record for each partition in topic commands, so it is carried out once, also
when a processor is down now or crashes meanwhile. A run in progress starts over. With --wait the
command returns when every partition is done; it fails when a partition makes no progress for
--timeout. The request is noted in topic audit.`

func (a *app) nightlyCommand() *cobra.Command {
	wait, timeout := false, time.Minute
	cmd := &cobra.Command{
		Use:     "nightly",
		GroupID: groupWork,
		Short:   "Ask for the nightly run now",
		Long:    nightlyLong,
		Example: "  stocksync nightly\n  stocksync nightly --wait --json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the run is over")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "with --wait: the longest `time` without progress")
	addJSON(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, _ []string) error {
		if timeout <= 0 {
			return usagef("--timeout %s: want more than 0", timeout)
		}
		report, err := c.nightly(ctx, wait, timeout)
		if err != nil {
			return err
		}
		if c.json {
			return printJSON(c.Stdout, report)
		}
		text := "asked the owners of %d partitions for a nightly run (%s)\n"
		if report.Done {
			text = "the nightly run of %d partitions is done (%s)\n"
		}
		_, err = fmt.Fprintf(c.Stdout, text, report.Partitions, report.ID)
		return err
	})
	return cmd
}

// nightly produces the command to every partition and, when told to, waits until it is carried out.
func (c *call) nightly(ctx context.Context, wait bool, timeout time.Duration) (*NightlyReport, error) {
	cl, err := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	n, err := partitionsOf(ctx, adm, c.topic(topics.Mutations))
	if err != nil {
		return nil, err
	}
	var w *nightlyWait
	if wait {
		if w, err = c.newNightlyWait(ctx, adm); err != nil {
			return nil, err
		}
		defer w.tail.Close()
	}
	command := topics.Command{
		ID: rand.Text(), Command: topics.CommandNightly, RequestedBy: actor(), RequestedAt: topics.TimeOf(time.Now()),
	}
	var records []*kgo.Record
	for p := range n {
		records = append(records, &kgo.Record{Topic: c.topic(topics.Commands), Partition: p, Value: command.Encode()})
	}
	entry := c.audit(topics.AuditEntry{Action: topics.CommandNightly, Topic: topics.Commands, Note: command.ID})
	if err := cl.ProduceSync(ctx, append(slices.Clone(records), entry)...).FirstErr(); err != nil {
		return nil, fmt.Errorf("produce commands: %w", err)
	}
	report := &NightlyReport{ID: command.ID, Partitions: n}
	if !wait {
		return report, nil
	}
	for _, r := range records {
		w.asked[r.Partition] = r.Offset
	}
	if err := w.run(ctx, timeout); err != nil {
		return nil, fmt.Errorf("wait for run %s: %w", command.ID, err)
	}
	report.Done = true
	return report, nil
}

// nightlyWait follows the task records until every partition has carried out a command.
type nightlyWait struct {
	tail  *kgo.Client     // of the changelog
	asked map[int32]int64 // offsets of the command where it is not carried out yet
}

// errNoProgress is returned when nothing is heard of the partitions that are waited for.
var errNoProgress = errors.New("no progress; is a processor running, and no task halted? its /readyz says")

// newNightlyWait begins to follow the changelog at its present end.
func (c *call) newNightlyWait(ctx context.Context, adm *kadm.Client) (*nightlyWait, error) {
	topic := c.topic(topics.Changelog)
	if _, err := partitionsOf(ctx, adm, topic); err != nil {
		return nil, err
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look up the end of %s: %w", topic, err)
	}
	from := map[int32]kgo.Offset{}
	for p, end := range ends[topic] {
		from[p] = kgo.NewOffset().At(end.Offset)
	}
	tail, err := c.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(scanWait),
	)
	if err != nil {
		return nil, err
	}
	return &nightlyWait{tail: tail, asked: map[int32]int64{}}, nil
}

// run returns when no partition is left. Its task records tell: once one has passed the command, the next
// without a cursor is the end of the run.
func (w *nightlyWait) run(ctx context.Context, timeout time.Duration) error {
	for len(w.asked) > 0 {
		heard, err := w.poll(ctx, timeout)
		if err != nil {
			return err
		}
		if !heard {
			return fmt.Errorf("partitions %v for %s: %w", slices.Sorted(maps.Keys(w.asked)), timeout, errNoProgress)
		}
	}
	return nil
}

// poll takes what comes next; false when nothing came of a partition that is waited for.
func (w *nightlyWait) poll(ctx context.Context, timeout time.Duration) (heard bool, err error) {
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for !heard {
		fetches := w.tail.PollFetches(wait)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if wait.Err() != nil {
			return false, nil
		}
		if err := fetches.Err(); err != nil {
			return false, fmt.Errorf("follow changelog: %w", err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			asked, waiting := w.asked[r.Partition]
			if !waiting || !state.IsTaskKey(r.Key) {
				continue
			}
			heard = true
			record, err := state.DecodeTaskRecord(r.Value)
			if err != nil {
				return false, fmt.Errorf("changelog partition %d offset %d: %w", r.Partition, r.Offset, err)
			}
			if record.Inputs[state.InputCommands].Next > asked && record.Nightly.Cursor == "" {
				delete(w.asked, r.Partition)
			}
		}
	}
	return heard, nil
}
