package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// Explanation is all that is known of one SKU: the result of `explain`.
type Explanation struct {
	SKU          string               `json:"sku"`
	Name         string               `json:"name,omitempty"`
	Availability *topics.Availability `json:"availability"` // null: none was ever written
	Lines        []ExplainedLine      `json:"lines"`        // the ledger, newest first
	Collapsed    []ExplainedBase      `json:"collapsed,omitempty"`
	Orders       []ExplainedOrder     `json:"orders"`       // that hold stock, oldest first
	OtherOrders  int                  `json:"other_orders"` // held, but reserving nothing
	Stores       []ExplainedStore     `json:"stores"`
}

// ExplainedLine is one ledger line as the processor holds it.
type ExplainedLine struct {
	LineID      string                `json:"line_id"`
	Version     int64                 `json:"version"`
	Kind        topics.MutationKind   `json:"kind"`
	Status      topics.MutationStatus `json:"status"`
	IsReturn    bool                  `json:"is_return,omitempty"`
	Warehouse   string                `json:"warehouse"`
	Qty         topics.Quantity       `json:"qty"`
	EffectiveAt topics.Time           `json:"effective_at"`
	Seq         int64                 `json:"seq,omitempty"`
	OrderLineID string                `json:"order_line_id,omitempty"`
	Reason      string                `json:"reason,omitempty"`
	VoucherNo   string                `json:"voucher_no,omitempty"`
}

// ExplainedBase is what the old ledger lines of a warehouse come to, which are held no longer.
type ExplainedBase struct {
	Warehouse string          `json:"warehouse"`
	Actual    topics.Quantity `json:"actual"`
	Until     topics.Time     `json:"until"` // effective_at of the last of the SKU's
}

// ExplainedOrder is one order line that holds stock.
type ExplainedOrder struct {
	OrderLineID string             `json:"order_line_id"`
	Version     int64              `json:"version"`
	OrderID     string             `json:"order_id"`
	Store       string             `json:"store,omitempty"`
	Status      topics.OrderStatus `json:"status"`
	Warehouse   string             `json:"warehouse"`
	OrderedQty  topics.Quantity    `json:"ordered_qty"`
	Delivered   topics.Quantity    `json:"delivered"`
	Returned    topics.Quantity    `json:"returned"`
	Reserved    topics.Quantity    `json:"reserved"`
	OrderedAt   topics.Time        `json:"ordered_at"`
}

const explainLong = `Explain one SKU: its numbers per warehouse and store, the ledger lines that
make Actual, the order lines that hold Reserved, what caused its last availability record, and
where it stands in each store: the reason in English and Indonesian, what mends it, what it was
concluded from, how the quantity comes about, and the last attempts.

It reads Kafka as it is committed now (availability, changelog, stores, item-settings, listings,
sync-status, sync-log, items); nothing else needs to run. Where the sinks have written no status, it
says what they would. With STORE only that store is shown. Of more than 20 warehouses those are shown
that are oversold or that most lines name; --all shows the rest too. --json always holds everything.`

const explainExample = `  stocksync explain SKU-000123
  stocksync explain SKU-000123 tokopedia-main
  stocksync explain SKU-000123 --all
  stocksync explain SKU-000123 --json | jq .orders`

func (a *app) explainCommand() *cobra.Command {
	lines, attempts, all := 0, 0, false
	cmd := &cobra.Command{
		Use:     "explain SKU [STORE]",
		GroupID: groupLook,
		Short:   "Explain one SKU: numbers, ledger, orders that hold stock, stores and why",
		Long:    explainLong,
		Example: explainExample,
		Args:    wants("SKU, and STORE if you like", 1, 2),
	}
	cmd.Flags().IntVar(&lines, "lines", 20, "show at most so many ledger lines and order lines each; 0 is all")
	cmd.Flags().BoolVar(&all, "all", false, "show all warehouses, ledger lines and order lines")
	cmd.Flags().IntVar(&attempts, "attempts", 5, "show at most so many attempts a store; 0 is none, and quicker")
	addJSON(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		if lines < 0 || attempts < 0 {
			return usagef("--lines %d --attempts %d: want 0 or more", lines, attempts)
		}
		store := ""
		if len(args) == 2 {
			store = args[1]
		}
		e, err := c.explain(ctx, args[0], store, attempts)
		if err != nil {
			return err
		}
		if c.json {
			return printJSON(c.Stdout, e)
		}
		if all {
			return e.print(c, 0, 0)
		}
		return e.print(c, warehousesShown, lines)
	})
	return cmd
}

