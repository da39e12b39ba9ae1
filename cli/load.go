package cli

import (
	"context"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"stocksync/topics"
)

// loadOptions are the flags of `load`.
type loadOptions struct {
	topic     string
	maps      []string
	sets      []string
	format    string
	delimiter string
	zone      string
	dryRun    bool
	skipBad   bool
	reject    string
}

// LoadReport is the result of `load`.
type LoadReport struct {
	Topic         string       `json:"topic"`
	DryRun        bool         `json:"dry_run"`
	Rows          int64        `json:"rows"`
	Produced      int64        `json:"produced"` // acknowledged by the brokers
	Rejected      int64        `json:"rejected"`
	Seconds       float64      `json:"seconds"`
	RowsPerSecond float64      `json:"rows_per_second"`
	Files         []FileReport `json:"files"`
}

// FileReport is what `load` read of one file.
type FileReport struct {
	File       string `json:"file"`
	Format     string `json:"format,omitempty"`
	Rows       int64  `json:"rows"`
	Rejected   int64  `json:"rejected"`
	RejectFile string `json:"reject_file,omitempty"`
}

const loadLong = `Load ledger lines (--topic mutations) or sales-order lines (--topic orders)
from files into Kafka.

Files are CSV with a line of column names, or JSON Lines, plain or gzip; the first bytes tell.
"-" is standard input. A column is taken for the field of the same name. --map takes a field
from another column, --set from a template: {column} stands for that column's text, {_line} for
the row's line number, {_file} for the file's name, "{{" and "}}" for braces. A template beats a
column. Empty cells are absent.

  mutations  line_id* version* sku* warehouse* qty* effective_at* kind status seq order_line_id is_return reason
             voucher_type voucher_no source actor note
  orders     order_line_id* version* sku* warehouse* status* ordered_qty* ordered_at* order_id* store
             store_order_id store_sku changed_at source                                        (* required)

From text, and only from text, these are read more freely than in Kafka: times such as
2026-01-31 14:05:09 or 2026-01-31 are local times of --timezone, +07 is a zone; +1, .5 and
1.500000000 are numbers; yes/no/ya/tidak/1/0 are truth values; --set qty=-{sold} turns the sign
of a column.

Every row is checked as the processor would check it. A bad row is reported as FILE:LINE: field
and value, and ends the load; what was loaded before it stays. Loading again is safe: a line
that is there already, with the same version, changes nothing. With --skip-bad bad rows go to a
reject file (FILE.rejected, or FILE.rejected-2 when that is there), with their file, line and
error, and the load goes on; mend that file and load it, ids made from {_line} stay what they
were. With --dry-run everything is checked, all bad rows are reported and nothing is written.`

const loadExample = `  stocksync load --topic mutations ledger.csv
  stocksync load --topic orders --dry-run orders-2026-*.jsonl.gz
  stocksync load --topic orders --map sku=item --map warehouse=location --map ordered_at=ts \
      --set 'order_line_id={order_id}/{_line}' --set version=1 --set status=open --map ordered_qty=quantity sales.csv
  stocksync load --topic mutations --set 'line_id=sales/{order_id}/{_line}' --set version=1 --map sku=item \
      --map warehouse=location --map effective_at=ts --set 'qty=-{quantity}' --set reason=sales_invoice sales.csv
  zcat opening.gz | stocksync load --topic mutations --set kind=count --skip-bad --reject bad.csv -`

