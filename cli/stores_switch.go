package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"stocksync/topics"
)

const storesDisableLong = `Switch stock updates of a store off: nothing is sent to it, and what it
should show goes on being worked out. With --until it ends by itself. Store '*' stops all stores.`

const storesEnableLong = `Switch stock updates of a store on again: whatever has changed meanwhile is sent at
once.`

const storesResyncLong = `Ask that every SKU of a store is sent to it again, also where it seems to be right
already. Store '*' asks for all stores.`

const storesReleaseLong = `Let go what the brake of a store holds. When many SKUs of a store would fall to 0
at once, other than by orders, those zeros wait (reason braked), since somebody may have made a
mistake. Look at them with 'stocksync status --store ID --reason braked' before.`

// storesSwitchCommands are the commands that set what `stores set` does not.
func (a *app) storesSwitchCommands() []*cobra.Command {
	return []*cobra.Command{
		a.storesDisableCommand(),
		a.storeCommand("enable ID", "Switch a store on again", storesEnableLong,
			"  stocksync stores enable web\n  stocksync stores enable '*' --note 'stock take is done'",
			func(ctx context.Context, c *call, id string, who *author) ([]Change, error) {
				return c.switchStore(ctx, id, who, "enable", false, 0)
			}),
		a.storeCommand("resync ID", "Send every SKU to a store again", storesResyncLong,
			"  stocksync stores resync web\n  stocksync stores resync '*'",
			func(ctx context.Context, c *call, id string, who *author) ([]Change, error) {
				return c.resyncStore(ctx, id, who)
			}),
		a.storeCommand("release ID", "Let go what the brake of a store holds", storesReleaseLong,
			"  stocksync status --store web --reason braked\n  stocksync stores release web",
			func(ctx context.Context, c *call, id string, who *author) ([]Change, error) {
				return c.releaseStore(ctx, id, who)
			}),
	}
}

// storeCommand returns a command that changes the record of one store.
func (a *app) storeCommand(use, short, long, example string,
	body func(ctx context.Context, c *call, id string, who *author) ([]Change, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: wants("ID", 1, 1)}
	who := addAuthor(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		changes, err := body(ctx, c, args[0], who)
		if err != nil {
			return err
		}
		return c.printChanges(changes)
	})
	return cmd
}

// untilUsage is the help of --until.
const untilUsage = "end it by itself at a `time`: 2h, 2026-12-24, '2026-12-24 08:00' in TIMEZONE, or RFC 3339"

func (a *app) storesDisableCommand() *cobra.Command {
	until := ""
	cmd := a.storeCommand("disable ID", "Switch a store off", storesDisableLong,
		"  stocksync stores disable web --note 'prices are wrong'\n  stocksync stores disable '*' --until 2h",
		func(ctx context.Context, c *call, id string, who *author) ([]Change, error) {
			at, err := c.parseUntil(until)
			if err != nil {
				return nil, err
			}
			return c.switchStore(ctx, id, who, "disable", true, at)
		})
	cmd.Flags().StringVar(&until, "until", "", untilUsage)
	return cmd
}

// parseUntil reads a time to come; empty is none. Its error is one of usage.
func (c *call) parseUntil(text string) (topics.Time, error) {
	if text == "" {
		return 0, nil
	}
	now := topics.TimeOf(time.Now())
	at, err := topics.ParseTime(text)
	if err != nil {
		at = 0
		if d, err := time.ParseDuration(text); err == nil {
			at = now + topics.Time(d.Microseconds())
		}
		for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
			if local, err := time.ParseInLocation(layout, text, c.cfg.Timezone); err == nil {
				at = topics.TimeOf(local)
			}
		}
	}
	switch {
	case at == 0:
		return 0, usagef("--until %q: want a duration such as 2h or a time such as '2026-12-24 08:00'", text)
	case at <= now:
		return 0, usagef("--until %q: that is over", text)
	}
	return at, nil
}

// changeStore changes the record of a store that there is.
func (c *call) changeStore(
	ctx context.Context, id, action string, who *author, apply func(d *draft, now topics.Time) error,
) ([]Change, error) {
	records, err := c.table(ctx, topics.Stores)
	if err != nil {
		return nil, err
	}
	if err := haveStore(id, records); err != nil {
		return nil, err
	}
	return c.change(ctx, id, who, c.storeEdit(id, action, func(d *draft, now topics.Time) error {
		if err := apply(d, now); err != nil {
			return err
		}
		return d.adviseSwitches(id, records[topics.AllStores])
	}))
}

// switchStore switches a store off or on.
func (c *call) switchStore(
	ctx context.Context, id string, who *author, action string, off bool, until topics.Time,
) ([]Change, error) {
	return c.changeStore(ctx, id, action, who, func(d *draft, _ topics.Time) error {
		return d.setAll(map[string]any{"disable_stock_update": off, "disabled_until": until})
	})
}

// adviseSwitches notes what else keeps a store, whose own switch is on, from being sent anything.
func (d *draft) adviseSwitches(id string, all []byte) error {
	if err := d.build(); err != nil {
		return err
	}
	store, err := topics.DecodeStore(d.value)
	if err != nil || id == topics.AllStores || store.DisableStockUpdate {
		return err
	}
	if every, err := storeOf(topics.AllStores, all); err == nil && every.DisableStockUpdate {
		d.note("nothing is sent yet: store '*', which stands for all, is switched off by %s", every.ChangedBy)
	}
	if store.Mode == topics.ModePreview {
		d.note("nothing is sent yet: it is in preview")
	}
	return nil
}

// resyncStore asks for all SKUs of a store: later than anything it was sent, whatever the clocks say.
func (c *call) resyncStore(ctx context.Context, id string, who *author) ([]Change, error) {
	var sent topics.Time
	err := c.eachStatus(ctx, ofStore(id), func(s *topics.SyncStatus) error {
		if s.Delivered != nil {
			sent = max(sent, s.Delivered.At)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.changeStore(ctx, id, "resync", who, func(d *draft, now topics.Time) error {
		return d.set("resync_requested_at", max(now, sent+1))
	})
}

// releaseStore lets go what the brake holds: all that fell until now.
func (c *call) releaseStore(ctx context.Context, id string, who *author) ([]Change, error) {
	if id == topics.AllStores {
		return nil, usagef("store %q: each store has a brake of its own: release one by one", id)
	}
	var fell topics.Time
	braked := 0
	err := c.eachStatus(ctx, ofStore(id), func(s *topics.SyncStatus) error {
		if s.Reason == topics.SyncBraked {
			braked++
			since, _ := s.Evidence["since"].(string)
			if at, err := topics.ParseTime(since); err == nil {
				fell = max(fell, at)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.changeStore(ctx, id, "release", who, func(d *draft, now topics.Time) error {
		d.note("%d SKUs were braked", braked)
		return d.set("brake_released_at", max(now, fell))
	})
}

// ofStore wants the statuses of one store, or of all.
func ofStore(id string) func(store, sku string) bool {
	return func(store, _ string) bool { return id == topics.AllStores || store == id }
}
