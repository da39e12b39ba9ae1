package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"stocksync/topics"
)

const (
	// catalogueMost bounds the SKUs of one pass, which are held in memory until it is complete.
	catalogueMost = 5_000_000
	// extraPassEvery is the least time between two passes that were not due by themselves: they cost a request for
	// some hundred products each.
	extraPassEvery = 10 * time.Minute
	// asksMost is how many SKUs are looked up one by one before a pass over everything costs less.
	asksMost = 20 * FindMost
	// askDelay gathers SKUs that are asked for at about the same time into one request.
	askDelay = time.Second
)

// catalogue is when a store's catalogue is to be read, and what for. It belongs to the reconciler.
type catalogue struct {
	running   bool
	nextAt    time.Time // of the regular pass; zero: at once
	soonest   time.Time // no pass before that is not due by itself
	extra     bool      // one is asked for
	failures  int       // passes in a row
	asks      map[string]struct{}
	asksAt    time.Time
	asked     map[string]int64 // by SKU: what it was asked for since the last pass, an order's revision or 1
	refusedAt topics.Time      // a pass lost too many SKUs then, and nobody has said that this is right
}

// OutcomeError lets a session say in the error of a catalogue or a look-up what the marketplace answered: a token that
// has expired is refreshed, and a store that refuses us is left alone. Any other error is transient.
type OutcomeError struct{ Outcome Outcome }

// Error implements error.
func (e *OutcomeError) Error() string {
	return fmt.Sprintf("%s: %s %s", e.Outcome.Class, e.Outcome.Code, e.Outcome.Message)
}

// ask notes that a SKU is to be looked for in the catalogue: it was never seen, or an order for it came from the
// store, or the marketplace does not know the product any more.
func (r *reconciler) ask(sku string, what int64, now time.Time) {
	if r.catalogue.asked[sku] >= what {
		return
	}
	_, passes := r.session.(Cataloguer)
	_, finds := r.session.(Finder)
	c := &r.catalogue
	switch {
	case !passes && !finds:
		return
	case !finds, passes && len(c.asks) >= asksMost:
		c.extra = true
		clear(c.asks)
	case len(c.asks) < asksMost:
		if len(c.asks) == 0 {
			c.asksAt = now.Add(askDelay)
		}
		c.asks[sku] = struct{}{}
	}
	c.asked[sku] = what
}

// askForNews asks for a SKU that the store does not list, if something has happened since the last pass that may have
// changed that.
func (r *reconciler) askForNews(sku string, f *facts, now time.Time) {
	if !r.shop.listed || f.av == nil || f.mapped() || r.session == nil || r.policy.store == nil {
		return
	}
	_, passes := r.session.(Cataloguer)
	pass := r.shop.passAt
	if ordered := f.ordered(); ordered > 0 && revisionTime(ordered) > pass && (!passes || !pass.IsZero()) {
		r.ask(sku, ordered, now)
		return
	}
	if passes && !pass.IsZero() && f.av.FirstSeenAt > pass {
		r.ask(sku, 1, now)
	}
}

// readCatalogue starts a pass, or looks single SKUs up, when that is due and nothing of the kind goes on.
func (r *reconciler) readCatalogue(ctx context.Context, now time.Time) {
	c := &r.catalogue
	if c.running || !r.mayAsk(now) || r.token.wanted || r.token.refreshing {
		return
	}
	p := &pass{
		tools: r.tools, store: r.store, began: now, session: r.session, serial: r.shopSerial,
		percent: r.policy.brakePercent(), log: r.log,
		released: !c.refusedAt.IsZero() && r.policy.store.BrakeReleasedAt > c.refusedAt,
	}
	_, passes := r.session.(Cataloguer)
	switch at := r.catalogueAt(); {
	case at.IsZero() || now.Before(at):
		return
	case passes && (!now.Before(c.nextAt) || c.extra && !now.Before(c.soonest)):
		c.extra = false
		clear(c.asks)
	default:
		for sku := range c.asks {
			if p.asks = append(p.asks, sku); len(p.asks) == FindMost {
				break
			}
		}
		for _, sku := range p.asks {
			delete(c.asks, sku)
		}
		if len(p.asks) == 0 {
			return
		}
	}
	c.running = true
	r.requests.Go(func() { r.passes <- p.run(ctx) }) // never full: one goes on at a time
}

