package testenv

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// checkChangelog folds the changelog and compares each SKU with the oracle; the task records among it
// are held against the inputs.
func (k *checker) checkChangelog(ctx context.Context) error {
	readers := map[int32]*state.Reader{}
	tasks := map[int32]*taskHistory{}
	_, err := scan(ctx, k.cluster, k.cfg.Prefix.Name(topics.Changelog), func(r *kgo.Record) error {
		reader := readers[r.Partition]
		if reader == nil {
			reader = state.NewReader(k.cfg.Policy)
			readers[r.Partition] = reader
		}
		if err := reader.Apply(r.Key, r.Value); err != nil {
			return err
		}
		if state.IsTaskKey(r.Key) && reader.Record() != nil {
			h := tasks[r.Partition]
			if h == nil {
				h = &taskHistory{}
				tasks[r.Partition] = h
			}
			k.followTask(r, h, reader.Record())
		}
		return nil
	})
	if err != nil {
		return err
	}
	owner := map[string]int32{}
	for p, reader := range readers {
		for sku := range reader.SKUs() {
			if err := k.checkSKU(p, sku, reader, owner); err != nil {
				return err
			}
		}
	}
	for sku := range k.truth.Items {
		if _, ok := owner[sku]; !ok {
			k.addf("%s: is not in the changelog", sku)
		}
	}
	k.checkTasks(tasks)
	return nil
}

// checkSKU compares one SKU of the changelog with the oracle's.
func (k *checker) checkSKU(p int32, sku string, reader *state.Reader, owner map[string]int32) error {
	who := fmt.Sprintf("changelog/%d %s", p, sku)
	if other, ok := owner[sku]; ok {
		k.addf("%s: is in changelog/%d too", who, other)
	}
	owner[sku] = p
	if n := k.cfg.Partitions[len(k.cfg.Partitions)-1]; topics.PartitionOf([]byte(sku), n) != p {
		k.addf("%s: belongs to partition %d of %d", who, topics.PartitionOf([]byte(sku), n), n)
	}
	got, ok, err := reader.Snapshot(sku)
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	want := k.truth.Items[sku]
	if !ok || want == nil {
		k.addf("%s: is held, and no accepted event names it", who)
		return nil
	}
	if k.cfg.Collapsed {
		k.collapse(who, got, want)
	}
	k.compareStock(who, &got.Availability, want)
	k.compareLines(who, got.Lines, want)
	k.compareOrders(who, got.Orders, want)
	return nil
}

func (k *checker) compareLines(who string, lines []state.Line, want *TruthItem) {
	seen := map[string]bool{}
	for _, l := range lines {
		w := want.Lines[l.ID]
		if w == nil || seen[l.ID] {
			k.addf("%s line %s: is held, and should not be", who, l.ID)
			continue
		}
		seen[l.ID] = true
		k.differFields(who, "line "+l.ID, l, state.Line{
			ID: w.LineID, Version: w.Version, Kind: w.Kind, Status: w.Status, IsReturn: w.IsReturn,
			Warehouse: w.Warehouse, Qty: w.Qty, EffectiveAt: w.EffectiveAt, Seq: w.Seq,
			OrderLineID: w.OrderLineID, Reason: w.Reason, VoucherNo: w.VoucherNo, ArrivedDay: w.At.UTCDay(),
		})
	}
	if len(seen) < len(want.Lines) && !k.cfg.Collapsed {
		for id := range want.Lines {
			if !seen[id] {
				k.addf("%s line %s: is not held", who, id)
			}
		}
	}
}

func (k *checker) compareOrders(who string, orders []state.OrderLine, want *TruthItem) {
	seen := map[string]bool{}
	for _, o := range orders {
		w := want.Orders[o.ID]
		if w == nil && !o.Arrived && o.Delivered == 0 && o.Returned == 0 {
			continue // lines that named it name it no longer
		}
		if w == nil || seen[o.ID] {
			k.addf("%s order line %s: is held, and should not be", who, o.ID)
			continue
		}
		seen[o.ID] = true
		if _, gone := want.gone[o.ID]; gone {
			continue // what came later names an order line that was collapsed
		}
		if !o.Arrived && !w.Arrived {
			differ(k.Differences, who, "delivered on "+o.ID, o.Delivered, w.Delivered)
			differ(k.Differences, who, "returned on "+o.ID, o.Returned, w.Returned)
			continue
		}
		k.differFields(who, "order line "+o.ID, o, state.OrderLine{
			ID: w.OrderLineID, Version: w.Version, Arrived: w.Arrived, Status: w.Status, Warehouse: w.Warehouse,
			OrderedQty: w.OrderedQty, OrderedAt: w.OrderedAt, OrderID: w.OrderID, Store: w.Store,
			Delivered: w.Delivered, Returned: w.Returned, Reserved: w.Contribution, Taken: w.Taken,
			ChangedDay: w.At.UTCDay(),
		})
	}
	for id, w := range want.Orders {
		if !seen[id] && !k.cfg.Collapsed && (w.Arrived || w.Delivered != 0 || w.Returned != 0) {
			k.addf("%s order line %s: is not held", who, id)
		}
	}
}
