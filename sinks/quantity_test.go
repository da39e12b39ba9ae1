package sinks_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"stocksync/sinks"
	"stocksync/topics"
)

func TestOffer_RoundsDownWithinTheRules(t *testing.T) {
	const percent100 = 100 * qty
	none := (*topics.Quantity)(nil)
	for name, tc := range map[string]struct {
		net, unseen, buffer, percent, least topics.Quantity
		most                                *topics.Quantity
		want                                topics.Quantity
	}{
		"all":                      {10 * qty, 0, 0, percent100, 0, none, 10},
		"nothing":                  {0, 0, 0, percent100, 0, none, 0},
		"less than nothing":        {-5 * qty, 0, 0, percent100, 0, none, 0},
		"buffer":                   {10 * qty, 0, 3 * qty, percent100, 0, none, 7},
		"buffer above all":         {10 * qty, 0, 11 * qty, percent100, 0, none, 0},
		"backorder allowance":      {0, 0, -3 * qty, percent100, 0, none, 3},
		"allowance covers a debt":  {-1 * qty, 0, -3 * qty, percent100, 0, none, 2},
		"unseen":                   {10 * qty, 4 * qty, 1 * qty, percent100, 0, none, 5},
		"half":                     {9 * qty, 0, 0, 50 * qty, 0, none, 4},
		"third":                    {9 * qty, 0, 0, 33_333_333, 0, none, 3},
		"a hair below 3 counts":    {2_999_990, 0, 0, percent100, 0, none, 3},
		"a hair more below is not": {2_999_989, 0, 0, percent100, 0, none, 2},
		"99.9999 % of 10":          {10 * qty, 0, 0, 99_999_900, 0, none, 10},
		"99.9998 % of 10":          {10 * qty, 0, 0, 99_999_800, 0, none, 9},
		"a hair above 0 is 0":      {1, 0, 0, percent100, 0, none, 0},
		"no percent":               {10 * qty, 0, 0, 0, 0, none, 0},
		"tenfold":                  {10 * qty, 0, 0, 1000 * qty, 0, none, 100},
		"tenfold of the most":      {topics.MaxQuantity, 0, 0, 1000 * qty, 0, none, topics.MaxQuantity / qty},
		"max":                      {10 * qty, 0, 0, percent100, 0, new(7 * qty), 7},
		"max is a part":            {10 * qty, 0, 0, percent100, 0, new(7*qty + qty/2), 7},
		"max 0":                    {10 * qty, 0, 0, percent100, 0, new(topics.Quantity(0)), 0},
		"max above":                {10 * qty, 0, 0, percent100, 0, new(11 * qty), 10},
		"at min":                   {10 * qty, 0, 0, percent100, 10 * qty, none, 10},
		"below min":                {9 * qty, 0, 0, percent100, 10 * qty, none, 0},
		"min is a part":            {9 * qty, 0, 0, percent100, 9*qty + 1, none, 0},
		"min after percent":        {10 * qty, 0, 0, 50 * qty, 6 * qty, none, 0},
		"min above max":            {10 * qty, 0, 0, percent100, 8 * qty, new(7 * qty), 0},
		"buffer below all numbers": {topics.MaxQuantity, 0, -1 << 63, percent100, 0, none, topics.MaxQuantity / qty},
		"buffer above all numbers": {-topics.MaxQuantity, 0, 1<<63 - 1, percent100, 0, none, 0},
	} {
		if got := sinks.Offer(tc.net, tc.unseen, tc.buffer, tc.percent, tc.least, tc.most); got != tc.want*qty {
			t.Errorf("%s: got %s, want %d", name, got, tc.want)
		}
	}
}

// TestOffer_AgreesWithExactFractions ensures the formula of design 5.2 against arithmetic that cannot round
// or overflow.
func TestOffer_AgreesWithExactFractions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	amount := func(most int64) topics.Quantity {
		switch rng.IntN(3) {
		case 0:
			return topics.Quantity(rng.Int64N(20)) * qty
		case 1:
			return topics.Quantity(rng.Int64N(20 * int64(qty)))
		}
		return topics.Quantity(rng.Int64N(most + 1))
	}
	for range 20_000 {
		net, unseen, buffer := amount(int64(topics.MaxQuantity)), amount(int64(qty)), amount(int64(topics.MaxQuantity))
		if rng.IntN(2) == 0 {
			net = -net
		}
		if rng.IntN(2) == 0 {
			buffer = -buffer
		}
		percent, least := amount(1000*int64(qty)), amount(30*int64(qty))
		var most *topics.Quantity
		if rng.IntN(2) == 0 {
			most = new(amount(100 * int64(qty)))
		}
		got := sinks.Offer(net, unseen, buffer, percent, least, most)
		if want := exactOffer(net, unseen, buffer, percent, least, most); got != want {
			t.Fatalf("net %s unseen %s buffer %s percent %s min %s max %v: got %s, want %s",
				net, unseen, buffer, percent, least, most, got, want)
		}
	}
}

func exactOffer(net, unseen, buffer, percent, least topics.Quantity, most *topics.Quantity) topics.Quantity {
	rat := func(q topics.Quantity) *big.Rat { return big.NewRat(int64(q), int64(qty)) }
	r := new(big.Rat).Sub(rat(net), rat(buffer))
	r.Sub(r, rat(unseen))
	r.Mul(r, rat(percent))
	r.Quo(r, big.NewRat(100, 1))
	r.Add(r, big.NewRat(1, 100_000))
	floor := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: rounds down for a positive divisor
	limit := int64(topics.MaxQuantity / qty)
	if most != nil {
		limit = min(limit, int64(*most/qty))
	}
	units := limit
	if floor.Cmp(big.NewInt(limit)) < 0 {
		units = max(0, floor.Int64())
	}
	if q := topics.Quantity(units) * qty; q >= least {
		return q
	}
	return 0
}
