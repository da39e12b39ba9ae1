package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// SummaryRow is one line of the Item Summary: a SKU in a warehouse, or in all of them when Warehouse is empty.
type SummaryRow struct {
	SKU       string          `json:"sku"`
	Name      string          `json:"name,omitempty"`
	Warehouse string          `json:"warehouse,omitempty"`
	Actual    topics.Quantity `json:"actual"`
	Reserved  topics.Quantity `json:"reserved"`
	Net       topics.Quantity `json:"net"`
	Available topics.Quantity `json:"available"`
	AsOf      topics.Time     `json:"as_of"`
	Revision  int64           `json:"revision"`
}

// summaryOptions are the flags of `summary`.
type summaryOptions struct {
	warehouses []string
	totals     bool
	negative   bool
	sort       string
	desc       bool
	limit      int
	csv        bool
}

// summarySorts are the columns that --sort takes.
func summarySorts() []string {
	return []string{"sku", "name", "warehouse", "actual", "reserved", "net", "available", "as_of"}
}

const summaryLong = `Show the Item Summary: Actual, Reserved and Available of each SKU and
warehouse, with the SKU's name when topic items has one. Words search SKU and name, ignoring
case; a row must hold all of them. Available is Actual - Reserved, and 0 when that is negative.

The numbers are read from topic availability as it is committed now; nothing else needs to run.`

const summaryExample = `  stocksync summary                                  # every SKU and warehouse
  stocksync summary kaos merah --warehouse WH-JKT-01
  stocksync summary --totals --sort available --limit 20
  stocksync summary --negative                       # promised more than there is
  stocksync summary --csv > stock.csv`

func (a *app) summaryCommand() *cobra.Command {
	var o summaryOptions
	cmd := &cobra.Command{
		Use:     "summary [WORD ...]",
		GroupID: groupLook,
		Short:   "Show Actual, Reserved and Available of each SKU and warehouse",
		Long:    summaryLong,
		Example: summaryExample,
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.warehouses, "warehouse", "w", nil, "only this `warehouse` (repeatable)")
	f.BoolVar(&o.totals, "totals", false, "one row a SKU, over the warehouses shown")
	f.BoolVar(&o.negative, "negative", false, "only rows whose Actual - Reserved is below 0")
	f.StringVar(&o.sort, "sort", "sku", "sort by "+strings.Join(summarySorts(), ", "))
	f.BoolVar(&o.desc, "desc", false, "sort from high to low")
	f.IntVarP(&o.limit, "limit", "n", 0, "at most so many rows; 0 is all")
	f.BoolVar(&o.csv, "csv", false, "print CSV")
	addJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("csv", "json")
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return summarySorts(), cobra.ShellCompDirectiveNoFileComp
	}
	_ = cmd.RegisterFlagCompletionFunc("sort", complete) // the flag exists
	cmd.RunE = a.run(func(ctx context.Context, c *call, words []string) error {
		if !slices.Contains(summarySorts(), o.sort) {
			return usagef("--sort %q: want one of %s", o.sort, strings.Join(summarySorts(), ", "))
		}
		if o.limit < 0 {
			return usagef("--limit %d: want 0 or more", o.limit)
		}
		rows, err := c.summary(ctx, o, words)
		if err != nil {
			return err
		}
		return c.printSummary(rows, o)
	})
	return cmd
}

// summary reads names and availability and returns the rows that are asked for, sorted.
func (c *call) summary(ctx context.Context, o summaryOptions, words []string) ([]SummaryRow, error) {
	names, err := c.itemNames(ctx)
	if err != nil {
		return nil, err
	}
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	found := latest{}
	err = c.scan(ctx, c.topic(topics.AvailabilityTopic), func(r *kgo.Record) error {
		if !matches(words, string(r.Key), names[string(r.Key)]) {
			return nil
		}
		return found.keep(r)
	})
	if err != nil {
		return nil, err
	}
	rows := []SummaryRow{}
	for sku, held := range found {
		a, err := held.decode()
		if err != nil {
			return nil, fmt.Errorf("availability of %s: %w", sku, err)
		}
		rows = append(rows, o.rows(a, names[sku])...)
	}
	o.order(rows)
	if o.limit > 0 && len(rows) > o.limit {
		rows = rows[:o.limit]
	}
	return rows, nil
}

// latest holds of each SKU the availability record with the highest revision. Two partitions can hold one SKU
// after partitions were added. Values are decoded at the end: of most records of a topic a newer one follows.
type latest map[string]*heldRecord

// heldRecord is one availability record as it was read.
type heldRecord struct {
	revision int64
	value    []byte // a copy: a record pins the whole batch it came in
}

