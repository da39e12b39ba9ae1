package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
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
	owner, err := notRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	port := testenv.FreePort(tb)
	as := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
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

// notRoot gives a directory to a user that the server may run as: root it refuses. It is the one that Debian's package
// made, or nobody; nil stands for who we are.
func notRoot(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("find a user that is not root: %w", err)
		}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("find a user that is not root: %w", err)
	}
	// The test's own directories are the parents: others may pass through them, and read nothing.
	for _, parent := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
		if err := os.Chmod(parent, 0o711); err != nil {
			return nil, err
		}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}
