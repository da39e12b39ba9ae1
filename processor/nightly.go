package processor

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stocksync/state"
)

// What a task record's cursor begins with while a run is in progress: the SKU reached follows. Emitting goes
// first, because people wait for it; collapsing needs no cursor, because what is collapsed is not found again.
const (
	cursorEmitting   = "e"
	cursorCollapsing = "c"
)

// oldDays is how many days are looked at together for what is old, so that a SKU which moved on many of
// them is loaded once: one day is a night's usual work, many are after a restore or a long time without.
const oldDays = 64

// run is a nightly run of one task: it emits every SKU that was active in the window, then collapses what is
// past the horizon. The task record holds id and cursor, so that whoever has the task next goes on with it.
type run struct {
	id          string
	date        int32 // that is done with it
	first, last int32 // UTC days of the window
	horizon     int32 // UTC day that the horizon lies before

	cursor string   // what the task record has
	skus   []string // read ahead
	after  string   // SKU to read on after
	ended  bool     // staged

	oldFirst, oldLast int32 // UTC days of which what is old is collapsed now; 0: none yet

	staged NightlyReport // counts since the last commit
}

// NightlyReport tells of a task's run in progress, or of its last one, as far as this instance carried it
// out.
type NightlyReport struct {
	Run             string        `json:"run"` // local date, and the id of the command that asked for it
	Running         bool          `json:"running"`
	Considered      int64         `json:"considered"` // SKUs that were active, or had something old
	Reemitted       int64         `json:"reemitted"`
	CollapsedLines  int64         `json:"collapsed_lines"`
	CollapsedOrders int64         `json:"collapsed_orders"`
	BeganAt         time.Time     `json:"began_at"`
	Duration        time.Duration `json:"duration_ns"`
}

// runID names a run in the task record. The date is first: a run that was cut short goes on only on the
// date that it is for.
func runID(date int32, command string) string {
	return strings.TrimSuffix(dateText(date)+" "+command, " ")
}

// nextRun returns the run that a task has to go on with or to begin, nil when there is none. One that is in
// progress for an earlier date begins anew with the present one.
func (p *Processor) nextRun(t *task, r *state.TaskRecord, wall time.Time) *run {
	date, due := p.calendar.due(r, wall)
	n := r.Nightly
	running := n.Cursor != ""
	of, command, _ := strings.Cut(n.RunID, " ")
	switch {
	case !due && !running:
		return nil
	case !due:
		date = n.Done
	case !running:
		n = state.Nightly{Done: n.Done, Cursor: cursorEmitting, RunID: runID(date, "")}
	case of != dateText(date):
		n = state.Nightly{Done: n.Done, Cursor: cursorEmitting, RunID: runID(date, command)}
	}
	if n != r.Nightly || t.night.Run != n.RunID {
		t.night = NightlyReport{Run: n.RunID, BeganAt: wall}
	}
	if n != r.Nightly {
		r.Nightly = n
		t.Stage(*r)
	}
	t.night.Running = true
	now := clock(r, wall)
	first := dayOf(now.Add(-p.c.ActiveWindow))
	return &run{
		id: n.RunID, date: date, cursor: n.Cursor, horizon: dayOf(now.Add(-p.c.HistoryRetention)),
		// A broker's clock may be ahead of ours; by more than a day it is wrong.
		first: first, last: min(r.Newest.UTCDay(), dayOf(now)+1),
	}
}

func (r *run) step(t *task, n int, stop func() bool) (int, error) {
	done := 0
	for done < n && !r.ended && !stop() {
		worked, err := r.next(t)
		if err != nil {
			return done, err
		}
		if worked {
			done++
		}
	}
	record := t.Staged()
	record.Nightly = state.Nightly{Done: record.Nightly.Done, Cursor: r.cursor, RunID: r.id}
	if r.ended {
		record.Nightly.Done = r.date
	}
	t.Stage(record)
	return done, nil
}

