package processor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stocksync/state"
)

// A cooperative rebalance takes a partition from one member first, and gives it to another when the first
// has said that it let go, by joining again. One that dies between the two is replaced by its successor,
// a static member with what the dead one had kept; the group is content, and the partition has no owner.

// watchOrphans has the group balance anew when a task has had no owner at two looks, until ctx ends.
func (p *Processor) watchOrphans(ctx context.Context) {
	tick := time.NewTicker(p.c.SessionTimeout / 2)
	defer tick.Stop()
	var before []int32
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		orphans, err := p.orphans(ctx)
		if err != nil && ctx.Err() == nil {
			p.c.Log.Warn("look for tasks without an owner", "cause", err)
		}
		if len(orphans) > 0 && slices.Equal(orphans, before) {
			p.c.Log.Warn("tasks have no owner; asking the group to balance anew", "partitions", orphans)
			for _, l := range p.running() {
				l.events.happened(func() { l.events.rejoin = true })
			}
			orphans = nil
		}
		before = orphans
	}
}

// orphans returns the tasks that no member has, of a group that is at rest.
func (p *Processor) orphans(ctx context.Context) ([]int32, error) {
	group := p.group()
	described, err := p.admin.DescribeGroups(ctx, group)
	if err == nil {
		err = described[group].Err
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	if described[group].State != "Stable" {
		return nil, nil
	}
	g := described[group]
	owned := g.AssignedPartitions()
	var orphans []int32
	for n := range p.cluster.partitions {
		if !owned.Lookup(p.names[state.InputMutations], n) {
			orphans = append(orphans, n)
		}
	}
	return orphans, nil
}
