package testenv_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/testenv"
)

// Ensure both kinds of broker offer what stocksync needs: transactions of version 2 that a read_committed
// reader sees whole or not at all.
func TestEach_HasTransactions(t *testing.T) {
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		if got := transactionVersion(t, c); got < 2 {
			t.Errorf("transaction.version: got %d, want at least 2", got)
		}
		topic := c.Prefix(t).Name("x")
		makeTopic(t, c, topic, 1)
		cl := c.Client(t, kgo.TransactionalID(topic))
		for value, end := range map[string]kgo.TransactionEndTry{"taken": kgo.TryCommit, "dropped": kgo.TryAbort} {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			produce(t, cl, topic, value)
			if err := cl.EndTransaction(limit(t), end); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := committed(t, c, topic), []string{"taken"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
