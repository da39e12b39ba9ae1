package topics_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stocksync/testenv"
	"stocksync/topics"
)

// FuzzDecodeMutation is T1 and T2 of any bytes: both ways to read a record agree, what they take is JSON that the
// schema takes too, and what is written of it comes back.
func FuzzDecodeMutation(f *testing.F) {
	seed(f, topics.Mutations, badMutations)
	f.Fuzz(wantAgreedMutation)
}

// FuzzDecodeOrder is FuzzDecodeMutation of orders.
func FuzzDecodeOrder(f *testing.F) {
	seed(f, topics.Orders, badOrders)
	f.Fuzz(wantAgreedOrder)
}

// FuzzDecodeMember is both of them with any text in the place of one member of a good record, which gets further than
// any bytes do.
func FuzzDecodeMember(f *testing.F) {
	mutations, orders := memberNames(topics.Mutations), memberNames(topics.Orders)
	for i := range mutations {
		for _, raw := range []string{`"x"`, "-1", "1.5", `"1e2"`, "null", "true", `"\u0000"`, `"2026-01-02T03:04:05.5+07:00"`, `"count"`, `{"a":[1]}`} {
			f.Add(uint8(i), raw)
		}
	}
	f.Fuzz(func(t *testing.T, member uint8, raw string) {
		wantAgreedMutation(t, []byte("A001"), []byte(mutation(mutations[int(member)%len(mutations)], raw)))
		wantAgreedOrder(t, []byte("A001"), []byte(order(orders[int(member)%len(orders)], raw)))
	})
}

// memberNames returns the names of a record's members, and one that it does not know.
func memberNames(base string) []string {
	names := []string{"x"}
	for _, c := range codecs {
		if c.base == base {
			names = append(names, fieldsOf(c.record, "")...)
		}
	}
	return names
}

func wantAgreedMutation(t *testing.T, key, value []byte) {
	wantAgreed(t, topics.Mutations, key, value, topics.DecodeMutation, topics.DecodeMutationInFull, (*topics.Mutation).AppendJSON)
}

func wantAgreedOrder(t *testing.T, key, value []byte) {
	wantAgreed(t, topics.Orders, key, value, topics.DecodeOrder, topics.DecodeOrderInFull, (*topics.Order).AppendJSON)
}

// decodeFunc is the decoder of an input.
type decodeFunc[T any] func(key, value []byte, maxBytes int, into *T) *topics.Reject

func wantAgreed[T comparable](t *testing.T, base string, key, value []byte, decode, inFull decodeFunc[T],
	write func(*T, []byte) []byte,
) {
	t.Helper()
	var quick, full T
	wantSameVerdict(t, value, decode(key, value, fuzzMax, &quick), inFull(key, value, fuzzMax, &full), quick == full)
	// The right key lets more records through.
	if decode(keyOf(value), value, fuzzMax, &quick) != nil {
		return
	}
	written := write(&quick, nil)
	wantWhole(t, base, value, written)
	var again T
	if reject := decode(keyOf(written), written, 0, &again); reject != nil || again != quick {
		t.Errorf("%s came back as %+v, %v, want %+v", written, again, reject, quick)
	}
}

// fuzzMax is MAX_RECORD_BYTES in these tests.
const fuzzMax = 64 << 10

// seed adds what is known to be good and bad of a topic.
func seed(f *testing.F, base string, bad []badInput) {
	f.Helper()
	for _, example := range examplesOf(f, base) {
		f.Add(keyOf(example), []byte(example))
		var flat bytes.Buffer
		if err := json.Compact(&flat, example); err != nil {
			f.Fatal(err)
		}
		f.Add(keyOf(example), flat.Bytes())
	}
	for _, row := range bad {
		if key, value := row.bytes(); len(value) < 4<<10 {
			f.Add(key, value)
		}
	}
	for _, row := range testenv.BadRecords("A001", 0) {
		if row.Topic == base {
			f.Add(row.Key, row.Value)
		}
	}
}

// wantSameVerdict fails the test unless both ways took the record and read the same, or refused it in the same words.
func wantSameVerdict(t *testing.T, value []byte, quick, full *topics.Reject, same bool) {
	t.Helper()
	switch {
	case (quick == nil) != (full == nil):
		t.Fatalf("%q: the scanner says %v, the full reader %v", value, quick, full)
	case quick != nil && *quick != *full:
		t.Errorf("%q: the scanner says %v, the full reader %v", value, quick, full)
	case quick == nil && !same:
		t.Errorf("%q: the scanner reads otherwise than the full reader", value)
	case quick == nil && !json.Valid(value):
		t.Errorf("%q was taken and is not JSON", value)
	}
}

// wantWhole fails the test unless the schema takes what the decoder took and what was written of it.
func wantWhole(t *testing.T, base string, value, written []byte) {
	t.Helper()
	if !topics.IsFlat(written) && !bytes.ContainsRune(written, '\\') {
		t.Errorf("the scanner gives up on what was written: %s", written)
	}
	for _, text := range [][]byte{value, written} {
		if err := validate(t, base, text); err != nil {
			t.Errorf("%v in %s", err, text)
		}
	}
}

// FuzzDecodeRecord is T2 of any bytes for every topic: what a decoder takes comes back, and is written as what the
// schema takes. Of the topics that only this program writes the schema promises more than their readers ask for.
func FuzzDecodeRecord(f *testing.F) {
	for i, c := range codecs {
		for _, example := range examplesOf(f, c.base) {
			f.Add(uint8(i), []byte(example))
		}
		f.Add(uint8(i), c.encode(full[c.base]))
		f.Add(uint8(i), c.encode(least[c.base]))
	}
	for _, row := range badRecords {
		for i, c := range codecs {
			if c.base == row.topic {
				f.Add(uint8(i), []byte(object(goodRecords[row.topic], row.name, row.raw)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, topic uint8, value []byte) {
		c := codecs[int(topic)%len(codecs)]
		record, err := c.decode(value)
		if err != nil {
			return
		}
		written := c.encode(record)
		again, err := c.decode(written)
		if err != nil {
			t.Fatalf("%s: %v in %s of %q", c.base, err, written, value)
		}
		if diff := cmp.Diff(again, record, cmpopts.EquateEmpty(), compareJSON); diff != "" {
			t.Errorf("%s: %s came back (-) otherwise (+):\n%s", c.base, written, diff)
		}
		if err := validate(t, c.base, written); err != nil && !slices.Contains(onlyOurs, c.base) {
			t.Errorf("%s: %v in %s", c.base, err, written)
		}
	})
}

// onlyOurs are the topics that only this program writes.
var onlyOurs = []string{topics.AvailabilityTopic, topics.SyncStatusTopic, topics.SyncLogTopic, topics.AuditTopic}

// compareJSON compares what values say, whatever their spaces and escapes. No options are as good as {}.
var compareJSON = cmp.FilterValues(func(a, b topics.RawJSON) bool { return len(a)+len(b) > 0 },
	cmp.Comparer(func(a, b topics.RawJSON) bool {
		return reflect.DeepEqual(said(a), said(b))
	}))

// said returns what a JSON value says, its numbers as text.
func said(raw topics.RawJSON) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any = map[string]any{}
	if err := d.Decode(&value); err != nil && len(raw) > 0 {
		return err.Error()
	}
	return value
}
