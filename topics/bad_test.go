package topics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stocksync/testenv"
	"stocksync/topics"
)

// The inputs that the rows below break.
var (
	goodMutation = [][2]string{
		{"line_id", `"L1"`},
		{"version", "1"},
		{"sku", `"A001"`},
		{"warehouse", `"W1"`},
		{"qty", "5"},
		{"effective_at", `"2026-01-02T03:04:05Z"`},
	}
	goodOrder = [][2]string{
		{"order_line_id", `"O1"`},
		{"version", "1"},
		{"sku", `"A001"`},
		{"warehouse", `"W1"`},
		{"status", `"open"`},
		{"ordered_qty", "2"},
		{"ordered_at", `"2026-01-02T03:04:05Z"`},
		{"order_id", `"SO-1"`},
	}
	goodCommand = [][2]string{{"id", `"c-1"`}, {"command", `"nightly"`}}
)

// object writes members, each pair of set put in its place or behind; no text leaves the member out.
func object(members [][2]string, set ...string) string {
	members = slices.Clone(members)
	for i := 0; i+1 < len(set); i += 2 {
		at := slices.IndexFunc(members, func(m [2]string) bool { return m[0] == set[i] })
		switch {
		case at < 0:
			members = append(members, [2]string{set[i], set[i+1]})
		case set[i+1] == "":
			members = slices.Delete(members, at, at+1)
		default:
			members[at][1] = set[i+1]
		}
	}
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = `"` + m[0] + `":` + m[1]
	}
	return "{" + strings.Join(texts, ",") + "}"
}

func mutation(set ...string) string { return object(goodMutation, set...) }
func order(set ...string) string    { return object(goodOrder, set...) }
func command(set ...string) string  { return object(goodCommand, set...) }

// long returns a JSON string of n characters, two bytes each.
func long(n int) string { return `"` + strings.Repeat("é", n) + `"` }

// nested returns a record with a value in it, so that the whole nests levels deep.
func nested(levels int) string {
	return mutation("x", strings.Repeat("[", levels-1)+strings.Repeat("]", levels-1))
}

