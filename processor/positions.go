package processor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// Positions is where one task stands: next offsets by input base name.
type Positions struct {
	Partition  int32            `json:"partition"`
	HasRecord  bool             `json:"has_task_record"`
	Partitions int32            `json:"partitions"` // the task's own count; 0 without a record
	Next       map[string]int64 `json:"next"`
	Start      map[string]int64 `json:"log_start"`
	End        map[string]int64 `json:"log_end"`
	Counters   state.Counters   `json:"counters"`
}

// Errors of SetPositions.
var (
	// ErrRunning reports that the group has members: positions are set while it is stopped.
	ErrRunning = errors.New("the processor group is running; stop every instance first")
	// ErrPosition reports a partition, an input or an offset that is not there.
	ErrPosition = errors.New("no such position")
)

// beside returns a processor of the same installation that runs nothing, and may be connected while p
// runs.
func (p *Processor) beside() *Processor { return &Processor{c: p.c, names: p.names} }

// ShowPositions reads the task records of all partitions. It works beside running instances, p's own Run
// among them.
func (p *Processor) ShowPositions(ctx context.Context) ([]Positions, error) {
	p = p.beside()
	records, b, err := p.readRecords(ctx)
	if err != nil {
		return nil, err
	}
	defer p.client.Close()
	list := make([]Positions, 0, p.cluster.partitions)
	for n := range p.cluster.partitions {
		at := Positions{Partition: n, Next: map[string]int64{}, Start: map[string]int64{}, End: map[string]int64{}}
		r, ok := records[n]
		at.HasRecord = ok
		for i, base := range state.InputBases() {
			at.Start[base], at.End[base] = b.inputs[i].start[n], b.inputs[i].end[n]
			at.Next[base] = at.Start[base]
			if ok {
				at.Next[base] = r.Inputs[i].Next
			}
		}
		if ok {
			at.Partitions, at.Counters = r.Partitions, r.Counters
		}
		list = append(list, at)
	}
	return list, nil
}

// SetPositions names where a task goes on, by input base name; inputs that are not named keep their
// position. It is one transaction that writes a task record with the topics' present ids, and the
// only way past a halt. Offsets lie within the log; -1 is its start, -2 its end.
func (p *Processor) SetPositions(ctx context.Context, partition int32, next map[string]int64) error {
	p = p.beside()
	records, b, err := p.readRecords(ctx)
	if err != nil {
		return err
	}
	defer p.client.Close()
	if err := p.checkStopped(ctx); err != nil {
		return err
	}
	if partition < 0 || partition >= p.cluster.partitions {
		return fmt.Errorf("%w: partition %d, there are %d", ErrPosition, partition, p.cluster.partitions)
	}
	r, err := p.moved(records[partition], partition, next, b)
	if err != nil {
		return err
	}
	return p.writeRecord(ctx, partition, r)
}

// moved returns the task record with new positions.
func (p *Processor) moved(
	held *state.TaskRecord, partition int32, next map[string]int64, b *bounds,
) (*state.TaskRecord, error) {
	r := state.TaskRecord{Partitions: p.cluster.partitions, Policy: p.c.Policy, WalkEnded: true}
	if held != nil {
		r = *held
	}
	r.Writer = p.c.Version
	named := maps.Clone(next)
	for i, base := range state.InputBases() {
		in := &r.Inputs[i]
		start, end := b.inputs[i].start[partition], b.inputs[i].end[partition]
		if held == nil {
			in.Next = start
		}
		in.TopicID, in.LeaderEpoch = b.inputIDs[i], -1
		to, ok := named[base]
		delete(named, base)
		switch {
		case !ok:
			continue
		case to == -1:
			to = start
		case to == -2:
			to = end
		}
		if to < start || to > end {
			return nil, fmt.Errorf("%w: %s partition %d offset %d, the log goes from %d to %d",
				ErrPosition, base, partition, to, start, end)
		}
		in.Next = to
	}
	if len(named) > 0 {
		return nil, fmt.Errorf("%w: input %q; there are %q",
			ErrPosition, slices.Sorted(maps.Keys(named)), state.InputBases())
	}
	return &r, nil
}

// checkStopped refuses while the group has members.
func (p *Processor) checkStopped(ctx context.Context) error {
	members, err := p.members(ctx)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		return fmt.Errorf("%w: %q are in the group", ErrRunning, slices.Sorted(maps.Keys(members)))
	}
	return nil
}

// readRecords connects, checks the installation, and reads the newest task record of each partition.
func (p *Processor) readRecords(ctx context.Context) (_ map[int32]*state.TaskRecord, _ *bounds, err error) {
	if p.client, err = kgo.NewClient(p.clientOpts()...); err != nil {
		return nil, nil, fmt.Errorf("processor client: %w", err)
	}
	defer func() {
		if err != nil {
			p.client.Close()
		}
	}()
	p.admin = kadm.NewClient(p.client)
	if p.cluster, err = p.check(ctx); err != nil {
		return nil, nil, err
	}
	b, err := p.bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	records, err := p.scanRecords(ctx, b)
	return records, b, err
}

// scanRecords reads the whole changelog for its task records.
func (p *Processor) scanRecords(ctx context.Context, b *bounds) (map[int32]*state.TaskRecord, error) {
	records := map[int32]*state.TaskRecord{}
	from, left := map[int32]kgo.Offset{}, map[int32]bool{}
	for n := range p.cluster.partitions {
		if start := b.changelog.start[n]; start < b.changelog.end[n] {
			from[n], left[n] = kgo.NewOffset().At(start), true
		}
	}
	if len(left) == 0 {
		return records, nil
	}
	client, err := kgo.NewClient(append(p.clientOpts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.c.Prefix.Name(topics.Changelog): from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("changelog client: %w", err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read changelog: %w", err)
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() && state.IsTaskKey(r.Key) {
				if records[r.Partition], err = state.DecodeTaskRecord(r.Value); err != nil {
					return nil, fmt.Errorf("changelog partition %d offset %d: %w", r.Partition, r.Offset, err)
				}
			}
			if r.Offset+1 >= b.changelog.end[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return records, nil
}

// writeRecord commits one task record.
func (p *Processor) writeRecord(ctx context.Context, partition int32, r *state.TaskRecord) error {
	client, err := kgo.NewClient(append(p.clientOpts(),
		kgo.TransactionalID(p.c.Prefix.Name("positions")),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)...)
	if err != nil {
		return fmt.Errorf("positions client: %w", err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err = client.ProduceSync(ctx, &kgo.Record{
		Topic: p.c.Prefix.Name(topics.Changelog), Partition: partition, Key: state.TaskKey(), Value: r.Append(nil),
	}).FirstErr()
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
		defer cancel()
		return errors.Join(fmt.Errorf("write task record: %w", err), client.EndTransaction(ctx, kgo.TryAbort))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
