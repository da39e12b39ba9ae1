package state_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/state"
	"stocksync/topics"
)

var update = flag.Bool("update", false, "write testdata anew; read the difference before it is committed")

// golden is one changelog record with a name.
type golden struct {
	name       string
	key, value []byte
}

// goldenRecords folds a small history that has every kind of entry and every part of a header, and
// returns what it writes. What it writes must never change: other releases read it.
func goldenRecords(t *testing.T) []golden {
	t.Helper()
	r := newRig(t, state.Policy{ReturnsReserve: true})
	r.shallow = true
	defer r.close()
	var list []golden
	commit := func(name string, facts ...fact) {
		t.Helper()
		end := len(r.log)
		for _, f := range facts {
			r.accept(f)
			r.task.Passed(state.InputMutations, r.task.Expects(state.InputMutations), 3, topics.TimeOf(start), state.Applied)
		}
		r.commit()
		r.now = r.now.Add(25 * time.Millisecond)
		for i, l := range r.log[end:] {
			if l.key != nil {
				list = append(list, golden{fmt.Sprintf("%s, record %d", name, i+1), l.key, l.value})
			}
		}
	}
	count := delta("A", "opname/1", -5, topics.One/2)
	count.Kind, count.Seq, count.Reason = topics.KindCount, -9, "opname"
	shipment := delta("A", "SINV-1/1/out", 1<<40, -3*topics.One)
	shipment.OrderLineID, shipment.VoucherNo, shipment.Warehouse = "SO-1/1", "SINV-1", "SUB"
	back := delta("A", "RET-1/1/in", 2, topics.One)
	back.OrderLineID, back.IsReturn, back.Status = "SO-1/1", true, topics.StatusCancelled
	sold := order("A", "SO-1/1", 7, 10*topics.One)
	sold.Store, sold.Warehouse, sold.OrderID = "tokopedia-main", "SUB", "SO-1"
	held := order("A", "SO-2/1", 1, topics.One+1)
	held.Status, held.Store = topics.OrderOnHold, "shopee-2"
	large := delta("B\xc3\xa9 |", "L", 1, 1<<62+1)
	ahead := order("C", "SO-3/1", 1, topics.One)
	early := delta("C", "EARLY", 1, -topics.One)
	early.OrderLineID, early.EffectiveAt = "SO-9/9", topics.TimeOf(start.Add(-500*24*time.Hour))

	commit("a count")
	list = nil // the first task record says little
	commit("a count", fact{mutation: count})
	commit("a shipment before its order", fact{mutation: shipment})
	commit("the order, a cancelled return, the chunk is full", fact{order: sold}, fact{mutation: back})
	commit("an order on hold in the next chunk", fact{order: held})
	commit("a large quantity and a SKU of many letters", fact{mutation: large})
	commit("a line of an order that never came", fact{order: ahead}, fact{mutation: early})
	commit("a touch of what is not known", fact{mutation: &topics.Mutation{SKU: "D", Kind: topics.KindTouch}})

	chunk, err := state.DecodeChunks(values(list, "sA\x00")...)
	if err != nil {
		t.Fatal(err)
	}
	horizon := state.WithHorizon(chunk)
	list = append(list, golden{"a horizon", state.AppendChunkKey(nil, "A", 4), horizon.Encode()})
	full := state.TaskRecord{
		Writer: "1.2.3", Partitions: 16, Nightly: state.Nightly{Done: 20_483, Cursor: "A", RunID: "run-1"},
		Counters: state.Counters{Consumed: 500, Applied: 300, Duplicate: 100, DeadLettered: 60, Forwarded: 40},
		Newest:   topics.TimeOf(start), Policy: state.Policy{OnHoldReserves: true}, WalkEnded: true, SplitFrom: 8,
	}
	for i := range full.Inputs {
		full.Inputs[i] = state.InputPosition{
			TopicID: [16]byte{byte(i), 1, 2, 15: 0xff}, Next: 1 << (20 * i), LeaderEpoch: int32(i) - 1,
		}
	}
	return append(list, golden{"a whole task record", state.TaskKey(), full.Append(nil)})
}

// values returns the newest value of each key with a prefix, in order of keys.
func values(list []golden, prefix string) [][]byte {
	newest := map[string][]byte{}
	var keys []string
	for _, g := range list {
		if strings.HasPrefix(string(g.key), prefix) {
			if newest[string(g.key)] == nil {
				keys = append(keys, string(g.key))
			}
			newest[string(g.key)] = g.value
		}
	}
	slices.Sort(keys)
	var list2 [][]byte
	for _, key := range keys {
		list2 = append(list2, newest[key])
	}
	return list2
}

