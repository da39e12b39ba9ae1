package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A lane is a static member of the group: who starts again under its name takes its place at once. A
// dynamic member would be a new one, and the group would hold up all members until it has given up the
// dead one, a session timeout later: their commits wait for a rebalance to end. An instance that crashes
// and is restarted again and again would stop all others.
//
// The client does not let a static member leave the group, so the lane does when it ends for good.

// group is the name of the consumer group.
func (p *Processor) group() string { return p.c.Prefix.Name("processor") }

// endSession lets go of all tasks and closes the client, which is killed when it waits for a broker. The
// member stays, for the next session.
func (l *lane) endSession(kill func()) error {
	errs := []error{l.stopRestores()}
	for _, t := range l.tasks {
		errs = append(errs, l.release(t))
	}
	if member, generation := l.session.Client().GroupMetadata(); generation >= 0 {
		l.member = member
	}
	late := time.AfterFunc(leaveTimeout, kill)
	l.session.Close()
	late.Stop()
	l.show()
	return errors.Join(errs...)
}

// leaveGroup tells the group that the lane's tasks are free. The member's id goes with it: if another
// process has taken the lane's place, that one stays.
func (l *lane) leaveGroup(ctx context.Context) {
	if l.member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = l.p.group()
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.InstanceID = l.member, &l.name
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, l.p.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) > 0 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if err != nil {
		l.log.Warn("leave the group; it finds out by itself", "cause", err)
	}
}

// countFenced gives up when another process keeps taking the place of this one's first lane, and has it now: so of
// two that share a name exactly one does. Until then it returns how long to let the other be, which is not the
// same in both: they would go on taking each other's place.
func (l *lane) countFenced(ctx context.Context, err error) (grace time.Duration, _ error) {
	fenced := errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.FencedInstanceID)
	if !fenced || errors.Is(err, errSlow) {
		return 0, nil
	}
	now := l.p.c.Now()
	l.fenced = slices.DeleteFunc(l.fenced, func(at time.Time) bool { return now.Sub(at) >= fencedWindow })
	l.fenced = append(l.fenced, now)
	if n := len(l.fenced); l.first && n >= maxFenced && l.placeTaken(ctx) {
		return 0, fmt.Errorf("%w (%q): fenced %d times in %s; give each process a name of its own",
			ErrFenced, l.p.c.InstanceID, n, fencedWindow)
	}
	return time.Duration(now.UnixNano() % int64(fencedGrace)), nil
}

// placeTaken tells whether the group has another member in the lane's place. If nobody answers, it says no.
func (l *lane) placeTaken(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	group := l.p.group()
	described, err := l.p.admin.DescribeGroups(ctx, group)
	if err != nil {
		return false
	}
	for _, m := range described[group].Members {
		if m.InstanceID != nil && *m.InstanceID == l.name {
			return m.MemberID != l.member
		}
	}
	return false
}

// groupError ends the session when the group refuses this member: the client would go on asking for ever.
func groupError(err error) error {
	var session *kgo.ErrGroupSession
	if errors.As(err, &session) && errors.Is(err, kerr.FencedInstanceID) {
		return fmt.Errorf("%w: %w", errSession, err)
	}
	return nil
}
