package processor

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// command carries out one record of the commands topic. What it begins is noted in the task record that
// passes the record, so that it is begun once, whatever happens next.
func (l *lane) command(t *task, r *kgo.Record) (state.Outcome, *topics.Reject, error) {
	var c topics.Command
	if reject := topics.DecodeCommand(r.Value, l.p.c.MaxRecordBytes, &c); reject != nil {
		return 0, reject, nil
	}
	if c.Command != topics.CommandNightly {
		return 0, &topics.Reject{
			Reason: topics.ReasonInvalid, Message: fmt.Sprintf("command: %q is not known to this release", c.Command),
		}, nil
	}
	l.beginRun(t, c.ID)
	return state.Applied, nil, nil
}

// beginRun begins a nightly run that was asked for. One that is in progress begins anew: who asks wants what
// went out before to go out again, and what it had left is part of it.
func (l *lane) beginRun(t *task, command string) {
	record := t.Staged()
	record.Nightly.Cursor = cursorEmitting
	record.Nightly.RunID = runID(l.p.calendar.date(l.p.c.Now()), command)
	t.Stage(record)
	if _, ok := t.job.(*run); ok {
		t.job = nil
	}
	l.looked = time.Time{}
}
