package processor_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/testenv"
	"stocksync/topics"
)

// Ensure an open transaction of an instance that is gone, which the broker would leave open for a minute,
// holds up no successor: neither where it stands in the changelog nor where the group's offsets are part of it.
func TestFence_EndsWhatTheDeadLeftOpen(t *testing.T) {
	t.Parallel()
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		for _, row := range []struct {
			name, owner string
			offsets     bool
		}{
			{"in the changelog", "dead.0", false},
			{"with the group's offsets", "dead.0", true},
			{"under its own name", "heir.0", true},
		} {
			t.Run(row.name, func(t *testing.T) {
				prefix := ensure(t, c, 2)
				up := newUpstream(t, c, prefix, 2)
				up.send(up.delta(up.skuOn(0)), up.delta(up.skuOn(1)))
				leaveOpen(t, c, prefix, row.owner, row.offsets)
				began := time.Now()
				start(t, config(t, c, prefix, "heir"))
				settle(t, c, prefix)
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("folded after %s, want within 15 s", took)
				}
				check(t, c, prefix, nil)
			})
		}
	})
}

// leaveOpen does what an instance does that dies in its transaction.
func leaveOpen(t *testing.T, c *testenv.Cluster, prefix topics.Prefix, owner string, offsets bool) {
	t.Helper()
	client := c.Client(t, kgo.TransactionalID(prefix.Name(owner)), kgo.TransactionTimeout(time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	err := client.ProduceSync(t.Context(), &kgo.Record{
		Topic: prefix.Name(topics.Changelog), Partition: 1, Key: []byte("s"), Value: []byte("half of something"),
	}).FirstErr()
	if err != nil {
		t.Fatal(err)
	}
	if !offsets {
		return
	}
	id, epoch, err := client.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := prefix.Name(topics.Mutations)
	meta, err := kadm.NewClient(client).Metadata(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = prefix.Name(owner), prefix.Name("processor")
	req.ProducerID, req.ProducerEpoch = id, epoch
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = name, meta.Topics[name].ID
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset = 1, 1
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
