package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stocksync/state"
	"stocksync/topics"
)

// auditGroup is what the scratch holds of one SKU.
type auditGroup struct {
	sku     string
	parts   map[int32]*auditPart
	inputs  []*auditInput
	letters map[auditPlace][]topics.Reason // by first place
}

// auditPart is what one partition holds of a SKU.
type auditPart struct {
	chunks  []state.AccountChunk
	offset  int64         // in the changelog, of the newest chunk
	last    *auditRecord  // of availability, before the cut
	behind  []auditRecord // that may be behind it, by revision
	account *state.Account
}

// walk goes through the scratch: the records that belong to no SKU, then SKU by SKU.
func (a *auditor) walk(ctx context.Context) error {
	if err := a.checkRejects(); err != nil {
		return err
	}
	err := a.scratch.Each(nil, func(key, value []byte) error {
		sku, kind, rest := splitAuditKey(key)
		if len(sku) == 0 {
			return nil
		}
		if a.group.sku != string(sku) {
			if err := a.checkGroup(); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			a.group = auditGroup{
				sku: string(sku), parts: map[int32]*auditPart{}, letters: map[auditPlace][]topics.Reason{},
			}
		}
		return a.group.take(kind, rest, bytes.Clone(value))
	})
	if err != nil {
		return err
	}
	return a.checkGroup()
}

// take adds one pair of the scratch.
func (g *auditGroup) take(kind byte, rest, value []byte) error {
	switch kind {
	case auditChunk:
		p := g.part(rest)
		p.offset = max(p.offset, int64(binary.BigEndian.Uint64(value)))
		p.chunks = append(p.chunks, state.AccountChunk{Number: binary.BigEndian.Uint32(rest[4:]), Value: value[8:]})
	case auditAvailability:
		p, r := g.part(rest), readAuditRecord(value)
		if len(rest) == 4 {
			p.last = &r
		} else {
			p.behind = append(p.behind, r)
		}
	case auditLetter:
		origin := readAuditPlace(rest)
		g.letters[origin] = append(g.letters[origin], topics.Reason(value))
	case auditInputRecord:
		in, err := readAuditInput(g.sku, readAuditPlace(rest), value)
		if err != nil {
			return err
		}
		g.inputs = append(g.inputs, in)
	}
	return nil
}

func (g *auditGroup) part(rest []byte) *auditPart {
	n := int32(binary.BigEndian.Uint32(rest))
	if g.parts[n] == nil {
		g.parts[n] = &auditPart{}
	}
	return g.parts[n]
}

// checkGroup checks all that is known of one SKU.
func (a *auditor) checkGroup() error {
	g := &a.group
	readable := true
	for _, n := range slices.Sorted(maps.Keys(g.parts)) {
		p := g.parts[n]
		if err := a.checkPart(n, p); err != nil {
			return err
		}
		readable = readable && (p.account != nil || len(p.chunks) == 0)
	}
	if readable {
		return a.checkInputs()
	}
	return nil
}

// checkPart checks what one partition holds of the SKU: totals against lines, availability against both.
func (a *auditor) checkPart(n int32, p *auditPart) (err error) {
	if len(p.chunks) > 0 {
		d := AuditDifference{
			Check: CheckLines, What: "changelog record", SKU: a.group.sku, Evidence: a.evidence(topics.Changelog, n, p.offset),
		}
		if p.account, err = state.ReadAccount(a.group.sku, p.chunks); err != nil {
			return a.unreadable(d, err)
		}
		a.checkAccount(n, p, d)
	}
	a.checkAvailability(n, p)
	return nil
}

