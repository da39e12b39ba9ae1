package state_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stocksync/state"
	"stocksync/topics"
)

// entries tells what stands in each chunk of a SKU: ids in order of the chunk.
func (r *rig) entries(sku string) map[uint32]string {
	r.tb.Helper()
	got := map[uint32]string{}
	for n, value := range r.chunksOf(sku) {
		ids, err := state.EntryIDs([]byte(value))
		r.must(err)
		got[n] = strings.Join(ids, " ")
	}
	return got
}

func (r *rig) wantEntries(sku string, want map[uint32]string) {
	r.tb.Helper()
	if got := r.entries(sku); fmt.Sprint(got) != fmt.Sprint(want) {
		r.tb.Errorf("got chunks %v, want %v", got, want)
	}
}

// commitLines commits a new version of ledger lines; ids in capitals are order lines.
func (r *rig) commitLines(ids ...string) {
	r.tb.Helper()
	for _, id := range ids {
		if id == strings.ToUpper(id) {
			r.accept(fact{order: order("A", id, int64(len(r.log)), topics.One)})
			continue
		}
		r.accept(fact{mutation: delta("A", id, int64(len(r.log)), topics.One)})
	}
	r.commit()
}

func newShallowRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, state.Policy{ReturnsReserve: true})
	r.shallow = true
	t.Cleanup(r.close)
	return r
}

func TestChunk_ClosesAtTheEndOfTheCommitThatFillsIt(t *testing.T) {
	for name, reopen := range map[string]bool{"in memory": false, "loaded": true} {
		t.Run(name, func(t *testing.T) {
			r := newShallowRig(t)
			commit := func(ids ...string) {
				r.commitLines(ids...)
				if reopen {
					r.reopenTask()
				}
			}
			for _, id := range []string{"a", "b", "c"} {
				commit(id)
			}
			r.wantEntries("A", map[uint32]string{1: "a b c"})
			commit("d", "e", "f")
			r.wantEntries("A", map[uint32]string{1: "a b c d e f"})
			commit("g")
			commit("h", "J")
			commit("I")
			commit("K")
			r.wantEntries("A", map[uint32]string{1: "a b c d e f", 2: "g h J I", 3: "K"})
		})
	}
}

func TestChunk_AChangedEntryMovesToTheOpenOne(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a", "b", "c", "d")
	r.commitLines("e")
	closed := r.chunksOf("A")[1]
	r.commitLines("b", "e")
	r.wantEntries("A", map[uint32]string{1: "a b c d", 2: "b e"})
	if r.chunksOf("A")[1] != closed {
		t.Error("the closed chunk was written again")
	}
	s := r.snapshots()[0]
	if s.Actual != 5*topics.One || len(s.Lines) != 5 || s.Chunks != 2 {
		t.Errorf("got %+v, want five lines of one unit in two chunks", s)
	}
}

func TestChunk_VersionsThatWereReplacedTakeNoMemory(t *testing.T) {
	r := newShallowRig(t)
	r.commitLines("a", "O", "b", "P", "c")
	before := state.CacheUsed(r.task)
	for range 250 {
		r.commitLines("b", "O", "P", "c")
	}
	if after := state.CacheUsed(r.task); after > before+6<<10 {
		t.Errorf("the SKU takes %d bytes after 1000 changes of four entries, %d before", after, before)
	}
	held, _ := state.Held(r.task, "A")
	if logged := r.snapshots()[0]; !cmp.Equal(held.Lines, logged.Lines) || !cmp.Equal(held.Orders, logged.Orders) {
		t.Errorf("in memory -, in the changelog +\n%s", cmp.Diff(held, logged))
	}
}

func TestChunk_ACommitWithoutEntriesWritesTheOpenOne(t *testing.T) {
	r := newShallowRig(t)
	touch := func() {
		t.Helper()
		r.accept(fact{mutation: &topics.Mutation{SKU: "A", Kind: topics.KindTouch}})
		r.commit()
	}
	touch()
	r.wantEntries("A", map[uint32]string{1: ""})
	r.commitLines("a", "b")
	before := r.chunksOf("A")[1]
	touch()
	r.wantEntries("A", map[uint32]string{1: "a b"})
	if r.chunksOf("A")[1] == before {
		t.Error("the touch left no record")
	}
	r.commitLines("c", "d")
	touch()
	r.wantEntries("A", map[uint32]string{1: "a b c d", 2: ""})
	r.reopenTask()
	touch()
	r.commitLines("e")
	r.wantEntries("A", map[uint32]string{1: "a b c d", 2: "e"})
}

