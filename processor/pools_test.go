package processor_test

import (
	"testing"

	"stocksync/processor"
)

// Ensure that what a pool gives is large enough, wherever it comes from, and not much larger.
func TestSizedPool_GivesWhatIsLargeEnough(t *testing.T) {
	t.Parallel()
	var p processor.BytesPool
	for n := range 5000 {
		for _, held := range []int{n, n + 1, 2 * n, n + n/7} { // what the client has grown has any size
			p.Put(make([]byte, held))
		}
		got := p.Get(n)
		if len(got) != 0 || cap(got) < n || cap(got) > n+n/2+4 {
			t.Fatalf("got a slice of length %d and capacity %d for %d", len(got), cap(got), n)
		}
	}
}
