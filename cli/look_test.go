package cli_test

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestSummary_ShowsFiltersSortsAndLimits(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, _ := stocked(t, c)
		type row struct {
			SKU, Name, Warehouse             string
			Actual, Reserved, Net, Available topics.Quantity
		}
		jkt := row{"A001", "Kaos Merah", "JKT", 40e6, 9e6, 31e6, 31e6}
		sub := row{"A001", "Kaos Merah", "SUB", -1e6, 0, -1e6, 0}
		blue := row{"A002", "Kaos Biru", "JKT", 2_500_000, 9e6, -6_500_000, 0}
		cases := map[string]struct {
			args []string
			want []row
		}{
			"all":              {nil, []row{jkt, sub, blue}},
			"words":            {[]string{"kaos", "MERAH"}, []row{jkt, sub}},
			"part of a sku":    {[]string{"002"}, []row{blue}},
			"nothing found":    {[]string{"hijau"}, []row{}},
			"warehouse":        {[]string{"--warehouse", "SUB"}, []row{sub}},
			"warehouses":       {[]string{"-w", "SUB", "-w", "JKT"}, []row{jkt, sub, blue}},
			"negative":         {[]string{"--negative"}, []row{sub, blue}},
			"sort":             {[]string{"--sort", "net"}, []row{blue, sub, jkt}},
			"sort down, limit": {[]string{"--sort", "reserved", "--desc", "-n", "2"}, []row{jkt, blue}},
			"totals": {[]string{"--totals"}, []row{
				{"A001", "Kaos Merah", "", 39e6, 9e6, 30e6, 30e6}, {"A002", "Kaos Biru", "", 2_500_000, 9e6, -6_500_000, 0},
			}},
		}
		for name, tt := range cases {
			t.Run(name, func(t *testing.T) {
				r := run(t, cfg, append([]string{"summary", "--json"}, tt.args...)...)
				r.want(t, cli.ExitOK)
				got := []row{}
				for _, s := range decode[[]cli.SummaryRow](t, r) {
					got = append(got, row{s.SKU, s.Name, s.Warehouse, s.Actual, s.Reserved, s.Net, s.Available})
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		run(t, cfg, "summary").want(t, cli.ExitOK,
			"1:SKU   NAME        WAREHOUSE  ACTUAL  RESERVED  AVAILABLE   NET  AS OF\n",
			"1:A001  Kaos Merah  JKT            40         9         31    31  20",
			"1:A002  Kaos Biru   JKT           2.5         9          0  -6.5  20")
		rows, err := csv.NewReader(strings.NewReader(run(t, cfg, "summary", "--csv").stdout)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"A002", "Kaos Biru", "JKT", "2.5", "9", "-6.5", "0"}, rows[3][:7]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSummary_OfTwoRecordsTheHigherRevisionCounts(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	record := func(sku string, revision int64, qty topics.Quantity, partition int32, header bool) {
		a := topics.Availability{
			SKU: sku, Revision: revision, Actual: qty, Net: qty, Available: qty,
			Warehouses: []topics.WarehouseStock{{Warehouse: "W", Actual: qty, Net: qty, Available: qty}},
		}
		r := &kgo.Record{Topic: cfg.TopicPrefix + topics.AvailabilityTopic, Partition: partition, Key: []byte(sku), Value: a.AppendJSON(nil)}
		if header {
			r.Headers = []kgo.RecordHeader{{Key: topics.HeaderRevision, Value: strconv.AppendInt(nil, revision, 10)}}
		}
		if err := c.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// SKU A was moved from partition 0 to 3; of B an older record comes last.
	record("A", 7, 1e6, 0, true)
	record("A", 9, 2e6, 3, true)
	record("B", 8, 3e6, 1, true)
	record("B", 6, 4e6, 1, false)
	got := map[string]topics.Quantity{}
	for _, row := range decode[[]cli.SummaryRow](t, run(t, cfg, "summary", "--json")) {
		got[row.SKU] = row.Actual
	}
	if diff := cmp.Diff(map[string]topics.Quantity{"A": 2e6, "B": 3e6}, got); diff != "" {
		t.Error(diff)
	}
}

func TestExplain_TellsWhatMakesTheNumbers(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, _ := stocked(t, c)
		produce(t, c, cfg, topics.Stores, "web", `{"store":"web","marketplace":"webhook","warehouses":["*"]}`)
		produce(t, c, cfg, topics.Stores, "old", `{"store":"old","marketplace":"webhook","warehouses":["*"],"disable_stock_update":true}`)
		produce(t, c, cfg, topics.Stores, "bare", `{"store":"bare","marketplace":"webhook","warehouses":[]}`)
		produce(t, c, cfg, topics.Stores, "bad", `{"store":"bad","warehouses":7}`)
		status := topics.SyncStatus{
			Store: "tokopedia-main", SKU: "A001", State: topics.StateBlocked, Reason: topics.SyncListingBanned,
			Also: []topics.SyncReason{topics.SyncMarketplaceError}, Wanted: topics.Wanted{Revision: 1, Qty: 31e6},
			Error: &topics.SyncError{Code: "12052", Message: "banned"}, Since: at(8), UpdatedAt: at(9),
			Owner: topics.Owner{Instance: "s1", Generation: 2},
		}
		produce(t, c, cfg, topics.SyncStatusTopic, "tokopedia-main|A001", string(status.Encode()))

		e := decode[cli.Explanation](t, run(t, cfg, "explain", "A001", "--json"))
		if e.Name != "Kaos Merah" || e.Availability == nil || e.Availability.Actual != 39e6 || e.Availability.Reserved != 9e6 {
			t.Errorf("got %+v", e.Availability)
		}
		if len(e.Lines) != 2 || e.Lines[0].LineID != "1" || e.Lines[0].Reason != "purchase_receipt" || e.Lines[1].Qty != -1e6 {
			t.Errorf("got ledger lines %+v", e.Lines)
		}
		if len(e.Orders) != 2 || e.OtherOrders != 1 || e.Orders[0].OrderLineID != "SO-2/1" || e.Orders[1].Reserved != 7e6 ||
			e.Orders[1].Store != "tokopedia-main" {
			t.Errorf("got order lines %+v", e.Orders)
		}
		if n := e.Availability.CausesTotal; n == 0 || len(e.Availability.Causes) == 0 {
			t.Errorf("got causes %+v", e.Availability.Causes)
		}
		text := map[string]string{}
		for _, s := range e.Stores {
			text[s.Store] = s.Text + " " + s.Note
		}
		for store, part := range map[string]string{
			"web": "No status yet", "old": "disabled for the store", "bare": "No warehouse", "bad": "cannot be used",
			"tokopedia-main": "banned the listing",
		} {
			if !strings.Contains(text[store], part) {
				t.Errorf("store %s: %q lacks %q", store, text[store], part)
			}
		}

		run(t, cfg, "explain", "A001").want(t, cli.ExitOK,
			"1:A001  Kaos Merah\nActual 39, Reserved 9, Available 30 (net 30)", "1:tokopedia-main reserved 7 taken 7",
			"1:Ledger lines, newest first (2 of 2)", "1:Order lines that hold stock, oldest first (2 of 2; 1 more hold none)",
			"1:SO-1/1", "1:blocked", "1:The marketplace banned the listing", "1:Produk diblokir", "1:answer    12052 banned", "1:also      marketplace_error: The shop answered")
		run(t, cfg, "explain", "A001", "--lines", "1").want(t, cli.ExitOK, "1:(1 of 2)")
		one := run(t, cfg, "explain", "A001", "tokopedia-main")
		one.want(t, cli.ExitOK, "1:tokopedia-main")
		if strings.Contains(one.stdout, "No warehouse") {
			t.Errorf("other stores are shown: %s", one.stdout)
		}
		if bare := e.Stores[slices.IndexFunc(e.Stores, func(s cli.ExplainedStore) bool { return s.Store == "bare" })]; bare.Status != nil ||
			bare.State != topics.StateBlocked || bare.Reason != topics.SyncNoWarehouse || bare.TextID == "" || bare.Fix == "" {
			t.Errorf("got %+v", bare)
		}
		run(t, cfg, "explain", "A001", "nowhere").want(t, cli.ExitFailed, `2:store "nowhere": no such store`)
		run(t, cfg, "explain", "a001").want(t, cli.ExitFailed, "2:a001: nothing is known of it", "2:case")
	})
}

func TestExplain_ShowsTheWarehousesThatMatter(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	start(t, cfg, "processor")
	const warehouses, busy, oversold = 30, "WH-25", "WH-27"
	lines := "line_id,version,sku,warehouse,qty,effective_at\n"
	for i := range warehouses {
		lines += fmt.Sprintf("in-%d,1,A001,WH-%02d,%d,2026-01-30\n", i, i, 100-i)
	}
	lines += "again,1,A001," + busy + ",1,2026-01-31\n" + "out,1,A001," + oversold + ",-200,2026-01-31\n"
	run(t, cfg, "load", "--topic", "mutations", write(t, "ledger.csv", lines)).want(t, cli.ExitOK)
	settle(t, c, cfg)

	shown := func(args ...string) (names []string, text string) {
		r := run(t, cfg, append([]string{"explain", "A001"}, args...)...)
		r.want(t, cli.ExitOK)
		_, table, _ := strings.Cut(r.stdout, "BY STORE\n")
		table, _, _ = strings.Cut(table, "\n\n")
		for line := range strings.Lines(table) {
			if name := strings.Fields(line)[0]; name != "..." {
				names = append(names, name)
			}
		}
		return names, r.stdout
	}
	few, text := shown()
	want := []string{oversold, busy, "WH-00", "WH-01"}
	if len(few) != 20 || !slices.Equal(few[:len(want)], want) || !strings.Contains(text, "\n  ... and 10 more (--all)\n") {
		t.Errorf("got %v, want 20 that begin with %v, and how many more there are:\n%s", few, want, text)
	}
	if all, text := shown("--all"); len(all) != warehouses || strings.Contains(text, "more (") ||
		!strings.Contains(text, "Ledger lines, newest first (32 of 32)") {
		t.Errorf("--all shows %d warehouses:\n%s", len(all), text)
	}
	e := decode[cli.Explanation](t, run(t, cfg, "explain", "A001", "--json"))
	if n := len(e.Availability.Warehouses); n != warehouses || len(e.Lines) != warehouses+2 {
		t.Errorf("JSON has %d warehouses and %d lines, want all", n, len(e.Lines))
	}
}

func TestResync_ForcesANewRecordOfTheSameNumbers(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, _ := stocked(t, c)
		before := decode[cli.Explanation](t, run(t, cfg, "explain", "A001", "--json")).Availability
		run(t, cfg, "resync", "A001").want(t, cli.ExitOK, "1:asked for 1 SKUs")
		settle(t, c, cfg)
		after := decode[cli.Explanation](t, run(t, cfg, "explain", "A001", "--json")).Availability
		if after.Revision <= before.Revision || after.Trigger != topics.TriggerManual || after.Changed ||
			after.Actual != before.Actual || after.AsOf != before.AsOf {
			t.Errorf("before %+v, after %+v", before, after)
		}
		entries := records(t, c, cfg, topics.AuditTopic)
		if len(entries) != 1 {
			t.Fatalf("%d audit entries", len(entries))
		}
		entry, err := topics.DecodeAuditEntry(entries[0].Value)
		if err != nil || entry.Action != "resync" || entry.RecordKey != "A001" || entry.Via != "cli" || entry.Actor == "" {
			t.Errorf("got %+v, %v", entry, err)
		}

		run(t, cfg, "resync", "A001", "a-typo").want(t, cli.ExitFailed, "2:a-typo: no availability", "2:--force")
		if got := len(records(t, c, cfg, topics.AuditTopic)); got != 1 {
			t.Errorf("a refused resync wrote something: %d audit entries", got)
		}
		run(t, cfg, "resync", "--force", "--json", "new one").want(t, cli.ExitOK, `1:"new one"`)
		settle(t, c, cfg)
		run(t, cfg, "summary", "--totals", "new").want(t, cli.ExitOK, "1:new one")
		run(t, cfg, "resync", "--force", "\xff").want(t, cli.ExitUsage, "2:sku")
	})
}
