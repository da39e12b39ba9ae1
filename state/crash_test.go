package state_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"stocksync/state"
	"stocksync/testenv"
)

// fatalLogger stands for the logger of the database that ends the process: who calls its Fatalf goes no
// further.
type fatalLogger struct {
	fatal      chan string // what the process would have ended of
	background atomic.Int32
}

func newFatalLogger() *fatalLogger { return &fatalLogger{fatal: make(chan string, 1)} }

func (l *fatalLogger) Infof(string, ...any) {}

func (l *fatalLogger) Errorf(string, ...any) { l.background.Add(1) }

// Write takes the place of Errorf for a database that logs through a slog.Logger.
func (l *fatalLogger) Write(line []byte) (int, error) {
	l.background.Add(1)
	return os.Stderr.Write(line)
}

func (l *fatalLogger) Fatalf(format string, args ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, args...):
	default: // another goroutine was first
	}
	select {}
}

// stopped is the panic of a process that ends on an error.
type stopped struct{ err error }

// process is a test in which an error given to Fatal ends the process that it plays, not the test.
type process struct{ *testing.T }

func (p process) Fatal(args ...any) {
	p.Helper()
	if err, ok := args[0].(error); ok && len(args) == 1 {
		panic(stopped{err})
	}
	p.T.Fatal(args...)
}

// run plays a process until it ends, and returns the error it ended on.
func (p process) run(f func()) (err error) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case stopped:
			err = reason.err
		case runtime.Error:
			panic(reason)
		case error: // how the database ends where a directory can't be synced
			err = reason
		default:
			panic(reason)
		}
	}()
	f()
	return nil
}

// script is a short life of a store: commits, tables, a partition given away and taken back, a restart.
func script(r *rig) {
	r.open()
	for i := range 3 {
		r.commitLines("hot", fmt.Sprint("line-", i), "ORDER")
		r.must(r.task.Rollback()) // writes
		if i == 1 {
			r.must(state.MergeTables(r.store))
		}
	}
	r.reopenTask()
	r.commitLines("hot", "line-3")
	r.must(r.task.Restart(0)) // as if the changelog no longer covered it: drops the range
	r.replay(r.task)
	r.close()
	r.open()
	r.commitLines("hot")
	r.must(r.task.Rollback())
	r.must(state.MergeTables(r.store))
	r.close()
}

// recovered opens what is left of a disk in a new process: it is at one position of the changelog, not
// ahead, and goes on from there (I13). The error is Open's.
func (r *rig) recovered(t *testing.T, left *vfs.MemFS) error {
	t.Helper()
	after := newClosedRig(process{t}, r.policy)
	after.shallow, after.fs, after.log, after.now = true, left, slices.Clip(r.log), r.now
	if err := (process{t}).run(after.open); err != nil { // compares bytes at the position found
		return err
	}
	after.tb = t
	after.commitLines("hot", "after")
	after.must(after.task.Rollback())
	after.checkStored(after.store, int64(len(after.log)))
	after.checkFreshStore(&testenv.Truth{})
	after.close()
	return nil
}

// Ensure that a power cut before any operation leaves a store that is at one commit, whatever part of
// what was not synced is left.
func TestStore_SurvivesAPowerCutAtAnyMoment(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("%d percent of what was not synced remains", percent), func(t *testing.T) {
			var cuts []*vfs.MemFS
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(7, uint64(percent)))
			r := newClosedRig(t, state.Policy{})
			r.shallow = true
			r.disk = func(fs vfs.FS) vfs.FS {
				return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
					if mu.Lock(); op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
						cuts = append(cuts, cutPower(r.fs, percent, random))
					}
					mu.Unlock()
					return nil
				}))
			}
			script(r)
			if len(cuts) < 50 {
				t.Fatalf("got %d operations, want more", len(cuts))
			}
			refused := 0
			for i, left := range cuts {
				if i%thin != percent/50%thin {
					continue
				}
				err := r.recovered(t, left)
				if err != nil && percent != 50 {
					t.Fatalf("before operation %d: %v", i, err)
				}
				if err != nil {
					refused++
				}
			}
			if refused > len(cuts)/10 {
				t.Errorf("got %d stores refused of %d, want few", refused, len(cuts))
			}
		})
	}
}

// faultAt makes a fault of operation n, and tells whether it has come.
type faultAt func(n int, logger *fatalLogger) (injector errorfs.Injector, fired func() bool)

// faults are what TestStore_SurvivesFaults injects, by name: each gives operation n of a run an error,
// or all from n on until there is room again.
var faults = map[string]faultAt{
	"an error": func(n int, _ *fatalLogger) (errorfs.Injector, func() bool) {
		index := errorfs.OnIndex(int32(n))
		return errorfs.ErrInjected.If(index), func() bool { return index.Load() < 0 }
	},
	"a full disk": func(n int, logger *fatalLogger) (errorfs.Injector, func() bool) {
		var ops atomic.Int64
		return errorfs.InjectorFunc(func(op errorfs.Op) error {
			switch op.Kind {
			case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate, errorfs.OpMkdirAll:
				if ops.Add(1) > int64(n) && logger.background.Load() < 3 {
					return syscall.ENOSPC
				}
			}
			return nil
		}), func() bool { return ops.Load() > int64(n) }
	},
}

// Ensure that an error of any operation, and a disk that is full from any operation on, ends the process
// or passes without harm: nothing is claimed, and the same process, where it did not end, or the next
// one finds a store that is at one commit. The database ends the process in ways that no test outlives:
// the runs are another process's, which is started again where it ended.
func TestStore_SurvivesFaults(t *testing.T) {
	for name := range faults {
		t.Run(name, func(t *testing.T) { playFaults(t, "TestFaultsChild", name, 20, recoverDead) })
	}
}

