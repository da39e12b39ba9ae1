package sinks

import (
	"context"
	"errors"
	"time"

	"stocksync/topics"
)

const (
	// pickMost bounds the statuses that one batch of a sample is picked from.
	pickMost = 5000
	// roundEvery is the least time between two batches of a complete round, for stores without a limit.
	roundEvery = 100 * time.Millisecond
)

// sampling is how far a store was read back: a batch now and then, and everything at night. It belongs to the
// reconciler.
type sampling struct {
	running bool
	nextAt  time.Time
	after   string    // the SKU that was read last
	round   bool      // everything is read, batch after batch
	nightAt time.Time // when the next complete round begins
	short   map[string]shortage
}

// shortage is how much less a shop offers than it was brought to, as far as no order explains it.
type shortage struct {
	missing topics.Quantity
	since   time.Time
}

// drift is a number that a person or somebody else has changed on the marketplace.
type drift struct {
	topics.Drift
	sold bool // the shop offers less: it counted as sold until the grace was over
}

// evidence describes a drift to people.
func (d *drift) evidence() map[string]any {
	return map[string]any{"seen": d.Seen, "ours": d.Ours, "at": d.At}
}

// look is one pair that is read back.
type look struct {
	sku       string
	delivered topics.Delivered
	targets   []topics.Target
	shown     map[string]topics.Quantity // by target; one that was not found is missing
}

// sample is one batch of a read-back.
type sample struct {
	serial int // of the shop
	looks  []look
	last   string // the SKU after which the next one goes on; "" at the end
	err    error
	ended  time.Time
}

// nextNight is when the next complete round begins.
func (c *Config) nextNight(now time.Time) time.Time {
	y, m, d := now.In(c.Zone).Date()
	for {
		night := time.Date(y, m, d, 0, 0, 0, 0, c.Zone).Add(c.NightlyAt)
		if night.After(now) {
			return night
		}
		d++
	}
}

// readBack starts the next batch, when that is due.
func (r *reconciler) readBack(ctx context.Context, now time.Time) {
	s := &r.sampling
	reader, can := r.session.(Reader)
	if !can || s.running || !r.mayAsk(now) || r.token.wanted || r.token.refreshing {
		return
	}
	if s.nightAt.IsZero() {
		s.nightAt = r.c.nextNight(now)
	}
	if !now.Before(s.nightAt) {
		s.nightAt, s.round, s.after, s.nextAt = r.c.nextNight(now), true, "", now
	}
	if now.Before(s.nextAt) {
		return
	}
	s.running = true
	p := &picker{tables: live{r.views}, store: r.store, listed: r.shop.listed, batch: max(1, r.shop.traits.Batch)}
	done, after, number, first := sample{serial: r.shopSerial}, s.after, r.shop.traits.Number, r.suspects(now, p.batch)
	r.requests.Go(func() {
		done.last, done.err = p.pick(after, first)
		if done.looks = p.looks; done.err == nil && len(done.looks) > 0 {
			readSample(ctx, reader, &done, number)
		}
		done.ended = time.Now()
		r.samples <- done // never full: one goes on at a time
	})
}

// suspects returns pairs that offered less than they should for the whole grace: they are read before others.
func (r *reconciler) suspects(now time.Time, most int) []string {
	var skus []string
	for sku, s := range r.sampling.short {
		if len(skus) < most && !now.Before(s.since.Add(time.Duration(r.policy.grace()))) {
			skus = append(skus, sku)
		}
	}
	return skus
}

// picker chooses the pairs of a batch, of those that are at rest.
type picker struct {
	tables
	store  string
	listed bool
	batch  int // most targets, though one pair's go together
	looks  []look
	n      int
}

