package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/state"
	"stocksync/topics"
)

// files are the contents of a directory by name.
type files map[string][]byte

func readFiles(t *testing.T, fs vfs.FS, dir string) files {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := files{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin(dir, name))
		if errors.Is(err, os.ErrNotExist) { // a table that was merged into another goes when the database comes to it
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if name != "LOCK" {
			all[name] = data
		}
	}
	return all
}

// disk returns a file system with the files in directory state, one of them changed; nil data removes it.
func (f files) disk(t *testing.T, name string, data []byte) *vfs.MemFS {
	t.Helper()
	fs := memFS()
	if err := fs.MkdirAll("state", 0o700); err != nil {
		t.Fatal(err)
	}
	for n, d := range f {
		if n == name {
			if d = data; d == nil {
				continue
			}
		}
		w, err := fs.Create("state/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(bytes.Clone(d)) // under the race detector Pebble spoils what it is given
		if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// look opens a store in a process of its own and reads all of it. It returns what the process ended of,
// or nil when the store holds exactly the changelog up to its position.
func (r *rig) look(t *testing.T, fs *vfs.MemFS) error {
	t.Helper()
	after := newClosedRig(process{t}, r.policy)
	after.shallow, after.fs, after.log, after.now = true, fs, r.log, r.now
	after.logger = newFatalLogger()
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		err := process{t}.run(func() {
			after.open()
			after.direct(fact{mutation: delta("A", "hot", 0, 0)}) // looks the SKU up: other blocks than a scan
		})
		if err != nil {
			after.abandon()
		} else {
			after.close()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case message := <-after.logger.fatal:
		return errors.New(message)
	}
}

// damages are what may become of a file, each where it stands in the file.
func damages(data []byte, step int) map[string][]byte {
	all := map[string][]byte{"deleted": nil}
	for i := 0; i < len(data); i += step {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		all[fmt.Sprintf("a bit flipped in byte %d of %d", i, len(data))] = flipped
	}
	for i := 1; i <= 4; i++ {
		all[fmt.Sprintf("cut to %d quarters", i-1)] = data[:len(data)*(i-1)/4]
		zeroed := bytes.Clone(data)
		clear(zeroed[len(data)*(i-1)/4 : len(data)*i/4])
		all[fmt.Sprintf("quarter %d zeroed", i)] = zeroed
	}
	return all
}

// Ensure that damage to any file is told before a wrong value is served, or does no harm: then the store
// is at one commit, if at an earlier one.
func TestStore_TellsDamage(t *testing.T) {
	r := newRig(t, state.Policy{})
	r.shallow = true
	for i := range 12 {
		r.commitLines(fmt.Sprint("line-", i), "hot")
		r.must(r.task.Rollback()) // writes
		switch i {
		case 2:
			r.must(state.MergeTables(r.store))
		case 4, 6, 8:
			r.must(state.FlushTables(r.store))
		}
	}
	r.close()
	whole := readFiles(t, r.fs, "state")
	if err := r.look(t, whole.disk(t, "", nil)); err != nil {
		t.Fatalf("without damage: %v", err)
	}
	told, harmless := map[string]int{}, map[string]int{}
	for name, data := range whole {
		kind, step := name[:strings.IndexAny(name+"-", "-0123456789")], 1+len(data)/40
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
			kind = name[len(name)-4:]
		}
		for what, data := range damages(data, step*thin) {
			if err := r.look(t, whole.disk(t, name, data)); err != nil {
				told[kind]++
			} else {
				harmless[kind]++
			}
			if t.Failed() {
				t.Fatalf("%s: %s", name, what)
			}
		}
	}
	t.Logf("told: %v, harmless: %v", told, harmless)
	if told[".sst"] < 5*harmless[".sst"] || told["MANIFEST"] == 0 || told["marker.manifest."] == 0 {
		t.Errorf("got told: %v, harmless: %v; want nearly all damage to tables told", told, harmless)
	}
}

// Ensure that a store whose database forgot a part of its writes in the midst is told: Pebble does not
// notice a MANIFEST that ends too early, and goes on from an older state with the newest log on top.
func TestStore_TellsWritesMissingInTheMidst(t *testing.T) {
	r := newRig(t, state.Policy{})
	r.shallow = true
	commit := func(ids ...string) {
		r.commitLines(ids...)
		r.must(r.task.Rollback())
	}
	commit("a", "hot")
	r.must(state.MergeTables(r.store))
	early := readFiles(t, r.fs, "state")
	commit("b", "c", "d", "hot") // closes the chunk
	r.must(state.FlushTables(r.store))
	commit("e", "hot")
	r.close()
	forgetful := readFiles(t, r.fs, "state")
	forgetful.forget(t, early)
	if err := r.look(t, forgetful.disk(t, "", nil)); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}

// forget makes the database forget what it flushed after an earlier moment, but not its newest log.
func (f files) forget(t *testing.T, early files) {
	t.Helper()
	for name, data := range early {
		switch {
		case strings.HasPrefix(name, "MANIFEST-"):
			if !bytes.HasPrefix(f[name], data) || len(f[name]) == len(data) {
				t.Fatal("the MANIFEST did not grow by the flush")
			}
			f[name] = data
		case strings.HasSuffix(name, ".log"): // of what was flushed; its space is used again some day
			delete(f, name)
		case strings.HasSuffix(name, ".sst"): // where a merge has replaced it already
			f[name] = data
		}
	}
}

func TestView_V1_ATableThatLacksWritesInTheMidstIsRebuilt(t *testing.T) {
	fs, clock := memFS(), &viewClock{time.Unix(1e9, 0)}
	inState := func(c *state.ViewsConfig) { c.Dir = "state" }
	views := openViews(t, fs, clock, inState)
	v, whole := views.View(topics.Stores), views.View(topics.SyncStatusTopic)
	apply(t, v, map[int32]int64{0: 1}, record(0, 0, "a", "1"))
	apply(t, whole, map[int32]int64{0: 5}, record(0, 0, "s", "5"))
	if err := state.MergeViews(views); err != nil {
		t.Fatal(err)
	}
	early := readFiles(t, fs, "state")
	apply(t, v, map[int32]int64{0: 2}, record(0, 0, "a", "2"))
	if err := state.FlushViews(views); err != nil {
		t.Fatal(err)
	}
	apply(t, v, map[int32]int64{0: 3}, record(0, 0, "b", "3"))
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
	forgetful := readFiles(t, fs, "state")
	forgetful.forget(t, early)

	views = openViews(t, forgetful.disk(t, "", nil), clock, inState)
	defer views.Close()
	v, whole = views.View(topics.Stores), views.View(topics.SyncStatusTopic)
	if got := contents(t, &v.ViewReader, ""); len(got) > 0 || len(v.Positions()) > 0 {
		t.Errorf("got %v at %v, want nothing: it lacks the second batch", got, v.Positions())
	}
	if got := contents(t, &whole.ViewReader, ""); len(got) != 1 {
		t.Errorf("got %v, want the table that nothing is missing of", got)
	}
	apply(t, v, map[int32]int64{0: 3}, record(0, 0, "a", "2"), record(0, 0, "b", "3"))
}
