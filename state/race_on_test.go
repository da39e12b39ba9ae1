//go:build race

package state_test

// thin is how many times fewer examples the slow tests take: the race detector costs about that factor.
const thin = 5
