package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"stocksync/topics"
)

// StatusReport is the result of `status`.
type StatusReport struct {
	Counts []StatusCount `json:"counts"`
	Pairs  []StatusPair  `json:"pairs"` // that were asked for
	More   int           `json:"more"`  // further ones, which --limit leaves out
}

// StatusCount is how many SKUs of a store are where they are for one reason.
type StatusCount struct {
	Store  string            `json:"store"`
	State  topics.SyncState  `json:"state"`
	Reason topics.SyncReason `json:"reason"`
	Pairs  int               `json:"pairs"`
	Oldest topics.Time       `json:"oldest"` // since when the first of them is
	Words
}

// StatusPair is where one SKU stands in one store.
type StatusPair struct {
	topics.SyncStatus
	Words
}

// Words say what a reason means, and what mends it, in English and Indonesian.
type Words struct {
	Text   string `json:"text"`
	TextID string `json:"text_id"`
	Fix    string `json:"fix,omitempty"`
	FixID  string `json:"fix_id,omitempty"`
}

// wordsOf returns the texts of a reason.
func wordsOf(r topics.SyncReason) Words {
	var w Words
	w.Text, w.Fix = r.Text(topics.English)
	w.TextID, w.FixID = r.Text(topics.Indonesian)
	return w
}

// statusOptions are the flags of `status`.
type statusOptions struct {
	stores, reasons, states []string
	limit                   int
}

const statusLong = `Show where the SKUs stand in the stores: how many are in which state for which reason
and since when, and what mends it. With --store, --reason or --state it also lists them. 'stocksync
explain SKU STORE' tells all of one.

It reads topic sync-status as it is committed now; nothing else needs to run.`

const statusExample = `  stocksync status
  stocksync status --store tokopedia-main --state blocked
  stocksync status --reason sku_mismatch --limit 0 --json | jq '.pairs[] | .sku, .evidence'`

func (a *app) statusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: groupLook,
		Short:   "Show where the SKUs stand in the stores, and why",
		Long:    statusLong,
		Example: statusExample,
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.stores, "store", nil, "only this `store` (repeatable)")
	f.StringArrayVar(&o.reasons, "reason", nil, "only this `reason`, such as sku_mismatch (repeatable)")
	f.StringArrayVar(&o.states, "state", nil, "only this `state`, such as blocked (repeatable)")
	f.IntVarP(&o.limit, "limit", "n", 50, "list at most so many SKUs; 0 is all")
	addJSON(cmd)
	for flag, values := range map[string][]string{"reason": reasonNames(), "state": stateNames()} {
		complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values, cobra.ShellCompDirectiveNoFileComp
		}
		_ = cmd.RegisterFlagCompletionFunc(flag, complete) // the flag exists
	}
	cmd.RunE = a.run(func(ctx context.Context, c *call, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		report, err := c.status(ctx, &o)
		if err != nil {
			return err
		}
		if c.json {
			return printJSON(c.Stdout, report)
		}
		return report.print(c)
	})
	return cmd
}

func reasonNames() []string {
	var names []string
	for _, r := range topics.SyncReasons() {
		names = append(names, string(r))
	}
	return names
}

// stateNames returns the states that follow from reasons, and the one of a request in flight.
func stateNames() []string {
	names := []string{string(topics.StateSending)}
	for _, r := range topics.SyncReasons() {
		if state := string(r.State()); !slices.Contains(names, state) {
			names = append(names, state)
		}
	}
	return names
}

// check refuses flags that nothing can fit.
func (o *statusOptions) check() error {
	if o.limit < 0 {
		return usagef("--limit %d: want 0 or more", o.limit)
	}
	for _, one := range []struct {
		flag         string
		given, known []string
	}{{"reason", o.reasons, reasonNames()}, {"state", o.states, stateNames()}} {
		for _, name := range one.given {
			if !slices.Contains(one.known, name) {
				return usagef("--%s %q: want one of %s", one.flag, name, strings.Join(one.known, ", "))
			}
		}
	}
	return nil
}

// lists tells whether SKUs are to be listed, and not only counted.
func (o *statusOptions) lists() bool { return len(o.stores)+len(o.reasons)+len(o.states) > 0 }

