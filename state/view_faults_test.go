package state_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure that an error of any operation, and a disk that is full from any operation on, ends the process that holds
// views or passes without harm: a table is at the position that it names, also after a death (V1), and goes on from
// there.
func TestViews_SurviveFaults(t *testing.T) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			playFaults(t, "TestViewFaultsChild", name, 20, func(t *testing.T, dir, said string) {
				t.Helper()
				left := memFS()
				if _, err := vfs.Clone(vfs.Default, left, dir, "state"); err != nil {
					t.Fatal(err)
				}
				if err := resumeViews(left); err != nil {
					t.Fatalf("after %s: %v", said, err)
				}
			})
		})
	}
}

// TestViewFaultsChild is the process that TestViews_SurviveFaults starts.
func TestViewFaultsChild(t *testing.T) {
	faultsChild(t, func(t *testing.T, fault faultAt, n int, dir string) bool {
		disk := memFS()
		logger := newFatalLogger()
		injector, fired := fault(n, logger)
		err := (process{t}).run(func() {
			for life := range 3 {
				if err := fillViews(saving(t, disk, disk, injector, dir), logger, 20*(life+1)); err != nil {
					process{t}.Fatal(err)
				}
			}
		})
		if err != nil {
			fmt.Printf("\nended %v\n", err)
		}
		if err := resumeViews(cutPower(disk, 100, rand.New(rand.NewPCG(1, 1)))); err != nil {
			t.Fatalf("after a fault of operation %d: %v", n, err)
		}
		return fired()
	})
}

// viewsOn opens views that hold the stores.
func viewsOn(fs vfs.FS, logger *fatalLogger) (*state.Views, *state.View, error) {
	views, err := state.OpenViews(state.ViewsConfig{
		Dir: "state", FS: fs, Stamp: state.Stamp{ClusterID: "c1", Prefix: "stock."},
		TopicIDs: map[string][16]byte{topics.Stores: {1}}, Now: func() time.Time { return time.Unix(1e9, 0) },
		Log: slog.New(slog.NewTextHandler(logger, nil)),
	})
	if err != nil {
		return nil, nil, err
	}
	return views, views.View(topics.Stores), nil
}

// fillViews plays a process that follows a topic up to an offset; record n has key n.
func fillViews(fs vfs.FS, logger *fatalLogger, to int) error {
	views, v, err := viewsOn(fs, logger)
	if err != nil {
		return err
	}
	for i := int(v.Positions()[0]); i < to && err == nil; i++ {
		err = v.Apply([]state.ViewRecord{record(0, 0, fmt.Sprintf("k%02d", i), "v")}, map[int32]int64{0: int64(i + 1)})
	}
	if err != nil {
		return err // a process that ends on an error closes nothing
	}
	return views.Close()
}

// resumeViews plays the process after one that ended, and says what of its table is not at the position.
func resumeViews(fs vfs.FS) error {
	views, v, err := viewsOn(fs, newFatalLogger())
	if err != nil {
		return err
	}
	next, keys := v.Positions()[0], 0
	err = v.Scan(nil, func(key, _ []byte) error {
		if want := fmt.Sprintf("k%02d", keys); string(key) != want {
			return fmt.Errorf("got %s, want %s at position %d", key, want, next)
		}
		keys++
		return nil
	})
	if err == nil && int64(keys) != next {
		err = fmt.Errorf("%d records at position %d", keys, next)
	}
	if err != nil {
		return err
	}
	if err := views.Close(); err != nil {
		return err
	}
	return fillViews(fs, newFatalLogger(), 80)
}
