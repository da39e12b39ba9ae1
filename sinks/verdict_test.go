package sinks_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/topics"
)

const qty = topics.One // a unit

// at is a time in minutes after some start.
func at(minutes int) topics.Time {
	return topics.TimeOf(time.Date(2026, 9, 26, 2, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute))
}

// pair is everything about a pair; its methods change one thing each.
type pair struct {
	sinks.Facts
	store, all topics.Store
	garbage    string // in place of the store's record
}

// inSync is a pair of a webhook store that shows the 10 that it should, at minute 60.
func inSync() *pair {
	p := &pair{store: topics.Store{
		Store: "s", Marketplace: "webhook", Warehouses: []string{"W1", "W2"}, ChangedAt: at(1),
	}}
	p.Now = at(60)
	p.Availability = available("A", 100, 10*qty)
	p.Status = &topics.SyncStatus{
		Store: "s", SKU: "A", State: topics.StateSynced, Reason: topics.SyncInSync,
		Delivered: &topics.Delivered{Revision: 100, Qty: 10 * qty, At: at(10)},
		Wanted:    topics.Wanted{Revision: 100, Qty: 10 * qty, At: at(10), Cause: topics.SyncEvent},
	}
	return p
}

// available is the record of a SKU that has a quantity in W1, and of which nothing is elsewhere.
func available(sku string, revision int64, q topics.Quantity) *topics.Availability {
	return &topics.Availability{
		SKU: sku, Revision: revision, Actual: q, Net: q, Available: max(0, q), Trigger: topics.TriggerEvent,
		Warehouses:     []topics.WarehouseStock{{Warehouse: "W1", Actual: q, Net: q, Available: max(0, q)}},
		LastMutationAt: at(5), AsOf: at(5), ProcessedAt: at(5), FirstSeenAt: at(5),
	}
}

// refused makes the last attempt one that a marketplace refused, of what is wanted now.
func (p *pair) refused(c sinks.Class, minute int) {
	p.encode()
	s := *p.Status
	s.Attempts, s.Error = 1, &topics.SyncError{Code: "x", Message: "y"}
	s.Evidence = sinks.Refused(p.Facts, c, at(minute), at(minute+30))
	reasons := map[sinks.Class]topics.SyncReason{
		sinks.ClassQuantity: topics.SyncQuantityRefused, sinks.ClassBelowReserved: topics.SyncBelowReserved,
		sinks.ClassNotFound: topics.SyncSKUMismatch, sinks.ClassNotEditable: topics.SyncListingInactive,
		sinks.ClassLocation: topics.SyncLocationMissing, sinks.ClassManagedElsewhere: topics.SyncManagedElsewhere,
		sinks.ClassPromoLock: topics.SyncPromoLocked, sinks.ClassRaiseOnly: topics.SyncRaiseOnly,
		sinks.ClassTransient: topics.SyncMarketplaceError, sinks.ClassThrottle: topics.SyncRateLimited,
		sinks.ClassToken: topics.SyncAuthExpired,
	}
	s.Reason = reasons[c]
	s.State = s.Reason.State()
	if s.State == topics.StateRetrying || c == sinks.ClassPromoLock || c == sinks.ClassRaiseOnly {
		s.NextAttemptAt = at(minute + 30)
	}
	p.Status = &s
}

// want brings what is wanted to another quantity at a higher revision.
func (p *pair) want(revision int64, q topics.Quantity) { p.Availability = available("A", revision, q) }

func (p *pair) targets(ids ...string) {
	p.Listed = true
	p.Listing = &topics.Listing{Store: "s", SKU: "A", Origin: topics.OriginUpstream}
	for _, id := range ids {
		p.Listing.Targets = append(p.Listing.Targets, topics.Target{ProductID: id, Status: topics.TargetActive, Tracked: true})
	}
}

func (p *pair) encode() {
	p.Store = p.store.Encode()
	if p.garbage != "" {
		p.Store = []byte(p.garbage)
	}
	if p.all.Store != "" {
		p.All = p.all.Encode()
	}
}

// judge returns the verdict as a text: state, reason, the other reasons, and what is due for.
func (p *pair) judge() (string, sinks.Verdict) {
	p.encode()
	v := sinks.Judge(p.Facts)
	text := string(v.State) + " " + string(v.Reason)
	for _, also := range v.Also {
		text += "+" + string(also)
	}
	if v.Cause != "" {
		text += " due:" + string(v.Cause)
	}
	return text, v
}

