package state_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"stocksync/state"
	"stocksync/topics"
)

// What histories are drawn from: few ids, versions, times and warehouses, so that they meet.
var (
	skuGen       = rapid.SampledFrom([]string{"A", "B", "C-01"})
	warehouseGen = rapid.SampledFrom([]string{"JKT", "SUB", "MES"})
	policyGen    = rapid.Custom(func(t *rapid.T) state.Policy {
		return state.Policy{
			ReturnsReserve: rapid.Bool().Draw(t, "returns reserve"),
			OnHoldReserves: rapid.Bool().Draw(t, "on hold reserves"),
		}
	})
	// Exact ties are common.
	momentGen = rapid.Map(rapid.IntRange(0, 5), func(hour int) topics.Time {
		return topics.TimeOf(start.Add(time.Duration(hour-3) * time.Hour))
	})
	// Most records follow at once, some on another day.
	gapGen = rapid.Map(rapid.IntRange(0, 9), func(n int) time.Duration {
		return [...]time.Duration{7: time.Second, 8: 10 * time.Hour, 9: 75 * time.Hour}[n]
	})
)

// ids is how many ledger lines and order lines a SKU has at most, and versions each of them.
type ids struct {
	lines, orders int
	versions      int64
	records       int
}

// Few ids make versions meet, many fill chunks, many versions replace most of what is held.
var idsGen = rapid.SampledFrom([]ids{{6, 4, 4, 60}, {6, 4, 4, 60}, {90, 40, 4, 150}, {2, 1, 500, 400}})

// amount draws a quantity of at most 20 units, at times with all its decimals.
func amount(t *rapid.T, least int64) topics.Quantity {
	q := topics.Quantity(rapid.Int64Range(least, 20).Draw(t, "units")) * topics.One
	if rapid.IntRange(0, 4).Draw(t, "whole") == 0 {
		q += topics.Quantity(rapid.Int64Range(0, 999_999).Draw(t, "millionths"))
	}
	return q
}

func (n ids) drawMutation(t *rapid.T) *topics.Mutation {
	m := &topics.Mutation{
		SKU: skuGen.Draw(t, "sku"), LineID: fmt.Sprintf("L%d", rapid.IntRange(1, n.lines).Draw(t, "line")),
		Version: rapid.Int64Range(1, n.versions).Draw(t, "version"), Warehouse: warehouseGen.Draw(t, "warehouse"),
		EffectiveAt: momentGen.Draw(t, "effective at"), Seq: rapid.Int64Range(-1, 1).Draw(t, "seq"),
	}
	if rapid.IntRange(0, 3).Draw(t, "cancelled") == 0 {
		m.Status = topics.StatusCancelled
	}
	m.Reason = rapid.SampledFrom([]string{"", "opname", "transfer"}).Draw(t, "reason")
	m.VoucherNo = rapid.SampledFrom([]string{"", "V-1", "V-2"}).Draw(t, "voucher")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		m.Kind, m.Qty = topics.KindTouch, 0
	case 1, 2, 3:
		m.Kind, m.Qty = topics.KindCount, amount(t, 0)
	case 4, 5, 6:
		m.Qty, m.OrderLineID = -amount(t, 0), fmt.Sprintf("O%d", rapid.IntRange(1, n.orders).Draw(t, "ships"))
		if m.IsReturn = rapid.IntRange(0, 2).Draw(t, "return") == 0; m.IsReturn {
			m.Qty = -m.Qty
		}
	default:
		m.Qty = amount(t, -20)
		m.IsReturn = rapid.IntRange(0, 9).Draw(t, "loose return") == 0
	}
	return m
}

func (n ids) drawOrder(t *rapid.T) *topics.Order {
	return &topics.Order{
		SKU: skuGen.Draw(t, "sku"), OrderLineID: fmt.Sprintf("O%d", rapid.IntRange(1, n.orders).Draw(t, "line")),
		OrderID: rapid.SampledFrom([]string{"SO-1", "SO-2"}).Draw(t, "order"), Version: rapid.Int64Range(1, n.versions).Draw(t, "version"),
		Warehouse: warehouseGen.Draw(t, "warehouse"), OrderedQty: amount(t, 0), OrderedAt: momentGen.Draw(t, "ordered at"),
		Store: rapid.SampledFrom([]string{"", "tokopedia", "shopee"}).Draw(t, "store"),
		Status: rapid.SampledFrom([]topics.OrderStatus{
			topics.OrderOpen, topics.OrderOpen, topics.OrderOpen, topics.OrderDraft, topics.OrderOnHold,
			topics.OrderClosed, topics.OrderCancelled, topics.OrderRemoved,
		}).Draw(t, "status"),
	}
}

// fact is one event of a history; one of the two is set.
type fact struct {
	mutation *topics.Mutation
	order    *topics.Order
}

// identity names what must be equal for two events to be the same.
func (f fact) identity() string {
	if f.order != nil {
		return fmt.Sprintf("order %s %s %d", f.order.SKU, f.order.OrderLineID, f.order.Version)
	}
	return fmt.Sprintf("line %s %s %d", f.mutation.SKU, f.mutation.LineID, f.mutation.Version)
}

func (n ids) drawFact(t *rapid.T) fact {
	if rapid.IntRange(0, 2).Draw(t, "topic") == 0 {
		return fact{order: n.drawOrder(t)}
	}
	return fact{mutation: n.drawMutation(t)}
}
