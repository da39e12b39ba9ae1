package topics_test

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"

	"stocksync/topics"
)

// The records of people, sinks and the processor that the rows below break.
var goodRecords = map[string][][2]string{
	topics.AvailabilityTopic: {{"sku", `"A001"`}},
	topics.Items:             {{"sku", `"A001"`}},
	topics.Stores:            {{"store", `"s"`}, {"marketplace", `"webhook"`}},
	topics.ItemSettingsTopic: {{"store", `"s"`}, {"sku", `"A001"`}},
	topics.Listings:          {{"store", `"s"`}, {"sku", `"A001"`}, {"origin", `"person"`}},
	topics.SyncStatusTopic:   {{"store", `"s"`}, {"sku", `"A001"`}, {"state", `"never"`}, {"reason", `"braked"`}},
	topics.SyncLogTopic:      {{"at", `"2026-01-02T03:04:05Z"`}, {"store", `"s"`}, {"sku", `"A001"`}, {"outcome", `"ok"`}},
	topics.AuditTopic:        {{"at", `"2026-01-02T03:04:05Z"`}, {"actor", `"ana"`}, {"action", `"put"`}},
}

// badRecord sets one member of a good record; says is in the error. silent marks what JSON Schema has no words for.
type badRecord struct {
	topic, name, raw string
	says             []string
	silent           bool
}