// TestJudge_FindsEveryReason ensures that each reason of the design is found, with its state, and with the others
// that hold beside it in the order of the design.
func TestJudge_FindsEveryReason(t *testing.T) {
	unauthorised := sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "401", Message: "who are you"}
	found := map[topics.SyncReason]bool{}
	for name, tc := range map[string]struct {
		change func(p *pair)
		want   string
	}{
		"nothing to do": {func(*pair) {}, "synced in_sync"},

		"record is no JSON":        {func(p *pair) { p.garbage = "{" }, "blocked config_error"},
		"record is of another":     {func(p *pair) { p.store.Store = "t" }, "blocked config_error"},
		"record breaks a rule":     {func(p *pair) { p.store.Percent = new(2000 * qty) }, "blocked config_error"},
		"record of * breaks one":   {func(p *pair) { p.all = topics.Store{Store: "*", Percent: new(2000 * qty)} }, "blocked config_error"},
		"cannot be opened":         {func(p *pair) { p.Unopened = errors.New("no url") }, "blocked config_error"},
		"settings cannot be read":  {func(p *pair) { p.Broken = errors.New("no JSON") }, "blocked config_error"},
		"address is refused":       {func(p *pair) { p.Trouble = sinks.Outcome{Class: sinks.ClassConfig} }, "blocked config_error"},
		"record bad, SKU unknown":  {func(p *pair) { p.garbage = "{"; p.Availability = nil }, "blocked config_error+no_transaction_yet"},
		"record bad, item off":     {func(p *pair) { p.garbage = "{"; p.Own = off("s") }, "blocked config_error+item_disabled"},
		"availability unreadable":  {func(p *pair) { p.Availability, p.Blind, p.Broken = nil, true, errors.New("x") }, "blocked config_error"},
		"cannot be opened and off": {func(p *pair) { p.Unopened = errors.New("x"); p.store.DisableStockUpdate = true }, "blocked config_error+store_disabled"},

		"store off":           {func(p *pair) { p.store.DisableStockUpdate = true }, "disabled store_disabled"},
		"kill switch":         {func(p *pair) { p.all = topics.Store{Store: "*", DisableStockUpdate: true} }, "disabled store_disabled"},
		"preview":             {func(p *pair) { p.store.Mode = topics.ModePreview }, "blocked preview"},
		"shop took it back":   {func(p *pair) { p.Trouble = unauthorised }, "blocked shop_unauthorised"},
		"no warehouses":       {func(p *pair) { p.store.Warehouses = nil }, "blocked no_warehouse"},
		"empty warehouses":    {func(p *pair) { p.store.Warehouses = []string{} }, "blocked no_warehouse"},
		"warehouses of *":     {func(p *pair) { p.store.Warehouses = nil; p.all = topics.Store{Store: "*", Warehouses: []string{"W1"}} }, "blocked no_warehouse"},
		"item off":            {func(p *pair) { p.Own = off("s") }, "disabled item_disabled"},
		"item off everywhere": {func(p *pair) { p.AllSet = off("*") }, "disabled item_disabled"},
		"no listing":          {func(p *pair) { p.Listed = true }, "unmapped mapping_pending"},
		"listing of nothing":  {func(p *pair) { p.targets() }, "unmapped mapping_pending"},
		"no availability":     {func(p *pair) { p.Availability = nil }, "never no_transaction_yet"},
		"touched only": {func(p *pair) {
			p.Availability.LastMutationAt, p.Availability.LastOrderAt = 0, 0
		}, "never no_transaction_yet"},
		"an order only": {func(p *pair) {
			p.Availability.LastMutationAt, p.Availability.LastOrderAt = 0, at(5)
		}, "synced in_sync"},

		"not found":         {func(p *pair) { p.refused(sinks.ClassNotFound, 20) }, "unmapped sku_mismatch"},
		"not editable":      {func(p *pair) { p.refused(sinks.ClassNotEditable, 20) }, "blocked listing_inactive"},
		"managed elsewhere": {func(p *pair) { p.refused(sinks.ClassManagedElsewhere, 20) }, "blocked managed_elsewhere"},
		"location":          {func(p *pair) { p.refused(sinks.ClassLocation, 20) }, "blocked location_missing"},
		"quantity":          {func(p *pair) { p.refused(sinks.ClassQuantity, 20) }, "blocked quantity_refused"},
		"below reserved":    {func(p *pair) { p.refused(sinks.ClassBelowReserved, 20) }, "blocked below_reserved"},
		"promo":             {func(p *pair) { p.refused(sinks.ClassPromoLock, 55) }, "blocked promo_locked"},
		"raise only":        {func(p *pair) { p.refused(sinks.ClassRaiseOnly, 55) }, "blocked raise_only"},

		"failed before": {func(p *pair) { p.refused(sinks.ClassTransient, 55) }, "retrying marketplace_error due:event"},
		"throttled":     {func(p *pair) { p.refused(sinks.ClassThrottle, 55) }, "retrying rate_limited due:event"},
		"token":         {func(p *pair) { p.refused(sinks.ClassToken, 55) }, "retrying auth_expired due:event"},
		"outage":        {func(p *pair) { p.want(101, 9*qty); p.Outage = sinks.ClassTransient }, "retrying marketplace_error due:event"},
		"limit reached": {func(p *pair) { p.want(101, 9*qty); p.Outage = sinks.ClassThrottle }, "retrying rate_limited due:event"},
		"waits":         {func(p *pair) { p.want(101, 9*qty) }, "pending waiting due:event"},

		"nothing left":  {func(p *pair) { p.show(0); p.want(100, 0) }, "synced zero_available"},
		"oversold":      {func(p *pair) { p.show(0); p.want(100, -3*qty) }, "synced zero_available"},
		"all is buffer": {func(p *pair) { p.show(0); p.store.Buffer = new(10 * qty) }, "synced zero_by_rule"},
		"below min":     {func(p *pair) { p.show(0); p.store.Min = new(11 * qty) }, "synced zero_by_rule"},
		"no percent":    {func(p *pair) { p.show(0); p.store.Percent = new(topics.Quantity(0)) }, "synced zero_by_rule"},
		"no max":        {func(p *pair) { p.show(0); p.store.Max = new(topics.Quantity(0)) }, "synced zero_by_rule"},
		"half a unit":   {func(p *pair) { p.show(0); p.want(100, qty/2) }, "synced zero_by_rule"},
		"backorders":    {func(p *pair) { p.show(5 * qty); p.want(100, 0); p.store.Buffer = new(-5 * qty) }, "synced in_sync"},

		"all of it": {func(p *pair) {
			p.Unopened = errors.New("no url")
			p.store.DisableStockUpdate, p.store.Mode, p.store.Warehouses = true, topics.ModePreview, nil
			p.Trouble, p.Own, p.Listed, p.Availability = unauthorised, off("s"), true, nil
		}, "blocked config_error+store_disabled+preview+shop_unauthorised+no_warehouse+item_disabled+mapping_pending+no_transaction_yet"},
		"closed":            {func(p *pair) { p.Trouble = sinks.Outcome{Class: sinks.ClassNotEditable, Code: sinks.CodeShopClosed} }, "blocked shop_closed"},
		"auto-disabled":     {func(p *pair) { p.Listed, p.PassAt, p.Traits.AutoDisable = true, at(20), true }, "disabled auto_disabled+sku_mismatch"},
		"no pass yet":       {func(p *pair) { p.Listed = true }, "unmapped mapping_pending"},
		"not in the shop":   {func(p *pair) { p.Listed, p.PassAt = true, at(20) }, "unmapped sku_mismatch"},
		"deleted":           {func(p *pair) { p.listing(func(t *topics.Target) { t.Status = topics.TargetDeleted }) }, "blocked listing_deleted"},
		"banned":            {func(p *pair) { p.listing(func(t *topics.Target) { t.Status = topics.TargetBanned }) }, "blocked listing_banned"},
		"archived":          {func(p *pair) { p.listing(func(t *topics.Target) { t.Status = topics.TargetArchived }) }, "blocked listing_archived"},
		"inactive":          {func(p *pair) { p.listing(func(t *topics.Target) { t.Status = topics.TargetInactive }) }, "blocked listing_inactive"},
		"untracked":         {func(p *pair) { p.listing(func(t *topics.Target) { t.Tracked = false }) }, "blocked listing_untracked"},
		"several locations": {func(p *pair) { p.listing(func(t *topics.Target) { t.Locations = []string{"L1", "L2"} }) }, "blocked location_missing"},
		"braked":            {func(p *pair) { p.want(101, 0); p.Braking = true }, "blocked braked"},
		"a campaign locks": {func(p *pair) {
			p.listing(func(t *topics.Target) { t.Promos = []topics.Promo{{Kind: topics.PromoLock}} })
		}, "blocked promo_locked"},
		"and it is banned": {func(p *pair) {
			p.listing(func(t *topics.Target) {
				t.Status, t.Promos = topics.TargetBanned, []topics.Promo{{Kind: topics.PromoLock}}
			})
		}, "blocked listing_banned"},
		"a campaign lets it rise only": {func(p *pair) {
			p.listing(func(t *topics.Target) { t.Promos = []topics.Promo{{Kind: topics.PromoRaiseOnly}} })
			p.want(101, 9*qty)
		}, "blocked raise_only"},
		"a campaign's floor": {func(p *pair) {
			p.listing(func(t *topics.Target) { t.Promos = []topics.Promo{{Kind: topics.PromoFloor, Floor: 10 * qty}} })
			p.want(100, 9*qty)
		}, "blocked below_reserved"},
		"in the queue":            {func(p *pair) { p.want(101, 9*qty); p.Position = 7 }, "retrying rate_limited due:event"},
		"changed there":           {func(p *pair) { p.Seen, p.Ours = 12*qty, 10*qty }, "pending changed_on_marketplace due:readback"},
		"changed there, and new":  {func(p *pair) { p.Seen, p.Ours = 12*qty, 10*qty; p.want(101, 9*qty) }, "pending waiting+changed_on_marketplace due:event"},
		"changed there, and down": {func(p *pair) { p.Seen, p.Ours, p.Outage = 12*qty, 10*qty, sinks.ClassTransient }, "retrying marketplace_error+changed_on_marketplace due:readback"},

		"off and refused": {func(p *pair) { p.refused(sinks.ClassQuantity, 20); p.Own = off("s") }, "disabled item_disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			p := inSync()
			tc.change(p)
			got, v := p.judge()
			found[v.Reason] = true
			if v.State != v.Reason.State() {
				t.Errorf("got state %s of reason %s, want %s", v.State, v.Reason, v.Reason.State())
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s (evidence %v)", got, tc.want, v.Evidence)
			}
			if all := append([]topics.SyncReason{v.Reason}, v.Also...); !slices.IsSortedFunc(all, inOrder) {
				t.Errorf("%v is not in the order of the design", all)
			}
		})
	}
	for _, r := range topics.SyncReasons() {
		if !found[r] {
			t.Errorf("no case finds %s", r)
		}
	}
}

