package sinks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stocksync/topics"
)

// textMost is how many code points a record keeps of a text, and may have in an id.
const textMost = 200

// Gather puts together what a pass over a catalogue finds product by product: one listing a SKU, with all its
// targets in the order in which they came. It is not safe for concurrent use.
type Gather struct {
	store    string
	seenAt   topics.Time
	listings map[string]*topics.Listing
	order    []*topics.Listing
}

// NewGather returns what holds the findings of a pass over a store that begins now.
func NewGather(store string, now time.Time) *Gather {
	return &Gather{store: store, seenAt: topics.TimeOf(now), listings: map[string]*topics.Listing{}}
}

// Add notes that a target is sold under a SKU. What has no SKU, or one that no record can hold, is left out:
// nothing of ours can be meant by it. A title or an address that is too long is cut or dropped.
func (g *Gather) Add(sku string, t topics.Target) {
	if !holdable(sku) || !holdable(t.ProductID) || t.VariantID != "" && !holdable(t.VariantID) {
		return
	}
	t.Title = cut(t.Title)
	if t.URL != "" && !holdable(t.URL) {
		t.URL = ""
	}
	l := g.listings[sku]
	if l == nil {
		l = &topics.Listing{Store: g.store, SKU: sku, Origin: topics.OriginCatalogue, SeenAt: g.seenAt}
		g.listings[sku] = l
		g.order = append(g.order, l)
	}
	twice := slices.ContainsFunc(l.Targets, func(o topics.Target) bool {
		return o.ProductID == t.ProductID && o.VariantID == t.VariantID
	})
	if !twice { // a page that moved under the pass shows some again
		l.Targets = append(l.Targets, t)
	}
}

// Each calls found for every listing, in the order in which their SKUs came first, until it returns an error.
func (g *Gather) Each(found func(topics.Listing) error) error {
	for _, l := range g.order {
		if err := found(*l); err != nil {
			return err
		}
	}
	return nil
}

// holdable tells whether a record can hold a text as an id.
func holdable(text string) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= textMost &&
		!strings.ContainsRune(text, 0)
}

// cut makes a text fit for a record.
func cut(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	if utf8.RuneCountInString(text) > textMost {
		text = string([]rune(text)[:textMost])
	}
	return text
}

// ErrMoved reports a catalogue that changed while it was read: what moved from one page to another may not have
// been seen, and would look deleted.
var ErrMoved = errors.New("the catalogue changed during the pass")

// Pages goes through the pages of a list. page reads one that begins after the entries seen so far, and returns how
// many are on it and how many the list has; an error of it ends the pass. ErrMoved says that the list changed.
func Pages(page func(seen int) (entries, total int, err error)) error {
	for seen, before := 0, -1; before < 0 || seen < before; {
		entries, total, err := page(seen)
		switch {
		case err != nil:
			return err
		case before >= 0 && total != before, entries == 0 && seen < total:
			return fmt.Errorf("page from %d: %w", seen, ErrMoved)
		}
		seen, before = seen+entries, total
	}
	return nil
}
