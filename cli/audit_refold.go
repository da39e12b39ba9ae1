package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"stocksync/state"
	"stocksync/topics"
)

// claim is the version of a line that the inputs say is held: the highest one that was not refused, and of those
// the first.
type claim[T comparable] struct {
	value   T
	version int64
	in      *auditInput
}

// refold is what the inputs say of one SKU. It does not need their order: a version is held when it is the highest,
// and what depends on the order of arrival has left a dead letter.
type refold struct {
	lines  map[string]claim[state.Line]
	orders map[string]claim[state.OrderLine]
	first  *auditInput // the first that counts
	reach  reach
	gross  uint64 // sum of all quantities, whatever their sign
	names  int    // bytes of the names of warehouses and stores
}

// checkInputs holds what the changelog has of the SKU against the inputs.
func (a *auditor) checkInputs() error {
	if len(a.group.inputs) == 0 && len(a.group.parts) == 0 {
		return nil // only dead letters, of a key that is no SKU
	}
	home := topics.PartitionOf([]byte(a.group.sku), a.partitions)
	n, part := a.group.held(home)
	var acc *state.Account
	if part != nil {
		acc = part.account
	}
	fold, err := a.refold(home)
	if err != nil {
		return err
	}
	a.checkRefused(acc, fold)
	if acc == nil {
		if fold.first != nil {
			a.missing(AuditDifference{
				Check: CheckInputs, What: "SKU", SKU: a.group.sku, Got: "not in the changelog",
				Want: "held", Evidence: a.evidenceOf(fold.first.at),
			}, fold.first)
		}
		return nil
	}
	at := AuditDifference{
		Check: CheckInputs, SKU: a.group.sku, Evidence: a.evidence(topics.Changelog, n, part.offset),
	}
	over, matched := a.compareLines(at, acc, fold)
	collapsed := !acc.LineFrontier.At.IsZero() || !acc.OrderFrontier.IsZero()
	if fold.reach.why != "" && (collapsed || !matched) {
		a.skip(1, "SKUs wholly against the inputs", fold.reach.why)
		return nil
	}
	a.report.SKUsFromInputs++
	b := books{over: over}
	for _, c := range fold.lines {
		b.lines = append(b.lines, c.value)
	}
	for _, c := range fold.orders {
		b.orders = append(b.orders, c.value)
	}
	a.compareSums(at, acc.Warehouses, b.add(acc.Policy), !collapsed)
	return nil
}

// held returns what the SKU's home holds, or another partition when that has nothing, and its number.
func (g *auditGroup) held(home int32) (int32, *auditPart) {
	for _, n := range append([]int32{home}, slices.Sorted(maps.Keys(g.parts))...) {
		if p := g.parts[n]; p != nil && p.account != nil {
			return n, p
		}
	}
	return home, nil
}

// refold sorts out which input records count.
func (a *auditor) refold(home int32) (*refold, error) {
	f := &refold{
		lines: map[string]claim[state.Line]{}, orders: map[string]claim[state.OrderLine]{}, reach: a.reach(),
	}
	for _, in := range a.group.inputs {
		f.measure(in)
		if in.at.partition != home {
			passed, err := a.passedOn(in, home)
			if err != nil {
				return nil, err
			}
			if in.passed = passed; passed {
				continue
			}
		}
		if len(a.group.letters[in.origin]) > 0 {
			continue
		}
		if f.first == nil {
			f.first = in
		}
		if m := in.mutation; m != nil && m.Kind != topics.KindTouch {
			stake(a, f.lines, "line", m.LineID, m.Version, lineOf(m), in)
		} else if o := in.order; o != nil {
			stake(a, f.orders, "order line", o.OrderLineID, o.Version, orderOf(o), in)
		}
	}
	return f, nil
}

