package cli_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// sending is an installation with a small stock, whose sinks run and may send to a sandbox.
func sending(t *testing.T, c *testenv.Cluster) (cli.Config, *testenv.Sandbox) {
	t.Helper()
	cfg, shop := withTopics(t, c), testenv.StartSandbox(t, testenv.SandboxConfig{})
	cfg.Credentials = func(ref string) (map[string]string, error) {
		if ref != "shop" {
			return nil, fmt.Errorf("credentials_ref %q: no such file", ref)
		}
		return map[string]string{"secret": testenv.DefaultSecret}, nil
	}
	start(t, cfg, "run").ready(t)
	run(t, cfg, "load", "--topic", "mutations", write(t, "ledger.csv", ledger)).want(t, cli.ExitOK)
	run(t, cfg, "load", "--topic", "orders", write(t, "orders.csv", stockOrders)).want(t, cli.ExitOK)
	settle(t, c, cfg)
	return cfg, shop
}

// setUp makes store web of the sandbox, and sets it live.
func setUp(t *testing.T, cfg cli.Config, shop *testenv.Sandbox) {
	t.Helper()
	run(t, cfg, "stores", "set", "web", "marketplace=webhook", "options.url="+shop.URL("web"), "credentials_ref=shop",
		"warehouses=*").want(t, cli.ExitOK)
	run(t, cfg, "stores", "set", "web", "mode=live").want(t, cli.ExitOK)
}

// says waits until the status of a pair has a reason, and returns it.
func says(t *testing.T, cfg cli.Config, store, sku string, reason topics.SyncReason) *topics.SyncStatus {
	t.Helper()
	var status *topics.SyncStatus
	until(t, func(context.Context) error {
		e := decode[cli.Explanation](t, run(t, cfg, "explain", sku, store, "--json"))
		status = e.Stores[0].Status
		if status == nil || status.Reason != reason {
			return fmt.Errorf("%s in %s: got %+v, want reason %s", sku, store, status, reason)
		}
		return nil
	})
	return status
}

// audited returns the entries of topic audit.
func audited(t *testing.T, c *testenv.Cluster, cfg cli.Config) []topics.AuditEntry {
	t.Helper()
	var all []topics.AuditEntry
	for _, r := range records(t, c, cfg, topics.AuditTopic) {
		e, err := topics.DecodeAuditEntry(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != e.Actor {
			t.Errorf("key %q of an entry by %q", r.Key, e.Actor)
		}
		all = append(all, e)
	}
	return all
}

// A store begins in preview; what its preview shows is what it is sent once it is live.
func TestStores_ANewStoreIsSentWhatItsPreviewShows(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, shop := sending(t, c)
		set := []string{"stores", "set", "web", "marketplace=webhook", "options.url=" + shop.URL("web"), "credentials_ref=shop"}
		run(t, cfg, append(set, "mode=live")...).want(t, cli.ExitUsage, "2:mode", "2:starts in preview")
		run(t, cfg, set...).want(t, cli.ExitOK, "1:web: new, by ", "1:mode             -       preview", "1:no warehouse",
			"1:stocksync stores preview web")
		run(t, cfg, "stores", "set", "web", "warehouses=*", "buffer=1", "percent=50").want(t, cli.ExitOK,
			"1:web: changed by", `1:warehouses  -       ["*"]`, "1:buffer      -       1")
		says(t, cfg, "web", "A001", topics.SyncPreview)

		p := decode[cli.StorePreview](t, run(t, cfg, "stores", "preview", "web", "--all", "--json"))
		if p.Mode != "preview" || p.Sends != 2 || p.ToZero != 1 || p.Fault != "" {
			t.Errorf("got %+v", p)
		}
		want := cli.Numbers{
			Warehouses: []string{"JKT", "SUB"}, Actual: 39e6, Reserved: 9e6, Net: 30e6, Buffer: 1e6, Percent: 50e6, Result: 14e6,
		}
		i := slices.IndexFunc(p.Pairs, func(p cli.PreviewedPair) bool { return p.SKU == "A001" })
		if diff := cmp.Diff(&want, p.Pairs[i].Numbers); diff != "" {
			t.Error(diff)
		}
		if one := p.Pairs[i]; one.Now != topics.SyncPreview || len(one.Sends) != 1 || one.Sends[0].Qty != 14e6 || one.Before != nil {
			t.Errorf("got %+v", one)
		}
		run(t, cfg, "stores", "preview", "web").want(t, cli.ExitOK, "1:web is preview. Live, it would be sent 2 SKUs now, 1 of them 0",
			"1:Actual 39 - Reserved 9 - buffer 1, of that 50 % = 14")
		if n := shop.Stats().Requests; n != 0 {
			t.Errorf("a store in preview was sent %d requests", n)
		}

		run(t, cfg, "stores", "set", "web", "mode=live").want(t, cli.ExitOK, "1:mode   preview  live")
		for _, one := range p.Pairs {
			shows(t, shop, "web", one.SKU, one.Sends[0].Qty.String(), 0)
		}
		says(t, cfg, "web", "A001", topics.SyncInSync)
		after := decode[cli.StorePreview](t, run(t, cfg, "stores", "preview", "web", "--json"))
		if after.Sends != 0 || len(after.Pairs) != 0 || after.Held != 2 {
			t.Errorf("once it is sent, got %+v", after)
		}
	})
}

