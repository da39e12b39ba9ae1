package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stocksync/sinks"
	"stocksync/topics"
)

// storeFields are what `stores set` sets.
func storeFields() []settable {
	return []settable{
		{"marketplace", asText, true},
		{"name", asText, false},
		{"mode", asText, true},
		{"warehouses", asList, true},
		{"exclude_warehouses", asList, false},
		{"locations", asJSON, true},
		{"buffer", asNumber, false},
		{"percent", asNumber, false},
		{"min", asNumber, false},
		{"max", asNumber, false},
		{"auto_disable_unmatched", asBool, false},
		{"in_flight", asText, false},
		{"order_grace", asText, false},
		{"brake_percent", asNumber, false},
		{credentialsField, asText, true},
		{optionsField, asJSON, true},
	}
}

const storesSetLong = `Set up a store, or change one: FIELD=VALUE sets a field of its record, FIELD=
takes the value away. Fields that are not named stay as they are.

  marketplace   the adapter, such as webhook           mode        preview or live
  warehouses    WH-1,WH-2 or *: whose stock it offers  locations   JSON: which warehouses fill which
  exclude_warehouses  with *: all but these            name        for people
  buffer percent min max     the rules for the quantity, for all its SKUs
  auto_disable_unmatched     true or false             in_flight   read or off
  order_grace brake_percent  30m, 30                   options.X   what the adapter needs, such as options.url
  credentials_ref            the NAME of a file in CREDENTIALS_DIR, or of a variable, where the sinks run

Secrets are in no topic, so they are refused here: put them in that file or variable, as a JSON
object such as {"secret":"..."}.

A new store starts in preview: see 'stocksync stores preview ID', then set mode=live.`

const storesSetExample = `  stocksync stores set web marketplace=webhook options.url=https://shop.example/stock \
      credentials_ref=web
  stocksync stores set web warehouses=WH-JKT-01,WH-SUB-01 buffer=2 percent=80
  stocksync stores set web mode=live --note 'numbers agreed with Ana'
  stocksync stores set web max=                          # no maximum any more
  stocksync stores set '*' exclude_warehouses=WH-DAMAGED`

func (a *app) storesSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set ID FIELD=VALUE ...",
		Short:   "Set up a store, or change one",
		Long:    storesSetLong,
		Example: storesSetExample,
		Args:    wants("ID and FIELD=VALUE ...", 2, math.MaxInt),
	}
	who := addAuthor(cmd)
	cmd.RunE = a.run(func(ctx context.Context, c *call, args []string) error {
		e := c.storeEdit(args[0], "set", func(d *draft, _ topics.Time) error { return c.assignStore(d, args[0], args[1:]) })
		return c.changeAndPrint(ctx, args[0], who, e)
	})
	return cmd
}

// changeAndPrint changes records of one store and prints what became of them.
func (c *call) changeAndPrint(ctx context.Context, store string, who *author, edits ...edit) error {
	changes, err := c.change(ctx, store, who, edits...)
	if err != nil {
		return err
	}
	return c.printChanges(changes)
}

// usualStore returns a store's record in its usual form.
func usualStore(value []byte) ([]byte, error) {
	s, err := topics.DecodeStore(value)
	if err != nil {
		return nil, err
	}
	return s.Encode(), nil
}

// storeEdit makes an edit of a store's record.
func (c *call) storeEdit(id, action string, apply func(d *draft, now topics.Time) error) edit {
	return edit{
		topic: topics.Stores, key: []byte(id), action: action,
		apply: func(before []byte, now topics.Time) (*draft, error) {
			d := newDraft(before, new(topics.Store).Encode(), usualStore)
			if err := d.set("store", id); err != nil {
				return nil, err
			}
			return d, apply(d, now)
		},
	}
}

// assignStore sets fields of a store's record, and notes what else the store needs.
func (c *call) assignStore(d *draft, id string, args []string) error {
	all := id == topics.AllStores
	fresh := d.was == nil
	if fresh && !all {
		if err := d.set("mode", topics.ModePreview); err != nil {
			return err
		}
	}
	if err := d.assign(args, storeFields(), all); err != nil {
		return err
	}
	if all {
		return nil
	}
	if fresh && d.text("mode") == string(topics.ModeLive) {
		return usagef("mode: \"live\": a new store starts in preview: set it up, see what it would be sent with "+
			"'stocksync stores preview %s', then set mode=live", id)
	}
	if err := c.knownMarketplace(d.text("marketplace")); err != nil {
		return err
	}
	if err := d.build(); err != nil {
		return err
	}
	return c.adviseStore(d, id)
}

// knownMarketplace refuses a marketplace without an adapter. That it must be named, the record's decoder says.
func (c *call) knownMarketplace(name string) error {
	conf, err := c.sinksConfig(nil)
	if err != nil {
		return err
	}
	var known []string
	for _, a := range conf.Adapters {
		known = append(known, a.Marketplace())
	}
	if name != "" && !slices.Contains(known, name) {
		return usagef("marketplace: %q: there is no such adapter; there are %s", name, strings.Join(known, ", "))
	}
	return nil
}

// adviseStore notes why a store, as it is drafted, is sent nothing.
func (c *call) adviseStore(d *draft, id string) error {
	store, err := topics.DecodeStore(d.value)
	if err != nil {
		return err
	}
	preview, err := c.previewOf(id, d.value, nil)
	if err != nil {
		return err
	}
	if err := preview.Err(); err != nil {
		d.note("nothing can be sent yet: %v (if only its credentials are out of reach here, never mind)", err)
	}
	if len(store.Warehouses) == 0 {
		d.note("nothing can be sent yet: it offers no warehouse: set warehouses=...")
	}
	if store.Mode == topics.ModePreview {
		d.note("it is in preview, nothing is sent: see 'stocksync stores preview %s', then set mode=live", id)
	}
	return nil
}

// note adds a remark for the person who changes the record.
func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// previewOf returns a preview of a store by its records.
func (c *call) previewOf(id string, record, all []byte) (*sinks.Preview, error) {
	conf, err := c.sinksConfig(nil)
	if err != nil {
		return nil, err
	}
	return sinks.NewPreview(conf, id, record, all), nil
}

// errNoStore is returned for a store that has no record.
var errNoStore = errors.New("no such store; 'stocksync stores list' lists them, 'stocksync stores set' makes one")

// haveStore returns an error unless there is a record of the store, or the id stands for all.
func haveStore(id string, records map[string][]byte) error {
	if _, ok := records[id]; ok || id == topics.AllStores {
		return nil
	}
	near := slices.DeleteFunc(slices.Sorted(maps.Keys(records)), func(known string) bool {
		return !strings.EqualFold(strings.TrimSpace(known), strings.TrimSpace(id))
	})
	if len(near) > 0 {
		return fmt.Errorf("store %q: %w: did you mean %s?", id, errNoStore, strings.Join(near, " or "))
	}
	return fmt.Errorf("store %q: %w", id, errNoStore)
}