// badMutations, badOrders and badCommands are records that break one rule each. says is in the message: what names the
// field, and its value.
var badMutations = []badInput{
	{"null value", nil, noValue, topics.ReasonNullValue, []string{"value:", "null"}},
	{"null key", noKey, mutation(), topics.ReasonEmptyKey, []string{"key:", "empty"}},
	{"empty key", []byte{}, mutation(), topics.ReasonEmptyKey, []string{"key:", "empty"}},
	{"2 MB", nil, mutation("x", long(1<<20)), topics.ReasonOversized, []string{"value:", "20972", "1048576"}},
	{"2 MB of nothing", nil, strings.Repeat("\x00", 2<<20), topics.ReasonOversized, []string{"value:", "2097152"}},

	{"empty value", nil, "", topics.ReasonUndecodable, []string{"value:", `""`}},
	{"space", nil, " \n", topics.ReasonUndecodable, []string{"value:", `\n`}},
	{"not JSON", nil, "line_id=1;qty=5", topics.ReasonUndecodable, []string{"value:", "line_id=1;qty=5"}},
	{"null", nil, "null", topics.ReasonUndecodable, []string{"value:", "null"}},
	{"a number", nil, "12", topics.ReasonUndecodable, []string{"value:", "12"}},
	{"a list", nil, "[" + mutation() + "]", topics.ReasonUndecodable, []string{"value:", "[{"}},
	{"cut off", nil, mutation()[:40], topics.ReasonUndecodable, []string{"value:", "line_id"}},
	{"two objects", nil, mutation() + mutation(), topics.ReasonUndecodable, []string{"value:", "more follows"}},
	{"a comma too many", nil, strings.Replace(mutation(), "}", ",}", 1), topics.ReasonUndecodable, []string{"value:", "line_id"}},
	{"a comment", nil, "/* */" + mutation(), topics.ReasonUndecodable, []string{"value:", "/* */"}},
	{"byte order mark", nil, "\ufeff" + mutation(), topics.ReasonUndecodable, []string{"value:", `\ufeff`}},
	{"gzip", nil, "\x1f\x8b\x08\x00", topics.ReasonUndecodable, []string{"value:", `\x1f`, "UTF-8"}},
	{"invalid UTF-8", nil, mutation("note", "\"\xff\""), topics.ReasonUndecodable, []string{"value:", "UTF-8"}},
	{"invalid UTF-8 nobody reads", nil, mutation("x", "\"\xff\""), topics.ReasonUndecodable, []string{"value:", "UTF-8"}},
	{"a raw surrogate", nil, mutation("note", "\"\xed\xa0\x80\""), topics.ReasonUndecodable, []string{"value:", "UTF-8"}},
	{"a raw NUL", nil, mutation("note", "\"\x00\""), topics.ReasonUndecodable, []string{"value:"}},
	{"a raw line end", nil, mutation("note", "\"a\nb\""), topics.ReasonUndecodable, []string{"value:"}},
	{"nesting 33", nil, nested(33), topics.ReasonUndecodable, []string{"value:", "nesting deeper than 32"}},
	{"nesting 20000", nil, nested(20000), topics.ReasonUndecodable, []string{"value:"}},
	{"a sign", nil, mutation("qty", "+5"), topics.ReasonUndecodable, []string{"value:", "+"}},
	{"leading zeros", nil, mutation("qty", "007"), topics.ReasonUndecodable, []string{"value:", "qty"}},
	{"a bare point", nil, mutation("qty", "1."), topics.ReasonUndecodable, []string{"value:", "qty"}},
	{"not a number", nil, mutation("qty", "NaN"), topics.ReasonUndecodable, []string{"value:", "qty"}},
	{"true in capitals", nil, mutation("is_return", "True"), topics.ReasonUndecodable, []string{"value:", "'T'", "is_return"}},
	{"undecodable behind invalid", nil, `{"qty":"x",`, topics.ReasonUndecodable, []string{"value:"}},

	{"no sku", nil, mutation("sku", ""), topics.ReasonInvalid, []string{"sku: missing"}},
	{"no line_id", nil, mutation("line_id", ""), topics.ReasonInvalid, []string{"line_id: missing"}},
	{"no version", nil, mutation("version", ""), topics.ReasonInvalid, []string{"version: missing"}},
	{"no warehouse", nil, mutation("warehouse", ""), topics.ReasonInvalid, []string{"warehouse: missing"}},
	{"no qty", nil, mutation("qty", ""), topics.ReasonInvalid, []string{"qty: missing"}},
	{"no effective_at", nil, mutation("effective_at", ""), topics.ReasonInvalid, []string{"effective_at: missing"}},
	{"null for absent", nil, mutation("qty", "null"), topics.ReasonInvalid, []string{"qty: missing"}},
	{"names in capitals", nil, strings.Replace(mutation(), "qty", "QTY", 1), topics.ReasonInvalid, []string{"qty: missing"}},
	{"nothing", nil, "{}", topics.ReasonInvalid, []string{"sku: missing"}},

	{"sku as number", nil, mutation("sku", "1"), topics.ReasonInvalid, []string{"sku: 1", "not a string"}},
	{"sku empty", nil, mutation("sku", `""`), topics.ReasonInvalid, []string{`sku: ""`, "empty"}},
	{"line id empty", nil, mutation("line_id", `""`), topics.ReasonInvalid, []string{`line_id: ""`, "empty"}},
	{"line id of 201", nil, mutation("line_id", long(201)), topics.ReasonInvalid, []string{`line_id: "éé`, "longer than 200"}},
	{"warehouse of 101", nil, mutation("warehouse", long(101)), topics.ReasonInvalid, []string{`warehouse: "éé`, "longer than 100"}},
	{"warehouse empty", nil, mutation("warehouse", `""`), topics.ReasonInvalid, []string{`warehouse: ""`, "empty"}},
	{"warehouse of all", nil, mutation("warehouse", `"*"`), topics.ReasonInvalid, []string{`warehouse: "*"`, "reserved"}},
	{"order line id empty", nil, mutation("order_line_id", `""`), topics.ReasonInvalid, []string{`order_line_id: ""`, "empty"}},
	{"reason of 201", nil, mutation("reason", long(201)), topics.ReasonInvalid, []string{`reason: "éé`, "longer than 200"}},
	{"note as list", nil, mutation("note", "[]"), topics.ReasonInvalid, []string{"note: []", "not a string"}},
	{"a NUL", nil, mutation("note", `"a\u0000b"`), topics.ReasonInvalid, []string{"note:", `\u0000`, "NUL"}},
	{"a high surrogate", nil, mutation("note", `"\ud800"`), topics.ReasonInvalid, []string{"note:", `\ud800`, "surrogate"}},
	{"a low surrogate", nil, mutation("note", `"\udc00\ud800"`), topics.ReasonInvalid, []string{"note:", `\udc00`, "surrogate"}},
	{"a surrogate nobody reads", nil, mutation("x", `{"a":["\ud83d"]}`), topics.ReasonInvalid, []string{"x:", `\ud83d`, "surrogate"}},
	{"a surrogate in a name", nil, mutation(`\ud83d`, "1"), topics.ReasonInvalid, []string{"\ufffd:", "1", "surrogate"}},

	{"kind unknown", nil, mutation("kind", `"adjust"`), topics.ReasonInvalid, []string{`kind: "adjust"`, "delta, count, touch"}},
	{"kind in capitals", nil, mutation("kind", `"COUNT"`), topics.ReasonInvalid, []string{`kind: "COUNT"`}},
	{"kind as number", nil, mutation("kind", "1"), topics.ReasonInvalid, []string{"kind: 1", "not a string"}},
	{"kind empty", nil, mutation("kind", `""`), topics.ReasonInvalid, []string{`kind: ""`}},
	{"status unknown", nil, mutation("status", `"draft"`), topics.ReasonInvalid, []string{`status: "draft"`, "posted, cancelled"}},
	{"is_return in words", nil, mutation("is_return", `"true"`), topics.ReasonInvalid, []string{`is_return: "true"`, "true or false"}},
	{"is_return as number", nil, mutation("is_return", "1"), topics.ReasonInvalid, []string{"is_return: 1"}},

	{"version as text", nil, mutation("version", `"1"`), topics.ReasonInvalid, []string{`version: "1"`, "not an integer"}},
	{"version with a point", nil, mutation("version", "1.0"), topics.ReasonInvalid, []string{"version: 1.0", "integer literal"}},
	{"version with an exponent", nil, mutation("version", "1e3"), topics.ReasonInvalid, []string{"version: 1e3", "integer literal"}},
	{"version beyond int64", nil, mutation("version", "9223372036854775808"), topics.ReasonInvalid, []string{"version: 9223372036854775808", "64 bits"}},
	{"version below int64", nil, mutation("version", "-9223372036854775809"), topics.ReasonInvalid, []string{"version: -9223372036854775809", "64 bits"}},
	{"seq with a part", nil, mutation("seq", "0.5"), topics.ReasonInvalid, []string{"seq: 0.5", "integer"}},

	{"qty of 7 decimals", nil, mutation("qty", "1.0000001"), topics.ReasonInvalid, []string{"qty: 1.0000001", "six decimals"}},
	{"qty of 7 decimals as text", nil, mutation("qty", `"1.0000001"`), topics.ReasonInvalid, []string{`qty: "1.0000001"`, "six decimals"}},
	{"qty of 7 decimals by exponent", nil, mutation("qty", "1e-7"), topics.ReasonInvalid, []string{"qty: 1e-7", "six decimals"}},
	{"qty of 7 zeros", nil, mutation("qty", "1.0000000"), topics.ReasonInvalid, []string{"qty: 1.0000000", "six decimals"}},
	{"qty too much", nil, mutation("qty", "1000000000.000001"), topics.ReasonInvalid, []string{"qty: 1000000000.000001", "beyond 1000000000"}},
	{"qty too little", nil, mutation("qty", "-1000000001"), topics.ReasonInvalid, []string{"qty: -1000000001", "beyond"}},
	{"qty too much as text", nil, mutation("qty", `"1000000001"`), topics.ReasonInvalid, []string{`qty: "1000000001"`, "beyond"}},
	{"qty far too much", nil, mutation("qty", "1e400"), topics.ReasonInvalid, []string{"qty: 1e400", "beyond"}},
	{"qty in words", nil, mutation("qty", `"five"`), topics.ReasonInvalid, []string{`qty: "five"`, "not a decimal"}},
	{"qty with a sign", nil, mutation("qty", `"+5"`), topics.ReasonInvalid, []string{`qty: "+5"`, "not a decimal"}},
	{"qty with leading zeros", nil, mutation("qty", `"007"`), topics.ReasonInvalid, []string{`qty: "007"`, "not a decimal"}},
	{"qty with spaces", nil, mutation("qty", `" 5"`), topics.ReasonInvalid, []string{`qty: " 5"`, "not a decimal"}},
	{"qty with a comma", nil, mutation("qty", `"5,0"`), topics.ReasonInvalid, []string{`qty: "5,0"`, "not a decimal"}},
	{"qty without a whole", nil, mutation("qty", `".5"`), topics.ReasonInvalid, []string{`qty: ".5"`, "not a decimal"}},
	{"qty empty", nil, mutation("qty", `""`), topics.ReasonInvalid, []string{`qty: ""`, "not a decimal"}},
	{"qty as bool", nil, mutation("qty", "true"), topics.ReasonInvalid, []string{"qty: true", "not a number"}},
	{"qty as object", nil, mutation("qty", "{}"), topics.ReasonInvalid, []string{"qty: {}", "not a number"}},
	{"a negative count", nil, mutation("kind", `"count"`, "qty", "-1"), topics.ReasonInvalid, []string{"qty: -1", "negative"}},
	{"a negative count as text", nil, mutation("kind", `"count"`, "qty", `"-0.5"`), topics.ReasonInvalid, []string{"qty: -0.5", "negative"}},
	{"a count with a link", nil, mutation("kind", `"count"`, "order_line_id", `"O1"`), topics.ReasonInvalid, []string{`order_line_id: "O1"`, "count"}},
	{"a touch with a link", nil, mutation("kind", `"touch"`, "order_line_id", `"O1"`), topics.ReasonInvalid, []string{`order_line_id: "O1"`, "touch"}},
	{"a touch with a bad qty", nil, mutation("kind", `"touch"`, "qty", `"x"`), topics.ReasonInvalid, []string{`qty: "x"`}},

	{"time as number", nil, mutation("effective_at", "1767322800"), topics.ReasonInvalid, []string{"effective_at: 1767322800", "not a string"}},
	{"time in small letters", nil, mutation("effective_at", `"2026-01-02t03:04:05z"`), topics.ReasonInvalid, []string{"2026-01-02t03:04:05z", "RFC 3339"}},
	{"time with a space", nil, mutation("effective_at", `"2026-01-02 03:04:05Z"`), topics.ReasonInvalid, []string{"2026-01-02 03:04:05Z", "RFC 3339"}},
	{"time without zone", nil, mutation("effective_at", `"2026-01-02T03:04:05"`), topics.ReasonInvalid, []string{"2026-01-02T03:04:05", "RFC 3339"}},
	{"time with a zone's name", nil, mutation("effective_at", `"2026-01-02T03:04:05WIB"`), topics.ReasonInvalid, []string{"05WIB", "RFC 3339"}},
	{"time of second 60", nil, mutation("effective_at", `"2016-12-31T23:59:60Z"`), topics.ReasonInvalid, []string{"23:59:60Z", "RFC 3339"}},
	{"time with a comma", nil, mutation("effective_at", `"2026-01-02T03:04:05,5Z"`), topics.ReasonInvalid, []string{"05,5Z", "RFC 3339"}},
	{"time of a day that is not", nil, mutation("effective_at", `"2026-02-29T03:04:05Z"`), topics.ReasonInvalid, []string{"2026-02-29", "RFC 3339"}},
	{"time of 1969", nil, mutation("effective_at", `"1969-12-31T23:59:59Z"`), topics.ReasonInvalid, []string{"1969-12-31", "1970 to 9999"}},
	{"time of 1969 by zone", nil, mutation("effective_at", `"1970-01-01T00:30:00+01:00"`), topics.ReasonInvalid, []string{"1970-01-01", "1970 to 9999"}},
	{"time of 10000", nil, mutation("effective_at", `"10000-01-01T00:00:00Z"`), topics.ReasonInvalid, []string{"10000-01-01", "RFC 3339"}},
	{"time of 10000 by zone", nil, mutation("effective_at", `"9999-12-31T23:30:00-01:00"`), topics.ReasonInvalid, []string{"9999-12-31", "1970 to 9999"}},

	{"a name twice", nil, twice(mutation(), `"qty":5`), topics.ReasonInvalid, []string{"qty: 5", "second value"}},
	{"a name twice, first null", nil, twice(mutation("qty", "null"), `"qty":5`), topics.ReasonInvalid, []string{"qty: 5", "second value"}},
	{"a name twice by escape", nil, twice(mutation(), `"\u0071ty":5`), topics.ReasonInvalid, []string{"qty: 5", "second value"}},

	{"key of another SKU", []byte("A002"), mutation(), topics.ReasonKeyMismatch, []string{`sku: "A001"`, `"A002"`}},
	{"key in small letters", []byte("a001"), mutation(), topics.ReasonKeyMismatch, []string{`sku: "A001"`, `"a001"`}},
	{"key that is no text", []byte("\xff"), mutation(), topics.ReasonKeyMismatch, []string{`sku: "A001"`, `"\xff"`}},
	{"key with a space", []byte("A001 "), mutation(), topics.ReasonKeyMismatch, []string{`sku: "A001"`, `"A001 "`}},
}

