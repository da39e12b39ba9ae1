package topics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
	"stocksync/topics"
)

// refused is why the records of these tests were.
var refused = &topics.Reject{Reason: topics.ReasonInvalid, Message: "qty: x is not a decimal"}

// arrived returns a record as a consumer has it.
func arrived(key, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
	return &kgo.Record{
		Topic: "stock.mutations", Partition: 5, Offset: 991234, Timestamp: time.UnixMilli(1790388902431), LeaderEpoch: 3,
		Key: key, Value: value, Headers: headers,
	}
}

// header makes a header.
func header(name, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: []byte(value)}
}

// texts returns the text of each header under its name, the last of each.
func texts(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

func TestDeadLetter_KeepsTheRecordAndSaysWhy(t *testing.T) {
	r := arrived([]byte{0xff, 0}, []byte("\x00any bytes"), header("traceparent", "00-1-2-01"), header("twice", "a"), header("twice", "b"))
	letter := topics.DeadLetter(r, "stock.dead-letters", 5, refused)
	want := &kgo.Record{
		Topic: "stock.dead-letters", Partition: 5, Key: r.Key, Value: r.Value,
		Headers: []kgo.RecordHeader{
			header("traceparent", "00-1-2-01"), header("twice", "a"), header("twice", "b"),
			header("origin_topic", "stock.mutations"), header("origin_partition", "5"), header("origin_offset", "991234"),
			header("origin_timestamp", "1790388902431"), header("reason", "invalid"), header("message", "qty: x is not a decimal"),
		},
	}
	if diff := cmp.Diff(letter.Headers, want.Headers); diff != "" {
		t.Errorf("headers: got (-) is not want (+):\n%s", diff)
	}
	if letter.Topic != want.Topic || letter.Partition != want.Partition || !letter.Timestamp.IsZero() ||
		!bytes.Equal(letter.Key, want.Key) || !bytes.Equal(letter.Value, want.Value) {
		t.Errorf("got %v", letter)
	}
	if len(r.Headers) != 3 {
		t.Errorf("the record was changed: %v", r.Headers)
	}
	said, ok := topics.LetterOf(letter)
	if wantSaid := (topics.Letter{
		Origin: topics.Origin{Topic: "stock.mutations", Partition: 5, Offset: 991234, TimestampMs: 1790388902431},
		Reason: topics.ReasonInvalid, Message: "qty: x is not a decimal",
	}); !ok || said != wantSaid {
		t.Errorf("got %+v, %v, want %+v", said, ok, wantSaid)
	}
}

func TestDeadLetter_KeepsNullApartFromEmpty(t *testing.T) {
	for _, r := range []*kgo.Record{arrived(nil, nil), arrived([]byte{}, []byte{})} {
		letter := topics.DeadLetter(r, "d", 0, refused)
		if (letter.Key == nil) != (r.Key == nil) || (letter.Value == nil) != (r.Value == nil) {
			t.Errorf("got key %#v, value %#v, want %#v, %#v", letter.Key, letter.Value, r.Key, r.Value)
		}
	}
}

// Ensure a dead letter that was sent in again and refused again names its new place, and its last reason.
func TestDeadLetter_OfADeadLetterNamesTheNewPlace(t *testing.T) {
	first := topics.DeadLetter(arrived([]byte("A"), []byte("x")), "d", 5, refused)
	again := arrived(first.Key, first.Value, first.Headers...)
	again.Offset = 1_000_000
	said, ok := topics.LetterOf(topics.DeadLetter(again, "d", 5, &topics.Reject{Reason: topics.ReasonTooLate, Message: "m"}))
	if !ok || said.Origin.Offset != 1_000_000 || said.Reason != topics.ReasonTooLate || said.Message != "m" {
		t.Errorf("got %+v, %v", said, ok)
	}
}

func TestDeadLetter_OfAForwardedRecordNamesItsFirstPlace(t *testing.T) {
	moved := topics.Forward(arrived([]byte("A"), []byte("x"), header("keep", "1")), 9)
	moved.Offset, moved.Timestamp = 77, time.UnixMilli(99)
	letter := topics.DeadLetter(moved, "d", 9, refused)
	said, ok := topics.LetterOf(letter)
	want := topics.Origin{Topic: "stock.mutations", Partition: 5, Offset: 991234, TimestampMs: 1790388902431}
	if !ok || said.Origin != want {
		t.Errorf("got %+v, %v, want %+v", said.Origin, ok, want)
	}
	if got := texts(letter); got["keep"] != "1" || got["hops"] != "" || len(letter.Headers) != 7 {
		t.Errorf("got headers %v", got)
	}
}

func TestDeadLetter_MessageIsShortAndText(t *testing.T) {
	for _, message := range []string{strings.Repeat("é", 2000), "\xff\xfe", strings.Repeat("\xff", 3000)} {
		letter := topics.DeadLetter(arrived(nil, nil), "d", 0, &topics.Reject{Reason: topics.ReasonInvalid, Message: message})
		if err := validate(t, topics.DeadLetters, headersAsJSON(t, letter)); err != nil {
			t.Error(err)
		}
		if said, _ := topics.LetterOf(letter); len(said.Message) > 1024 || !strings.HasPrefix(strings.ToValidUTF8(message, "\ufffd"), said.Message) {
			t.Errorf("%d bytes: %.20q", len(said.Message), said.Message)
		}
	}
}

// headersAsJSON returns the object that the schema of dead-letters describes.
func headersAsJSON(t *testing.T, r *kgo.Record) []byte {
	t.Helper()
	value, err := json.Marshal(texts(r))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// tooLarge are records that do not fit a dead letter, as producers that compress well can send them.
func tooLarge() map[string]*kgo.Record {
	const mb = 1 << 20
	big := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	many := func(n, size int) []kgo.RecordHeader {
		headers := make([]kgo.RecordHeader, n)
		for i := range headers {
			headers[i] = kgo.RecordHeader{Key: "h", Value: big(size)}
		}
		return headers
	}
	return map[string]*kgo.Record{
		"value":               arrived([]byte("A001"), big(12*mb)),
		"value by a byte":     arrived([]byte("A001"), big(8*mb)),
		"key":                 arrived(big(12*mb), []byte("{}")),
		"headers":             arrived([]byte("A001"), []byte("{}"), many(3, 4*mb)...),
		"many headers":        arrived([]byte("A001"), []byte("{}"), many(300_000, 30)...),
		"one header":          arrived([]byte("A001"), []byte("{}"), many(1, 12*mb)...),
		"value and key":       arrived(big(6*mb), big(6*mb)),
		"value and headers":   arrived([]byte("A001"), big(6*mb), many(6, mb)...),
		"key and headers":     arrived(big(6*mb), []byte("{}"), many(6, mb)...),
		"all":                 arrived(big(12*mb), big(12*mb), many(12, mb)...),
		"all, a third each":   arrived(big(3*mb), big(3*mb), many(3, mb)...),
		"value, long message": arrived([]byte("A001"), big(9*mb)),
	}
}

// TestDeadLetter_AlwaysFits is T5.
func TestDeadLetter_AlwaysFits(t *testing.T) {
	const third = topics.MaxOutputBytes/3 - 4096
	for name, r := range tooLarge() {
		t.Run(name, func(t *testing.T) {
			why := &topics.Reject{Reason: topics.ReasonOversized, Message: strings.Repeat("m", 2000)}
			letter := topics.DeadLetter(r, strings.Repeat("t", 249), 1<<31-1, why)
			if got := batchSize(letter); got > topics.MaxOutputBytes {
				t.Errorf("%d bytes are more than %d", got, topics.MaxOutputBytes)
			}
			said, ok := topics.LetterOf(letter)
			if !ok || said.Reason != topics.ReasonOversized || said.Origin.Offset != 991234 {
				t.Errorf("got %+v, %v", said, ok)
			}
			cut := 0
			for part, sizes := range map[string][3]int{ // what arrived, what is kept, what the headers say
				"value": {len(r.Value), len(letter.Value), said.OriginalBytes},
				"key":   {len(r.Key), len(letter.Key), said.OriginalKeyBytes},
			} {
				switch {
				case sizes[0] == sizes[1] && sizes[2] != 0:
					t.Errorf("%s is whole, but the headers say %d", part, sizes[2])
				case sizes[0] > sizes[1] && sizes[2] != sizes[0]:
					t.Errorf("%s was %d, the headers say %d", part, sizes[0], sizes[2])
				case sizes[1] < min(sizes[0], third):
					t.Errorf("%s was cut to %d, below a third", part, sizes[1])
				}
				cut += sizes[0] - sizes[1]
			}
			if !bytes.HasPrefix(r.Value, letter.Value) || !bytes.HasPrefix(r.Key, letter.Key) {
				t.Error("what is kept is no beginning of what arrived")
			}
			kept := len(letter.Headers) - len(topics.DeadLetter(arrived(nil, nil), "d", 0, why).Headers)
			for _, said := range []int{said.OriginalBytes, said.OriginalKeyBytes, said.HeadersDropped} {
				kept -= min(said, 1)
			}
			if len(r.Headers)-kept != said.HeadersDropped {
				t.Errorf("kept %d of %d headers, the headers say %d were dropped", kept, len(r.Headers), said.HeadersDropped)
			}
			if cut+said.HeadersDropped == 0 {
				t.Error("nothing was cut")
			}
			if err := validate(t, topics.DeadLetters, headersAsJSON(t, letter)); err != nil {
				t.Error(err)
			}
		})
	}
}

// batchSize is what a batch of this record alone takes on the broker when nothing is compressed.
func batchSize(r *kgo.Record) int {
	const batchHeader, lengthAndDeltas = 61, 4
	wire := kmsg.Record{Length: 1 << 28, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		wire.Headers = append(wire.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
	}
	return batchHeader + lengthAndDeltas + len(wire.AppendTo(nil))
}

// Ensure the broker agrees: what does not fit would stop a task for ever.
func TestDeadLetter_IsTakenByTheBroker(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		prefix := c.Prefix(t)
		if _, err := topics.Ensure(t.Context(), kadm.NewClient(c.Client(t)), topics.EnsureConfig{Prefix: prefix, Partitions: 1, SinkPartitions: 1}); err != nil {
			t.Fatal(err)
		}
		cl := c.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(topics.MaxOutputBytes),
			kgo.ProducerBatchCompression(kgo.NoCompression()))
		for name, r := range tooLarge() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			letter := topics.DeadLetter(r, prefix.Name(topics.DeadLetters), 0, refused)
			if err := cl.ProduceSync(ctx, letter).FirstErr(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
	})
}

func TestLetterOf_IsOfDeadLettersOnly(t *testing.T) {
	whole := []kgo.RecordHeader{
		header("origin_topic", "t"), header("origin_partition", "1"), header("origin_offset", "2"), header("origin_timestamp", "-3"),
		header("reason", "invalid"), header("message", "m"),
	}
	for i, h := range whole {
		var without []kgo.RecordHeader
		for j := range whole {
			if i != j {
				without = append(without, whole[j])
			}
		}
		if _, ok := topics.LetterOf(&kgo.Record{Headers: without}); ok != (h.Key == "message") {
			t.Errorf("without %s: got %v", h.Key, ok)
		}
	}
	for _, bad := range []kgo.RecordHeader{
		header("origin_topic", ""), header("origin_partition", "-1"), header("origin_partition", "4294967296"),
		header("origin_offset", "-1"), header("origin_offset", "1.0"), header("origin_timestamp", "now"),
	} {
		if said, ok := topics.LetterOf(&kgo.Record{Headers: append(slices.Clip(whole), bad)}); ok {
			t.Errorf("%s %q: got %s", bad.Key, bad.Value, fmt.Sprint(said))
		}
	}
	if said, ok := topics.LetterOf(&kgo.Record{Headers: whole}); !ok || said.Origin.TimestampMs != -3 {
		t.Errorf("got %+v, %v", said, ok)
	}
}