func TestStores_SwitchesRulesAndResyncReachTheShop(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, shop := sending(t, c)
		setUp(t, cfg, shop)
		shows(t, shop, "web", "A001", "30", 0)

		run(t, cfg, "stores", "set", "web", "buffer=4").want(t, cli.ExitOK, "1:buffer  -       4")
		before := shows(t, shop, "web", "A001", "26", 0)
		run(t, cfg, "stores", "set", "web", "buffer=").want(t, cli.ExitOK, "1:buffer  4       -")
		shows(t, shop, "web", "A001", "30", 0)

		run(t, cfg, "stores", "disable", "web", "--by", "ana", "--note", "stock take").want(t, cli.ExitOK,
			"1:web: changed by ana", "1:disable_stock_update  false   true")
		off := says(t, cfg, "web", "A001", topics.SyncStoreDisabled)
		if off.State != topics.StateDisabled || off.Evidence["by"] != "ana" {
			t.Errorf("got %+v", off)
		}
		sent := shop.Stats().Requests
		run(t, cfg, "resync", "A001").want(t, cli.ExitOK)
		until(t, func(context.Context) error { // the sinks have seen it, and sent nothing
			p := decode[cli.StorePreview](t, run(t, cfg, "stores", "preview", "web", "--all", "--json"))
			i := slices.IndexFunc(p.Pairs, func(p cli.PreviewedPair) bool { return p.SKU == "A001" })
			if p.Pairs[i].Reason != topics.SyncStoreDisabled || p.Sends != 0 {
				return fmt.Errorf("got %+v", p)
			}
			return nil
		})
		settle(t, c, cfg)
		run(t, cfg, "status", "--store", "web").want(t, cli.ExitOK, "1:store_disabled", "1:by: ana")
		run(t, cfg, "stores", "list").want(t, cli.ExitOK, "1:web    webhook      live  off by ana", "1:2 disabled")
		if got := shop.Stats().Requests; got != sent {
			t.Errorf("a disabled store was sent %d requests", got-sent)
		}

		run(t, cfg, "stores", "enable", "web", "--by", "budi").want(t, cli.ExitOK, "1:disable_stock_update  true    false")
		shows(t, shop, "web", "A001", "30", before)
		until(t, func(context.Context) error {
			_, at, _ := shop.Quantity("web", "A002")
			return waitFor(at > 0, "A002 was not sent")
		})
		says(t, cfg, "web", "A001", topics.SyncInSync)

		sent = shop.Stats().Writes
		run(t, cfg, "stores", "resync", "web").want(t, cli.ExitOK, "1:resync_requested_at")
		until(t, func(context.Context) error {
			return waitFor(shop.Stats().Writes >= sent+2, "not all was sent again")
		})

		var actions []string
		for _, e := range audited(t, c, cfg) {
			if e.Via != "cli" || e.At.IsZero() || len(e.After) == 0 && e.Topic == topics.Stores {
				t.Errorf("got %+v", e)
			}
			actions = append(actions, e.Action)
			if e.Action == "disable" && (e.Actor != "ana" || e.Note != "stock take" || e.RecordKey != "web" ||
				!strings.Contains(string(e.Before), `"disable_stock_update":false`) ||
				!strings.Contains(string(e.After), `"disable_stock_update":true`)) {
				t.Errorf("got %+v", e)
			}
		}
		want := []string{"set", "set", "set", "set", "disable", "resync", "enable", "resync"}
		if diff := cmp.Diff(want, actions); diff != "" {
			t.Error(diff)
		}
	})
}

// waitFor is nil when a condition holds.
func waitFor(holds bool, what string) error {
	if holds {
		return nil
	}
	return fmt.Errorf("%s", what)
}