// Ensure that no chunk outgrows a changelog record, and that each of a commit tells the same of the SKU.
func TestChunk_ALargeCommitIsSplit(t *testing.T) {
	r := newShallowRig(t)
	r.close()
	r.cacheBytes = 1 << 30 // the SKU stays in memory
	r.open()
	long := strings.Repeat("x", 700)
	for i := range 1000 {
		m := delta("A", fmt.Sprintf("%d %s", i, long), 1, topics.One)
		m.OrderLineID, m.VoucherNo = fmt.Sprintf("O%d %s", i, long), long
		r.accept(fact{mutation: m})
	}
	r.accept(fact{order: order("A", "O7", 1, topics.One)})
	r.commit()
	chunks := r.chunksOf("A")
	if len(chunks) != 3 {
		t.Fatalf("got %d chunks, want three", len(chunks))
	}
	var header []byte
	for n := uint32(1); n <= 3; n++ {
		h, err := state.HeaderOf([]byte(chunks[n]))
		r.must(err)
		if size := len(chunks[n]) - len(h); size < 1000 || size > state.MaxChunkBytes+4096 {
			t.Errorf("chunk %d has %d bytes of entries", n, size)
		}
		if header != nil && !bytes.Equal(h, header) {
			t.Errorf("chunk %d has another header", n)
		}
		header = h
	}
	s := r.snapshots()[0]
	if s.Actual != 1000*topics.One || len(s.Lines) != 1000 || s.Reserved != topics.One {
		t.Errorf("got actual %s, reserved %s, %d lines", s.Actual, s.Reserved, len(s.Lines))
	}
	count := delta("A", "count", 1, 5*topics.One) // before all of them: looks at every chunk
	count.Kind, count.EffectiveAt = topics.KindCount, topics.TimeOf(start.Add(-time.Hour))
	r.accept(fact{mutation: count})
	if held, _ := state.Held(r.task, "A"); held.Actual != 1005*topics.One {
		t.Errorf("a count before all lines: got actual %s, want 1005", held.Actual)
	}
	r.must(r.task.Rollback())
	r.commitLines("next")
	if got := r.entries("A")[4]; got != "next" {
		t.Errorf("got %q in the chunk after the split, want next", got)
	}
}

// Ensure that a split chunk is closed however few its entries are.
func TestChunk_ASplitLeavesNoEntryOut(t *testing.T) {
	r := newShallowRig(t)
	for i := range 5 {
		r.accept(fact{mutation: delta("A", fmt.Sprint(i)+strings.Repeat("x", 600<<10), 1, topics.One)})
	}
	r.commit()
	s := r.snapshots()[0]
	if len(s.Lines) != 5 || s.Chunks != 3 {
		t.Errorf("got %d lines in %d chunks, want five in three", len(s.Lines), s.Chunks)
	}
}

// chunkOf folds facts of SKU A in one commit and returns its chunk.
func chunkOf(t *testing.T, later int, facts ...fact) []byte {
	t.Helper()
	r := newShallowRig(t)
	r.now = start.AddDate(0, 0, later) // the later, the higher its revision
	for _, f := range facts {
		r.accept(f)
	}
	r.commit()
	return []byte(r.chunksOf("A")[1])
}

// readChunks returns what a restore makes of chunks of SKU A.
func readChunks(t *testing.T, chunks map[uint32][]byte) *state.Snapshot {
	t.Helper()
	reader := state.NewReader(state.Policy{ReturnsReserve: true})
	for n, value := range chunks {
		if err := reader.Apply(state.AppendChunkKey(nil, "A", n), value); err != nil {
			t.Fatal(err)
		}
	}
	s, ok, err := reader.Snapshot("A")
	if err != nil || !ok {
		t.Fatalf("got %v, error %v", ok, err)
	}
	return s
}

func TestRestore_TakesTheHeaderOfTheHighestRevision(t *testing.T) {
	one := chunkOf(t, 0, fact{mutation: delta("A", "L", 1, topics.One)})
	two := chunkOf(t, 1, fact{mutation: delta("A", "L", 2, 2*topics.One)})
	for name, chunks := range map[string]map[uint32][]byte{"in order": {1: one, 2: two}, "in a lower chunk": {1: two, 2: one}} {
		s := readChunks(t, chunks)
		if s.Actual != 2*topics.One || s.Revision != start.AddDate(0, 0, 1).UnixMilli() {
			t.Errorf("%s: got actual %s of revision %d, want those of the newer header", name, s.Actual, s.Revision)
		}
		if len(s.Lines) != 1 || s.Lines[0].Version != 2 { // the higher version, in whatever chunk
			t.Errorf("%s: got lines %+v, want version 2", name, s.Lines)
		}
	}
}

