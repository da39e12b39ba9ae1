package state

// Policy holds the two choices that decide what an order line reserves. A SKU's header carries the
// policy its Reserved was made with; a SKU loaded under another one is recomputed from its lines.
type Policy struct {
	// ReturnsReserve: goods that come back against an open order line are promised again
	// (ERPNext's default).
	ReturnsReserve bool
	// OnHoldReserves: an order line on hold keeps its reservation.
	OnHoldReserves bool
}

const (
	policyReturnsReserve = 1 << iota
	policyOnHoldReserves
	policyWalkEnded // in the task record only: the walk after a change of policy has ended
)

func (p Policy) bits() byte {
	var b byte
	if p.ReturnsReserve {
		b |= policyReturnsReserve
	}
	if p.OnHoldReserves {
		b |= policyOnHoldReserves
	}
	return b
}

func policyOf(bits byte) Policy {
	return Policy{ReturnsReserve: bits&policyReturnsReserve != 0, OnHoldReserves: bits&policyOnHoldReserves != 0}
}