// warehousesShown is how many warehouses are shown to a person who does not ask for all.
const warehousesShown = 20

// errUnknownSKU is returned for a SKU of which nothing was ever written.
var errUnknownSKU = errors.New("nothing is known of it: no availability, no ledger line, no status; " +
	"case and spaces of a SKU count")

// explain gathers what the topics hold of one SKU.
func (c *call) explain(ctx context.Context, sku, store string, attempts int) (*Explanation, error) {
	e := &Explanation{SKU: sku, Lines: []ExplainedLine{}, Orders: []ExplainedOrder{}}
	names, err := c.itemNames(ctx)
	if err != nil {
		return nil, err
	}
	e.Name = names[sku]
	found := latest{}
	if err := c.availability(ctx, sku, found); err != nil {
		return nil, err
	}
	if e.Availability, err = found[sku].decode(); err != nil {
		return nil, fmt.Errorf("availability of %s: %w", sku, err)
	}
	snapshot, err := c.snapshot(ctx, sku)
	if err != nil {
		return nil, err
	}
	e.take(snapshot)
	if e.Stores, err = c.explainStores(ctx, sku, store, attempts); err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(e.Stores, func(s ExplainedStore) bool { return s.Status != nil })
	if e.Availability == nil && snapshot == nil && !known {
		return nil, fmt.Errorf("%s: %w", sku, errUnknownSKU)
	}
	return e, nil
}

// scanKey scans the partition that a key belongs to.
func (c *call) scanKey(ctx context.Context, topic, key string, each func(*kgo.Record) error) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	n, err := partitionsOf(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return err
	}
	return c.scan(ctx, topic, each, topics.PartitionOf([]byte(key), n))
}

// snapshot builds the processor's state of one SKU from the changelog; nil when there is none.
func (c *call) snapshot(ctx context.Context, sku string) (*state.Account, error) {
	var mine []*kgo.Record
	policy := c.policy()
	err := c.scanKey(ctx, c.topic(topics.Changelog), sku, func(r *kgo.Record) error {
		switch {
		case state.IsTaskKey(r.Key):
			record, err := state.DecodeTaskRecord(r.Value)
			if err != nil {
				return err
			}
			policy = record.Policy // the running processor's, whatever this process is set to
		case strings.Contains(string(r.Key), sku):
			mine = append(mine, r) // a longer SKU's records may be among them: the reader tells them apart
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	reader := state.NewReader(policy)
	for _, r := range mine {
		if err := reader.Apply(r.Key, r.Value); err != nil {
			return nil, err
		}
	}
	return reader.Account(sku)
}

// take fills in ledger lines and order lines.
func (e *Explanation) take(s *state.Account) {
	if s == nil {
		return
	}
	for _, l := range s.Lines {
		e.Lines = append(e.Lines, ExplainedLine{
			LineID: l.ID, Version: l.Version, Kind: l.Kind, Status: l.Status, IsReturn: l.IsReturn,
			Warehouse: l.Warehouse, Qty: l.Qty, EffectiveAt: l.EffectiveAt, Seq: l.Seq,
			OrderLineID: l.OrderLineID, Reason: l.Reason, VoucherNo: l.VoucherNo,
		})
	}
	for _, b := range s.Bases {
		if b.Actual != 0 || !b.Count.At.IsZero() {
			e.Collapsed = append(e.Collapsed, ExplainedBase{b.Warehouse, b.Actual, s.LineFrontier.At})
		}
	}
	slices.SortFunc(e.Lines, func(a, b ExplainedLine) int {
		return cmp.Or(cmp.Compare(b.EffectiveAt, a.EffectiveAt), cmp.Compare(b.Seq, a.Seq),
			cmp.Compare(b.LineID, a.LineID))
	})
	for _, o := range s.Orders {
		if o.Reserved == 0 {
			e.OtherOrders++
			continue
		}
		e.Orders = append(e.Orders, ExplainedOrder{
			OrderLineID: o.ID, Version: o.Version, OrderID: o.OrderID, Store: o.Store, Status: o.Status,
			Warehouse: o.Warehouse, OrderedQty: o.OrderedQty, Delivered: o.Delivered, Returned: o.Returned,
			Reserved: o.Reserved, OrderedAt: o.OrderedAt,
		})
	}
	slices.SortFunc(e.Orders, func(a, b ExplainedOrder) int {
		return cmp.Or(cmp.Compare(a.OrderedAt, b.OrderedAt), cmp.Compare(a.OrderLineID, b.OrderLineID))
	})
}