// listing makes the pair one of a store with a catalogue, whose one product was delivered to, and changes that.
func (p *pair) listing(change func(t *topics.Target)) {
	p.targets("1")
	p.delivered("1")
	p.target(0, change)
}

// inOrder compares reasons by their place in the design's list.
func inOrder(a, b topics.SyncReason) int {
	return slices.Index(topics.SyncReasons(), a) - slices.Index(topics.SyncReasons(), b)
}

func off(store string) *topics.ItemSettings {
	return &topics.ItemSettings{Store: store, SKU: "A", DisableStockUpdate: new(true), ChangedBy: "ani", ChangedAt: at(2)}
}

// show makes the shop show another quantity of the revision that is wanted.
func (p *pair) show(q topics.Quantity) {
	p.Status.Delivered.Qty, p.Status.Wanted.Qty = q, q
}

func TestJudge_SaysWhoSwitchedAPairOffAndUntilWhen(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(p *pair)
		want   string
		wakeAt topics.Time
	}{
		"*": {func(p *pair) {
			p.all = topics.Store{Store: "*", DisableStockUpdate: true, ChangedBy: "budi"}
			p.store.DisableStockUpdate = true
		}, "map[by:budi scope:*]", 0},
		"store until": {func(p *pair) {
			p.store.DisableStockUpdate, p.store.DisabledUntil, p.store.ChangedBy = true, at(90), "citra"
		}, "map[by:citra scope:store until:2026-09-26T03:30:00Z]", at(90)},
		"* until, then the store": {func(p *pair) {
			p.all = topics.Store{Store: "*", DisableStockUpdate: true, DisabledUntil: at(70)}
			p.store.DisableStockUpdate, p.store.DisabledUntil = true, at(90)
		}, "map[scope:* until:2026-09-26T03:10:00Z]", at(70)},
		"*|sku": {func(p *pair) { p.AllSet, p.Own = off("*"), off("s") }, "map[by:ani scope:*|sku]", 0},
		"pair until": {func(p *pair) {
			p.Own = off("s")
			p.Own.DisabledUntil = at(61)
		}, "map[by:ani scope:pair until:2026-09-26T03:01:00Z]", at(61)},
		"both until": {func(p *pair) {
			p.Own = off("s")
			p.Own.DisabledUntil, p.store.DisabledUntil, p.store.DisableStockUpdate = at(61), at(62), true
		}, "map[scope:store until:2026-09-26T03:02:00Z]", at(61)},
	} {
		t.Run(name, func(t *testing.T) {
			p := inSync()
			tc.change(p)
			_, v := p.judge()
			if got := fmt.Sprint(v.Evidence); got != tc.want || v.State != topics.StateDisabled || v.Cause != "" {
				t.Errorf("got %s %s due %q, want disabled %s", v.State, got, v.Cause, tc.want)
			}
			if v.WakeAt != tc.wakeAt {
				t.Errorf("wakes at %s, want %s", v.WakeAt, tc.wakeAt)
			}
		})
	}
}

