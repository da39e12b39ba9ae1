package state

// arenaBytes is the size of the blocks that values of one commit are cut from: one allocation for
// some hundreds of records, and no more than that kept alive by the last of them.
const arenaBytes = 256 << 10

// arena cuts values out of large blocks. What it returned is never written again.
type arena struct {
	block   []byte
	scratch []byte // reused between values
}

// join returns the parts as one value of its own.
func (a *arena) join(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := a.room(n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// room returns an empty slice with capacity n and no more.
func (a *arena) room(n int) []byte {
	if n > arenaBytes/4 {
		return make([]byte, 0, n)
	}
	if n > len(a.block) {
		a.block = make([]byte, arenaBytes)
	}
	b := a.block[:0:n]
	a.block = a.block[n:]
	return b
}
