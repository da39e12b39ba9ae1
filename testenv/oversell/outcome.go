package oversell

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"
)

// Outcome is what came of a scenario in one way.
type Outcome struct {
	Way      Way
	Sold     int           // units, the oversold ones among them
	Oversold int           // units that were not there
	Missed   int           // buyers who were sent away although there was a unit
	P50, P99 time.Duration // of the staleness: from the ERP's knowing a number until a store shows it or a newer one
	Calls    int
}

// patience is how much virtual time a way may take to bring the stores up to date after the sale.
const patience = 24 * time.Hour

// Run plays a scenario in one way, on virtual time. It fails the test when a store gets more calls than its budget.
func Run(t *testing.T, s Scenario, w Way) (out Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(s)
		c := start(t, m, w)
		defer c.end()
		ctx, cancel := context.WithTimeout(t.Context(), s.Lasts+2*patience)
		defer cancel()
		if err := m.open(ctx, c.tell); err != nil {
			t.Fatalf("%s: open: %v", w, err)
		}
		if err := m.sale(ctx, s.events(), c.tell); err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		if err := m.checkBudget(); err != nil {
			t.Errorf("%s: %v", w, err)
		}
		out = m.outcome(w)
	})
	return out
}

// outcome sums up.
func (m *market) outcome(w Way) Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.Sort(m.stale)
	o := Outcome{Way: w, Sold: m.sold, Oversold: m.oversold, Missed: m.missed}
	if n := len(m.stale); n > 0 {
		o.P50, o.P99 = m.stale[n/2], m.stale[n*99/100]
	}
	for i := range m.shops {
		o.Calls += len(m.shops[i].calls)
	}
	return o
}

// Print writes a table.
func Print(to io.Writer, s Scenario, list []Outcome) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, s)
	fmt.Fprintln(w, "way\tsold\toversold\tsent away\tstale p50\tstale p99\tcalls\t")
	for _, o := range list {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t\n", o.Way, o.Sold, o.Oversold, o.Missed,
			o.P50.Round(10*time.Millisecond), o.P99.Round(10*time.Millisecond), o.Calls)
	}
	return w.Flush()
}
