package state

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Note returns a copy of a note; nil when there is none.
func (v *Views) Note(key string) ([]byte, error) {
	value, closer, err := v.db.Get(noteKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read note %s: %w", key, err)
	}
	note := bytes.Clone(value)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("read note %s: %w", key, err)
	}
	return note, nil
}

// SetNote keeps a small value that no topic holds, beside the tables; it is durable when SetNote returns. Like
// all in the directory it is gone when the directory is deleted, and no other instance has it.
func (v *Views) SetNote(key string, value []byte) error {
	if err := v.db.Set(noteKey(key), value, pebble.Sync); err != nil {
		return fmt.Errorf("write note %s: %w", key, err)
	}
	return nil
}

func noteKey(key string) []byte { return append([]byte{viewNote}, key...) }
