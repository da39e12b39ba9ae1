package state

import (
	"encoding/binary"
	"fmt"

	"stocksync/topics"
)

// taskFormat is the format byte of a task record. Version 1: the fields of TaskRecord in order.
const taskFormat = 1

// inputs of a task, in the order of TaskRecord.Inputs.
const (
	InputMutations = iota
	InputOrders
	InputCommands
	inputCount
)

// InputBases are the base names of a task's inputs, in the order of TaskRecord.Inputs.
func InputBases() [inputCount]string {
	return [inputCount]string{topics.Mutations, topics.Orders, topics.Commands}
}

// TaskRecord is the state of a task beside its SKUs. Every transaction writes it for each task that
// moved, so it names the inputs that the changelog up to it has folded.
type TaskRecord struct {
	Writer     string // version of the release that wrote it
	Partitions int32  // the task's own partition count, by which it decides which keys are its own
	Inputs     [inputCount]InputPosition
	Nightly    Nightly
	Counters   Counters
	Newest     topics.Time // newest broker time of an input record
	Policy     Policy      // of the last walk begun
	WalkEnded  bool
	SplitFrom  int32 // partition count before a split in progress; 0 = none
}

// InputPosition is how far one input topic is folded.
type InputPosition struct {
	TopicID     [16]byte
	Next        int64 // next offset to fold
	LeaderEpoch int32 // of the last record folded; -1 unknown
}

// Nightly is where the nightly run of a task stands.
type Nightly struct {
	Done   int32  // local date done, days since 1970; 0 = none
	Cursor string // how far the run in progress is; empty when none is
	RunID  string // of the run in progress or the last one
}

// Counters are cumulative over a task's life: Consumed = Applied + Duplicate + DeadLettered + Forwarded.
type Counters struct {
	Consumed     int64 `json:"consumed"`
	Applied      int64 `json:"applied"`
	Duplicate    int64 `json:"duplicate"`
	DeadLettered int64 `json:"dead_lettered"`
	Forwarded    int64 `json:"forwarded"`
}

// add counts one consumed record.
func (c *Counters) add(o Outcome) {
	c.Consumed++
	switch o {
	case Applied:
		c.Applied++
	case Duplicate:
		c.Duplicate++
	case DeadLettered:
		c.DeadLettered++
	case Forwarded:
		c.Forwarded++
	}
}

// Append appends the record's changelog value.
func (r *TaskRecord) Append(b []byte) []byte {
	b = append(b, taskFormat)
	b = appendString(b, r.Writer)
	b = binary.AppendUvarint(b, uint64(r.Partitions))
	for i := range r.Inputs {
		in := &r.Inputs[i]
		b = append(b, in.TopicID[:]...)
		b = binary.AppendUvarint(b, uint64(in.Next))
		b = binary.AppendUvarint(b, zigzag(int64(in.LeaderEpoch)))
	}
	b = binary.AppendUvarint(b, zigzag(int64(r.Nightly.Done)))
	b = appendString(b, r.Nightly.Cursor)
	b = appendString(b, r.Nightly.RunID)
	for _, n := range [...]int64{
		r.Counters.Consumed, r.Counters.Applied, r.Counters.Duplicate, r.Counters.DeadLettered, r.Counters.Forwarded,
	} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(r.Newest))
	bits := r.Policy.bits()
	if r.WalkEnded {
		bits |= policyWalkEnded
	}
	b = append(b, bits)
	return binary.AppendUvarint(b, uint64(r.SplitFrom))
}

// DecodeTaskRecord reads a changelog value of the task key.
func DecodeTaskRecord(value []byte) (*TaskRecord, error) {
	c := cursor{rest: value}
	c.format(taskFormat, "task record")
	r := &TaskRecord{Writer: c.string(), Partitions: int32(c.uvarint())}
	for i := range r.Inputs {
		in := &r.Inputs[i]
		copy(in.TopicID[:], c.take(16))
		in.Next, in.LeaderEpoch = int64(c.uvarint()), int32(c.varint())
	}
	r.Nightly = Nightly{Done: int32(c.varint()), Cursor: c.string(), RunID: c.string()}
	n := &r.Counters
	for _, p := range [...]*int64{&n.Consumed, &n.Applied, &n.Duplicate, &n.DeadLettered, &n.Forwarded} {
		*p = int64(c.uvarint())
	}
	r.Newest = topics.Time(c.uvarint())
	bits := c.byte()
	r.Policy, r.WalkEnded = policyOf(bits), bits&policyWalkEnded != 0
	r.SplitFrom = int32(c.uvarint())
	if c.err == nil && len(c.rest) > 0 {
		c.fail()
	}
	if c.err != nil {
		return nil, fmt.Errorf("task record: %w", c.err)
	}
	return r, nil
}
