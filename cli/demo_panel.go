package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// status is what the demo shows at one moment.
type status struct {
	elapsed              time.Duration
	sent, records        int64
	sentRate, recordRate float64
	behind, dead         int64
	skus                 int
	typical, slow        time.Duration // median and 99th percentile of the delay
	shops                []shopStatus
	changes              []string
}

// shopStatus is one shop's line.
type shopStatus struct {
	id     string
	writes int64
	rate   float64
	last   string
}

// status sums up what happened, with rates since the last time. The caller holds the lock.
func (w *watch) status(behind, dead int64) status {
	now := time.Now()
	seconds := max(now.Sub(w.before.at).Seconds(), 1e-3)
	s := status{
		elapsed: time.Since(w.began), sent: w.d.world.sent.Load(), records: w.records, behind: behind, dead: dead,
		skus: len(w.latest), changes: w.changes,
	}
	s.sentRate = float64(s.sent-w.before.sent) / seconds
	s.recordRate = float64(s.records-w.before.records) / seconds
	sorted := slices.Sorted(slices.Values(w.delays))
	if n := len(sorted); n > 0 {
		s.typical, s.slow = sorted[n/2], sorted[min(n-1, n*99/100)]
	}
	for _, id := range slices.Sorted(maps.Keys(w.shops)) {
		count := w.shops[id]
		shop := shopStatus{id: id, writes: count.writes, rate: float64(count.writes-w.before.writes[id]) / seconds}
		if count.writes > 0 {
			shop.last = fmt.Sprintf("%s now shows %s", count.last.SKU, count.last.Qty)
		}
		s.shops = append(s.shops, shop)
		w.before.writes[id] = count.writes
	}
	w.before.at, w.before.sent, w.before.records = now, s.sent, s.records
	return s
}

// print shows the status, as a panel or as plain lines. The caller holds the lock.
func (w *watch) print(s status) {
	if !w.d.panel() {
		w.printPlain(s)
		return
	}
	width, height, err := term.GetSize(int(w.out.(*os.File).Fd())) // panel says that it is a file
	if err != nil {
		width, height = 100, 24
	}
	lines := s.lines()
	lines = lines[:min(len(lines), max(1, height-1))] // a taller panel could not be redrawn
	w.clearPanel()
	for _, line := range lines {
		fmt.Fprintln(w.out, fit(line, width))
	}
	w.lines = len(lines)
}

// clearPanel removes the panel from the screen: what is printed next takes its place.
func (w *watch) clearPanel() {
	if w.lines > 0 {
		fmt.Fprintf(w.out, "\x1b[%dA\x1b[J", w.lines)
		w.lines = 0
	}
}

// fit cuts a line to the width of the terminal.
func fit(line string, width int) string {
	runes := []rune(line)
	if len(runes) < width || width < 2 {
		return line
	}
	return string(runes[:width-2]) + "…"
}

// lines returns the panel.
func (s status) lines() []string {
	lines := []string{
		"",
		fmt.Sprintf("  %-16s %8d events     %7.1f/s   waiting %d   dead letters %d",
			"in "+s.elapsed.Round(time.Second).String(), s.sent, s.sentRate, s.behind, s.dead),
		fmt.Sprintf("  %-16s %8d records    %7.1f/s   %d SKUs   delay %s, 99%% below %s",
			"availability", s.records, s.recordRate, s.skus, milliseconds(s.typical), milliseconds(s.slow)),
	}
	for _, shop := range s.shops {
		lines = append(lines, fmt.Sprintf("  %-16s %8d deliveries %7.1f/s   %s", shop.id, shop.writes, shop.rate, shop.last))
	}
	lines = append(lines, "")
	for _, change := range s.changes {
		lines = append(lines, "  "+change)
	}
	return append(lines, "")
}

// printPlain writes the status as one line, and the latest changes after it.
func (w *watch) printPlain(s status) {
	var shops strings.Builder
	for _, shop := range s.shops {
		fmt.Fprintf(&shops, ", %s %d", shop.id, shop.writes)
	}
	fmt.Fprintf(w.out, "%s: %d events %.1f/s, %d waiting, %d dead letters; ",
		s.elapsed.Round(time.Second), s.sent, s.sentRate, s.behind, s.dead)
	fmt.Fprintf(w.out, "%d availability records %.1f/s, delay %s; delivered%s\n",
		s.records, s.recordRate, milliseconds(s.typical), strings.TrimPrefix(shops.String(), ","))
	for _, change := range s.changes[max(0, len(s.changes)-plainChanges):] {
		fmt.Fprintf(w.out, "  %s\n", change)
	}
	w.changes = nil // shown once
}

// milliseconds shows a short time.
func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
