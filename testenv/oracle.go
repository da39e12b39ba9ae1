package testenv

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/state"
	"stocksync/topics"
)

// RefoldConfig is what the oracle must know beside the committed input.
type RefoldConfig struct {
	Prefix         topics.Prefix // default topics.DefaultPrefix
	Policy         state.Policy
	MaxRecordBytes int // default 1 MiB
	// Partitions are the partition counts that the tasks had, oldest first: one, or more after a scale.
	Partitions []int32
	// Refused are the records that the processor refused for a reason which the input alone does not
	// decide: overflow and sku_too_wide depend on how the two topics interleaved, too_late on what had
	// been collapsed: also a repeat of that, which would be a duplicate otherwise. The oracle takes these at
	// their word; Check asks whether they are plausible. They are named by their first place.
	Refused map[Place]topics.Reason
}

// Place is where a record stands.
type Place struct {
	Topic     string // base name
	Partition int32
	Offset    int64
}

// String returns topic/partition@offset.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// Verdict is what has to become of one input record.
type Verdict uint8

// The verdicts. Ignored is a command that was carried out: commands are not counted.
const (
	VerdictApplied Verdict = iota
	VerdictDuplicate
	VerdictDead
	VerdictForwarded
	VerdictIgnored
)

// String returns the verdict's name.
func (v Verdict) String() string {
	names := [...]string{"applied", "duplicate", "dead-lettered", "forwarded", "ignored"}
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Judged is one input record with its verdict.
type Judged struct {
	Record  *kgo.Record
	Place   Place
	Verdict Verdict
	Reason  topics.Reason // of VerdictDead
	SKU     string        // of an accepted record
	ID      string        // line_id or order_line_id of an accepted record
	Ref     string        // voucher_no or order_id
	Trigger topics.Trigger
}

// VerdictCounts counts the records of one partition of mutations and orders together.
type VerdictCounts struct{ Consumed, Applied, Duplicate, DeadLettered, Forwarded int64 }

func (c *VerdictCounts) add(v Verdict) {
	switch v {
	case VerdictApplied:
		c.Applied++
	case VerdictDuplicate:
		c.Duplicate++
	case VerdictDead:
		c.DeadLettered++
	case VerdictForwarded:
		c.Forwarded++
	case VerdictIgnored:
		return
	}
	c.Consumed++
}

// Truth is what the committed input means.
type Truth struct {
	Items  map[string]*TruthItem
	Counts map[int32]VerdictCounts // by partition
	Inputs map[string]map[int32][]Judged
	Dead   []*Judged
	// Faults are breaches that the input topics alone show: a forwarded record without its copy, a copy
	// that differs, one made twice.
	Faults []string
}

// TruthItem is one SKU with at least one accepted event.
type TruthItem struct {
	SKU        string
	Lines      map[string]*TruthLine
	Orders     map[string]*TruthOrder
	Warehouses []topics.WarehouseStock // sorted by name; every one that was ever used
	Actual     topics.Quantity
	Reserved   topics.Quantity
	Net        topics.Quantity
	Available  topics.Quantity
	OrdersFrom []string // stores, sorted
	Applied    int      // accepted events, touches too
	Touches    int

	// FirstMutation and FirstOrder are the broker's times of the first accepted of each; which of the
	// two the processor saw first is not in the input.
	FirstMutation, FirstOrder                      topics.Time
	LastMutationAt, LastOrderAt, LastCountAt, AsOf topics.Time

	used  map[string]bool            // warehouses
	gone  map[string]topics.Quantity // order lines that were collapsed, and what was delivered on them since
	from  map[string]bool            // stores
	gross uint64                     // sum of |qty| over everything that named the SKU: whether it may overflow

	// The horizon, as Collapse learned it: ledger lines that are held no longer, and the newest of them; the
	// newest of the times that order lines which went raised it to.
	past         map[string]bool
	lineHorizon  *TruthLine
	orderHorizon topics.Time
}

// TruthLine is the held version of a ledger line.
type TruthLine struct {
	topics.Mutation
	At topics.Time // the broker's
}

// TruthOrder is the held version of an order line with what its ledger lines say of it. Arrived is
// false when only those were seen.
type TruthOrder struct {
	topics.Order
	Arrived             bool
	At                  topics.Time // the broker's, of the held version
	Delivered, Returned topics.Quantity
	Contribution, Taken topics.Quantity
}

// Refold folds the committed input the naive way: it decides record by record, in the order of each
// partition, which version of each line is held, and then works everything out from the held lines by
// the definitions of the design. Records may come in any order and from any topic; those of other
// topics than mutations, orders and commands are left out. The truth keeps the records.
func Refold(records []*kgo.Record, cfg RefoldConfig) (*Truth, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = topics.DefaultPrefix
	}
	if cfg.MaxRecordBytes == 0 {
		cfg.MaxRecordBytes = 1 << 20
	}
	if len(cfg.Partitions) == 0 {
		return nil, fmt.Errorf("refold: no partition count given")
	}
	f := &refolder{cfg: cfg, truth: &Truth{
		Items: map[string]*TruthItem{}, Counts: map[int32]VerdictCounts{},
		Inputs: map[string]map[int32][]Judged{},
	}}
	f.sort(records)
	f.findCopies()
	for _, base := range []string{topics.Mutations, topics.Orders, topics.Commands} {
		f.judgeTopic(base)
	}
	f.truth.Faults = append(f.truth.Faults, f.copyFaults()...)
	for sku, it := range f.truth.Items {
		if it.Applied == 0 {
			delete(f.truth.Items, sku)
			continue
		}
		it.workOut(cfg.Policy)
	}
	return f.truth, nil
}

