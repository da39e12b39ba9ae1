package sinks_test

import (
	"fmt"
	"slices"
	"testing"

	"stocksync/sinks"
	"stocksync/topics"
)

// unlisted is a pair of a store with a catalogue that has no listing for it. The SKU was first seen at minute 5.
func unlisted() *pair {
	p := inSync()
	p.Listed = true
	p.Status = nil
	return p
}

// day is a number of minutes.
const day = 24 * 60

func TestJudge_SaysWhyASKUIsNotListed(t *testing.T) {
	for name, tc := range map[string]struct {
		change   func(p *pair)
		want     string
		evidence string
		wake     topics.Time
	}{
		"no pass yet":            {func(*pair) {}, "unmapped mapping_pending", "map[until:2026-09-27T02:05:00Z]", at(5 + day)},
		"a pass before":          {func(p *pair) { p.PassAt = at(4) }, "unmapped mapping_pending", "map[until:2026-09-27T02:05:00Z]", at(5 + day)},
		"a pass since":           {func(p *pair) { p.PassAt = at(5) }, "unmapped sku_mismatch", "map[catalogue_read_at:2026-09-26T02:05:00Z]", 0},
		"a pass of the last one": {func(p *pair) { p.said(topics.SyncSKUMismatch, at(6)) }, "unmapped sku_mismatch", "map[catalogue_read_at:2026-09-26T02:06:00Z]", 0},
		"a day without a pass":   {func(p *pair) { p.Now = at(5 + day) }, "unmapped sku_mismatch", "map[]", 0},
		"near misses": {
			func(p *pair) { p.PassAt, p.Near = at(6), []string{"a", "A "} }, "unmapped sku_mismatch",
			"map[catalogue_read_at:2026-09-26T02:06:00Z near_misses:[a A ]]", 0,
		},
		"the SKU has no stock":                  {func(p *pair) { p.Availability = nil }, "unmapped mapping_pending+no_transaction_yet", "map[]", 0},
		"listing of nothing":                    {func(p *pair) { p.targets(); p.PassAt = at(6) }, "unmapped sku_mismatch", "map[catalogue_read_at:2026-09-26T02:06:00Z]", 0},
		"a listing that nobody has stock under": {func(p *pair) { p.targets("1"); p.Availability = nil }, "never no_transaction_yet", "map[]", 0},
		"and is near to one": {
			func(p *pair) { p.targets("1"); p.Availability = nil; p.Near = []string{"a"} },
			"unmapped sku_mismatch+no_transaction_yet", "map[near_misses:[a]]", 0,
		},
		"listed, and near to another": {func(p *pair) { p.targets("1"); p.Near = []string{"a"} }, "pending waiting due:event", "map[]", 0},
		"no catalogue":                {func(p *pair) { p.Listed = false; p.Near = []string{"a"} }, "pending waiting due:event", "map[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := unlisted()
			tc.change(p)
			got, v := p.judge()
			if evidence := fmt.Sprint(v.Evidence); got != tc.want || evidence != tc.evidence {
				t.Errorf("got %s %s, want %s %s", got, evidence, tc.want, tc.evidence)
			}
			if v.WakeAt != tc.wake {
				t.Errorf("wakes at %s, want %s", v.WakeAt, tc.wake)
			}
		})
	}
}

// said makes the last status one that says that the SKU is not listed, by a pass at some time.
func (p *pair) said(reason topics.SyncReason, pass topics.Time) {
	p.Status = &topics.SyncStatus{
		Store: "s", SKU: "A", State: reason.State(), Reason: reason,
		Evidence: map[string]any{"catalogue_read_at": pass.String()},
	}
}

// ordered makes an order of the store one that a revision carried, which tells its time.
func (p *pair) ordered(minute int) {
	p.Availability.OrdersFrom = topics.StoreRevisions{{Store: "s", Revision: int64(at(minute)) / 1000}}
}

// autoDisabled makes the pair one that was switched off at a minute.
func (p *pair) autoDisabled(minute int) {
	p.said(topics.SyncAutoDisabled, at(minute))
	p.Status.AutoDisabled, p.Status.AutoDisabledAt = true, at(minute)
	p.Status.AutoDisabledRevision = int64(at(minute)) / 1000
}

