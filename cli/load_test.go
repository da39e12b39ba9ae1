package cli_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

const ledger = `line_id,version,sku,warehouse,qty,effective_at,reason
1,1,A001,JKT,40,2026-01-31T08:00:00+07:00,purchase_receipt
2,1,A002,JKT,2.5,2026-01-31 08:00:00,"receipt, late"
3,1,A001,SUB,-1,2026-01-31,
`

// mutations returns what a load produced, by line_id.
func mutations(t *testing.T, c *testenv.Cluster, cfg cli.Config) map[string]topics.Mutation {
	t.Helper()
	found := map[string]topics.Mutation{}
	for _, r := range records(t, c, cfg, topics.Mutations) {
		var m topics.Mutation
		if why := topics.DecodeMutation(r.Key, r.Value, 1<<20, &m); why != nil {
			t.Fatalf("produced a record that is no mutation: %v in %s", why, r.Value)
		}
		if want := topics.PartitionOf(r.Key, cfg.Partitions); r.Partition != want {
			t.Errorf("sku %s went to partition %d, want %d", r.Key, r.Partition, want)
		}
		found[m.LineID] = m
	}
	return found
}

// at is a time of day in Jakarta on the ledger's date.
func at(hour int) topics.Time {
	return topics.TimeOf(time.Date(2026, 1, 31, hour, 0, 0, 0, time.FixedZone("WIB", 7*3600)))
}

