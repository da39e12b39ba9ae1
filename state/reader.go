package state

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"stocksync/topics"
)

// Reader builds the state of one partition from its committed changelog records, in memory: what
// tools that look at data beside running instances use. It is for one goroutine.
type Reader struct {
	policy Policy
	names  *names
	skus   map[string]map[uint32][]byte
	record *TaskRecord
}

// NewReader returns a reader that knows nothing yet. Reserved is shown as policy p makes it.
func NewReader(p Policy) *Reader {
	return &Reader{policy: p, names: newNames(), skus: map[string]map[uint32][]byte{}}
}

// Apply takes one committed changelog record; a nil value is a tombstone. It keeps value.
func (r *Reader) Apply(key, value []byte) error {
	if IsTaskKey(key) {
		if value == nil {
			r.record = nil
			return nil
		}
		record, err := DecodeTaskRecord(value)
		if err != nil {
			return err
		}
		r.record = record
		return nil
	}
	sku, chunk, err := parseChunkKey(key)
	if err != nil {
		return err
	}
	chunks := r.skus[string(sku)]
	switch {
	case value == nil:
		delete(chunks, chunk)
		if len(chunks) == 0 {
			delete(r.skus, string(sku))
		}
	case chunks == nil:
		r.skus[string(sku)] = map[uint32][]byte{chunk: value}
	default:
		chunks[chunk] = value
	}
	return nil
}

// Record returns the newest task record, nil when there was none.
func (r *Reader) Record() *TaskRecord { return r.record }

// SKUs iterates over all SKUs, in no order.
func (r *Reader) SKUs() iter.Seq[string] { return maps.Keys(r.skus) }

// Snapshot returns the state of one SKU; false when the changelog has none.
func (r *Reader) Snapshot(sku string) (*Snapshot, bool, error) {
	it, err := r.load(sku)
	if err != nil || it == nil {
		return nil, false, err
	}
	return it.snapshot(), true, nil
}

func (r *Reader) load(sku string) (*item, error) {
	chunks, ok := r.skus[sku]
	if !ok {
		return nil, nil
	}
	list := make([]chunkValue, 0, len(chunks))
	for _, n := range slices.Sorted(maps.Keys(chunks)) {
		list = append(list, chunkValue{n, chunks[n]})
	}
	return load(sku, list, r.policy, r.names)
}

// Snapshot is the state of one SKU, for people and for checks.
type Snapshot struct {
	topics.Availability // without trigger, causes and processed_at
	Lines               []Line
	Orders              []OrderLine
	Chunks              int // live chunks that hold it
}

// Line is one ledger line as held.
type Line struct {
	ID          string
	Version     int64
	Kind        topics.MutationKind
	Status      topics.MutationStatus
	IsReturn    bool
	Warehouse   string
	Qty         topics.Quantity
	EffectiveAt topics.Time
	Seq         int64
	OrderLineID string
	Reason      string
	VoucherNo   string
	ArrivedDay  int32 // UTC day of its last change
}

// OrderLine is one order line as held; not Arrived means that only deliveries named it so far.
type OrderLine struct {
	ID                  string
	Version             int64
	Arrived             bool
	Status              topics.OrderStatus
	Warehouse           string
	OrderedQty          topics.Quantity
	OrderedAt           topics.Time
	OrderID, Store      string
	Delivered, Returned topics.Quantity
	Reserved, Taken     topics.Quantity
	ChangedDay          int32 // UTC day of its last change
}

func (it *item) snapshot() *Snapshot {
	s := &Snapshot{Lines: make([]Line, 0, it.entries.lines.used), Orders: make([]OrderLine, 0, len(it.orders.list))}
	it.touched = &touched{}
	it.availability(&s.Availability)
	chunks := map[uint32]bool{}
	for place, e := range it.entries.each(0, uint32(len(it.entries.data))) {
		if it.isCurrent(place, e) {
			chunks[it.entries.chunkOf(place)] = true
			if !e.isOrder {
				s.Lines = append(s.Lines, e.line.show(it.warehouses[e.line.warehouse].name))
			}
		}
	}
	slices.SortFunc(s.Lines, inEffectiveOrder)
	for _, o := range it.orders.list {
		s.Orders = append(s.Orders, it.showOrder(o))
	}
	s.Chunks = len(chunks)
	return s
}

// inEffectiveOrder compares ledger lines by warehouse, and in one by position.
func inEffectiveOrder(a, b Line) int {
	if c := strings.Compare(a.Warehouse, b.Warehouse); c != 0 {
		return c
	}
	return position{a.EffectiveAt, a.Seq, a.ID}.compare(position{b.EffectiveAt, b.Seq, b.ID})
}

func (l *line) show(warehouse string) Line {
	status := topics.StatusPosted
	if l.cancelled {
		status = topics.StatusCancelled
	}
	return Line{
		ID: strings.Clone(l.id), Version: l.version, Kind: l.kind, Status: status, IsReturn: l.isReturn,
		Warehouse: warehouse, Qty: l.qty, EffectiveAt: l.at, Seq: l.seq, OrderLineID: strings.Clone(l.orderLineID),
		Reason: strings.Clone(l.reason), VoucherNo: strings.Clone(l.voucherNo), ArrivedDay: l.arrived,
	}
}

func (it *item) showOrder(o *orderLine) OrderLine {
	shown := OrderLine{
		ID: o.id, Version: o.version, Arrived: o.arrived, Status: o.status, OrderedQty: o.ordered,
		OrderID: o.orderID, Delivered: o.delivered, Returned: o.returned, ChangedDay: o.changed,
	}
	if o.arrived {
		shown.OrderedAt = o.orderedAt
		shown.Warehouse = it.warehouses[o.warehouse].name
		shown.Reserved, shown.Taken = o.reserved(it.policy), o.taken(it.policy)
	}
	if o.store >= 0 {
		shown.Store = it.stores[o.store]
	}
	return shown
}

// Audit makes a SKU's totals anew from its entries and bases, and compares them with those its
// header carries (F3, F4). Each difference is one line of text; none when all is well.
func (r *Reader) Audit(sku string) ([]string, error) {
	it, err := r.load(sku)
	if err != nil || it == nil {
		return nil, err
	}
	held := make([]stock, len(it.warehouses))
	for i := range it.warehouses {
		held[i] = it.warehouses[i].stock
	}
	it.recompute(r.policy)
	var differences []string
	for i, a := range it.wideActual() {
		w := &it.warehouses[i]
		if !a.fits() || topics.Quantity(a.lo) != held[i].actual {
			differences = append(differences, fmt.Sprintf(
				"%s in %s: actual is %s, its ledger lines say %s", sku, w.name, held[i].actual, topics.Quantity(a.lo)))
		}
		if w.reserved != held[i].reserved {
			differences = append(differences, fmt.Sprintf(
				"%s in %s: reserved is %s, its order lines say %s", sku, w.name, held[i].reserved, w.reserved))
		}
	}
	return differences, nil
}
