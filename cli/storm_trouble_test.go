package cli_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"stocksync/testenv"
	"stocksync/testenv/twin"
)

// trouble breaks something every moment, in one store after the other, until what it returns is called.
func (s *storm) trouble() (calm func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		random := rand.New(rand.NewPCG(12, 12))
		tick := time.NewTicker(time.Second / 2 / time.Duration(len(s.stores)))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				s.breaking.Lock()
				s.stores[n%len(s.stores)].fail(random)
				s.breaking.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	calm = sync.OnceFunc(func() {
		cancel()
		<-done
		s.heal()
	})
	s.t.Cleanup(calm)
	return calm
}

// heal removes every fault.
func (s *storm) heal() {
	s.sandbox.ClearFaults()
	for _, store := range s.stores {
		if store.twin != nil {
			store.twin.Heal()
		}
	}
}

// fail makes one of the store's next requests fail, in one way or another, in place of one that was to fail and did not:
// where every request failed, the waits between them would be all that is seen.
func (s *stormStore) fail(random *rand.Rand) {
	if s.twin == nil {
		kinds := []testenv.FaultKind{
			testenv.FaultThrottle, testenv.FaultUnavailable, testenv.FaultReset, testenv.FaultAppliedError, testenv.FaultPartial,
			testenv.FaultPartial, testenv.FaultSlow, testenv.FaultWrongSKU, testenv.FaultGarbage, testenv.FaultEndlessBody,
		}
		kind := kinds[random.IntN(len(kinds))]
		if random.IntN(30) == 0 {
			kind = testenv.FaultHang // which takes as long as a request may
		}
		if s.fault != nil {
			s.fault.Remove()
		}
		s.fault = s.sandbox.Inject(testenv.SandboxFault{
			Kind: kind, Store: s.record.Store, Chance: 0.3, Delay: 300 * time.Millisecond,
		})
		return
	}
	kinds := []twin.Kind{
		twin.FaultThrottle, twin.FaultUnavailable, twin.FaultReset, twin.FaultAppliedError, twin.FaultGarbage, twin.FaultHugeBody,
		twin.FaultEndlessBody,
	}
	f := twin.Fault{Kind: kinds[random.IntN(len(kinds))], RetryAfter: "1", Skip: random.IntN(4)}
	switch n := random.IntN(30); {
	case n == 0:
		f.Kind = twin.FaultHang
	case n < 6 && s.record.Marketplace == "tiktokshop":
		f.Kind, f.Refusal = twin.FaultPartial, twin.Refusal{Code: "99999999", Message: "something new"}
	case n < 6 && s.record.Marketplace == "woocommerce":
		f.Kind, f.Refusal = twin.FaultPartial, twin.Refusal{Code: "some_plugins_own_error", Message: "Not today."}
	case n < 6 && s.record.Marketplace == "shopee":
		f.Kind = twin.FaultPartial
		f.Refusal = twin.Refusal{Message: "Our system is taking some time to respond, please try later."}
	case n < 10:
		s.expire()
		return
	}
	s.twin.Heal()
	s.twin.Inject(f)
}

// expire ends the life of the store's token, where it has one that is renewed, unless it is about to be.
func (s *stormStore) expire() {
	if renewed := s.renewed.Load(); int64(s.twin.Refreshes()) >= renewed {
		s.renewed.Store(int64(s.twin.Refreshes() + 1))
		s.twin.Expire()
	}
}

// kill kills a sink, when no store is about to renew a token that can be renewed once: whoever is killed between the
// marketplace's answer and the rename loses the seller's consent, as package token says.
func (s *storm) kill(m *member) {
	s.t.Helper()
	s.breaking.Lock()
	defer s.breaking.Unlock()
	until(s.t, func(context.Context) error {
		for _, store := range s.stores {
			if err := s.atRest(store); err != nil {
				s.update(1) // a store that has nothing to send needs no token
				return err
			}
		}
		return nil
	})
	m.kill(s.t)
}

// atRest tells whether a store's tokens are: the one that ended is renewed, and the new one is on the disk.
func (s *storm) atRest(store *stormStore) error {
	if !store.rotates || store.renewed.Load() == 0 {
		return nil
	}
	if int64(store.twin.Refreshes()) < store.renewed.Load() {
		return fmt.Errorf("%s has not renewed its token", store.record.Store)
	}
	files, err := filepath.Glob(filepath.Join(s.tokensDir, "*.json"))
	if err != nil {
		return err
	}
	issued := store.twin.Issued()
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), issued[len(issued)-1]) {
			return nil
		}
	}
	return fmt.Errorf("%s has not saved its token", store.record.Store)
}
