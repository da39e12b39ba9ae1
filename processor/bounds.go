package processor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"

	"stocksync/topics"
)

// bounds are the log starts and the read_uncommitted ends of the topics a start looks at, taken
// after the assignment: a predecessor's pending commit lies below them. The ids are as fresh: a topic
// may have been made anew while the process runs.
type bounds struct {
	changelog, availability offsets
	inputs                  [3]offsets
	changelogID             kadm.TopicID
	inputIDs                [3]kadm.TopicID
}

type offsets struct{ start, end map[int32]int64 }

func (p *Processor) bounds(ctx context.Context) (*bounds, error) {
	names := append([]string{
		p.c.Prefix.Name(topics.Changelog), p.c.Prefix.Name(topics.AvailabilityTopic),
	}, p.names[:]...)
	starts, err := p.admin.ListStartOffsets(ctx, names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := p.admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	meta, err := p.admin.Metadata(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("topic ids: %w", err)
	}
	b := &bounds{changelogID: meta.Topics[names[0]].ID}
	for i, name := range p.names {
		b.inputIDs[i] = meta.Topics[name].ID
	}
	for i, to := range [...]*offsets{&b.changelog, &b.availability, &b.inputs[0], &b.inputs[1], &b.inputs[2]} {
		to.start, to.end = byPartition(starts, names[i]), byPartition(ends, names[i])
	}
	return b, nil
}

func byPartition(list kadm.ListedOffsets, topic string) map[int32]int64 {
	m := map[int32]int64{}
	for p, o := range list[topic] {
		m[p] = o.Offset
	}
	return m
}

// isContext tells whether an error says no more than that a context ended.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// label is a partition number as a metric's label.
func label(partition int32) string { return strconv.Itoa(int(partition)) }
