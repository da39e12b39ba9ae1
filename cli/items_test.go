package cli_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stocksync/cli"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestItems_SwitchesRulesAndResyncReachTheShop(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		cfg, shop := sending(t, c)
		setUp(t, cfg, shop)
		shows(t, shop, "web", "A001", "30", 0)

		run(t, cfg, "items", "set", "web", "A001", "buffer=3", "percent=50", "--by", "ana").want(t, cli.ExitOK,
			"1:web|A001: new, by ana", "1:buffer   -       3")
		shows(t, shop, "web", "A001", "13", 0)
		run(t, cfg, "items", "set", "*", "A001", "max=9", "percent=100").want(t, cli.ExitOK, "1:*|A001: new")
		shows(t, shop, "web", "A001", "9", 0)
		run(t, cfg, "items", "set", "web", "A001", "percent=", "max=20").want(t, cli.ExitOK, "1:percent  50      -", "1:max      -       20")
		before := shows(t, shop, "web", "A001", "20", 0)

		run(t, cfg, "items", "disable", "web", "A001", "--by", "budi", "--until", "2h").want(t, cli.ExitOK, "1:disabled_until")
		off := says(t, cfg, "web", "A001", topics.SyncItemDisabled)
		if off.Evidence["by"] != "budi" || off.Evidence["scope"] != "pair" || off.Evidence["until"] == nil {
			t.Errorf("got evidence %v", off.Evidence)
		}
		run(t, cfg, "resync", "A001", "A002").want(t, cli.ExitOK)
		settle(t, c, cfg)
		until(t, func(context.Context) error { // the other SKU, asked for at once, was sent
			p := decode[cli.StorePreview](t, run(t, cfg, "stores", "preview", "web", "--json"))
			return waitFor(p.Sends == 0, "A002 is still to be sent")
		})
		if _, at, _ := shop.Quantity("web", "A001"); at != before {
			t.Errorf("a disabled SKU was sent: revision %d after %d", at, before)
		}
		run(t, cfg, "items", "enable", "web", "A001").want(t, cli.ExitOK, "1:disable_stock_update  true", "1:false")
		before = shows(t, shop, "web", "A001", "20", before)
		says(t, cfg, "web", "A001", topics.SyncInSync)

		writes := shop.Stats().Writes
		run(t, cfg, "items", "resync", "web", "A001").want(t, cli.ExitOK, "1:resync_requested_at")
		until(t, func(context.Context) error { return waitFor(shop.Stats().Writes > writes, "it was not sent again") })
		if status := says(t, cfg, "web", "A001", topics.SyncInSync); status.Delivered.Revision != before {
			t.Errorf("got %+v", status)
		}

		run(t, cfg, "items", "disable", "*", "A001", "A002").want(t, cli.ExitOK, "1:*|A001: changed", "1:*|A002: new")
		says(t, cfg, "web", "A002", topics.SyncItemDisabled)
		run(t, cfg, "items", "enable", "web", "A001").want(t, cli.ExitOK, "1:nothing to change", "1:switched off in all stores")
		run(t, cfg, "items", "enable", "*", "A002", "A001").want(t, cli.ExitOK, "1:disable_stock_update  true    -")
		says(t, cfg, "web", "A001", topics.SyncInSync)

		var audit []string
		for _, e := range audited(t, c, cfg) {
			if e.Topic == topics.ItemSettingsTopic {
				audit = append(audit, e.Action+" "+e.RecordKey)
			}
		}
		want := []string{
			"set web|A001", "set *|A001", "set web|A001", "disable web|A001", "enable web|A001", "resync web|A001",
			"disable *|A001", "disable *|A002", "enable *|A001", "enable *|A002",
		}
		if diff := cmp.Diff(want, audit); diff != "" {
			t.Error(diff)
		}
	})
}

// A person's word to send a SKU is kept also where nobody has switched it off: it counts against the rule.
func TestItems_EnableIsAWordOfItsOwnAndCanBeTakenBack(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg := withTopics(t, c)
	run(t, cfg, "stores", "set", "web", "marketplace=webhook").want(t, cli.ExitOK)
	for _, step := range []struct{ flag, want string }{
		{"--auto=false", "new, by"}, {"--auto=false", "nothing to change"}, {"--auto", "disable_stock_update  false   -"},
	} {
		run(t, cfg, "items", "enable", "web", "A001", "--force", step.flag).want(t, cli.ExitOK, "1:"+step.want, "1:in preview")
	}
	var said []string
	for _, r := range records(t, c, cfg, topics.ItemSettingsTopic) {
		s, err := topics.DecodeItemSettings(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprint(s.DisableStockUpdate != nil && !*s.DisableStockUpdate))
	}
	if want := []string{"true", "false"}; !slices.Equal(said, want) {
		t.Errorf("got %v, want %v", said, want)
	}
}

func TestItems_RefuseWhatIsNotKnown(t *testing.T) {
	c := testenv.StartKfake(t)
	cfg, _ := stocked(t, c)
	run(t, cfg, "stores", "set", "web", "marketplace=webhook").want(t, cli.ExitOK)
	produce(t, c, cfg, topics.Listings, "web|only listed", `{"store":"web","sku":"only listed","targets":[],"origin":"person","seen_at":null}`)
	run(t, cfg, "items", "disable", "web", "A001", "only listed").want(t, cli.ExitOK)
	run(t, cfg, "items", "disable", "web", "A001", "a-typo").want(t, cli.ExitFailed, "2:a-typo: neither stock nor a listing", "2:--force")
	run(t, cfg, "items", "disable", "nowhere", "A001").want(t, cli.ExitFailed, `2:store "nowhere": no such store`)
	run(t, cfg, "items", "set", "web", "A001", "buffer=much").want(t, cli.ExitUsage, "2:buffer", `2:"much"`)
	run(t, cfg, "items", "set", "web", "A001", "min=3", "max=2").want(t, cli.ExitUsage, "2:min: 3 is above max 2")
	run(t, cfg, "items", "set", "web", "A001", "warehouses=*").want(t, cli.ExitUsage, "2:no such field; there are buffer, percent")
	run(t, cfg, "items", "disable", "web", "--force", strings.Repeat("x", 201)).want(t, cli.ExitUsage, "2:sku")
	if n := len(records(t, c, cfg, topics.ItemSettingsTopic)); n != 2 {
		t.Errorf("%d settings were written, want 2", n)
	}
}
