package sinks_test

import (
	"fmt"
	"os"
	"testing"

	"stocksync/testenv"
)

// TestMain runs the tests with a proxy in the environment that nobody listens at: requests to stores must
// not go there.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(testenv.Main(m))
}

func TestSinks_BringEveryStoreToEverySKU(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		for _, store := range []string{"a", "b", "c"} {
			w.store(store)
		}
		w.stock("A=5 B=0 C=7")
		w.start("one")
		w.settled()
		w.stock("A=4 D=1")
		w.settled()
	})
}
