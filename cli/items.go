package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stocksync/topics"
)

const itemsLong = `Change what a person wants of single SKUs in a store: the switch, the rules, and to
send them again. STORE '*' stands for the SKU in all stores. What is set here comes before what
the store says: first the SKU in the store, then the SKU in all stores, then the store, then '*'.

A change reads the record that is there, shows what it replaces, and is noted in topic audit with
who made it. Running sinks take it up at once.`

const itemsExample = `  stocksync items disable tokopedia-main SKU-000123 --note 'photo is wrong'
  stocksync items set tokopedia-main SKU-000123 buffer=2 max=10
  stocksync items resync tokopedia-main SKU-000123 SKU-000200`

const itemsDisableLong = `Switch stock updates of SKUs in a store off: nothing is sent of them, and what the
store should show goes on being worked out. With --until it ends by itself.`

const itemsEnableLong = `Switch stock updates of SKUs in a store on again: what has changed meanwhile is sent at
once. A person's word comes before the rule that switches SKUs off that the store does not list;
--auto takes the word back and leaves it to the rule again.`

const itemsResyncLong = `Ask that SKUs are sent to a store again, also where they seem to be right already.
'stocksync resync SKU' does so for all stores, through the processor.`

const itemsSetLong = `Set the rules for the quantity of one SKU in a store: FIELD=VALUE sets one, FIELD= leaves it
to what comes after: the SKU in all stores, the store, all stores.

  buffer   kept back; below 0 it lets the store sell ahead    percent  of what is left, 0 to 1000
  min      below it, 0 is sent                                max      more is never sent`

// itemFields are what `items set` sets.
func itemFields() []settable {
	return []settable{
		{"buffer", asNumber, false}, {"percent", asNumber, false}, {"min", asNumber, false}, {"max", asNumber, false},
	}
}

func (a *app) itemsCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:     "items",
		GroupID: groupWork,
		Short:   "Switch SKUs of a store off and on, set their rules, resync them",
		Long:    itemsLong,
		Example: itemsExample,
		Args:    cobra.ArbitraryArgs,
		RunE:    a.parent(),
	}
	parent.AddCommand(a.itemsDisableCommand(), a.itemsEnableCommand(), a.itemsSetCommand(),
		a.itemsCommandOf("resync", "Send SKUs to a store again", itemsResyncLong,
			"  stocksync items resync web SKU-000123\n  stocksync items resync '*' SKU-000123",
			func(ctx context.Context, c *call, p *pairChange) ([]Change, error) { return c.resyncItems(ctx, p) }))
	return parent
}

// pairChange is what a command is asked to change: SKUs in a store.
type pairChange struct {
	store string
	skus  []string
	who   *author
	force bool
}

// errUnknownItem is returned for SKUs that nothing is known of: a setting would make pairs of typing errors.
var errUnknownItem = errors.New("neither stock nor a listing is known of it; case and spaces of a SKU count; " +
	"--force takes it all the same")

// itemsCommandOf returns a command that changes the settings of SKUs in a store.
func (a *app) itemsCommandOf(verb, short, long, example string,
	body func(ctx context.Context, c *call, p *pairChange) ([]Change, error),
) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " STORE SKU ...", Short: short, Long: long, Example: example,
		Args: wants("STORE and SKU ...", 2, math.MaxInt),
	}
	p := &pairChange{who: addAuthor(cmd)}
	cmd.Flags().BoolVar(&p.force, "force", false, "also SKUs that nothing is known of")
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		p.store, p.skus = args[0], args[1:]
		return c.changeItems(ctx, p, body)
	})
	return cmd
}

// changeItems checks store and SKUs, changes them and prints what became of them.
func (c *call) changeItems(ctx context.Context, p *pairChange,
	body func(ctx context.Context, c *call, p *pairChange) ([]Change, error),
) error {
	slices.Sort(p.skus)
	p.skus = slices.Compact(p.skus)
	stores, err := c.table(ctx, topics.Stores)
	if err != nil {
		return err
	}
	if err := haveStore(p.store, stores); err != nil {
		return err
	}
	if !p.force {
		if err := c.knownItems(ctx, p); err != nil {
			return err
		}
	}
	changes, err := body(ctx, c, p)
	if err != nil {
		return err
	}
	for i := range changes {
		if err := c.adviseItem(ctx, &changes[i], stores); err != nil {
			return err
		}
	}
	return c.printChanges(changes)
}

// knownItems returns an error that names the SKUs of which there is neither availability nor a listing.
func (c *call) knownItems(ctx context.Context, p *pairChange) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	unknown, err := c.withoutAvailability(ctx, cl, p.skus)
	if err != nil || len(unknown) == 0 {
		return err
	}
	wanted := func(store, sku string) bool { return ofStore(p.store)(store, sku) && slices.Contains(unknown, sku) }
	listings, err := c.pairTable(ctx, topics.Listings, wanted)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for key := range listings {
		_, sku, _ := topics.SplitPairKey([]byte(key))
		listed[sku] = true
	}
	unknown = slices.DeleteFunc(unknown, func(sku string) bool { return listed[sku] })
	if len(unknown) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(unknown, ", "), errUnknownItem)
	}
	return nil
}

// usualSettings returns the settings of an item in their usual form.
func usualSettings(value []byte) ([]byte, error) {
	s, err := topics.DecodeItemSettings(value)
	if err != nil {
		return nil, err
	}
	return s.Encode(), nil
}

