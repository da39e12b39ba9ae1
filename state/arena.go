package state

import "sync"

// arenaBytes is the size of the blocks that values of one commit are cut from: one allocation for
// some hundreds of records, and no more than that kept alive by the last of them.
const arenaBytes = 256 << 10

// blocks are the blocks that no value needs any more: fresh memory costs more than what is written
// into it. They are shared by all tasks, and the garbage collector takes those that stay unused.
type blocks struct{ free sync.Pool }

func (b *blocks) take() []byte {
	if block, ok := b.free.Get().(*[arenaBytes]byte); ok {
		return block[:]
	}
	return make([]byte, arenaBytes)
}

func (b *blocks) give(block []byte) { b.free.Put((*[arenaBytes]byte)(block)) }

// arena cuts values out of large blocks. What it returned is not written again before recycle.
type arena struct {
	blocks  *blocks
	taken   [][]byte // blocks that values lie in
	rest    []byte   // of the last of them
	scratch []byte   // reused between values
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
	if n > len(a.rest) {
		a.rest = a.blocks.take()
		a.taken = append(a.taken, a.rest)
	}
	b := a.rest[:0:n]
	a.rest = a.rest[n:]
	return b
}

// recycle gives the blocks back: nobody holds a value that was cut from them.
func (a *arena) recycle() {
	for i, block := range a.taken {
		a.blocks.give(block)
		a.taken[i] = nil
	}
	a.forget()
}

// forget lets go of blocks that somebody may still hold values of.
func (a *arena) forget() {
	clear(a.taken)
	a.taken, a.rest = a.taken[:0], nil
}