func TestJudge_DisablingIsOverAtItsTimeAndFalseDisablesNothing(t *testing.T) {
	for name, change := range map[string]func(p *pair){
		"store":    func(p *pair) { p.store.DisableStockUpdate, p.store.DisabledUntil = true, at(60) },
		"*":        func(p *pair) { p.all = topics.Store{Store: "*", DisableStockUpdate: true, DisabledUntil: at(59)} },
		"pair":     func(p *pair) { p.Own = off("s"); p.Own.DisabledUntil = at(60) },
		"*|sku":    func(p *pair) { p.AllSet = off("*"); p.AllSet.DisabledUntil = at(60) },
		"false":    func(p *pair) { p.Own = off("s"); p.Own.DisableStockUpdate = new(false) },
		"null":     func(p *pair) { p.Own = off("s"); p.Own.DisableStockUpdate = nil },
		"no until": func(p *pair) { p.store.DisabledUntil = at(90) },
	} {
		t.Run(name, func(t *testing.T) {
			p := inSync()
			change(p)
			if got, _ := p.judge(); got != "synced in_sync" {
				t.Errorf("got %s, want synced in_sync", got)
			}
			p.Status.State, p.Status.Reason = topics.StateDisabled, topics.SyncItemDisabled
			if got, _ := p.judge(); got != "pending waiting due:enabled" {
				t.Errorf("just enabled: got %s, want an update for it", got)
			}
		})
	}
}

