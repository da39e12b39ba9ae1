package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// format is what this release writes; it reads no other.
	format = 1
	// fileMost bounds what is read: a pair weighs some hundred bytes.
	fileMost = 64 << 10
)

// file is where one grant's pair lies: name.json, readable by its owner alone.
type file struct {
	dir, name string
	sync      func(*os.File) error // to the platter
}

// kept is the content of a file.
type kept struct {
	Format       int       `json:"format"`
	Access       string    `json:"access_token"`
	AccessUntil  time.Time `json:"access_until"`
	Refresh      string    `json:"refresh_token"`
	RefreshUntil time.Time `json:"refresh_until"`
	SavedAt      time.Time `json:"saved_at"` // for people
}

func (f file) path() string { return filepath.Join(f.dir, f.name+".json") }

// load reads the pair; ok is false when none was ever saved. Errors quote nothing of the file.
func (f file) load() (p Pair, ok bool, err error) {
	in, err := os.Open(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return Pair{}, false, nil
	}
	if err != nil {
		return Pair{}, false, fmt.Errorf("read tokens: %w", err)
	}
	defer func() { _ = in.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(in, fileMost))
	if err != nil {
		return Pair{}, false, fmt.Errorf("read tokens: %w", err)
	}
	var k kept
	if json.Unmarshal(text, &k) != nil || k.Access == "" && k.Refresh == "" {
		return Pair{}, false, fmt.Errorf("read tokens: %s is damaged: remove it, and the seller must consent again",
			f.path())
	}
	if k.Format != format {
		return Pair{}, false, fmt.Errorf("read tokens: %s has format %d, and this release reads %d",
			f.path(), k.Format, format)
	}
	return Pair{k.Access, k.Refresh, k.AccessUntil, k.RefreshUntil}, true, nil
}

// save writes the pair beside the old one, to the platter, and puts it in its place. When it fails the old one
// is there. The caller holds the lock: what a crash left half-written is written over.
func (f file) save(p Pair) error {
	text, err := json.Marshal(kept{format, p.Access, p.AccessUntil, p.Refresh, p.RefreshUntil, time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("save tokens: %w", err)
	}
	temp := filepath.Join(f.dir, f.name+".tmp")
	if err := f.write(temp, text); err != nil {
		return fmt.Errorf("save tokens: %w", err)
	}
	if err := os.Rename(temp, f.path()); err != nil {
		return fmt.Errorf("save tokens: %w", err)
	}
	if err := f.syncDir(); err != nil {
		return fmt.Errorf("save tokens: %w", err)
	}
	return nil
}

// write makes a file whose content is on the platter.
func (f file) write(path string, text []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	if err == nil {
		err = f.sync(out)
	}
	return errors.Join(err, out.Close())
}
