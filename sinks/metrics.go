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
	m := &metrics{
		deliveries: counter("deliveries_total", "Updates answered, by store and class of the answer.", "outcome"),
		superseded: counter("superseded_total", "Revisions replaced by a newer one while they waited, by store."),
		backlog:    gauge("backlog", "Pairs that are due and not in flight, by store."),
		inFlight:   gauge("in_flight", "Requests in flight, by store."),
		latency: histogram("delivery_latency_seconds",
			"Time from a revision's processed_at to its delivery confirmed, by store.", 0.01, 18),
		request: histogram("request_seconds", "Time of a request to a store, by store.", 0.002, 14),
		stopped: gauge("store_stopped", "1 while a store is sent nothing because its record, its credentials or the "+
			"marketplace forbid it."),
		braked: gauge("braked", "Pairs whose fall to 0 waits for a person, because too many fell at once, by store."),
		risky: gauge("oversell_risk", "Pairs whose shop offers more than there is and may not be brought lower now, "+
			"by store."),
		passes: counter("catalogue_passes_total", "Passes over a shop's catalogue, by store and what came of them: "+
			"complete, failed, refused (lost too much).", "outcome"),
		passedAt: gauge("catalogue_read_timestamp_seconds", "When the last complete pass over a shop's catalogue "+
			"began, by store."),
		drifts: counter("drifts_total", "Numbers found changed on the marketplace, by store and direction: above or "+
			"below what was delivered.", "direction"),
		stores: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stocksync_sinks_stores", Help: "Stores that this instance owns.",
		}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_view_records_total", Help: "Records read into the local tables, by topic.",
		}, []string{"topic"}),
		statuses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_sinks_statuses_total", Help: "Sync statuses written.",
		}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_sinks_lost_records_total",
			Help: "Statuses and log records that Kafka did not take, by topic; statuses are written again.",
		}, []string{"topic"}),
	}
	if r != nil {
		r.MustRegister(m.stores, m.records, m.statuses, m.lost)
		for _, v := range m.byStore() {
			r.MustRegister(v)
		}
	}
	return m
}

// counter, and the functions beside it, make the metrics that each store has.
func counter(name, help string, more ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stocksync_sinks_" + name, Help: help},
		append([]string{"store"}, more...))
}

func gauge(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stocksync_sinks_" + name, Help: help}, []string{"store"})
}

func histogram(name, help string, least float64, buckets int) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "stocksync_sinks_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(least, 2, buckets),
	}, []string{"store"})
}

// storeVec is a metric that each store has.
type storeVec interface {
	prometheus.Collector
	DeletePartialMatch(labels prometheus.Labels) int
}

// byStore returns the metrics that each store has.
func (m *metrics) byStore() []storeVec {
	return []storeVec{
		m.deliveries, m.superseded, m.backlog, m.inFlight, m.latency, m.request, m.stopped, m.braked, m.risky, m.passes,
		m.passedAt, m.drifts,
	}
}

// forget drops the series of a store.
func (m *metrics) forget(store string) {
	for _, v := range m.byStore() {
		v.DeletePartialMatch(prometheus.Labels{"store": store})
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
