package state

import (
	"fmt"

	"stocksync/topics"
)

// Account is one SKU as its changelog records say it, for a reader that adds up for itself. Totals,
// times and revision are the header's, made under Policy; lines and order lines are the entries.
// Delivered, Returned, Reserved and Taken of the order lines are worked out by this package.
type Account struct {
	Snapshot
	Policy Policy

	// What the horizon left behind: per warehouse what collapsed lines came to, and of order lines that
	// are held what collapsed lines said of them.
	Bases     []Base
	Collapsed map[string]Deliveries
	// LineFrontier is the last position of the ledger that was collapsed, OrderFrontier the time up to
	// which order lines were; zero where nothing was.
	LineFrontier  Position
	OrderFrontier topics.Time
}

// Base is what collapsed lines left behind in one warehouse.
type Base struct {
	Warehouse string
	Actual    topics.Quantity
	Count     Position            // of the newest count among them; zero: none
	Taken     []topics.StoreStock // by collapsed order lines; Reserved is 0
}

// Deliveries is what collapsed ledger lines said of one order line.
type Deliveries struct{ Delivered, Returned topics.Quantity }

// Position is a ledger line's place in effective order: by time, then Seq, then ID.
type Position struct {
	At  topics.Time
	Seq int64
	ID  string
}

func (p position) show() Position { return Position{At: p.at, Seq: p.seq, ID: p.id} }

// AccountChunk is one changelog value of a SKU.
type AccountChunk struct {
	Number uint32
	Value  []byte
}

// SplitChunkKey splits a changelog key that is not the task record's into SKU and chunk number. The
// SKU aliases key.
func SplitChunkKey(key []byte) (sku []byte, number uint32, err error) { return parseChunkKey(key) }

// ReadAccount reads a SKU from its chunks, at least one, in the order of their numbers.
func ReadAccount(sku string, chunks []AccountChunk) (*Account, error) {
	n := newNames()
	values := make([]chunkValue, len(chunks))
	for i, c := range chunks {
		values[i] = chunkValue{c.Number, c.Value}
	}
	newest, err := newestHeader(values)
	if err != nil {
		return nil, fmt.Errorf("sku %q: %w", sku, err)
	}
	header := item{names: n}
	if _, err := header.readChunk(values[newest].value); err != nil {
		return nil, fmt.Errorf("sku %q: %w", sku, err)
	}
	it, err := load(sku, values, header.policy, n)
	if err != nil {
		return nil, err
	}
	return it.account(), nil
}

// Account returns one SKU with what its horizon left behind, made under the reader's policy; nil when the
// changelog has none.
func (r *Reader) Account(sku string) (*Account, error) {
	it, err := r.load(sku)
	if err != nil || it == nil {
		return nil, err
	}
	return it.account(), nil
}

func (it *item) account() *Account {
	a := &Account{
		Snapshot: *it.snapshot(), Policy: it.policy, Collapsed: map[string]Deliveries{},
		LineFrontier: it.lineFrontier.show(), OrderFrontier: it.orderFrontier,
	}
	for i := range it.warehouses {
		w := &it.warehouses[i]
		if w.base.isZero() {
			continue
		}
		b := Base{Warehouse: w.name, Actual: w.base.actual, Count: w.base.count.show()}
		for _, t := range w.base.taken {
			b.Taken = append(b.Taken, topics.StoreStock{Store: it.stores[t.store], Taken: t.taken})
		}
		a.Bases = append(a.Bases, b)
	}
	for _, o := range it.orders.list {
		if o.collapsed != (deliveries{}) {
			a.Collapsed[o.id] = Deliveries{o.collapsed.delivered, o.collapsed.returned}
		}
	}
	return a
}