var badOrders = []badInput{
	{"no order_line_id", nil, order("order_line_id", ""), topics.ReasonInvalid, []string{"order_line_id: missing"}},
	{"no version", nil, order("version", "null"), topics.ReasonInvalid, []string{"version: missing"}},
	{"no sku", nil, order("sku", "null"), topics.ReasonInvalid, []string{"sku: missing"}},
	{"no warehouse", nil, order("warehouse", ""), topics.ReasonInvalid, []string{"warehouse: missing"}},
	{"no status", nil, order("status", ""), topics.ReasonInvalid, []string{"status: missing"}},
	{"no ordered_qty", nil, order("ordered_qty", "", "status", `"cancelled"`), topics.ReasonInvalid, []string{"ordered_qty: missing"}},
	{"no ordered_at", nil, order("ordered_at", ""), topics.ReasonInvalid, []string{"ordered_at: missing"}},
	{"no order_id", nil, order("order_id", ""), topics.ReasonInvalid, []string{"order_id: missing"}},
	{"status unknown", nil, order("status", `"completed"`), topics.ReasonInvalid, []string{`status: "completed"`, "draft, open, on_hold"}},
	{"status as number", nil, order("status", "1"), topics.ReasonInvalid, []string{"status: 1", "not a string"}},
	{"a negative quantity", nil, order("ordered_qty", "-0.000001"), topics.ReasonInvalid, []string{"ordered_qty: -0.000001", "negative"}},
	{"a quantity too much", nil, order("ordered_qty", "1e10"), topics.ReasonInvalid, []string{"ordered_qty: 1e10", "beyond"}},
	{"store with a bar", nil, order("store", `"a|b"`), topics.ReasonInvalid, []string{`store: "a|b"`, "|"}},
	{"store of all", nil, order("store", `"*"`), topics.ReasonInvalid, []string{`store: "*"`, "reserved"}},
	{"store empty", nil, order("store", `""`), topics.ReasonInvalid, []string{`store: ""`, "empty"}},
	{"store of 101", nil, order("store", long(101)), topics.ReasonInvalid, []string{`store: "éé`, "longer than 100"}},
	{"store order id empty", nil, order("store_order_id", `""`), topics.ReasonInvalid, []string{`store_order_id: ""`, "empty"}},
	{"order id of 201", nil, order("order_id", long(201)), topics.ReasonInvalid, []string{`order_id: "éé`, "longer than 200"}},
	{"store sku of 201", nil, order("store_sku", long(201)), topics.ReasonInvalid, []string{`store_sku: "éé`, "longer than 200"}},
	{"changed_at without zone", nil, order("changed_at", `"2026-01-02T03:04:05"`), topics.ReasonInvalid, []string{"changed_at:", "2026-01-02T03:04:05", "RFC 3339"}},
	{"a name twice", nil, twice(order(), `"status":"closed"`), topics.ReasonInvalid, []string{`status: "closed"`, "second value"}},
	{"key of another SKU", []byte("A002"), order(), topics.ReasonKeyMismatch, []string{`sku: "A001"`, `"A002"`}},
	{"not JSON", nil, "<order/>", topics.ReasonUndecodable, []string{"value:", "<order/>"}},
	{"null value", nil, noValue, topics.ReasonNullValue, []string{"value:"}},
	{"empty key", []byte{}, order(), topics.ReasonEmptyKey, []string{"key:"}},
	{"2 MB", nil, order("x", long(1<<20)), topics.ReasonOversized, []string{"value:"}},
}