// Ensure that the switch of all stores stops each, and says so where a single one is switched on.
func TestStores_TheSwitchOfAllStopsEach(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, shop := sending(t, c)
	setUp(t, cfg, shop)
	shows(t, shop, "web", "A001", "30", 0)
	run(t, cfg, "stores", "disable", "*", "--by", "ana", "--until", "2h").want(t, cli.ExitOK, "1:*: new, by ana", "1:disabled_until")
	if off := says(t, cfg, "web", "A001", topics.SyncStoreDisabled); off.Evidence["scope"] != "*" || off.Evidence["until"] == nil {
		t.Errorf("got %+v", off)
	}
	run(t, cfg, "stores", "enable", "web").want(t, cli.ExitOK, "1:nothing to change", "1:switched off by ana")
	run(t, cfg, "stores", "enable", "*").want(t, cli.ExitOK)
	says(t, cfg, "web", "A001", topics.SyncInSync)
}

// Ensure that a mistake that would bring much to 0 waits for a person, and goes on when one lets it.
func TestStores_ReleaseLetsTheBrakeGo(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, shop := sending(t, c)
	setUp(t, cfg, shop)
	var lines strings.Builder
	lines.WriteString("line_id,version,sku,warehouse,qty,effective_at\n")
	for i := range 60 {
		fmt.Fprintf(&lines, "b%d,1,B%02d,JKT,5,2026-01-31\n", i, i)
	}
	run(t, cfg, "load", "--topic", "mutations", write(t, "b.csv", lines.String())).want(t, cli.ExitOK)
	shows(t, shop, "web", "B59", "5", 0)
	for i := range 60 {
		shows(t, shop, "web", fmt.Sprintf("B%02d", i), "5", 0)
	}
	run(t, cfg, "stores", "set", "web", "warehouses=SUB").want(t, cli.ExitOK) // a slip
	until(t, func(context.Context) error {
		r := decode[cli.StatusReport](t, run(t, cfg, "status", "--store", "web", "--reason", "braked", "--json"))
		return waitFor(len(r.Pairs) > 0, "nothing is braked")
	})
	var braked string
	until(t, func(context.Context) error {
		r := decode[cli.StatusReport](t, run(t, cfg, "status", "--reason", "braked", "--limit", "1", "--json"))
		if len(r.Pairs) != 1 {
			return fmt.Errorf("got %+v", r)
		}
		braked = r.Pairs[0].SKU
		return nil
	})
	shows(t, shop, "web", braked, "5", 0)
	run(t, cfg, "stores", "release", "web", "--by", "ana").want(t, cli.ExitOK, "1:brake_released_at", "1:SKUs were braked")
	shows(t, shop, "web", braked, "0", 0)
	run(t, cfg, "stores", "release", "*").want(t, cli.ExitUsage, "2:brake of its own")
}

func TestStores_SetRefusesWithFieldAndValue(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	run(t, cfg, "stores", "set", "web", "marketplace=webhook").want(t, cli.ExitOK)
	for name, tt := range map[string]struct{ arg, field, value string }{
		"number":               {"percent=abc", "percent", `"abc"`},
		"range":                {"percent=1001", "percent", "1001"},
		"digits":               {"buffer=0.0000001", "buffer", "0.0000001"},
		"mode":                 {"mode=off", "mode", `"off"`},
		"truth":                {"auto_disable_unmatched=maybe", "auto_disable_unmatched", `"maybe"`},
		"list":                 {"warehouses=A,A", "warehouses/1", `"A"`},
		"all and others":       {"warehouses=*,A", "warehouses/0", `"*"`},
		"locations":            {`locations=[{"location_id":""}]`, "locations/0/location_id", "missing or empty"},
		"duration":             {"order_grace=1000h", "order_grace", "1000h"},
		"options":              {"options=[]", "options", "want a JSON object"},
		"marketplace":          {"marketplace=shoppe", "marketplace", `"shoppe"`},
		"no marketplace":       {"marketplace=", "marketplace", "missing or empty"},
		"in flight":            {"in_flight=perhaps", "in_flight", `"perhaps"`},
		"unknown":              {"colour=red", "colour", "no such field; there are marketplace, name"},
		"option of no options": {"name.first=x", "name.first", "no such field"},
		"switch":               {"disable_stock_update=true", "disable_stock_update", "use disable or enable"},
		"no value":             {"buffer", `"buffer"`, "want FIELD=VALUE"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, cfg, "stores", "set", "web", tt.arg).want(t, cli.ExitUsage, "2:"+tt.field, "2:"+tt.value)
		})
	}
	run(t, cfg, "stores", "set", "web", "buffer=1", "buffer=2").want(t, cli.ExitUsage, "2:buffer: given twice")
	run(t, cfg, "stores", "set", "a|b", "marketplace=webhook").want(t, cli.ExitUsage, "2:store", "2:a|b")
	run(t, cfg, "stores", "set", "*", "warehouses=*").want(t, cli.ExitUsage, "2:warehouses", "2:single stores")
	run(t, cfg, "stores", "disable", "WEB").want(t, cli.ExitFailed, `2:store "WEB": no such store`, "2:did you mean web?")
	run(t, cfg, "stores", "disable", "web", "--until", "yesterday").want(t, cli.ExitUsage, "2:--until", "2:yesterday")
	run(t, cfg, "stores", "disable", "web", "--until", "2020-01-01").want(t, cli.ExitUsage, "2:that is over")
	if got := len(audited(t, c, cfg)); got != 1 {
		t.Errorf("refused changes left %d entries in audit, want 1", got)
	}
}

