package state_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/state"
)

func memFS() *vfs.MemFS { return vfs.NewCrashableMem() }

func TestOpen_RefusesTheDirectoryOfAnotherInstallation(t *testing.T) {
	fs := memFS()
	store, err := state.Open(state.Config{Dir: "state", FS: fs, Stamp: stamp()})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*state.Stamp){
		"cluster":   func(s *state.Stamp) { s.ClusterID = "cluster-2" },
		"prefix":    func(s *state.Stamp) { s.Prefix = "test." },
		"changelog": func(s *state.Stamp) { s.ChangelogID = "changelog-2" },
	} {
		other := stamp()
		change(&other)
		_, err := state.Open(state.Config{Dir: "state", FS: fs, Stamp: other})
		if !errors.Is(err, state.ErrForeign) || !strings.Contains(err.Error(), "name another STATE_DIR, or delete it") {
			t.Errorf("another %s: got error %v, want ErrForeign and what to do", name, err)
		}
	}
	store, err = state.Open(state.Config{Dir: "state", FS: fs, Stamp: stamp()})
	if err != nil {
		t.Fatalf("the refused left something behind: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen_RefusesADirectoryThatAnotherProcessHolds(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STATE_PLAY_HOLDER="+dir)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || said != "held\n" {
		t.Fatalf("the other process: %q %v", said, err)
	}
	if _, err := state.Open(state.Config{Dir: dir, Stamp: stamp()}); !errors.Is(err, state.ErrInUse) {
		t.Errorf("got error %v, want ErrInUse", err)
	}
	if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	store, err := state.Open(state.Config{Dir: dir, Stamp: stamp()})
	if err != nil {
		t.Fatalf("after the other process: %v", err)
	}
	if _, err := state.Open(state.Config{Dir: dir, Stamp: stamp()}); !errors.Is(err, state.ErrInUse) {
		t.Errorf("held by this process: got error %v, want ErrInUse", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// Ensure that a lock that can't be made is not taken for one that is held.
func TestOpen_TellsAHeldLockFromOneThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "LOCK"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := state.Open(state.Config{Dir: dir, Stamp: stamp()})
	if err == nil || errors.Is(err, state.ErrInUse) {
		t.Errorf("got error %v, want one that is not ErrInUse", err)
	}
}

func TestOpenTask_WaitsForTheTaskThatHoldsThePartition(t *testing.T) {
	r := newShallowRig(t)
	gone := errors.New("taken away again")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := r.store.OpenTask(ctx, partition, r.policy, r.now); !errors.Is(err, gone) {
		t.Errorf("got error %v, want %v", err, gone)
	}
	other, err := r.store.OpenTask(ctx, partition+1, r.policy, r.now)
	r.must(err) // another partition is free
	r.must(other.Close())

	r.commitLines("a")
	opened := make(chan *state.Task)
	go func() {
		task, err := r.store.OpenTask(t.Context(), partition, r.policy, r.now)
		if err != nil {
			t.Error(err)
		}
		opened <- task
	}()
	select {
	case <-opened:
		t.Fatal("the partition was opened twice")
	default:
	}
	r.must(r.task.Close())
	if r.task = <-opened; r.task.Next() == 0 {
		t.Error("the next owner found nothing of what the last one committed")
	}
}

func TestStore_DropsOnePartitionAtOnce(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a")
	r.must(r.task.Rollback())
	for _, p := range []int32{partition - 1, partition + 1, 1<<31 - 1} {
		task, err := r.store.OpenTask(t.Context(), p, r.policy, r.now)
		r.must(err)
		r.must(task.Replay(r.changes(0, len(r.log)), 7, r.now))
		r.must(task.Close())
	}
	list, err := r.store.Partitions()
	r.must(err)
	if want := []int32{partition - 1, partition, partition + 1, 1<<31 - 1}; !slices.Equal(list, want) {
		t.Errorf("got partitions %v, want %v", list, want)
	}
	for _, p := range []int32{partition + 1, 1<<31 - 1} {
		r.must(r.store.Drop(p))
	}
	list, err = r.store.Partitions()
	r.must(err)
	if want := []int32{partition - 1, partition}; !slices.Equal(list, want) {
		t.Errorf("got partitions %v, want %v", list, want)
	}
	r.checkStored(r.store, int64(len(r.log)))
	r.close() // the stamp stays
	r.open()
}
