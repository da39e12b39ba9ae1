//go:build !race

package state_test

// thin: without the race detector every example is taken.
const thin = 1
