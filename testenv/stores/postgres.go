package stores

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"stocksync/testenv"
)

// startPostgres starts a database server on a free loopback port and returns the URL of an empty database in it. It
// ends with the test, with all that it kept.
func startPostgres(tb testing.TB, database string) string {
	tb.Helper()
	bin, err := postgresPath()
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(tb.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	attributes, err := notRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	port := testenv.FreePort(tb)
	as := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes()
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
		return cmd
	}
	made := as("initdb", "-D", dir, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
	if out, err := made.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	server := testenv.StartProgram(tb, as("postgres", "-D", dir, "-p", strconv.Itoa(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off"))
	at := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "postgres"}
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	err = server.Wait(ctx, func(context.Context) error {
		return as("psql", append(at, "-c", "create database "+database)...).Run()
	})
	if err != nil {
		tb.Fatalf("start postgres: %v", err)
	}
	return "postgres://postgres@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/" + database
}

// postgresPath returns the directory with the server's programs: that in PATH, or Debian's newest.
func postgresPath() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // its siblings may have no link beside its own
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}
