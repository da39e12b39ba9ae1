package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// auditor is one audit in progress: it reads the topics into the scratch, in the order of this file, and then goes
// through the scratch SKU by SKU.
//
// All is compared as of one moment, the cut, although processors go on meanwhile:
//
//   - The cut of the changelog is an offset of each partition below which all is decided, so whole transactions, and
//     the last task record before it names how far the inputs are folded.
//   - Changelog and availability of a commit are one transaction. What was committed to availability before the
//     changelog's end was asked for is not newer than the cut; of what comes behind, the record with the header's
//     revision is the one to compare.
//   - Dead letters and forwarded copies of what is folded at the cut had been produced by then: they are below the
//     ends asked for afterwards.
type auditor struct {
	*call
	auditOptions
	admin   *kadm.Client
	scratch *state.Scratch
	report  *AuditReport

	tasks      map[int32]*auditTask
	partitions int32           // by which SKUs have their home; 0: there is no task record
	before     map[int32]int64 // availability below it is not newer than the cut
	logs       [2]map[int32]*auditLog
	letters    map[int32]*auditLog
	gaps       map[int32]string // partitions whose inputs do not hold all that was folded, and why
	divisors   []int32          // of partitions: what their number may have been
	policies   map[auditPolicy]int64
	group      auditGroup

	read   int64
	logged time.Time
}

// auditTask is the last task record of a partition at the cut.
type auditTask struct {
	*state.TaskRecord
	offset int64 // in the changelog
}

// auditLog is what one partition of a topic still holds.
type auditLog struct {
	start, end int64
	next       int64       // of an input: the first offset that is not folded
	oldest     topics.Time // of the first record that is there; none: there is none
	folded     int64       // of an input: records below next
	open       bool        // a producer's transaction is open: what it may hold is not seen
	lost       string      // why the log does not tell what was folded; empty: it does
}

// auditPolicy counts the SKUs of a partition by what their Reserved was made with.
type auditPolicy struct {
	partition int32
	policy    state.Policy
}

// Limits of an audit.
const (
	// auditRounds bounds how often the changelog's end is asked for again. Between two rounds compaction may take a
	// record for the sake of one behind the end; a round of at most auditRoundRecords leaves no time for that.
	auditRounds       = 8
	auditRoundRecords = 10_000
	// auditPoll is how often a transaction that is open is looked at.
	auditPoll = 20 * time.Millisecond
	// auditLogEvery is how often an audit that takes long says so.
	auditLogEvery = 10 * time.Second
)

