package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// hashFS returns a short name of what a file system holds.
func hashFS(f fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(f, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(text))
		sum.Write(text)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash files: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
