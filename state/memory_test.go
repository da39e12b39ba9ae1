package state_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure the cache's measure of an item is what it takes: a bound that is off by half would be none. What the
// collector finds when all items go is compared, over SKUs of several shapes.
func TestItem_KnowsTheMemoryItTakes(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, shape := range []struct {
		name                       string
		skus                       int
		lines, counts, orders      int // of each SKU
		warehouses, stores, prefix int
	}{
		{name: "a line", skus: 4000, lines: 1, warehouses: 1},
		{name: "five lines", skus: 2000, lines: 5, warehouses: 1},
		{name: "a thousand lines", skus: 20, lines: 1000, warehouses: 1},
		{name: "a line in each of 300 warehouses", skus: 60, lines: 300, warehouses: 300},
		{name: "counts in three warehouses", skus: 2000, counts: 3, warehouses: 3},
		{name: "an order line", skus: 4000, orders: 1, warehouses: 1},
		{name: "ten order lines", skus: 1000, orders: 10, warehouses: 1},
		{name: "a thousand order lines", skus: 20, orders: 1000, warehouses: 1},
		{name: "order lines with long ids", skus: 1000, orders: 10, warehouses: 1, prefix: len(long)},
		{name: "lines and order lines", skus: 1000, lines: 10, orders: 10, warehouses: 2, stores: 4},
		{name: "order lines of 20 stores in 50 warehouses", skus: 20, orders: 1000, warehouses: 50, stores: 20},
	} {
		t.Run(shape.name, func(t *testing.T) {
			r := newShallowRig(t)
			r.close()
			r.cacheBytes = 1 << 30
			r.open()
			at := topics.TimeOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			accept := func(_ state.Outcome, reject *topics.Reject, err error) {
				if reject != nil || err != nil {
					t.Fatal(reject, err)
				}
			}
			for n := range shape.skus {
				sku := fmt.Sprintf("SKU-%06d", n)
				id := func(kind string, i int) string {
					return fmt.Sprint(long[:shape.prefix], kind, "-26-", 100_000+n, "/", i)
				}
				warehouse := func(i int) string { return fmt.Sprint("WH-", i%shape.warehouses) }
				for i := range shape.orders {
					o := topics.Order{
						OrderLineID: id("SO", i), Version: 1, SKU: sku, Warehouse: warehouse(i), Status: topics.OrderOpen,
						OrderedQty: topics.One, OrderedAt: at, OrderID: id("SO", 0),
					}
					if shape.stores > 0 {
						o.Store = fmt.Sprint("store-", i%shape.stores)
					}
					accept(r.task.Order(&o, &state.Arrival{Time: at}))
				}
				for i := range shape.lines + shape.counts {
					m := topics.Mutation{
						LineID: id("INV", i), Version: 1, SKU: sku, Warehouse: warehouse(i), Qty: topics.One, EffectiveAt: at,
						Reason: "sales_invoice", VoucherNo: id("INV", 0),
					}
					if i >= shape.lines {
						m.Kind = topics.KindCount
					}
					accept(r.task.Mutation(&m, &state.Arrival{Time: at}))
				}
			}
			r.task.Prepare(r.now, func(state.Output) {})
			r.must(r.task.Committed(1, r.now))
			believed := int64(state.CacheUsed(r.task))
			state.DropPending(r.task)
			held := heap()
			state.DropItems(r.task)
			found := held - heap()
			runtime.KeepAlive(r)
			if ratio := float64(found) / float64(believed); ratio < 0.9 || ratio > 1.1 {
				t.Errorf("%d items take %d bytes, the cache believes %d: %.2f times as much", shape.skus, found, believed, ratio)
			} else {
				t.Logf("%d items take %d bytes, the cache believes %d", shape.skus, found, believed)
			}
		})
	}
}

// heap returns how many bytes are reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools have kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