// runAudit audits everything, or one SKU.
func (c *call) runAudit(ctx context.Context, o auditOptions) (_ *AuditReport, err error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	a := &auditor{
		call: c, auditOptions: o, admin: kadm.NewClient(cl), logged: time.Now(),
		report: &AuditReport{Differences: []AuditDifference{}, Unchecked: []AuditGap{}},
		tasks:  map[int32]*auditTask{}, letters: map[int32]*auditLog{}, gaps: map[int32]string{},
		policies: map[auditPolicy]int64{},
	}
	for _, base := range []string{
		topics.Changelog, topics.AvailabilityTopic, topics.Mutations, topics.Orders, topics.DeadLetters,
	} {
		if _, err := partitionsOf(ctx, a.admin, c.topic(base)); err != nil {
			return nil, err
		}
	}
	if a.scratch, err = state.OpenScratch(c.cfg.StateDir, c.log); err != nil {
		return nil, fmt.Errorf("%w; STATE_DIR names a directory to work in", err)
	}
	defer func() { err = errors.Join(err, a.scratch.Close()) }()
	for _, step := range []func(context.Context) error{
		a.readChangelog, a.readAvailability, a.readLetters, a.readInputs, a.walk,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	a.finish()
	if r := a.report; a.sku != "" && r.SKUs+r.Inputs+r.NotFolded+r.Found == 0 {
		return nil, fmt.Errorf("%s: %w", a.sku, errUnknownSKU)
	}
	return a.report, nil
}

// readChangelog reads up to the cut, and the task records among it.
func (a *auditor) readChangelog(ctx context.Context) error {
	topic := a.topic(topics.Changelog)
	from, err := offsetsOf(ctx, topic, "start", a.admin.ListStartOffsets)
	if err != nil {
		return err
	}
	for range auditRounds {
		if a.before, err = a.committed(ctx, topics.AvailabilityTopic); err != nil {
			return err
		}
		to, err := a.settled(ctx, topics.Changelog)
		if err != nil {
			return err
		}
		first := a.read
		if err := a.scan(ctx, topics.Changelog, from, to, a.takeChangelog); err != nil {
			return err
		}
		from = to
		if a.read-first <= auditRoundRecords {
			break
		}
	}
	for p, t := range a.tasks {
		a.partitions = max(a.partitions, t.Partitions)
		a.checkTask(p, t)
	}
	a.report.Partitions = len(a.tasks)
	return nil
}

// committed returns up to where a topic is committed.
func (a *auditor) committed(ctx context.Context, base string) (map[int32]int64, error) {
	return offsetsOf(ctx, a.topic(base), "end", a.admin.ListCommittedOffsets)
}

// settled waits until all that was produced before the call is committed or aborted, and returns up to where all is.
func (a *auditor) settled(ctx context.Context, base string) (map[int32]int64, error) {
	produced, err := offsetsOf(ctx, a.topic(base), "end", a.admin.ListEndOffsets)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, scanStall, fmt.Errorf(
		"%s: a transaction is open for longer than %s: %w", a.topic(base), scanStall, errStalled))
	defer cancel()
	tick := time.NewTicker(auditPoll)
	defer tick.Stop()
	for {
		ends, err := a.committed(ctx, base)
		if err != nil {
			return nil, err
		}
		decided := true
		for p, end := range produced {
			decided = decided && ends[p] >= end
		}
		if decided {
			return ends, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// span returns all of a topic that was produced before the call.
func (a *auditor) span(ctx context.Context, base string) (from, to map[int32]int64, err error) {
	if from, err = offsetsOf(ctx, a.topic(base), "start", a.admin.ListStartOffsets); err != nil {
		return nil, nil, err
	}
	to, err = a.settled(ctx, base)
	return from, to, err
}

// scan reads spans of a topic, and says how far it is when that takes long.
func (a *auditor) scan(
	ctx context.Context, base string, from, to map[int32]int64, each func(*kgo.Record) error,
) error {
	cl, err := a.reader()
	if err != nil {
		return err
	}
	defer cl.Close()
	return scanSpan(ctx, cl, a.topic(base), from, to, func(r *kgo.Record) error {
		a.read++
		if a.read&0xfff == 0 && time.Since(a.logged) > auditLogEvery {
			a.logged = time.Now()
			a.log.Info("audit is reading", "topic", r.Topic, "records", a.read)
		}
		return each(r)
	})
}

// takeChangelog puts a chunk of a SKU into the scratch, or keeps a task record.
func (a *auditor) takeChangelog(r *kgo.Record) error {
	d := AuditDifference{
		Check: CheckLines, What: "changelog record", Want: "readable",
		Evidence: a.evidence(topics.Changelog, r.Partition, r.Offset),
	}
	if state.IsTaskKey(r.Key) {
		record, err := state.DecodeTaskRecord(r.Value)
		if err != nil {
			d.Check = CheckTask
			return a.unreadable(d, err)
		}
		a.tasks[r.Partition] = &auditTask{record, r.Offset}
		return nil
	}
	sku, number, err := state.SplitChunkKey(r.Key)
	if known := err == nil && mayBeSKU(sku); !known {
		d.Got = fmt.Sprintf("key %q", r.Key)
		a.differ(d)
		return nil
	}
	if a.sku != "" && string(sku) != a.sku {
		return nil
	}
	key := binary.BigEndian.AppendUint32(auditKey(sku, auditChunk), uint32(r.Partition))
	key = binary.BigEndian.AppendUint32(key, number)
	if r.Value == nil {
		return a.scratch.Delete(key)
	}
	return a.scratch.Put(key, append(binary.BigEndian.AppendUint64(nil, uint64(r.Offset)), r.Value...))
}

// unreadable notes that a value can't be read. One of a newer release is an error: this one can't tell.
func (a *auditor) unreadable(d AuditDifference, err error) error {
	if errors.Is(err, state.ErrNewerFormat) {
		return err
	}
	d.Got, d.Want = err.Error(), "readable"
	a.differ(d)
	return nil
}

// readAvailability keeps the last record of each SKU before the cut, and all behind it that may still belong to it.
func (a *auditor) readAvailability(ctx context.Context) error {
	from, to, err := a.span(ctx, topics.AvailabilityTopic)
	if err != nil {
		return err
	}
	return a.scan(ctx, topics.AvailabilityTopic, from, to, a.takeAvailability)
}

func (a *auditor) takeAvailability(r *kgo.Record) error {
	if !mayBeSKU(r.Key) {
		a.differ(AuditDifference{
			Check: CheckAvailability, What: "record", Got: fmt.Sprintf("key %q", r.Key), Want: "a SKU",
			Evidence: a.evidence(topics.AvailabilityTopic, r.Partition, r.Offset),
		})
		return nil
	}
	if a.sku != "" && string(r.Key) != a.sku {
		return nil
	}
	revision := revisionOf(r)
	key := binary.BigEndian.AppendUint32(auditKey(r.Key, auditAvailability), uint32(r.Partition))
	if r.Offset >= a.before[r.Partition] {
		key = binary.BigEndian.AppendUint64(key, uint64(revision))
	}
	return a.scratch.Put(key, auditRecord{offset: r.Offset, revision: revision, value: r.Value}.append(nil))
}

// revisionOf returns the header revision, or -1 when there is none.
func revisionOf(r *kgo.Record) int64 {
	for i := range r.Headers {
		if r.Headers[i].Key == topics.HeaderRevision {
			if n, err := strconv.ParseInt(string(r.Headers[i].Value), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// auditRecord is a record of availability.
type auditRecord struct {
	offset   int64
	revision int64  // of its header
	value    []byte // empty: a tombstone
}

func (r auditRecord) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(r.revision))
	return append(b, r.value...)
}

func readAuditRecord(b []byte) auditRecord {
	return auditRecord{
		offset: int64(binary.BigEndian.Uint64(b)), revision: int64(binary.BigEndian.Uint64(b[8:])), value: b[16:],
	}
}

// readLetters reads the dead letters of what is folded at the cut, and later ones.
func (a *auditor) readLetters(ctx context.Context) error {
	from, to, err := a.span(ctx, topics.DeadLetters)
	if err != nil {
		return err
	}
	for p := range to {
		a.letters[p] = &auditLog{start: from[p], end: to[p]}
	}
	inputs := map[string]int{a.topic(topics.Mutations): state.InputMutations, a.topic(topics.Orders): state.InputOrders}
	return a.scan(ctx, topics.DeadLetters, from, to, func(r *kgo.Record) error {
		a.letters[r.Partition].saw(r)
		letter, ok := topics.LetterOf(r)
		if !ok {
			a.differ(AuditDifference{
				Check: CheckDeadLetters, What: "record", Got: "no reason or origin in its headers", Want: "both",
				Evidence: a.evidence(topics.DeadLetters, r.Partition, r.Offset),
			})
			return nil
		}
		input, ok := inputs[letter.Origin.Topic]
		if !ok {
			return nil // a command: it changes no stock
		}
		rest := append(auditPlace{input, letter.Origin.Partition, letter.Origin.Offset}.append(nil), auditRefused)
		rest = binary.BigEndian.AppendUint32(rest, uint32(r.Partition))
		rest = binary.BigEndian.AppendUint64(rest, uint64(r.Offset))
		if err := a.scratch.Put(append(auditKey(nil, auditLetter), rest...), []byte(letter.Reason)); err != nil {
			return err
		}
		if !mayBeSKU(r.Key) || a.sku != "" && string(r.Key) != a.sku {
			return nil
		}
		return a.scratch.Put(append(auditKey(r.Key, auditLetter), rest...), []byte(letter.Reason))
	})
}

// saw keeps the time of the first record.
func (l *auditLog) saw(r *kgo.Record) {
	if l.oldest.IsZero() {
		l.oldest = topics.TimeOf(r.Timestamp)
	}
}

// readInputs reads what is left of the inputs.
func (a *auditor) readInputs(ctx context.Context) error {
	for input := range a.logs {
		base := state.InputBases()[input]
		if err := a.lookUpLogs(ctx, input, base); err != nil {
			return err
		}
		from, to := map[int32]int64{}, map[int32]int64{}
		for p, log := range a.logs[input] {
			if log.lost == "" {
				from[p], to[p] = log.start, log.end
			}
		}
		err := a.scan(ctx, base, from, to, func(r *kgo.Record) error { return a.takeInput(input, r) })
		if err != nil {
			return err
		}
	}
	a.lookForGaps()
	return nil
}

// lookUpLogs finds out what each partition of an input holds, and whether that is what the task has folded.
func (a *auditor) lookUpLogs(ctx context.Context, input int, base string) error {
	topic := a.topic(base)
	found, err := a.admin.ListTopics(ctx, topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return fmt.Errorf("look up topic %s: %w", topic, err)
	}
	produced, err := offsetsOf(ctx, topic, "end", a.admin.ListEndOffsets)
	if err != nil {
		return err
	}
	starts, ends, err := bounds(ctx, a.admin, topic, nil)
	if err != nil {
		return err
	}
	logs := map[int32]*auditLog{}
	for p, end := range ends {
		log := &auditLog{start: starts[p], end: end, open: end < produced[p]}
		logs[p] = log
		task := a.tasks[p]
		if task == nil {
			continue
		}
		at := task.Inputs[input]
		log.next = at.Next
		switch {
		case at.TopicID != [16]byte{} && at.TopicID != [16]byte(found[topic].ID):
			log.lost = fmt.Sprintf("%s was deleted and made anew since they were folded", topic)
		case at.Next > end:
			log.lost = fmt.Sprintf("%s/%d ends at offset %d, and the task has folded up to %d", topic, p, end, at.Next)
		}
	}
	a.logs[input] = logs
	return nil
}
