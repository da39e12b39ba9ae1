package twin

import "time"

// Window is a limit: at most so many requests in any time of that length.
type Window struct {
	Most int
	Per  time.Duration
}

// window counts against a limit. A request that is refused does not count.
type window struct {
	Window

	times []time.Time // of the requests within the last Per, oldest first
}

// allow counts a request, or says how long it is too early.
func (w *window) allow(now time.Time) (wait time.Duration, ok bool) {
	for len(w.times) > 0 && now.Sub(w.times[0]) >= w.Per {
		w.times = w.times[1:]
	}
	if len(w.times) >= w.Most {
		return w.Per - now.Sub(w.times[0]), false
	}
	w.times = append(w.times, now)
	return 0, true
}