func TestJudge_FalseOverridesNoDisablingOfStoreOrSKU(t *testing.T) {
	for name, change := range map[string]func(p *pair){
		"store": func(p *pair) { p.store.DisableStockUpdate = true },
		"*":     func(p *pair) { p.all = topics.Store{Store: "*", DisableStockUpdate: true} },
		"*|sku": func(p *pair) { p.AllSet = off("*") },
	} {
		p := inSync()
		p.Own = off("s")
		p.Own.DisableStockUpdate = new(false)
		change(p)
		if got, v := p.judge(); v.State != topics.StateDisabled {
			t.Errorf("%s: got %s, want disabled", name, got)
		}
	}
}

// TestJudge_IsDueExactlyWhenTheDesignSaysSo ensures each condition of design 5.2, its cause, and that nothing
// else is one.
func TestJudge_IsDueExactlyWhenTheDesignSaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(p *pair)
		due    topics.SyncCause
	}{
		"nothing":                      {func(*pair) {}, ""},
		"never delivered":              {func(p *pair) { p.Status.Delivered = nil }, topics.SyncEvent},
		"no status":                    {func(p *pair) { p.Status = nil }, topics.SyncEvent},
		"no status, touched":           {func(p *pair) { p.Status = nil; p.Availability.Trigger = topics.TriggerManual }, topics.SyncManual},
		"revision, other number":       {func(p *pair) { p.want(101, 9*qty) }, topics.SyncEvent},
		"revision, same number":        {func(p *pair) { p.want(101, 10*qty) }, topics.SyncEvent},
		"nightly revision":             {func(p *pair) { p.want(101, 10*qty); p.Availability.Trigger = topics.TriggerNightly }, topics.SyncNightly},
		"manual revision":              {func(p *pair) { p.want(101, 10*qty); p.Availability.Trigger = topics.TriggerManual }, topics.SyncManual},
		"lower revision":               {func(p *pair) { p.want(99, 10*qty) }, ""},
		"buffer":                       {func(p *pair) { p.store.Buffer = new(1 * qty) }, topics.SyncSettings},
		"buffer of a part":             {func(p *pair) { p.store.Buffer = new(qty / 2) }, topics.SyncSettings},
		"buffer of the pair":           {func(p *pair) { p.Own = &topics.ItemSettings{Store: "s", SKU: "A", Buffer: new(1 * qty)} }, topics.SyncSettings},
		"rule without effect":          {func(p *pair) { p.store.Max = new(10 * qty) }, ""},
		"warehouse left out":           {func(p *pair) { p.store.ExcludeWarehouses = []string{"W1"} }, topics.SyncSettings},
		"warehouse left out for all":   {func(p *pair) { p.all = topics.Store{Store: "*", ExcludeWarehouses: []string{"W1"}} }, topics.SyncSettings},
		"resync of the pair":           {func(p *pair) { p.Own = resync("s", 20) }, topics.SyncResync},
		"resync of the SKU":            {func(p *pair) { p.AllSet = resync("*", 20) }, topics.SyncResync},
		"resync of the store":          {func(p *pair) { p.store.ResyncRequestedAt = at(20) }, topics.SyncResync},
		"resync of all stores":         {func(p *pair) { p.all = topics.Store{Store: "*", ResyncRequestedAt: at(20)} }, topics.SyncResync},
		"resync before the delivery":   {func(p *pair) { p.store.ResyncRequestedAt = at(9) }, ""},
		"resync at the delivery":       {func(p *pair) { p.store.ResyncRequestedAt = at(10) }, ""},
		"resync in the future":         {func(p *pair) { p.store.ResyncRequestedAt = at(61) }, ""},
		"resync now":                   {func(p *pair) { p.store.ResyncRequestedAt = at(60) }, topics.SyncResync},
		"resync done, one to come":     {func(p *pair) { p.store.ResyncRequestedAt, p.Own = at(61), resync("s", 9) }, ""},
		"target came up":               {func(p *pair) { p.targets("1", "2"); p.delivered("1") }, topics.SyncListing},
		"target went":                  {func(p *pair) { p.targets("1"); p.delivered("1", "2") }, topics.SyncListing},
		"target is another":            {func(p *pair) { p.targets("2"); p.delivered("1") }, topics.SyncListing},
		"targets in another order":     {func(p *pair) { p.targets("2", "1"); p.delivered("1", "2") }, ""},
		"targets of no catalogue":      {func(p *pair) { p.targets("2", "1"); p.Listed = false }, ""},
		"was disabled":                 {func(p *pair) { p.Status.State = topics.StateDisabled }, topics.SyncEnabled},
		"was blocked":                  {func(p *pair) { p.Status.State = topics.StateBlocked }, topics.SyncEnabled},
		"was unmapped":                 {func(p *pair) { p.Status.State = topics.StateUnmapped }, topics.SyncEnabled},
		"was never":                    {func(p *pair) { p.Status.State = topics.StateNever }, topics.SyncEnabled},
		"was pending":                  {func(p *pair) { p.Status.State = topics.StatePending; p.Status.Wanted.Cause = topics.SyncResync }, topics.SyncResync},
		"was sending":                  {func(p *pair) { p.Status.State = topics.StateSending; p.Status.Wanted.Cause = "" }, topics.SyncEvent},
		"was retrying":                 {func(p *pair) { p.Status.State = topics.StateRetrying }, topics.SyncEvent},
		"revision before settings":     {func(p *pair) { p.want(101, 10*qty); p.store.Buffer = new(1 * qty) }, topics.SyncEvent},
		"unblocked, and a new setting": {func(p *pair) { p.Status.State = topics.StateBlocked; p.store.Buffer = new(1 * qty) }, topics.SyncSettings},
	} {
		t.Run(name, func(t *testing.T) {
			p := inSync()
			tc.change(p)
			if got, v := p.judge(); v.Cause != tc.due {
				t.Errorf("got %s, want due for %q", got, tc.due)
			}
		})
	}
}

