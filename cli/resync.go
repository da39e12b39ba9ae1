package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ResyncReport is the result of `resync`.
type ResyncReport struct {
	SKUs []string `json:"skus"` // asked for, and acknowledged by the brokers
}

const resyncLong = `Ask that SKUs are sent to every store again: each gets a mutation of kind
touch, which changes no number, and the availability record that follows makes every store's
copy due, also where it seems to be right already.

A SKU that has no availability is refused before anything is written, because a touch would
create it; --force touches it all the same. The request is noted in topic audit.`

func (a *app) resyncCommand() *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:     "resync SKU ...",
		GroupID: groupWork,
		Short:   "Send SKUs to every store again",
		Long:    resyncLong,
		Example: "  stocksync resync SKU-000123\n  stocksync resync 'BATIK|L|17' SKU-000200 --json",
		Args:    wants("SKU ...", 1, math.MaxInt),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also SKUs that have no availability")
	addJSON(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, skus []string) error {
		if err := c.resync(ctx, skus, force); err != nil {
			return err
		}
		if c.json {
			return printJSON(c.Stdout, ResyncReport{SKUs: skus})
		}
		_, err := fmt.Fprintf(c.Stdout, "asked for %d SKUs to be sent again\n", len(skus))
		return err
	})
	return cmd
}

// resync checks the SKUs and produces their touches.
func (c *call) resync(ctx context.Context, skus []string, force bool) error {
	records := make([]*kgo.Record, 0, len(skus))
	for _, sku := range skus {
		r, err := c.touch(sku)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	cl, err := c.producer()
	if err != nil {
		return err
	}
	defer cl.Close()
	if _, err := partitionsOf(ctx, kadm.NewClient(cl), c.topic(topics.Mutations)); err != nil {
		return err
	}
	if !force {
		if err := c.haveAvailability(ctx, cl, skus); err != nil {
			return err
		}
	}
	for _, sku := range skus {
		records = append(records, c.audit(topics.AuditEntry{Action: "resync", Topic: topics.Mutations, RecordKey: sku}))
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce touches: %w", err)
	}
	return nil
}

// touch returns the mutation that makes a SKU be emitted again. Its error is one of usage.
func (c *call) touch(sku string) (*kgo.Record, error) {
	m := topics.Mutation{SKU: sku, Kind: topics.KindTouch, Reason: "resync", Source: "cli", Actor: actor()}
	r := &kgo.Record{Topic: c.topic(topics.Mutations), Key: []byte(sku), Value: m.AppendJSON(nil)}
	if why := topics.DecodeMutation(r.Key, r.Value, c.cfg.MaxRecordBytes, &m); why != nil {
		return nil, usagef("%q: %s", sku, why.Message)
	}
	return r, nil
}

// errNoAvailability is returned for SKUs that a touch would create.
var errNoAvailability = errors.New("no availability; case and spaces of a SKU count; --force touches it all the same")

// haveAvailability returns an error that names the SKUs without an availability record.
func (c *call) haveAvailability(ctx context.Context, cl *kgo.Client, skus []string) error {
	unknown, err := c.withoutAvailability(ctx, cl, skus)
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(unknown, ", "), errNoAvailability)
	}
	return err
}

// withoutAvailability returns the SKUs without an availability record.
func (c *call) withoutAvailability(ctx context.Context, cl *kgo.Client, skus []string) ([]string, error) {
	topic := c.topic(topics.AvailabilityTopic)
	n, err := partitionsOf(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	var partitions []int32
	for _, sku := range skus {
		missing[sku] = true
		partitions = append(partitions, topics.PartitionOf([]byte(sku), n))
	}
	err = c.scan(ctx, topic, func(r *kgo.Record) error {
		delete(missing, string(r.Key))
		return nil
	}, partitions...)
	return slices.DeleteFunc(slices.Clone(skus), func(sku string) bool { return !missing[sku] }), err
}

// audit returns the audit record of something a person did with this program: the one named, or who runs it.
func (c *call) audit(entry topics.AuditEntry) *kgo.Record {
	entry.At, entry.Actor, entry.Via = topics.TimeOf(time.Now()), cmp.Or(entry.Actor, actor()), "cli"
	return &kgo.Record{
		Topic: c.topic(topics.AuditTopic), Key: entry.Key(), Value: entry.Encode(),
	}
}

// actor names the person at the keyboard, as the operating system knows them.
func actor() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "unknown"
	}
	return u.Username
}
