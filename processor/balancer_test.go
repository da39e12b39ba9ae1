package processor_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/processor"
)

// inputs are the topics of the tests.
var inputs = []string{"t.mutations", "t.orders", "t.commands"}

// group is a consumer group without a broker: members join, and the first of them balances.
type group struct {
	t          *testing.T
	counts     map[string]int32
	members    map[string]*groupMember
	generation int32
}

type groupMember struct {
	stored []int32
	owned  map[string][]int32 // by topic
	joined int32              // generation of owned
}

func newGroup(t *testing.T, partitions int32) *group {
	t.Helper()
	g := &group{t: t, counts: map[string]int32{}, members: map[string]*groupMember{}}
	for _, topic := range inputs {
		g.counts[topic] = partitions
	}
	return g
}

func (g *group) join(id string, stored ...int32) {
	g.members[id] = &groupMember{stored: stored, owned: map[string][]int32{}, joined: -1}
}

// metadata is what the members send when they join.
func (g *group) metadata() []kmsg.JoinGroupResponseMember {
	var list []kmsg.JoinGroupResponseMember
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[id]
		list = append(list, kmsg.JoinGroupResponseMember{
			MemberID:         id,
			ProtocolMetadata: processor.NewBalancer(id, inputs[0], m.stored...).JoinGroupMetadata(inputs, m.owned, m.joined),
		})
	}
	return list
}

// rebalance balances until nobody has to give anything up, holds the rules on the way, and returns how many
// tasks went from one member to another that is still there.
func (g *group) rebalance() (moves int) {
	g.t.Helper()
	before := g.owners()
	for range 3 {
		g.generation++
		plan, err := balance(g.metadata(), g.counts)
		if err != nil {
			g.t.Fatal(err)
		}
		gaveUp := false
		for id, m := range g.members {
			for topic, owned := range m.owned {
				gaveUp = gaveUp || slices.ContainsFunc(owned, func(p int32) bool { return !slices.Contains(plan[id][topic], p) })
			}
			m.owned, m.joined = plan[id], g.generation
		}
		now := g.owners() // holds the rules
		if !gaveUp {
			for p, id := range before {
				if g.members[id] != nil && now[p] != id {
					moves++
				}
			}
			return moves
		}
	}
	g.t.Fatal("members give partitions up in the third round")
	return 0
}

// owners returns who has which task. One member has a partition of all inputs, and nobody else has it.
func (g *group) owners() map[int32]string {
	g.t.Helper()
	owners := map[int32]string{}
	for id, m := range g.members {
		for _, topic := range inputs {
			for _, p := range m.owned[topic] {
				if other, ok := owners[p]; ok && other != id {
					g.t.Fatalf("partition %d: %s and %s have it", p, other, id)
				}
				owners[p] = id
				for _, topic := range inputs {
					if p < g.counts[topic] && !slices.Contains(m.owned[topic], p) {
						g.t.Fatalf("partition %d: %s has it of %v, and not of %s", p, id, m.owned, topic)
					}
				}
			}
		}
	}
	return owners
}

// sizes returns how many tasks the members have, most first.
func (g *group) sizes() []int {
	counts := map[string]int{}
	for id := range g.members {
		counts[id] = 0
	}
	for _, id := range g.owners() {
		counts[id]++
	}
	return slices.SortedFunc(maps.Values(counts), func(a, b int) int { return b - a })
}

// balance is what the leader of a group does, and what its members make of it.
func balance(members []kmsg.JoinGroupResponseMember, counts map[string]int32) (map[string]map[string][]int32, error) {
	leader := processor.NewBalancer("leader", inputs[0])
	b, topics, err := leader.MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	if got := slices.Sorted(maps.Keys(topics)); len(got) != len(inputs) {
		return nil, fmt.Errorf("topics of the members: got %v, want %v", got, inputs)
	}
	into, err := b.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
	if err != nil {
		return nil, err
	}
	plan := map[string]map[string][]int32{}
	for _, a := range into.IntoSyncAssignment() {
		if plan[a.MemberID], err = leader.ParseSyncAssignment(a.MemberAssignment); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func TestBalancer_SpreadsEvenlyAndMovesNoMoreThanThatTakes(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			partitions := 1 + random.Int32N(24)
			g := newGroup(t, partitions)
			g.join("m0")
			for step := range 20 {
				if id := fmt.Sprint("m", random.IntN(8)); g.members[id] == nil {
					g.join(id)
				} else if len(g.members) > 1 {
					delete(g.members, id)
				}
				n := len(g.members)
				low, more := int(partitions)/n, int(partitions)%n
				must := 0 // what is above the quotas of those who have the most
				for i, size := range g.sizes() {
					quota := low
					if i < more {
						quota++
					}
					must += max(0, size-quota)
				}
				if moves := g.rebalance(); moves != must {
					t.Fatalf("step %d, %d members: got %d moves, want %d", step, n, moves, must)
				}
				sizes := g.sizes()
				if sizes[0]-sizes[n-1] > 1 || len(g.owners()) != int(partitions) {
					t.Fatalf("step %d: got %v tasks, want %d spread evenly", step, sizes, partitions)
				}
			}
		})
	}
}

