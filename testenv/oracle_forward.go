package testenv

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// copyKey names a forwarded copy by the first place of its record and by how often it was forwarded.
type copyKey struct {
	topic     string
	partition int32
	offset    int64
	hops      int
}

func keyOfCopy(r *kgo.Record, more int) copyKey {
	o := topics.OriginOf(r)
	return copyKey{o.Topic, o.Partition, o.Offset, o.Hops + more}
}

// findCopies indexes the forwarded copies that stand in the inputs.
func (f *refolder) findCopies() {
	f.copies = map[copyKey][]*Judged{}
	for _, byPartition := range f.truth.Inputs {
		for _, judged := range byPartition {
			for i := range judged {
				if r := judged[i].Record; len(r.Headers) > 0 && topics.OriginOf(r).Hops > 0 {
					k := keyOfCopy(r, 0)
					f.copies[k] = append(f.copies[k], &judged[i])
				}
			}
		}
	}
}

// step is the index of the first partition count under which the record's partition owns its key; the
// last index when none does.
func (f *refolder) step(j *Judged) int {
	for i, n := range f.cfg.Partitions {
		if topics.PartitionOf(j.Record.Key, n) == j.Place.Partition {
			return i
		}
	}
	return len(f.cfg.Partitions) - 1
}

// ownKey tells whether a valid record's key belongs to its partition; if not, it gives the verdict. A
// record whose key left the partition by a scale was folded before that and forwarded afterwards: then
// its copy tells.
func (f *refolder) ownKey(j *Judged) bool {
	newest := f.cfg.Partitions[len(f.cfg.Partitions)-1]
	if topics.PartitionOf(j.Record.Key, newest) == j.Place.Partition {
		return true
	}
	copies := f.copies[keyOfCopy(j.Record, 1)]
	for _, n := range f.cfg.Partitions {
		if topics.PartitionOf(j.Record.Key, n) == j.Place.Partition && len(copies) == 0 {
			return true
		}
	}
	if topics.OriginOf(j.Record).Hops >= topics.MaxHops {
		j.die(topics.ReasonMisrouted)
		return false
	}
	j.Verdict = VerdictForwarded
	if len(copies) == 0 {
		f.truth.Faults = append(f.truth.Faults,
			fmt.Sprintf("%s: belongs to another partition and has no copy there", j.Place))
	}
	return false
}

// copyFaults tests each forwarded copy: made once, of a record that was forwarded, with its bytes, in a
// partition that owned the key.
func (f *refolder) copyFaults() []string {
	var faults []string
	sources := map[copyKey]*Judged{}
	for _, byPartition := range f.truth.Inputs {
		for _, judged := range byPartition {
			for i := range judged {
				if judged[i].Verdict == VerdictForwarded {
					sources[keyOfCopy(judged[i].Record, 1)] = &judged[i]
				}
			}
		}
	}
	for key, copies := range f.copies {
		source := sources[key]
		if source == nil {
			faults = append(faults, fmt.Sprintf("%s: a copy of a record that was not forwarded", copies[0].Place))
			continue
		}
		if len(copies) > 1 {
			faults = append(faults, fmt.Sprintf("%s: forwarded %d times", source.Place, len(copies)))
		}
		for _, c := range copies {
			if why := f.copyFault(source, c); why != "" {
				faults = append(faults, fmt.Sprintf("%s: copy of %s %s", c.Place, source.Place, why))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func (f *refolder) copyFault(source, c *Judged) string {
	if !bytes.Equal(source.Record.Key, c.Record.Key) || !bytes.Equal(source.Record.Value, c.Record.Value) {
		return "has another key or value"
	}
	for _, h := range source.Record.Headers {
		if !isOriginHeader(h.Key) && !hasHeader(c.Record, h) {
			return fmt.Sprintf("lacks header %q", h.Key)
		}
	}
	if !slices.ContainsFunc(f.cfg.Partitions, func(n int32) bool {
		return topics.PartitionOf(c.Record.Key, n) == c.Place.Partition
	}) {
		return "stands in a partition that never owned its key"
	}
	return ""
}

func isOriginHeader(name string) bool {
	switch name {
	case "origin_topic", "origin_partition", "origin_offset", "origin_timestamp", "hops":
		return true
	}
	return false
}

func hasHeader(r *kgo.Record, want kgo.RecordHeader) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool {
		return h.Key == want.Key && bytes.Equal(h.Value, want.Value)
	})
}
