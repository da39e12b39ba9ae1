package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// AuditReport is the result of `audit`.
type AuditReport struct {
	SKUs           int64             `json:"skus"`
	SKUsFromInputs int64             `json:"skus_from_inputs"` // of these, refolded from all their inputs too
	Lines          int64             `json:"lines"`            // of the ledger, as the changelog holds them
	OrderLines     int64             `json:"order_lines"`
	Partitions     int               `json:"partitions"` // with a task record
	Inputs         int64             `json:"inputs"`     // input records read that the changelog has folded
	NotFolded      int64             `json:"not_folded"` // input records behind them
	Found          int64             `json:"differences_total"`
	Differences    []AuditDifference `json:"differences"` // the first of them
	Unchecked      []AuditGap        `json:"unchecked"`
}

// AuditCheck names what was compared with what.
type AuditCheck string

// The checks.
const (
	// CheckLines: the totals in the changelog's headers with what its lines add up to.
	CheckLines AuditCheck = "lines"
	// CheckAvailability: the availability record with the changelog's header of the same revision.
	CheckAvailability AuditCheck = "availability"
	// CheckInputs: the changelog with the records of the inputs.
	CheckInputs AuditCheck = "inputs"
	// CheckDeadLetters: the dead letters with the input records that may not be folded.
	CheckDeadLetters AuditCheck = "dead-letters"
	// CheckTask: the task record, and the partition a SKU is in.
	CheckTask AuditCheck = "task"
	// CheckPolicy: what Reserved was made with, with the configuration.
	CheckPolicy AuditCheck = "policy"
)

// AuditDifference is one thing that is not as it must be.
type AuditDifference struct {
	Check     AuditCheck `json:"check"`
	What      string     `json:"what"`
	SKU       string     `json:"sku,omitempty"`
	Warehouse string     `json:"warehouse,omitempty"`
	Got       string     `json:"got"`
	Want      string     `json:"want"`
	Evidence  string     `json:"evidence"` // topic/partition@offset
}

// AuditGap is something that could not be checked.
type AuditGap struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
	Why   string `json:"why"`
}

const auditLong = `Recompute every total from the ledger lines and order lines that topic
changelog holds, and from the input records as far as they reach back, and compare with the
totals in the changelog and with topic availability. It names each difference with its evidence,
topic/partition@offset, and changes nothing.

It works beside running processors: all is compared as of one moment, and what comes later is
counted only. A SKU whose first record is still in the inputs is folded again from them, by
definition and not by the processor's code; of the others (retention took what was before) each
input record that is left must be held in this version or a later one, be collapsed, or be among
the dead letters. What could not be checked is listed with the reason.

CHECK says what was compared: lines (totals against lines), availability (against the changelog),
inputs (changelog against inputs), dead-letters, task, policy (RETURNS_RESERVE and
ON_HOLD_RESERVES against those that Reserved was made with).

It sorts in a directory of its own under STATE_DIR, about the size of the topics, and removes it.`

const auditExample = `  stocksync audit
  stocksync audit --sku SKU-000123
  stocksync audit --json --limit 0 | jq '.differences[] | select(.check == "inputs")'
  stocksync audit > audit.txt || test $? = 3 && mail -s 'stock differs' ops < audit.txt`

func (a *app) auditCommand() *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:         "audit",
		GroupID:     groupLook,
		Short:       "Recompute every total and compare; exit code 3 when something differs",
		Long:        auditLong,
		Example:     auditExample,
		Annotations: map[string]string{exitAnnotation: exitText + exitDifferentText},
		Args:        cobra.NoArgs,
	}
	cmd.Flags().StringVar(&o.sku, "sku", "", "audit this `SKU` alone")
	cmd.Flags().IntVarP(&o.limit, "limit", "n", 100, "show at most so many differences; 0 is all")
	addJSON(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, _ []string) error {
		if o.limit < 0 {
			return usagef("--limit %d: want 0 or more", o.limit)
		}
		if cmd.Flags().Changed("sku") && o.sku == "" {
			return usagef("--sku: want the name of a SKU")
		}
		report, err := c.runAudit(ctx, o)
		if err != nil {
			return err
		}
		if err := c.printAudit(report); err != nil {
			return err
		}
		if report.Found > 0 {
			return fmt.Errorf("audit: %w: %d differences", ErrDifferent, report.Found)
		}
		return nil
	})
	return cmd
}

// auditOptions are the flags of `audit`.
type auditOptions struct {
	sku   string // empty: all
	limit int    // of the differences kept; 0: none
}

// printAudit writes the differences as a table, and what was compared and what was not in words.
func (c *call) printAudit(r *AuditReport) error {
	if c.json {
		return printJSON(c.Stdout, r)
	}
	if len(r.Differences) > 0 {
		t := newTable("CHECK", "WHAT", "SKU", "WAREHOUSE", "GOT", "WANT", "EVIDENCE")
		for _, d := range r.Differences {
			t.add(string(d.Check), d.What, cmp.Or(d.SKU, "-"), cmp.Or(d.Warehouse, "-"), d.Got, d.Want, d.Evidence)
		}
		if err := t.print(c.Stdout); err != nil {
			return err
		}
		if more := r.Found - int64(len(r.Differences)); more > 0 {
			fmt.Fprintf(c.Stdout, "and %d more; --limit 0 shows all\n", more)
		}
		fmt.Fprintln(c.Stdout)
	}
	fmt.Fprintf(c.Stdout, "%d SKUs, %d ledger lines and %d order lines in %d partitions, ",
		r.SKUs, r.Lines, r.OrderLines, r.Partitions)
	fmt.Fprintf(c.Stdout, "%d input records: %d differences\n", r.Inputs, r.Found)
	if r.NotFolded > 0 {
		fmt.Fprintf(c.Stdout, "not compared: %d input records behind those, which were not folded yet\n", r.NotFolded)
	}
	for _, gap := range r.Unchecked {
		fmt.Fprintf(c.Stdout, "not checked: %d %s: %s\n", gap.Count, gap.What, gap.Why)
	}
	return nil
}

// differ notes a difference; beyond the limit it only counts.
func (a *auditor) differ(d AuditDifference) {
	a.report.Found++
	if a.limit == 0 || len(a.report.Differences) < a.limit {
		a.report.Differences = append(a.report.Differences, d)
	}
}

// skip notes something that could not be checked; the same thing for the same reason adds up.
func (a *auditor) skip(n int64, what, why string) {
	for i := range a.report.Unchecked {
		if g := &a.report.Unchecked[i]; g.What == what && g.Why == why {
			g.Count += n
			return
		}
	}
	a.report.Unchecked = append(a.report.Unchecked, AuditGap{What: what, Count: n, Why: why})
}

// evidence names a record: topic/partition@offset.
func (a *auditor) evidence(base string, partition int32, offset int64) string {
	return fmt.Sprintf("%s/%d@%d", a.topic(base), partition, offset)
}

// evidenceOf names the record of an input.
func (a *auditor) evidenceOf(p auditPlace) string { return a.evidence(p.base(), p.partition, p.offset) }