// playFaults runs a child, a test of another process, which injects a fault into one operation after the other of a
// life of a store, and starts it again after the operation that it died of; what it left is looked at first. Every
// run of a life begins with a line "run N", and of all at least so many end early.
func playFaults(t *testing.T, child, fault string, early int, recoverDead func(t *testing.T, dir, said string)) {
	t.Helper()
	dir := t.TempDir()
	runs, ends, deaths := 0, 0, 0
	for n, done := 0, false; !done; {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+child+"$", "-test.v")
		cmd.Env = append(os.Environ(), "STATE_PLAY_FAULT="+fault, fmt.Sprint("STATE_PLAY_FROM=", n), "STATE_PLAY_DIR="+dir)
		out, err := testenv.CombinedOutput(cmd) // a fault may leave it spinning
		runs += strings.Count(string(out), "\nrun ")
		ends += strings.Count(string(out), "\nended ")
		switch last := strings.LastIndex(string(out), "\nrun "); {
		case err == nil:
			done = true
		case strings.Contains(string(out), "--- FAIL: "+child), last < 0:
			t.Fatalf("%v\n%s", err, out)
		default: // it died of the fault
			if _, err := fmt.Sscanf(string(out[last:]), "\nrun %d", &n); err != nil {
				t.Fatal(err)
			}
			deaths++
			recoverDead(t, dir, string(out[last:]))
			n += thin
		}
	}
	t.Logf("%d runs, %d ended by an error, %d by the database", runs, ends, deaths)
	if runs < 2*early/thin || ends+deaths < early/thin {
		t.Errorf("got %d runs of which %d ended, want more", runs, ends+deaths)
	}
}

// recoverDead looks at what a dead process left: the disk as it was when the fault came, and the
// changelog's length, which it said.
func recoverDead(t *testing.T, dir, said string) {
	t.Helper()
	left := memFS()
	if _, err := vfs.Clone(vfs.Default, left, dir, "state"); err != nil {
		t.Fatal(err)
	}
	whole := newClosedRig(t, state.Policy{})
	whole.shallow = true
	script(whole)
	var n int
	if i := strings.LastIndex(said, "\nlog "); i >= 0 {
		if _, err := fmt.Sscanf(said[i:], "\nlog %d", &n); err != nil {
			t.Fatal(err)
		}
	}
	whole.log = whole.log[:n]
	if err := whole.recovered(t, left); err != nil {
		t.Fatalf("after %s: %v", said, err)
	}
}

// TestFaultsChild is the process that TestStore_SurvivesFaults starts.
func TestFaultsChild(t *testing.T) { faultsChild(t, playFault) }

// faultsChild plays a life with a fault in operation n, and then in the next, as playFaults has asked for, until one is
// not reached.
func faultsChild(t *testing.T, play func(t *testing.T, fault faultAt, n int, dir string) (fired bool)) {
	fault, dir := faults[os.Getenv("STATE_PLAY_FAULT")], os.Getenv("STATE_PLAY_DIR")
	if fault == nil {
		t.Skip("not started by another test")
	}
	n, err := strconv.Atoi(os.Getenv("STATE_PLAY_FROM"))
	if err != nil {
		t.Fatal(err)
	}
	for fired := true; fired; n += thin {
		fmt.Printf("\nrun %d\n", n)
		fired = play(t, fault, n, dir)
	}
}

func playFault(t *testing.T, fault faultAt, n int, dir string) bool {
	r := newClosedRig(process{t}, state.Policy{})
	r.shallow, r.logger = true, newFatalLogger()
	injector, fired := fault(n, r.logger)
	r.disk = func(fs vfs.FS) vfs.FS { return saving(t, fs, r.fs, injector, dir) }
	r.produced = func(n int) { fmt.Printf("\nlog %d\n", n) }
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- process{t}.run(func() { script(r) })
	}()
	var left *vfs.MemFS
	disk := func() *vfs.MemFS { return cutPower(r.fs, 100, rand.New(rand.NewPCG(1, 1))) }
	select {
	case err := <-ended:
		if left = disk(); err != nil {
			fmt.Printf("\nended %v\n", err)
			r.abandon()
		}
	case message := <-r.logger.fatal:
		left = disk()
		fmt.Printf("\nended %s\n", message)
	}
	if err := r.recovered(t, left); err != nil {
		t.Fatalf("after a fault of operation %d: %v", n, err)
	}
	return fired()
}

// saving is a file system with faults, which are injected into what lies over a disk: it is saved as it is when the first
// comes.
func saving(t *testing.T, over vfs.FS, disk *vfs.MemFS, injector errorfs.Injector, dir string) vfs.FS {
	var once sync.Once
	return errorfs.Wrap(over, errorfs.InjectorFunc(func(op errorfs.Op) error {
		err := injector.MaybeError(op)
		if err != nil {
			once.Do(func() { save(t, disk, dir) })
		}
		return err
	}))
}

// save puts a disk where the process that started this one finds it.
func save(t *testing.T, fs *vfs.MemFS, dir string) {
	err := errors.Join(vfs.Default.RemoveAll(dir), vfs.Default.MkdirAll(dir, 0o700))
	if left := cutPower(fs, 100, rand.New(rand.NewPCG(1, 1))); err == nil {
		if _, err = left.Stat("state"); err == nil {
			_, err = vfs.Clone(left, vfs.Default, "state", dir)
		} else {
			err = nil
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// abandon closes what a process left open, as well as it goes.
func (r *rig) abandon() {
	defer func() { _ = recover() }()
	if r.store != nil {
		_ = r.store.Close()
	}
}