// pick chooses some pairs that are named, and those that come next; last is the SKU that a next batch goes on after,
// "" at the end.
func (p *picker) pick(after string, first []string) (last string, err error) {
	statuses := p.View(topics.SyncStatusTopic)
	for _, sku := range first {
		value, ok, err := statuses.Get(topics.PairKey(p.store, sku))
		if err == nil && ok {
			_, err = p.take(sku, value)
		}
		if err != nil {
			return "", err
		}
	}
	c, err := statuses.Cursor([]byte(p.store + "|"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	ok := c.SeekGE(append(topics.PairKey(p.store, after), 0))
	for seen := 0; ok && seen < pickMost && p.n < p.batch; seen++ {
		_, sku, _ := topics.SplitPairKey(c.Key())
		taken, err := p.take(sku, c.Value())
		if err != nil {
			return "", err
		}
		if !taken {
			return last, nil
		}
		last = sku
		ok = c.Next()
	}
	if !ok {
		last = ""
	}
	return last, c.Err()
}

// take adds a pair, if it is at rest and was delivered; false when there is no room for it any more.
func (p *picker) take(sku string, value []byte) (room bool, err error) {
	s, err := topics.DecodeSyncStatus(value)
	if err != nil || s.State != topics.StateSynced || s.Delivered == nil {
		return true, nil //nolint:nilerr // the reconciler writes it again
	}
	l := look{sku: sku, delivered: *s.Delivered, targets: []topics.Target{{}}}
	if p.listed {
		l.targets, err = deliveredTargets(p, p.store, sku, s.Delivered)
	}
	if err != nil || len(l.targets) == 0 {
		return true, err
	}
	if p.n > 0 && p.n+len(l.targets) > p.batch {
		return false, nil
	}
	p.n += len(l.targets)
	p.looks = append(p.looks, l)
	return true, nil
}

// deliveredTargets returns the listing's targets that were delivered to.
func deliveredTargets(t tables, store, sku string, d *topics.Delivered) ([]topics.Target, error) {
	value, ok, err := t.View(topics.Listings).Get(topics.PairKey(store, sku))
	if err != nil || !ok {
		return nil, err
	}
	l, err := topics.DecodeListing(value)
	if err != nil {
		return nil, nil //nolint:nilerr // the pair says so
	}
	told := map[string]bool{}
	for i := range d.Targets {
		told[deliveredKey(&d.Targets[i])] = true
	}
	var targets []topics.Target
	for _, target := range l.Targets {
		if told[targetKey(&target)] {
			targets = append(targets, target)
		}
	}
	return targets, nil
}

// readSample reads the pairs of a batch.
func readSample(ctx context.Context, reader Reader, s *sample, number Number) {
	var updates []Update
	for i := range s.looks {
		for _, target := range s.looks[i].targets {
			updates = append(updates, Update{SKU: s.looks[i].sku, Revision: s.looks[i].delivered.Revision, Target: target})
		}
	}
	readings, o := reader.ReadBack(ctx, updates)
	if o.Class == ClassOK && len(readings) != len(updates) {
		o = Outcome{Class: ClassTransient, Code: "bad_answer", Message: "the reading does not tell of every target"}
	}
	if o.Class != ClassOK {
		s.err = &OutcomeError{o}
		return
	}
	for i := range s.looks {
		l := &s.looks[i]
		l.shown = map[string]topics.Quantity{}
		for _, target := range l.targets {
			if readings[0].Found {
				l.shown[targetKey(&target)] = number.offers(&readings[0])
			}
			readings = readings[1:]
		}
	}
}

// handleSample compares what was read with what was delivered. An error is one of the tables.
func (r *reconciler) handleSample(ctx context.Context, s sample) error {
	r.sampling.running = false
	if s.serial != r.shopSerial {
		return nil
	}
	wait := r.c.ReadBackEvery
	if r.sampling.round {
		wait = roundEvery
	}
	r.sampling.nextAt = s.ended.Add(wait)
	if s.err != nil {
		return r.sampleFailed(&s)
	}
	r.sampling.after = s.last
	if s.last == "" && r.sampling.round {
		r.sampling.round, r.sampling.nextAt = false, s.ended.Add(r.c.ReadBackEvery)
		r.log.Info("read back to the end")
	}
	for i := range s.looks {
		if err := r.compareLook(ctx, &s.looks[i], s.ended); err != nil {
			return err
		}
	}
	return nil
}

// sampleFailed waits for longer; what the marketplace says of the store counts as any answer does.
func (r *reconciler) sampleFailed(s *sample) error {
	said, ok := errors.AsType[*OutcomeError](s.err)
	if !ok {
		return s.err
	}
	r.sampling.nextAt = s.ended.Add(max(r.c.ReadBackEvery, r.c.RetryMost))
	r.said(said.Outcome, s.ended)
	return nil
}

// compareLook finds out whether a pair that was read drifted: unless something was sent to it meanwhile, or is to be.
func (r *reconciler) compareLook(ctx context.Context, l *look, now time.Time) error {
	if w := r.works[l.sku]; w != nil && (w.verdict.due || w.place == placeFlying) {
		return nil
	}
	row, err := readRow(live{r.views}, r.store, l.sku)
	if err != nil {
		return err
	}
	f := r.facts(l.sku, row, now)
	same := f.status != nil && f.status.Delivered != nil && f.status.Delivered.Revision == l.delivered.Revision &&
		f.status.Delivered.At == l.delivered.At
	if !same || f.av == nil || r.policy.store == nil || r.drifts[l.sku] != nil {
		return nil
	}
	if len(l.shown) < len(l.targets) && r.shop.listed {
		r.ask(l.sku, now.UnixMilli(), now) // a product is gone
	}
	d := r.driftOf(f, l, now)
	if d == nil {
		return nil
	}
	direction := "above"
	if d.sold {
		direction = "below"
	}
	r.m.drifts.WithLabelValues(direction).Inc()
	r.drifts[l.sku] = d
	return r.look(ctx, l.sku, nil)
}

// driftOf tells what has changed on the marketplace; nil: nothing, as far as anybody can tell yet. More than was
// delivered is a change at once; less counts as sold, until nobody has reported it for the grace.
func (r *reconciler) driftOf(f *facts, l *look, now time.Time) *drift {
	books := ledgerOf(f.status)
	d := &drift{Drift: topics.Drift{At: topics.TimeOf(now)}}
	above := false
	for key, shown := range l.shown {
		base, known := books.base[key]
		if !known {
			continue
		}
		d.Seen, d.Ours = d.Seen+shown, d.Ours+base
		above = above || shown > base
	}
	missing := unseenSales(0, d.Ours, d.Seen, books.taken, r.policy.taken(f.av))
	short, known := r.sampling.short[l.sku]
	switch {
	case above:
		return d
	case missing == 0:
		delete(r.sampling.short, l.sku)
	case !known || short.missing != missing:
		r.sampling.short[l.sku] = shortage{missing: missing, since: now}
	case !now.Before(short.since.Add(time.Duration(r.policy.grace()))):
		d.sold = true
		return d
	}
	return nil
}
