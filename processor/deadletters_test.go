package processor_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
	"stocksync/topics"
)

// poison is a record that must die, and what its dead letter must say.
type poison struct {
	name   string
	record *kgo.Record
	reason topics.Reason
	says   []string // of the message: the field and the value
	cut    bool     // it is larger than a dead letter may be
}

const (
	goodMutation = `{"line_id":"L1","version":1,"sku":"BAD","warehouse":"WH-JKT-01","qty":5,"effective_at":"2026-01-02T03:04:05Z"}`
	goodOrder    = `{"order_line_id":"O1","version":1,"sku":"BAD","warehouse":"WH-JKT-01","status":"open","ordered_qty":2,` +
		`"ordered_at":"2026-01-02T03:04:05Z","order_id":"SO-1"}`
)

// instead returns the good mutation with one part of its text replaced.
func instead(old, changed string) string { return strings.Replace(goodMutation, old, changed, 1) }

// poisons are one record for every reason and every kind of fault. What is not about a value's text goes to
// the SKU BAD of partition 0.
func poisons() []poison {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	list := textPoisons(topics.Mutations, topics.ReasonUndecodable, [][4]string{
		{"not JSON", "line_id=1;qty=5", "value:", "line_id=1"},
		{"an empty value", "", "value:", `""`},
		{"an array", "[" + goodMutation + "]", "value:", "starts with ["},
		{"a JSON string", `"BAD"`, "value:", "BAD"},
		{"cut off", goodMutation[:60], "value:", "line_id"},
		{"two objects", goodMutation + goodMutation, "value:", "more follows"},
		{"invalid UTF-8", instead("WH-JKT", "WH-\xff\xfe"), "value:", "invalid UTF-8"},
		{"nested 41 deep", `{"x":` + deep + `,` + goodMutation[1:], "value:", "nesting deeper than 32"},
		{"Avro", "\x00\x00\x00\x00\x2a\x06abc", "value:", "is not one JSON object"},
	})
	list = append(list, textPoisons(topics.Mutations, topics.ReasonInvalid, [][4]string{
		{"no version", instead(`"version":1,`, ""), "version", "missing"},
		{"a null line id", instead(`"L1"`, "null"), "line_id", "missing"},
		{"a quantity in words", instead(`"qty":5`, `"qty":"five"`), "qty", "five"},
		{"a quantity of wrong type", instead(`"qty":5`, `"qty":true`), "qty", "true"},
		{"seven decimals", instead(`"qty":5`, `"qty":1.0000001`), "qty", "1.0000001"},
		{"a quantity beyond 1e9", instead(`"qty":5`, `"qty":1000000001`), "qty", "1000000001"},
		{"a quantity far beyond", instead(`"qty":5`, `"qty":1e300`), "qty", "1e300"},
		{"a version with a point", instead(`"version":1`, `"version":1.0`), "version", "1.0"},
		{"a version as text", instead(`"version":1`, `"version":"1"`), "version", `"1"`},
		{"a version beyond int64", instead(`"version":1`, `"version":9223372036854775808`), "version", "9223372036854775808"},
		{"a negative count", instead(`"qty":5`, `"kind":"count","qty":-1`), "qty", "-1"},
		{"a count with a link", instead(`"qty":5`, `"kind":"count","qty":1,"order_line_id":"O1"`), "order_line_id", "O1"},
		{"an unknown kind", instead(`"qty":5`, `"kind":"adjust","qty":5`), "kind", "adjust"},
		{"an unknown status", instead(`"qty":5`, `"status":"draft","qty":5`), "status", "draft"},
		{"a time without zone", instead("05Z", "05"), "effective_at", "2026-01-02T03:04:05"},
		{"a day that is not", instead("2026-01-02", "2026-02-30"), "effective_at", "2026-02-30"},
		{"the year 1969", instead("2026-01-02", "1969-12-31"), "effective_at", "1969-12-31"},
		{"a known name twice", instead(`"qty":5`, `"qty":5,"qty":5`), "qty", "second"},
		{"an empty warehouse", instead("WH-JKT-01", ""), "warehouse", `""`},
		{"the warehouse of all", instead("WH-JKT-01", "*"), "warehouse", `"*"`},
		{"a warehouse of 101", instead("WH-JKT-01", strings.Repeat("w", 101)), "warehouse", "www"},
		{"a NUL", instead(`"qty":5`, `"qty":5,"note":"a\u0000b"`), "note", `a\u0000b`},
		{"a lone surrogate", instead(`"qty":5`, `"qty":5,"x":"\ud800"`), "x:", `\ud800`},
	})...)
	list = append(list, textPoisons(topics.Orders, topics.ReasonInvalid, [][4]string{
		{"an order without a status", strings.Replace(goodOrder, `"status":"open",`, "", 1), "status", "missing"},
		{"an order of an unknown status", strings.Replace(goodOrder, "open", "completed", 1), "status", "completed"},
		{"an order of less than nothing", strings.Replace(goodOrder, `y":2`, `y":-2`, 1), "ordered_qty", "-2"},
		{"a store with a bar", strings.Replace(goodOrder, `y":2`, `y":2,"store":"a|b"`, 1), "store", "a|b"},
	})...)
	list = append(list, textPoisons(topics.Commands, topics.ReasonInvalid, [][4]string{
		{"an unknown command", `{"id":"1","command":"reboot","args":{}}`, "command", "reboot"},
	})...)
	return append(list, keyPoisons()...)
}