func TestRestore_OfEqualVersionsTakesTheOneInTheHigherChunk(t *testing.T) {
	one := chunkOf(t, 0, fact{mutation: delta("A", "L", 1, topics.One)}, fact{order: order("A", "O", 1, topics.One)})
	two := chunkOf(t, 0, fact{mutation: delta("A", "L", 1, 2*topics.One)}, fact{order: order("A", "O", 1, 2*topics.One)})
	for want, chunks := range map[topics.Quantity]map[uint32][]byte{1: {1: two, 2: one}, 2: {1: one, 2: two}} {
		want *= topics.One
		s := readChunks(t, chunks)
		if len(s.Lines) != 1 || s.Lines[0].Qty != want || len(s.Orders) != 1 || s.Orders[0].OrderedQty != want {
			t.Errorf("got %+v and %+v, want quantity %s", s.Lines, s.Orders, want)
		}
	}
}

// Ensure that what collapsed lines said of an order line that had not arrived gives way to the order
// line, in whatever chunk and of whatever version; it takes the sums over when it is written.
func TestRestore_AnOrderLineThatHasNotArrivedCountsAsLowest(t *testing.T) {
	shipment := delta("A", "L", 1, -topics.One)
	shipment.OrderLineID = "O"
	kept, err := state.DecodeChunks(chunkOf(t, 0, fact{mutation: shipment}))
	if err != nil {
		t.Fatal(err)
	}
	notArrived := state.WithHorizon(kept).Encode()
	arrived := chunkOf(t, 1, fact{order: order("A", "O", -9, 20*topics.One)})
	for name, chunks := range map[string]map[uint32][]byte{
		"in the higher chunk": {3: arrived, 4: notArrived}, "in the lower chunk": {3: notArrived, 4: arrived},
	} {
		s := readChunks(t, chunks)
		if len(s.Orders) != 1 || !s.Orders[0].Arrived || s.Orders[0].Version != -9 {
			t.Errorf("%s: got %+v, want the order line", name, s.Orders)
		}
	}
	s := readChunks(t, map[uint32][]byte{3: notArrived})
	if len(s.Orders) != 1 || s.Orders[0].Arrived || s.Orders[0].Delivered != 6*topics.One {
		t.Errorf("got %+v, want the five units of collapsed lines and the one that is held", s.Orders)
	}
}

func TestRestore_IgnoresChunksBelowTheFirstLiveOne(t *testing.T) {
	chunk, err := state.DecodeChunks(chunkOf(t, 1, fact{mutation: delta("A", "live", 1, topics.One)}))
	if err != nil {
		t.Fatal(err)
	}
	live := state.WithHorizon(chunk).Encode() // its first live chunk is 3
	other := func(id string) []byte { return chunkOf(t, 0, fact{mutation: delta("A", id, 1, topics.One)}) }
	s := readChunks(t, map[uint32][]byte{1: other("dead"), 2: other("dead too"), 3: other("alive"), 4: live})
	var ids []string
	for _, l := range s.Lines {
		ids = append(ids, l.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"alive", "live"}) {
		t.Errorf("got lines %q, want those of chunks 3 and 4", ids)
	}
}

// Ensure that damage inside a value is an error, never a SKU with less in it.
func TestRestore_RefusesEveryTruncatedValue(t *testing.T) {
	for _, g := range readGolden(t, "changelog_v1.txt") {
		for n := range g.value {
			if err := readerTakes(g.key, g.value[:n]); err == nil {
				t.Errorf("%s: took its first %d of %d bytes", g.name, n, len(g.value))
			}
		}
		if err := readerTakes(g.key, append(bytes.Clone(g.value), 0)); err == nil {
			t.Errorf("%s: took a byte too many", g.name)
		}
	}
}

func TestRestore_RefusesKindsAndStatusesThatDoNotExist(t *testing.T) {
	line := chunkOf(t, 0, fact{mutation: delta("A", "L", 1, topics.One)})
	sold := chunkOf(t, 0, fact{order: order("A", "O", 1, topics.One)})
	for value, tags := range map[*[]byte][]byte{&line: {2 << 1, 3 << 1}, &sold: {1 | 6<<1 | 1<<4, 1 | 7<<1 | 1<<4}} {
		header, err := state.HeaderOf(*value)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags {
			wrong := bytes.Clone(*value)
			wrong[5+len(header)+1] = tag // behind format, length, header and count
			if err := readerTakes(state.AppendChunkKey(nil, "A", 1), wrong); err == nil {
				t.Errorf("took an entry with tag %#x", tag)
			}
		}
	}
}