func wantLedger() map[string]topics.Mutation {
	return map[string]topics.Mutation{
		"1": {
			LineID: "1", Version: 1, SKU: "A001", Warehouse: "JKT", Qty: 40 * topics.One, EffectiveAt: at(8),
			Reason: "purchase_receipt",
		},
		"2": {
			LineID: "2", Version: 1, SKU: "A002", Warehouse: "JKT", Qty: 2_500_000, EffectiveAt: at(8),
			Reason: "receipt, late",
		},
		"3": {LineID: "3", Version: 1, SKU: "A001", Warehouse: "SUB", Qty: -topics.One, EffectiveAt: at(0)},
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLoad_ReadsEveryFormat(t *testing.T) {
	c := testenv.StartKfake(t)
	jsonl := `{"line_id":"1","version":1,"sku":"A001","warehouse":"JKT","qty":40,"effective_at":"2026-01-31T08:00:00+07:00","reason":"purchase_receipt","unknown":{"a":[1]}}

 {"line_id":"2","version":1,"sku":"A002","warehouse":"JKT","qty":"2.5","effective_at":"2026-01-31T01:00:00Z","reason":"receipt, late","seq":null}
{"line_id":"3","version":1,"sku":"A001","warehouse":"SUB","qty":-1,"effective_at":"2026-01-30T17:00:00Z"}`
	cases := map[string]struct {
		name, text string
		args       []string
	}{
		"csv":                 {"a.csv", ledger, nil},
		"csv, gzip":           {"a.csv.gz", zipped(t, ledger), nil},
		"csv, byte order":     {"a.csv", "\ufeff" + ledger, nil},
		"csv, dos line ends":  {"a.csv", strings.ReplaceAll(ledger, "\n", "\r\n"), nil},
		"csv, semicolons":     {"a.csv", strings.ReplaceAll(strings.ReplaceAll(ledger, ",", ";"), "; late", ", late"), []string{"--delimiter", ";"}},
		"json lines":          {"a.jsonl", jsonl, nil},
		"json lines, gzip":    {"a", zipped(t, jsonl), nil},
		"json lines, by flag": {"a", jsonl, []string{"--format", "jsonl"}},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := withTopics(t, c)
			file := write(t, tt.name, tt.text)
			r := run(t, cfg, append([]string{"load", "--topic", "mutations", file}, tt.args...)...)
			r.want(t, cli.ExitOK, "1:loaded 3 of 3 rows, 0 bad, into "+cfg.TopicPrefix+"mutations")
			if diff := cmp.Diff(wantLedger(), mutations(t, c, cfg)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoad_ReadsStandardInput(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	r := runInput(t, cfg, strings.NewReader(zipped(t, ledger)), "load", "--topic", "mutations", "--json", "-")
	r.want(t, cli.ExitOK)
	report := decode[cli.LoadReport](t, r)
	if report.Rows != 3 || report.Produced != 3 || report.Rejected != 0 || report.RowsPerSecond <= 0 {
		t.Errorf("got %+v", report)
	}
	if diff := cmp.Diff(wantLedger(), mutations(t, c, cfg)); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_MapsColumnsAndFillsTemplates(t *testing.T) {
	// The columns of the real data sets: ts, order_id, sku, location, quantity.
	sales := "ts,order_id,item,location,quantity\n2026-01-31 08:00:00,B1,A 1,7,3\n2026-01-31 09:00:00.5,B1,A 2,7,0\n" +
		"2026-01-31 10:00,B2,A 1,8,-2\n"
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	file := write(t, "sales.csv.gz", zipped(t, sales))
	run(t, cfg, "load", "--topic", "orders", "--map", "sku=item", "--map", "warehouse=location", "--map", "ordered_at=ts",
		"--map", "ordered_qty=quantity", "--set", "order_line_id={_file}/{order_id}/{_line}", "--set", "version={_line}",
		"--set", "status=open", "--set", "source={{pos}}", "--skip-bad", "--timezone", "UTC", file).
		want(t, cli.ExitOK, "1:loaded 2 of 3 rows, 1 bad", "2:sales.csv.gz:4: ", "2:ordered_qty", "2:-2")
	var got []topics.Order
	for _, r := range records(t, c, cfg, topics.Orders) {
		var o topics.Order
		if why := topics.DecodeOrder(r.Key, r.Value, 1<<20, &o); why != nil {
			t.Fatal(why)
		}
		got = append(got, o)
	}
	slices.SortFunc(got, func(a, b topics.Order) int { return strings.Compare(a.OrderLineID, b.OrderLineID) })
	first := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	want := []topics.Order{
		{
			OrderLineID: "sales.csv/B1/2", Version: 2, SKU: "A 1", Warehouse: "7", Status: topics.OrderOpen,
			OrderedQty: 3 * topics.One, OrderedAt: topics.TimeOf(first), OrderID: "B1", Source: "{pos}",
		},
		{
			OrderLineID: "sales.csv/B1/3", Version: 3, SKU: "A 2", Warehouse: "7", Status: topics.OrderOpen,
			OrderedAt: topics.TimeOf(first.Add(time.Hour + 500*time.Millisecond)), OrderID: "B1", Source: "{pos}",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	run(t, cfg, "load", "--topic", "mutations", "--set", "line_id={order_id}/{_line}", "--set", "version=1", "--map", "sku=item",
		"--map", "warehouse=location", "--map", "effective_at=ts", "--set", "qty=-{quantity}", file).want(t, cli.ExitOK)
	signs := map[string]topics.Quantity{}
	for id, m := range mutations(t, c, cfg) {
		signs[id] = m.Qty
	}
	if diff := cmp.Diff(map[string]topics.Quantity{"B1/2": -3 * topics.One, "B1/3": 0, "B2/4": 2 * topics.One}, signs); diff != "" {
		t.Error(diff)
	}
}

// badLedger has one good row and one of each kind of bad row.
const badLedger = `line_id,version,sku,warehouse,qty,effective_at
1,1,A001,JKT,40,2026-01-31
2,one,A001,JKT,40,2026-01-31
3,1,,JKT,40,2026-01-31
4,1,A001,JKT,"1,5",2026-01-31
5,1,A001,JKT,1,31/01/2026
6,1,A001,JKT,1
7,1,A001,JKT,1,2026-01-31,surplus
`

func TestLoad_ErrorsNameFileLineFieldAndValue(t *testing.T) {
	file := write(t, "bad.csv", badLedger)
	r := run(t, config(t), "load", "--topic", "mutations", "--dry-run", file)
	r.want(t, cli.ExitFailed,
		"1:checked 7 rows for test.mutations, 6 bad, nothing written",
		"2:bad.csv:3: version", `2:one`,
		"2:bad.csv:4: sku",
		`2:bad.csv:5: qty`, "2:1,5",
		"2:bad.csv:6: effective_at", "2:31/01/2026",
		"2:bad.csv:7: 5 cells, but 6 columns are named",
		"2:bad.csv:8: 7 cells, but 6 columns are named",
	)
}

func TestLoad_DryRunNeedsNoBrokerAndWritesNothing(t *testing.T) {
	file := write(t, "bad.csv", badLedger)
	run(t, config(t), "load", "--topic", "mutations", "--dry-run", "--skip-bad", file).want(t, cli.ExitFailed)
	if _, err := os.Stat(file + ".rejected"); !os.IsNotExist(err) {
		t.Errorf("a dry run wrote a reject file: %v", err)
	}
	run(t, config(t), "load", "--topic", "mutations", "--dry-run", write(t, "good.csv", ledger)).
		want(t, cli.ExitOK, "1:checked 3 rows")
}

func TestLoad_StopsAtTheFirstBadRow(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	file := write(t, "bad.csv", badLedger)
	run(t, cfg, "load", "--topic", "mutations", file).
		want(t, cli.ExitFailed, "2:bad.csv:3: version", "1:loaded 1 of 2 rows, 1 bad")
	if got := len(mutations(t, c, cfg)); got != 1 {
		t.Errorf("%d records were produced, want 1", got)
	}
}

func TestLoad_NamesAllMissingColumnsBeforeTheFirstRow(t *testing.T) {
	cases := map[string]struct {
		topic, text string
		args        []string
		want        string // of the error; empty: none
	}{
		"mutations":         {"mutations", "a,b\n1,2\n", nil, "no column for line_id, version, sku, warehouse, qty, effective_at; there are a, b; see --map"},
		"orders":            {"orders", "sku,order_id\n", nil, "no column for order_line_id, version, warehouse, status, ordered_qty, ordered_at;"},
		"mapped and set":    {"mutations", "sku,q,warehouse\n", []string{"--map", "qty=q", "--set", "version=1"}, "no column for line_id, effective_at;"},
		"case counts":       {"mutations", "SKU\n", []string{"--set", "kind=touch"}, "no column for sku; there are SKU;"},
		"a touch needs sku": {"mutations", "sku\nA\n", []string{"--set", "kind=touch"}, ""},
		"rows may touch":    {"mutations", "sku,kind\nA,touch\n", nil, ""},
		"counts":            {"mutations", "sku,qty\n", []string{"--set", "kind=count"}, "no column for line_id, version, warehouse, effective_at;"},
		"semicolons":        {"mutations", "line_id;sku\n", nil, "is --delimiter ';' wanted?"},
		"tabs":              {"mutations", "line_id\tsku\n", nil, "is --delimiter 'tab' wanted?"},
		"very many columns": {"mutations", strings.Repeat("x", 5000) + "\n", nil, "xxx...; see"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			r := run(t, config(t), append([]string{"load", "--topic", tt.topic, "--dry-run", write(t, "a.csv", tt.text)}, tt.args...)...)
			if tt.want == "" {
				r.want(t, cli.ExitOK, "1:checked 1 rows")
				return
			}
			r.want(t, cli.ExitUsage, "2:a.csv: ", "2:"+tt.want)
			if r.stdout != "" {
				t.Errorf("of nothing it reports %q", r.stdout)
			}
		})
	}
}

func TestLoad_SaysWhatIsWrongWithAFile(t *testing.T) {
	big := "line_id,version,sku,warehouse,qty,effective_at\n"
	for i := range 20_000 {
		big += fmt.Sprintf("%d,1,A%d,W,1,2026-01-31\n", i, i%97)
	}
	whole := zipped(t, big)
	cases := map[string]struct{ text, want string }{
		"empty":             {"", "empty file"},
		"blank":             {"\n\n", "empty file"},
		"utf-16":            {"\xff\xfel\x00i\x00n\x00e\x00", "save the file as CSV in UTF-8"},
		"binary":            {"PK\x03\x04\x00\x00", "save the file as CSV in UTF-8"},
		"a column twice":    {"a,b,a\n", `column "a" is there twice`},
		"quote in names":    {"a,b\"\n", "read the line of column names: a quote"},
		"gzip of no length": {whole[:5], "damaged gzip: unexpected EOF"},
		"gzip cut short":    {whole[:len(whole)/2], " rows: damaged gzip: unexpected EOF"},
		"gzip changed":      {whole[:len(whole)-8] + "........", "read row after 20000 rows: damaged gzip: gzip: invalid checksum"},
		"json array":        {`[{"sku":"A"}]`, "not a JSON object\nJSON Lines hold one object a line"},
		"json, indented":    {"{\n  \"sku\": \"A\"\n}\n", "\nJSON Lines hold one object a line"},
		"json, other names": {`{"item":"A","amount":1}`, "sku: missing\nThe names are item, amount; see --map"},
		"latin 1":           {"line_id,version,sku,warehouse,qty,effective_at,note\n1,1,A,W,1,2026-01-31,caf\xe9\n", `a:2: note: "caf\xe9" is not valid UTF-8`},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			run(t, config(t), "load", "--topic", "mutations", "--dry-run", write(t, "a", tt.text)).
				want(t, cli.ExitFailed, "2:"+tt.want)
		})
	}
}

func TestLoad_LooksForAllFilesFirst(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	good := write(t, "good.csv", ledger)
	run(t, cfg, "load", "--topic", "mutations", good, good+".typo").want(t, cli.ExitFailed, "2:good.csv.typo: no such file")
	run(t, cfg, "load", "--topic", "mutations", good, t.TempDir()).want(t, cli.ExitFailed, "2:is a directory")
	if got := len(mutations(t, c, cfg)); got != 0 {
		t.Errorf("%d records were produced, want none", got)
	}
	run(t, cfg, "load", "--topic", "mutations").want(t, cli.ExitUsage, "2:stocksync load wants FILE")
}

func TestLoad_ReadsNumbersAndTimesAsTheyAreExported(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	var file strings.Builder
	file.WriteString("version,sku,warehouse,qty,effective_at\n")
	type read struct {
		Version int64
		Qty     topics.Quantity
		At      topics.Time
	}
	want := map[string]read{}
	for i, row := range []struct {
		version, qty, at string
		want             read
	}{
		{"1.0", "1.500000000", "2026-01-31 08:00:00", read{1, 1_500_000, at(8)}},
		{"+2", ".5", "2026-01-31 08:00", read{2, 500_000, at(8)}},
		{"-3", "-.5", "2026-01-31T08:00", read{-3, -500_000, at(8)}},
		{"4", "+7.", "2026-01-31 01:00:00+00", read{4, 7_000_000, at(8)}},
		{"5", " 1e3 ", "2026-01-31 08:00:00.000+07:00", read{5, 1000_000_000, at(8)}},
		{"6", "0.000000", "2026-01-31 08:00:00 +07:00", read{6, 0, at(8)}},
		{"7", "1", "2026-01-31T01:00:00+0000", read{7, 1_000_000, at(8)}},
		{"8", "1", "2026-01-31 01:00:00Z", read{8, 1_000_000, at(8)}},
		{"9", "1", "2026-01-31T01:00:00Z", read{9, 1_000_000, at(8)}},
	} {
		fmt.Fprintf(&file, "%s,A,W,%s,%s\n", row.version, row.qty, row.at)
		want[fmt.Sprint(i+2)] = row.want
	}
	run(t, cfg, "load", "--topic", "mutations", "--set", "line_id={_line}", write(t, "a.csv", file.String())).want(t, cli.ExitOK)
	got := map[string]read{}
	for id, m := range mutations(t, c, cfg) {
		got[id] = read{m.Version, m.Qty, m.EffectiveAt}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, qty := range []string{"1,5", "1.234,5", "1.2345678", ".", "-", "1 000", "1.5.0", "--+1", "NaN"} {
		text := "qty,line_id,version,sku,warehouse,effective_at\n\"" + qty + "\",1,1,A,W,2026-01-31\n"
		run(t, cfg, "load", "--topic", "mutations", "--dry-run", write(t, "b.csv", text)).want(t, cli.ExitFailed, "2:b.csv:2: qty: ")
	}
}

func TestLoad_LeavesEarlierRejectFilesAlone(t *testing.T) {
	cfg := withTopics(t, testenv.StartKfake(t))
	file := write(t, "bad.csv", badLedger)
	first := file + ".rejected"
	if err := os.WriteFile(first, []byte("being mended"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, cfg, "load", "--topic", "mutations", "--skip-bad", file).want(t, cli.ExitOK, "1:bad rows are in "+first+"-2")
	if got := read(t, first); got != "being mended" {
		t.Errorf("got %q", got)
	}
}

func TestLoad_MendedRejectsKeepTheIdsOfTheirRows(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	ids := []string{"--set", "line_id={_file}/{_line}"}
	file := write(t, "bad.csv", badLedger)
	run(t, cfg, append([]string{"load", "--topic", "mutations", "--skip-bad", file}, ids...)...).
		want(t, cli.ExitOK, "1:loaded 1 of 7 rows, 6 bad", "1:6 bad rows are in "+file+".rejected")
	rows, err := csv.NewReader(strings.NewReader(read(t, file+".rejected"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"line_id", "version", "sku", "warehouse", "qty", "effective_at", "_file", "_line", "_error"}
	if diff := cmp.Diff(want, rows[0]); diff != "" {
		t.Error(diff)
	}
	if got := rows[1]; got[1] != "one" || got[6] != "bad.csv" || got[7] != "3" || !strings.Contains(got[8], "version") {
		t.Errorf("got %q", got)
	}
	if got := rows[6][5]; got != "2026-01-31,surplus" {
		t.Errorf("surplus cells are lost: %q", got)
	}
	rows[1][1], rows[2][2], rows[3][4], rows[4][5], rows[5][5], rows[6][5] =
		"1", "A009", "1.5", "2026-01-31", "2026-01-31", "2026-01-31"
	var mended bytes.Buffer
	if err := csv.NewWriter(&mended).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	again := write(t, "mended.csv", mended.String())
	run(t, cfg, append([]string{"load", "--topic", "mutations", again}, ids...)...).want(t, cli.ExitOK, "1:loaded 6 of 6")
	got := slices.Sorted(maps.Keys(mutations(t, c, cfg)))
	if diff := cmp.Diff([]string{"bad.csv/2", "bad.csv/3", "bad.csv/4", "bad.csv/5", "bad.csv/6", "bad.csv/7", "bad.csv/8"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_RejectsOfUnmatchedQuotesLoseNothing(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	file := write(t, "bad.csv", `line_id,version,sku,warehouse,qty,effective_at,note
1,1,A001,JKT,1,2026-01-31,5" pipe
2,1,A001,JKT,1,2026-01-31,"never closed
3,1,A001,JKT,1,2026-01-31,fine
4,1,A001,JKT,1,2026-01-31,"also, fine"
5,1,A001,JKT,1,2026-01-31,"opened twice
`)
	run(t, cfg, "load", "--topic", "mutations", "--skip-bad", file).want(t, cli.ExitOK, "1:loaded 2 of 5 rows, 3 bad",
		`2:bad.csv:2: note: a quote`, `2:bad.csv:3: note: text after`, `2:bad.csv:6: note: a quote (") that is never closed`)
	rows, err := csv.NewReader(strings.NewReader(read(t, file+".rejected"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[0]+" "+r[6]+" "+r[8])
	}
	if diff := cmp.Diff([]string{`1 5" pipe 2`, `2 "never closed 3`, `5 "opened twice 6`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_RejectsOfJSONLinesKeepTheRowWhole(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	file := write(t, "bad.jsonl", strings.Join([]string{
		`{"line_id":"1","version":1,"sku":"A","warehouse":"W","qty":1,"effective_at":"2026-01-31T00:00:00Z"}`,
		`{"line_id":"2","version":1,"sku":"A","warehouse":"W","qty":1e-9,"effective_at":"2026-01-31T00:00:00Z","x":{"y":"z"}}`,
		`{"line_id":"3","line_id":"4"}`, `[1]`, `{"a":1} {"b":2}`, "{\"sku\":\"\xff\"}", `{"sku`,
	}, "\n"))
	reject := filepath.Join(t.TempDir(), "rejects")
	run(t, cfg, "load", "--topic", "mutations", "--skip-bad", "--reject", reject, file).want(t, cli.ExitOK,
		"1:loaded 1 of 7 rows, 6 bad", "2:bad.jsonl:2: qty", "2:bad.jsonl:4: not a JSON object", "2:bad.jsonl:5: more than one",
		"2:bad.jsonl:6: not valid UTF-8", "2:bad.jsonl:7: not a JSON object")
	lines := strings.Split(strings.TrimSpace(read(t, reject)), "\n")
	want := `{"line_id":"2","version":1,"sku":"A","warehouse":"W","qty":1e-9,"effective_at":"2026-01-31T00:00:00Z","x":{"y":"z"},` +
		`"_file":"bad.jsonl","_line":2,"_error":`
	if !strings.HasPrefix(lines[0], want) {
		t.Errorf("got %s", lines[0])
	}
	if want := `{"_raw":"[1]","_file":"bad.jsonl","_line":4,"_error":`; !strings.HasPrefix(lines[2], want) {
		t.Errorf("got %s", lines[2])
	}
}

func TestLoad_RefusesUnsafeUse(t *testing.T) {
	file := write(t, "a.csv", ledger)
	cases := map[string]struct {
		want string
		args []string
	}{
		"reject file is the input":       {"is the input itself", []string{"--skip-bad", "--reject", file, file}},
		"rejects of standard input":      {"needs --reject", []string{"--skip-bad", "-"}},
		"one reject file for two inputs": {"one input file", []string{"--skip-bad", "--reject", "x", file, file}},
		"column that is not there":       {"no such column; there are line_id, version", []string{"--map", "sku=item", file}},
		"template of a missing column":   {`no column "item"`, []string{"--set", "sku={item}", file}},
		"field given twice":              {"given twice", []string{"--map", "sku=a", "--set", "sku=b", file}},
		"long delimiter":                 {"want one character", []string{"--delimiter", "ab", file}},
		"unknown zone":                   {"Asia/Jakarta", []string{"--timezone", "Mars", file}},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"load", "--topic", "mutations"}, tt.args...)
			cfg := on(t, testenv.StartKfake(t))
			ensureOnce(t, cfg)
			run(t, cfg, args...).want(t, cli.ExitUsage, "2:"+tt.want)
		})
	}
	if read(t, file) != ledger {
		t.Error("the input was changed")
	}
}

func ensureOnce(t *testing.T, cfg cli.Config) {
	t.Helper()
	run(t, cfg, "topics", "ensure").want(t, cli.ExitOK)
}

func TestLoad_InterruptedSaysHowFarItCame(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	in := &endless{stop: cancel, after: 50_000}
	r := runContext(ctx, cfg, in, "load", "--topic", "mutations", "--set", "version=1", "--set", "line_id={_line}", "-")
	r.want(t, cli.ExitFailed, "2:interrupted after", "2:loading again is safe", "1:loaded ")
	if got := len(mutations(t, c, cfg)); got < 1000 {
		t.Errorf("%d records were produced, want what was read", got)
	}
}

func TestLoad_InterruptedWhileItWaitsForInput(t *testing.T) {
	cfg := withTopics(t, testenv.StartKfake(t))
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan result)
	go func() { done <- runContext(ctx, cfg, in, "load", "--topic", "mutations", "--json", "-") }()
	if _, err := io.WriteString(typed, ledger); err != nil { // it returns when all was read, and nothing more comes
		t.Fatal(err)
	}
	cancel()
	r := <-done
	r.want(t, cli.ExitFailed, "2:interrupted after")
	if report := decode[cli.LoadReport](t, r); report.Produced != report.Rows {
		t.Errorf("got %+v, want all rows that were read to be produced", report)
	}
}

func TestStall_IsSaidOnceForEachTimeNothingMoves(t *testing.T) {
	var s cli.Stall
	begin := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		second                int
		acknowledged, waiting int64
		want                  bool
	}{
		{0, 0, 0, false},
		{60, 0, 0, false},
		{61, 0, 5, false},
		{69, 0, 5, false},
		{70, 0, 5, true},
		{90, 0, 5, false},
		{91, 1, 5, false},
		{100, 1, 5, false},
		{101, 1, 9, true},
		{102, 1, 0, false},
		{200, 1, 0, false},
	} {
		if got := s.Begins(begin.Add(time.Duration(step.second)*time.Second), step.acknowledged, step.waiting); got != step.want {
			t.Errorf("after %d s: %t, want %t", step.second, got, step.want)
		}
	}
}

// endless is a CSV file without end that interrupts its reader after some rows.
type endless struct {
	stop  func()
	after int
	rows  int
	rest  []byte
}

func (e *endless) Read(b []byte) (int, error) {
	for len(e.rest) == 0 {
		if e.rows == 0 {
			e.rest = []byte("sku,warehouse,qty,effective_at\n")
		}
		e.rows++
		if e.rows == e.after {
			e.stop()
		}
		e.rest = fmt.Appendf(e.rest, "S%d,W,1,2026-01-31\n", e.rows%10)
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}