var badCommands = []badInput{
	{"null value", nil, noValue, topics.ReasonNullValue, []string{"value:"}},
	{"2 MB", nil, command("x", long(1<<20)), topics.ReasonOversized, []string{"value:"}},
	{"not JSON", nil, "nightly", topics.ReasonUndecodable, []string{"value:", "nightly"}},
	{"no id", nil, command("id", ""), topics.ReasonInvalid, []string{"id: missing"}},
	{"id empty", nil, command("id", `""`), topics.ReasonInvalid, []string{`id: ""`, "empty"}},
	{"no command", nil, command("command", ""), topics.ReasonInvalid, []string{"command: missing"}},
	{"command unknown", nil, command("command", `"reboot"`), topics.ReasonInvalid, []string{`command: "reboot"`, "nightly"}},
	{"command empty", nil, command("command", `""`), topics.ReasonInvalid, []string{`command: ""`, "nightly"}},
	{"command as list", nil, command("command", `["nightly"]`), topics.ReasonInvalid, []string{`command: ["nightly"]`, "not a string"}},
	{"args as list", nil, command("args", "[1]"), topics.ReasonInvalid, []string{"args: [1]", "not an object"}},
	{"args with a name twice", nil, command("args", `{"a":1,"a":2}`), topics.ReasonInvalid, []string{`args: {"a":1,"a":2}`}},
	{"args beyond numbers", nil, command("args", `{"a":1e999}`), topics.ReasonInvalid, []string{`args: {"a":1e999}`}},
	{"requested_at without zone", nil, command("requested_at", `"2026-01-02T03:04:05"`), topics.ReasonInvalid, []string{"requested_at:", "RFC 3339"}},
	{"requested_by as number", nil, command("requested_by", "7"), topics.ReasonInvalid, []string{"requested_by: 7", "not a string"}},
}

