package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The keys of a views directory. Tables do not mix, so that one range deletion drops one.
//
//	't' table 'b' batch      mark of a batch, as in batches.go
//	't' table 'i'            topic id that the table was read from
//	't' table 'p' partition  position: next offset, when last caught up (partition: 4 bytes, big endian)
//	't' table 'r' key        record: partition, rank, value
//	'm'                      stamp of the installation
//	'n' name                 note: what the owner of the directory keeps beside the tables
const (
	viewSpace    = 't'
	viewBatch    = 'b'
	viewTopicID  = 'i'
	viewPos      = 'p'
	viewRecord   = 'r'
	viewStampKey = "m"
	viewNote     = 'n'
	viewFormat   = 1
)

// ViewReader reads one table, either as it is now or as it was when a snapshot was taken. It is safe
// for concurrent use.
type ViewReader struct {
	base string
	id   byte
	from pebble.Reader
}

func (r *ViewReader) appendRecordKey(b, key []byte) []byte {
	b = append(b, viewSpace, r.id, viewRecord)
	return append(b, key...)
}

func (r *ViewReader) positionKey(partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{viewSpace, r.id, viewPos}, uint32(partition))
}

// viewRow is a stored record taken apart; value aliases what it was read from.
type viewRow struct {
	partition int32
	rank      int64
	value     []byte
}

func appendViewValue(b []byte, r *ViewRecord) []byte {
	b = append(b, viewFormat)
	b = binary.AppendUvarint(b, uint64(uint32(r.Partition)))
	b = binary.AppendVarint(b, r.Rank)
	return append(b, r.Value...)
}

func readViewValue(b []byte) (row viewRow, err error) {
	if len(b) == 0 || b[0] != viewFormat {
		return row, fmt.Errorf("record of a view: %w", ErrNewerFormat)
	}
	b = b[1:]
	partition, n := binary.Uvarint(b)
	if n <= 0 {
		return row, fmt.Errorf("record of a view: %w", ErrInvariant)
	}
	rank, m := binary.Varint(b[n:])
	if m <= 0 {
		return row, fmt.Errorf("record of a view: %w", ErrInvariant)
	}
	return viewRow{partition: int32(uint32(partition)), rank: rank, value: b[n+m:]}, nil
}

// Get returns a copy of the value of a key; ok is false when there is none.
func (r *ViewReader) Get(key []byte) (value []byte, ok bool, err error) {
	held, closer, err := r.from.Get(r.appendRecordKey(make([]byte, 0, len(key)+3), key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read view %s: %w", r.base, err)
	}
	row, err := readViewValue(held)
	value = bytes.Clone(row.value)
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, false, fmt.Errorf("read view %s: %w", r.base, err)
	}
	return value, true, nil
}

// Scan calls f for each key that starts with prefix, ascending, on one consistent state, until f
// returns an error, which it returns. Key and value are valid during the call only.
func (r *ViewReader) Scan(prefix []byte, f func(key, value []byte) error) (err error) {
	c, err := r.Cursor(prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for c.Next() {
		if err := f(c.Key(), c.Value()); err != nil {
			return err
		}
	}
	return c.Err()
}

// Cursor returns a cursor before the first key that starts with prefix, over one consistent state.
// The caller closes it.
func (r *ViewReader) Cursor(prefix []byte) (*ViewCursor, error) {
	lower := r.appendRecordKey(nil, prefix)
	iter, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: keyAfter(lower)})
	if err != nil {
		return nil, fmt.Errorf("read view %s: %w", r.base, err)
	}
	return &ViewCursor{reader: r, iter: iter}, nil
}

// keyAfter returns the least key that does not start with prefix, whose first byte is not 0xff.
func keyAfter(prefix []byte) []byte {
	after := bytes.Clone(prefix)
	for i := len(after) - 1; i >= 0; i-- {
		if after[i]++; after[i] != 0 {
			return after[:i+1]
		}
	}
	return nil
}

// ViewCursor walks over keys in ascending order. It is not safe for concurrent use.
type ViewCursor struct {
	reader *ViewReader
	iter   *pebble.Iterator
	begun  bool
	row    viewRow
	err    error
}

// Next goes to the next key and tells whether there is one.
func (c *ViewCursor) Next() bool {
	if !c.begun {
		c.begun = true
		return c.read(c.iter.First())
	}
	return c.read(c.iter.Next())
}

// SeekGE goes to the least key at or after key and tells whether there is one.
func (c *ViewCursor) SeekGE(key []byte) bool {
	c.begun = true
	return c.read(c.iter.SeekGE(c.reader.appendRecordKey(make([]byte, 0, len(key)+3), key)))
}

func (c *ViewCursor) read(valid bool) bool {
	if !valid || c.err != nil {
		return false
	}
	value, err := c.iter.ValueAndErr()
	if err == nil {
		c.row, err = readViewValue(value)
	}
	c.err = err
	return err == nil
}

// Key returns the key, valid until the cursor moves.
func (c *ViewCursor) Key() []byte { return c.iter.Key()[3:] }

// Value returns the value, valid until the cursor moves.
func (c *ViewCursor) Value() []byte { return c.row.value }

// Partition returns the partition that the record was read from.
func (c *ViewCursor) Partition() int32 { return c.row.partition }

// Rank returns the record's revision or owner generation.
func (c *ViewCursor) Rank() int64 { return c.row.rank }

// Err returns the error that ended the walk, if one did.
func (c *ViewCursor) Err() error {
	if err := errors.Join(c.err, c.iter.Error()); err != nil {
		return fmt.Errorf("read view %s: %w", c.reader.base, err)
	}
	return nil
}

// Close lets the cursor go.
func (c *ViewCursor) Close() error {
	if err := c.iter.Close(); err != nil {
		return fmt.Errorf("read view %s: %w", c.reader.base, err)
	}
	return nil
}
