package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ListedStore is one store: an element of the result of `stores list`.
type ListedStore struct {
	ID    string         `json:"id"`
	Store *topics.Store  `json:"store"` // null: its record is invalid
	Error string         `json:"error,omitempty"`
	Pairs map[string]int `json:"pairs"` // how many are in each state
}

const storesLong = `Show and change the stores: which shop on which marketplace, whose stock it
offers, and by which rules. A change reads the record that is there, shows what it replaces, and
is noted in topic audit with who made it. Running sinks take it up at once.

Store '*' holds what applies to all stores: its switch stops all of them.`

const storesExample = `  stocksync stores list
  stocksync stores set tokopedia-main marketplace=tiktokshop warehouses=WH-JKT-01 buffer=2
  stocksync stores preview tokopedia-main
  stocksync stores set tokopedia-main mode=live
  stocksync stores disable '*' --until 2h --note 'stock take'`

func (a *app) storesCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:     "stores",
		GroupID: groupWork,
		Short:   "Show, set up, switch off and on, preview, resync stores",
		Long:    storesLong,
		Example: storesExample,
		Args:    cobra.ArbitraryArgs,
		RunE:    a.parent(),
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the stores, and how many SKUs are where",
		Long: "List every store with its rules, and how many of its SKUs are in which state. Reads topics\n" +
			"stores and sync-status as they are committed now.",
		Example: "  stocksync stores list\n  stocksync stores list --json | jq '.[].store.mode'",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, c *call, _ []string) error {
			stores, err := c.listStores(ctx)
			if err != nil {
				return err
			}
			return c.printStores(stores)
		}),
	}
	addJSON(list)
	parent.AddCommand(list, a.storesSetCommand(), a.storesPreviewCommand())
	parent.AddCommand(a.storesSwitchCommands()...)
	return parent
}

// listStores reads every store, and counts its pairs by state.
func (c *call) listStores(ctx context.Context) ([]ListedStore, error) {
	records, err := c.table(ctx, topics.Stores)
	if err != nil {
		return nil, err
	}
	counts := map[string]map[string]int{}
	err = c.eachStatus(ctx, allPairs, func(s *topics.SyncStatus) error {
		if counts[s.Store] == nil {
			counts[s.Store] = map[string]int{}
		}
		counts[s.Store][string(s.State)]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	stores := []ListedStore{}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		one := ListedStore{ID: id, Pairs: counts[id]}
		store, err := storeOf(id, records[id])
		if err != nil {
			one.Error = err.Error()
		} else {
			one.Store = &store
		}
		if one.Pairs == nil {
			one.Pairs = map[string]int{}
		}
		stores = append(stores, one)
	}
	return stores, nil
}

// storeOf reads the record found under a store's id.
func storeOf(id string, value []byte) (topics.Store, error) {
	store, err := topics.DecodeStore(value)
	if err == nil && store.Store != id {
		err = fmt.Errorf("the record is of store %q", store.Store)
	}
	return store, err
}

// table reads a compacted topic as it is committed: the newest value of each key.
func (c *call) table(ctx context.Context, base string) (map[string][]byte, error) {
	records := map[string][]byte{}
	err := c.scan(ctx, c.topic(base), func(r *kgo.Record) error {
		if r.Value == nil {
			delete(records, string(r.Key))
		} else {
			records[string(r.Key)] = slices.Clone(r.Value)
		}
		return nil
	})
	return records, err
}

// printStores writes one row a store.
func (c *call) printStores(stores []ListedStore) error {
	if c.json {
		return printJSON(c.Stdout, stores)
	}
	t := newTable("STORE", "MARKETPLACE", "MODE", "SWITCH", "WAREHOUSES", "RULES", "SKUS")
	for _, s := range stores {
		if s.Store == nil {
			t.add(s.ID, "-", "-", "config_error", "-", s.Error, countsText(s.Pairs))
			continue
		}
		t.add(s.ID, cmp.Or(s.Store.Marketplace, "-"), s.mode(), c.switchText(s.Store),
			cmp.Or(warehousesText(s.Store), "-"), cmp.Or(rulesText(s.Store), "-"), countsText(s.Pairs))
	}
	return t.print(c.Stdout)
}

// mode is what people see of a store's mode; what applies to all has none.
func (s *ListedStore) mode() string {
	if s.ID == topics.AllStores {
		return "-"
	}
	return string(s.Store.Mode)
}

// switchText says whether a store is switched off, by whom and until when.
func (c *call) switchText(s *topics.Store) string {
	return c.offText(s.DisableStockUpdate, s.ChangedBy, s.DisabledUntil)
}

func (c *call) offText(off bool, by string, until topics.Time) string {
	switch {
	case !off:
		return "on"
	case until.IsZero():
		return "off by " + cmp.Or(by, "?")
	}
	return "off by " + cmp.Or(by, "?") + " until " + c.localTime(until)
}

func warehousesText(s *topics.Store) string {
	text := strings.Join(s.Warehouses, ",")
	if len(s.ExcludeWarehouses) > 0 {
		text += " but " + strings.Join(s.ExcludeWarehouses, ",")
	}
	return strings.TrimSpace(text)
}

// rulesText lists the rules that a store sets.
func rulesText(s *topics.Store) string {
	var rules []string
	for _, r := range []struct {
		name string
		qty  *topics.Quantity
	}{{"buffer", s.Buffer}, {"percent", s.Percent}, {"min", s.Min}, {"max", s.Max}} {
		if r.qty != nil {
			rules = append(rules, r.name+" "+r.qty.String())
		}
	}
	return strings.Join(rules, ", ")
}

// countsText lists how many pairs are in which state.
func countsText(counts map[string]int) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

// pairTable reads a compacted topic whose keys are `store|sku`, as far as it is wanted. An installation without the
// topic has none.
func (c *call) pairTable(
	ctx context.Context, base string, wanted func(store, sku string) bool,
) (map[string][]byte, error) {
	records := map[string][]byte{}
	err := c.scan(ctx, c.topic(base), func(r *kgo.Record) error {
		store, sku, ok := topics.SplitPairKey(r.Key)
		switch {
		case !ok || !wanted(store, sku):
		case r.Value == nil:
			delete(records, string(r.Key))
		default:
			records[string(r.Key)] = slices.Clone(r.Value)
		}
		return nil
	})
	if errors.Is(err, errNoTopic) {
		return records, nil
	}
	return records, err
}
