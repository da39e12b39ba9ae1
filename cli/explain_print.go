package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"stocksync/topics"
)

// sent describes what the store was told last.
func (s *ExplainedStore) sent(c *call) string {
	if s.Status == nil || s.Status.Delivered == nil {
		return "-"
	}
	return s.Status.Delivered.Qty.String() + " at " + c.localTime(s.Status.Delivered.At)
}

// print writes the explanation for people: at most so many warehouses, and so many lines of each kind; 0 is all.
func (e *Explanation) print(c *call, warehouses, lines int) error {
	fmt.Fprintf(c.Stdout, "%s\n", cmp.Or(join(e.SKU, e.Name), e.SKU))
	shown := e.relevant(warehouses)
	if err := e.printNumbers(c, shown); err != nil {
		return err
	}
	if err := e.printLedger(c, shown, lines); err != nil {
		return err
	}
	if err := e.printOrders(c, lines); err != nil {
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
		if d := s.Status.LastDrift; d != nil {
			line("drift", fmt.Sprintf("changed on the marketplace: it showed %s at %s, ours was %s",
				d.Seen, c.localTime(d.At), d.Ours))
		}
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

// relevant returns the warehouses to show, all where limit is 0 or they are no more. Else those come first, and only
// limit of them, that are oversold, and then those that most ledger lines and order lines name.
func (e *Explanation) relevant(limit int) []topics.WarehouseStock {
	if e.Availability == nil {
		return nil
	}
	all := slices.Clone(e.Availability.Warehouses)
	if limit == 0 || len(all) <= limit {
		return all
	}
	moves := map[string]int{}
	for i := range e.Lines {
		moves[e.Lines[i].Warehouse]++
	}
	for i := range e.Orders {
		moves[e.Orders[i].Warehouse]++
	}
	slices.SortStableFunc(all, func(a, b topics.WarehouseStock) int {
		return cmp.Or(
			cmp.Compare(min(a.Net, 0), min(b.Net, 0)),
			cmp.Compare(moves[b.Warehouse], moves[a.Warehouse]),
			cmp.Compare(max(b.Actual, -b.Actual), max(a.Actual, -a.Actual)),
		)
	})
	return all[:limit]
}

// printMore says how many warehouses are not shown.
func printMore(w io.Writer, left int) {
	if left > 0 {
		fmt.Fprintf(w, "  ... and %d more (--all)\n", left)
	}
}

// printNumbers writes the availability record, of its warehouses those that are shown.
func (e *Explanation) printNumbers(c *call, shown []topics.WarehouseStock) error {
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
	for _, w := range shown {
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
	printMore(c.Stdout, len(a.Warehouses)-len(shown))
	fmt.Fprintf(c.Stdout, "\nCauses of the last record (%d in all)\n", a.CausesTotal)
	t = newTable("  TOPIC", ">PARTITION", ">OFFSET", "ID", "DOCUMENT", "REASON")
	for _, cause := range a.Causes {
		t.add("  "+cause.Topic, fmt.Sprint(cause.Partition), fmt.Sprint(cause.Offset), cause.ID, cause.Ref, cause.Reason)
	}
	return t.print(c.Stdout)
}

// printLedger writes the lines that make Actual, newest first, and what older ones came to in the warehouses shown.
func (e *Explanation) printLedger(c *call, warehouses []topics.WarehouseStock, limit int) error {
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
	left := 0
	for _, b := range e.Collapsed {
		here := func(w topics.WarehouseStock) bool { return w.Warehouse == b.Warehouse }
		if e.Availability != nil && !slices.ContainsFunc(warehouses, here) {
			left++
			continue
		}
		t.add("  "+c.localTime(b.Until), b.Warehouse, "older lines", b.Actual.String(), "collapsed", "", "", "", "")
	}
	if err := t.print(c.Stdout); err != nil {
		return err
	}
	printMore(c.Stdout, left)
	return nil
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