// schemaSilent are the rows that break a rule which JSON Schema has no words for.
var schemaSilent = []string{
	"a high surrogate", "a low surrogate", "a surrogate nobody reads", "a surrogate in a name",
	"version with a point", "version with an exponent",
	"qty of 7 decimals", "qty of 7 decimals by exponent", "qty of 7 zeros",
	"time of 1969 by zone", "time of 10000 by zone",
	"a name twice", "a name twice, first null", "a name twice by escape",
	"args with a name twice", "args beyond numbers",
}

// badInput is a record that no decoder takes.
type badInput struct {
	name   string
	key    []byte // nil is the good one, A001
	value  string
	reason topics.Reason
	says   []string
}

// noKey and noValue stand for null.
var noKey = []byte("no key")

const noValue = "no value"

// bytes returns key and value as they arrive.
func (b badInput) bytes() (key, value []byte) {
	key, value = b.key, []byte(b.value)
	switch {
	case key == nil:
		key = []byte("A001")
	case string(key) == string(noKey):
		key = nil
	}
	if b.value == noValue {
		value = nil
	}
	return key, value
}

// twice adds a member that is there already.
func twice(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }

// inputs are the three topics with strict decoders, and what is refused of each.
var inputs = []struct {
	base   string
	good   string
	decode func(key, value []byte) *topics.Reject
	bad    []badInput
}{
	{topics.Mutations, mutation(), func(key, value []byte) *topics.Reject {
		return topics.DecodeMutation(key, value, 1<<20, new(topics.Mutation))
	}, badMutations},
	{topics.Orders, order(), func(key, value []byte) *topics.Reject {
		return topics.DecodeOrder(key, value, 1<<20, new(topics.Order))
	}, badOrders},
	{topics.Commands, command(), func(_, value []byte) *topics.Reject {
		return topics.DecodeCommand(value, 1<<20, new(topics.Command))
	}, badCommands},
}

