package testenv

import (
	"encoding/json"
	"fmt"
	"strings"

	"stocksync/topics"
)

// BadRecord is a record that no decoder may take, and why.
type BadRecord struct {
	Name   string
	Topic  string // base name
	Key    []byte
	Value  []byte
	Reason topics.Reason
}

// field is one member of an object as text, so that it can be wrong.
type field struct{ name, raw string }

// object is a record as text.
type object []field

func (o object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", f.name, f.raw)
	}
	b.WriteByte('}')
	return b.String()
}

// with sets a member, or adds it.
func (o object) with(name, raw string) object {
	var to object
	found := false
	for _, f := range o {
		if f.name == name {
			f.raw, found = raw, true
		}
		to = append(to, f)
	}
	if !found {
		to = append(to, field{name, raw})
	}
	return to
}

// without leaves a member out.
func (o object) without(name string) object {
	var to object
	for _, f := range o {
		if f.name != name {
			to = append(to, f)
		}
	}
	return to
}

func goodMutation(sku, id string) object {
	return object{
		{"line_id", quote(id)},
		{"version", "1"},
		{"sku", quote(sku)},
		{"warehouse", `"WH-JKT-01"`},
		{"qty", "5"},
		{"effective_at", `"2026-01-02T03:04:05Z"`},
	}
}

func goodOrder(sku, id string) object {
	return object{
		{"order_line_id", quote(id)},
		{"version", "1"},
		{"sku", quote(sku)},
		{"warehouse", `"WH-JKT-01"`},
		{"status", `"open"`},
		{"ordered_qty", "2"},
		{"ordered_at", `"2026-01-02T03:04:05Z"`},
		{"order_id", `"SO-1"`},
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string never fails
	return string(b)
}

// BadRecords returns every kind of bad record this package knows, for one SKU. When oversize is above
// 0, values longer than it are among them.
func BadRecords(sku string, oversize int) []BadRecord {
	m, o := goodMutation(sku, "bad-line"), goodOrder(sku, "bad-order-line")
	bad := badText(sku, m.String())
	for _, f := range badFields(m, o) {
		bad = append(bad, BadRecord{
			Name: f.topic + ": " + f.name, Topic: f.topic, Key: []byte(sku), Value: []byte(f.object.String()),
			Reason: topics.ReasonInvalid,
		})
	}
	for _, f := range []string{"line_id", "version", "sku", "warehouse", "qty", "effective_at"} {
		bad = append(bad, invalid(topics.Mutations, sku, "no "+f, m.without(f)),
			invalid(topics.Mutations, sku, "null "+f, m.with(f, "null")))
	}
	for _, f := range []string{
		"order_line_id", "version", "sku", "warehouse", "status", "ordered_qty", "ordered_at", "order_id",
	} {
		bad = append(bad, invalid(topics.Orders, sku, "no "+f, o.without(f)))
	}
	if oversize > 0 {
		bad = append(bad, BadRecord{
			Name: "too long", Topic: topics.Mutations, Key: []byte(sku), Reason: topics.ReasonOversized,
			Value: []byte(m.with("unknown", quote(strings.Repeat("x", oversize))).String()),
		})
	}
	return bad
}

func invalid(topic, sku, name string, o object) BadRecord {
	return BadRecord{topic + ": " + name, topic, []byte(sku), []byte(o.String()), topics.ReasonInvalid}
}

// badText are records whose bytes or key are wrong.
func badText(sku, good string) []BadRecord {
	key := []byte(sku)
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	rows := []struct {
		name   string
		key    []byte
		value  []byte
		reason topics.Reason
	}{
		{"null value", key, nil, topics.ReasonNullValue},
		{"null key", nil, []byte(good), topics.ReasonEmptyKey},
		{"empty key", []byte{}, []byte(good), topics.ReasonEmptyKey},
		{"empty value", key, []byte{}, topics.ReasonUndecodable},
		{"not JSON", key, []byte("line_id=1;qty=5"), topics.ReasonUndecodable},
		{"an array", key, []byte("[" + good + "]"), topics.ReasonUndecodable},
		{"a string", key, []byte(`"` + sku + `"`), topics.ReasonUndecodable},
		{"cut off", key, []byte(good[:len(good)-7]), topics.ReasonUndecodable},
		{"two objects", key, []byte(good + good), topics.ReasonUndecodable},
		{"text after the object", key, []byte(good + " x"), topics.ReasonUndecodable},
		{"byte order mark", key, []byte("\ufeff" + good), topics.ReasonUndecodable},
		{"single quotes", key, []byte(strings.ReplaceAll(good, `"`, `'`)), topics.ReasonUndecodable},
		{"Avro with a schema id", key, []byte("\x00\x00\x00\x00\x2a\x06abc"), topics.ReasonUndecodable},
		{"gzip", key, []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), topics.ReasonUndecodable},
		{"bad UTF-8", key, []byte(strings.Replace(good, "WH-JKT", "WH-\xff\xfe", 1)), topics.ReasonUndecodable},
		{"nested too deep", key, []byte(`{"x":` + deep + `,` + good[1:]), topics.ReasonUndecodable},
		{"another SKU's key", []byte(sku + "x"), []byte(good), topics.ReasonKeyMismatch},
		{"key in other case", []byte(strings.ToUpper(sku) + "Z"), []byte(good), topics.ReasonKeyMismatch},
	}
	var bad []BadRecord
	for _, r := range rows {
		bad = append(bad, BadRecord{"mutations: " + r.name, topics.Mutations, r.key, r.value, r.reason})
	}
	return bad
}