var badRecords = []badRecord{
	{topics.AvailabilityTopic, "sku", "", []string{"sku: missing"}, false},
	{topics.AvailabilityTopic, "actual", `"x"`, []string{"actual:", `"x"`, "not a decimal"}, false},
	{topics.AvailabilityTopic, "revision", "1.5", []string{"revision: 1.5", "integer"}, false},
	{topics.AvailabilityTopic, "warehouses", "{}", []string{"warehouses: {}", "a list"}, false},
	{topics.AvailabilityTopic, "warehouses", `[{"warehouse":7}]`, []string{"warehouses/0/warehouse: 7", "a string"}, false},
	{topics.AvailabilityTopic, "trigger", `"x"`, []string{"trigger:", `"x"`, "nightly, event, manual"}, false},
	{topics.AvailabilityTopic, "changed", `"yes"`, []string{`changed: "yes"`, "true or false"}, false},
	{topics.AvailabilityTopic, "orders_from", `{"s":"x"}`, []string{"orders_from", `"x"`}, false},
	{topics.AvailabilityTopic, "as_of", `"today"`, []string{"as_of:", `"today"`, "RFC 3339"}, false},
	{topics.AvailabilityTopic, `sku":"A001","sku`, `"A001"`, []string{"value:", `"sku"`}, true},

	{topics.Items, "sku", `""`, []string{"sku: missing or empty"}, false},
	{topics.Items, "sku", long(201), []string{`sku: "éé`, "longer than 200"}, false},
	{topics.Items, "sku", `"a\u0000"`, []string{"sku:", `a\x00`, "NUL"}, false},
	{topics.Items, "retired", "1", []string{"retired: 1", "true or false"}, false},
	{topics.Items, "bundle", `[{"qty":1}]`, []string{"bundle/0/sku: missing"}, false},
	{topics.Items, "bundle", `[{"sku":"B"}]`, []string{"bundle/0/qty: 0"}, false},
	{topics.Items, "bundle", `[{"sku":"B","qty":-1}]`, []string{"bundle/0/qty: -1", "between"}, false},
	{topics.Items, "bundle", `[{"sku":"B","qty":1000000001}]`, []string{"bundle/0/qty: 1000000001", "between"}, false},
	{topics.Items, "bundle", `[{"sku":"B","qty":1.0000001}]`, []string{"bundle/0/qty: 1.0000001", "six decimals"}, true},

	{topics.Stores, "store", "", []string{"store: missing"}, false},
	{topics.Stores, "store", `"a|b"`, []string{`store: "a|b"`, "|"}, false},
	{topics.Stores, "store", long(101), []string{`store: "éé`, "longer than 100"}, false},
	{topics.Stores, "marketplace", "", []string{"marketplace: missing"}, false},
	{topics.Stores, "marketplace", "null", []string{"marketplace: missing"}, false},
	{topics.Stores, "name", long(201), []string{`name: "éé`, "longer than 200"}, false},
	{topics.Stores, "mode", `"paused"`, []string{`mode: "paused"`, "live, preview"}, false},
	{topics.Stores, "disable_stock_update", `"no"`, []string{`disable_stock_update: "no"`, "true or false"}, false},
	{topics.Stores, "disabled_until", `"tomorrow"`, []string{"disabled_until:", `"tomorrow"`, "RFC 3339"}, false},
	{topics.Stores, "warehouses", `"W1"`, []string{`warehouses: "W1"`, "a list"}, false},
	{topics.Stores, "warehouses", `["W1",""]`, []string{"warehouses/1: missing or empty"}, false},
	{topics.Stores, "warehouses", `["W1","*"]`, []string{`warehouses/1: "*"`, "stands alone"}, false},
	{topics.Stores, "warehouses", `["W1","W1"]`, []string{`warehouses/1: "W1"`, "twice"}, false},
	{topics.Stores, "warehouses", `[` + long(101) + `]`, []string{`warehouses/0: "éé`, "longer than 100"}, false},
	{topics.Stores, "exclude_warehouses", `["*"]`, []string{`exclude_warehouses/0: "*"`, "reserved"}, false},
	{topics.Stores, "locations", `[{}]`, []string{"locations/0/location_id: missing"}, false},
	{topics.Stores, "locations", `[{"location_id":"L"},{"location_id":"L"}]`, []string{`locations/1/location_id: "L"`, "twice"}, true},
	{topics.Stores, "locations", `[{"location_id":"L","warehouses":["*","W"]}]`, []string{`locations/0/warehouses/0: "*"`}, false},
	{topics.Stores, "buffer", "1000000001", []string{"buffer: 1000000001", "between"}, false},
	{topics.Stores, "buffer", "-1e10", []string{"buffer: -10000000000", "between"}, false},
	{topics.Stores, "percent", "1000.5", []string{"percent: 1000.5", "between 0 and 1000"}, false},
	{topics.Stores, "percent", `"-1"`, []string{"percent: -1", "between"}, false},
	{topics.Stores, "min", "-1", []string{"min: -1", "between"}, false},
	{topics.Stores, "max", `"+1"`, []string{`max: "+1"`, "not a decimal"}, false},
	{topics.Stores, `min":5,"max`, "4", []string{"min: 5", "above max 4"}, true},
	{topics.Stores, "brake_percent", "101", []string{"brake_percent: 101", "between 0 and 100"}, false},
	{topics.Stores, "in_flight", `"write"`, []string{`in_flight: "write"`, "read, off"}, false},
	{topics.Stores, "order_grace", "30", []string{"order_grace:", "30", "duration"}, false},
	{topics.Stores, "order_grace", `"30"`, []string{"order_grace:", `"30"`, "duration"}, false},
	{topics.Stores, "order_grace", `"-5m"`, []string{`order_grace: "-5m0s"`, "between"}, false},
	{topics.Stores, "order_grace", `"721h"`, []string{`order_grace: "721h0m0s"`, "between"}, true},
	{topics.Stores, "options", "[]", []string{"options: []", "not an object"}, false},
	{topics.Stores, "credentials_ref", long(201), []string{`credentials_ref: "éé`, "longer than 200"}, false},
	{topics.Stores, "changed_by", "7", []string{"changed_by: 7", "a string"}, false},

	{topics.ItemSettingsTopic, "store", "null", []string{"store: missing"}, false},
	{topics.ItemSettingsTopic, "store", `"a|b"`, []string{`store: "a|b"`}, false},
	{topics.ItemSettingsTopic, "sku", "", []string{"sku: missing"}, false},
	{topics.ItemSettingsTopic, "disable_stock_update", "0", []string{"disable_stock_update: 0", "true or false"}, false},
	{topics.ItemSettingsTopic, "buffer", "-1000000000.1", []string{"buffer: -1000000000.1", "between"}, false},
	{topics.ItemSettingsTopic, "percent", "1001", []string{"percent: 1001", "between"}, false},
	{topics.ItemSettingsTopic, "min", "true", []string{"min:", "true", "not a decimal"}, false},
	{topics.ItemSettingsTopic, `max":1,"min`, "2", []string{"min: 2", "above max 1"}, true},
	{topics.ItemSettingsTopic, "changed_by", long(201), []string{`changed_by: "éé`}, false},

	{topics.Listings, "store", `"*"`, []string{`store: "*"`, "reserved"}, false},
	{topics.Listings, "sku", "7", []string{"sku: 7", "a string"}, false},
	{topics.Listings, "origin", "", []string{"origin: missing"}, false},
	{topics.Listings, "origin", `"erp"`, []string{`origin: "erp"`, "catalogue, upstream, person"}, false},
	{topics.Listings, "targets", `[null]`, []string{"targets/0/product_id: missing"}, false},
	{topics.Listings, "targets", `[{"product_id":""}]`, []string{"targets/0/product_id: missing"}, false},
	{topics.Listings, "targets", `[{"product_id":"1"},{"product_id":"2","status":"gone"}]`, []string{`targets/1/status: "gone"`, "active, inactive"}, false},
	{topics.Listings, "targets", `[{"product_id":"1","tracked":"no"}]`, []string{`targets/0/tracked: "no"`, "true or false"}, false},
	{topics.Listings, "targets", `[{"product_id":"1","locations":[""]}]`, []string{"targets/0/locations/0: missing"}, false},
	{topics.Listings, "targets", `[{"product_id":"1","marketplace_qty":1e10}]`, []string{"targets/0/marketplace_qty: 10000000000"}, false},
	{topics.Listings, "targets", `[{"product_id":"1","promos":[{"kind":"sale"}]}]`, []string{`targets/0/promos/0/kind: "sale"`, "lock, floor"}, false},
	{topics.Listings, "targets", `[{"product_id":"1","promos":[{"kind":"floor","floor":-1}]}]`, []string{"targets/0/promos/0/floor: -1"}, false},
	{
		topics.Listings, "targets",
		`[{"product_id":"1","promos":[{"kind":"lock","from":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}]}]`,
		[]string{"targets/0/promos/0/until: 2026-01-01T00:00:00Z", "before from 2026-01-02T00:00:00Z"},
		true,
	},

	{topics.SyncStatusTopic, "state", `"lost"`, []string{`state: "lost"`, "synced, pending"}, false},
	{topics.SyncStatusTopic, "reason", `""`, []string{"reason: missing or empty"}, false},
	{topics.SyncStatusTopic, "attempts", "-1", []string{"attempts: -1", "negative"}, false},
	{topics.SyncStatusTopic, "shortfall", "-0.5", []string{"shortfall: -0.5", "between"}, false},
	{topics.SyncStatusTopic, "delivered", "[]", []string{"delivered: []", "an object"}, false},
	{topics.SyncStatusTopic, "evidence", `"x"`, []string{`evidence: "x"`, "an object"}, false},
	{topics.SyncLogTopic, "at", "null", []string{"at: missing"}, false},
	{topics.SyncLogTopic, "outcome", "", []string{"outcome: missing"}, false},
	{topics.SyncLogTopic, "attempt", "-1", []string{"attempt: -1", "negative"}, false},
	{topics.SyncLogTopic, "latency_ms", "-1", []string{"latency_ms: -1", "negative"}, false},
	{topics.SyncLogTopic, "superseded", "9223372036854775808", []string{"superseded: 9223372036854775808", "an integer that fits"}, false},
	{topics.AuditTopic, "at", "", []string{"at: missing"}, false},
	{topics.AuditTopic, "actor", `""`, []string{"actor: missing"}, false},
	{topics.AuditTopic, "action", long(201), []string{`action: "éé`}, false},
}

