package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Wire is the network between one client in this process and its brokers. It can be stalled and cut, and
// requests of a kind, or their answers, can be lost or held. Nothing in it depends on time: an answer is lost
// when the broker has sent it, so the broker has done what was asked.
//
// A wire counts requests of all its client's connections together. Give each client its own.
type Wire struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	flow  chan struct{} // closed while bytes flow; a new, open one while stalled
	cut   bool
	conns map[*wireConn]struct{}
	rules []*Loss
}

// NewWire returns a wire over the connections that dial makes; nil is TCP.
func NewWire(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Wire {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	w := &Wire{dial: dial, flow: make(chan struct{}), conns: map[*wireConn]struct{}{}}
	close(w.flow)
	return w
}

// Opt makes a client use the wire. It must come after a Cluster's Opts, whose dialer it replaces.
func (w *Wire) Opt() kgo.Opt { return kgo.Dialer(w.Dial) }

// Dial connects through the wire: it waits while the wire is stalled and fails while it is cut.
func (w *Wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	select {
	case <-w.flowing():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	x, err := w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := newWireConn(w, x)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = x.Close() // it was never used
		return nil, &net.OpError{
			Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}
	}
	w.conns[c] = struct{}{}
	return c, nil
}

// Stall stops all bytes in both directions until Resume: the client waits, and its deadlines pass.
func (w *Wire) Stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.flow:
		w.flow = make(chan struct{})
	default: // stalled already
	}
}

// Resume lets bytes flow again, those that waited first.
func (w *Wire) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.flow: // flows already
	default:
		close(w.flow)
	}
}

// Cut breaks every connection and refuses new ones until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	w.cut = true
	var open []*wireConn
	for c := range w.conns {
		open = append(open, c)
	}
	w.mu.Unlock()
	for _, c := range open {
		c.drop()
	}
}

// Mend allows connections again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// LoseAnswers lets the next n requests of a kind reach the broker and, once it answers, breaks the connection
// in place of the answer. n < 0 means all of them until Loss.Stop.
func (w *Wire) LoseAnswers(key kmsg.Key, n int) *Loss { return w.lose(key, n, loseAnswer) }

// LoseRequests breaks the connection in place of the next n requests of a kind. n < 0 means all of them until
// Loss.Stop.
func (w *Wire) LoseRequests(key kmsg.Key, n int) *Loss { return w.lose(key, n, loseRequest) }

// HoldRequest keeps the next request of a kind, which the client believes sent, away from the broker until
// Loss.Release. When the client gives up and connects anew, the broker gets that request late, after what
// came on newer connections: a delayed EndTxn that meets the next transaction.
func (w *Wire) HoldRequest(key kmsg.Key) *Loss { return w.lose(key, 1, holdRequest) }

func (w *Wire) lose(key kmsg.Key, n int, what lossKind) *Loss {
	l := &Loss{
		w: w, key: int16(key), what: what, left: n,
		hit: make(chan struct{}), release: make(chan struct{}),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = append(w.rules, l)
	return l
}

// flowing returns a channel that is closed while bytes flow.
func (w *Wire) flowing() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flow
}

// take returns the oldest rule that wants a request of this kind, and counts the request against it.
func (w *Wire) take(key int16) *Loss {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.rules {
		if l.key == key && l.left != 0 {
			if l.left > 0 {
				l.left--
			}
			return l
		}
	}
	return nil
}

type lossKind uint8

const (
	loseAnswer lossKind = iota
	loseRequest
	holdRequest
)

// Loss is something that a Wire does to requests of one kind. Rules for one kind are used up in the order in
// which they were made.
type Loss struct {
	w    *Wire
	key  int16
	what lossKind

	release chan struct{} // closed by Release
	once    sync.Once

	// Guarded by w.mu.
	left  int // requests still to take; negative is no end
	count int // requests or answers lost
	hit   chan struct{}
}

// Count returns how many requests or answers have been lost or held so far.
func (l *Loss) Count() int {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.count
}

// Wait returns when at least n have been lost or held.
func (l *Loss) Wait(ctx context.Context, n int) error {
	for {
		l.w.mu.Lock()
		count, hit := l.count, l.hit
		l.w.mu.Unlock()
		if count >= n {
			return nil
		}
		select {
		case <-hit:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d losses of %s, have %d: %w",
				n, kmsg.NameForKey(l.key), count, context.Cause(ctx))
		}
	}
}

// Stop takes no more requests.
func (l *Loss) Stop() {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.left = 0
}

// Release lets a held request go on to the broker. On losses it does nothing.
func (l *Loss) Release() { l.once.Do(func() { close(l.release) }) }

// happened counts one loss and wakes those who wait.
func (l *Loss) happened() {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.count++
	close(l.hit)
	l.hit = make(chan struct{})
}
