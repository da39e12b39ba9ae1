package state_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"stocksync/state"
	"stocksync/topics"
)

// viewClock is a time that tests move.
type viewClock struct{ now time.Time }

func openViews(t *testing.T, fs vfs.FS, clock *viewClock, change func(*state.ViewsConfig)) *state.Views {
	t.Helper()
	c := state.ViewsConfig{
		Dir: "views", FS: fs, Stamp: state.Stamp{ClusterID: "c1", Prefix: "stock."},
		TopicIDs: map[string][16]byte{
			topics.AvailabilityTopic: {1}, topics.Stores: {2}, topics.ItemSettingsTopic: {3},
			topics.SyncStatusTopic: {6},
		},
		Now: func() time.Time { return clock.now },
	}
	if change != nil {
		change(&c)
	}
	v, err := state.OpenViews(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func apply(t *testing.T, v *state.View, next map[int32]int64, batch ...state.ViewRecord) {
	t.Helper()
	if err := v.Apply(batch, next); err != nil {
		t.Fatal(err)
	}
}

// contents reads a table whole.
func contents(t *testing.T, v *state.ViewReader, prefix string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := v.Scan([]byte(prefix), func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func record(p int32, rank int64, key, value string) state.ViewRecord {
	r := state.ViewRecord{Partition: p, Rank: rank, Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

func TestView_KeepsNewestValueAndPositionsAcrossReopen(t *testing.T) {
	fs, clock := vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	v := views.View(topics.Stores)
	apply(t, v, map[int32]int64{0: 2, 3: 9}, record(0, 0, "a", "1"), record(0, 0, "b", "2"), record(3, 0, "c", "3"))
	apply(t, v, map[int32]int64{0: 4}, record(0, 0, "a", "4"), record(0, 0, "b", ""))
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}

	views = openViews(t, fs, clock, nil)
	defer views.Close()
	v = views.View(topics.Stores)
	if diff := cmp.Diff(contents(t, &v.ViewReader, ""), map[string]string{"a": "4", "c": "3"}); diff != "" {
		t.Errorf("contents (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(v.Positions(), map[int32]int64{0: 4, 3: 9}); diff != "" {
		t.Errorf("positions (-got +want):\n%s", diff)
	}
	if _, ok, err := v.Get([]byte("b")); ok || err != nil {
		t.Errorf("Get of a deleted key: %v, %v", ok, err)
	}
}

func TestView_ScansAPrefixOnly(t *testing.T) {
	views := openViews(t, vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}, nil)
	defer views.Close()
	v := views.View(topics.ItemSettingsTopic)
	apply(t, v, nil, record(0, 0, "s|a", "1"), record(0, 0, "s\xff|a", "2"), record(0, 0, "s|b", "3"), record(0, 0, "t|a", "4"))
	apply(t, views.View(topics.SyncStatusTopic), nil, record(0, 0, "s|z", "other table"))
	if diff := cmp.Diff(contents(t, &v.ViewReader, "s|"), map[string]string{"s|a": "1", "s|b": "3"}); diff != "" {
		t.Errorf("contents (-got +want):\n%s", diff)
	}
	c, err := v.Cursor([]byte("s|"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.SeekGE([]byte("s|aa")) || string(c.Key()) != "s|b" || c.Next() || c.Err() != nil {
		t.Errorf("SeekGE then Next: at %q, %v", c.Key(), c.Err())
	}
}

func TestView_V2_IgnoresLowerRanks(t *testing.T) {
	for _, tc := range []struct {
		name, base string
		batches    [][]state.ViewRecord
		want       map[string]string
	}{
		{"lower revision of another partition", topics.AvailabilityTopic, [][]state.ViewRecord{
			{record(4, 7, "a", "new")}, {record(0, 5, "a", "old"), record(0, 6, "a", "")},
		}, map[string]string{"a": "new"}},
		{"same revision", topics.AvailabilityTopic, [][]state.ViewRecord{
			{record(0, 7, "a", "first")}, {record(0, 7, "a", "second")},
		}, map[string]string{"a": "first"}},
		{"within one batch", topics.AvailabilityTopic, [][]state.ViewRecord{
			{record(4, 7, "a", "new"), record(0, 5, "a", "old"), record(4, 8, "a", "newer")},
		}, map[string]string{"a": "newer"}},
		{"tombstone of a split deletes", topics.AvailabilityTopic, [][]state.ViewRecord{
			{record(0, 5, "a", "old")}, {record(0, 6, "a", "")},
		}, map[string]string{}},
		{"moved: tombstone, then the new partition", topics.AvailabilityTopic, [][]state.ViewRecord{
			{record(0, 5, "a", "old"), record(0, 6, "a", ""), record(4, 7, "a", "new")},
		}, map[string]string{"a": "new"}},
		{"status of a former owner", topics.SyncStatusTopic, [][]state.ViewRecord{
			{record(0, 3, "s|a", "owner 3")}, {record(0, 2, "s|a", "owner 2")},
		}, map[string]string{"s|a": "owner 3"}},
		{"next status of the same owner", topics.SyncStatusTopic, [][]state.ViewRecord{
			{record(0, 3, "s|a", "1")}, {record(0, 3, "s|a", "2")},
		}, map[string]string{"s|a": "2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			views := openViews(t, vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}, nil)
			defer views.Close()
			v := views.View(tc.base)
			for _, batch := range tc.batches {
				apply(t, v, nil, batch...)
			}
			if diff := cmp.Diff(contents(t, &v.ViewReader, ""), tc.want); diff != "" {
				t.Errorf("contents (-got +want):\n%s", diff)
			}
		})
	}
}

func TestView_V1_CrashKeepsRecordsAndPositionsTogether(t *testing.T) {
	for seed := range uint64(20) {
		fs := vfs.NewCrashableMem()
		clock := &viewClock{time.Unix(1e9, 0)}
		views := openViews(t, fs, clock, nil)
		v := views.View(topics.Stores)
		for i := range 50 {
			apply(t, v, map[int32]int64{0: int64(i + 1)}, record(0, 0, fmt.Sprintf("k%02d", i), "v"))
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: int(seed * 5), RNG: rand.New(rand.NewPCG(seed, 0)),
		})
		if err := views.Close(); err != nil {
			t.Fatal(err)
		}
		after := openViews(t, crashed, clock, nil)
		got := after.View(topics.Stores)
		next, keys := got.Positions()[0], contents(t, &got.ViewReader, "")
		if int(next) != len(keys) {
			t.Errorf("seed %d: position %d with %d records", seed, next, len(keys))
		}
		for i := range next {
			if _, ok := keys[fmt.Sprintf("k%02d", i)]; !ok {
				t.Errorf("seed %d: record %d is missing below position %d", seed, i, next)
			}
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestViews_StaleTableIsRebuilt(t *testing.T) {
	fs, clock := vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	stale, fresh := views.View(topics.Stores), views.View(topics.ItemSettingsTopic)
	apply(t, stale, map[int32]int64{0: 1, 1: 1}, record(0, 0, "a", "1"))
	apply(t, fresh, map[int32]int64{0: 1}, record(0, 0, "s|a", "1"))
	clock.now = clock.now.Add(5 * 24 * time.Hour)
	if err := errors.Join(stale.CaughtUp(1, 7), fresh.CaughtUp(0)); err != nil { // partition 0 of stores is not
		t.Fatal(err)
	}
	clock.now = clock.now.Add(25 * time.Hour)
	if err := stale.Apply(nil, map[int32]int64{0: 2}); !errors.Is(err, state.ErrStale) {
		t.Errorf("Apply to a stale partition: %v, want ErrStale", err)
	}
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}

	views = openViews(t, fs, clock, nil)
	defer views.Close()
	stale, fresh = views.View(topics.Stores), views.View(topics.ItemSettingsTopic)
	if got := contents(t, &stale.ViewReader, ""); len(got) > 0 || len(stale.Positions()) > 0 {
		t.Errorf("stale table holds %v at %v", got, stale.Positions())
	}
	if got := contents(t, &fresh.ViewReader, ""); len(got) != 1 || fresh.Positions()[0] != 1 {
		t.Errorf("fresh table holds %v at %v", got, fresh.Positions())
	}
}

func TestViews_RecreatedTopicIsReadAnew(t *testing.T) {
	fs, clock := vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	apply(t, views.View(topics.Stores), map[int32]int64{0: 1}, record(0, 0, "a", "1"))
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
	views = openViews(t, fs, clock, func(c *state.ViewsConfig) {
		ids := maps.Clone(c.TopicIDs)
		ids[topics.Stores] = [16]byte{99}
		c.TopicIDs = ids
	})
	defer views.Close()
	v := views.View(topics.Stores)
	if got := contents(t, &v.ViewReader, ""); len(got) > 0 || len(v.Positions()) > 0 {
		t.Errorf("table of a recreated topic holds %v at %v", got, v.Positions())
	}
}

func TestViews_RefuseForeignAndHeldDirectories(t *testing.T) {
	fs, clock := vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	c := state.ViewsConfig{Dir: "views", FS: fs, Stamp: state.Stamp{ClusterID: "c1", Prefix: "stock."}}
	if _, err := state.OpenViews(c); !errors.Is(err, state.ErrInUse) {
		t.Errorf("open twice: %v, want ErrInUse", err)
	}
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
	c.Stamp.Prefix = "other."
	if _, err := state.OpenViews(c); !errors.Is(err, state.ErrForeign) {
		t.Errorf("open with another prefix: %v, want ErrForeign", err)
	}
}

func TestViews_SnapshotIsOneState(t *testing.T) {
	views := openViews(t, vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}, nil)
	defer views.Close()
	v := views.View(topics.Stores)
	apply(t, v, nil, record(2, 0, "a", "1"))
	s := views.Snapshot()
	defer s.Close()
	apply(t, v, nil, record(2, 0, "a", "2"), record(2, 0, "b", "2"))
	if diff := cmp.Diff(contents(t, s.View(topics.Stores), ""), map[string]string{"a": "1"}); diff != "" {
		t.Errorf("snapshot (-got +want):\n%s", diff)
	}
	c, err := v.Cursor(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Next() || c.Partition() != 2 || c.Rank() != 0 {
		t.Errorf("cursor: partition %d, rank %d", c.Partition(), c.Rank())
	}
}

func TestView_DropForgetsPositions(t *testing.T) {
	fs, clock := vfs.NewMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	v := views.View(topics.Stores)
	apply(t, v, map[int32]int64{0: 1}, record(0, 0, "a", "1"))
	if err := v.Drop(); err != nil {
		t.Fatal(err)
	}
	apply(t, v, map[int32]int64{1: 5}, record(1, 0, "b", "1"))
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
	views = openViews(t, fs, clock, nil)
	defer views.Close()
	v = views.View(topics.Stores)
	if diff := cmp.Diff(v.Positions(), map[int32]int64{1: 5}); diff != "" {
		t.Errorf("positions (-got +want):\n%s", diff)
	}
}

// TestViews_NotesSurviveACrashAndTheTablesTheyLieBeside ensures that a note which was set is there after a
// power cut, and that emptying a table leaves it alone.
func TestViews_NotesSurviveACrashAndTheTablesTheyLieBeside(t *testing.T) {
	fs, clock := vfs.NewCrashableMem(), &viewClock{time.Unix(1e9, 0)}
	views := openViews(t, fs, clock, nil)
	if got, err := views.Note("limit/s"); got != nil || err != nil {
		t.Errorf("before it was set: got %q, %v, want none", got, err)
	}
	for _, value := range []string{"1", "22"} {
		if err := views.SetNote("limit/s", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
	views = openViews(t, crashed, clock, nil)
	if err := views.View(topics.Stores).Drop(); err != nil {
		t.Fatal(err)
	}
	if got, err := views.Note("limit/s"); string(got) != "22" || err != nil {
		t.Errorf("after a crash: got %q, %v, want 22", got, err)
	}
	if got, err := views.Note("limit/"); got != nil || err != nil {
		t.Errorf("another name: got %q, %v, want none", got, err)
	}
	if err := views.Close(); err != nil {
		t.Fatal(err)
	}
}