func resync(store string, minute int) *topics.ItemSettings {
	return &topics.ItemSettings{Store: store, SKU: "A", ResyncRequestedAt: at(minute)}
}

func (p *pair) delivered(products ...string) {
	for _, id := range products {
		p.Status.Delivered.Targets = append(p.Status.Delivered.Targets, topics.DeliveredTarget{ProductID: id, Qty: 10 * qty})
	}
}

func TestJudge_WakesWhenARequestForResyncComesDue(t *testing.T) {
	p := inSync()
	p.store.ResyncRequestedAt, p.Own = at(80), resync("s", 70)
	if _, v := p.judge(); v.WakeAt != at(70) || v.Cause != "" {
		t.Errorf("got wake at %s, due for %q, want 03:10 and not due", v.WakeAt, v.Cause)
	}
	p.Now = at(70)
	if _, v := p.judge(); v.WakeAt != at(80) || v.Cause != topics.SyncResync {
		t.Errorf("got wake at %s, due for %q, want 03:20 and due", v.WakeAt, v.Cause)
	}
}

// TestJudge_AsksAgainOnlyAfterAChange ensures that what a marketplace refused is asked for again when
// something about it changed, and then once.
func TestJudge_AsksAgainOnlyAfterAChange(t *testing.T) {
	permanent := []sinks.Class{
		sinks.ClassQuantity, sinks.ClassBelowReserved, sinks.ClassNotFound, sinks.ClassNotEditable,
		sinks.ClassLocation, sinks.ClassManagedElsewhere,
	}
	windows := []sinks.Class{sinks.ClassPromoLock, sinks.ClassRaiseOnly}
	all := slices.Concat(permanent, windows)
	number := []sinks.Class{sinks.ClassQuantity, sinks.ClassBelowReserved}
	other := []sinks.Class{sinks.ClassNotFound, sinks.ClassNotEditable, sinks.ClassLocation, sinks.ClassManagedElsewhere}
	manual := func(p *pair) { p.want(101, 10*qty); p.Availability.Trigger = topics.TriggerManual }
	for name, tc := range map[string]struct {
		change func(p *pair)
		again  []sinks.Class
		listed bool
	}{
		"nothing":                {func(*pair) {}, nil, false},
		"time":                   {func(p *pair) { p.Now = at(84) }, nil, false},
		"the window's end":       {func(p *pair) { p.Now = at(85) }, windows, false},
		"a resync":               {func(p *pair) { p.store.ResyncRequestedAt = at(56) }, all, false},
		"a resync before":        {func(p *pair) { p.store.ResyncRequestedAt = at(54) }, nil, false},
		"the store's record":     {func(p *pair) { p.store.ChangedAt = at(58) }, all, false},
		"a slow clock's record":  {func(p *pair) { p.store.ChangedAt = at(0) }, all, false},
		"new settings":           {func(p *pair) { p.Own = resync("s", 0); p.Own.ChangedAt = at(3) }, all, false},
		"settings of the SKU":    {func(p *pair) { p.AllSet = resync("*", 0); p.AllSet.ChangedAt = at(3) }, all, false},
		"a touch":                {manual, all, false},
		"an event, same number":  {func(p *pair) { p.want(101, 10*qty) }, other, false},
		"an event, other number": {func(p *pair) { p.want(101, 9*qty) }, slices.Concat(number, other), false},
		"a raise": {
			func(p *pair) { p.want(101, 11*qty) },
			slices.Concat(number, other, []sinks.Class{sinks.ClassRaiseOnly}), false,
		},
		"listed: an event":       {func(p *pair) { p.want(101, 10*qty) }, nil, true},
		"listed: other number":   {func(p *pair) { p.want(101, 9*qty) }, number, true},
		"listed: another target": {func(p *pair) { p.targets("2") }, all, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range all {
				p := inSync()
				if tc.listed {
					p.targets("1")
					p.delivered("1")
				}
				p.refused(c, 55)
				tc.change(p)
				got, v := p.judge()
				if again := v.Cause != ""; again != slices.Contains(tc.again, c) {
					t.Errorf("%s: got %s, want asked again %v", c, got, !again)
				}
				if v.Cause == "" {
					continue
				}
				p.refused(c, 85) // of what is wanted now
				p.Now = at(85)
				if got, v := p.judge(); v.Cause != "" {
					t.Errorf("%s: refused once more: got %s, want it left alone", c, got)
				}
			}
		})
	}
}

