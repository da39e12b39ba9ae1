package sinks_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
	testenv.Each(t, func(t *testing.T, c *testenv.Cluster) {
		real(t, c, testenv.SandboxConfig{}, func(w *world) {
			rng := rand.New(rand.NewPCG(3, 3))
			for _, store := range []string{"a", "b", "c"} {
				w.store(store)
			}
			w.stock(many("A", 50, 5))
			one := w.start("one")
			w.settled()
			two := w.start("two")
			for range 10 {
				text := ""
				for range 40 {
					text += fmt.Sprintf("A%02d=%d ", rng.IntN(60), rng.IntN(9))
				}
				w.stock(text)
			}
			w.settled()
			w.eventually("both ready", func() error { return errors.Join(one.Ready(), two.Ready()) })
			two.stop()
			w.stock(many("A", 50, 7))
			w.settled()
			for _, store := range []string{"a", "b", "c"} {
				if got := len(w.shop.Quantities(store)); got != len(w.latest) {
					t.Errorf("store %s shows %d SKUs, want %d", store, got, len(w.latest))
				}
			}
		})
	})
}
