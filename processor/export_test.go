package processor

import "github.com/twmb/franz-go/pkg/kgo"

// NewBalancer returns the balancer of an instance that has the state of these partitions on its disk.
func NewBalancer(instance, mutations string, stored ...int32) kgo.GroupBalancer {
	return NewLaneBalancer(instance, 1, mutations, func() {}, stored...)
}

// NewLaneBalancer returns the balancer of a lane of an instance that has so many.
func NewLaneBalancer(instance string, lanes int, mutations string, awaits func(), stored ...int32) kgo.GroupBalancer {
	return &balancer{
		instance: instance, lanes: lanes, mutations: mutations, awaits: awaits,
		stored: func() ([]int32, error) { return stored, nil },
	}
}
