package testenv

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// CheckTotals compares the latest record of each SKU in a topic with the oracle's refold of the inputs: Actual and
// Reserved, in all and per warehouse. It is for programs that know no more of the contract than that, like the
// peer; a warehouse that they leave out counts as zero.
func CheckTotals(ctx context.Context, c *Cluster, cfg CheckConfig, topic string) error {
	k := &checker{Differences: &Differences{}, cfg: cfg, cluster: c}
	if err := k.refold(ctx); err != nil {
		return fmt.Errorf("check totals: %w", err)
	}
	latest := map[string]*topics.Availability{}
	_, err := scan(ctx, c, topic, func(r *kgo.Record) error {
		a, err := topics.DecodeAvailability(r.Value)
		if err != nil {
			return fmt.Errorf("%s/%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		latest[string(r.Key)] = a
		return nil
	})
	if err != nil {
		return fmt.Errorf("check totals: %w", err)
	}
	for sku, want := range k.truth.Items {
		got := latest[sku]
		if got == nil {
			k.addf("%s: %s has no record", topic, sku)
			continue
		}
		differ(k.Differences, sku, "actual", got.Actual, want.Actual)
		differ(k.Differences, sku, "reserved", got.Reserved, want.Reserved)
		type stock struct{ actual, reserved topics.Quantity }
		in := map[string]stock{}
		for i := range got.Warehouses {
			in[got.Warehouses[i].Warehouse] = stock{got.Warehouses[i].Actual, got.Warehouses[i].Reserved}
		}
		for i := range want.Warehouses {
			w := &want.Warehouses[i]
			differ(k.Differences, sku+" in "+w.Warehouse, "stock", in[w.Warehouse], stock{w.Actual, w.Reserved})
		}
	}
	if k.Total > 0 {
		return k.Differences
	}
	return nil
}
