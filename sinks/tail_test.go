package sinks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

func TestKeyed_KnowsTheKeysThatRecordsCanHave(t *testing.T) {
	for _, tc := range []struct {
		base, key string
		want      bool
	}{
		{topics.AvailabilityTopic, "A", true},
		{topics.AvailabilityTopic, "A|B", true},
		{topics.AvailabilityTopic, "", false},
		{topics.Stores, "s", true},
		{topics.Stores, "*", true},
		{topics.Stores, "a|b", false},
		{topics.Stores, "", false},
		{topics.ItemSettingsTopic, "s|A", true},
		{topics.ItemSettingsTopic, "*|A|B", true},
		{topics.ItemSettingsTopic, "s|", false},
		{topics.ItemSettingsTopic, "|A", false},
		{topics.ItemSettingsTopic, "A", false},
		{topics.Listings, "s|A", true},
		{topics.Listings, "s", false},
		{topics.SyncStatusTopic, "s|A", true},
		{topics.SyncStatusTopic, "", false},
	} {
		if got := sinks.Keyed(tc.base, tc.key); got != tc.want {
			t.Errorf("%s %q: got %v, want %v", tc.base, tc.key, got, tc.want)
		}
	}
}

// TestTail_GarbageInTheTopicsStopsNobody ensures that records which nobody can use harm no pair but their own.
func TestTail_GarbageInTheTopicsStopsNobody(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		garbage := func() {
			for _, value := range [][]byte{nil, {}, []byte("{"), []byte("null"), []byte(`{"store":1}`), []byte("\xff"), []byte(`[]`)} {
				for _, base := range []string{topics.ItemSettingsTopic, topics.Listings, topics.SyncStatusTopic} {
					for _, key := range []string{"", "|", "s|", "|A", "s", "x|y", "*|", "s|GONE", "*|*"} {
						w.produce(base, []byte(key), value)
					}
				}
				for _, key := range []string{"", "a|b", "|", "garbage"} {
					w.produce(topics.Stores, []byte(key), value)
				}
				for _, key := range []string{"", "GARBAGE"} {
					w.produce(topics.AvailabilityTopic, []byte(key), value)
				}
			}
		}
		w.mu.Lock()
		w.careless = true // about what it reads
		w.mu.Unlock()
		garbage()
		one := w.start("one")
		w.stock("A=5 B=6")
		w.settled()
		garbage()
		w.stock("A=4")
		w.settled()
		one.stop()
		garbage()
		one.again()
		w.stock("A=3")
		w.settled()
	})
}

// TestTail_SeesNoRecordOfAnAbortedTransaction ensures read_committed: what was rolled back is never sent.
func TestTail_SeesNoRecordOfAnAbortedTransaction(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.commit([]*topics.Availability{available("A", w.revision+1000, 99*qty)}, kgo.TryAbort)
		one := w.start("one")
		w.eventually("ready, with an abort at the end of the log", one.Ready)
		w.stock("A=5")
		w.settled()
		w.commit([]*topics.Availability{available("A", w.revision+1000, 99*qty)}, kgo.TryAbort)
		w.pass(time.Minute)
		w.stock("B=1")
		w.settled()
		one.stop()
		one = one.again()
		w.eventually("ready again", one.Ready)
		for _, r := range w.requests {
			for _, revision := range r.revisions {
				if revision > w.revision {
					t.Errorf("a revision that was rolled back was sent: %+v", r)
				}
			}
		}
	})
}

// TestTail_ATableThatFellBehindTheLogIsReadAnew ensures that a log start above the stored position costs a
// re-read and nothing else, found at a start or at work.
func TestTail_ATableThatFellBehindTheLogIsReadAnew(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.stock("A=5 B=6 C=7")
		w.settled()
		one.stop()
		w.stock("A=4 B=5 C=6")
		w.stock("A=3 B=4 C=5")
		w.deleteRecords(topics.AvailabilityTopic, 4)
		two := one.again()
		w.settled()
		if !strings.Contains(w.logs.all(), "table does not fit its topic") {
			t.Error("the table was not read anew")
		}
		two.wire.Stall()
		w.stock("A=9 B=9 C=9") // may be on its way already
		w.stock("A=2 B=3 C=4")
		w.stock("A=1 B=2 C=3")
		w.deleteRecords(topics.AvailabilityTopic, 4)
		two.wire.Resume()
		select {
		case <-two.ended:
			if err := two.wait(); !strings.Contains(errText(err), "no longer has the records") {
				t.Errorf("got %v, want that the table fell off its topic", err)
			}
		case <-time.After(time.Minute):
			t.Error("it goes on, although records are gone that it never saw")
		}
		two.net.cut() // its error is no surprise
		w.mu.Lock()
		w.unlogged = true
		w.mu.Unlock()
		one.again()
		w.settled()
	})
}

// deleteRecords moves the start of each partition of a topic up to its last n offsets. The three SKUs of
// these tests lie in one, and a transaction ends with a marker.
func (w *world) deleteRecords(base string, n int64) {
	w.Helper()
	admin := kadm.NewClient(w.out)
	ends, err := admin.ListEndOffsets(w.limit(), w.prefix.Name(base))
	if err != nil {
		w.Fatal(err)
	}
	to := kadm.Offsets{}
	ends.Each(func(o kadm.ListedOffset) {
		to.Add(kadm.Offset{Topic: o.Topic, Partition: o.Partition, At: max(0, o.Offset-n)})
	})
	if _, err := admin.DeleteRecords(w.limit(), to); err != nil {
		w.Fatal(err)
	}
}

// TestTail_FollowsPartitionsThatAreAdded ensures that SKUs and statuses in new partitions are seen.
func TestTail_FollowsPartitionsThatAreAdded(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		w.start("one")
		w.stock("A=5")
		w.settled()
		if _, err := kadm.NewClient(w.out).CreatePartitions(w.limit(), 3, w.prefix.Name(topics.AvailabilityTopic)); err != nil {
			t.Fatal(err)
		}
		w.pass(6 * time.Minute) // the producer's metadata too
		w.mu.Lock()
		w.partitions = 6
		w.mu.Unlock()
		w.stock(many("N", 20, 5))
		w.settled()
	})
}

// TestTail_ATopicThatWasMadeAnewIsReadAnew ensures that a table is not carried on from another topic.
func TestTail_ATopicThatWasMadeAnewIsReadAnew(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		w.store("s")
		one := w.start("one")
		w.setting("s", "A", func(s *topics.ItemSettings) { s.Buffer = new(1 * qty) })
		w.stock("A=5")
		w.shows("s", "A", 4)
		one.stop()
		admin := kadm.NewClient(w.out)
		if _, err := admin.DeleteTopics(w.limit(), w.prefix.Name(topics.ItemSettingsTopic)); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		if _, err := topics.Ensure(w.limit(), admin, topics.EnsureConfig{Prefix: w.prefix, Partitions: 3, SinkPartitions: 4, AllowDeleteChangelog: true}); err != nil {
			t.Fatal(err)
		}
		one.again()
		w.shows("s", "A", 5)
	})
}