// catalogueAt is when the catalogue is to be read next; zero: the session has none.
func (r *reconciler) catalogueAt() time.Time {
	c := &r.catalogue
	_, passes := r.session.(Cataloguer)
	_, finds := r.session.(Finder)
	var at time.Time
	consider := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if passes {
		consider(later(c.nextAt, time.Unix(0, 1)))
		if c.extra {
			consider(c.soonest)
		}
	}
	if finds && len(c.asks) > 0 {
		consider(c.asksAt)
	}
	return at
}

// passed is what came of a pass, or of looking single SKUs up.
type passed struct {
	*pass
	err      error
	ended    time.Time
	known    int      // SKUs that the catalogue had before
	lost     []string // those of them that it has no more
	refused  bool     // too many: nothing was changed
	written  int      // listings
	unmapped []string // SKUs to look at again
}

// handlePass deals with what a pass found.
func (r *reconciler) handlePass(p passed) {
	c := &r.catalogue
	c.running = false
	if p.serial != r.shopSerial {
		return // the record leads to another shop by now: that one is read
	}
	c.soonest = p.ended.Add(extraPassEvery)
	full := p.asks == nil
	switch {
	case p.err != nil:
		r.passFailed(&p)
	case p.refused:
		c.refusedAt, c.nextAt = topics.TimeOf(p.ended), p.began.Add(r.c.CatalogInterval)
		r.m.passes.WithLabelValues("refused").Inc()
		r.log.Error("catalogue: a pass lost too many SKUs and changes nothing until a person releases the brake",
			"lost", len(p.lost), "known", p.known)
	case full:
		c.failures, c.refusedAt, c.nextAt = 0, 0, p.began.Add(r.c.CatalogInterval)
		clear(c.asked)
		r.shop.passAt = topics.TimeOf(p.began)
		r.m.passes.WithLabelValues("complete").Inc()
		r.m.passedAt.Set(float64(p.began.Unix()))
		r.log.Info("catalogue read", "took", p.ended.Sub(p.began).String(), "written", p.written, "lost", len(p.lost))
	}
	for _, sku := range p.unmapped {
		r.dirty.mark(sku)
	}
	for sku, w := range r.works { // and those that came up after the pass had looked for such pairs
		if v := &w.verdict; unmappedReason(v.reason) || slices.ContainsFunc(v.also, unmappedReason) {
			r.dirty.mark(sku)
		}
	}
}

// passFailed plans the next try.
func (r *reconciler) passFailed(p *passed) {
	c := &r.catalogue
	c.failures++
	again := p.ended.Add(max(time.Minute, r.c.retry.after(c.failures)))
	if p.asks == nil {
		c.nextAt = again
	} else {
		for _, sku := range p.asks {
			c.asks[sku] = struct{}{}
		}
		c.asksAt = again
	}
	r.m.passes.WithLabelValues("failed").Inc()
	message := shorten(r.credentials.hide(p.err.Error()))
	r.log.Warn("catalogue was not read", "error", message, "again_at", again)
	if said, ok := errors.AsType[*OutcomeError](p.err); ok && r.said(said.Outcome, p.ended) {
		c.nextAt, c.asksAt = p.ended, p.ended
	}
}

// said deals with what a marketplace answered to a request that was no update. It tells whether to ask again at once,
// with a new token.
func (r *reconciler) said(o Outcome, now time.Time) (again bool) {
	o.Message = shorten(r.credentials.hide(o.Message))
	switch _, can := r.session.(Refresher); {
	case o.Class.handling() == handleStop:
		r.stop(o, now)
	case o.Class == ClassToken && can && !r.token.fresh:
		r.token.wanted = true
		return true
	case o.Class == ClassThrottle:
		r.limiter.Throttled(now, now)
	}
	return false
}

