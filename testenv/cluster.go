package testenv

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"stocksync/topics"
)

// ErrNotOurs is returned by Kill, Stop and Restart on a cluster that has no nodes of ours to signal:
// kfake, a cluster named by KAFKA_BROKERS, and the broker that the tests of a binary share.
var ErrNotOurs = errors.New("the cluster's nodes were not started by this test")

// Cluster is a Kafka cluster for tests or the demo. Its fields do not change after it has started; its
// methods may be called from any goroutine.
type Cluster struct {
	Brokers []string              // seed addresses; child processes reach them too, unless Network is set
	Opts    []kgo.Opt             // how a client in this process reaches them, beside Brokers; often nothing
	Fake    *kfake.Cluster        // for faults, leader moves, group state; nil on a real broker
	Network *kfake.VirtualNetwork // where the brokers listen instead of TCP; nil unless asked for

	nodes *nodes
	close func() error
}

// Real says whether this is an Apache Kafka and not kfake.
func (c *Cluster) Real() bool { return c.Fake == nil }

// Killable says whether Kill, Stop and Restart work.
func (c *Cluster) Killable() bool { return c.nodes != nil }

// NewClient returns a client of the cluster with short metadata ages, as all of stocksync's clients have.
// Options given later win.
func (c *Cluster) NewClient(opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
	cl, err := kgo.NewClient(append(append(all, c.Opts...), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make kafka client: %w", err)
	}
	return cl, nil
}

// Client is NewClient for tests: it fails the test instead of returning an error, and closes the client
// when the test ends.
func (c *Cluster) Client(tb testing.TB, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := c.NewClient(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

// Wire returns a network of its own for one client of this cluster; pass its Opt to that client.
func (c *Cluster) Wire() *Wire {
	if c.Network != nil {
		return NewWire(c.Network.DialContext)
	}
	return NewWire(nil)
}

// Prefix returns a topic prefix that nobody else has. Groups and transactional ids made of it are
// unique too. On a cluster that outlives the test, the topics under it are deleted when the test ends.
func (c *Cluster) Prefix(tb testing.TB) topics.Prefix {
	tb.Helper()
	p := uniquePrefix(tb.Name())
	if c.nodes == nil && c.Real() {
		tb.Cleanup(func() {
			if err := c.deleteTopics(string(p)); err != nil {
				tb.Logf("clean up: %v", err)
			}
		})
	}
	return p
}

// uniquePrefix keeps letters and digits of name, at most 40 of them: Kafka takes neither all
// characters nor more than 249, and counts '.' and '_' as one.
func uniquePrefix(name string) topics.Prefix {
	var b strings.Builder
	for _, r := range name {
		if b.Len() < 40 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			b.WriteRune(r)
		}
	}
	var nonce [5]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return topics.Prefix(b.String() + "-" + hex.EncodeToString(nonce[:]) + ".")
}

func (c *Cluster) deleteTopics(prefix string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cl, err := c.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	all, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var mine []string
	for _, name := range all.Names() {
		if strings.HasPrefix(name, prefix) {
			mine = append(mine, name)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	done, err := adm.DeleteTopics(ctx, mine...)
	if err != nil {
		return fmt.Errorf("delete topics of %s: %w", prefix, err)
	}
	if err := done.Error(); err != nil {
		return fmt.Errorf("delete topics of %s: %w", prefix, err)
	}
	return nil
}

// Kill ends a node, counted from 0, as a power cut would (SIGKILL), and returns when it is gone.
func (c *Cluster) Kill(node int) error {
	if c.nodes == nil {
		return ErrNotOurs
	}
	return c.nodes.kill(node)
}

// Stop lets a node shut down in order (SIGTERM) and returns when it has.
func (c *Cluster) Stop(ctx context.Context, node int) error {
	if c.nodes == nil {
		return ErrNotOurs
	}
	return c.nodes.stop(ctx, node)
}

// Restart starts a node that was killed or stopped, on its own port and data, and returns when every
// node that runs answers and knows all the others.
func (c *Cluster) Restart(ctx context.Context, node int) error {
	if c.nodes == nil {
		return ErrNotOurs
	}
	return c.nodes.restart(ctx, node)
}

// Close ends the cluster and removes what it kept in temporary directories. A cluster that the tests of
// a binary share, or that KAFKA_BROKERS names, stays as it is.
func (c *Cluster) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}