func formatGolden(list []golden) string {
	b := &strings.Builder{}
	fmt.Fprintln(b, "# Changelog records of format 1. A release reads these for ever; TestChangelog_... writes them.")
	for _, g := range list {
		fmt.Fprintf(b, "\n%s\n%x\n%x\n", g.name, g.key, g.value)
	}
	return b.String()
}

// readGolden reads records from testdata.
func readGolden(tb testing.TB, name string) []golden {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	var list []golden
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n")[1:] {
		lines := strings.Split(block, "\n")
		if len(lines) != 3 {
			tb.Fatalf("block %q has %d lines, want a name, a key and a value", lines[0], len(lines))
		}
		key, err1 := hex.DecodeString(lines[1])
		value, err2 := hex.DecodeString(lines[2])
		if err1 != nil || err2 != nil {
			tb.Fatalf("%s: %v %v", lines[0], err1, err2)
		}
		list = append(list, golden{lines[0], key, value})
	}
	return list
}

// meaning is what golden records say, for people to read.
func meaning(t *testing.T, list []golden) []byte {
	t.Helper()
	b := &bytes.Buffer{}
	show := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(b, "%s\n", text)
	}
	reader := state.NewReader(state.Policy{ReturnsReserve: true})
	for _, g := range list {
		fmt.Fprintf(b, "\n== %s\n", g.name)
		if state.IsTaskKey(g.key) {
			record, err := state.DecodeTaskRecord(g.value)
			if err != nil {
				t.Fatalf("%s: %v", g.name, err)
			}
			show(record)
			continue
		}
		if err := reader.Apply(g.key, g.value); err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		sku, _, err := state.ParseChunkKey(g.key)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := reader.Snapshot(string(sku))
		if err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		show(s.Availability)
		for _, l := range s.Lines {
			show(l)
		}
		for _, o := range s.Orders {
			show(o)
		}
	}
	return append(b.Bytes(), horizonOf(t, list)...)
}

// horizonOf is what the golden horizon says beside its entries.
func horizonOf(t *testing.T, list []golden) string {
	t.Helper()
	i := slices.IndexFunc(list, func(g golden) bool { return g.name == "a horizon" })
	c, err := state.DecodeChunks(list[i].value)
	if err != nil {
		t.Fatal(err)
	}
	return "\n== the horizon's header\n" + state.HorizonText(c)
}

// Ensure that the encoding is what it was: other releases, and changelogs of years, depend on it. A
// change needs a new format byte, and a release that reads it before one that writes it.
func TestChangelog_HasTheBytesOfFormat1(t *testing.T) {
	got := formatGolden(goldenRecords(t))
	if *update {
		if err := os.WriteFile("testdata/changelog_v1.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := formatGolden(readGolden(t, "changelog_v1.txt"))
	if got != want {
		t.Errorf("got -, want +\n%s", cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
	}
}

func TestChangelog_Format1IsReadAsItWasWritten(t *testing.T) {
	got := meaning(t, readGolden(t, "changelog_v1.txt"))
	if *update {
		if err := os.WriteFile("testdata/changelog_v1_meaning.txt", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/changelog_v1_meaning.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")); diff != "" {
		t.Errorf("got -, want +\n%s", diff)
	}
}

// Ensure that a value of a newer release is refused by name wherever it is met, and one of format 0 as
// what it is: damaged.
func TestChangelog_ANewerFormatIsRefusedByName(t *testing.T) {
	for _, g := range readGolden(t, "changelog_v1.txt") {
		for format, want := range map[byte]string{
			2: "has format 2, this release reads up to 1", 255: "has format 255, this release reads up to 1",
			0: "corrupt value",
		} {
			value := bytes.Clone(g.value)
			value[0] = format
			for how, err := range map[string]error{"reader": readerTakes(g.key, value), "replay": replayTakes(t, g.key, value)} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s, format %d: got error %v, want one that says %q", g.name, how, format, err, want)
				}
				if newer := format != 0; errors.Is(err, state.ErrNewerFormat) != newer {
					t.Errorf("%s, %s, format %d: got error %v, is ErrNewerFormat not %v", g.name, how, format, err, newer)
				}
			}
		}
	}
}

func readerTakes(key, value []byte) error {
	reader := state.NewReader(state.Policy{})
	if err := reader.Apply(key, value); err != nil || state.IsTaskKey(key) {
		return err
	}
	sku, _, err := state.ParseChunkKey(key)
	if err != nil {
		return err
	}
	_, _, err = reader.Snapshot(string(sku))
	return err
}

func replayTakes(t *testing.T, key, value []byte) error {
	t.Helper()
	r := newRig(t, state.Policy{})
	defer r.close()
	r.must(r.task.Rollback())
	return r.task.Replay([]state.Change{{Key: key, Value: value}}, 1, r.now)
}
