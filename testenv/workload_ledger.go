package testenv

import (
	"fmt"

	"stocksync/topics"
)

// post writes a ledger line that nothing refers to and remembers it for corrections.
func (w *Workload) post(what, reason, voucher string, leg string, m topics.Mutation) {
	m.LineID = fmt.Sprintf("erp1/%s/1/%s", voucher, leg)
	m.Version = 1
	m.Reason, m.VoucherNo, m.Source = reason, voucher, "erp1"
	w.write(what, m)
	w.ledger.put(w.rand, m)
}

func (w *Workload) voucher(series string) string {
	w.serial++
	return fmt.Sprintf("%s-26-%06d", series, w.serial)
}

func (w *Workload) receive() {
	sku := w.sku()
	w.post("received", "purchase_receipt", w.voucher("PR"), "in", topics.Mutation{
		SKU: sku, Warehouse: w.warehouse(), Qty: w.qty(sku, 200), EffectiveAt: w.postingTime(),
	})
}

func (w *Workload) issue() {
	sku := w.sku()
	w.post("issued", "stock_entry", w.voucher("STE"), "out", topics.Mutation{
		SKU: sku, Warehouse: w.warehouse(), Qty: -w.qty(sku, 5), EffectiveAt: w.postingTime(),
	})
}

// transfer writes the two legs of one document, out leg first.
func (w *Workload) transfer() {
	sku, voucher, at := w.sku(), w.voucher("MT"), w.postingTime()
	qty := w.qty(sku, 20)
	w.post("transferred out", "transfer", voucher, "out", topics.Mutation{
		SKU: sku, Warehouse: w.warehouse(), Qty: -qty, EffectiveAt: at,
	})
	w.post("transferred in", "transfer", voucher, "in", topics.Mutation{
		SKU: sku, Warehouse: w.warehouse(), Qty: qty, EffectiveAt: at, Seq: 1,
	})
}

// countStock is an opname: some are dated back, some count nothing left.
func (w *Workload) countStock() {
	sku := w.sku()
	qty := w.qty(sku, 300)
	if w.chance(0.1) {
		qty = 0
	}
	w.post("counted", "opname", w.voucher("RECO"), "count", topics.Mutation{
		SKU: sku, Warehouse: w.warehouse(), Kind: topics.KindCount, Qty: qty, EffectiveAt: w.postingTime(),
		Seq: int64(w.rand.IntN(3)) - 1,
	})
}

// takeStock counts up to 50 SKUs of one warehouse, all at one time and on one voucher.
func (w *Workload) takeStock() {
	warehouse, voucher, at := w.warehouse(), w.voucher("RECO"), w.postingTime()
	for row := range min(50, len(w.skus)) {
		sku := w.skus[w.rand.IntN(len(w.skus))]
		w.post("stock taken", "opname", voucher, fmt.Sprintf("count/%d", row), topics.Mutation{
			SKU: sku, Warehouse: warehouse, Kind: topics.KindCount, Qty: w.qty(sku, 300), EffectiveAt: at,
		})
	}
}

// correct sends a higher version of a ledger line, with another quantity, warehouse, time or link.
func (w *Workload) correct() {
	if w.ledger.len() == 0 {
		return
	}
	m := w.ledger.take(w.rand)
	m.Version += 1 + int64(w.rand.IntN(3))
	what := "line corrected"
	switch roll := w.rand.IntN(8); {
	case roll < 3 || m.Kind == topics.KindCount && roll < 5:
		m.Qty = sign(m.Qty) * w.qty(m.SKU, 50)
	case roll < 4:
		what, m.OrderLineID, m.IsReturn = "line unlinked", "", false
	case roll < 6:
		what, m.Warehouse = "line moved", w.warehouse()
	case roll < 7:
		what, m.EffectiveAt = "line re-dated", w.postingTime()
	default:
		what, m.Qty = "count made of a line, or back", max(m.Qty, -m.Qty)
		m.OrderLineID, m.IsReturn = "", false
		m.Kind = topics.KindCount - m.Kind // delta and count are 0 and 1
	}
	w.write(what, m)
	w.ledger.put(w.rand, m)
}

func sign(q topics.Quantity) topics.Quantity {
	if q < 0 {
		return -1
	}
	return 1
}

// cancel cancels a ledger line, and posts one in five again later under a higher version.
func (w *Workload) cancel() {
	if w.ledger.len() == 0 {
		return
	}
	m := w.ledger.take(w.rand)
	m.Version++
	what := "line cancelled"
	if m.Status == topics.StatusCancelled {
		what, m.Status = "line posted again", topics.StatusPosted
	} else {
		m.Status = topics.StatusCancelled
	}
	w.write(what, m)
	if w.chance(0.2) {
		w.ledger.put(w.rand, m)
	}
}

// touch asks for a sync of a SKU, known or not.
func (w *Workload) touch() {
	w.write("touched", topics.Mutation{SKU: w.sku(), Kind: topics.KindTouch, Reason: "manual", Actor: "budi"})
}