func TestBalancer_PrefersWhoHasTheState(t *testing.T) {
	t.Run("of tasks without an owner", func(t *testing.T) {
		g := newGroup(t, 6)
		g.join("a", 1, 3, 5)
		g.join("b", 0, 2, 4)
		g.rebalance()
		want := map[int32]string{0: "b", 1: "a", 2: "b", 3: "a", 4: "b", 5: "a"}
		if got := g.owners(); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("of tasks that must move", func(t *testing.T) {
		g := newGroup(t, 6)
		g.join("a")
		g.rebalance()
		g.join("back", 0, 2, 3)
		g.rebalance()
		want := map[int32]string{0: "back", 1: "a", 2: "back", 3: "back", 4: "a", 5: "a"}
		if got := g.owners(); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("but not for a move", func(t *testing.T) {
		g := newGroup(t, 4)
		g.join("a")
		g.join("b")
		g.rebalance()
		before := g.owners()
		for _, m := range g.members {
			m.stored = []int32{0, 1, 2, 3}
		}
		if moves := g.rebalance(); moves != 0 || !maps.Equal(g.owners(), before) {
			t.Errorf("got %d moves, want none", moves)
		}
	})
}

// Ensure the tasks are the partitions of mutations: what another input has more is nobody's yet, and what it
// has less is left out.
func TestBalancer_HandsOutUnequalPartitionCounts(t *testing.T) {
	for _, orders := range []int32{2, 9} {
		g := newGroup(t, 6)
		g.counts[inputs[1]] = orders
		g.join("a")
		g.join("b")
		g.rebalance()
		var got []int32
		for _, m := range g.members {
			got = append(got, m.owned[inputs[1]]...)
		}
		slices.Sort(got)
		want := []int32{0, 1, 2, 3, 4, 5}[:min(orders, 6)]
		if !slices.Equal(got, want) {
			t.Errorf("%d partitions of orders: got %v, want %v", orders, got, want)
		}
	}
}

// Ensure tasks are not given out while lanes of an instance are about to join: who comes first would lose again
// what it has begun. One that does not come, or does not say how many there are, holds nobody up for longer.
func TestBalancer_WaitsForTheLanesOfAnInstance(t *testing.T) {
	for _, tt := range []struct {
		what    string
		members map[string]int // by instance, how many lanes it says it has
		joined  []string       // instances of the members
		waits   bool
	}{
		{"the only lane of one", map[string]int{"a": 1}, []string{"a"}, false},
		{"one lane of two", map[string]int{"a": 2}, []string{"a"}, true},
		{"both lanes", map[string]int{"a": 2}, []string{"a", "a"}, false},
		{"one instance whole, the other not", map[string]int{"a": 2, "b": 3}, []string{"a", "b", "a", "b"}, true},
		{"lanes that were more before", map[string]int{"a": 1}, []string{"a", "a"}, false},
		{"an early release", map[string]int{"a": 0}, []string{"a"}, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var members []kmsg.JoinGroupResponseMember
				for i, instance := range tt.joined {
					b := processor.WithLanes(processor.NewBalancer(instance, inputs[0], 1, 2), tt.members[instance])
					members = append(members, kmsg.JoinGroupResponseMember{
						MemberID: fmt.Sprint("m", i), ProtocolMetadata: b.JoinGroupMetadata(inputs, nil, -1),
					})
				}
				began := time.Now()
				plan, err := balance(members, map[string]int32{inputs[0]: 8, inputs[1]: 8, inputs[2]: 8})
				if err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited > time.Second || (waited > 0) != tt.waits {
					t.Errorf("waited for %s, want a wait: %t", waited, tt.waits)
				}
				for _, m := range members {
					if got, want := len(plan[m.MemberID][inputs[0]]), 8/len(members); got != want {
						t.Errorf("%s: got %d tasks, want %d", m.MemberID, got, want)
					}
				}
			})
		})
	}
}

// Ensure of two members that claim a partition the one of the later generation keeps it.
func TestBalancer_BelievesTheLaterGeneration(t *testing.T) {
	g := newGroup(t, 4)
	for id, generation := range map[string]int32{"a": 3, "b": 7} {
		g.join(id)
		g.members[id].joined = generation
		for _, topic := range inputs {
			g.members[id].owned[topic] = []int32{0, 1}
		}
	}
	plan, err := balance(g.metadata(), g.counts)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plan["b"][inputs[0]], []int32{0, 1}; !slices.Equal(got, want) {
		t.Errorf("b: got %v, want %v which it has", got, want)
	}
	if got, want := plan["a"][inputs[0]], []int32{2, 3}; !slices.Equal(got, want) {
		t.Errorf("a: got %v, want %v which nobody has", got, want)
	}
}

func TestBalancer_ReadsWhatOthersSay(t *testing.T) {
	metadata := func(userData string) []kmsg.JoinGroupResponseMember {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics, m.UserData = 2, inputs, []byte(userData)
		return []kmsg.JoinGroupResponseMember{{MemberID: "a", ProtocolMetadata: m.AppendTo(nil)}}
	}
	counts := map[string]int32{inputs[0]: 2, inputs[1]: 2, inputs[2]: 2}
	for name, data := range map[string]string{
		"nothing": "", "an instance alone": "\x01\x01a", "cut in the name": "\x01\x09abc", "cut in a number": "\x01\x01a\x80",
		"a count beyond its numbers": "\x01\x01a\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", "cut in the last number": "\x01\x01a\x02\x00\x80",
	} {
		plan, err := balance(metadata(data), counts)
		if err != nil || len(plan["a"][inputs[0]]) != 2 {
			t.Errorf("%s: got %v, %v, want both partitions", name, plan, err)
		}
	}
	if _, err := balance(metadata("\x02anything"), counts); err == nil || !strings.Contains(err.Error(), "format 2, this release reads 1") {
		t.Errorf("a newer format: got %v, want an error that names both", err)
	}
}
