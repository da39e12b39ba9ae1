package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

// withShop gives a configuration the credentials of a sandbox and writes a live store that lives there.
func withShop(t *testing.T, c *testenv.Cluster, cfg *cli.Config, shop *testenv.Sandbox, store string) {
	t.Helper()
	cfg.Credentials = func(string) (map[string]string, error) {
		return map[string]string{"secret": testenv.DefaultSecret}, nil
	}
	produce(t, c, *cfg, topics.Stores, store, storeRecord(t, shop, store, "shop", topics.AllWarehouses))
}

// storeRecord returns the record of a live store that lives in a sandbox and offers some warehouses.
func storeRecord(t *testing.T, shop *testenv.Sandbox, store, ref string, warehouses ...string) string {
	t.Helper()
	offered, err := json.Marshal(warehouses)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"store":%q,"marketplace":"webhook","mode":"live","warehouses":%s,"credentials_ref":%q,
		"options":{"url":%q},"changed_by":"ana","changed_at":"2026-01-31T08:00:00+07:00"}`,
		store, offered, ref, shop.URL(store))
}

// shows waits until a shop shows a quantity, and returns the revision it has.
func shows(t *testing.T, shop *testenv.Sandbox, store, sku, want string, after int64) (revision int64) {
	t.Helper()
	until(t, func(context.Context) error {
		got, at, ok := shop.Quantity(store, sku)
		if !ok || got.String() != want || at <= after {
			return fmt.Errorf("%s shows %s of %s (known: %t) at revision %d, want %s after %d", store, got, sku, ok, at, want, after)
		}
		revision = at
		return nil
	})
	return revision
}

func TestRun_BringsAShopToTheStockAndExplainsIt(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, shop := withTopics(t, c), testenv.StartSandbox(t, testenv.SandboxConfig{})
		withShop(t, c, &cfg, shop, "tokopedia-main")
		s := start(t, cfg, "run")
		s.ready(t)
		if _, body := s.get(t, "/readyz"); body != "processor: ready\nsinks: ready\n" {
			t.Errorf("/readyz answers %q", body)
		}
		run(t, cfg, "load", "--topic", "mutations", write(t, "ledger.csv", ledger)).want(t, cli.ExitOK)
		run(t, cfg, "load", "--topic", "orders", write(t, "orders.csv", stockOrders)).want(t, cli.ExitOK)
		settle(t, c, cfg)
		before := shows(t, shop, "tokopedia-main", "A001", available(t, cfg, "A001"), 0)

		// A dummy stock entry and its cancellation change no number, and bring the SKU again; a touch does too.
		dummy := `{"line_id":"dummy","version":%d,"sku":"A001","warehouse":"JKT","qty":0,"status":%q,` +
			`"effective_at":"2026-02-01T08:00:00+07:00"}`
		for _, again := range []string{
			fmt.Sprintf(dummy, 1, "posted"), fmt.Sprintf(dummy, 2, "cancelled"), `{"sku":"A001","kind":"touch"}`,
		} {
			produce(t, c, cfg, topics.Mutations, "A001", again)
			before = shows(t, shop, "tokopedia-main", "A001", available(t, cfg, "A001"), before)
		}
		until(t, func(context.Context) error {
			r := run(t, cfg, "explain", "A001", "tokopedia-main")
			if r.code != cli.ExitOK || !strings.Contains(r.stdout, "in_sync") {
				return fmt.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
			}
			return nil
		})
		if code, body := s.get(t, "/metrics"); code != http.StatusOK || !strings.Contains(body,
			`stocksync_sinks_deliveries_total{outcome="ok",store="tokopedia-main"}`) {
			t.Errorf("/metrics lacks the deliveries:\n%s", body)
		}
		s.stop()
		s.wait().want(t, cli.ExitOK, `2:"msg":"stopped"`)
		if v := shop.Violations(); len(v) > 0 {
			t.Errorf("the shop saw violations: %v", v)
		}
	})
}

func TestSinks_RunApartFromTheProcessor(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, shop := withTopics(t, c), testenv.StartSandbox(t, testenv.SandboxConfig{})
	withShop(t, c, &cfg, shop, "my-shop")
	start(t, cfg, "processor")
	run(t, cfg, "load", "--topic", "mutations", write(t, "ledger.csv", ledger)).want(t, cli.ExitOK)
	settle(t, c, cfg)
	s := start(t, cfg, "sinks")
	s.ready(t)
	shows(t, shop, "my-shop", "A001", available(t, cfg, "A001"), 0)
	s.stop()
	s.wait().want(t, cli.ExitOK, `2:"msg":"stopped"`)
}

// available returns what the summary says is available of a SKU, over its warehouses.
func available(t *testing.T, cfg cli.Config, sku string) string {
	t.Helper()
	e := decode[cli.Explanation](t, run(t, cfg, "explain", sku, "--json"))
	if e.Availability == nil {
		t.Fatalf("%s has no availability", sku)
	}
	return e.Availability.Available.String()
}
