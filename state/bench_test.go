package state_test

import (
	"fmt"
	"testing"

	"stocksync/state"
	"stocksync/topics"
)

// benchLine is the kind of line that an ERP sends for an invoice.
func benchLine(sku string, line int, version int64) *topics.Mutation {
	return &topics.Mutation{
		SKU: sku, LineID: fmt.Sprintf("erp1/SINV-26-%05d/3/out", line), Version: version, Warehouse: "WH-JKT-01",
		Qty: -2 * topics.One, EffectiveAt: topics.TimeOf(start) + topics.Time(line),
		OrderLineID: fmt.Sprintf("erp1/SO-26-%05d/7", line), Reason: "sales_invoice", VoucherNo: "SINV-26-00871",
	}
}

func newBenchRig(b *testing.B) *rig {
	b.Helper()
	r := newRig(b, state.Policy{ReturnsReserve: true})
	r.shallow, r.cacheBytes = true, state.DefaultCacheBytes
	b.Cleanup(r.close)
	return r
}

// BenchmarkFold_Line folds versions of the hundred lines of a SKU that is in memory, each linked to its
// order line.
func BenchmarkFold_Line(b *testing.B) {
	r := newBenchRig(b)
	var lines []*topics.Mutation
	for i := range 100 {
		lines = append(lines, benchLine("A001-BLK-XL", i, 0))
	}
	a := &state.Arrival{Topic: "stock.mutations", Time: topics.TimeOf(start)}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		m := lines[n%len(lines)]
		m.Version++
		if o, _, err := r.task.Mutation(m, a); o != state.Applied {
			b.Fatalf("got %s, error %v", o, err)
		}
		n++
	}
}

// BenchmarkFold_Duplicate folds what is held already.
func BenchmarkFold_Duplicate(b *testing.B) {
	r := newBenchRig(b)
	m := benchLine("A001-BLK-XL", 1, 1)
	a := &state.Arrival{Topic: "stock.mutations", Time: topics.TimeOf(start)}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.task.Mutation(m, a); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit folds one new line into each of a thousand SKUs and commits them: an operation is one
// such commit.
func BenchmarkCommit(b *testing.B) {
	r := newBenchRig(b)
	var skus []string
	for i := range 1000 {
		skus = append(skus, fmt.Sprintf("SKU-%06d", i))
	}
	a := &state.Arrival{Topic: "stock.mutations", Time: topics.TimeOf(start)}
	line, last, bytes := 0, int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		line++
		for _, sku := range skus {
			if o, _, err := r.task.Mutation(benchLine(sku, line, 1), a); o != state.Applied {
				b.Fatalf("got %s, error %v", o, err)
			}
		}
		r.task.Prepare(r.now, func(o state.Output) {
			bytes += len(o.Value)
			last++
		})
		if err := r.task.Committed(last, r.now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(line*len(skus))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(bytes)/float64(line*len(skus)), "bytes/event")
}

// BenchmarkReplay replays fifty thousand changelog records into an empty store: an operation is one
// such restore.
func BenchmarkReplay(b *testing.B) {
	r := newBenchRig(b)
	for i := range 50 {
		for j := range 1000 {
			r.accept(fact{mutation: benchLine(fmt.Sprintf("SKU-%06d", (i*317+j)%5000), i*1000+j, 1)})
		}
		r.commit()
	}
	r.batch = 5000
	restores := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		empty := newClosedRig(b, r.policy)
		empty.shallow, empty.batch, empty.log = true, r.batch, r.log
		b.StartTimer()
		empty.open()
		b.StopTimer()
		empty.close()
		b.StartTimer()
		restores++
	}
	b.ReportMetric(float64(restores*len(r.log))/b.Elapsed().Seconds(), "records/s")
}
