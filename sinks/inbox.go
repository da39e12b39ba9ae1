package sinks

import "sync"

// inbox is where others leave what a reconciler must look at. It holds no events, only which pairs are to
// be looked at again, so it grows with the number of SKUs at most, and nothing in it is lost by being
// replaced. It is safe for concurrent use.
type inbox struct {
	wake chan struct{} // holds one token when there is something new

	mu   sync.Mutex
	mail mail
}

// mail is what an inbox holds.
type mail struct {
	dirty   dirt
	seen    map[string]int64
	acked   map[string]ack
	failed  []string // statuses that were not written
	record  bool     // the store's record, or that of store `*`, is another
	fenced  bool     // a status of a later owner was seen
	release bool     // stop in order
	remove  bool     // the store is gone: stop, and take its statuses away
}

// dirt are pairs to be looked at, by SKU, and the new revisions that were heard of.
type dirt map[string][]int64

// mark notes a pair.
func (d dirt) mark(sku string) { d[sku] = append(d[sku], nil...) }

// ack is the offset at which a status was written, and which of the pair's statuses it was.
type ack struct {
	serial int64
	offset int64
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), mail: newMail()}
}

func newMail() mail {
	return mail{dirty: dirt{}, seen: map[string]int64{}, acked: map[string]ack{}}
}

// leave puts something in.
func (b *inbox) leave(f func(m *mail)) {
	b.mu.Lock()
	f(&b.mail)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // a token is there
	}
}

// take empties the inbox.
func (b *inbox) take() mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.mail
	if m.empty() {
		return mail{}
	}
	b.mail = newMail()
	b.mail.fenced, b.mail.release, b.mail.remove = m.fenced, m.release, m.remove // these stay true
	return m
}

func (m *mail) empty() bool {
	return len(m.dirty)+len(m.seen)+len(m.acked)+len(m.failed) == 0 &&
		!m.record && !m.fenced && !m.release && !m.remove
}
