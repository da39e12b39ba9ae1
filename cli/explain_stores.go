package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// explainStores returns where the SKU stands in each store, or in the one named: the status that the sinks
// wrote, or, for a store without one, why there is none.
func (c *call) explainStores(ctx context.Context, sku, only string, a *topics.Availability) ([]ExplainedStore, error) {
	stores, err := c.stores(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := c.statuses(ctx, sku)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for id := range stores {
		ids[id] = id != topics.AllStores
	}
	for id := range statuses {
		ids[id] = true
	}
	if only != "" && !ids[only] {
		return nil, fmt.Errorf("store %q: no such store", only)
	}
	list := []ExplainedStore{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if !ids[id] || only != "" && id != only {
			continue
		}
		one := ExplainedStore{Store: id, Status: statuses[id]}
		if one.Status == nil {
			one.Text = withoutStatus(stores[id], stores[topics.AllStores], a)
		} else {
			one.Text = reasonText(one.Status.Reason)
			for _, also := range one.Status.Also {
				one.Also = append(one.Also, reasonText(also))
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// withoutStatus says why a store has no status for a SKU, as far as store and availability tell.
func withoutStatus(store, all *topics.Store, a *topics.Availability) string {
	switch {
	case store == nil:
		return reasonText(topics.SyncConfigError)
	case store.DisableStockUpdate || all != nil && all.DisableStockUpdate:
		return reasonText(topics.SyncStoreDisabled)
	case len(store.Warehouses) == 0 && (all == nil || len(all.Warehouses) == 0):
		return reasonText(topics.SyncNoWarehouse)
	case a == nil || a.LastMutationAt.IsZero() && a.LastOrderAt.IsZero():
		return reasonText(topics.SyncNoTransactionYet)
	default:
		return "No status yet: the store has no listing, setting or order for this SKU, or the sinks have not " +
			"come to it; see that `stocksync sinks` runs."
	}
}

// stores returns the store records by id; nil for a record that cannot be read.
func (c *call) stores(ctx context.Context) (map[string]*topics.Store, error) {
	stores := map[string]*topics.Store{}
	err := c.scan(ctx, c.topic(topics.Stores), func(r *kgo.Record) error {
		id := string(r.Key)
		if r.Value == nil {
			delete(stores, id)
			return nil
		}
		store, err := topics.DecodeStore(r.Value)
		if err != nil {
			c.log.Warn("store record is invalid", "store", id, "err", err)
			stores[id] = nil
			return nil
		}
		stores[id] = &store
		return nil
	})
	if errors.Is(err, errNoTopic) {
		return stores, nil
	}
	return stores, err
}

// statuses returns the newest status of the SKU in each store. Of two owners the higher generation counts.
func (c *call) statuses(ctx context.Context, sku string) (map[string]*topics.SyncStatus, error) {
	found := map[string]*topics.SyncStatus{}
	err := c.scan(ctx, c.topic(topics.SyncStatusTopic), func(r *kgo.Record) error {
		store, key, ok := topics.SplitPairKey(r.Key)
		if !ok || key != sku {
			return nil
		}
		if r.Value == nil {
			delete(found, store)
			return nil
		}
		status, err := topics.DecodeSyncStatus(r.Value)
		if err != nil {
			c.log.Warn("status is not shown", "store", store, "sku", key, "err", err)
			return nil
		}
		if held := found[store]; held == nil || held.Owner.Generation <= status.Owner.Generation {
			found[store] = &status
		}
		return nil
	})
	if errors.Is(err, errNoTopic) {
		return found, nil
	}
	return found, err
}

// sent describes what the store was told last.
func (s ExplainedStore) sent(c *call) string {
	if s.Status == nil || s.Status.Delivered == nil {
		return "-"
	}
	return s.Status.Delivered.Qty.String() + " at " + c.localTime(s.Status.Delivered.At)
}

// print writes the explanation for people.
func (e *Explanation) print(c *call, limit int) error {
	fmt.Fprintf(c.Stdout, "%s\n", cmp.Or(join(e.SKU, e.Name), e.SKU))
	if err := e.printNumbers(c); err != nil {
		return err
	}
	if err := e.printLedger(c, limit); err != nil {
		return err
	}
	if err := e.printOrders(c, limit); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout, "\nStores")
	if len(e.Stores) == 0 {
		fmt.Fprintln(c.Stdout, "  none is set up")
		return nil
	}
	t := newTable("  STORE", "STATE", "REASON", ">WANTED", "SENT", "WHY")
	for _, s := range e.Stores {
		state, reason, wanted := "-", "-", "-"
		if s.Status != nil {
			state, reason, wanted = string(s.Status.State), string(s.Status.Reason), s.Status.Wanted.Qty.String()
		}
		t.add("  "+s.Store, state, reason, wanted, s.sent(c), s.Text)
		if s.Status != nil && s.Status.Error != nil {
			t.add("", "", "", "", "", "answer: "+s.Status.Error.Code+" "+s.Status.Error.Message)
		}
		for _, also := range s.Also {
			t.add("", "", "", "", "", "also: "+also)
		}
	}
	return t.print(c.Stdout)
}

// join puts a name beside a SKU.
func join(sku, name string) string {
	if name == "" {
		return sku
	}
	return sku + "  " + name
}

// printNumbers writes the availability record.
func (e *Explanation) printNumbers(c *call) error {
	a := e.Availability
	if a == nil {
		_, err := fmt.Fprintln(c.Stdout, "no availability record yet")
		return err
	}
	fmt.Fprintf(c.Stdout, "Actual %s, Reserved %s, Available %s (net %s), as of %s\n",
		a.Actual, a.Reserved, a.Available, a.Net, c.localTime(a.AsOf))
	fmt.Fprintf(c.Stdout, "revision %d, written %s, trigger %s, numbers changed: %t\n",
		a.Revision, c.localTime(a.ProcessedAt), a.Trigger, a.Changed)
	fmt.Fprintf(c.Stdout, "first seen %s, last mutation %s, last order %s, last count %s\n\n",
		c.localTime(a.FirstSeenAt), c.localTime(a.LastMutationAt), c.localTime(a.LastOrderAt),
		c.localTime(a.LastCountAt))
	t := newTable("  WAREHOUSE", ">ACTUAL", ">RESERVED", ">AVAILABLE", ">NET", "BY STORE")
	for _, w := range a.Warehouses {
		var by []string
		for _, s := range w.ByStore {
			by = append(by, fmt.Sprintf("%s reserved %s taken %s", s.Store, s.Reserved, s.Taken))
		}
		t.add("  "+w.Warehouse, w.Actual.String(), w.Reserved.String(), w.Available.String(), w.Net.String(),
			strings.Join(by, ", "))
	}
	if err := t.print(c.Stdout); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "\nCauses of the last record (%d in all)\n", a.CausesTotal)
	t = newTable("  TOPIC", ">PARTITION", ">OFFSET", "ID", "DOCUMENT", "REASON")
	for _, cause := range a.Causes {
		t.add("  "+cause.Topic, fmt.Sprint(cause.Partition), fmt.Sprint(cause.Offset), cause.ID, cause.Ref, cause.Reason)
	}
	return t.print(c.Stdout)
}

// printLedger writes the lines that make Actual, newest first.
func (e *Explanation) printLedger(c *call, limit int) error {
	shown := cut(e.Lines, limit)
	fmt.Fprintf(c.Stdout, "\nLedger lines, newest first (%d of %d)\n", len(shown), len(e.Lines))
	if len(shown)+len(e.Collapsed) == 0 {
		_, err := fmt.Fprintln(c.Stdout, "  none")
		return err
	}
	t := newTable("  EFFECTIVE", "WAREHOUSE", "KIND", ">QTY", "STATUS", "REASON", "VOUCHER", "LINE", "ORDER LINE")
	for _, l := range shown {
		kind := l.Kind.String()
		if l.IsReturn {
			kind += " (return)"
		}
		t.add("  "+c.localTime(l.EffectiveAt), l.Warehouse, kind, l.Qty.String(), l.Status.String(), l.Reason,
			l.VoucherNo, l.LineID, l.OrderLineID)
	}
	for _, b := range e.Collapsed {
		t.add("  "+c.localTime(b.Until), b.Warehouse, "older lines", b.Actual.String(), "collapsed", "", "", "", "")
	}
	return t.print(c.Stdout)
}

// printOrders writes the order lines that hold Reserved, oldest first.
func (e *Explanation) printOrders(c *call, limit int) error {
	shown := cut(e.Orders, limit)
	fmt.Fprintf(c.Stdout, "\nOrder lines that hold stock, oldest first (%d of %d; %d more hold none)\n",
		len(shown), len(e.Orders), e.OtherOrders)
	if len(shown) == 0 {
		_, err := fmt.Fprintln(c.Stdout, "  none")
		return err
	}
	t := newTable("  ORDERED", "WAREHOUSE", ">RESERVED", ">ORDERED", ">DELIVERED", "STATUS", "STORE", "ORDER", "LINE")
	for _, o := range shown {
		t.add("  "+c.localTime(o.OrderedAt), o.Warehouse, o.Reserved.String(), o.OrderedQty.String(),
			o.Delivered.String(), o.Status.String(), cmp.Or(o.Store, "-"), o.OrderID, o.OrderLineID)
	}
	return t.print(c.Stdout)
}

// cut returns at most limit elements; 0 is all.
func cut[T any](list []T, limit int) []T {
	if limit > 0 && len(list) > limit {
		return list[:limit]
	}
	return list
}
