package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// errGap reports batches missing between others.
var errGap = errors.New("writes are missing in the midst")

// batches numbers the batches of one part of a database, so that a database that lost some from the
// midst shows it. Pebble takes a MANIFEST whose last records are gone for a shorter one: what was
// flushed since is forgotten, and the newest log is replayed on top of what was before.
//
// A batch puts a mark under its number and deletes the one before; the first one also puts a mark under
// 0, which stays. So there are no marks, or two: under 0 and under the newest number. With a gap in the
// midst three are left, and with one at the beginning 0 is missing. Losing the end is only being behind.
type batches struct {
	prefix []byte
	newest uint64
	begun  bool // the mark under 0 is there
}

func (n *batches) key(number uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(n.prefix), number)
}

// mark puts the next batch's mark into it, with a value.
func (n *batches) mark(b *pebble.Batch, value []byte) error {
	if err := b.Set(n.key(n.newest+1), value, nil); err != nil {
		return fmt.Errorf("mark batch: %w", err)
	}
	var err error
	if n.begun {
		err = b.Delete(n.key(n.newest), nil)
	} else {
		err = b.Set(n.key(0), nil, nil)
	}
	if err != nil {
		return fmt.Errorf("mark batch: %w", err)
	}
	return nil
}

// committed notes that the batch marked last is in the database.
func (n *batches) committed() { n.newest, n.begun = n.newest+1, true }

// dropped notes that the part was deleted. Numbers go on, so that a mark that comes back is one too many.
func (n *batches) dropped() { n.begun = false }

// read looks for the marks and returns the newest one's value; nil when there is none. errGap: batches
// are missing.
func (n *batches) read(from pebble.Reader) (value []byte, err error) {
	iter, err := from.NewIter(&pebble.IterOptions{LowerBound: n.prefix, UpperBound: keyAfter(n.prefix)})
	if err != nil {
		return nil, readFault(err)
	}
	marks := 0
	for ok := iter.First(); ok; ok = iter.Next() {
		held, err := iter.ValueAndErr()
		if err != nil {
			return nil, closing(iter, err)
		}
		marks++
		if number := iter.Key()[len(n.prefix):]; len(number) == 8 {
			n.newest = binary.BigEndian.Uint64(number)
		}
		n.begun = n.begun || n.newest == 0
		value = bytes.Clone(held)
	}
	if err := closing(iter, nil); err != nil || marks == 0 {
		return nil, err
	}
	if marks != 2 || !n.begun {
		return nil, errGap
	}
	return value, nil
}