// refolder is one refold in progress.
type refolder struct {
	cfg    RefoldConfig
	truth  *Truth
	copies map[copyKey][]*Judged
}

// sort puts the records of each partition in the order of their offsets.
func (f *refolder) sort(records []*kgo.Record) {
	for _, r := range records {
		base, ok := f.cfg.Prefix.Base(r.Topic)
		if !ok || base != topics.Mutations && base != topics.Orders && base != topics.Commands {
			continue
		}
		byPartition := f.truth.Inputs[base]
		if byPartition == nil {
			byPartition = map[int32][]Judged{}
			f.truth.Inputs[base] = byPartition
		}
		byPartition[r.Partition] = append(byPartition[r.Partition],
			Judged{Record: r, Place: Place{base, r.Partition, r.Offset}})
	}
	for _, byPartition := range f.truth.Inputs {
		for _, judged := range byPartition {
			slices.SortFunc(judged, func(a, b Judged) int { return cmp.Compare(a.Place.Offset, b.Place.Offset) })
		}
	}
}

// judgeTopic judges the records of one topic. A SKU's records are judged in the order of its owners:
// under the oldest partition count first; each owner in the order of its partition.
func (f *refolder) judgeTopic(base string) {
	byPartition := f.truth.Inputs[base]
	partitions := make([]int32, 0, len(byPartition))
	for p := range byPartition {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	for step := range f.cfg.Partitions {
		for _, p := range partitions {
			judged := byPartition[p]
			for i := range judged {
				if j := &judged[i]; f.step(j) == step {
					f.judge(base, j)
					f.count(j)
				}
			}
		}
	}
}

// count enters a verdict into the partition's counts and, when it is dead, among the dead letters.
func (f *refolder) count(j *Judged) {
	c := f.truth.Counts[j.Place.Partition]
	switch {
	case j.Place.Topic != topics.Commands:
		c.add(j.Verdict)
		f.truth.Counts[j.Place.Partition] = c
	case j.Verdict == VerdictDead:
	default:
		j.Verdict = VerdictIgnored
	}
	if j.Verdict == VerdictDead {
		f.truth.Dead = append(f.truth.Dead, j)
	}
}
