package topics

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// HeaderHops names the header of a forwarded record that counts how often it was forwarded. With the origin headers it
// is what makes a record a forwarded one.
const HeaderHops = "hops"

// MaxHops is how often a record is forwarded at most; then it is a dead letter (misrouted).
const MaxHops = 2

// MaxInputBytes is what one record of mutations and orders may take on the broker: a value of the default
// MAX_RECORD_BYTES, its key, and headers, with room for the headers that a forward adds. A broker's own default
// would take a record of just 1 MiB and then refuse its forwarded copy.
const MaxInputBytes = 2 << 20

// Origin is the place where a record came in first.
type Origin struct {
	Topic       string `json:"topic"`
	Partition   int32  `json:"partition"`
	Offset      int64  `json:"offset"`
	TimestampMs int64  `json:"timestamp_ms"`
	Hops        int    `json:"hops,omitzero"` // how often it was forwarded since
}

// OriginOf returns r's own place, or the first place of a record that was forwarded to r's topic. Origin headers
// without hops, or of another topic, are a producer's (a dead letter that was sent in again has them) and mean nothing.
func OriginOf(r *kgo.Record) Origin {
	hops, ok := intIn(r.Headers, HeaderHops)
	if ok && hops > 0 && hops <= MaxHops {
		if o, ok := originIn(r.Headers); ok && o.Topic == r.Topic {
			o.Hops = int(hops)
			return o
		}
	}
	return Origin{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMs: r.Timestamp.UnixMilli()}
}

// Forward returns r for another partition of its topic, with its first place and one hop more in its headers, and the
// time when it is produced. It shares the memory of r. Headers of r that do not fit MaxInputBytes are dropped, the
// last first: the fold reads none, and a transaction must never be stuck on them.
func Forward(r *kgo.Record, partition int32) *kgo.Record {
	origin := OriginOf(r)
	origin.Hops++
	own := append(origin.headers(), intHeader(HeaderHops, int64(origin.Hops)))
	room := MaxInputBytes - batchOverhead - headerBytes(own) - len(r.Key) - len(r.Value)
	kept := headersWithin(withoutForwarding(r.Headers), room)
	return &kgo.Record{
		Topic:     r.Topic,
		Partition: partition,
		Key:       r.Key,
		Value:     r.Value,
		Headers:   append(slices.Clip(kept), own...),
	}
}

// headers returns the four headers that name the origin.
func (o Origin) headers() []kgo.RecordHeader {
	headers := make([]kgo.RecordHeader, 0, 8)
	return append(headers,
		textHeader(HeaderOriginTopic, o.Topic),
		intHeader(HeaderOriginPartition, int64(o.Partition)),
		intHeader(HeaderOriginOffset, o.Offset),
		intHeader(HeaderOriginTimestamp, o.TimestampMs))
}

// originIn reads the four headers; ok is false when one is absent or not of its form.
func originIn(headers []kgo.RecordHeader) (o Origin, ok bool) {
	topic, ok1 := lastHeader(headers, HeaderOriginTopic)
	partition, ok2 := intIn(headers, HeaderOriginPartition)
	offset, ok3 := intIn(headers, HeaderOriginOffset)
	timestamp, ok4 := intIn(headers, HeaderOriginTimestamp)
	ok = ok1 && ok2 && ok3 && ok4 && topic != "" && partition >= 0 && partition == int64(int32(partition)) && offset >= 0
	return Origin{Topic: topic, Partition: int32(partition), Offset: offset, TimestampMs: timestamp}, ok
}

// withoutForwarding returns headers without those that Forward adds.
func withoutForwarding(headers []kgo.RecordHeader) []kgo.RecordHeader {
	ours := func(h kgo.RecordHeader) bool {
		switch h.Key {
		case HeaderOriginTopic, HeaderOriginPartition, HeaderOriginOffset, HeaderOriginTimestamp, HeaderHops:
			return true
		}
		return false
	}
	if !slices.ContainsFunc(headers, ours) {
		return headers
	}
	return slices.DeleteFunc(slices.Clone(headers), ours)
}

// lastHeader returns the value of the last header of that name.
func lastHeader(headers []kgo.RecordHeader, name string) (value string, ok bool) {
	for i := range slices.Backward(headers) {
		if headers[i].Key == name {
			return string(headers[i].Value), true
		}
	}
	return "", false
}

// intIn returns the last header of that name as a number; ok is false when it is absent or no decimal text.
func intIn(headers []kgo.RecordHeader, name string) (n int64, ok bool) {
	text, ok := lastHeader(headers, name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
