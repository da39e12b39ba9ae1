package state_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stocksync/state"
	"stocksync/topics"
)

// Every decoder takes any bytes without a panic, and what it takes it writes back as what it reads as.

func FuzzChunk(f *testing.F) {
	for _, g := range readGolden(f, "changelog_v1.txt") {
		f.Add(g.value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		_, indexErr := state.IndexDays(value)
		c, err := state.DecodeChunks(value)
		if err != nil {
			return
		}
		if indexErr != nil {
			t.Errorf("a replay refuses what a load takes: %v", indexErr)
		}
		encoded := c.Encode()
		again, err := state.DecodeChunks(encoded)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if diff := cmp.Diff(again.Snapshot(), c.Snapshot(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("encoded and decoded: got -, want +\n%s", diff)
		}
		if got := again.Encode(); !bytes.Equal(got, encoded) {
			t.Errorf("encoded again: got %x, want %x", got, encoded)
		}
	})
}

func FuzzChunks(f *testing.F) {
	golden := readGolden(f, "changelog_v1.txt")
	for i := range golden[1:] {
		f.Add(golden[i].value, golden[i+1].value)
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if c, err := state.DecodeChunks(one, two); err == nil {
			c.Snapshot()
			if _, err := state.DecodeChunks(c.Encode()); err != nil {
				t.Errorf("decode what was encoded: %v", err)
			}
		}
	})
}

func FuzzChunkKey(f *testing.F) {
	for _, g := range readGolden(f, "changelog_v1.txt") {
		f.Add(g.key)
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		sku, chunk, err := state.ParseChunkKey(key)
		if err != nil {
			return
		}
		if len(sku) == 0 || state.IsTaskKey(key) {
			t.Errorf("got SKU %q of key %q", sku, key)
		}
		if got := state.AppendChunkKey(nil, string(sku), chunk); !bytes.Equal(got, key) {
			t.Errorf("got %q, want %q", got, key)
		}
	})
}

func FuzzTaskRecord(f *testing.F) {
	for _, g := range readGolden(f, "changelog_v1.txt") {
		f.Add(g.value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := state.DecodeTaskRecord(value)
		if err != nil {
			return
		}
		again, err := state.DecodeTaskRecord(r.Append(nil))
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if *again != *r {
			t.Errorf("got %+v, want %+v", again, r)
		}
	})
}

// goldenPosition is a stored position of format 1.
const goldenPosition = "018794ebdc03c7f289d306"

func TestPosition_HasTheBytesOfFormat1(t *testing.T) {
	want := state.StoredPosition{Next: 1_000_000_007, CaughtUp: 1_784_838_471}
	if got := hex.EncodeToString(want.Append(nil)); got != goldenPosition {
		t.Errorf("got %s, want %s", got, goldenPosition)
	}
}

func FuzzPosition(f *testing.F) {
	value, err := hex.DecodeString(goldenPosition)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := state.DecodePosition(value)
		if err != nil {
			return
		}
		if again, err := state.DecodePosition(p.Append(nil)); err != nil || again != p {
			t.Errorf("got %+v and error %v, want %+v", again, err, p)
		}
	})
}

func FuzzNumbers(f *testing.F) {
	for _, q := range []int64{0, 1, -1, 1_000_000, -2_500_000, 1 << 61, 1<<62 - 1, 1 << 62, -1 << 62, math.MaxInt64, math.MinInt64} {
		f.Add(q, int64(topics.TimeOf(start)), int64(topics.TimeOf(start))-q)
	}
	f.Fuzz(func(t *testing.T, q, at, base int64) {
		at = max(at, 0) & (1<<58 - 1) // years 1970 to 9999 fit
		base = max(base, 0) & (1<<58 - 1)
		gotQ, gotAt, err := state.RecodeNumbers(topics.Quantity(q), topics.Time(at), topics.Time(base))
		if err != nil || int64(gotQ) != q || int64(gotAt) != at {
			t.Errorf("%d, %d from %d: got %d, %d and error %v", q, at, base, int64(gotQ), int64(gotAt), err)
		}
	})
}

func FuzzViewValue(f *testing.F) {
	f.Add([]byte("\x01\x05\x0aa value"))
	f.Fuzz(func(t *testing.T, value []byte) { fixPoint(t, value, state.RecodeViewValue) })
}

func FuzzViewPosition(f *testing.F) {
	f.Add([]byte("\x01\xd0\x0f\x80\xe8\x92\x26"))
	f.Fuzz(func(t *testing.T, value []byte) { fixPoint(t, value, state.RecodeViewPosition) })
}

// fixPoint ensures that what was read and written once reads and writes as itself.
func fixPoint(t *testing.T, value []byte, recode func([]byte) ([]byte, error)) {
	t.Helper()
	once, err := recode(value)
	if err != nil {
		return
	}
	if twice, err := recode(once); err != nil || !bytes.Equal(once, twice) {
		t.Errorf("got %x and error %v, want %x", twice, err, once)
	}
}