func (a *app) loadCommand() *cobra.Command {
	var o loadOptions
	cmd := &cobra.Command{
		Use:     "load --topic mutations|orders FILE ...",
		GroupID: groupWork,
		Short:   "Load ledger lines or order lines from CSV or JSON Lines files",
		Long:    loadLong,
		Example: loadExample,
		Args:    wants("FILE ...; - is standard input", 1, math.MaxInt),
	}
	f := cmd.Flags()
	f.StringVar(&o.topic, "topic", "", "what the rows are: mutations or orders (required)")
	f.StringArrayVar(&o.maps, "map", nil, "take a field from another column: `field=column` (repeatable)")
	f.StringArrayVar(&o.sets, "set", nil, "set a field to a text or template: `field=value` (repeatable)")
	f.StringVar(&o.format, "format", string(formatAuto), "csv, jsonl or auto")
	f.StringVar(&o.delimiter, "delimiter", ",", `what separates CSV cells; "tab" for a tab`)
	f.StringVar(&o.zone, "timezone", "", "zone of times that have none (default TIMEZONE)")
	f.BoolVar(&o.dryRun, "dry-run", false, "check every row, write nothing")
	f.BoolVar(&o.skipBad, "skip-bad", false, "put bad rows into a reject file and go on")
	f.StringVar(&o.reject, "reject", "", "the reject `file` (default FILE.rejected; needed for -)")
	addJSON(cmd)
	_ = cmd.MarkFlagRequired("topic") // the flag exists
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{topics.Mutations, topics.Orders}, cobra.ShellCompDirectiveNoFileComp
	}
	_ = cmd.RegisterFlagCompletionFunc("topic", complete) // the flag exists
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		l, err := newLoader(c, o, args)
		if err != nil {
			return err
		}
		return l.run(ctx)
	})
	return cmd
}

// newLoader checks the flags against each other. Every fault is one of usage.
func newLoader(c *call, o loadOptions, files []string) (*loader, error) {
	if fieldsOf(o.topic) == nil {
		return nil, usagef("--topic %q: want mutations or orders", o.topic)
	}
	l := &loader{call: c, opts: o, files: files, zone: c.cfg.Timezone}
	switch rowFormat(o.format) {
	case formatAuto, formatCSV, formatJSON:
	default:
		return nil, usagef("--format %q: want csv, jsonl or auto", o.format)
	}
	if o.delimiter == "tab" {
		o.delimiter = "\t"
	}
	l.delimiter, _ = utf8.DecodeRuneInString(o.delimiter)
	if utf8.RuneCountInString(o.delimiter) != 1 || l.delimiter == '"' || l.delimiter == '\n' || l.delimiter == '\r' {
		return nil, usagef("--delimiter %q: want one character, or tab", o.delimiter)
	}
	if o.zone != "" {
		zone, err := time.LoadLocation(o.zone)
		if err != nil {
			return nil, usagef("--timezone %q: want a name such as Asia/Jakarta", o.zone)
		}
		l.zone = zone
	}
	if o.reject != "" && (!o.skipBad || len(files) != 1) {
		return nil, usagef("--reject goes with --skip-bad and one input file")
	}
	standard := 0
	for _, file := range files {
		if file == standardInput {
			standard++
		}
	}
	if standard > 1 {
		return nil, usagef("standard input (-) is given twice")
	}
	if standard == 1 && o.skipBad && !o.dryRun && o.reject == "" {
		return nil, usagef("--skip-bad with standard input needs --reject FILE")
	}
	m, err := newMapping(o.topic, o.maps, o.sets, l.zone)
	if err != nil {
		return nil, err
	}
	l.mapping = m
	return l, nil
}

// show writes the result.
func (r LoadReport) show(c *call) error {
	if c.json {
		return printJSON(c.Stdout, r)
	}
	text := fmt.Sprintf("loaded %d of %d rows, %d bad, into %s", r.Produced, r.Rows, r.Rejected, r.Topic)
	if r.DryRun {
		text = fmt.Sprintf("checked %d rows for %s, %d bad, nothing written", r.Rows, r.Topic, r.Rejected)
	}
	if _, err := fmt.Fprintf(c.Stdout, "%s, in %.1f s, %.0f rows/s\n", text, r.Seconds, r.RowsPerSecond); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	for _, f := range r.Files {
		if f.RejectFile == "" || f.Rejected == 0 {
			continue
		}
		if _, err := fmt.Fprintf(c.Stdout, "%d bad rows are in %s\n", f.Rejected, f.RejectFile); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
	}
	return nil
}