// next deals with one SKU; false when it found that there is none left in this part of the run.
func (r *run) next(t *task) (bool, error) {
	emitting := strings.HasPrefix(r.cursor, cursorEmitting)
	if len(r.skus) == 0 {
		if err := r.read(t, emitting); err != nil {
			return false, err
		}
	}
	switch {
	case len(r.skus) > 0:
	case emitting:
		r.cursor, r.after = cursorCollapsing, ""
		return false, nil
	default:
		r.cursor, r.ended = "", true
		return false, nil
	}
	sku := r.skus[0]
	r.skus = r.skus[1:]
	r.staged.Considered++
	if emitting {
		r.cursor = cursorEmitting + sku
		known, err := t.Reemit(sku)
		if known {
			r.staged.Reemitted++
		}
		return true, err
	}
	gone, err := t.Collapse(sku, r.horizon)
	r.staged.CollapsedLines += int64(gone.Lines)
	r.staged.CollapsedOrders += int64(gone.Orders)
	return true, err
}

// read lists the SKUs that come next; none when there are none left in this part of the run.
func (r *run) read(t *task, emitting bool) (err error) {
	if emitting {
		r.skus, err = t.Active(r.first, r.last, r.cursor[len(cursorEmitting):], readAhead)
		return err
	}
	for {
		if r.oldLast > 0 {
			r.skus, err = t.Active(r.oldFirst, r.oldLast, r.after, readAhead)
			if err != nil {
				return err
			}
			if n := len(r.skus); n > 0 {
				r.after = r.skus[n-1]
				return nil
			}
		}
		day, ok, err := t.OldestDay(r.oldLast+1, r.horizon)
		if err != nil || !ok {
			return err
		}
		r.oldFirst, r.oldLast, r.after = day, min(day+oldDays, r.horizon)-1, ""
	}
}

func (r *run) over() bool { return r.ended }

// committed adds what was staged to the report. When the run is over, the days that it has collapsed leave
// the index.
func (r *run) committed(l *lane, t *task) error {
	n := &t.night
	n.Considered += r.staged.Considered
	n.Reemitted += r.staged.Reemitted
	n.CollapsedLines += r.staged.CollapsedLines
	n.CollapsedOrders += r.staged.CollapsedOrders
	n.Duration = l.p.c.Now().Sub(n.BeganAt)
	n.Running = !r.ended
	l.p.metrics.nights.add(&r.staged)
	r.staged = NightlyReport{}
	if !r.ended {
		return nil
	}
	l.p.metrics.nights.done(t, n.Duration)
	l.log.Info("nightly run done", "partition", t.partition, "run", n.Run, "considered", n.Considered,
		"reemitted", n.Reemitted, "collapsed_lines", n.CollapsedLines, "collapsed_orders", n.CollapsedOrders,
		"duration", n.Duration)
	return t.ForgetDays(r.horizon)
}

// nightMetrics are the metrics of background work.
type nightMetrics struct {
	skus, collapsed *prometheus.CounterVec
	runs, walked    prometheus.Counter
	seconds         *prometheus.GaugeVec
}

func newNightMetrics() nightMetrics {
	return nightMetrics{
		skus: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_processor_nightly_skus_total",
			Help: "SKUs that nightly runs have considered, and of these re-emitted.",
		}, []string{"what"}),
		collapsed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stocksync_processor_nightly_collapsed_total",
			Help: "Ledger lines and order lines that nightly runs have collapsed.",
		}, []string{"what"}),
		runs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_processor_nightly_runs_total",
			Help: "Nightly runs of tasks that have ended.",
		}),
		seconds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stocksync_processor_nightly_run_seconds",
			Help: "How long the last nightly run of a task took.",
		}, []string{"partition"}),
		walked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stocksync_processor_policy_reemitted_total",
			Help: "SKUs that a change of policy has re-emitted.",
		}),
	}
}

func (m *nightMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.skus, m.collapsed, m.runs, m.seconds, m.walked}
}

func (m *nightMetrics) add(n *NightlyReport) {
	m.skus.WithLabelValues("considered").Add(float64(n.Considered))
	m.skus.WithLabelValues("reemitted").Add(float64(n.Reemitted))
	m.collapsed.WithLabelValues("lines").Add(float64(n.CollapsedLines))
	m.collapsed.WithLabelValues("order_lines").Add(float64(n.CollapsedOrders))
}

func (m *nightMetrics) done(t *task, took time.Duration) {
	m.runs.Inc()
	m.seconds.WithLabelValues(label(t.partition)).Set(took.Seconds())
}
