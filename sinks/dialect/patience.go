package dialect

import (
	"context"
	"errors"
	"time"

	"stocksync/sinks"
)

const (
	// tries is how often a request of a pass is sent at most: a pass of a thousand pages must not fail for one.
	tries = 5
	// firstPause is before the second try; it doubles with each. Together they take 15 s.
	firstPause = time.Second
)

// Patiently sends a request of a pass over a catalogue until it succeeds, fails for good, or was tried often
// enough. After ClassToken it refreshes once. What the store's rate limit asks for is waited for elsewhere; the
// pauses here are for what the marketplace fails at for a moment. The error is a sinks.OutcomeError.
func Patiently(ctx context.Context, refresh func(context.Context) sinks.Outcome, send func() sinks.Outcome) error {
	pause, refreshed := firstPause, false
	for n := 1; ; n++ {
		o := send()
		switch o.Class {
		case sinks.ClassOK:
			return nil
		case sinks.ClassToken:
			if refreshed {
				return &sinks.OutcomeError{Outcome: o}
			}
			refreshed = true
			if o = refresh(ctx); o.Class != sinks.ClassOK {
				return &sinks.OutcomeError{Outcome: o}
			}
			continue
		case sinks.ClassTransient, sinks.ClassThrottle:
		default:
			return &sinks.OutcomeError{Outcome: o}
		}
		if n == tries || ctx.Err() != nil {
			return &sinks.OutcomeError{Outcome: o}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &sinks.OutcomeError{Outcome: o}
		}
		pause *= 2
	}
}

// ErrMoved reports a catalogue that changed while its pages were read: what moved from one page to another may not
// have been seen.
var ErrMoved = errors.New("the catalogue changed during the pass")

// rounds is how often pages are read anew when the catalogue moved under them.
const rounds = 3

// Steadily reads pages until nothing moved under them, or it was tried often enough.
func Steadily(pages func() error) error {
	for n := 1; ; n++ {
		if err := pages(); n == rounds || !errors.Is(err, ErrMoved) {
			return err
		}
	}
}
