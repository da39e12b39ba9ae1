package testenv

import (
	"fmt"

	"stocksync/state"
	"stocksync/topics"
)

// collapse lets the truth of a SKU follow what the changelog no longer holds, and asks whether that could
// go.
func (k *checker) collapse(who string, held *state.Snapshot, want *TruthItem) {
	want.Collapse(held, k.cfg.Policy)
	for _, fault := range want.CollapseFaults(k.cfg.Retention, k.newest) {
		k.addf("%s %s", who, fault)
	}
}

// newest is the broker's time of the newest input record.
func (t *Truth) newest() topics.Time {
	var newest topics.Time
	for _, byPartition := range t.Inputs {
		for _, judged := range byPartition {
			for i := range judged {
				newest = max(newest, topics.TimeOf(judged[i].Record.Timestamp))
			}
		}
	}
	return newest
}

// checkTooLate asks whether what was refused as too late may have been, now that the horizon is known.
func (k *checker) checkTooLate() {
	for _, j := range k.truth.Dead {
		if j.Reason != topics.ReasonTooLate {
			continue
		}
		who := fmt.Sprintf("%s of %s: is dead of %s", j.Place, j.SKU, j.Reason)
		it := k.truth.Items[j.SKU]
		may := false
		if j.Place.Topic == topics.Orders {
			var o topics.Order
			may = topics.DecodeOrder(j.Record.Key, j.Record.Value, 0, &o) == nil && it.mayOrderBeTooLate(&o)
		} else {
			var m topics.Mutation
			may = topics.DecodeMutation(j.Record.Key, j.Record.Value, 0, &m) == nil && it.mayBeTooLate(&m)
		}
		switch {
		case !k.cfg.Collapsed:
			k.addf("%s, yet nothing was collapsed", who)
		case !may:
			k.addf("%s, yet it is held, or lies after all that was collapsed", who)
		}
	}
}
