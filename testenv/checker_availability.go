package testenv

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// skuHistory is what the availability topic has said of one SKU so far, over all partitions.
type skuHistory struct {
	revisions []int64
	causes    int // sum of causes_total
	latest    *topics.Availability
	gone      int64                       // highest revision of a tombstone
	partition int32                       // of latest
	offered   map[int64][]topics.Quantity // to the shops of the check, by revision
}

// placedSKU is a SKU in one partition: within it, records must follow in the order of their revisions.
type placedSKU struct {
	partition int32
	sku       string
}

// checkAvailability holds every availability record against its predecessor, and the latest of each SKU
// against the oracle.
func (k *checker) checkAvailability(ctx context.Context) (map[string]*skuHistory, error) {
	all := map[string]*skuHistory{}
	previous := map[placedSKU]*topics.Availability{}
	_, err := scan(ctx, k.cluster, k.cfg.Prefix.Name(topics.AvailabilityTopic), func(r *kgo.Record) error {
		k.followAvailability(r, all, previous)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for sku, h := range all {
		who := "availability of " + sku
		slices.Sort(h.revisions)
		for i := 1; i < len(h.revisions); i++ {
			if h.revisions[i] == h.revisions[i-1] {
				k.addf("%s: revision %d was used twice", who, h.revisions[i])
			}
		}
		want := k.truth.Items[sku]
		if want == nil {
			k.addf("%s: exists, and no accepted event names it", who)
			continue
		}
		if h.latest == nil || h.gone > h.latest.Revision {
			k.addf("%s: ends with a tombstone", who)
			continue
		}
		k.compareStock(who, h.latest, want)
		k.checkOrdersFrom(who, h)
		differ(k.Differences, who, "causes_total, summed up", h.causes, want.Applied)
		n := k.cfg.Partitions[len(k.cfg.Partitions)-1]
		differ(k.Differences, who, "partition", h.partition, topics.PartitionOf([]byte(sku), n))
	}
	for sku := range k.truth.Items {
		if all[sku] == nil {
			k.addf("availability of %s: there is none", sku)
		}
	}
	return all, nil
}

// followAvailability takes one record of the topic.
func (k *checker) followAvailability(
	r *kgo.Record, all map[string]*skuHistory, previous map[placedSKU]*topics.Availability,
) {
	sku := string(r.Key)
	who := fmt.Sprintf("availability/%d@%d %s", r.Partition, r.Offset, sku)
	h := all[sku]
	if h == nil {
		h = &skuHistory{offered: map[int64][]topics.Quantity{}}
		all[sku] = h
	}
	revision, err := revisionHeader(r)
	if err != nil {
		k.addf("%s: %s", who, err)
	}
	h.revisions = append(h.revisions, revision)
	before := previous[placedSKU{r.Partition, sku}]
	if before != nil && revision <= before.Revision {
		k.addf("%s: revision goes from %d to %d", who, before.Revision, revision)
	}
	if r.Value == nil {
		h.gone = max(h.gone, revision)
		previous[placedSKU{r.Partition, sku}] = &topics.Availability{Revision: revision}
		return
	}
	a, err := topics.DecodeAvailability(r.Value)
	if err != nil {
		k.addf("%s: %s", who, err)
		return
	}
	previous[placedSKU{r.Partition, sku}] = a
	h.causes += a.CausesTotal
	if len(k.cfg.Stores) > 0 {
		h.offered[a.Revision] = k.offers(a)
	}
	if h.latest == nil || a.Revision > h.latest.Revision {
		h.latest, h.partition = a, r.Partition
	}
	differ(k.Differences, who, "sku", a.SKU, sku)
	differ(k.Differences, who, "header revision", revision, a.Revision)
	k.checkFormulas(who, a)
	k.checkCauses(who, a)
	if before != nil && before.SKU != "" {
		differ(k.Differences, who, "changed", a.Changed, numbersDiffer(before, a))
	}
}

func revisionHeader(r *kgo.Record) (int64, error) {
	for _, h := range r.Headers {
		if h.Key == topics.HeaderRevision {
			n, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("header revision: %q", h.Value)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("no header revision")
}

// checkFormulas holds F5, and that totals are sums.
func (k *checker) checkFormulas(who string, a *topics.Availability) {
	var actual, reserved topics.Quantity
	for i := range a.Warehouses {
		w := &a.Warehouses[i]
		actual += w.Actual
		reserved += w.Reserved
		differ(k.Differences, who, "net in "+w.Warehouse, w.Net, w.Actual-w.Reserved)
		differ(k.Differences, who, "available in "+w.Warehouse, w.Available, max(0, w.Net))
		if i > 0 && a.Warehouses[i-1].Warehouse >= w.Warehouse {
			k.addf("%s: warehouses: not in order at %q", who, w.Warehouse)
		}
	}
	differ(k.Differences, who, "actual, of its warehouses", a.Actual, actual)
	differ(k.Differences, who, "reserved, of its warehouses", a.Reserved, reserved)
	differ(k.Differences, who, "net", a.Net, a.Actual-a.Reserved)
	differ(k.Differences, who, "available", a.Available, max(0, a.Net))
	if a.ProcessedAt.IsZero() {
		k.addf("%s: processed_at: got none", who)
	}
}

// numbersDiffer compares two records per warehouse; missing is zero.
func numbersDiffer(a, b *topics.Availability) bool {
	type stock struct{ actual, reserved topics.Quantity }
	left := map[string]stock{}
	for i := range a.Warehouses {
		left[a.Warehouses[i].Warehouse] = stock{a.Warehouses[i].Actual, a.Warehouses[i].Reserved}
	}
	for i := range b.Warehouses {
		w := &b.Warehouses[i]
		if left[w.Warehouse] != (stock{w.Actual, w.Reserved}) {
			return true
		}
		delete(left, w.Warehouse)
	}
	for _, s := range left {
		if s != (stock{}) {
			return true
		}
	}
	return false
}

// checkCauses holds that each cause is an input record that was applied to this SKU, and the trigger
// theirs.
func (k *checker) checkCauses(who string, a *topics.Availability) {
	differ(k.Differences, who, "causes", len(a.Causes), min(a.CausesTotal, topics.MaxCauses))
	trigger := topics.TriggerNightly
	for _, c := range a.Causes {
		base, _ := k.cfg.Prefix.Base(c.Topic)
		at := Place{base, c.Partition, c.Offset}
		j := k.truth.find(at)
		switch {
		case j == nil:
			k.addf("%s: cause %s: is not in the input", who, at)
			continue
		case j.Verdict != VerdictApplied || j.SKU != a.SKU:
			k.addf("%s: cause %s: was %s, of SKU %q", who, at, j.Verdict, j.SKU)
			continue
		}
		differ(k.Differences, who, "id of cause "+at.String(), c.ID, j.ID)
		differ(k.Differences, who, "ref of cause "+at.String(), c.Ref, j.Ref)
		trigger = max(trigger, j.Trigger)
	}
	if a.CausesTotal <= topics.MaxCauses || trigger == topics.TriggerManual {
		differ(k.Differences, who, "trigger", a.Trigger, trigger)
	}
}

// checkOrdersFrom holds that each revision in orders_from is one of the SKU's.
func (k *checker) checkOrdersFrom(who string, h *skuHistory) {
	for _, s := range h.latest.OrdersFrom {
		if _, ok := slices.BinarySearch(h.revisions, s.Revision); !ok {
			k.addf("%s: orders_from %s: %d is no revision of the SKU", who, s.Store, s.Revision)
		}
	}
}