// keep takes the record when its revision is above the one that is held.
func (l latest) keep(r *kgo.Record) error {
	if len(r.Value) == 0 {
		return nil // a split writes a higher revision elsewhere right after its tombstone
	}
	revision := revisionOf(r)
	if revision < 0 {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			return fmt.Errorf("partition %d offset %d: %w", r.Partition, r.Offset, err)
		}
		revision = a.Revision
	}
	held := l[string(r.Key)]
	if held == nil {
		held = new(heldRecord)
		l[string(r.Key)] = held
	}
	if held.value == nil || held.revision < revision {
		held.revision, held.value = revision, append(held.value[:0], r.Value...)
	}
	return nil
}

// decode returns what the record says; nil of no record.
func (h *heldRecord) decode() (*topics.Availability, error) {
	if h == nil {
		return nil, nil
	}
	return topics.DecodeAvailability(h.value)
}

// matches says whether every word is part of SKU or name. The words are in lower case.
func matches(words []string, sku, name string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(sku + "\x00" + name)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// itemNames returns the names of topic items by SKU. An installation without that topic has none.
func (c *call) itemNames(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	err := c.scan(ctx, c.topic(topics.Items), func(r *kgo.Record) error {
		if r.Value == nil {
			delete(names, string(r.Key))
			return nil
		}
		item, err := topics.DecodeItem(r.Value)
		if err != nil {
			c.log.Warn("item is not shown", "sku", string(r.Key), "err", err)
			return nil // upstream's mistake in a name must not hide the numbers
		}
		names[item.SKU] = item.Name
		return nil
	})
	if errors.Is(err, errNoTopic) {
		return names, nil
	}
	return names, err
}

// rows returns the rows of one SKU that the flags ask for.
func (o summaryOptions) rows(a *topics.Availability, name string) []SummaryRow {
	var rows []SummaryRow
	for _, w := range a.Warehouses {
		if len(o.warehouses) > 0 && !slices.Contains(o.warehouses, w.Warehouse) {
			continue
		}
		rows = append(rows, SummaryRow{
			SKU: a.SKU, Name: name, Warehouse: w.Warehouse, Actual: w.Actual, Reserved: w.Reserved,
			Net: w.Net, Available: w.Available, AsOf: a.AsOf, Revision: a.Revision,
		})
	}
	if o.totals && (len(rows) > 0 || len(o.warehouses) == 0) {
		sum := SummaryRow{SKU: a.SKU, Name: name, AsOf: a.AsOf, Revision: a.Revision}
		for _, r := range rows {
			sum.Actual += r.Actual
			sum.Reserved += r.Reserved
		}
		sum.Net = sum.Actual - sum.Reserved
		sum.Available = max(0, sum.Net)
		rows = []SummaryRow{sum}
	}
	if o.negative {
		rows = slices.DeleteFunc(rows, func(r SummaryRow) bool { return r.Net >= 0 })
	}
	return rows
}

// order sorts the rows by the flag's column, then by SKU and warehouse.
func (o summaryOptions) order(rows []SummaryRow) {
	slices.SortFunc(rows, func(a, b SummaryRow) int {
		by := 0
		switch o.sort {
		case "name":
			by = cmp.Compare(a.Name, b.Name)
		case "warehouse":
			by = cmp.Compare(a.Warehouse, b.Warehouse)
		case "actual":
			by = cmp.Compare(a.Actual, b.Actual)
		case "reserved":
			by = cmp.Compare(a.Reserved, b.Reserved)
		case "net":
			by = cmp.Compare(a.Net, b.Net)
		case "available":
			by = cmp.Compare(a.Available, b.Available)
		case "as_of":
			by = cmp.Compare(a.AsOf, b.AsOf)
		default:
			by = cmp.Compare(a.SKU, b.SKU)
		}
		if o.desc {
			by = -by
		}
		return cmp.Or(by, cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Warehouse, b.Warehouse))
	})
}

// printSummary writes the rows as JSON, CSV or a table.
func (c *call) printSummary(rows []SummaryRow, o summaryOptions) error {
	if c.json {
		return printJSON(c.Stdout, rows)
	}
	if o.csv {
		w := csv.NewWriter(c.Stdout)
		all := [][]string{{"sku", "name", "warehouse", "actual", "reserved", "net", "available", "as_of", "revision"}}
		for _, r := range rows {
			all = append(all, []string{
				r.SKU, r.Name, r.Warehouse, r.Actual.String(), r.Reserved.String(), r.Net.String(),
				r.Available.String(), r.AsOf.String(), fmt.Sprint(r.Revision),
			})
		}
		if err := w.WriteAll(all); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
		return nil
	}
	t := newTable("SKU", "NAME", "WAREHOUSE", ">ACTUAL", ">RESERVED", ">AVAILABLE", ">NET", "AS OF")
	for _, r := range rows {
		t.add(r.SKU, r.Name, cmp.Or(r.Warehouse, "(all)"), r.Actual.String(), r.Reserved.String(),
			r.Available.String(), r.Net.String(), c.localTime(r.AsOf))
	}
	return t.print(c.Stdout)
}

// localTime shows a time in the zone of the business, for people.
func (c *call) localTime(t topics.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Time().In(c.cfg.Timezone).Format("2006-01-02 15:04:05")
}
