package stores

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"stocksync/testenv"
)

//go:embed vendure medusa
var programs embed.FS

// install returns the directory of a shop's program with everything it needs, fetched by npm into the user's cache when
// it is not there yet: half a minute and 170 MB for Vendure, more than a minute and 680 MB for Medusa.
func install(ctx context.Context, name string) (string, error) {
	version, err := versionOf(name)
	if err != nil {
		return "", err
	}
	dir, err := testenv.Installed(ctx, name+"-"+version, "program", func(ctx context.Context, dir string) error {
		if err := write(name, dir); err != nil {
			return err
		}
		// Scripts of packages don't run: none of these needs its own.
		cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm: %w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return dir, write(name, dir)
}

// versionOf tells one set of packages from another.
func versionOf(name string) (string, error) {
	sum := sha256.New()
	for _, file := range []string{"package.json", "package-lock.json"} {
		text, err := programs.ReadFile(name + "/" + file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// write puts a program's own files into a directory: each is there whole, or the one before it.
func write(name, dir string) error {
	entries, err := programs.ReadDir(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, e := range entries {
		text, err := programs.ReadFile(name + "/" + e.Name())
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		temp, err := os.CreateTemp(dir, "writing-")
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		_, err = temp.Write(text)
		err = errors.Join(err, temp.Close())
		if err == nil {
			err = os.Rename(temp.Name(), filepath.Join(dir, e.Name()))
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