func TestDecode_RefusesAndNamesFieldAndValue(t *testing.T) {
	for _, in := range inputs {
		for _, row := range in.bad {
			t.Run(in.base+" "+row.name, func(t *testing.T) {
				reject := in.decode(row.bytes())
				if reject == nil {
					t.Fatalf("taken, want %s: %.200s", row.reason, row.value)
				}
				if reject.Reason != row.reason {
					t.Errorf("got reason %s, want %s", reject.Reason, row.reason)
				}
				for _, text := range row.says {
					if !strings.Contains(reject.Message, text) {
						t.Errorf("message lacks %q: %s", text, reject.Message)
					}
				}
				if len(reject.Message) > 1024 || reject.Error() != string(row.reason)+": "+reject.Message {
					t.Errorf("message of %d bytes, error %q", len(reject.Message), reject.Error())
				}
			})
		}
	}
}

func TestSchema_RefusesWhatTheDecoderRefuses(t *testing.T) {
	for _, in := range inputs {
		if err := validate(t, in.base, []byte(in.good)); err != nil {
			t.Errorf("%s: the good record: %v", in.base, err)
		}
		for _, row := range in.bad {
			if row.reason != topics.ReasonInvalid {
				continue // not JSON, or about the key
			}
			err := validate(t, in.base, []byte(row.value))
			if silent := slices.Contains(schemaSilent, row.name); (err == nil) != silent {
				t.Errorf("%s, %s: the schema says %v, want silence %v", in.base, row.name, err, silent)
			}
		}
	}
}

