package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stocksync/topics"
)

// Errors of the start-up checks. Each one's text says what to do.
var (
	// ErrBroker reports that no broker answers.
	ErrBroker = errors.New("no Kafka broker answers")
	// ErrTopics reports topics that are missing or of the wrong shape.
	ErrTopics = errors.New("topics are not as they must be")
	// ErrTransactionVersion reports a broker without KIP-890 part 2, on which a late EndTxn could
	// end a later transaction.
	ErrTransactionVersion = errors.New("the broker's transaction.version is below 2")
)

// startTimeout is how long a start waits for a broker.
const startTimeout = 30 * time.Second

// cluster is what the start-up checks learned.
type cluster struct {
	id          string
	partitions  int32 // of mutations: the number of tasks
	inputIDs    [3]kadm.TopicID
	changelogID kadm.TopicID
}

// check connects and holds the installation against what the protocol needs.
func (p *Processor) check(ctx context.Context) (cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	meta, err := p.admin.Metadata(ctx, p.topicNames()...)
	if err != nil {
		return cluster{}, fmt.Errorf("%w at %q within %s; check KAFKA_BROKERS: %w", ErrBroker, p.c.Brokers, startTimeout, err)
	}
	if err := p.checkTransactionVersion(ctx); err != nil {
		return cluster{}, err
	}
	found, err := p.checkTopics(meta.Topics)
	found.id = meta.Cluster
	return found, err
}

func (p *Processor) topicNames() []string {
	bases := []string{
		topics.Mutations, topics.Orders, topics.Commands, topics.Changelog, topics.AvailabilityTopic, topics.DeadLetters,
	}
	for i := range bases {
		bases[i] = p.c.Prefix.Name(bases[i])
	}
	return bases
}

func (p *Processor) checkTransactionVersion(ctx context.Context) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "stocksync", "1"
	resp, err := req.RequestWith(ctx, p.client)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroker, err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" && f.MaxVersionLevel >= 2 {
			return nil
		}
	}
	return fmt.Errorf("%w; it takes Apache Kafka 4.0 or later, and after an upgrade of the brokers "+
		"`kafka-features.sh upgrade --feature transaction.version=2`", ErrTransactionVersion)
}

// checkTopics verifies that every topic is there, and that each SKU-keyed one has as many partitions
// as mutations. More are a warning: a scale is under way.
func (p *Processor) checkTopics(found kadm.TopicDetails) (cluster, error) {
	var c cluster
	var errs []error
	names := p.topicNames()
	for _, name := range names {
		t, ok := found[name]
		if err := t.Err; !ok || errors.Is(err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("topic %s is missing; run `stocksync topics ensure`", name))
		} else if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", name, err))
		}
	}
	if len(errs) > 0 {
		return c, fmt.Errorf("%w: %w", ErrTopics, errors.Join(errs...))
	}
	c.partitions = int32(len(found[names[0]].Partitions))
	for _, name := range names[1:] {
		switch n := int32(len(found[name].Partitions)); {
		case n < c.partitions:
			errs = append(errs, fmt.Errorf("topic %s has %d partitions, %s has %d; run `kafka-topics.sh --alter "+
				"--topic %s --partitions %d`", name, n, names[0], c.partitions, name, c.partitions))
		case n > c.partitions:
			p.c.Log.Warn("topic has more partitions than mutations; a scale is under way, or was left half way",
				"topic", name, "partitions", n, "mutations", c.partitions)
		}
	}
	if len(errs) > 0 {
		return c, fmt.Errorf("%w: %w", ErrTopics, errors.Join(errs...))
	}
	for i, name := range p.names {
		c.inputIDs[i] = found[name].ID
	}
	c.changelogID = found[p.c.Prefix.Name(topics.Changelog)].ID
	return c, nil
}
