package topics_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// A producer writes the current version of a ledger line, keyed by its SKU.
func ExampleMutation_AppendJSON() {
	m := topics.Mutation{
		LineID: "erp1/SINV-26-00871/3/out", Version: 1790388902431, SKU: "A001", Warehouse: "WH-JKT-01",
		Qty: -5 * topics.One / 2, EffectiveAt: topics.TimeOf(time.Date(2026, 9, 26, 2, 15, 2, 431e6, time.UTC)),
		OrderLineID: "erp1/SO-26-04411/7", Reason: "sales_invoice", VoucherNo: "SINV-26-00871",
	}
	r := kgo.Record{Topic: topics.DefaultPrefix.Name(topics.Mutations), Key: []byte(m.SKU), Value: m.AppendJSON(nil)}
	fmt.Println(r.Topic, string(r.Key))
	fmt.Println(string(r.Value))
	// Output:
	// stock.mutations A001
	// {"line_id":"erp1/SINV-26-00871/3/out","version":1790388902431,"sku":"A001","warehouse":"WH-JKT-01","kind":"delta","status":"posted","qty":-2.5,"effective_at":"2026-09-26T02:15:02.431Z","order_line_id":"erp1/SO-26-04411/7","reason":"sales_invoice","voucher_no":"SINV-26-00871"}
}

// A touch asks to send a SKU to the stores again, although nothing changed.
func ExampleMutation_AppendJSON_touch() {
	m := topics.Mutation{SKU: "A001", Kind: topics.KindTouch}
	fmt.Println(string(m.AppendJSON(nil)))
	// Output: {"sku":"A001","kind":"touch","status":"posted"}
}

func ExampleOrder_AppendJSON() {
	o := topics.Order{
		OrderLineID: "erp1/SO-26-04411/7", Version: 1, SKU: "A001", Warehouse: "WH-JKT-01", Status: topics.OrderOpen,
		OrderedQty: 10 * topics.One, OrderedAt: topics.TimeOf(time.Date(2026, 9, 26, 2, 0, 0, 0, time.UTC)),
		OrderID: "SO-26-04411", Store: "tokopedia-main",
	}
	fmt.Println(string(o.AppendJSON(nil)))
	// Output:
	// {"order_line_id":"erp1/SO-26-04411/7","version":1,"sku":"A001","warehouse":"WH-JKT-01","status":"open","ordered_qty":10,"ordered_at":"2026-09-26T02:00:00Z","order_id":"SO-26-04411","store":"tokopedia-main"}
}

// A producer can ask beforehand what would become of a record.
func ExampleDecodeMutation() {
	var m topics.Mutation
	value := []byte(`{"line_id":"1","version":1,"sku":"A001","warehouse":"W1","qty":1.0000001,"effective_at":"2026-09-26T09:00:00+07:00"}`)
	if reject := topics.DecodeMutation([]byte("A001"), value, 1<<20, &m); reject != nil {
		fmt.Println(reject.Reason)
		fmt.Println(reject.Message)
	}
	// Output:
	// invalid
	// qty: 1.0000001 has more than six decimals
}

// The partition of a key is what Java clients choose, not what librdkafka chooses by default.
func ExamplePartitionOf() {
	fmt.Println(topics.PartitionOf([]byte("A001"), 16))
	// Output: 5
}

func ExampleParseQuantity() {
	a, _ := topics.ParseQuantity("0.1")
	b, _ := topics.ParseQuantity("2e-1")
	fmt.Println(a + b)
	_, err := topics.ParseQuantity("+5")
	fmt.Println("+5", err)
	// Output:
	// 0.3
	// +5 is not a decimal
}

func ExampleParseTime() {
	t, _ := topics.ParseTime("2026-09-26T09:15:02.4310009+07:00")
	fmt.Println(t)
	// Output: 2026-09-26T02:15:02.431Z
}

// An analyst reads the stock of a SKU from one record.
func ExampleDecodeAvailability() {
	value := []byte(`{"sku":"A001","revision":1790388903011,"actual":40,"reserved":7,"net":33,"available":33,
		"warehouses":[{"warehouse":"WH-JKT-01","actual":40,"reserved":7,"net":33,"available":33}],
		"trigger":"event","changed":true,"as_of":"2026-09-26T02:15:02.431Z"}`)
	a, err := topics.DecodeAvailability(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range a.Warehouses {
		fmt.Println(a.SKU, w.Warehouse, w.Actual, w.Reserved, w.Available, "as of", a.AsOf)
	}
	// Output: A001 WH-JKT-01 40 7 33 as of 2026-09-26T02:15:02.431Z
}

// The headers of a dead letter say where the record came from and why it was not accepted.
func ExampleLetterOf() {
	r := &kgo.Record{Topic: "stock.mutations", Partition: 5, Offset: 991234, Timestamp: time.UnixMilli(1790388902431)}
	why := &topics.Reject{Reason: topics.ReasonNullValue, Message: "value: null is no record of this topic"}
	letter, ok := topics.LetterOf(topics.DeadLetter(r, "stock.dead-letters", 5, why))
	fmt.Println(ok, letter.Origin.Topic, letter.Origin.Partition, letter.Origin.Offset)
	fmt.Println(letter.Reason, "-", letter.Message)
	// Output:
	// true stock.mutations 5 991234
	// null_value - value: null is no record of this topic
}

func ExampleSchema() {
	text, err := topics.Schema(topics.Orders)
	if err != nil {
		fmt.Println(err)
		return
	}
	var schema struct {
		Title    string
		Required []string
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(schema.Title, schema.Required)
	// Output: Order [order_line_id version sku warehouse status ordered_qty ordered_at order_id]
}

// A SKU may hold bars, a store id may not.
func ExampleSplitPairKey() {
	store, sku, ok := topics.SplitPairKey([]byte("tokopedia-main|A|001"))
	fmt.Println(store, sku, ok)
	// Output: tokopedia-main A|001 true
}