// textPoisons makes poisons of rows of name, value, and two things that the message says.
func textPoisons(base string, reason topics.Reason, rows [][4]string) []poison {
	list := make([]poison, 0, len(rows))
	for _, r := range rows {
		list = append(list, poison{name: r[0], record: at(base, 0, "BAD", r[1]), reason: reason, says: r[2:]})
	}
	return list
}

// keyPoisons are those whose key or size is wrong.
func keyPoisons() []poison {
	null := at(topics.Mutations, 0, "BAD", "")
	null.Value = nil
	noKey := at(topics.Mutations, 0, "", goodMutation)
	noKey.Key = nil
	large := instead(`"qty":5`, `"qty":5,"x":"`+strings.Repeat("x", 2_000_000)+`"`)
	huge := instead(`"qty":5`, `"qty":5,"x":"`+strings.Repeat("x", 12<<20)+`"`)
	return []poison{
		{name: "a null value", record: null, reason: topics.ReasonNullValue, says: []string{"value:", "null"}},
		{name: "a null key", record: noKey, reason: topics.ReasonEmptyKey, says: []string{"key:", "empty"}},
		{
			name: "an empty key", record: at(topics.Orders, 0, "", goodOrder), reason: topics.ReasonEmptyKey,
			says: []string{"key:", "empty"},
		},
		{
			name: "another SKU's key", record: at(topics.Mutations, 0, "BAD ", goodMutation),
			reason: topics.ReasonKeyMismatch, says: []string{"sku:", `"BAD"`, `"BAD "`},
		},
		{
			name: "a key in other case", record: at(topics.Orders, 0, "bad", goodOrder),
			reason: topics.ReasonKeyMismatch, says: []string{"sku:", `"BAD"`, `"bad"`},
		},
		{
			name: "2 MB", record: at(topics.Mutations, 0, "BAD", large), reason: topics.ReasonOversized,
			says: []string{"value:", strconv.Itoa(len(large)), "1048576"},
		},
		{
			name: "12 MB that compress well", record: at(topics.Mutations, 0, "BAD", huge),
			reason: topics.ReasonOversized, says: []string{"value:", strconv.Itoa(len(huge))}, cut: true,
		},
		{
			name: "other content under the same version", record: at(topics.Mutations, 0, "FIRST",
				strings.NewReplacer("BAD", "FIRST", `"qty":5`, `"qty":6`).Replace(goodMutation)),
			reason: topics.ReasonVersionConflict, says: []string{"line_id:", `"L1"`, "version 1"},
		},
	}
}

// odd are headers that a dead letter must keep: one twice, one without a value, and one with our own name.
func odd() []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: "ce_id", Value: []byte("42")},
		{Key: "twice", Value: []byte{0, 0xff}},
		{Key: "twice", Value: []byte("2")},
		{Key: "null"},
		{Key: topics.HeaderReason, Value: []byte("of another life")},
	}
}

func TestDeadLetters_HoldEveryBadRecordOnceAndThePartitionGoesOn(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 1)
		up := newUpstream(t, c, prefix, 1)
		start(t, config(t, c, prefix, "one"))
		first := at(topics.Mutations, 0, "FIRST", strings.Replace(goodMutation, "BAD", "FIRST", 1))
		acks := up.send(first)
		all := poisons()
		for i := range all {
			all[i].record.Headers = odd()
			acks = append(acks, up.send(all[i].record, up.delta("GOOD"))...)
		}
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		letters := lettersByOrigin(t, c, prefix)
		for i := range all {
			t.Run(all[i].name, func(t *testing.T) { compareLetter(t, &all[i], letters) })
		}
		if len(letters) != len(all) {
			t.Errorf("got %d dead letters, want %d", len(letters), len(all))
		}
		good := availability(t, c, prefix)["GOOD"]
		if good == nil || good.Actual != topics.Quantity(len(all))*topics.One {
			t.Errorf("good records after bad ones: got %+v, want %d of actual", good, len(all))
		}
	})
}

// lettersByOrigin returns the dead letters by the offset that they came from.
func lettersByOrigin(t *testing.T, c *testenv.Cluster, prefix topics.Prefix) map[testenv.Place][]*kgo.Record {
	t.Helper()
	letters := map[testenv.Place][]*kgo.Record{}
	for _, r := range read(t, c, prefix, topics.DeadLetters) {
		letter, ok := topics.LetterOf(r)
		if !ok {
			t.Fatalf("dead letter %d: has not the headers of one: %v", r.Offset, r.Headers)
		}
		base, _ := prefix.Base(letter.Origin.Topic)
		place := testenv.Place{Topic: base, Partition: letter.Origin.Partition, Offset: letter.Origin.Offset}
		letters[place] = append(letters[place], r)
	}
	return letters
}