// resetCatalogue forgets what is known of the catalogue: it is another shop's now.
func (r *reconciler) resetCatalogue() {
	r.catalogue = catalogue{
		running: r.catalogue.running, asks: map[string]struct{}{}, asked: map[string]int64{},
	}
	r.sampling = sampling{running: r.sampling.running, nightAt: r.sampling.nightAt, short: map[string]shortage{}}
	clear(r.drifts)
	r.shopSerial++
	r.shop.passAt = 0
}

// nearEvery is the least time between two walks over all SKUs for those that are near misses of a listing.
const nearEvery = 10 * time.Second

// nears is what such a walk has found.
type nears struct {
	skus []string
	err  error
}

// lookForNear starts a walk over all SKUs with stock, when listings came up that none of them matches exactly.
func (r *reconciler) lookForNear(now time.Time) {
	if r.nearRunning || len(r.near.fresh) == 0 || now.Before(r.nearAt) {
		return
	}
	r.nearRunning, r.nearAt = true, now.Add(nearEvery)
	forms := r.near.take()
	r.requests.Go(func() {
		var n nears
		n.skus, n.err = stockedLike(live{r.views}, forms)
		r.nears <- n // never full: one goes on at a time
	})
}

// handleNear looks at the SKUs that such a walk has found: that brings them into the index, and then the listings.
func (r *reconciler) handleNear(n nears) error {
	r.nearRunning = false
	for _, sku := range n.skus {
		r.dirty.mark(sku)
	}
	return n.err
}

// pass reads a catalogue, or looks single SKUs up in it, away from the reconciler, and brings the listings to what
// it found.
type pass struct {
	*tools
	store    string
	log      *slog.Logger
	session  Session
	serial   int // of the shop
	began    time.Time
	asks     []string // nil: everything
	percent  topics.Quantity
	released bool // a person has said that what was lost is right

	found   map[string][]topics.Target
	changed []topics.Listing
}

// errCatalogueTooLarge reports a catalogue that has no end.
var errCatalogueTooLarge = errors.New("the catalogue has too many SKUs")

// run does it all. It returns when the tables hold what it wrote.
func (p *pass) run(ctx context.Context) passed {
	done := passed{pass: p}
	done.err = p.collect(ctx)
	if done.err == nil {
		done.err = p.compare(&done)
	}
	if done.err == nil && !done.refused {
		done.written = len(p.changed)
		done.err = p.write(ctx)
	}
	if done.err == nil && !done.refused && p.asks == nil {
		done.unmapped, done.err = p.unmapped(ctx)
	}
	p.found, p.changed = nil, nil
	done.ended = time.Now()
	return done
}

// collect asks the marketplace.
func (p *pass) collect(ctx context.Context) error {
	p.found = map[string][]topics.Target{}
	found := func(l topics.Listing) error {
		if l.SKU == "" {
			return ctx.Err() // a product without one is nobody's
		}
		if p.found[l.SKU] = append(p.found[l.SKU], l.Targets...); len(p.found) > catalogueMost {
			return errCatalogueTooLarge
		}
		return ctx.Err()
	}
	if p.asks == nil {
		session, ok := p.session.(Cataloguer)
		if !ok {
			return errors.New("this marketplace has no catalogue")
		}
		return session.Catalogue(ctx, found)
	}
	session, ok := p.session.(Finder)
	if !ok {
		return errors.New("this marketplace looks no SKU up")
	}
	return session.Find(ctx, p.asks, found)
}