// editItems changes the settings of all SKUs alike.
func (c *call) editItems(
	ctx context.Context, p *pairChange, action string, apply func(d *draft, sku string, now topics.Time) error,
) ([]Change, error) {
	edits := make([]edit, len(p.skus))
	for i, sku := range p.skus {
		edits[i] = edit{
			topic: topics.ItemSettingsTopic, key: topics.PairKey(p.store, sku), action: action,
			apply: func(before []byte, now topics.Time) (*draft, error) {
				d := newDraft(before, new(topics.ItemSettings).Encode(), usualSettings)
				if err := d.setAll(map[string]any{"store": p.store, "sku": sku}); err != nil {
					return nil, err
				}
				return d, apply(d, sku, now)
			},
		}
	}
	return c.change(ctx, p.store, p.who, edits...)
}

func (a *app) itemsDisableCommand() *cobra.Command {
	until := ""
	cmd := a.itemsCommandOf("disable", "Switch SKUs of a store off", itemsDisableLong,
		"  stocksync items disable web SKU-000123 --note 'photo is wrong'\n"+
			"  stocksync items disable '*' SKU-000123 --until '2026-12-24 08:00'",
		func(ctx context.Context, c *call, p *pairChange) ([]Change, error) {
			at, err := c.parseUntil(until)
			if err != nil {
				return nil, err
			}
			return c.editItems(ctx, p, "disable", func(d *draft, _ string, _ topics.Time) error {
				return d.setAll(map[string]any{"disable_stock_update": true, "disabled_until": at})
			})
		})
	cmd.Flags().StringVar(&until, "until", "", untilUsage)
	return cmd
}

func (a *app) itemsEnableCommand() *cobra.Command {
	auto := false
	cmd := a.itemsCommandOf("enable", "Switch SKUs of a store on again", itemsEnableLong,
		"  stocksync items enable web SKU-000123\n  stocksync items enable web SKU-000123 --auto",
		func(ctx context.Context, c *call, p *pairChange) ([]Change, error) {
			var off any = false
			if auto || p.store == topics.AllStores { // only of one store's SKU does a word against the rule count
				off = nil
			}
			return c.editItems(ctx, p, "enable", func(d *draft, _ string, _ topics.Time) error {
				return d.setAll(map[string]any{"disable_stock_update": off, "disabled_until": topics.Time(0)})
			})
		})
	cmd.Flags().BoolVar(&auto, "auto", false, "leave it to the rule for SKUs that the store does not list")
	return cmd
}

func (a *app) itemsSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set STORE SKU FIELD=VALUE ...",
		Short: "Set the rules for one SKU of a store",
		Long:  itemsSetLong,
		Example: "  stocksync items set web SKU-000123 buffer=2 max=10\n" +
			"  stocksync items set '*' SKU-000123 percent=50\n  stocksync items set web SKU-000123 max=",
		Args: wants("STORE, SKU and FIELD=VALUE ...", 3, math.MaxInt),
	}
	p := &pairChange{who: addAuthor(cmd)}
	cmd.Flags().BoolVar(&p.force, "force", false, "also a SKU that nothing is known of")
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		p.store, p.skus = args[0], args[1:2]
		return c.changeItems(ctx, p, func(ctx context.Context, c *call, p *pairChange) ([]Change, error) {
			return c.editItems(ctx, p, "set", func(d *draft, _ string, _ topics.Time) error {
				return d.assign(args[2:], itemFields(), false)
			})
		})
	})
	return cmd
}

// resyncItems asks for SKUs of a store: later than anything it was sent of them, whatever the clocks say.
func (c *call) resyncItems(ctx context.Context, p *pairChange) ([]Change, error) {
	sent := map[string]topics.Time{}
	wanted := func(store, sku string) bool { return ofStore(p.store)(store, sku) && slices.Contains(p.skus, sku) }
	err := c.eachStatus(ctx, wanted, func(s *topics.SyncStatus) error {
		if s.Delivered != nil {
			sent[s.SKU] = max(sent[s.SKU], s.Delivered.At)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.editItems(ctx, p, "resync", func(d *draft, sku string, now topics.Time) error {
		return d.set("resync_requested_at", max(now, sent[sku]+1))
	})
}

// adviseItem notes what else keeps a SKU, which is not switched off itself, from being sent.
func (c *call) adviseItem(ctx context.Context, change *Change, stores map[string][]byte) error {
	own, err := topics.DecodeItemSettings(change.After)
	if err != nil || own.DisableStockUpdate != nil && *own.DisableStockUpdate || own.Store == topics.AllStores {
		return err
	}
	every, err := c.values(ctx, topics.ItemSettingsTopic, string(topics.PairKey(topics.AllStores, own.SKU)))
	if err != nil {
		return err
	}
	for _, value := range every {
		all, err := topics.DecodeItemSettings(value)
		if err == nil && all.DisableStockUpdate != nil && *all.DisableStockUpdate {
			change.note("nothing is sent yet: the SKU is switched off in all stores ('*') by %s", all.ChangedBy)
		}
	}
	for _, id := range []string{topics.AllStores, own.Store} {
		store, err := storeOf(id, stores[id])
		switch {
		case err != nil:
		case store.DisableStockUpdate:
			change.note("nothing is sent yet: store '%s' is switched off by %s", id, store.ChangedBy)
		case id != topics.AllStores && store.Mode == topics.ModePreview:
			change.note("nothing is sent yet: store '%s' is in preview", id)
		}
	}
	return nil
}

// note adds a remark for the person who made the change.
func (ch *Change) note(format string, args ...any) {
	ch.Notes = append(ch.Notes, fmt.Sprintf(format, args...))
}
