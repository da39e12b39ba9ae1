package sinks

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lease is the right to send that membership of the group gives. An owner that has not heard from the
// group for a session timeout must not send: the group may have given its stores to another (S3).
//
// An answer after such a silence may be the one that says so, and the client tells of a loss only after
// it has read the answer. So the first answer after a silence renews nothing; the next one does, since
// the client sends it only after it has dealt with the first.
type lease struct {
	timeout time.Duration

	mu      sync.Mutex
	heard   time.Time // when the request was sent whose answer came last
	suspect bool      // that answer followed a silence
}

// Keys of the requests by which a member is heard of.
const (
	keyJoinGroup      = 11
	keyHeartbeat      = 12
	keySyncGroup      = 14
	keyGroupHeartbeat = 68
)

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (l *lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	if e.WriteErr != nil || e.ReadErr != nil {
		return
	}
	switch key {
	case keyJoinGroup, keyHeartbeat, keySyncGroup, keyGroupHeartbeat:
		now := time.Now()
		l.renew(now.Add(-e.DurationE2E()), now)
	}
}

// renew notes an answer, read now, to a request sent at a time.
func (l *lease) renew(sent, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspect = !l.heard.IsZero() && now.Sub(l.heard) >= l.timeout
	if sent.After(l.heard) {
		l.heard = sent
	}
}

// assigned notes that the group has given us stores just now.
func (l *lease) assigned() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspect = false
}

// valid tells whether to send.
func (l *lease) valid(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.suspect && !l.heard.IsZero() && now.Sub(l.heard) < l.timeout
}
