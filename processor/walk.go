package processor

import (
	"time"

	"stocksync/state"
)

// walk makes every SKU of a task follow the policy: those whose numbers it changes are emitted. The task
// record says that it has begun before any SKU is written with the new policy, and that it has ended; a walk
// that was cut short begins again, and finds only what is left.
type walk struct {
	began time.Time
	skus  []string // read ahead
	after string   // the SKU to read on after
	read  bool     // to the end
	ended bool     // staged

	staged, emitted int64
}

// adopt gives a task record what it lacks under this instance's settings, before the task's first
// transaction here: the policy, if it is another, with a walk to come; and a date done, since a task's very
// first start counts the present one. It tells whether it changed anything.
func (p *Processor) adopt(r *state.TaskRecord, now time.Time) bool {
	changed := false
	if r.Policy != p.c.Policy {
		r.Policy, r.WalkEnded, changed = p.c.Policy, false, true
	}
	if r.Nightly.Done == 0 {
		r.Nightly.Done, changed = p.calendar.date(now), true
	}
	return changed
}

func (w *walk) step(t *task, n int, stop func() bool) (int, error) {
	done := 0
	for done < n && !stop() {
		if len(w.skus) > 0 {
			sku := w.skus[0]
			w.skus = w.skus[1:]
			emitted, err := t.Revalue(sku)
			if err != nil {
				return done, err
			}
			if emitted {
				w.staged++
			}
			done++
			continue
		}
		if w.read {
			w.ended = true
			r := t.Staged()
			r.WalkEnded = true
			t.Stage(r)
			break
		}
		var err error
		if w.skus, w.after, err = t.OtherPolicy(w.after); err != nil {
			return done, err
		}
		w.read = w.after == ""
	}
	return done, nil
}

func (w *walk) over() bool { return w.ended }

func (w *walk) committed(l *lane, t *task) error {
	w.emitted += w.staged
	l.p.metrics.nights.walked.Add(float64(w.staged))
	w.staged = 0
	if w.ended {
		l.log.Info("policy walk done", "partition", t.partition, "policy", l.p.c.Policy, "reemitted", w.emitted,
			"duration", l.p.c.Now().Sub(w.began))
	}
	return nil
}
