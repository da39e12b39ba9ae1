package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ExplainedStore is where the SKU stands in one store, in words too.
type ExplainedStore struct {
	Store    string             `json:"store"`
	Status   *topics.SyncStatus `json:"status"` // null: the sinks have written none
	State    topics.SyncState   `json:"state"`  // of the status, or else what follows from the records
	Reason   topics.SyncReason  `json:"reason"`
	Evidence map[string]any     `json:"evidence"`
	Words
	Also     []AlsoReason     `json:"also"`           // the other reasons that hold
	Note     string           `json:"note,omitempty"` // why there is no status
	Numbers  *Numbers         `json:"numbers"`        // null: the records don't tell them
	Attempts []topics.SyncLog `json:"attempts"`       // the last, newest first
}

// AlsoReason is one of the other reasons that hold.
type AlsoReason struct {
	Reason topics.SyncReason `json:"reason"`
	Words
}

// explainStores returns where the SKU stands in each store, or in the one named: the status that the sinks wrote, or,
// for a store without one, what they would say.
func (c *call) explainStores(ctx context.Context, sku, only string, attempts int) ([]ExplainedStore, error) {
	stores, err := c.storeTable(ctx)
	if err != nil {
		return nil, err
	}
	records, err := c.pairRecords(ctx, sku, func(store string) bool { return only == "" || store == only })
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for id := range stores {
		ids[id] = id != topics.AllStores
	}
	for _, s := range records.statuses {
		ids[s.Store] = true
	}
	if only != "" && !ids[only] {
		return nil, fmt.Errorf("store %q: no such store", only)
	}
	list := []ExplainedStore{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if !ids[id] || only != "" && id != only {
			continue
		}
		one, err := c.explainStore(id, sku, stores, records)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, c.explainAttempts(ctx, sku, list, attempts)
}

// storeTable returns the values of the stores' records by id. An installation without the topic has none.
func (c *call) storeTable(ctx context.Context) (map[string][]byte, error) {
	stores, err := c.table(ctx, topics.Stores)
	if errors.Is(err, errNoTopic) {
		return stores, nil
	}
	return stores, err
}

// explainStore tells where the SKU stands in one store.
func (c *call) explainStore(id, sku string, stores map[string][]byte, r *pairRecords) (ExplainedStore, error) {
	one := ExplainedStore{
		Store: id, Status: r.status(id, sku), Also: []AlsoReason{}, Attempts: []topics.SyncLog{},
	}
	preview, err := c.previewOf(id, stores[id], stores[topics.AllStores])
	if err != nil {
		return one, err
	}
	fault := preview.Err()
	preview.Trust() // its credentials may be out of reach here
	seen := preview.Assess(sku, r.of(id, sku), time.Now())
	one.State, one.Reason, one.Evidence = seen.State, seen.Reason, seen.Evidence
	one.Numbers = numbersOf(seen.Reckoning)
	also := seen.Also
	switch s := one.Status; {
	case s != nil:
		one.State, one.Reason, one.Evidence, also = s.State, s.Reason, s.Evidence, s.Also
	case !seen.Exists && seen.Reason != topics.SyncConfigError: // of a record that is invalid nobody knows
		one.Note = "No status: the store has no listing, setting or order for this SKU."
	case fault != nil:
		one.Note = "No status yet, and the store could not be opened here: " + fault.Error()
	default:
		one.Note = "No status yet: the sinks have not come to it; see that `stocksync sinks` runs."
	}
	one.Words = wordsOf(one.Reason)
	for _, reason := range also {
		one.Also = append(one.Also, AlsoReason{reason, wordsOf(reason)})
	}
	return one, nil
}

// explainAttempts fills in the last attempts, as far back as topic sync-log reaches.
func (c *call) explainAttempts(ctx context.Context, sku string, list []ExplainedStore, most int) error {
	if most == 0 || len(list) == 0 {
		return nil
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	n, err := partitionsOf(ctx, kadm.NewClient(cl), c.topic(topics.SyncLogTopic))
	if errors.Is(err, errNoTopic) {
		return nil
	}
	if err != nil {
		return err
	}
	of, partitions := map[string]*ExplainedStore{}, []int32{}
	for i := range list {
		key := topics.PairKey(list[i].Store, sku)
		of[string(key)] = &list[i]
		partitions = append(partitions, topics.PartitionOf(key, n))
	}
	err = c.scan(ctx, c.topic(topics.SyncLogTopic), func(r *kgo.Record) error {
		one := of[string(r.Key)]
		if one == nil || r.Value == nil {
			return nil
		}
		l, err := topics.DecodeSyncLog(r.Value)
		if err != nil {
			c.log.Warn("attempt is not shown", "key", string(r.Key), "err", err)
			return nil
		}
		if one.Attempts = append(one.Attempts, l); len(one.Attempts) > most {
			one.Attempts = slices.Delete(one.Attempts, 0, 1)
		}
		return nil
	}, partitions...)
	for i := range list {
		slices.Reverse(list[i].Attempts)
	}
	return err
}

// sent describes what the store was told last.
func (s *ExplainedStore) sent(c *call) string {
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
		_, err := fmt.Fprintln(c.Stdout, "  none is set up")
		return err
	}
	for i := range e.Stores {
		one := &e.Stores[i]
		if err := one.print(c); err != nil {
			return err
		}
	}
	return nil
}

// print writes where the SKU stands in a store, why, and what mends it.
func (s *ExplainedStore) print(c *call) error {
	since := ""
	if s.Status != nil {
		since = " since " + c.localTime(s.Status.Since)
	}
	fmt.Fprintf(c.Stdout, "  %s: %s, %s%s\n", s.Store, s.State, s.Reason, since)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(c.Stdout, "    %-9s %s\n", what, text)
		}
	}
	line("why", s.Text)
	line("sebab", s.TextID)
	line("fix", s.Fix)
	line("solusi", s.FixID)
	line("evidence", c.evidenceText(s.Evidence))
	for _, also := range s.Also {
		line("also", string(also.Reason)+": "+also.Text)
	}
	line("note", s.Note)
	line("numbers", s.Numbers.text())
	if s.Status != nil {
		line("wanted", fmt.Sprintf("%s at revision %d", s.Status.Wanted.Qty, s.Status.Wanted.Revision))
		line("sent", s.sent(c))
		if s.Status.Error != nil {
			line("answer", s.Status.Error.Code+" "+s.Status.Error.Message)
		}
		if !s.Status.NextAttemptAt.IsZero() {
			line("next", c.localTime(s.Status.NextAttemptAt))
		}
	}
	return s.printAttempts(c)
}

// printAttempts writes the last attempts, newest first.
func (s *ExplainedStore) printAttempts(c *call) error {
	if len(s.Attempts) == 0 {
		return nil
	}
	t := newTable("    ATTEMPT", "OUTCOME", ">QTY", ">REVISION", "TARGET", "BECAUSE", "ANSWER")
	for i := range s.Attempts {
		l := &s.Attempts[i]
		target := strings.Trim(strings.Join([]string{l.ProductID, l.VariantID, l.LocationID}, "/"), "/")
		t.add("    "+c.localTime(l.At), string(l.Outcome), l.Qty.String(), fmt.Sprint(l.Revision), cmp.Or(target, "-"),
			cmp.Or(string(l.Trigger), "-"), cmp.Or(strings.TrimSpace(cmp.Or(l.Code, string(l.Reason))+" "+l.Message), "-"))
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
