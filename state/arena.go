package state

import (
	"slices"
	"sync"
)

// arenaBytes is the size of the blocks that values of one commit are cut from: one allocation for
// some hundreds of records, and no more than that kept alive by the last of them.
const arenaBytes = 256 << 10

// arenaRoom is what a block must have left for another value; larger ones may still find no room.
const arenaRoom = 4 << 10

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

// arena cuts values out of large blocks: cut(append(free(), ...)) is a value of its own, written where it
// stays. It is not written again before recycle.
type arena struct {
	blocks *blocks
	taken  [][]byte // blocks that values lie in
	rest   []byte   // of the last of them
}

// free returns an empty slice with room for most values.
func (a *arena) free() []byte {
	if len(a.rest) < arenaRoom {
		a.rest = a.blocks.take()
		a.taken = append(a.taken, a.rest)
	}
	return a.rest[:0]
}

// cut makes what was appended to free's slice a value. One that outgrew its block has memory of its own.
func (a *arena) cut(b []byte) []byte {
	if n := len(b); n <= len(a.rest) {
		a.rest = a.rest[n:]
	}
	return slices.Clip(b)
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
