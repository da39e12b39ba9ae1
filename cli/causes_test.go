package cli_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/testenv/twin"
	"stocksync/testenv/twin/shopee"
	"stocksync/topics"
)

// causesShop is a shop of a marketplace and the installation that keeps it in sync, for the causes why a SKU is not.
type causesShop struct {
	*testing.T
	*shopee.Shop
	c   *testenv.Cluster
	cfg cli.Config
	n   int
}

// lists makes the shop sell a SKU under a product of its own.
func (s *causesShop) lists(sku, status string) twin.Item {
	s.n++
	it := twin.Item{ID: twin.ID{Product: fmt.Sprint(3_000_000 + s.n)}, SKU: sku, Title: sku, Status: status}
	s.Put(it)
	return it
}

// shows waits until the shop shows a quantity of an item.
func (s *causesShop) shows(it twin.Item, want topics.Quantity) {
	s.Helper()
	until(s.T, func(context.Context) error {
		if now, _ := s.Item(it.ID); now.Levels[""].Qty != want {
			return fmt.Errorf("%s: the shop shows %s, want %s", it.SKU, now.Levels[""].Qty, want)
		}
		return nil
	})
}

// counts says what a warehouse has.
func (s *causesShop) counts(sku string, version, qty int) {
	s.Helper()
	produce(s.T, s.c, s.cfg, topics.Mutations, sku, fmt.Sprintf(`{"line_id":"opname/%s","version":%d,"sku":%q,
		"warehouse":"JKT","kind":"count","qty":%d,"effective_at":"2026-02-01T08:00:00+07:00"}`, sku, version, sku, qty))
}

// explains waits until explain names the reason, and expects texts in what it prints.
func (s *causesShop) explains(sku string, reason topics.SyncReason, texts ...string) {
	s.Helper()
	says(s.T, s.cfg, "toko", sku, reason)
	for i := range texts {
		texts[i] = "1:" + texts[i]
	}
	run(s.T, s.cfg, "explain", sku, "toko").want(s.T, cli.ExitOK, append(texts, "1:"+string(reason))...)
}

// TestExplain_NamesEachCauseOfNotSyncing ensures that a seller who asks why a SKU is not in sync is told each of the
// causes by its name, with what it is seen by, before a shop that has it.
func TestExplain_NamesEachCauseOfNotSyncing(t *testing.T) {
	t.Parallel()
	c := testenv.StartKfake(t)
	s := &causesShop{T: t, Shop: shopee.Start(t, shopee.Config{}), c: c, cfg: withTopics(t, c)}
	s.cfg.TokensDir = t.TempDir()
	s.cfg.Credentials = func(string) (map[string]string, error) { return s.Credentials(), nil }
	fine := s.lists("FINE", "NORMAL")
	promo := s.lists("PROMO", "NORMAL")
	byHand := s.lists("BY-HAND", "NORMAL")
	s.lists("kaos-hitam ", "NORMAL")
	s.lists("NEVER", "NORMAL")
	s.lists("RESERVED", "NORMAL")
	s.lists("BANNED", "BANNED")
	s.lists("UNLISTED", "UNLIST")
	s.lists("DELETED", "SELLER_DELETE")
	s.lists("OFF", "NORMAL")
	produce(t, c, s.cfg, topics.Stores, "toko", fmt.Sprintf(`{"store":"toko","marketplace":"shopee","mode":"live",
		"warehouses":["*"],"credentials_ref":"toko","options":%s,"changed_by":"ana","changed_at":"2026-01-31T08:00:00+07:00"}`,
		s.Options()))
	for sku := range strings.FieldsSeq("FINE PROMO BY-HAND KAOS-HITAM RESERVED BANNED UNLISTED DELETED OFF") {
		s.counts(sku, 1, 10)
	}
	produce(t, c, s.cfg, topics.Mutations, "NEVER", `{"sku":"NEVER","kind":"touch"}`)
	produce(t, c, s.cfg, topics.Orders, "RESERVED", `{"order_line_id":"so-1-1","version":1,"order_id":"so-1","sku":"RESERVED",
		"warehouse":"JKT","ordered_qty":12,"status":"open","ordered_at":"2026-02-02T08:00:00+07:00"}`)
	processor := start(t, s.cfg, "processor")
	settle(t, c, s.cfg) // the catalogue is read after the SKUs were seen
	sinks := start(t, s.cfg, "sinks")
	s.shows(fine, 10*topics.One)
	run(t, s.cfg, "items", "disable", "toko", "OFF", "--by", "budi").want(t, cli.ExitOK)
	s.explains("FINE", topics.SyncInSync)
	s.explains("KAOS-HITAM", topics.SyncSKUMismatch, "differs by case or spaces only", "\"kaos-hitam \"")
	s.explains("NEVER", topics.SyncNoTransactionYet)
	s.explains("RESERVED", topics.SyncZeroAvailable, "Actual 10", "Reserved 12")
	s.explains("BANNED", topics.SyncListingBanned)
	s.explains("UNLISTED", topics.SyncListingInactive)
	s.explains("DELETED", topics.SyncListingDeleted)
	s.explains("OFF", topics.SyncItemDisabled, "budi")

	s.counts("NEW", 1, 5) // since the catalogue was read, and somebody has set it up already
	run(t, s.cfg, "items", "set", "toko", "NEW", "buffer=1", "--force").want(t, cli.ExitOK)
	s.explains("NEW", topics.SyncMappingPending)

	s.shows(promo, 10*topics.One)
	s.Inject(twin.Fault{Kind: twin.FaultRefuse, Refusal: twin.Refusal{
		Code: "error_cannt_edit_stock_in_promotion", Message: "Cannot edit the stock: the item is in a promotion", Whole: true,
	}})
	s.counts("PROMO", 2, 4)
	s.explains("PROMO", topics.SyncPromoLocked, "error_cannt_edit_stock_in_promotion")

	s.shows(byHand, 10*topics.One)
	sinks.stop()
	sinks.wait().want(t, cli.ExitOK)
	changed := byHand
	changed.Levels = map[string]twin.Level{"": {Qty: 77 * topics.One}}
	s.Put(changed)
	sinks = start(t, s.cfg, "sinks") // which reads some back at its start
	s.shows(byHand, 10*topics.One)
	s.explains("BY-HAND", topics.SyncInSync, "changed on the marketplace: it showed 77 at", "ours was 10")

	run(t, s.cfg, "stores", "disable", "toko", "--by", "ana").want(t, cli.ExitOK)
	s.explains("FINE", topics.SyncStoreDisabled, "ana")
	for _, service := range []*service{processor, sinks} {
		service.stop()
		service.wait().want(t, cli.ExitOK)
	}
}