// passedOn tells whether a record in a partition that is not the SKU's home was forwarded. One that was not may have
// been folded there, before partitions were added: then it counts like any other.
func (a *auditor) passedOn(in *auditInput, home int32) (bool, error) {
	found := false
	err := a.scratch.Each(in.copyKey(in.hops+1), func(_, _ []byte) error {
		found = true
		return nil
	})
	if err != nil || found {
		return found, err
	}
	if log := a.logs[in.at.input][home]; log != nil && log.open {
		a.skip(1, "records on a wrong partition", "a producer's open transaction hides whether they were forwarded")
		return true, nil
	}
	return false, nil
}

func (f *refold) measure(in *auditInput) {
	add := func(q topics.Quantity, names ...string) {
		n := uint64(max(q, -q))
		if f.gross += n; f.gross < n {
			f.gross = math.MaxUint64
		}
		for _, name := range names {
			f.names += len(name)
		}
	}
	if m := in.mutation; m != nil {
		add(m.Qty, m.Warehouse)
	}
	if o := in.order; o != nil {
		add(o.OrderedQty, o.Warehouse, o.Store)
	}
}

func lineOf(m *topics.Mutation) state.Line {
	return state.Line{
		ID: m.LineID, Version: m.Version, Kind: m.Kind, Status: m.Status, IsReturn: m.IsReturn, Warehouse: m.Warehouse,
		Qty: m.Qty, EffectiveAt: m.EffectiveAt, Seq: m.Seq, OrderLineID: m.OrderLineID,
	}
}

func orderOf(o *topics.Order) state.OrderLine {
	return state.OrderLine{
		ID: o.OrderLineID, Version: o.Version, Arrived: true, Status: o.Status, Warehouse: o.Warehouse,
		OrderedQty: o.OrderedQty, OrderedAt: o.OrderedAt, Store: o.Store,
	}
}

// stake enters what one record says of a line, unless a higher version is known.
func stake[T comparable](a *auditor, all map[string]claim[T], what, id string, version int64, value T, in *auditInput) {
	held, ok := all[id]
	switch {
	case !ok || version > held.version:
		all[id] = claim[T]{value, version, in}
	case version == held.version && value != held.value:
		a.missing(AuditDifference{
			Check: CheckDeadLetters, What: fmt.Sprintf("%s %s version %d again, with other content", what, id, version),
			SKU: a.group.sku, Got: "no dead letter", Want: string(topics.ReasonVersionConflict),
			Evidence: a.evidenceOf(in.at),
		}, in)
	}
}

// compareLines holds the lines of the changelog against those of the inputs. It returns the order lines that
// collapsed, and whether every line that is held was found in the inputs.
func (a *auditor) compareLines(at AuditDifference, acc *state.Account, f *refold) (over map[string]bool, matched bool) {
	matched = true
	lines := map[string]bool{}
	for i := range acc.Lines {
		got := acc.Lines[i]
		lines[got.ID] = true
		want, ok := f.lines[got.ID]
		same := a.compareVersion(at, heldVersion{"line " + got.ID, got.Version, got.ArrivedDay, state.InputMutations},
			want.in, want.version, f)
		got.Reason, got.VoucherNo, got.ArrivedDay = "", "", 0
		if same && got != want.value {
			a.content("line "+got.ID, lineText(&got), lineText(&want.value), want.in)
		}
		matched = matched && ok && same
	}
	orders := map[string]bool{}
	for i := range acc.Orders {
		got := acc.Orders[i]
		if !got.Arrived {
			continue
		}
		orders[got.ID] = true
		want, ok := f.orders[got.ID]
		same := a.compareVersion(at, heldVersion{"order line " + got.ID, got.Version, got.ChangedDay, state.InputOrders},
			want.in, want.version, f)
		got.OrderID, got.ChangedDay = "", 0
		got.Delivered, got.Returned, got.Reserved, got.Taken = 0, 0, 0, 0
		if same && got != want.value {
			a.content("order line "+got.ID, orderText(&got), orderText(&want.value), want.in)
		}
		matched = matched && ok && same
	}
	return a.compareClaims(acc, f, lines, orders), matched
}

