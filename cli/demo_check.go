package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stocksync/testenv"
	"stocksync/topics"
)

// demoRefoldMax is how many events the demo's end folds again; beyond, it compares the shops only, so that it
// ends in time.
const demoRefoldMax = 100_000

// finish waits until all that was sent is folded and delivered, and compares what came of it. A difference is
// ErrDifferent; a wait that takes too long is only told.
func (d *demo) finish(ctx context.Context) error {
	d.watch.say("traffic ended after %d events; waiting until all is folded and delivered", d.world.Events)
	settled, cancel := context.WithTimeout(ctx, demoSettle)
	defer cancel()
	err := testenv.WaitQuiet(settled, d.cluster, topics.Prefix(d.cfg.TopicPrefix))
	if err == nil {
		err = testenv.Until(settled, 20*time.Millisecond, func(context.Context) error { return d.compareShops() })
	}
	if err != nil && settled.Err() != nil {
		d.watch.say("check: not all was folded and delivered within %s: %v", demoSettle, err)
		return nil
	}
	if err != nil {
		return err
	}
	if d.world.Events > demoRefoldMax {
		d.watch.say("check: every shop shows what is available")
		return nil
	}
	return d.refold(ctx)
}

// compareShops returns an error for the first shop that does not show what it must.
func (d *demo) compareShops() error {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	for _, shop := range d.world.shops() {
		shown := d.shops.Quantities(shop.id)
		for sku, a := range d.watch.latest {
			if got, want := shown[sku], shop.shows(a); got != want {
				return fmt.Errorf("shop %s shows %s of %s, %s is right", shop.id, got, sku, want)
			}
		}
	}
	return nil
}

// refold lets the independent checker go through everything the demo ever wrote.
func (d *demo) refold(ctx context.Context) error {
	conf := testenv.CheckConfig{
		Prefix: topics.Prefix(d.cfg.TopicPrefix), Policy: d.policy(), MaxRecordBytes: d.cfg.MaxRecordBytes,
	}
	for _, shop := range d.world.shops() {
		conf.Stores = append(conf.Stores, testenv.StoreCheck{
			Store: shop.id, Warehouses: shop.warehouses, Quantities: d.shops.Quantities(shop.id), Want: shop.shows,
		})
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, demoCheck)
	defer cancel()
	err := testenv.Check(ctx, d.cluster, conf)
	if difference := (*testenv.Differences)(nil); errors.As(err, &difference) {
		return fmt.Errorf("check: %w: %w", ErrDifferent, err)
	}
	if err != nil && ctx.Err() != nil {
		d.watch.say("check: every shop shows what is available; folding again took longer than %s", demoCheck)
		return nil
	}
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	d.watch.say("check: all events folded again independently in %.1f s: every number is the same, and every shop "+
		"shows what is available", time.Since(began).Seconds())
	return nil
}
