package state

import (
	"hash/maphash"
	"strings"

	"stocksync/topics"
)

// maxNames bounds the interned strings of a task; past it a string is copied where it is used.
const maxNames = 1 << 16

// names keeps one copy of the strings that repeat over SKUs (warehouses, stores, reasons), and the
// seed of the tables' hashes. It belongs to one task.
type names struct {
	seed     maphash.Seed
	interned map[string]string
}

func newNames() *names { return &names{seed: maphash.MakeSeed(), interned: map[string]string{}} }

func (n *names) sum(id string) uint32 { return uint32(maphash.String(n.seed, id)) }

// intern returns a copy of s that outlives the input it aliases.
func (n *names) intern(s string) string {
	if kept, ok := n.interned[s]; ok {
		return kept
	}
	kept := strings.Clone(s)
	if len(n.interned) < maxNames {
		n.interned[kept] = kept
	}
	return kept
}

func (n *names) internBytes(b []byte) string {
	if kept, ok := n.interned[string(b)]; ok {
		return kept
	}
	return n.intern(string(b))
}

// own gives a line its own copies of the strings of m, in one allocation where it can.
func (n *names) own(l *line, m *topics.Mutation) {
	var b strings.Builder
	b.Grow(len(m.LineID) + len(m.OrderLineID) + len(m.VoucherNo))
	b.WriteString(m.LineID)
	b.WriteString(m.OrderLineID)
	b.WriteString(m.VoucherNo)
	s := b.String()
	l.id, s = s[:len(m.LineID)], s[len(m.LineID):]
	l.orderLineID, l.voucherNo = s[:len(m.OrderLineID)], s[len(m.OrderLineID):]
	l.reason = n.intern(m.Reason)
}
