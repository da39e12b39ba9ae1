package sinks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the sinks' Prometheus metrics. Those with a store are forgotten when the store is let go.
type metrics struct {
	deliveries *prometheus.CounterVec
	superseded *prometheus.CounterVec
	backlog    *prometheus.GaugeVec
	inFlight   *prometheus.GaugeVec
	latency    *prometheus.HistogramVec
	request    *prometheus.HistogramVec
	stopped    *prometheus.GaugeVec
	braked     *prometheus.GaugeVec
	risky      *prometheus.GaugeVec
	passes     *prometheus.CounterVec
	passedAt   *prometheus.GaugeVec
	drifts     *prometheus.CounterVec
	stores     prometheus.Gauge
	records    *prometheus.CounterVec
	statuses   prometheus.Counter
	lost       *prometheus.CounterVec
}

// newMetrics registers the metrics; a nil registry keeps them to ourselves.
func newMetrics(r prometheus.Registerer) *metrics {
	byStore := []string{"store"}
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_deliveries_total",
			Help: "Updates answered, by store and class of the answer.",
		}, []string{"store", "outcome"}),
		superseded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_superseded_total",
			Help: "Revisions replaced by a newer one while they waited, by store.",
		}, byStore),
		backlog: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_backlog",
			Help: "Pairs that are due and not in flight, by store.",
		}, byStore),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_in_flight",
			Help: "Requests in flight, by store.",
		}, byStore),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stocksync_sinks_delivery_latency_seconds",
			Help:    "Time from a revision's processed_at to its delivery confirmed, by store.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 18),
		}, byStore),
		request: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stocksync_sinks_request_seconds",
			Help:    "Time of a request to a store, by store.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}, byStore),
		stopped: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_store_stopped",
			Help: "1 while a store is sent nothing because its record, its credentials or the marketplace forbid it.",
		}, byStore),
		braked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_braked",
			Help: "Pairs whose fall to 0 waits for a person, because too many fell at once, by store.",
		}, byStore),
		risky: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_oversell_risk",
			Help: "Pairs whose shop offers more than there is and may not be brought lower now, by store.",
		}, byStore),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_catalogue_passes_total",
			Help: "Passes over a shop's catalogue, by store and what came of them: complete, failed, refused (lost too much).",
		}, []string{"store", "outcome"}),
		passedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_sinks_catalogue_read_timestamp_seconds",
			Help: "When the last complete pass over a shop's catalogue began, by store.",
		}, byStore),
		drifts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_drifts_total",
			Help: "Numbers found changed on the marketplace, by store and direction: above or below what was delivered.",
		}, []string{"store", "direction"}),
		stores: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stocksync_sinks_stores",
			Help: "Stores that this instance owns.",
		}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_view_records_total",
			Help: "Records read into the local tables, by topic.",
		}, []string{"topic"}),
		statuses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_sinks_statuses_total",
			Help: "Sync statuses written.",
		}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_lost_records_total",
			Help: "Statuses and log records that Kafka did not take, by topic; statuses are written again.",
		}, []string{"topic"}),
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.superseded, m.backlog, m.inFlight, m.latency, m.request, m.stopped,
			m.braked, m.risky, m.passes, m.passedAt, m.drifts,
			m.stores, m.records, m.statuses, m.lost)
	}
	return m
}

// forget drops the series of a store.
func (m *metrics) forget(store string) {
	labels := prometheus.Labels{"store": store}
	for _, v := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.deliveries, m.superseded, m.backlog, m.inFlight, m.latency, m.request, m.stopped, m.braked, m.risky, m.passes, m.passedAt, m.drifts} {
		v.DeletePartialMatch(labels)
	}
}

// shopMetrics are the metrics of one store.
type shopMetrics struct {
	deliveries                  *prometheus.CounterVec
	superseded                  prometheus.Counter
	backlog, inFlight, stopped  prometheus.Gauge
	braked, risky               prometheus.Gauge
	passes                      *prometheus.CounterVec
	passedAt                    prometheus.Gauge
	drifts                      *prometheus.CounterVec
	latencySeconds, httpSeconds prometheus.Observer
}

func (m *metrics) store(id string) *shopMetrics {
	return &shopMetrics{
		deliveries:     m.deliveries.MustCurryWith(prometheus.Labels{"store": id}),
		superseded:     m.superseded.WithLabelValues(id),
		backlog:        m.backlog.WithLabelValues(id),
		inFlight:       m.inFlight.WithLabelValues(id),
		stopped:        m.stopped.WithLabelValues(id),
		braked:         m.braked.WithLabelValues(id),
		risky:          m.risky.WithLabelValues(id),
		passes:         m.passes.MustCurryWith(prometheus.Labels{"store": id}),
		drifts:         m.drifts.MustCurryWith(prometheus.Labels{"store": id}),
		passedAt:       m.passedAt.WithLabelValues(id),
		latencySeconds: m.latency.WithLabelValues(id),
		httpSeconds:    m.request.WithLabelValues(id),
	}
}

func (m *shopMetrics) answered(c Class, n int) {
	m.deliveries.WithLabelValues(c.String()).Add(float64(n))
}

func (m *shopMetrics) delivered(processed, confirmed time.Time) {
	m.latencySeconds.Observe(max(0, confirmed.Sub(processed).Seconds()))
}