func compareLetter(t *testing.T, p *poison, letters map[testenv.Place][]*kgo.Record) {
	t.Helper()
	base := p.record.Topic[strings.LastIndexByte(p.record.Topic, '.')+1:]
	found := letters[testenv.Place{Topic: base, Partition: p.record.Partition, Offset: p.record.Offset}]
	if len(found) != 1 {
		t.Fatalf("got %d dead letters, want 1", len(found))
	}
	r := found[0]
	letter, _ := topics.LetterOf(r)
	if letter.Reason != p.reason || !slices.Contains(topics.Reasons(), letter.Reason) {
		t.Errorf("reason: got %q, want %q", letter.Reason, p.reason)
	}
	for _, want := range p.says {
		if !strings.Contains(letter.Message, want) {
			t.Errorf("message: got %q, want it to say %q", letter.Message, want)
		}
	}
	if got, want := letter.Origin.TimestampMs, int64(1_700_000_000_000); got < want {
		t.Errorf("origin_timestamp: got %d, want the broker's time", got)
	}
	if !bytes.Equal(r.Key, p.record.Key) || (r.Key == nil) != (p.record.Key == nil) {
		t.Errorf("key: got %q, want %q", r.Key, p.record.Key)
	}
	if p.cut {
		if letter.OriginalBytes != len(p.record.Value) || !bytes.HasPrefix(p.record.Value, r.Value) || len(r.Value) < 2<<20 {
			t.Errorf("cut value: got %d bytes that say %d, want the beginning of %d",
				len(r.Value), letter.OriginalBytes, len(p.record.Value))
		}
	} else if !bytes.Equal(r.Value, p.record.Value) || (r.Value == nil) != (p.record.Value == nil) {
		t.Errorf("value: got %.80q, want %.80q", r.Value, p.record.Value)
	}
	want := p.record.Headers
	if got := r.Headers[:min(len(want), len(r.Headers))]; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("headers: got %q, want %q first", got, want)
	}
}

// Ensure the two reasons that take a large SKU are found too, and leave the SKU as it was.
func TestDeadLetters_RefuseWhatASKUCannotHold(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := ensure(t, c, 1)
		up := newUpstream(t, c, prefix, 1)
		i := start(t, config(t, c, prefix, "one"))
		line := func(sku, id, warehouse string, qty topics.Quantity, order string) *kgo.Record {
			return up.mutation(&topics.Mutation{
				LineID: id, Version: 1, SKU: sku, Warehouse: warehouse, Qty: qty, EffectiveAt: someDay, OrderLineID: order,
			})
		}
		var records []*kgo.Record
		const full = 9223 // of 1e9 each is what was delivered on an order line, and what an int64 of millionths holds
		for n := range full {
			records = append(records, line("FULL", fmt.Sprint("in/", n), "W", topics.MaxQuantity, ""),
				line("FULL", fmt.Sprint("out/", n), "W", -topics.MaxQuantity, "O1"))
		}
		// Warehouses of some 395 bytes each, far more than half a MiB: how many are taken depends on the commits,
		// since a header is measured when it is written and estimated in between.
		const widest = 2000
		var wide []*kgo.Record
		for n := range widest {
			name := strings.Repeat("\U0001F4E6", 96) + fmt.Sprintf("%04d", n)
			wide = append(wide, line("WIDE", fmt.Sprint("wide/", n), name, topics.One, ""))
		}
		records = append(records, wide...)
		acks := up.send(records...)
		over := line("FULL", "over", "W", -topics.MaxQuantity, "O1")
		acks = append(acks, up.send(over, line("FULL", "small", "W", -topics.One, "O1"))...)
		settle(t, c, prefix)
		check(t, c, prefix, acks)
		letters := lettersByOrigin(t, c, prefix)
		wide = slices.DeleteFunc(wide, func(r *kgo.Record) bool {
			return letters[testenv.Place{Topic: topics.Mutations, Offset: r.Offset}] == nil
		})
		if len(wide) == 0 {
			t.Fatalf("all %d warehouses were taken, want some refused", widest)
		}
		for _, p := range []poison{
			{record: over, reason: topics.ReasonOverflow, says: []string{"qty:", "1000000000", `"FULL"`}},
			{record: wide[0], reason: topics.ReasonSKUTooWide, says: []string{"warehouse:", "one more", `"WIDE"`}},
		} {
			t.Run(string(p.reason), func(t *testing.T) { compareLetter(t, &p, letters) })
		}
		if got, want := counters(i).Consumed, int64(len(records)+2); got != want {
			t.Errorf("consumed: got %d, want %d", got, want)
		}
	})
}