// checkAccount holds a SKU's totals against its own lines (F3, F4).
func (a *auditor) checkAccount(n int32, p *auditPart, at AuditDifference) {
	acc := p.account
	a.report.SKUs++
	a.report.Lines += int64(len(acc.Lines))
	for i := range acc.Orders {
		if acc.Orders[i].Arrived {
			a.report.OrderLines++
		}
	}
	a.policies[auditPolicy{n, acc.Policy}]++
	b := books{lines: acc.Lines, orders: acc.Orders, bases: acc.Bases, collapsed: acc.Collapsed}
	a.compareSums(at, acc.Warehouses, b.add(acc.Policy), true)
	if home := topics.PartitionOf([]byte(acc.SKU), a.partitions); home != n && !a.splitting() && a.partitions > 0 {
		at.Check, at.What = CheckTask, "partition"
		at.Got, at.Want = fmt.Sprint(n), fmt.Sprint(home)
		a.differ(at)
	}
}

// splitting tells whether SKUs are on their way from one partition to another.
func (a *auditor) splitting() bool {
	for _, t := range a.tasks {
		if t.SplitFrom != 0 {
			return true
		}
	}
	return false
}

// checkAvailability holds the record with the header's revision against the header (F5, F6).
func (a *auditor) checkAvailability(n int32, p *auditPart) {
	d := AuditDifference{Check: CheckAvailability, What: "record", SKU: a.group.sku}
	held := p.record()
	if held != nil {
		d.Evidence = a.evidence(topics.AvailabilityTopic, n, held.offset)
	}
	if p.account == nil {
		if held != nil && len(held.value) > 0 {
			d.Got, d.Want = fmt.Sprintf("revision %d", held.revision), "none: the changelog has no such SKU"
			a.differ(d)
		}
		return
	}
	want := p.account.Revision
	if (held == nil || held.revision != want) && p.overtaken() {
		a.skip(1, "SKUs against availability", "their record at the cut was compacted away for a newer one")
		return
	}
	switch {
	case held == nil:
		d.Got, d.Want, d.Evidence = "none", fmt.Sprintf("revision %d", want), a.evidence(topics.Changelog, n, p.offset)
		a.differ(d)
		return
	case len(held.value) == 0:
		d.Got, d.Want = "a tombstone", fmt.Sprintf("revision %d", want)
		a.differ(d)
		return
	}
	got, err := topics.DecodeAvailability(held.value)
	if err != nil {
		d.Got, d.Want = err.Error(), "readable"
		a.differ(d)
		return
	}
	if got.Revision != held.revision {
		d.What, d.Got, d.Want = "header revision", fmt.Sprint(held.revision), fmt.Sprint(got.Revision)
		a.differ(d)
	}
	a.compareAvailability(d, got, &p.account.Availability)
}

// record returns the availability record to compare: the one with the header's revision, else the last before the
// cut. One behind the cut counts only by its revision.
func (p *auditPart) record() *auditRecord {
	if p.account != nil && (p.last == nil || p.last.revision != p.account.Revision) {
		for i := range p.behind {
			if p.behind[i].revision == p.account.Revision {
				return &p.behind[i]
			}
		}
	}
	return p.last
}

// overtaken tells whether a newer record is there than the header's.
func (p *auditPart) overtaken() bool {
	n := len(p.behind)
	return n > 0 && p.behind[n-1].revision > p.account.Revision
}

// compareAvailability compares field by field. The numbers of another revision are shown beside it, its times are
// its own.
func (a *auditor) compareAvailability(d AuditDifference, got, want *topics.Availability) {
	text := func(what, got, want string) {
		if got != want {
			d.What, d.Got, d.Want = what, got, want
			a.differ(d)
		}
	}
	text("sku", got.SKU, want.SKU)
	text("revision", fmt.Sprint(got.Revision), fmt.Sprint(want.Revision))
	if got.Revision == want.Revision {
		text("orders_from", fromOf(got), fromOf(want))
		text("first_seen_at", got.FirstSeenAt.String(), want.FirstSeenAt.String())
		text("last_mutation_at", got.LastMutationAt.String(), want.LastMutationAt.String())
		text("last_order_at", got.LastOrderAt.String(), want.LastOrderAt.String())
		text("last_count_at", got.LastCountAt.String(), want.LastCountAt.String())
		text("as_of", got.AsOf.String(), want.AsOf.String())
	}
	text("warehouses", warehousesOf(got), warehousesOf(want))
	a.compareStock(d, stockOf(got), stockOf(want))
	held := map[string]*topics.WarehouseStock{}
	for i := range got.Warehouses {
		held[got.Warehouses[i].Warehouse] = &got.Warehouses[i]
	}
	for i := range want.Warehouses {
		w := &want.Warehouses[i]
		g := held[w.Warehouse]
		if g == nil {
			continue
		}
		d.Warehouse = w.Warehouse
		a.compareStock(d, *g, *w)
		a.compareStores(d, storesOf(g.ByStore), storesOf(w.ByStore), true)
	}
}

