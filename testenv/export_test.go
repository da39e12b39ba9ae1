package testenv

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Doors for the tests of this package.
var (
	StartChild    = startChild
	FreePorts     = freePorts
	VerifyWebhook = verifyWebhook
	SignWebhook   = signWebhook
	UniquePrefix  = uniquePrefix
)

// FlightWaits returns how often a request of the sandbox had to wait for an earlier one.
func (s *Sandbox) FlightWaits() int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return s.flights.waits
}

// ScanFrames returns the heads that a frame scanner with heads of want bytes finds in pieces, and where in its
// piece each frame began.
func ScanFrames(want int, pieces [][]byte) (heads [][]byte, at []int) {
	s := frames{want: want}
	for _, p := range pieces {
		s.scan(p, func(head []byte, i int) bool {
			heads = append(heads, append([]byte(nil), head...))
			at = append(at, i)
			return true
		})
	}
	return heads, at
}

// Scan calls visit for each committed record of a topic.
func Scan(ctx context.Context, c *Cluster, topic string, visit func(*kgo.Record) error) error {
	_, err := scan(ctx, c, topic, visit)
	return err
}
