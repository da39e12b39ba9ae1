package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"stocksync/topics"
)

// errCorrupt reports a stored value that is shorter than it says, or longer.
var errCorrupt = errors.New("corrupt value")

// appendQuantity writes a quantity: whole units in the even numbers, other values in the odd ones,
// and the few that need all 64 bits after the largest odd number.
func appendQuantity(b []byte, q topics.Quantity) []byte {
	if q%topics.One == 0 {
		return binary.AppendUvarint(b, zigzag(int64(q/topics.One))<<1)
	}
	z := zigzag(int64(q))
	if z < math.MaxInt64 {
		return binary.AppendUvarint(b, z<<1|1)
	}
	b = binary.AppendUvarint(b, math.MaxUint64)
	return binary.BigEndian.AppendUint64(b, z)
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime writes a moment relative to base; 0 stands for no time.
func appendTime(b []byte, t, base topics.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, zigzag(int64(base-t))+1)
}

// epoch is what moments and days of entries are counted from: 2020-01-01, near what they are.
const (
	epochDay = 18262
	epoch    = topics.Time(epochDay*86_400*1_000_000) + 1
)

// appendMoment writes a moment by itself: whole milliseconds in the odd numbers, others in the even ones,
// and 0 for no time.
func appendMoment(b []byte, t topics.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	d := int64(t - epoch)
	if d%1000 == 0 {
		return binary.AppendUvarint(b, zigzag(d/1000)<<1+1)
	}
	return binary.AppendUvarint(b, zigzag(d)<<1+2)
}

func appendDay(b []byte, day int32) []byte {
	return binary.AppendUvarint(b, zigzag(int64(day-epochDay)))
}

// cursor reads a value; after the first fault every read returns zero and err is set.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail() {
	if c.err == nil {
		c.err = errCorrupt
	}
	c.rest = nil
}

func (c *cursor) uvarint() uint64 {
	if len(c.rest) > 0 && c.rest[0] < 0x80 {
		v := c.rest[0]
		c.rest = c.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) varint() int64 { return unzigzag(c.uvarint()) }

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (c *cursor) bytes() []byte { return c.take(c.uvarint()) }

func (c *cursor) string() string { return string(c.bytes()) }

// alias reads a string that shares the value's memory.
func (c *cursor) alias() string {
	b := c.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (c *cursor) quantity() topics.Quantity {
	u := c.uvarint()
	switch {
	case u == math.MaxUint64:
		b := c.take(8)
		if len(b) != 8 {
			return 0
		}
		return topics.Quantity(unzigzag(binary.BigEndian.Uint64(b)))
	case u&1 == 1:
		return topics.Quantity(unzigzag(u >> 1))
	}
	return topics.Quantity(unzigzag(u>>1)) * topics.One
}

func (c *cursor) time(base topics.Time) topics.Time {
	u := c.uvarint()
	if u == 0 {
		return 0
	}
	return base - topics.Time(unzigzag(u-1))
}

func (c *cursor) moment() topics.Time {
	u := c.uvarint()
	switch {
	case u == 0:
		return 0
	case u&1 == 1:
		return epoch + topics.Time(unzigzag(u>>1)*1000)
	}
	return epoch + topics.Time(unzigzag((u-2)>>1))
}

func (c *cursor) day() int32 { return epochDay + int32(c.varint()) }

// count reads a number of elements of at least size bytes each, so that a corrupt length cannot
// ask for more memory than the value could fill.
func (c *cursor) count(size int) int {
	n := c.uvarint()
	if n > uint64(len(c.rest)/size) {
		c.fail()
		return 0
	}
	return int(n)
}

// index reads an index into a list of n elements.
func (c *cursor) index(n int) int32 {
	i := c.uvarint()
	if i >= uint64(n) {
		c.fail()
		return 0
	}
	return int32(i)
}

// format reads the format byte and refuses one this release does not know.
func (c *cursor) format(newest byte, what string) {
	f := c.byte()
	if f == 0 {
		c.fail() // no release ever wrote it
		return
	}
	if f > newest {
		c.err = fmt.Errorf("%s has format %d, this release reads up to %d: %w", what, f, newest, ErrNewerFormat)
		c.rest = nil
	}
}