func TestRecords_GoodOnesAreTaken(t *testing.T) {
	for topic := range goodRecords {
		row := badRecord{topic: topic, raw: "none"}
		value := []byte(object(goodRecords[topic]))
		if err := validate(t, topic, wholly(t, row, value)); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func TestRecords_BadOnesAreRefusedByDecoderAndSchema(t *testing.T) {
	for _, row := range badRecords {
		t.Run(row.topic+" "+row.name+" "+shortened(row.raw), func(t *testing.T) {
			c := codecOf(t, row.topic)
			value := []byte(object(goodRecords[row.topic], row.name, row.raw))
			record, err := c.decode(value)
			if err == nil {
				t.Fatalf("taken as %+v: %s", record, value)
			}
			for _, text := range append(row.says, "decode ") {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error lacks %q: %v", text, err)
				}
			}
			if err := validate(t, row.topic, wholly(t, row, value)); (err == nil) != row.silent {
				t.Errorf("the schema says %v, want silence %v: %s", err, row.silent, value)
			}
		})
	}
}

// wholly returns value with the members that its writer always writes and its reader can do without, so that the
// schema refuses the row's member and nothing else.
func wholly(t *testing.T, row badRecord, value []byte) []byte {
	t.Helper()
	c := codecOf(t, row.topic)
	good, err := c.decode([]byte(object(goodRecords[row.topic])))
	if err != nil {
		t.Fatal(err)
	}
	whole, members := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for text, into := range map[string]*map[string]json.RawMessage{string(c.encode(good)): &whole, string(value): &members} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(whole, members)
	if row.raw == "" {
		delete(whole, row.name)
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func shortened(s string) string { return s[:min(len(s), 40)] }

func TestRecords_EveryFaultOfAPersonsRecordIsNamedAtOnce(t *testing.T) {
	_, err := topics.DecodeStore([]byte(`{"store":"a|b","mode":"x","warehouses":["*","*"],"percent":-1}`))
	if err == nil {
		t.Fatal("taken")
	}
	for _, name := range []string{"store:", "marketplace:", "mode:", "warehouses/0:", "warehouses/1:", "percent:"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("error lacks %s %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %q", err)
	}
}

func TestRecords_WhatIsNoObjectIsRefused(t *testing.T) {
	for _, c := range codecs {
		deep := strings.Replace(string(c.encode(full[c.base])), "{", `{"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32)+",", 1)
		for _, value := range []string{"", " ", "null", "[]", `"x"`, "7", "{", "{}{}", "{} x", "\xff", `{"sku":"` + "\xff" + `"}`, "\ufeff{}", deep} {
			if record, err := c.decode([]byte(value)); err == nil {
				t.Errorf("%s took %.60q as %+v", c.base, value, record)
			}
		}
		shallow := strings.Replace(deep, "[]", "", 1)
		if _, err := c.decode([]byte(shallow)); err != nil {
			t.Errorf("%s at nesting 32: %v", c.base, err)
		}
	}
}

func TestDecodeListing_FillsWhatATargetLeavesOut(t *testing.T) {
	l, err := topics.DecodeListing([]byte(`{"store":"s","sku":"A","origin":"person","targets":[
		{"product_id":"1"},{"product_id":"2","tracked":null,"status":null},{"product_id":"3","tracked":false,"status":"banned"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []topics.Target{
		{ProductID: "1", Tracked: true, Status: topics.TargetActive},
		{ProductID: "2", Tracked: true, Status: topics.TargetActive},
		{ProductID: "3", Tracked: false, Status: topics.TargetBanned},
	} {
		if got := l.Targets[i]; got.ProductID != want.ProductID || got.Tracked != want.Tracked || got.Status != want.Status {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// Ensure a writer never makes what a reader refuses: a record that was changed may have been beyond any reader.
func TestRecords_WhatNobodyCouldReadIsWrittenAsText(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	rows := map[string]string{ // what a record was, and how the audit shows it
		"":                   "null",
		" {\"a\": 1.50} ":    `{"a": 1.50}`,
		`"text"`:             `"text"`,
		"not JSON":           `"not JSON"`,
		`{"a":1,"a":2}`:      `"{\"a\":1,\"a\":2}"`,
		"{\"a\":\"\xff\"}":   `"{\"a\":\"` + "\ufffd" + `\"}"`,
		`{"a":"\ud800"}`:     `"{\"a\":\"\\ud800\"}"`,
		"{} {}":              `"{} {}"`,
		nest(31):             nest(31),
		nest(32):             `"` + nest(32) + `"`,
		nest(10_000):         `"` + nest(10_000) + `"`,
		"\x1f\x8b\x08\x00\n": `"\u001f` + "\ufffd" + `\b\u0000\n"`,
	}
	for before, want := range rows {
		a := topics.AuditEntry{At: at, Actor: "ana", Action: "put", Before: topics.RawJSON(before)}
		value := a.Encode()
		if got := string(value); !strings.Contains(strings.ReplaceAll(got, " ", ""), `"before":`+strings.ReplaceAll(want, " ", "")+`,"after"`) {
			t.Errorf("%.40q: got %.200s, want %.60s in it", before, got, want)
		}
		if _, err := topics.DecodeAuditEntry(value); err != nil {
			t.Errorf("%.40q: %v", before, err)
		}
		if err := validate(t, topics.AuditTopic, value); err != nil {
			t.Errorf("%.40q: %v", before, err)
		}
	}
}

func TestRecords_WhatJSONCannotHoldIsWrittenAsItsText(t *testing.T) {
	var deep any = 1
	for range 40 {
		deep = []any{deep}
	}
	open := map[string]any{"nan": math.NaN(), "chan": make(chan int), "deep": deep, "bad\xff": "\xff", "kept": 1.5}
	status := topics.SyncStatus{Store: "s", SKU: "A", State: topics.StateBlocked, Reason: topics.SyncBraked, Evidence: open}
	got, err := topics.DecodeSyncStatus(status.Encode())
	if err != nil {
		t.Fatalf("%v in %s", err, status.Encode())
	}
	if got.Evidence["nan"] != "NaN" || got.Evidence["kept"] != 1.5 || got.Evidence["bad\ufffd"] != "\ufffd" || len(got.Evidence) != 5 {
		t.Errorf("got %v", got.Evidence)
	}
	command := topics.Command{ID: "1", Command: topics.CommandNightly, Args: open}
	var into topics.Command
	if reject := topics.DecodeCommand(command.Encode(), 0, &into); reject != nil || into.Args["nan"] != "NaN" {
		t.Errorf("got %v, %v", into.Args, reject)
	}
}

func TestRecords_TextThatIsNoUTF8IsMended(t *testing.T) {
	m := topics.Mutation{SKU: "A", Kind: topics.KindTouch, Note: "a\xffb\xed\xa0\x80"}
	var got topics.Mutation
	if reject := topics.DecodeMutation([]byte("A"), m.AppendJSON(nil), 0, &got); reject != nil || !strings.HasPrefix(got.Note, "a\ufffdb\ufffd") {
		t.Errorf("got %q, %v", got.Note, reject)
	}
}
