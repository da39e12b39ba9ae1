package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stocksync/sinks"
	"stocksync/topics"
)

// StorePreview is what a store would be sent if it were live: the result of `stores preview`.
type StorePreview struct {
	Store  string          `json:"store"`
	Mode   string          `json:"mode"`
	Fault  string          `json:"fault,omitempty"` // why it could not be opened here
	Sends  int             `json:"sends"`           // SKUs that would be sent
	ToZero int             `json:"to_zero"`         // of these, to 0
	Held   int             `json:"held"`            // SKUs that nothing would be sent of
	Pairs  []PreviewedPair `json:"pairs"`
}

// PreviewedPair is what would be sent of one SKU, and why, or why not.
type PreviewedPair struct {
	SKU     string            `json:"sku"`
	Reason  topics.SyncReason `json:"reason"` // as it would be
	Text    string            `json:"text"`
	Now     topics.SyncReason `json:"now,omitempty"` // as the sinks say it is
	Cause   topics.SyncCause  `json:"cause,omitempty"`
	Before  *topics.Quantity  `json:"before"` // what was sent last; null: nothing
	Numbers *Numbers          `json:"numbers"`
	Sends   []PreviewedSend   `json:"sends"`
}

// PreviewedSend is what one product, variant or location of the shop would be told.
type PreviewedSend struct {
	ProductID string                `json:"product_id,omitempty"`
	VariantID string                `json:"variant_id,omitempty"`
	Qty       topics.Quantity       `json:"qty"`
	Locations []PreviewedAtLocation `json:"locations,omitempty"`
}

// PreviewedAtLocation is the part of a quantity that goes to one location.
type PreviewedAtLocation struct {
	LocationID string          `json:"location_id"`
	Qty        topics.Quantity `json:"qty"`
}

const storesPreviewLong = `Show what a store would be sent if it were live now: for each SKU the
quantity, how it comes about, and what was sent before; or why nothing would be sent. The sinks
decide by the same function. For a store that is live already it shows what is about to be sent.

What a shop sold and nobody has told of yet is read just before a write, so it is not in here, and
neither are numbers that people have changed on the marketplace.`

func (a *app) storesPreviewCommand() *cobra.Command {
	limit, all := 0, false
	cmd := &cobra.Command{
		Use:   "preview ID",
		Short: "Show what a store would be sent",
		Long:  storesPreviewLong,
		Example: "  stocksync stores preview web\n" +
			"  stocksync stores preview web --all --limit 0 --json | jq '.pairs[].numbers'",
		Args: wants("ID", 1, 1),
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "show at most so many SKUs; 0 is all")
	cmd.Flags().BoolVar(&all, "all", false, "also the SKUs that nothing would be sent of")
	addJSON(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		if limit < 0 {
			return usagef("--limit %d: want 0 or more", limit)
		}
		p, err := c.preview(ctx, args[0])
		if err != nil {
			return err
		}
		if !all {
			p.Pairs = slices.DeleteFunc(p.Pairs, func(p PreviewedPair) bool { return len(p.Sends) == 0 })
		}
		total := len(p.Pairs)
		p.Pairs = cut(p.Pairs, limit)
		if c.json {
			return printJSON(c.Stdout, p)
		}
		return p.print(c, total)
	})
	return cmd
}

// preview works out what a store would be sent if it were live.
func (c *call) preview(ctx context.Context, id string) (*StorePreview, error) {
	if id == topics.AllStores {
		return nil, usagef("store %q: preview one store", id)
	}
	stores, err := c.table(ctx, topics.Stores)
	if err != nil {
		return nil, err
	}
	if err := haveStore(id, stores); err != nil {
		return nil, err
	}
	preview, err := c.previewOf(id, stores[id], stores[topics.AllStores])
	if err != nil {
		return nil, err
	}
	p := &StorePreview{Store: id, Pairs: []PreviewedPair{}}
	if store, err := storeOf(id, stores[id]); err == nil {
		p.Mode = string(store.Mode)
	}
	if err := preview.Err(); err != nil {
		p.Fault = err.Error()
	}
	preview.GoLive()
	records, err := c.pairRecords(ctx, "", func(store string) bool { return store == id })
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, sku := range records.skus(id) {
		a := preview.Assess(sku, records.of(id, sku), now)
		if a.Exists {
			p.add(sku, &a, records.status(id, sku))
		}
	}
	return p, nil
}

// add counts a pair and takes it in.
func (p *StorePreview) add(sku string, a *sinks.Assessment, status *topics.SyncStatus) {
	one := PreviewedPair{
		SKU: sku, Reason: a.Reason, Cause: a.Cause, Numbers: numbersOf(a.Reckoning), Sends: []PreviewedSend{},
	}
	one.Text, _ = a.Reason.Text(topics.English)
	if status != nil {
		one.Now = status.Reason
		if status.Delivered != nil {
			one.Before = &status.Delivered.Qty
		}
	}
	for _, u := range a.Sends {
		send := PreviewedSend{ProductID: u.Target.ProductID, VariantID: u.Target.VariantID, Qty: u.Qty}
		for _, l := range u.Locations {
			send.Locations = append(send.Locations, PreviewedAtLocation(l))
		}
		one.Sends = append(one.Sends, send)
	}
	switch {
	case len(one.Sends) == 0:
		p.Held++
	case one.zero():
		p.ToZero++
		fallthrough
	default:
		p.Sends++
	}
	p.Pairs = append(p.Pairs, one)
}

// zero tells whether all that would be sent is 0.
func (p *PreviewedPair) zero() bool {
	return !slices.ContainsFunc(p.Sends, func(s PreviewedSend) bool { return s.Qty != 0 })
}

// print writes the preview for people; total is how many pairs there are to show.
func (p *StorePreview) print(c *call, total int) error {
	fmt.Fprintf(c.Stdout, "%s is %s. Live, it would be sent %d SKUs now, %d of them 0; of %d nothing would be sent.\n",
		p.Store, cmp.Or(p.Mode, "set up wrongly"), p.Sends, p.ToZero, p.Held)
	if p.Fault != "" {
		fmt.Fprintf(c.Stdout, "It could not be opened here: %s\n", p.Fault)
	}
	fmt.Fprintln(c.Stdout)
	t := newTable("SKU", ">BEFORE", ">SENDS", "HOW", "NOW", "WHY")
	for i := range p.Pairs {
		one := &p.Pairs[i]
		before, sends, why := "-", "-", string(one.Cause)
		if one.Before != nil {
			before = one.Before.String()
		}
		for j, s := range one.Sends {
			if j == 0 {
				sends = s.Qty.String()
			} else {
				sends += " " + s.Qty.String()
			}
		}
		if len(one.Sends) == 0 {
			why = string(one.Reason) + ": " + one.Text
		}
		t.add(one.SKU, before, sends, one.Numbers.text(), cmp.Or(string(one.Now), "-"), why)
	}
	if err := t.print(c.Stdout); err != nil {
		return err
	}
	if total > len(p.Pairs) {
		fmt.Fprintf(c.Stdout, "... and %d more; --limit 0 shows all\n", total-len(p.Pairs))
	}
	return nil
}
