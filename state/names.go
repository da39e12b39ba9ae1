package state

import (
	"hash/maphash"
	"strings"
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
