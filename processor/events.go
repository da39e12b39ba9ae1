package processor

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// events is what the client's callbacks tell a lane. They run on the client's goroutines.
type events struct {
	mu      sync.Mutex
	gained  map[int32]bool // since the last take
	lost    map[int32]bool // and not assigned again since
	revoked bool           // something was, since the last takeRevoked
	joined  bool           // the group has assigned something, or nothing, since the session began
	awaited map[int32]bool // assigned, and the lane has no task yet
	group   map[string]map[int32]int64
	rejoin  bool // the group is to balance anew
	wake    context.CancelFunc
	due     bool // something happened since the last take
}

func (e *events) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gained, e.lost, e.awaited = map[int32]bool{}, map[int32]bool{}, map[int32]bool{}
	e.revoked, e.joined, e.rejoin, e.group, e.due = false, false, false, nil, false
}

// onWake names what ends the poll in progress.
func (e *events) onWake(cancel context.CancelFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wake = cancel
	if e.due {
		cancel()
	}
}

// happened runs fn under the lock and ends the poll in progress.
func (e *events) happened(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
	e.due = true
	if e.wake != nil {
		e.wake()
	}
}

// take returns the partitions assigned since the last call.
func (e *events) take() map[int32]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	gained := e.gained
	e.gained, e.due = map[int32]bool{}, false
	return gained
}

// takeRejoin tells whether the lane is to join the group again.
func (e *events) takeRejoin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	rejoin := e.rejoin
	e.rejoin = false
	return rejoin
}

func (e *events) takeRevoked() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	revoked := e.revoked
	e.revoked = false
	return revoked
}

// isRevoked tells what takeRevoked would, and leaves it to that.
func (e *events) isRevoked() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revoked
}

// withoutLost takes the partitions out of a set whose revocation the client has told of, and may not
// have carried out yet.
func (e *events) withoutLost(assigned map[int32]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(assigned, func(p int32, _ bool) bool { return e.lost[p] })
}

// arrived notes that the lane has tasks for these partitions.
func (e *events) arrived(assigned map[int32]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.awaited, func(p int32, _ bool) bool { return assigned[p] })
}

// waiting returns the partitions assigned that the lane has no task for yet.
func (e *events) waiting() []int32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.awaited))
}

// settled tells whether the lane's tasks are what the group has assigned.
func (e *events) settled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.joined && len(e.awaited) == 0
}

// onAssigned pauses what is new before the client fetches it: a task is restored first.
func (l *lane) onAssigned(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
	client.PauseFetchPartitions(assigned)
	e := &l.events
	e.happened(func() {
		e.joined = true
		for _, partitions := range assigned {
			for _, p := range partitions {
				e.gained[p], e.awaited[p] = true, true
				delete(e.lost, p)
			}
		}
	})
}

// onRevoked notes what is taken away. The end of a group session comes here with nothing, and is no
// revocation.
func (l *lane) onRevoked(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
	if len(revoked) > 0 {
		l.gone(revoked)
	}
}

// onLost notes that the group has dropped this member. The session then aborts the next transaction,
// also when there was nothing to lose.
func (l *lane) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	l.gone(lost)
	l.events.mu.Lock()
	defer l.events.mu.Unlock()
	l.events.joined = false
}

func (l *lane) gone(lost map[string][]int32) {
	l.p.crash("during revoke")
	e := &l.events
	e.happened(func() {
		e.revoked = true
		for _, partitions := range lost {
			for _, p := range partitions {
				e.lost[p] = true
				delete(e.awaited, p)
			}
		}
	})
}

// adjustOffsets names an offset for every new partition, since only then does the client count it as
// assigned and does a later SetOffsets reach it. The partitions are paused meanwhile.
func (l *lane) adjustOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error,
) {
	e := &l.events
	e.mu.Lock()
	defer e.mu.Unlock()
	for topic, partitions := range offsets {
		for p, o := range partitions {
			at := o.EpochOffset().Offset
			partitions[p] = kgo.NewOffset().At(max(0, at))
			if at >= 0 {
				e.noteGroup(topic, p, at)
			}
		}
	}
	return offsets, nil
}

func (e *events) noteGroup(topic string, partition int32, at int64) {
	if e.group == nil {
		e.group = map[string]map[int32]int64{}
	}
	if e.group[topic] == nil {
		e.group[topic] = map[int32]int64{}
	}
	e.group[topic][partition] = at
}

// takeGroup returns the offset that the group had for a partition when it was assigned; false when it
// had none, or was asked before.
func (e *events) takeGroup(topic string, partition int32) (int64, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.group[topic][partition]
	delete(e.group[topic], partition)
	return at, ok
}
