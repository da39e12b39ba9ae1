package topics_test

import (
	"testing"

	"stocksync/topics"
)

// typicalMutation is 275 bytes, what an ERP sends for an invoice line.
const typicalMutation = `{"line_id":"erp1/SINV-26-00871/3/out","version":1790388902431,"sku":"A001-BLK-XL",` +
	`"warehouse":"WH-JKT-01","kind":"delta","status":"posted","qty":-2.5,` +
	`"effective_at":"2026-09-26T02:15:02.431Z","order_line_id":"erp1/SO-26-04411/7",` +
	`"reason":"sales_invoice","voucher_no":"SINV-26-00871"}`

func BenchmarkDecodeMutation(b *testing.B) {
	key, value := []byte("A001-BLK-XL"), []byte(typicalMutation)
	var m topics.Mutation
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if reject := topics.DecodeMutation(key, value, 1<<20, &m); reject != nil {
			b.Fatal(reject)
		}
	}
}
