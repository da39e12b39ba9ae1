package state_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"stocksync/state"
)

// TestMain runs the tests, or plays the other process that holds a state directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATE_PLAY_HOLDER"); dir != "" {
		os.Exit(playHolder(dir))
	}
	flag.Parse()
	// The same examples in every run; -rapid.seed and -rapid.checks ask for others.
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"seed": "1", "checks": strconv.Itoa(100 / thin), "nofailfile": "true"} {
		if name = "rapid." + name; given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// playHolder holds a state directory until its standard input ends.
func playHolder(dir string) int {
	store, err := state.Open(state.Config{Dir: dir, Stamp: stamp()})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		return 1
	}
	if err := store.Close(); err != nil {
		return 1
	}
	return 0
}