// TestDecode_RefusesWhatTheWorkloadMakes: the garbage of package testenv is garbage here too.
func TestDecode_RefusesWhatTheWorkloadMakes(t *testing.T) {
	for _, bad := range testenv.BadRecords("A001", 1<<20) {
		for _, in := range inputs {
			if in.base != bad.Topic {
				continue
			}
			if reject := in.decode(bad.Key, bad.Value); reject == nil || reject.Reason != bad.Reason {
				t.Errorf("%s: got %v, want %s", bad.Name, reject, bad.Reason)
			}
		}
	}
}

// TestDecode_FirstReasonDecides holds the order of precedence among the reasons that a decoder can tell.
func TestDecode_FirstReasonDecides(t *testing.T) {
	broken := []struct {
		reason topics.Reason
		spoil  func(r *badInput)
	}{
		{topics.ReasonKeyMismatch, func(r *badInput) { r.key = []byte("A002") }},
		{topics.ReasonInvalid, func(r *badInput) { r.value = strings.Replace(r.value, `"version":1`, `"version":"1"`, 1) }},
		{topics.ReasonUndecodable, func(r *badInput) { r.value += "}" }},
		{topics.ReasonOversized, func(r *badInput) { r.value += strings.Repeat(" ", 1<<20) }},
		{topics.ReasonEmptyKey, func(r *badInput) { r.key = noKey }},
		{topics.ReasonNullValue, func(r *badInput) { r.value = noValue }},
	}
	for _, in := range inputs[:2] {
		row := badInput{value: in.good}
		for i, b := range broken {
			b.spoil(&row)
			if reject := in.decode(row.bytes()); reject == nil || reject.Reason != b.reason {
				t.Errorf("%s with %d faults: got %v, want %s", in.base, i+1, reject, b.reason)
			}
			if order := topics.Reasons(); i > 0 && slices.Index(order, b.reason) > slices.Index(order, broken[i-1].reason) {
				t.Errorf("Reasons lists %s behind %s", b.reason, broken[i-1].reason)
			}
		}
	}
}