func TestStores_SecretsAreRefusedAndNotRepeated(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	const pat = "shpat_0123456789abcdef0123456789abcdef"
	for name, arg := range map[string]string{
		"webhook secret":       "options.sign=" + testenv.DefaultSecret,
		"named so":             "options.app_secret=hunter2-hunter2",
		"a key":                "options.partner_key=hunter2-hunter2",
		"password":             "options.Password=hunter2-hunter2",
		"token of a shop":      "options.shop=" + pat,
		"in a URL":             "options.url=https://ana:hunter2@shop.example/",
		"in a query":           "options.url=https://shop.example/?access_token=hunter2-hunter2",
		"deep in an object":    `options={"a":[{"api-key":"hunter2-hunter2"}]}`,
		"hex":                  "options.x=" + strings.Repeat("0123456789abcdef", 4),
		"JWT":                  "options.x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
		"in place of a name":   "credentials_ref=" + testenv.DefaultSecret,
		"JSON that is cut off": `options={"secret":"hunter2-hunter2"`,
		"a text":               "options=hunter2-hunter2 secret",
		"JSON as a name":       `credentials_ref={"secret":"hunter2-hunter2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, cfg, "stores", "set", "web", "marketplace=webhook", arg)
			r.want(t, cli.ExitUsage, "2:secret")
			_, value, _ := strings.Cut(arg, "=")
			for _, text := range []string{value, "hunter2", pat} {
				if strings.Contains(r.stdout+r.stderr, text) {
					t.Errorf("it prints %q: %s", text, r.stderr)
				}
			}
		})
	}
	run(t, cfg, "stores", "set", "web", "marketplace=webhook", "options.password=hunter2-hunter2").want(t, cli.ExitUsage,
		"2:options.password: looks like a secret", "2:CREDENTIALS_DIR", "2:credentials_ref=NAME")
	bare := run(t, cfg, "stores", "set", "web", testenv.DefaultSecret)
	if bare.want(t, cli.ExitUsage); strings.Contains(bare.stderr, testenv.DefaultSecret) {
		t.Errorf("it prints the secret: %s", bare.stderr)
	}
	run(t, cfg, "stores", "set", "web", "marketplace=webhook", "options.url=https://shop.example/stock?branch=2",
		"options.batch=50", "options.shop_cipher=GCP_XF90igAAAABh00qsWgtvOiGFNqyubMt3", "credentials_ref=web-1.json").want(t, cli.ExitOK)
	if n := len(records(t, c, cfg, topics.Stores)); n != 1 {
		t.Errorf("%d records are in topic stores, want 1", n)
	}
}

// A person who asks why gets the numbers behind, what was tried, and both languages.
func TestExplain_TellsNumbersAttemptsAndReasonsOfAStore(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, shop := sending(t, c)
		setUp(t, cfg, shop)
		shows(t, shop, "web", "A001", "30", 0)
		run(t, cfg, "stores", "set", "web", "buffer=1", "percent=50").want(t, cli.ExitOK)
		shows(t, shop, "web", "A001", "14", 0)
		says(t, cfg, "web", "A001", topics.SyncInSync)
		run(t, cfg, "items", "set", "web", "A001", "max=5").want(t, cli.ExitOK)
		shows(t, shop, "web", "A001", "5", 0)
		says(t, cfg, "web", "A001", topics.SyncInSync)

		e := decode[cli.Explanation](t, run(t, cfg, "explain", "A001", "web", "--json"))
		one := e.Stores[0]
		most := 5 * topics.One
		want := &cli.Numbers{Warehouses: []string{"JKT", "SUB"}, Actual: 39e6, Reserved: 9e6, Net: 30e6, Buffer: 1e6, Percent: 50e6, Max: &most, Result: 5e6}
		if diff := cmp.Diff(want, one.Numbers); diff != "" {
			t.Error(diff)
		}
		var sent []string
		for _, l := range one.Attempts {
			if l.Outcome == topics.OutcomeOK {
				sent = append(sent, l.Qty.String())
			}
		}
		if diff := cmp.Diff([]string{"5", "14", "30"}, sent); diff != "" {
			t.Errorf("attempts, newest first: %s", diff)
		}
		if one.Reason != topics.SyncInSync || one.Text != "In sync." || one.TextID != "Sinkron." || one.Note != "" {
			t.Errorf("got %+v", one)
		}
		run(t, cfg, "explain", "A001", "web").want(t, cli.ExitOK, "1:web: synced, in_sync since ",
			"1:Actual 39 - Reserved 9 - buffer 1, of that 50 %, max 5 = 5", "1:sent      5 at ", "1:ATTEMPT", "1:settings")
		few := run(t, cfg, "explain", "A001", "web", "--attempts", "0")
		if few.want(t, cli.ExitOK); strings.Contains(few.stdout, "ATTEMPT") {
			t.Errorf("attempts are shown: %s", few.stdout)
		}

		run(t, cfg, "items", "set", "web", "A001", "min=10").want(t, cli.ExitUsage, "2:min: 10 is above max 5")
		run(t, cfg, "items", "set", "web", "A001", "min=10", "max=").want(t, cli.ExitOK)
		run(t, cfg, "items", "set", "web", "A001", "percent=10").want(t, cli.ExitOK)
		zero := says(t, cfg, "web", "A001", topics.SyncZeroByRule)
		if zero.Delivered.Qty != 0 {
			t.Errorf("got %+v", zero.Delivered)
		}
		run(t, cfg, "explain", "A001", "web").want(t, cli.ExitOK, "1:of that 10 %, min 10 = 0")
	})
}

// Ensure that an invalid record, which stops a store, can be mended field by field, and that what it said before is in
// the audit.
func TestStores_SetMendsAnInvalidRecord(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	produce(t, c, cfg, topics.Stores, "web", `{"store":"web","marketplace":"webhook","percent":"half","warehouses":["JKT"],"new_field":1}`)
	run(t, cfg, "stores", "list").want(t, cli.ExitOK, "1:config_error", `1:percent: "half"`)
	run(t, cfg, "stores", "disable", "web").want(t, cli.ExitUsage, `2:percent: "half"`)
	run(t, cfg, "stores", "set", "web", "percent=50").want(t, cli.ExitOK, "1:percent    half    50")
	all := decode[[]cli.ListedStore](t, run(t, cfg, "stores", "list", "--json"))
	if len(all) != 1 || all[0].Store == nil || *all[0].Store.Percent != 50e6 || all[0].Store.Mode != topics.ModeLive ||
		!slices.Equal(all[0].Store.Warehouses, []string{"JKT"}) {
		t.Errorf("got %+v", all)
	}
	if e := audited(t, c, cfg); len(e) != 1 || !strings.Contains(string(e[0].Before), `"half"`) {
		t.Errorf("got %+v", e)
	}
	produce(t, c, cfg, topics.Stores, "odd", `no JSON`)
	run(t, cfg, "stores", "set", "odd", "marketplace=webhook").want(t, cli.ExitOK, "1:odd: changed")
}

// Ensure that persons who change one store at a time lose nothing of each other.
func TestStores_ChangesAtOnceAllCount(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg := withTopics(t, c)
		run(t, cfg, "stores", "set", "web", "marketplace=webhook").want(t, cli.ExitOK)
		var all sync.WaitGroup
		args := []string{"name=Toko", "buffer=2", "percent=80", "max=9"}
		for _, arg := range args {
			all.Go(func() {
				for t.Context().Err() == nil {
					r := runContext(t.Context(), cfg, nil, "stores", "set", "web", arg)
					if r.code == cli.ExitFailed && strings.Contains(r.stderr, "at the same time") {
						continue // others came before, again and again
					}
					if r.code != cli.ExitOK {
						t.Errorf("%s: exit code %d: %s", arg, r.code, r.stderr)
					}
					return
				}
			})
		}
		all.Wait()
		s := decode[[]cli.ListedStore](t, run(t, cfg, "stores", "list", "--json"))[0].Store
		if s.Name != "Toko" || s.Buffer == nil || s.Percent == nil || s.Max == nil {
			t.Errorf("a change is lost: %+v", s)
		}
		if got := len(audited(t, c, cfg)); got != 1+len(args) {
			t.Errorf("%d entries in audit, want %d", got, 1+len(args))
		}
	})
}
