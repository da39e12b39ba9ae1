package cli_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"stocksync/cli"
	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/testenv/twin"
	"stocksync/testenv/twin/lazada"
	"stocksync/testenv/twin/shopee"
	"stocksync/testenv/twin/tiktokshop"
	"stocksync/topics"
)

// market is a twin of a marketplace as this test sees it.
type market interface {
	Options() []byte
	Credentials() map[string]string
	Secrets() []string
	Updates(n int) []sinks.Update
	Shown(*sinks.Update) (topics.Quantity, bool)
	Inject(twin.Fault)
	ExpireAfter(n int)
	Refreshes() int
	Breaches() []string
}

// showSoon waits until every market shows a quantity of a SKU, which is one of the first in each.
func showSoon(t *testing.T, markets map[string]market, sku string, want topics.Quantity) {
	t.Helper()
	until(t, func(context.Context) error {
		for name, m := range markets {
			for _, u := range m.Updates(20) {
				if got, ok := m.Shown(&u); u.SKU == sku && (!ok || got != want) {
					return fmt.Errorf("%s shows %s of %s (known: %t), want %s", name, got, sku, ok, want)
				}
			}
		}
		return nil
	})
}

// TestRun_BringsMarketplacesToTheStockWithTokensThatExpire ensures that the shops of three marketplaces, whose tokens
// are renewed, are found by their catalogues and brought to the stock: after their tokens expired, after failures, and
// by a process that starts anew, which asks for no consent. No secret is in its logs.
func TestRun_BringsMarketplacesToTheStockWithTokensThatExpire(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	cfg.TokensDir = t.TempDir()
	markets := map[string]market{
		"tiktokshop": tiktokshop.Start(t, tiktokshop.Config{Platform: "TOKOPEDIA"}),
		"shopee":     shopee.Start(t, shopee.Config{}),
		"lazada":     lazada.Start(t, lazada.Config{}),
	}
	cfg.Credentials = func(ref string) (map[string]string, error) { return markets[ref].Credentials(), nil }
	for name, m := range markets {
		produce(t, c, cfg, topics.Stores, name, fmt.Sprintf(`{"store":%q,"marketplace":%q,"mode":"live","warehouses":["*"],
			"credentials_ref":%q,"options":%s,"changed_by":"ana","changed_at":"2026-01-31T08:00:00+07:00"}`,
			name, name, name, m.Options()))
	}
	count := func(sku string, version, qty int) {
		produce(t, c, cfg, topics.Mutations, sku, fmt.Sprintf(`{"line_id":"opname/%s","version":%d,"sku":%q,"warehouse":"JKT",
			"kind":"count","qty":%d,"effective_at":"2026-02-01T08:00:00+07:00"}`, sku, version, sku, qty))
	}
	for i := range 20 {
		count(fmt.Sprint("SKU-", i), 1, 50+i)
	}
	s := start(t, cfg, "run")
	for i := range 20 {
		showSoon(t, markets, fmt.Sprint("SKU-", i), topics.Quantity(50+i)*topics.One)
	}
	for _, m := range markets {
		m.ExpireAfter(0)
	}
	count("SKU-3", 2, 7)
	showSoon(t, markets, "SKU-3", 7*topics.One)
	for _, m := range markets {
		m.Inject(twin.Fault{Kind: twin.FaultAppliedError})
		m.Inject(twin.Fault{Kind: twin.FaultThrottle, RetryAfter: "1"})
	}
	count("SKU-4", 2, 0)
	showSoon(t, markets, "SKU-4", 0)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	logs := s.stderr.String()
	s = start(t, cfg, "run")
	count("SKU-5", 2, 9)
	showSoon(t, markets, "SKU-5", 9*topics.One)
	s.stop()
	s.wait().want(t, cli.ExitOK)
	logs += s.stderr.String()
	for name, m := range markets {
		if n, breaches := m.Refreshes(), m.Breaches(); n != 1 || len(breaches) > 0 {
			t.Errorf("%s: got %d refreshes, breaches %q, want one and none", name, n, breaches)
		}
		for _, secret := range m.Secrets() {
			if strings.Contains(logs, secret) {
				t.Errorf("%s: a secret is in the log", name)
			}
		}
	}
}
