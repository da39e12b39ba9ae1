package processor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stocksync/state"
)

// metrics are the processor's Prometheus metrics.
type metrics struct {
	records         *prometheus.CounterVec
	deadLetters     *prometheus.CounterVec
	commits         *prometheus.CounterVec
	commitSeconds   prometheus.Histogram
	latency         prometheus.Histogram
	sessions        prometheus.Counter
	groupDiffers    prometheus.Counter
	restored        prometheus.Counter
	restorePosition *prometheus.GaugeVec
	restoreTarget   *prometheus.GaugeVec
	nights          nightMetrics
}

// newMetrics registers the metrics; a nil registry keeps them to ourselves.
func newMetrics(r prometheus.Registerer, p *Processor) *metrics {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_processor_records_total",
			Help: "Input records whose transaction is committed, by outcome.",
		}, []string{"outcome"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_processor_dead_letters_total",
			Help: "Records found unfit, by reason; a record of an aborted transaction is found again.",
		}, []string{"reason"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_processor_transactions_total",
			Help: "Transactions, by result.",
		}, []string{"result"}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "stocksync_processor_commit_seconds",
			Help:    "Time from the first record of a transaction produced to the transaction committed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "stocksync_processor_availability_latency_seconds",
			Help:    "Age of the oldest input record of a task when its availability is committed.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 16),
		}),
		sessions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_processor_sessions_restarted_total",
			Help: "Transaction sessions given up and started anew.",
		}),
		groupDiffers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_processor_group_offset_differences_total",
			Help: "Starts of a task at which an offset of the group was not the task record's, which counts.",
		}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_processor_restored_records_total",
			Help: "Changelog records replayed.",
		}),
		restorePosition: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_processor_restore_offset",
			Help: "Changelog offset that the replay of a task reached.",
		}, []string{"partition"}),
		restoreTarget: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_processor_restore_target_offset",
			Help: "Changelog offset that the replay of a task goes to.",
		}, []string{"partition"}),
	}
	m.nights = newNightMetrics()
	if r == nil {
		r = prometheus.NewRegistry()
	}
	r.MustRegister(m.nights.collectors()...)
	r.MustRegister(m.records, m.deadLetters, m.commits, m.commitSeconds, m.latency, m.sessions, m.groupDiffers,
		m.restored, m.restorePosition, m.restoreTarget, &taskCollector{
			p: p,
			phases: prometheus.NewDesc("stocksync_processor_tasks", "Tasks of this instance, by phase.",
				[]string{"phase"}, nil),
			lag: prometheus.NewDesc("stocksync_processor_lag_records", "Input records not yet folded.",
				[]string{"partition"}, nil),
		})
	return m
}

// observe counts a task's records when their transaction is committed.
func (m *metrics) observe(t *task, now time.Time) {
	c, was := t.Staged().Counters, t.reported
	for outcome, n := range map[state.Outcome]int64{
		state.Applied: c.Applied - was.Applied, state.Duplicate: c.Duplicate - was.Duplicate,
		state.DeadLettered: c.DeadLettered - was.DeadLettered, state.Forwarded: c.Forwarded - was.Forwarded,
	} {
		if n > 0 {
			m.records.WithLabelValues(outcome.String()).Add(float64(n))
		}
	}
	t.reported = c
	if t.oldest != 0 {
		m.latency.Observe(now.Sub(time.UnixMilli(t.oldest)).Seconds())
	}
}

// forget shows no more of a partition's restore.
func (m *metrics) forget(partition int32) {
	m.restorePosition.DeleteLabelValues(label(partition))
	m.restoreTarget.DeleteLabelValues(label(partition))
}

// taskCollector reads the tasks when it is asked.
type taskCollector struct {
	p           *Processor
	phases, lag *prometheus.Desc
}

func (c *taskCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.phases
	to <- c.lag
}

func (c *taskCollector) Collect(to chan<- prometheus.Metric) {
	counts := map[string]int{restoring.String(): 0, running.String(): 0, halted.String(): 0}
	for _, t := range c.p.Tasks() {
		counts[t.Phase]++
	}
	for phase, n := range counts {
		to <- prometheus.MustNewConstMetric(c.phases, prometheus.GaugeValue, float64(n), phase)
	}
	for partition, n := range c.p.lag.records() {
		to <- prometheus.MustNewConstMetric(c.lag, prometheus.GaugeValue, float64(n), label(partition))
	}
}