// TestJudge_SettingsAheadOfOurClockAreAChangeOnce ensures that a clock that is wrong costs one request, not
// one after the other.
func TestJudge_SettingsAheadOfOurClockAreAChangeOnce(t *testing.T) {
	p := inSync()
	p.refused(sinks.ClassQuantity, 55)
	p.store.ChangedAt = at(100_000)
	if got, v := p.judge(); v.Cause == "" {
		t.Errorf("got %s, want it due", got)
	}
	p.refused(sinks.ClassQuantity, 60)
	if got, v := p.judge(); v.Cause != "" {
		t.Errorf("refused again: got %s, want it left alone", got)
	}
}

func TestJudge_RetriesAtTheTimeNamedUnlessTheStoreRecovered(t *testing.T) {
	p := inSync()
	p.refused(sinks.ClassTransient, 50)
	if _, v := p.judge(); v.NotBefore != at(80) {
		t.Errorf("got not before %s, want 03:20", v.NotBefore)
	}
	p.RecoveredAt = at(51)
	if _, v := p.judge(); v.NotBefore != 0 {
		t.Errorf("after a recovery: got not before %s, want none", v.NotBefore)
	}
	p.RecoveredAt = at(49)
	if _, v := p.judge(); v.NotBefore != at(80) {
		t.Errorf("after an earlier recovery: got not before %s, want 03:20", v.NotBefore)
	}
}

