package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// group is this instance's membership of the sink group. The group shares out the partitions of
// `stores`; their records come through the tables, so the member fetches nothing. The group's offsets
// carry no position: their metadata are the marks that owners leave.
type group struct {
	name    string
	topic   string // stores
	topicID [16]byte
	client  atomic.Pointer[kgo.Client]
	base    *kgo.Client // outlives the membership
	admin   *kadm.Client
	log     *slog.Logger
}

// leaveTimeout bounds how long the client may take to leave the group, and again what is said for it then.
const leaveTimeout = 2 * time.Second

// The marks that owners leave.
const (
	markHeld     = "held by "
	markReleased = "released by "
)

// options are those of the member's client. Its callbacks hand partitions to the owner; what they start
// lives as long as ctx.
func (g *group) options(ctx context.Context, c *Config, o *owner, l *lease) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(g.name),
		kgo.ConsumeTopics(g.topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(c.SessionTimeout),
		kgo.HeartbeatInterval(c.SessionTimeout / 4),
		kgo.RebalanceTimeout(c.SessionTimeout + 3*c.RequestTimeout),
		kgo.WithHooks(l),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, added map[string][]int32) {
			_, generation := cl.GroupMetadata()
			g.client.Store(cl) // before NewClient has returned, perhaps
			l.assigned()
			o.assign(ctx, added[g.topic], int64(generation))
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			if len(lost[g.topic]) > 0 {
				o.release(ctx, lost[g.topic])
			}
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			if len(lost[g.topic]) > 0 {
				o.abandon(lost[g.topic])
			}
		}),
	}
}

// run keeps the membership until the context ends. The topic's records are of no use here.
func (g *group) run(ctx context.Context) {
	client := g.client.Load()
	client.PauseFetchTopics(g.topic)
	for ctx.Err() == nil {
		for _, e := range client.PollFetches(ctx).Errors() {
			if ctx.Err() == nil {
				g.log.Warn("member of the sink group", "error", e.Err)
			}
		}
	}
}

// leave ends the membership and closes the client, which waits for a join under way, and the join for members that
// are dead: it is killed, and the group is told for it.
func (g *group) leave(ctx context.Context, client *kgo.Client, kill func()) {
	late := time.AfterFunc(leaveTimeout, kill)
	client.Close()
	if late.Stop() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, _ = client.GroupMetadata()
	req.Group, req.MemberID, req.Members = g.name, member.MemberID, []kmsg.LeaveGroupRequestMember{member}
	resp, err := req.RequestWith(ctx, g.base)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		g.log.Warn("leave the sink group; it finds out by itself", "cause", err)
	}
}

// released implements marks. A partition without a mark never had an owner.
func (g *group) released(ctx context.Context, partitions []int32) (map[int32]bool, error) {
	list, err := g.admin.FetchOffsets(ctx, g.name)
	if err != nil {
		return nil, fmt.Errorf("read marks of the sink group: %w", err)
	}
	released := map[int32]bool{}
	for _, p := range partitions {
		o, ok := list.Lookup(g.topic, p)
		if ok && o.Err != nil {
			return nil, fmt.Errorf("read marks of the sink group: %w", o.Err)
		}
		released[p] = !ok || len(o.Metadata) < len(markHeld) || o.Metadata[:len(markHeld)] != markHeld
	}
	return released, nil
}

// errNoMember reports a mark by one who is not in the group.
var errNoMember = errors.New("not a member of the sink group")

// set implements marks. The broker refuses it from a member that is no longer one. The client's own commit
// would wait for a rebalance under way, which may be waiting for us.
func (g *group) set(ctx context.Context, partitions []int32, released bool) error {
	client := g.client.Load()
	member, generation := client.GroupMetadata()
	if member == "" {
		return errNoMember
	}
	mark := markHeld + member
	if released {
		mark = markReleased + member
	}
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = g.topic, g.topicID
	for _, p := range partitions {
		partition := kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Partition, partition.LeaderEpoch, partition.Metadata = p, -1, &mark
		topic.Partitions = append(topic.Partitions, partition)
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = g.name, member, generation
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("write marks of the sink group: %w", err)
	}
	for i := range resp.Topics {
		for _, p := range resp.Topics[i].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("write mark of partition %d of the sink group: %w", p.Partition, err)
			}
		}
	}
	return nil
}
