package conformance

import (
	"context"
	"slices"
	"testing"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

func shelfChecks() []check {
	return []check{
		{"a catalogue of many pages", catalogue},
		{"a catalogue pass that is cut short", catalogueFails},
		{"a catalogue pass in which the token expires", catalogueExpires},
		{"reading back", readBack},
		{"reading back more than a page", readBackMany},
	}
}

// manyItems is more than two pages of any marketplace.
const manyItems = 230

// stocked returns the shop as one with a catalogue, or skips.
func (b *bench) stocked() (Stocked, sinks.Cataloguer) {
	b.t.Helper()
	lister, ok := b.session.(sinks.Cataloguer)
	if !ok {
		b.t.Skip("there is no catalogue")
	}
	if b.subject.Unstocked != "" {
		b.t.Skip(b.subject.Unstocked)
	}
	shop, ok := b.shop.(Stocked)
	if !ok {
		b.t.Fatal("the adapter lists, but the shop can't be stocked")
	}
	return shop, lister
}

// list runs a pass and returns what it found, by SKU.
func (b *bench) list(ctx context.Context, lister sinks.Cataloguer) (map[string]topics.Listing, error) {
	b.t.Helper()
	found := map[string]topics.Listing{}
	err := lister.Catalogue(ctx, func(l topics.Listing) error {
		if _, twice := found[l.SKU]; twice {
			b.t.Errorf("%q was found twice", l.SKU)
		}
		if l.Store != b.account.Store || l.Origin != topics.OriginCatalogue || l.SeenAt.IsZero() {
			b.t.Errorf("%q: got store %q, origin %q, seen %s", l.SKU, l.Store, l.Origin, l.SeenAt)
		}
		if _, err := topics.DecodeListing(l.Encode()); err != nil {
			b.t.Errorf("%q: the record is refused: %v", l.SKU, err)
		}
		found[l.SKU] = l
		return nil
	})
	b.hearError(err)
	return found, err
}

// catalogue ensures that a pass finds everything: each SKU once, with all its targets, over several pages.
func catalogue(t *testing.T, b *bench) {
	shop, lister := b.stocked()
	shop.Stock(manyItems)
	items := shop.Items()
	twice := items[0] // two products with one SKU, on the first and on the last page
	twice.SKU = items[len(items)-1].SKU
	shop.Put(twice)
	found, err := b.list(t.Context(), lister)
	if err != nil {
		t.Fatal(err)
	}
	b.wantListed(shop, found)
	if n := len(found[twice.SKU].Targets); n != 2 {
		t.Errorf("a SKU of two products: got %d targets", n)
	}
	if n := b.calls(twin.OpList); n < 2 {
		t.Errorf("got %d requests for %d items, want pages", n, len(items))
	}
}

// wantListed checks that a pass found each item of the shop and nothing else.
func (b *bench) wantListed(shop Stocked, found map[string]topics.Listing) {
	b.t.Helper()
	targets := 0
	for _, it := range shop.Items() {
		l := found[it.SKU]
		has := slices.ContainsFunc(l.Targets, func(x topics.Target) bool {
			return x.ProductID == it.Product && x.VariantID == it.Variant && x.Status == topics.TargetActive
		})
		if !has {
			b.t.Errorf("%s: got targets %+v, want %+v among them, active", it.SKU, l.Targets, it.ID)
		}
	}
	for _, l := range found {
		targets += len(l.Targets)
	}
	if n := len(shop.Items()); targets != n {
		b.t.Errorf("got %d targets, want %d", targets, n)
	}
}

// catalogueFails ensures that a pass which did not see everything is an error: SKUs that it missed would
// look deleted.
func catalogueFails(t *testing.T, b *bench) {
	shop, lister := b.stocked()
	shop.Stock(manyItems)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	shop.Inject(twin.Fault{Kind: twin.FaultHang, Op: twin.OpList, Skip: 1, Count: -1})
	go func() {
		select {
		case <-shop.Hung():
		case <-ctx.Done():
		}
		cancel()
	}()
	if found, err := b.list(ctx, lister); err == nil {
		t.Errorf("got a complete pass with %d SKUs, want an error", len(found))
	}
}

// catalogueExpires ensures that a token which expires in mid-pass does not end in a pass that looks complete.
func catalogueExpires(t *testing.T, b *bench) {
	shop, lister := b.stocked()
	b.refresher()
	shop.Stock(manyItems)
	shop.ExpireAfter(1)
	found, err := b.list(t.Context(), lister)
	if err != nil {
		b.wantRefresh(sinks.ClassOK)
		if found, err = b.list(t.Context(), lister); err != nil {
			t.Fatal(err)
		}
	}
	b.wantListed(shop, found)
}

// reader returns the session as one that reads back, or skips.
func (b *bench) reader() (Stocked, sinks.Reader) {
	b.t.Helper()
	reader, ok := b.session.(sinks.Reader)
	if !ok {
		b.t.Skip("the shop can't be read")
	}
	if b.subject.Unstocked != "" {
		b.t.Skip(b.subject.Unstocked)
	}
	shop, ok := b.shop.(Stocked)
	if !ok {
		b.t.Fatal("the adapter reads, but the shop can't be stocked")
	}
	return shop, reader
}

// wantReadings reads updates back and checks the numbers.
func (b *bench) wantReadings(reader sinks.Reader, updates []sinks.Update) {
	b.t.Helper()
	readings, o := reader.ReadBack(b.t.Context(), updates)
	b.hear(o.Code, o.Message)
	if o.Class != sinks.ClassOK || len(readings) != len(updates) {
		b.t.Fatalf("got %d readings of %d, %+v", len(readings), len(updates), o)
	}
	for i := range updates {
		want, ok := b.shop.Shown(&updates[i])
		if got := readings[i]; got.Found != ok || got.Qty != want {
			b.t.Errorf("update %d: got %+v, want %s, %v", i, got, want, ok)
		}
	}
}

func readBack(t *testing.T, b *bench) {
	shop, reader := b.reader()
	updates := shop.Updates(min(3, b.session.Traits().Batch))
	b.wantAll(updates)
	b.wantReadings(reader, append([]sinks.Update{shop.Unknown()}, updates...))
	u := updates[0]
	location := ""
	if len(u.Target.Locations) > 0 {
		location = u.Target.Locations[0]
	}
	shop.Sell(twin.ID{Product: u.Target.ProductID, Variant: u.Target.VariantID}, location, 3*topics.One)
	b.wantReadings(reader, updates)
	shop.Inject(twin.Fault{Kind: twin.FaultUnavailable, Op: twin.OpRead, Count: -1})
	if readings, o := reader.ReadBack(t.Context(), updates); o.Class != sinks.ClassTransient {
		t.Errorf("unavailable: got %+v, %+v, want transient", readings, o)
	}
}

func readBackMany(_ *testing.T, b *bench) {
	shop, reader := b.reader()
	shop.Stock(manyItems)
	b.wantReadings(reader, twin.Updates(shop.Items()))
}