// compare finds the listings that are another by now. A complete pass also finds those that are gone; when they are
// too many, something is wrong with the pass and not with them.
func (p *pass) compare(done *passed) error {
	gone := []topics.Listing{}
	same := map[string]struct{}{}
	each := func(sku string, value []byte) error {
		l, err := topics.DecodeListing(value)
		if err != nil {
			return nil //nolint:nilerr // the pair says so; what somebody else has written is not ours to mend
		}
		if l.Origin != topics.OriginCatalogue {
			delete(p.found, sku) // the catalogue never overwrites another origin
			return nil
		}
		if len(l.Targets) > 0 {
			done.known++
		}
		switch now, found := p.found[sku]; {
		case !found && len(l.Targets) > 0:
			done.lost = append(done.lost, sku)
			l.Targets = []topics.Target{}
			gone = append(gone, l)
		case found && sameListing(l.Targets, now):
			same[sku] = struct{}{}
		}
		return nil
	}
	if err := p.eachListing(each); err != nil {
		return err
	}
	lost, known := topics.Quantity(len(done.lost)), topics.Quantity(done.known)
	if p.asks == nil && !p.released && lost*100*topics.One > p.percent*known {
		done.refused = true
		return nil
	}
	if p.asks == nil {
		p.changed = gone
	}
	for sku, targets := range p.found {
		if _, is := same[sku]; !is {
			p.change(sku, targets)
		}
	}
	return nil
}

// eachListing calls f for the listings that the pass is about.
func (p *pass) eachListing(f func(sku string, value []byte) error) error {
	listings := p.views.View(topics.Listings)
	if p.asks == nil {
		return listings.Scan([]byte(p.store+"|"), func(key, value []byte) error {
			_, sku, _ := topics.SplitPairKey(key)
			return f(sku, value)
		})
	}
	for _, sku := range p.asks {
		value, ok, err := listings.Get(topics.PairKey(p.store, sku))
		if err == nil && ok {
			err = f(sku, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// change notes a listing to be written, unless it can't be one: a marketplace allows SKUs that we do not.
func (p *pass) change(sku string, targets []topics.Target) {
	l := topics.Listing{
		Store: p.store, SKU: sku, Targets: ordered(targets), Origin: topics.OriginCatalogue, SeenAt: topics.TimeOf(p.began),
	}
	if _, err := topics.DecodeListing(l.Encode()); err != nil {
		p.log.Warn("listing of the catalogue is left out", "sku", sku, "error", err)
		return
	}
	p.changed = append(p.changed, l)
}

// ordered returns targets in the order of their ids, so that the order in which a marketplace tells them is no change.
func ordered(targets []topics.Target) []topics.Target {
	list := slices.Clone(targets)
	slices.SortStableFunc(list, func(a, b topics.Target) int { return strings.Compare(targetKey(&a), targetKey(&b)) })
	return list
}

// sameListing tells whether two lists of targets say the same.
func sameListing(stored, found []topics.Target) bool {
	a := topics.Listing{Targets: ordered(stored)}
	b := topics.Listing{Targets: ordered(found)}
	return string(a.Encode()) == string(b.Encode())
}

// write writes what has changed, and waits until the tables hold it: a pair is not to be taken for one that is not
// listed because its listing is under way.
func (p *pass) write(ctx context.Context) error {
	if len(p.changed) == 0 {
		return nil
	}
	answers := make(chan error, len(p.changed)) // never full: callbacks must not wait for us
	for i := range p.changed {
		p.writer.listing(ctx, &p.changed[i], func(err error) { answers <- err })
	}
	for range p.changed {
		select {
		case err := <-answers:
			if err != nil {
				return fmt.Errorf("write listings: %w", err)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return p.caughtUp(ctx)
}

// unmapped returns the SKUs whose pairs wait for a listing, or for the word that there is none.
func (p *pass) unmapped(ctx context.Context) (skus []string, err error) {
	statuses := p.views.View(topics.SyncStatusTopic)
	err = statuses.Scan([]byte(p.store+"|"), func(key, value []byte) error {
		s, err := topics.DecodeSyncStatus(value)
		if err == nil && (s.AutoDisabled || unmappedReason(s.Reason) || slices.ContainsFunc(s.Also, unmappedReason)) {
			_, sku, _ := topics.SplitPairKey(key)
			skus = append(skus, sku)
		}
		return ctx.Err()
	})
	return skus, err
}

func unmappedReason(r topics.SyncReason) bool {
	switch r {
	case topics.SyncMappingPending, topics.SyncSKUMismatch, topics.SyncAutoDisabled:
		return true
	default:
		return false
	}
}