// stockOf returns the totals over all warehouses.
func stockOf(a *topics.Availability) topics.WarehouseStock {
	return topics.WarehouseStock{Actual: a.Actual, Reserved: a.Reserved, Net: a.Net, Available: a.Available}
}

// compareStock compares the four numbers, of which the last two follow from the first (F5).
func (a *auditor) compareStock(d AuditDifference, got, want topics.WarehouseStock) {
	net := want.Actual - want.Reserved
	a.compareQuantity(d, "actual", got.Actual, want.Actual)
	a.compareQuantity(d, "reserved", got.Reserved, want.Reserved)
	a.compareQuantity(d, "net", got.Net, net)
	a.compareQuantity(d, "available", got.Available, max(0, net))
}

// warehousesOf lists the warehouses of a record.
func warehousesOf(a *topics.Availability) string {
	var names []string
	for _, w := range a.Warehouses {
		names = append(names, w.Warehouse)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// fromOf lists orders_from of a record.
func fromOf(a *topics.Availability) string {
	var all []string
	for _, s := range a.OrdersFrom {
		all = append(all, fmt.Sprintf("%s:%d", s.Store, s.Revision))
	}
	return strings.Join(all, " ")
}

// checkTask holds that each record that was consumed is counted once more.
func (a *auditor) checkTask(p int32, t *auditTask) {
	n := t.Counters
	if sum := n.Applied + n.Duplicate + n.DeadLettered + n.Forwarded; sum != n.Consumed {
		a.differ(AuditDifference{
			Check: CheckTask, What: "records consumed", Got: fmt.Sprint(n.Consumed),
			Want:     fmt.Sprintf("%d: applied, duplicate, dead-lettered and forwarded", sum),
			Evidence: a.evidence(topics.Changelog, p, t.offset),
		})
	}
}

// finish notes what only the whole shows: what Reserved was made with, and partitions without a task record.
func (a *auditor) finish() {
	configured := a.policy()
	all := slices.SortedFunc(maps.Keys(a.policies), func(x, y auditPolicy) int { return int(x.partition - y.partition) })
	for _, made := range all {
		n, task := a.policies[made], a.tasks[made.partition]
		d := AuditDifference{Evidence: fmt.Sprintf("%s/%d", a.topic(topics.Changelog), made.partition)}
		switch {
		case task == nil:
			d.Check, d.What, d.Got, d.Want = CheckTask, fmt.Sprintf("task record of %d SKUs", n), "none", "one"
			a.differ(d)
		case made.policy == configured:
		case !task.WalkEnded:
			a.skip(n, "SKUs against the policy", "their Reserved is being made anew for another one")
		default:
			d.Check, d.What = CheckPolicy, fmt.Sprintf("Reserved of %d SKUs", n)
			d.Got, d.Want = policyText(made.policy), policyText(configured)+" as configured here"
			a.differ(d)
		}
	}
}

func policyText(p state.Policy) string {
	return fmt.Sprintf("RETURNS_RESERVE=%t ON_HOLD_RESERVES=%t", p.ReturnsReserve, p.OnHoldReserves)
}