// TestJudge_SwitchesOffWhatIsNotListedAndOnAgain ensures when a pair is switched off by itself, what switches it on,
// and that a person's setting wins over both.
func TestJudge_SwitchesOffWhatIsNotListedAndOnAgain(t *testing.T) {
	const off, on = "disabled auto_disabled+sku_mismatch", "unmapped sku_mismatch"
	says := func(disabled bool) func(p *pair) {
		return func(p *pair) { p.Own = off2(disabled) }
	}
	for name, tc := range map[string]struct {
		was    func(p *pair)
		change func(p *pair)
		want   string
		auto   string
	}{
		"a pass since it was seen":  {nil, nil, off, "off at 2026-09-26T03:00:00Z of 100"},
		"no pass":                   {nil, func(p *pair) { p.PassAt = 0 }, "unmapped mapping_pending", ""},
		"a pass before it was seen": {nil, func(p *pair) { p.PassAt = at(4) }, "unmapped mapping_pending", ""},
		"a day without a pass":      {nil, func(p *pair) { p.PassAt, p.Now = 0, at(5+day) }, on, ""},
		"the store says no":         {nil, func(p *pair) { p.store.AutoDisableUnmatched = new(false) }, on, ""},
		"all stores say no":         {nil, func(p *pair) { p.all = topics.Store{Store: "*", AutoDisableUnmatched: new(false)} }, on, ""},
		"the store says yes": {nil, func(p *pair) {
			p.Traits.AutoDisable = false
			p.store.AutoDisableUnmatched = new(true)
		}, off, "off at 2026-09-26T03:00:00Z of 100"},
		"not by default":          {nil, func(p *pair) { p.Traits.AutoDisable = false }, on, ""},
		"an order before":         {nil, func(p *pair) { p.ordered(19) }, off, "off at 2026-09-26T03:00:00Z of 100"},
		"an order since the pass": {nil, func(p *pair) { p.ordered(21) }, on, ""},
		"deleted is listed too": {nil, func(p *pair) {
			p.targets("1")
			p.target(0, func(t *topics.Target) { t.Status = topics.TargetDeleted })
		}, "blocked listing_deleted", ""},
		"a person has it off": {nil, says(true), "disabled item_disabled+sku_mismatch", "off at 2026-09-26T03:00:00Z of 100"},
		"a person has it on":  {nil, says(false), on, "off at 2026-09-26T03:00:00Z of 100"},
		"the SKU in all stores is off": {
			nil, func(p *pair) { p.AllSet = off2(true); p.AllSet.Store = "*" },
			"disabled item_disabled+auto_disabled+sku_mismatch", "off at 2026-09-26T03:00:00Z of 100",
		},

		"off, nothing new":     {func(p *pair) { p.autoDisabled(30) }, nil, off, "off at 2026-09-26T02:30:00Z of 1790389800000"},
		"off, an order before": {func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.ordered(30) }, off, "off at 2026-09-26T02:30:00Z of 1790389800000"},
		"off, a new order":     {func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.ordered(31) }, on, "on by order"},
		"off, another store's": {func(p *pair) { p.autoDisabled(30) }, func(p *pair) {
			p.ordered(31)
			p.Availability.OrdersFrom[0].Store = "t"
		}, off, "off at 2026-09-26T02:30:00Z of 1790389800000"},
		"off, then listed":            {func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.targets("1") }, "pending waiting due:event", "on by catalogue"},
		"off, then the store says no": {func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.store.AutoDisableUnmatched = new(false) }, on, "on by setting"},
		"off, and a person has it on": {func(p *pair) { p.autoDisabled(30) }, says(false), on, "off at 2026-09-26T02:30:00Z of 1790389800000"},
		"off, order, and a person has it off": {
			func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.ordered(31); says(true)(p) },
			"disabled item_disabled+sku_mismatch", "on by order",
		},
		"off, and no catalogue any more": {func(p *pair) { p.autoDisabled(30) }, func(p *pair) { p.Listed = false }, "pending waiting due:event", "on by setting"},
	} {
		t.Run(name, func(t *testing.T) {
			p := unlisted()
			p.PassAt, p.Traits.AutoDisable = at(20), true
			for _, f := range []func(p *pair){tc.was, tc.change} {
				if f != nil {
					f(p)
				}
			}
			if got, v := p.judge(); got != tc.want || v.Auto != tc.auto {
				t.Errorf("got %s, %s, want %s, %s", got, v.Auto, tc.want, tc.auto)
			}
		})
	}
}

func off2(disabled bool) *topics.ItemSettings {
	s := off("s")
	s.DisableStockUpdate = new(disabled)
	return s
}

func TestNormalForm_IgnoresCaseAndSpacesAlsoThoseNobodySees(t *testing.T) {
	for _, sku := range []string{"SKU-1A", "sku-1a", " SKU-1A", "SKU-1A\t", "S KU-1A", "SKU\u00a0-1A", "SKU-\u200b1A", "\ufeffSKU-1A"} {
		if got := sinks.NormalForm(sku); got != "sku-1a" {
			t.Errorf("%q: got %q", sku, got)
		}
	}
	if got := sinks.NormalForm("SKU 1A"); got == "sku-1a" {
		t.Error("a hyphen is no space")
	}
}

// TestNear_KnowsListingsAndSKUsThatDifferBySpacesAndCase ensures that both sides learn of each other whichever comes
// first, that an exact match is no near miss, and that nothing is kept of what is none.
func TestNear_KnowsListingsAndSKUsThatDifferBySpacesAndCase(t *testing.T) {
	n := sinks.NewNear()
	check := func(sku string, stocked bool, want ...string) {
		t.Helper()
		if got := n.Of(sku, stocked); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", sku, got, want)
		}
	}
	n.Note("A", true, false)
	if n.Groups() > 0 {
		t.Error("a SKU alone is kept")
	}
	n.Note("a", false, true)
	check("A", true, "a")
	check("a", false) // the SKU was not looked for yet
	if news := n.Note("A", true, false); !slices.Equal(news, []string{"a"}) {
		t.Errorf("got %q to look at, want the listing", news)
	}
	check("a", false, "A")
	if news := n.Note("A", true, false); len(news) > 0 {
		t.Errorf("got %q to look at again, want none", news)
	}
	n.Note("a ", false, true)
	check("A", true, "a", "a ")
	n.Note("a", true, true) // stock came in under the very SKU of the listing
	check("A", true, "a ")
	check("a", true, "a ")
	check("a ", false, "A", "a")
	n.Note("a ", false, false)
	check("A", true)
	if n.Groups() > 0 {
		t.Errorf("got %d groups, want none: no listing is left without stock", n.Groups())
	}
}
