package topics

import (
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic dead-letters: records that were not accepted, and why.
//
//	producer    processor, in its transactions
//	consumer    console, CLI, people
//	key         the original key; value and headers are the original's too
//	cleanup     delete, 30 d; 8 MiB a record
//	partitions  P, the partition of the task that refused the record
//	headers     origin_topic origin_partition origin_offset origin_timestamp (ms) reason message; and of one that was
//	            cut to fit: original_bytes original_key_bytes headers_dropped. All text, behind the original's: where
//	            the original has one of these names, the last counts
//	schema      schemas/dead-letters.json, of the headers; the value is whatever arrived
//	version     the list of reasons is closed

// The headers of dead letters and, but for the last five, of forwarded records.
const (
	HeaderOriginTopic      = "origin_topic"
	HeaderOriginPartition  = "origin_partition"
	HeaderOriginOffset     = "origin_offset"
	HeaderOriginTimestamp  = "origin_timestamp" // milliseconds
	HeaderReason           = "reason"
	HeaderMessage          = "message"
	HeaderOriginalBytes    = "original_bytes"     // of a cut value: its length
	HeaderOriginalKeyBytes = "original_key_bytes" // of a cut key: its length
	HeaderHeadersDropped   = "headers_dropped"    // how many of the original's headers did not fit
)

// MaxOutputBytes is what one record of availability, changelog and dead letters may take on the broker.
const MaxOutputBytes = 8 << 20

const (
	// batchOverhead is more than what a batch of one record adds to the record's own bytes: 61 for the batch, at most
	// 36 for the record's lengths and deltas.
	batchOverhead = 128
	// headerOverhead is the most that two lengths add to a header: five bytes each.
	headerOverhead = 10
	// maxMessage is the most that is kept of a reject's message, in bytes.
	maxMessage = 1024
)

// DeadLetter returns the record that says that r was refused and why, for the given partition of the dead-letter topic
// with that full name. It keeps r's key, value and headers, whose memory it shares, and adds headers that name r's
// first place (see OriginOf), reason and message. What does not fit MaxOutputBytes is cut: a part is cut only as far
// as needed and never below a third of the room, value first, then headers (dropped whole, the last first), then key.
// Its time is when it is produced.
func DeadLetter(r *kgo.Record, topic string, partition int32, why *Reject) *kgo.Record {
	origin := OriginOf(r)
	headers := r.Headers
	if origin.Hops > 0 {
		headers = withoutForwarding(headers)
	}
	own := append(origin.headers(),
		textHeader(HeaderReason, string(why.Reason)),
		textHeader(HeaderMessage, cutUTF8(strings.ToValidUTF8(why.Message, "\uFFFD"), maxMessage)))
	letter := &kgo.Record{Topic: topic, Partition: partition, Key: r.Key, Value: r.Value}

	// Room for what the cut itself may add is always kept.
	cutHeaders := []kgo.RecordHeader{
		intHeader(HeaderOriginalBytes, int64(len(r.Value))),
		intHeader(HeaderOriginalKeyBytes, int64(len(r.Key))),
		intHeader(HeaderHeadersDropped, int64(len(headers))),
	}
	room := MaxOutputBytes - batchOverhead - headerBytes(own) - headerBytes(cutHeaders)
	share := shareRoom(room, len(r.Value), headerBytes(headers), len(r.Key))
	if share.value < len(r.Value) {
		letter.Value = r.Value[:share.value:share.value]
		own = append(own, cutHeaders[0])
	}
	if share.key < len(r.Key) {
		letter.Key = r.Key[:share.key:share.key]
		own = append(own, cutHeaders[1])
	}
	kept := headersWithin(headers, share.headers)
	if dropped := len(headers) - len(kept); dropped > 0 {
		own = append(own, intHeader(HeaderHeadersDropped, int64(dropped)))
	}
	letter.Headers = append(slices.Clip(kept), own...)
	return letter
}

// shares is how many bytes the three parts of a dead letter may take.
type shares struct{ value, headers, key int }

// shareRoom gives each part what it needs, as far as there is room: the value gives way first, then the headers, then
// the key, but none below a third of the room.
func shareRoom(room, value, headers, key int) shares {
	third := room / 3
	s := shares{value, headers, key}
	s.value = min(value, max(third, room-headers-key))
	s.headers = min(headers, max(third, room-s.value-key))
	s.key = min(key, room-s.value-s.headers)
	return s
}

// headersWithin returns the longest run of headers, from the first, that takes at most so many bytes.
func headersWithin(headers []kgo.RecordHeader, room int) []kgo.RecordHeader {
	for i := range headers {
		if room -= headerBytes(headers[i : i+1]); room < 0 {
			return headers[:i]
		}
	}
	return headers
}

// headerBytes is the most that headers take in a record.
func headerBytes(headers []kgo.RecordHeader) int {
	n := 0
	for i := range headers {
		n += headerOverhead + len(headers[i].Key) + len(headers[i].Value)
	}
	return n
}

// textHeader makes a header of text.
func textHeader(name, text string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: []byte(text)}
}

// intHeader makes a header of a number, as decimal text.
func intHeader(name string, n int64) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: strconv.AppendInt(nil, n, 10)}
}

// Letter is what the headers of a dead letter say.
type Letter struct {
	Origin           Origin `json:"origin"`
	Reason           Reason `json:"reason"`
	Message          string `json:"message"`
	OriginalBytes    int    `json:"original_bytes,omitzero"`     // 0: the value is whole
	OriginalKeyBytes int    `json:"original_key_bytes,omitzero"` // 0: the key is whole
	HeadersDropped   int    `json:"headers_dropped,omitzero"`
}

// LetterOf reads the headers of a record of topic dead-letters; ok is false when it is none.
func LetterOf(r *kgo.Record) (letter Letter, ok bool) {
	reason, ok := lastHeader(r.Headers, HeaderReason)
	if !ok {
		return Letter{}, false
	}
	letter.Reason = Reason(reason)
	letter.Message, _ = lastHeader(r.Headers, HeaderMessage)
	letter.Origin, ok = originIn(r.Headers)
	count := func(name string) int {
		n, _ := intIn(r.Headers, name)
		return int(n)
	}
	letter.OriginalBytes = count(HeaderOriginalBytes)
	letter.OriginalKeyBytes = count(HeaderOriginalKeyBytes)
	letter.HeadersDropped = count(HeaderHeadersDropped)
	return letter, ok
}
