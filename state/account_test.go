package state_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"stocksync/state"
	"stocksync/topics"
)

// Ensure an account is what the changelog says under the policy of its header, whatever policy is in force.
func TestReadAccount_TakesTheHeadersWord(t *testing.T) {
	store, err := state.Open(state.Config{Dir: "state", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	policy := state.Policy{OnHoldReserves: true}
	task, err := store.OpenTask(t.Context(), 0, policy, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	now := topics.TimeOf(time.Now())
	reader := state.NewReader(policy)
	chunks := map[uint32][]byte{}
	for i, id := range []string{"L1", "L2", "L3", "L4", "L5"} {
		m := &topics.Mutation{SKU: "A", LineID: id, Version: 1, Warehouse: "W", Qty: topics.One, EffectiveAt: now}
		if _, _, err := task.Mutation(m, &state.Arrival{Time: now}); err != nil {
			t.Fatal(err)
		}
		o := &topics.Order{
			SKU: "A", OrderLineID: "O" + id, Version: 1, Warehouse: "W", Status: topics.OrderOnHold, OrderedQty: 2 * topics.One,
			OrderedAt: now, OrderID: "O", Store: "S",
		}
		if _, _, err := task.Order(o, &state.Arrival{Time: now}); err != nil {
			t.Fatal(err)
		}
		task.Prepare(time.Now(), func(o state.Output) {
			if o.Kind != state.ToChangelog {
				return
			}
			if err := reader.Apply(o.Key, o.Value); err != nil {
				t.Fatal(err)
			}
			if !state.IsTaskKey(o.Key) {
				sku, n, err := state.SplitChunkKey(o.Key)
				if err != nil || string(sku) != "A" {
					t.Fatalf("key %q: %q, %v", o.Key, sku, err)
				}
				chunks[n] = bytes.Clone(o.Value)
			}
		})
		if err := task.Committed(int64(i), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var list []state.AccountChunk
	for n := range uint32(len(chunks)) {
		list = append(list, state.AccountChunk{Number: n + 1, Value: chunks[n+1]})
	}
	got, err := state.ReadAccount("A", list)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := reader.Snapshot("A")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 2 || got.Policy != policy || got.Actual != 5*topics.One || got.Reserved != 10*topics.One {
		t.Errorf("got %d chunks, %+v", len(list), got)
	}
	if !reflect.DeepEqual(&got.Snapshot, want) {
		t.Errorf("got %+v, want %+v", got.Snapshot, want)
	}
	list[0].Value = list[0].Value[:20]
	if _, err := state.ReadAccount("A", list); err == nil || !strings.Contains(err.Error(), `sku "A": chunk 1`) {
		t.Errorf("got %v", err)
	}
	for _, key := range []string{"", "t", "sA\x00", "xA\x00\x00\x00\x00\x01"} {
		if _, _, err := state.SplitChunkKey([]byte(key)); err == nil {
			t.Errorf("key %q is taken", key)
		}
	}
}
