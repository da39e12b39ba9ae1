package sinks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"stocksync/sinks"
)

func TestMetrics_AreNamedAndForgottenWithTheirStore(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, forget := sinks.StoreMetrics(reg, "s")
	m.Move()
	var got []string
	for line := range strings.Lines(metricsText(t, reg)) {
		if !strings.Contains(line, "_bucket{") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := strings.Split(strings.TrimSpace(`
# HELP stocksync_sinks_backlog Pairs that are due and not in flight, by store.
# TYPE stocksync_sinks_backlog gauge
stocksync_sinks_backlog{store="s"} 4
# HELP stocksync_sinks_braked Pairs whose fall to 0 waits for a person, because too many fell at once, by store.
# TYPE stocksync_sinks_braked gauge
stocksync_sinks_braked{store="s"} 6
# HELP stocksync_sinks_catalogue_passes_total Passes over a shop's catalogue, by store and what came of them: complete, failed, refused (lost too much).
# TYPE stocksync_sinks_catalogue_passes_total counter
stocksync_sinks_catalogue_passes_total{outcome="complete",store="s"} 1
# HELP stocksync_sinks_catalogue_read_timestamp_seconds When the last complete pass over a shop's catalogue began, by store.
# TYPE stocksync_sinks_catalogue_read_timestamp_seconds gauge
stocksync_sinks_catalogue_read_timestamp_seconds{store="s"} 8
# HELP stocksync_sinks_deliveries_total Updates answered, by store and class of the answer.
# TYPE stocksync_sinks_deliveries_total counter
stocksync_sinks_deliveries_total{outcome="ok",store="s"} 2
stocksync_sinks_deliveries_total{outcome="throttle",store="s"} 1
# HELP stocksync_sinks_delivery_latency_seconds Time from a revision's processed_at to its delivery confirmed, by store.
# TYPE stocksync_sinks_delivery_latency_seconds histogram
stocksync_sinks_delivery_latency_seconds_sum{store="s"} 2
stocksync_sinks_delivery_latency_seconds_count{store="s"} 2
# HELP stocksync_sinks_drifts_total Numbers found changed on the marketplace, by store and direction: above or below what was delivered.
# TYPE stocksync_sinks_drifts_total counter
stocksync_sinks_drifts_total{direction="above",store="s"} 1
# HELP stocksync_sinks_in_flight Requests in flight, by store.
# TYPE stocksync_sinks_in_flight gauge
stocksync_sinks_in_flight{store="s"} 5
# HELP stocksync_sinks_oversell_risk Pairs whose shop offers more than there is and may not be brought lower now, by store.
# TYPE stocksync_sinks_oversell_risk gauge
stocksync_sinks_oversell_risk{store="s"} 7
# HELP stocksync_sinks_request_seconds Time of a request to a store, by store.
# TYPE stocksync_sinks_request_seconds histogram
stocksync_sinks_request_seconds_sum{store="s"} 0.5
stocksync_sinks_request_seconds_count{store="s"} 1
# HELP stocksync_sinks_statuses_total Sync statuses written.
# TYPE stocksync_sinks_statuses_total counter
stocksync_sinks_statuses_total 0
# HELP stocksync_sinks_store_stopped 1 while a store is sent nothing because its record, its credentials or the marketplace forbid it.
# TYPE stocksync_sinks_store_stopped gauge
stocksync_sinks_store_stopped{store="s"} 1
# HELP stocksync_sinks_stores Stores that this instance owns.
# TYPE stocksync_sinks_stores gauge
stocksync_sinks_stores 0
# HELP stocksync_sinks_superseded_total Revisions replaced by a newer one while they waited, by store.
# TYPE stocksync_sinks_superseded_total counter
stocksync_sinks_superseded_total{store="s"} 3
`), "\n")
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	forget()
	if text := metricsText(t, reg); strings.Contains(text, `store="`) {
		t.Errorf("a store that was let go is still there:\n%s", text)
	}
}