func TestReasons_AreTheClosedListInOrder(t *testing.T) {
	want := "[null_value empty_key oversized undecodable invalid key_mismatch misrouted too_late version_conflict overflow sku_too_wide]"
	if got := fmt.Sprint(topics.Reasons()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecode_TakesWhatIsAtTheEdge(t *testing.T) {
	good := map[string][]string{
		topics.Mutations: {
			mutation("line_id", long(200), "warehouse", long(100), "order_line_id", long(200), "note", long(200)),
			mutation("note", `""`, "voucher_no", `""`, "reason", `""`), // free text may be empty
			mutation("version", "9223372036854775807", "seq", "-9223372036854775808"),
			mutation("version", "-0"),
			mutation("qty", "1000000000"), mutation("qty", "-1000000000.000000"), mutation("qty", "1e9"),
			mutation("qty", "0.000001"), mutation("qty", "1e-6"), mutation("qty", "10.500000"), mutation("qty", "-0"),
			mutation("qty", `"1e2"`), mutation("qty", `"100000000000E-2"`), mutation("qty", `"-0.0"`), mutation("qty", "0e99"),
			mutation("kind", `"count"`, "qty", "0"), mutation("kind", `"count"`, "qty", `"-0"`),
			mutation("kind", "null", "status", "null", "seq", "null", "is_return", "null", "order_line_id", "null", "note", "null"),
			mutation("effective_at", `"1970-01-01T00:00:00Z"`), mutation("effective_at", `"9999-12-31T23:59:59.9999999Z"`),
			mutation("effective_at", `"1969-12-31T23:30:00-01:00"`), mutation("effective_at", `"2024-02-29T00:00:00-00:00"`),
			mutation("note", `"\ud83d\ude00 \\ud800 \" \/ \u00e9"`), mutation("note", `"<script> é 😀 "`),
			mutation("x", `"\u0000"`), mutation("x", "1e999"), mutation("QTY", "6"), // nobody reads it
			mutation("warehouse", `"a|b"`), mutation("warehouse", `"**"`),
			nested(32),
			twice(mutation("x", "1"), `"x":2`),
			" \t\r\n" + strings.ReplaceAll(mutation(), ",", " , ") + "\n",
			`{"sku":"A001","kind":"touch"}`,
			`{"kind":"touch","sku":"A001","line_id":null,"qty":null,"version":null,"warehouse":null,"effective_at":null}`,
			mutation("kind", `"touch"`), mutation("kind", `"touch"`, "qty", "-5"),
			mutation("x", `"`+strings.Repeat("x", 1<<20-len(mutation("x", `""`)))+`"`),
		},
		topics.Orders: {
			order("store", long(100), "store_order_id", long(200), "store_sku", `""`),
			order("ordered_qty", "0", "status", `"removed"`), order("ordered_qty", "-0"), order("ordered_qty", `"0.5"`),
			order("store", "null", "changed_at", "null", "source", "null"),
			order("order_id", `"a|b *"`),
			nestedOrder(32),
		},
		topics.Commands: {
			command("args", `{"a":{"b":[1,2]}}`, "requested_by", `"ana"`, "requested_at", `"2026-01-02T03:04:05Z"`),
			command("args", "null", "requested_by", "null", "requested_at", "null"),
		},
	}
	for _, in := range inputs {
		for _, value := range good[in.base] {
			if reject := in.decode([]byte("A001"), []byte(value)); reject != nil {
				t.Errorf("%s: %v in %.200s", in.base, reject, value)
			}
			if err := validate(t, in.base, []byte(value)); err != nil {
				t.Errorf("%s: the schema refuses %.200s: %v", in.base, value, err)
			}
		}
	}
}

func nestedOrder(levels int) string {
	return order("x", strings.Repeat(`{"a":`, levels-1)+"1"+strings.Repeat("}", levels-1))
}
