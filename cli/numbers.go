package cli

import (
	"fmt"
	"strings"

	"stocksync/sinks"
	"stocksync/topics"
)

// Numbers are what is behind the quantity that a store should show of a SKU: sums over the warehouses that the store
// offers, and the rules that hold.
type Numbers struct {
	Warehouses []string         `json:"warehouses"`
	Actual     topics.Quantity  `json:"actual"`
	Reserved   topics.Quantity  `json:"reserved"`
	Net        topics.Quantity  `json:"net"`
	Buffer     topics.Quantity  `json:"buffer"`
	Unseen     topics.Quantity  `json:"unseen"` // sold by the shop and not reported yet
	Percent    topics.Quantity  `json:"percent"`
	Min        topics.Quantity  `json:"min"`
	Max        *topics.Quantity `json:"max"`
	Result     topics.Quantity  `json:"result"`
}

// numbersOf returns the numbers of a reckoning; nil where there is none.
func numbersOf(r *sinks.Reckoning) *Numbers {
	if r == nil {
		return nil
	}
	n := &Numbers{
		Warehouses: r.Warehouses, Actual: r.Actual, Reserved: r.Reserved, Net: r.Net, Buffer: r.Buffer,
		Unseen: r.Unseen, Percent: r.Percent, Min: r.Min, Max: r.Max, Result: r.Qty,
	}
	if n.Warehouses == nil {
		n.Warehouses = []string{}
	}
	return n
}

// text shows the reckoning on one line; rules that change nothing are left out.
func (n *Numbers) text() string {
	if n == nil {
		return "-"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Actual %s - Reserved %s", n.Actual, n.Reserved)
	if n.Buffer != 0 {
		fmt.Fprintf(&b, " - buffer %s", n.Buffer)
	}
	if n.Unseen != 0 {
		fmt.Fprintf(&b, " - unseen %s", n.Unseen)
	}
	if n.Percent != 100*topics.One {
		fmt.Fprintf(&b, ", of that %s %%", n.Percent)
	}
	if n.Min != 0 {
		fmt.Fprintf(&b, ", min %s", n.Min)
	}
	if n.Max != nil {
		fmt.Fprintf(&b, ", max %s", *n.Max)
	}
	fmt.Fprintf(&b, " = %s", n.Result)
	return b.String()
}