// fits tells whether a status is asked for.
func (o *statusOptions) fits(s *topics.SyncStatus) bool {
	in := func(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
	return in(o.reasons, string(s.Reason)) && in(o.states, string(s.State))
}

// status counts and lists statuses.
func (c *call) status(ctx context.Context, o *statusOptions) (*StatusReport, error) {
	stores, err := c.table(ctx, topics.Stores)
	if err != nil {
		return nil, err
	}
	for _, id := range o.stores {
		if err := haveStore(id, stores); err != nil {
			return nil, err
		}
	}
	report := &StatusReport{Counts: []StatusCount{}, Pairs: []StatusPair{}}
	type kind struct {
		store  string
		state  topics.SyncState
		reason topics.SyncReason
	}
	counts := map[kind]*StatusCount{}
	wanted := func(store, _ string) bool { return len(o.stores) == 0 || slices.Contains(o.stores, store) }
	err = c.eachStatus(ctx, wanted, func(s *topics.SyncStatus) error {
		if !o.fits(s) {
			return nil
		}
		k := kind{s.Store, s.State, s.Reason}
		if counts[k] == nil {
			counts[k] = &StatusCount{Store: s.Store, State: s.State, Reason: s.Reason, Oldest: s.Since, Words: wordsOf(s.Reason)}
		}
		counts[k].Pairs++
		counts[k].Oldest = min(counts[k].Oldest, s.Since)
		switch {
		case !o.lists():
		case o.limit > 0 && len(report.Pairs) >= o.limit:
			report.More++
		default:
			report.Pairs = append(report.Pairs, StatusPair{*s, wordsOf(s.Reason)})
		}
		return nil
	})
	for count := range maps.Values(counts) {
		report.Counts = append(report.Counts, *count)
	}
	order := topics.SyncReasons()
	slices.SortFunc(report.Counts, func(a, b StatusCount) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store),
			cmp.Compare(slices.Index(order, a.Reason), slices.Index(order, b.Reason)), cmp.Compare(a.State, b.State))
	})
	return report, err
}

// print writes the report for people.
func (r *StatusReport) print(c *call) error {
	t := newTable("STORE", "STATE", "REASON", ">SKUS", "SINCE", "MEANING", "FIX")
	for i := range r.Counts {
		n := &r.Counts[i]
		t.add(n.Store, string(n.State), string(n.Reason), fmt.Sprint(n.Pairs), c.localTime(n.Oldest), n.Text, n.Fix)
	}
	if err := t.print(c.Stdout); err != nil || len(r.Pairs) == 0 {
		return err
	}
	fmt.Fprintln(c.Stdout)
	t = newTable("STORE", "SKU", "STATE", "REASON", "SINCE", ">WANTED", ">SENT", "EVIDENCE")
	for i := range r.Pairs {
		p := &r.Pairs[i]
		sent := "-"
		if p.Delivered != nil {
			sent = p.Delivered.Qty.String()
		}
		t.add(p.Store, p.SKU, string(p.State), string(p.Reason), c.localTime(p.Since), p.Wanted.Qty.String(), sent,
			c.evidenceText(p.Evidence))
	}
	if err := t.print(c.Stdout); err != nil {
		return err
	}
	if r.More > 0 {
		fmt.Fprintf(c.Stdout, "... and %d more; --limit 0 shows all\n", r.More)
	}
	return nil
}

// evidenceText shows on one line what a reason was concluded from. What is in there for machines is left out.
func (c *call) evidenceText(evidence map[string]any) string {
	var parts []string
	for _, key := range topics.EvidenceKeys() {
		if v, ok := evidence[key]; ok {
			parts = append(parts, topics.EvidenceLabel(key, topics.English)+": "+c.evidenceValue(v))
		}
	}
	return strings.Join(parts, ", ")
}

// evidenceValue shows one piece of evidence.
func (c *call) evidenceValue(v any) string {
	if text, ok := v.(string); ok {
		if at, err := topics.ParseTime(text); err == nil {
			return c.localTime(at)
		}
		return text
	}
	if at, ok := v.(topics.Time); ok {
		return c.localTime(at)
	}
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
