package testenv

import (
	"fmt"
	"time"

	"stocksync/topics"
)

// sale is one order line and what has happened to it.
type sale struct {
	order   topics.Order
	shipped topics.Quantity
	rows    int // ledger lines that name it
}

// transact lets the business do one thing; its events go to the queue.
func (w *Workload) transact() {
	actions := [...]struct {
		weight int
		do     func()
	}{
		{26, w.placeOrder},
		{28, w.ship},
		{12, w.changeOrder},
		{4, w.takeBack},
		{10, w.receive},
		{3, w.issue},
		{5, w.transfer},
		{4, w.countStock},
		{4, w.correct},
		{3, w.cancel},
		{1, w.touch},
	}
	switch {
	case w.chance(w.cfg.FlashSales):
		w.flash = flashSale{w.sku(), 500}
	case w.chance(w.cfg.StockTakes):
		w.takeStock()
		return
	}
	n := w.rand.IntN(100)
	for _, a := range actions {
		if n < a.weight {
			a.do()
			return
		}
		n -= a.weight
	}
}

func (w *Workload) write(what string, m topics.Mutation) {
	w.queue = append(w.queue, sent{mutation: &m, what: what})
}

func (w *Workload) writeOrder(what string, s *sale) {
	o := s.order
	o.ChangedAt = topics.TimeOf(w.now)
	w.queue = append(w.queue, sent{order: &o, what: what})
}

// placeOrder places an order of one to four lines, now and then as a draft.
func (w *Workload) placeOrder() {
	w.serial++
	order, store, status := fmt.Sprintf("SO-26-%06d", w.serial), w.store(), topics.OrderOpen
	if w.chance(0.1) {
		status = topics.OrderDraft
	}
	for row := range 1 + w.rand.IntN(4)*w.rand.IntN(2) {
		sku, qty := w.orderedSKU()
		s := &sale{order: topics.Order{
			OrderLineID: fmt.Sprintf("erp1/%s/%d", order, row+1), Version: 1 + int64(w.rand.IntN(3)),
			SKU: sku, Warehouse: w.warehouse(), Status: status, OrderedQty: qty,
			OrderedAt: topics.TimeOf(w.now), OrderID: order, Store: store, Source: "erp1",
		}}
		if store != "" {
			s.order.StoreOrderID, s.order.StoreSKU = fmt.Sprintf("%s-%d", store, 580_000_000+w.serial), sku
		}
		w.writeOrder("order placed", s)
		w.open.put(w.rand, s)
	}
}

// flashSale is one SKU that most orders are for, and how many more.
type flashSale struct {
	sku  string
	left int
}

// orderedSKU returns what a buyer takes: in a flash sale, mostly one piece of its SKU.
func (w *Workload) orderedSKU() (string, topics.Quantity) {
	if w.flash.left > 0 {
		w.flash.left--
		if w.chance(0.8) {
			return w.flash.sku, topics.One
		}
	}
	sku := w.sku()
	return sku, w.qty(sku, 6)
}

// ship invoices an open order line: wholly, partly or, rarely, too much; now and then from another
// warehouse, and before the order itself is sent again.
func (w *Workload) ship() {
	if w.open.len() == 0 {
		w.placeOrder()
		return
	}
	s := w.open.take(w.rand)
	rest := s.order.OrderedQty - s.shipped
	what, qty := "shipped", rest
	switch roll := w.rand.Float64(); {
	case roll < 0.25 && rest > topics.One:
		what, qty = "partly shipped", max(topics.One, w.fraction(rest)/topics.One*topics.One)
	case roll < 0.29:
		what, qty = "over-delivered", rest+w.qty(s.order.SKU, 2)
	}
	from := s.order.Warehouse
	if w.chance(0.04) {
		from = w.warehouse()
	}
	w.serial++
	s.rows++
	voucher := fmt.Sprintf("SINV-26-%06d", w.serial)
	m := topics.Mutation{
		LineID: fmt.Sprintf("erp1/%s/%d/out", voucher, s.rows), Version: 1, SKU: s.order.SKU, Warehouse: from,
		Qty: -qty, EffectiveAt: w.postingTime(), OrderLineID: s.order.OrderLineID, Reason: "sales_invoice",
		VoucherType: "Sales Invoice", VoucherNo: voucher, Source: "erp1", Actor: "kasir@example",
	}
	w.write(what, m)
	w.ledger.put(w.rand, m)
	s.shipped += qty
	w.shipped.put(w.rand, s)
	if s.shipped < s.order.OrderedQty {
		w.open.put(w.rand, s)
	}
}

// changeOrder sends a new version of an open order line.
func (w *Workload) changeOrder() {
	if w.open.len() == 0 {
		return
	}
	s := w.open.take(w.rand)
	o := &s.order
	o.Version += 1 + int64(w.rand.IntN(2))
	var what string
	over := false
	switch roll := w.rand.IntN(10); {
	case o.Status == topics.OrderDraft:
		what, o.Status = "draft submitted", topics.OrderOpen
	case o.Status == topics.OrderOnHold:
		what, o.Status = "taken off hold", topics.OrderOpen
	case roll < 2:
		what, o.OrderedQty = "ordered quantity changed", max(s.shipped, w.qty(o.SKU, 8))
	case roll < 4:
		what, o.Warehouse = "order line moved", w.warehouse()
	case roll < 6:
		what, o.Status = "put on hold", topics.OrderOnHold
	case roll < 7:
		what, over, o.Status = "order closed", true, topics.OrderClosed
	case roll < 9:
		what, over, o.Status = "order cancelled", true, topics.OrderCancelled
	default:
		what, over, o.Status = "order line removed", true, topics.OrderRemoved
	}
	w.writeOrder(what, s)
	switch {
	case !over:
		w.open.put(w.rand, s)
	case w.chance(0.05): // what is closed may be opened again: as from a hold
		o.Status = topics.OrderOnHold
		w.open.put(w.rand, s)
	}
}

// takeBack books a return of something shipped, mostly against its order line.
func (w *Workload) takeBack() {
	if w.shipped.len() == 0 {
		return
	}
	s := w.shipped.take(w.rand)
	w.serial++
	voucher := fmt.Sprintf("CN-26-%06d", w.serial)
	m := topics.Mutation{
		LineID: fmt.Sprintf("erp1/%s/1/in", voucher), Version: 1, SKU: s.order.SKU, Warehouse: s.order.Warehouse,
		Qty: max(w.fraction(s.shipped)/topics.One*topics.One, topics.One), EffectiveAt: w.postingTime(),
		IsReturn: true, Reason: "return", VoucherType: "Credit Note", VoucherNo: voucher, Source: "erp1",
	}
	if w.chance(0.8) {
		m.OrderLineID = s.order.OrderLineID
	}
	w.write("returned", m)
	w.ledger.put(w.rand, m)
}

// postingTime is now in whole seconds, so that ties are common, or a time up to 30 days back.
func (w *Workload) postingTime() topics.Time {
	at := w.now.Truncate(time.Second)
	if w.chance(w.cfg.Backdated) {
		at = at.Add(-time.Duration(w.rand.Int64N(int64(30 * 24 * time.Hour)))).Truncate(time.Minute)
	}
	return topics.TimeOf(at)
}
