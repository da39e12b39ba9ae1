package sinks

import (
	"math/bits"

	"stocksync/topics"
)

// terms are the rules that turn what is there into what a store offers.
type terms struct {
	buffer  topics.Quantity // kept back; negative is a backorder allowance
	percent topics.Quantity // 0..1000
	min     topics.Quantity // below it nothing is offered
	max     *topics.Quantity
}

const (
	// percentScale divides a product of two Quantities, one of them a percentage, into whole units.
	percentScale = uint64(topics.One) * uint64(topics.One) * 100
	// roundingGrace lets 2.99999999 count as 3: 0.00001 of a unit, in parts of percentScale.
	roundingGrace = percentScale / 100_000
)

// offer is the quantity a store should show:
//
//	clamp(floor((net - buffer - unseen) * percent / 100 + 0.00001), 0, max), and 0 when that is below min
//
// It is a whole number of units. net is the sum of Net over the store's warehouses, not clamped.
func offer(net, unseen topics.Quantity, t terms) topics.Quantity {
	left := saturatingSub(saturatingSub(net, t.buffer), unseen)
	if left <= 0 || t.percent <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(left), uint64(t.percent))
	lo, carry := bits.Add64(lo, roundingGrace, 0)
	hi += carry
	most := uint64(topics.MaxQuantity / topics.One)
	units := most
	if hi < percentScale { // else the quotient needs more than 64 bits
		quotient, _ := bits.Div64(hi, lo, percentScale)
		units = min(quotient, most)
	}
	qty := topics.Quantity(units) * topics.One
	if t.max != nil {
		qty = min(qty, *t.max-*t.max%topics.One)
	}
	if qty < t.min {
		return 0
	}
	return max(qty, 0)
}

// saturatingSub subtracts without wrapping around.
func saturatingSub(a, b topics.Quantity) topics.Quantity {
	const most = topics.Quantity(1<<63 - 1)
	d := a - b
	switch {
	case b < 0 && d < a:
		return most
	case b > 0 && d > a:
		return -most
	}
	return d
}
