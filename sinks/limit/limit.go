package limit

import (
	"context"
	"sync"
	"time"
)

// Rate is the shape of a store's limit. The zero Rate sets none beyond what the marketplace's answers ask for.
// It is comparable.
type Rate struct {
	PerSecond float64 // requests a second; 0: no limit is published
	Burst     int     // requests at once; 1, the default, spaces them evenly
	Cost      float64 // points that a request is taken to cost until the shop has said; 0: it counts no points
	PerDay    int     // requests a day; 0: no limit
	Revisions int     // changes of one listing a day; 0: no limit
	Zone      string  // IANA name of the zone whose midnight begins a day; "" is UTC
}

// Urgency says how much a request matters.
type Urgency uint8

// The urgencies, in rising order.
const (
	Background Urgency = iota // reading: waits for everything else
	Low                       // the number is the same
	Normal                    // the shop offers too little
	High                      // the shop offers too much
	Urgent                    // the shop offers what is gone
)

// share is the part of a day's budget, in percent, that an urgency may bring its use up to.
func (u Urgency) share() int {
	switch u {
	case Background:
		return 40
	case Low:
		return 60
	case Normal:
		return 80
	case High:
		return 95
	case Urgent:
	}
	return 100
}

// backgroundEvery is the share of requests, one in so many, that reading may have while updates wait.
const backgroundEvery = 4

// Limiter gives leave for the requests of one store. It is safe for concurrent use.
type Limiter struct {
	mu      sync.Mutex
	pace    *pace
	points  *points
	day     *Daily // nil: no limit
	crowded bool   // updates wait
	updates int    // since a background request, while crowded
}

// New returns a limiter of a shape. What must survive a restart is in notes under the name; nil keeps it in
// memory. The error is that the zone is not known.
func New(r Rate, name string, notes Notes) (*Limiter, error) {
	l := &Limiter{pace: newPace(r), points: newPoints(r.Cost)}
	if r.PerDay > 0 {
		day, err := NewDaily(r.PerDay, r.Zone, name+"/requests", notes)
		if err != nil {
			return nil, err
		}
		l.day = day
	}
	return l, nil
}

// Take takes leave for a request now. When there is none, wait is how long until there may be. An error is one
// of the notes.
func (l *Limiter) Take(now time.Time, u Urgency) (wait time.Duration, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u == Background && l.crowded && l.updates < backgroundEvery-1 {
		return l.pace.interval(), false, nil
	}
	if wait := l.points.wait(now); wait > 0 {
		return wait, false, nil
	}
	if l.day != nil {
		if wait, err := l.day.Wait("", now, u); err != nil || wait > 0 {
			return wait, false, err
		}
	}
	if wait, ok := l.pace.take(now); !ok {
		return wait, false, nil
	}
	l.points.take(now)
	l.updates++
	if u == Background {
		l.updates = 0
	}
	if l.day != nil {
		return 0, true, l.day.Spend("", now)
	}
	return 0, true, nil
}

// waitMost bounds how long Wait sleeps before it asks again: what it waits for may have changed.
const waitMost = time.Second

// Wait waits for leave until the context ends, whose cause it returns then.
func (l *Limiter) Wait(ctx context.Context, u Urgency) error {
	for {
		wait, ok, err := l.Take(time.Now(), u)
		if ok || err != nil {
			return err
		}
		timer := time.NewTimer(min(wait, waitMost))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// Crowded tells the limiter whether updates wait: then reading has one request in backgroundEvery.
func (l *Limiter) Crowded(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crowded = yes
}

// Throttled slows down: a request that was sent at began was one too many. Several that were in flight
// together slow down once. Where the shop counts points, these say more than the answer does.
func (l *Limiter) Throttled(began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.points.counted() {
		l.pace.throttled(began, now)
	}
}

// Answered speeds up again, for a request that was sent at began and was not too many.
func (l *Limiter) Answered(began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pace.answered(began, now)
}

// Done notes that a request which had leave has ended.
func (l *Limiter) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.points.done()
}

// Told notes what the shop said of its points.
func (l *Limiter) Told(b Bucket, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.points.told(b, now)
}

// PerSecond returns the requests a second that the limiter gives leave for now, as far as it knows; 0 when
// nothing holds them back.
func (l *Limiter) PerSecond() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pace.perSecond()
}
