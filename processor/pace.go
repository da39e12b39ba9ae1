package processor

import (
	"sync"
	"time"
)

// paceBurst is how much of a second's work may be done at once after a rest.
const paceBurst = 100 * time.Millisecond

// pace bounds the background work of an instance to a rate: a bucket of tokens that its lanes share.
type pace struct {
	rate float64 // a second

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

// take returns how many of n units may be worked on now.
func (p *pace) take(n int, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if since := now.Sub(p.last); since > 0 {
		burst := max(1, p.rate*paceBurst.Seconds())
		p.tokens = min(burst, p.tokens+p.rate*min(since, time.Second).Seconds())
	}
	p.last = now // also when it went back
	n = min(n, int(p.tokens))
	p.tokens -= float64(n)
	return n
}

// give returns units that were not worked on.
func (p *pace) give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens += float64(n)
}
