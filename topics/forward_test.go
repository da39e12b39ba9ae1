package topics_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

func TestForward_CarriesTheFirstPlaceAndCountsHops(t *testing.T) {
	r := arrived([]byte("A001"), []byte("{}"), header("traceparent", "00-1-2-01"))
	own := topics.OriginOf(r)
	if want := (topics.Origin{Topic: "stock.mutations", Partition: 5, Offset: 991234, TimestampMs: 1790388902431}); own != want {
		t.Fatalf("got %+v, want %+v", own, want)
	}
	for hop := 1; hop <= topics.MaxHops; hop++ {
		moved := topics.Forward(r, int32(hop))
		want := []kgo.RecordHeader{
			header("traceparent", "00-1-2-01"), header("origin_topic", "stock.mutations"), header("origin_partition", "5"),
			header("origin_offset", "991234"), header("origin_timestamp", "1790388902431"), header("hops", []string{"", "1", "2"}[hop]),
		}
		if diff := cmp.Diff(moved.Headers, want); diff != "" {
			t.Errorf("hop %d: headers: got (-) is not want (+):\n%s", hop, diff)
		}
		if moved.Topic != r.Topic || moved.Partition != int32(hop) || !moved.Timestamp.IsZero() ||
			string(moved.Key) != "A001" || string(moved.Value) != "{}" {
			t.Errorf("hop %d: got %v", hop, moved)
		}
		// It arrives at its next place.
		moved.Offset, moved.Timestamp = int64(hop), time.UnixMilli(1)
		own.Hops = hop
		if got := topics.OriginOf(moved); got != own {
			t.Errorf("hop %d: got origin %+v, want %+v", hop, got, own)
		}
		r = moved
	}
}

func TestOriginOf_BelievesNoProducer(t *testing.T) {
	whole := func(topic, hops string) []kgo.RecordHeader {
		return []kgo.RecordHeader{
			header("origin_topic", topic), header("origin_partition", "1"), header("origin_offset", "2"), header("origin_timestamp", "3"),
			header("hops", hops),
		}
	}
	rows := map[string][]kgo.RecordHeader{
		"no hops":       whole("stock.mutations", "1")[:4],
		"another topic": whole("stock.orders", "1"),
		"zero hops":     whole("stock.mutations", "0"),
		"negative hops": whole("stock.mutations", "-1"),
		"too many hops": whole("stock.mutations", "3"),
		"hops in words": whole("stock.mutations", "one"),
		"empty hops":    whole("stock.mutations", ""),
		"no offset":     append(whole("stock.mutations", "1")[:2:2], whole("stock.mutations", "1")[3:]...),
		"a bad last":    append(whole("stock.mutations", "1"), header("origin_offset", "-2")),
	}
	for name, headers := range rows {
		if got := topics.OriginOf(arrived(nil, nil, headers...)); got.Offset != 991234 || got.Hops != 0 {
			t.Errorf("%s: got %+v, want the record's own place", name, got)
		}
	}
	if got := topics.OriginOf(arrived(nil, nil, whole("stock.mutations", "2")...)); got.Offset != 2 || got.Hops != 2 {
		t.Errorf("of a forwarded record: got %+v", got)
	}
}

func TestForward_DropsHeadersThatDoNotFit(t *testing.T) {
	var headers []kgo.RecordHeader
	for range 10 {
		headers = append(headers, kgo.RecordHeader{Key: "h", Value: bytes.Repeat([]byte("x"), 200_000)})
	}
	value := bytes.Repeat([]byte("v"), 1<<20)
	r := arrived([]byte("A001"), value, append(headers, header("last", "1"))...)
	moved := topics.Forward(r, 1)
	if got := batchSize(moved); got > topics.MaxInputBytes {
		t.Errorf("%d bytes are more than %d", got, topics.MaxInputBytes)
	}
	if got := topics.OriginOf(moved); got.Hops != 1 || !bytes.Equal(moved.Value, value) {
		t.Errorf("got origin %+v, value of %d", got, len(moved.Value))
	}
	if got := len(moved.Headers); got != 5+5 || texts(moved)["last"] != "" {
		t.Errorf("got %d headers", got)
	}
	if len(r.Headers) != 11 {
		t.Errorf("the record was changed: %d headers", len(r.Headers))
	}
}
