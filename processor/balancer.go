package processor

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// balancerFormat is the format byte of a member's user data. Version 1: format, instance id (uvarint
// length, bytes), stored partitions (count, each a uvarint), number of the instance's lanes (a uvarint; early
// releases end before it).
const balancerFormat = 1

// siblingWait is how long the leader waits, before it gives tasks out, for the lanes of an instance that have not
// joined yet: those of one process come within milliseconds of each other. The first would else get what the next
// ones take from it again, with the transaction that it has begun.
const siblingWait = 100 * time.Millisecond

// balancer keeps partition n of every input on one member, moves as few tasks as an even spread
// allows, and prefers an instance that has a task's state on its disk. It speaks the classic
// protocol's cooperative form.
type balancer struct {
	instance  string
	lanes     int                     // of this instance; 0: not said
	mutations string                  // full name: its partitions are the tasks
	stored    func() ([]int32, error) // partitions that this instance has state of
}

// ProtocolName names the protocol; the assignment's rules belong to it.
func (*balancer) ProtocolName() string { return "stocksync-copartitioned" }

// IsCooperative is true: a task that stays goes on during a rebalance.
func (*balancer) IsCooperative() bool { return true }

// JoinGroupMetadata says what this member has: its assignment, and the state on its disk.
func (b *balancer) JoinGroupMetadata(interests []string, current map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 2
	meta.Topics = interests
	meta.Generation = generation
	for _, topic := range slices.Sorted(maps.Keys(current)) {
		owned := kmsg.NewConsumerMemberMetadataOwnedPartition()
		owned.Topic, owned.Partitions = topic, current[topic]
		meta.OwnedPartitions = append(meta.OwnedPartitions, owned)
	}
	stored, err := b.stored()
	if err != nil {
		stored = nil // only a preference is lost
	}
	data := []byte{balancerFormat}
	data = append(binary.AppendUvarint(data, uint64(len(b.instance))), b.instance...)
	data = binary.AppendUvarint(data, uint64(len(stored)))
	for _, p := range stored {
		data = binary.AppendUvarint(data, uint64(p))
	}
	meta.UserData = binary.AppendUvarint(data, uint64(b.lanes))
	return meta.AppendTo(nil)
}

// ParseSyncAssignment reads an assignment.
func (*balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer reads the members' metadata.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (
	kgo.GroupMemberBalancer, map[string]struct{}, error,
) {
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, fmt.Errorf("read group members: %w", err)
	}
	return c, c.MemberTopics(), nil
}

// candidate is a member as the leader sees it.
type candidate struct {
	member *kmsg.JoinGroupResponseMember
	userData
	tasks []int32
	quota int // of tasks, for an even spread
}

// Balance assigns every task to one member.
func (b *balancer) Balance(c *kgo.ConsumerBalancer, counts map[string]int32) kgo.IntoSyncAssignment {
	tasks := counts[b.mutations]
	var candidates []*candidate
	owners := map[int32]*candidate{}
	generations := map[int32]int32{}
	var err error
	c.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		next := &candidate{member: m}
		candidates = append(candidates, next)
		var bad error
		if next.userData, bad = parseUserData(meta.UserData); bad != nil {
			err = fmt.Errorf("member %s: %w", m.MemberID, bad)
		}
		for _, p := range b.owned(meta) {
			if held, ok := generations[p]; p < tasks && (!ok || meta.Generation > held) {
				owners[p], generations[p] = next, meta.Generation
			}
		}
	})
	if err != nil {
		c.SetError(err)
		return nil
	}
	if !complete(candidates) {
		<-time.After(siblingWait) // a lane that joins meanwhile makes the group begin anew, and this plan void
	}
	spread(candidates, owners, tasks)
	plan := c.NewPlan()
	for _, m := range candidates {
		for topic, count := range counts {
			for _, p := range m.tasks {
				if p < count {
					plan.AddPartition(m.member, topic, p)
				}
			}
		}
	}
	plan.AdjustCooperative(c)
	return plan
}