type badField struct {
	topic, name string
	object      object
}

// badFields are objects that break one rule of the design each.
func badFields(m, o object) []badField {
	rows := []struct{ name, field, raw string }{
		{"seven decimals", "qty", "1.0000001"},
		{"too much", "qty", "1000000001"},
		{"far too much", "qty", "1e30"},
		{"a quantity in words", "qty", `"five"`},
		{"a quantity with a sign", "qty", `"+5"`},
		{"a quantity with a comma", "qty", `"5,0"`},
		{"a quantity with spaces", "qty", `" 5"`},
		{"an empty quantity", "qty", `""`},
		{"a quantity as bool", "qty", "true"},
		{"a quantity as object", "qty", "{}"},
		{"a version as text", "version", `"1"`},
		{"a version with a point", "version", "1.0"},
		{"a version beyond int64", "version", "9223372036854775808"},
		{"an unknown kind", "kind", `"adjust"`},
		{"a kind in capitals", "kind", `"COUNT"`},
		{"an unknown status", "status", `"draft"`},
		{"a time without zone", "effective_at", `"2026-01-02T03:04:05"`},
		{"a time with a space", "effective_at", `"2026-01-02 03:04:05Z"`},
		{"a time in small letters", "effective_at", `"2026-01-02t03:04:05z"`},
		{"a leap second", "effective_at", `"2026-12-31T23:59:60Z"`},
		{"the year 1969", "effective_at", `"1969-12-31T23:59:59Z"`},
		{"a day that is not", "effective_at", `"2026-02-30T00:00:00Z"`},
		{"a time as number", "effective_at", "1767322800"},
		{"an empty line id", "line_id", `""`},
		{"a line id of 201", "line_id", quote(strings.Repeat("x", 201))},
		{"an empty warehouse", "warehouse", `""`},
		{"a warehouse of 101", "warehouse", quote(strings.Repeat("w", 101))},
		{"the warehouse of all", "warehouse", `"*"`},
		{"a NUL", "note", `"a\u0000b"`},
		{"an empty order line id", "order_line_id", `""`},
		{"a bool in words", "is_return", `"true"`},
		{"a seq with an exponent", "seq", "1e2"},
		{"a note of 201", "note", quote(strings.Repeat("n", 201))},
	}
	var bad []badField
	for _, r := range rows {
		bad = append(bad, badField{topics.Mutations, r.name, m.with(r.field, r.raw)})
	}
	bad = append(bad,
		badField{topics.Mutations, "a negative count", m.with("kind", `"count"`).with("qty", "-1")},
		badField{topics.Mutations, "a count with a link", m.with("kind", `"count"`).with("order_line_id", `"x"`)},
		badField{topics.Mutations, "a touch with a link", m.with("kind", `"touch"`).with("order_line_id", `"x"`)},
		badField{topics.Mutations, "a field twice", append(m.with("seq", "1"), field{"seq", "1"})},
		badField{topics.Orders, "an unknown status", o.with("status", `"completed"`)},
		badField{topics.Orders, "a negative quantity", o.with("ordered_qty", "-1")},
		badField{topics.Orders, "a store with a bar", o.with("store", `"a|b"`)},
		badField{topics.Orders, "the store of all", o.with("store", `"*"`)},
		badField{topics.Orders, "an empty store", o.with("store", `""`)},
		badField{topics.Orders, "a time without zone", o.with("ordered_at", `"2026-01-02T03:04:05"`)},
		badField{topics.Orders, "an order id of 201", o.with("order_id", quote(strings.Repeat("o", 201)))},
	)
	return bad
}

// garbage returns a bad record about a SKU of the catalogue, which is where it hurts.
func (w *Workload) garbage() Event {
	sku := w.sku()
	var b BadRecord
	if w.cfg.OversizedBytes > 0 && w.chance(0.02) {
		bad := BadRecords(sku, w.cfg.OversizedBytes)
		b = bad[len(bad)-1]
	} else {
		bad := w.badRecords(sku)
		b = bad[w.rand.IntN(len(bad))]
	}
	return Event{Topic: b.Topic, Key: b.Key, Value: b.Value, What: "garbage: " + b.Name}
}

func (w *Workload) badRecords(sku string) []BadRecord {
	bad := w.bad[sku]
	if bad == nil {
		if len(w.bad) >= badMax {
			clear(w.bad)
		}
		bad = BadRecords(sku, 0)
		w.bad[sku] = bad
	}
	return bad
}