// compareClaims looks for what the inputs say and the changelog does not hold. It returns the order lines that
// collapsed.
func (a *auditor) compareClaims(acc *state.Account, f *refold, lines, orders map[string]bool) map[string]bool {
	notHeld := AuditDifference{Check: CheckInputs, SKU: acc.SKU, Got: "not held"}
	for _, id := range slices.Sorted(maps.Keys(f.lines)) {
		want := f.lines[id]
		if lines[id] || comparePositions(positionOf(&want.value), acc.LineFrontier) <= 0 {
			continue // held, or collapsed
		}
		notHeld.What, notHeld.Want = "line "+id, versionText(want.version)
		notHeld.Evidence = a.evidenceOf(want.in.at)
		a.missing(notHeld, want.in)
	}
	over := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(f.orders)) {
		want := f.orders[id]
		if orders[id] {
			continue
		}
		if !acc.OrderFrontier.IsZero() && want.value.OrderedAt <= acc.OrderFrontier && f.isOver(&want.value) {
			over[id] = true
			continue
		}
		notHeld.What, notHeld.Want = "order line "+id, versionText(want.version)
		notHeld.Evidence = a.evidenceOf(want.in.at)
		a.missing(notHeld, want.in)
	}
	return over
}

// heldVersion is the version of a line that the changelog holds.
type heldVersion struct {
	what    string
	version int64
	day     int32 // when it came, UTC
	input   int
}

// compareVersion compares the version that is held with the one that the inputs say, in; nil: they say none. It tells
// whether they are the same.
func (a *auditor) compareVersion(at AuditDifference, held heldVersion, in *auditInput, want int64, f *refold) bool {
	at.What, at.Got, at.Want = held.what, versionText(held.version), versionText(want)
	switch {
	case in != nil && held.version == want:
		return true
	case in != nil && held.version < want:
		at.Evidence = a.evidenceOf(in.at)
		a.missing(at, in)
	case held.day <= f.reach.from[held.input]: // its record may be gone
	case in != nil:
		a.differ(at)
	default:
		at.Want = "not held: no input record has it"
		a.differ(at)
	}
	return false
}

func versionText(v int64) string { return fmt.Sprintf("version %d", v) }

// content notes a line that is held with other content.
func (a *auditor) content(what, got, want string, in *auditInput) {
	a.missing(AuditDifference{
		Check: CheckInputs, What: what, SKU: a.group.sku, Got: got, Want: want, Evidence: a.evidenceOf(in.at),
	}, in)
}

func lineText(l *state.Line) string {
	text := fmt.Sprintf("%s %s %s %s at %s seq %d", l.Status, l.Kind, l.Qty, l.Warehouse, l.EffectiveAt, l.Seq)
	if l.OrderLineID != "" {
		text += " of " + l.OrderLineID
	}
	if l.IsReturn {
		text += " return"
	}
	return text
}

func orderText(o *state.OrderLine) string {
	return fmt.Sprintf("%s %s %s at %s of store %q", o.Status, o.OrderedQty, o.Warehouse, o.OrderedAt, o.Store)
}

// isOver tells whether an order line may have collapsed: it is closed, or all of it was delivered. What was delivered
// is known only where the inputs are whole.
func (f *refold) isOver(o *state.OrderLine) bool {
	switch o.Status {
	case topics.OrderClosed, topics.OrderCancelled, topics.OrderRemoved:
		return true
	case topics.OrderDraft, topics.OrderOpen, topics.OrderOnHold:
	}
	var delivered topics.Quantity
	for _, c := range f.lines {
		if l := &c.value; l.OrderLineID == o.ID && l.Status == topics.StatusPosted && !l.IsReturn {
			delivered -= l.Qty
		}
	}
	return f.reach.why != "" || delivered >= o.OrderedQty
}