// TestJudge_TheNearestRuleWins ensures the order pair, `*|sku`, store, store `*` for each rule.
func TestJudge_TheNearestRuleWins(t *testing.T) {
	for rule, set := range map[string]struct {
		item  func(s *topics.ItemSettings, q *topics.Quantity)
		store func(s *topics.Store, q *topics.Quantity)
		qty   func(n topics.Quantity) topics.Quantity // offered of 100 when the rule is n units
	}{
		"buffer": {
			func(s *topics.ItemSettings, q *topics.Quantity) { s.Buffer = q },
			func(s *topics.Store, q *topics.Quantity) { s.Buffer = q },
			func(n topics.Quantity) topics.Quantity { return 100 - n },
		},
		"percent": {
			func(s *topics.ItemSettings, q *topics.Quantity) { s.Percent = q },
			func(s *topics.Store, q *topics.Quantity) { s.Percent = q },
			func(n topics.Quantity) topics.Quantity { return n },
		},
		"max": {
			func(s *topics.ItemSettings, q *topics.Quantity) { s.Max = q },
			func(s *topics.Store, q *topics.Quantity) { s.Max = q },
			func(n topics.Quantity) topics.Quantity { return n },
		},
		"min": {
			func(s *topics.ItemSettings, q *topics.Quantity) { s.Min = q },
			func(s *topics.Store, q *topics.Quantity) { s.Min = q },
			func(topics.Quantity) topics.Quantity { return 100 },
		},
	} {
		for mask := range 16 {
			p := inSync()
			p.want(100, 100*qty)
			want := topics.Quantity(100)
			for i, level := range []func(q *topics.Quantity){
				func(q *topics.Quantity) { p.all.Store = "*"; set.store(&p.all, q) },
				func(q *topics.Quantity) { set.store(&p.store, q) },
				func(q *topics.Quantity) { p.AllSet = &topics.ItemSettings{Store: "*", SKU: "A"}; set.item(p.AllSet, q) },
				func(q *topics.Quantity) { p.Own = &topics.ItemSettings{Store: "s", SKU: "A"}; set.item(p.Own, q) },
			} {
				if mask>>i&1 == 1 {
					n := topics.Quantity(i + 1)
					level(new(n * qty))
					want = set.qty(n)
				}
			}
			if _, v := p.judge(); v.Qty != want*qty {
				t.Errorf("%s set in %04b: got %s, want %d", rule, mask, v.Qty, want)
			}
		}
	}
}

func TestJudge_SumsTheWarehousesThatTheStoreOffers(t *testing.T) {
	stock := []topics.WarehouseStock{
		{Warehouse: "W1", Net: 10 * qty}, {Warehouse: "W2", Net: -4 * qty}, {Warehouse: "W3", Net: 100 * qty},
	}
	for name, tc := range map[string]struct {
		offers, excludes, excludesAll string
		want                          topics.Quantity
	}{
		"one":                 {"W1", "", "", 10},
		"owed elsewhere":      {"W1 W2", "", "", 6},
		"only owed":           {"W2", "", "", 0},
		"unknown":             {"W9", "", "", 0},
		"all":                 {"*", "", "", 106},
		"all but one":         {"*", "W3", "", 6},
		"all but one for all": {"*", "", "W3", 6},
		"all but both":        {"*", "W2", "W3", 10},
		"named and excluded":  {"W1 W3", "W3", "", 10},
	} {
		p := inSync()
		p.Availability.Warehouses = stock
		p.store.Warehouses, p.store.ExcludeWarehouses = strings.Fields(tc.offers), strings.Fields(tc.excludes)
		p.all = topics.Store{Store: "*", ExcludeWarehouses: strings.Fields(tc.excludesAll)}
		if _, v := p.judge(); v.Qty != tc.want*qty {
			t.Errorf("%s: got %s, want %d", name, v.Qty, tc.want)
		}
	}
}
