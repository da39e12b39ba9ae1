package processor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"stocksync/processor"
)

// Ensure a transaction of which every record fails is told of in a line: a lane that wrote all of them down would be
// busy with it for minutes.
func TestProduce_TellsOfTheFirstRecordThatFailed(t *testing.T) {
	t.Parallel()
	err := processor.ProduceError(100_000, kerr.InvalidProducerEpoch)
	if !errors.Is(err, kerr.InvalidProducerEpoch) || !strings.HasPrefix(err.Error(), "produce to changelog partition 0: ") {
		t.Errorf("got %.100q, want the first record's", err)
	}
	if n := len(err.Error()); n > 200 {
		t.Errorf("got %d bytes, want a line", n)
	}
}
