package sinks

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"stocksync/topics"
)

// nearMisses knows, of one store, the listings whose SKU nobody has stock under, and the SKUs with stock that differ
// from one of those by case or spaces only. It belongs to the reconciler.
type nearMisses struct {
	groups map[string]*nearGroup // by normal form
	fresh  map[string]struct{}   // normal forms whose SKUs with stock were not looked for yet
}

// nearGroup are texts of one normal form.
type nearGroup struct {
	listings []string // without stock under exactly that SKU
	skus     []string // with stock, as far as they are known
}

func newNearMisses() nearMisses {
	return nearMisses{groups: map[string]*nearGroup{}, fresh: map[string]struct{}{}}
}

// normalForm is what a SKU has in common with those that people take for it: case and spaces, also those that cannot
// be seen, make no difference.
func normalForm(sku string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, sku)
}

// note brings the index up to what is known of a SKU. It returns the others that this says something new about.
func (n *nearMisses) note(sku string, row *row) (others []string) {
	if len(n.groups) == 0 && row.av != nil {
		return nil // as nearly always
	}
	orphan := row.av == nil && row.list != nil && len(row.list.Targets) > 0
	form := normalForm(sku)
	g := n.groups[form]
	if g == nil {
		if !orphan {
			return nil
		}
		g = &nearGroup{}
		n.groups[form] = g
		n.fresh[form] = struct{}{}
	}
	changed := g.set(&g.listings, sku, orphan)
	if g.set(&g.skus, sku, row.av != nil) {
		changed = true
	}
	if changed {
		others = slices.DeleteFunc(slices.Concat(g.listings, g.skus), func(s string) bool { return s == sku })
	}
	if len(g.listings) == 0 {
		delete(n.groups, form)
		delete(n.fresh, form)
	}
	return others
}

// set puts a text into a list, or takes it out; it tells whether that changed anything.
func (*nearGroup) set(list *[]string, sku string, in bool) (changed bool) {
	i := slices.Index(*list, sku)
	switch {
	case in && i < 0:
		*list = append(*list, sku)
	case !in && i >= 0:
		*list = slices.Delete(*list, i, i+1)
	default:
		return false
	}
	return true
}

// of returns the near misses of a SKU: listings where it has stock, and SKUs with stock where it is a listing.
func (n *nearMisses) of(sku string, stocked bool) []string {
	if len(n.groups) == 0 {
		return nil
	}
	g := n.groups[normalForm(sku)]
	if g == nil {
		return nil
	}
	list := g.skus
	if stocked {
		list = g.listings
	}
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == sku })
	slices.Sort(list)
	return list
}

// take returns the normal forms to look for, and forgets that they are to be looked for.
func (n *nearMisses) take() map[string]struct{} {
	forms := n.fresh
	n.fresh = map[string]struct{}{}
	return forms
}

// stockedLike walks over the SKUs that have availability, and returns those of some normal forms.
func stockedLike(t tables, forms map[string]struct{}) (skus []string, err error) {
	c, err := t.View(topics.AvailabilityTopic).Cursor(nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for c.Next() {
		sku := string(c.Key())
		if _, wanted := forms[normalForm(sku)]; wanted {
			skus = append(skus, sku)
		}
	}
	return skus, c.Err()
}
