package testenv

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// deadLetter is one record of the dead-letter topic.
type deadLetter struct {
	record *kgo.Record
	origin Place
	reason topics.Reason
	whole  bool // not cut
}

// readDeadLetters reads the dead letters by their headers.
func (k *checker) readDeadLetters(ctx context.Context) error {
	_, err := scan(ctx, k.cluster, k.cfg.Prefix.Name(topics.DeadLetters), func(r *kgo.Record) error {
		d, err := k.parseDeadLetter(r)
		if err != nil {
			k.addf("dead-letters/%d@%d: %s", r.Partition, r.Offset, err)
			return nil
		}
		k.dead = append(k.dead, d)
		return nil
	})
	return err
}

func (k *checker) parseDeadLetter(r *kgo.Record) (deadLetter, error) {
	d := deadLetter{record: r, whole: true}
	h := map[string]string{}
	for _, header := range r.Headers {
		h[header.Key] = string(header.Value) // the last wins: ours come after the original ones
	}
	for _, name := range []string{"original_bytes", "original_key_bytes", "headers_dropped"} {
		if _, ok := h[name]; ok {
			d.whole = false
		}
	}
	base, ok := k.cfg.Prefix.Base(h["origin_topic"])
	if !ok {
		return d, fmt.Errorf("origin_topic: %q", h["origin_topic"])
	}
	partition, err := strconv.ParseInt(h["origin_partition"], 10, 32)
	if err != nil {
		return d, fmt.Errorf("origin_partition: %q", h["origin_partition"])
	}
	offset, err := strconv.ParseInt(h["origin_offset"], 10, 64)
	if err != nil {
		return d, fmt.Errorf("origin_offset: %q", h["origin_offset"])
	}
	if _, err := strconv.ParseInt(h["origin_timestamp"], 10, 64); err != nil {
		return d, fmt.Errorf("origin_timestamp: %q", h["origin_timestamp"])
	}
	if h["message"] == "" {
		return d, fmt.Errorf("no message")
	}
	d.origin, d.reason = Place{base, int32(partition), offset}, topics.Reason(h["reason"])
	return d, nil
}

// firstPlace is where a record stood before it was forwarded.
func firstPlace(prefix topics.Prefix, r *kgo.Record) Place {
	o := topics.OriginOf(r)
	base, _ := prefix.Base(o.Topic)
	return Place{base, o.Partition, o.Offset}
}

// checkDeadLetters compares the dead letters with those the oracle wants, as a multiset.
func (k *checker) checkDeadLetters() {
	got := map[Place][]deadLetter{}
	for _, d := range k.dead {
		got[d.origin] = append(got[d.origin], d)
	}
	for _, j := range k.truth.Dead {
		origin := firstPlace(k.cfg.Prefix, j.Record)
		letters := got[origin]
		if len(letters) == 0 {
			k.addf("%s: has no dead letter, want %s", origin, j.Reason)
			continue
		}
		k.compareDeadLetter(origin, letters[0], j)
		got[origin] = letters[1:]
	}
	for origin, letters := range got {
		for _, d := range letters {
			k.addf("%s: a dead letter too many, of reason %s", origin, d.reason)
		}
	}
}

func (k *checker) compareDeadLetter(origin Place, d deadLetter, j *Judged) {
	who := fmt.Sprintf("dead letter of %s", origin)
	differ(k.Differences, who, "reason", d.reason, j.Reason)
	differ(k.Differences, who, "partition", d.record.Partition, j.Place.Partition)
	if !d.whole {
		if !bytes.HasPrefix(j.Record.Value, d.record.Value) || !bytes.HasPrefix(j.Record.Key, d.record.Key) {
			k.addf("%s: was cut, and is not a beginning of the original", who)
		}
		return
	}
	if !bytes.Equal(d.record.Key, j.Record.Key) || (d.record.Key == nil) != (j.Record.Key == nil) {
		k.addf("%s: key: got %q, want %q", who, d.record.Key, j.Record.Key)
	}
	if !bytes.Equal(d.record.Value, j.Record.Value) || (d.record.Value == nil) != (j.Record.Value == nil) {
		k.addf("%s: value: got %.80q, want %.80q", who, d.record.Value, j.Record.Value)
	}
	for _, h := range j.Record.Headers {
		if !isOriginHeader(h.Key) && !hasHeader(d.record, h) {
			k.addf("%s: header %q is gone", who, h.Key)
		}
	}
}
