package processor

import "github.com/twmb/franz-go/pkg/kgo"

// NewBalancer returns the balancer of an instance that has the state of these partitions on its disk.
func NewBalancer(instance, mutations string, stored ...int32) kgo.GroupBalancer {
	return &balancer{instance: instance, mutations: mutations, stored: func() ([]int32, error) { return stored, nil }}
}

// WithLanes returns the balancer of an instance that says how many lanes it has.
func WithLanes(b kgo.GroupBalancer, lanes int) kgo.GroupBalancer {
	of := *b.(*balancer)
	of.lanes = lanes
	return &of
}

// ProduceError returns what a transaction says of so many records that failed.
func ProduceError(records int, err error) error {
	p := &production{changelog: "changelog"}
	for n := range records {
		p.done(&kgo.Record{Topic: "changelog", Partition: int32(n % 8)}, err)
	}
	return p.err
}

// BytesPool is the pool of slices that batches are decompressed into.
type BytesPool struct{ pool sizedPool[byte] }

func (p *BytesPool) Get(n int) []byte { return p.pool.get(n) }
func (p *BytesPool) Put(b []byte)     { p.pool.put(b) }