// owned returns the tasks a member has, by its partitions of mutations.
func (b *balancer) owned(meta *kmsg.ConsumerMemberMetadata) []int32 {
	for _, o := range meta.OwnedPartitions {
		if o.Topic == b.mutations {
			return o.Partitions
		}
	}
	return nil
}

// userData is what a member says of itself.
type userData struct {
	instance string
	stored   map[int32]bool
	lanes    int
}

// parseUserData reads what a member says. A newer format is an error: its rules are not known here. Of data that
// is cut off, what is there counts: only a preference is lost.
func parseUserData(data []byte) (userData, error) {
	said := userData{stored: map[int32]bool{}}
	if len(data) == 0 {
		return said, nil
	}
	if data[0] != balancerFormat {
		return said, fmt.Errorf("user data has format %d, this release reads %d", data[0], balancerFormat)
	}
	rest := data[1:]
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(rest)
		rest = rest[max(n, 0):]
		return v, n > 0
	}
	n, ok := number()
	if !ok || n > uint64(len(rest)) {
		return said, nil
	}
	said.instance, rest = string(rest[:n]), rest[n:]
	for n, ok = number(); ok && n > 0; n-- {
		var p uint64
		if p, ok = number(); ok {
			said.stored[int32(p)] = true
		}
	}
	if n, ok = number(); ok {
		said.lanes = int(min(n, math.MaxInt32))
	}
	return said, nil
}

// complete tells whether all lanes of each instance are among the members, as far as they say how many there are.
func complete(candidates []*candidate) bool {
	joined := map[string]int{}
	for _, m := range candidates {
		joined[m.instance]++
	}
	return !slices.ContainsFunc(candidates, func(m *candidate) bool { return joined[m.instance] < m.lanes })
}

// spread gives each task to its owner as long as the spread stays even, then the rest to members
// with its state on disk, then to those with the fewest.
func spread(candidates []*candidate, owners map[int32]*candidate, tasks int32) {
	if len(candidates) == 0 {
		return
	}
	for p := range tasks {
		if m := owners[p]; m != nil {
			m.tasks = append(m.tasks, p)
		}
	}
	// Members that have the most keep one more where the spread can't be exact.
	slices.SortStableFunc(candidates, func(a, b *candidate) int { return cmp.Compare(len(b.tasks), len(a.tasks)) })
	low, more := int(tasks)/len(candidates), int(tasks)%len(candidates)
	for i, m := range candidates {
		m.quota = low
		if i < more {
			m.quota++
		}
	}
	placed := map[int32]bool{}
	for _, m := range candidates {
		m.giveUp(candidates)
		for _, p := range m.tasks {
			placed[p] = true
		}
	}
	for _, warm := range []bool{true, false} {
		for p := range tasks {
			if placed[p] {
				continue
			}
			if m := roomiest(candidates, func(m *candidate) bool { return !warm || m.stored[p] }); m != nil {
				m.tasks = append(m.tasks, p)
				placed[p] = true
			}
		}
	}
}

// giveUp takes from a member the tasks above its quota, first those whose state a member with room has on
// its disk.
func (m *candidate) giveUp(all []*candidate) {
	if len(m.tasks) <= m.quota {
		return
	}
	wanted := func(p int32) int {
		if roomiest(all, func(other *candidate) bool { return other.stored[p] }) != nil {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(m.tasks, func(a, b int32) int { return cmp.Compare(wanted(a), wanted(b)) })
	m.tasks = m.tasks[:m.quota]
}

// roomiest returns the member with the most room of those that may, nil when none has any.
func roomiest(all []*candidate, may func(*candidate) bool) *candidate {
	var best *candidate
	for _, m := range all {
		if room := m.quota - len(m.tasks); room > 0 && may(m) && (best == nil || room > best.quota-len(best.tasks)) {
			best = m
		}
	}
	return best
}
