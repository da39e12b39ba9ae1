package sinks_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/topics"
)

func gathered(t *testing.T, g *sinks.Gather) map[string]topics.Listing {
	t.Helper()
	all := map[string]topics.Listing{}
	err := g.Each(func(l topics.Listing) error {
		if _, err := topics.DecodeListing(l.Encode()); err != nil {
			t.Errorf("%q: the record is refused: %v", l.SKU, err)
		}
		all[l.SKU] = l
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func target(product, variant string) topics.Target {
	return topics.Target{ProductID: product, VariantID: variant, Status: topics.TargetActive, Tracked: true}
}

func TestGather_PutsTheTargetsOfASKUTogether(t *testing.T) {
	g := sinks.NewGather("shop-1", time.Now())
	g.Add("A", target("1", "11"))
	g.Add("B", target("1", "12"))
	g.Add("A", target("2", ""))
	g.Add("A", target("1", "11")) // seen again on a page that moved
	g.Add("a", target("3", ""))
	all := gathered(t, g)
	if len(all) != 3 || len(all["A"].Targets) != 2 || len(all["B"].Targets) != 1 || len(all["a"].Targets) != 1 {
		t.Errorf("got %+v, want A on two products, B and a on one each", all)
	}
	if l := all["A"]; l.Store != "shop-1" || l.Origin != topics.OriginCatalogue || l.SeenAt.IsZero() {
		t.Errorf("got %+v, want the store's, by the catalogue, with a time", l)
	}
	var order []string
	stop := errors.New("enough")
	err := g.Each(func(l topics.Listing) error {
		order = append(order, l.SKU)
		if len(order) == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !slices.Equal(order, []string{"A", "B"}) {
		t.Errorf("got %v after %v, want %v after A and B", err, order, stop)
	}
}

// TestGather_KeepsOnlyWhatARecordCanHold ensures that one odd product of a shop does not spoil the pass.
func TestGather_KeepsOnlyWhatARecordCanHold(t *testing.T) {
	long := strings.Repeat("é", 200)
	g := sinks.NewGather("shop-1", time.Now())
	for _, sku := range []string{"", long + "é", "A\x00", "A\xff"} {
		g.Add(sku, target("1", ""))
	}
	g.Add("A", target("", "1"))
	g.Add("A", target("1", long+"é"))
	fits := target(long, long)
	fits.Title, fits.URL = "T\x00\xff"+long+"more", "https://"+long
	g.Add(long, fits)
	all := gathered(t, g)
	if len(all) != 1 {
		t.Fatalf("got %d listings, want one", len(all))
	}
	if x := all[long].Targets[0]; x.URL != "" || x.Title != "T"+long[:2*199] {
		t.Errorf("got title %q and address %q, want it cut, and none", x.Title, x.URL)
	}
}

func TestPages_SeesEverythingOrSaysThatItMayNotHave(t *testing.T) {
	type page struct{ entries, total int }
	for name, tc := range map[string]struct {
		pages []page
		want  error
	}{
		"none":                  {[]page{{0, 0}}, nil},
		"one":                   {[]page{{3, 3}}, nil},
		"three":                 {[]page{{2, 5}, {2, 5}, {1, 5}}, nil},
		"one went":              {[]page{{2, 5}, {2, 4}}, sinks.ErrMoved},
		"one came":              {[]page{{2, 5}, {2, 6}}, sinks.ErrMoved},
		"an empty page between": {[]page{{2, 5}, {0, 5}}, sinks.ErrMoved},
		"more than were told":   {[]page{{7, 5}}, nil},
	} {
		seen, n := 0, 0
		err := sinks.Pages(func(from int) (int, int, error) {
			if from != seen || n == len(tc.pages) {
				t.Fatalf("%s: asked for page %d from %d, want from %d of %d pages", name, n, from, seen, len(tc.pages))
			}
			p := tc.pages[n]
			seen, n = seen+p.entries, n+1
			return p.entries, p.total, nil
		})
		if !errors.Is(err, tc.want) || n != len(tc.pages) {
			t.Errorf("%s: got %v after %d pages, want %v after %d", name, err, n, tc.want, len(tc.pages))
		}
	}
	stop := errors.New("no answer")
	if err := sinks.Pages(func(int) (int, int, error) { return 0, 0, stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
}
