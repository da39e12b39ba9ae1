// Package conformance is the suite that every adapter runs against the sandbox twin of its marketplace. It
// asks what the reconciler relies on, whatever the dialect: that a success is one of each update and not of
// a request, that every answer has the right class, that nothing hangs or swells, and that no secret gets
// into an outcome or an error.
//
//	conformance.go   what is tried: Subject, Shop; Run
//	bench.go         one shop and a session in it; what the session says is listened to
//	push.go          one update, a full batch, groups, partial failure, the answers of each class
//	wire.go          throttling, timeouts, resets, bodies without end, redirects, addresses inside
//	token.go         tokens that expire, are refreshed and are taken back
//	shelf.go         catalogue and read-back
//
// An adapter's package has one test:
//
//	func TestConformance(t *testing.T) { conformance.Run(t, conformance.Subject{...}) }
package conformance

import (
	"testing"

	"stocksync/sinks"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

// Subject is an adapter, and what its marketplace is like.
type Subject struct {
	Adapter sinks.Adapter
	// Restart returns the adapter of a process that was started anew; nil when Adapter remembers nothing.
	Restart func() sinks.Adapter
	// Start returns a new shop, which ends with the test. It sells what Updates and Others return.
	Start func(*testing.T) Shop
	// Answers are the marketplace's own words for each class: at least one of every class that it has.
	Answers []Answer
	// Never are the classes for which the marketplace has no words about an update, and why.
	Never map[sinks.Class]string
	// Cannot are the faults that the dialect does not show, and why.
	Cannot map[twin.Kind]string
	// SignsIn says that the token is got by signing in with credentials that last, and is not kept: a session
	// that is opened anew signs in again.
	SignsIn bool
	// Unstocked says why the shop can't be given items by the suite; its catalogue is tried elsewhere then. Empty:
	// it can.
	Unstocked string
}

// Answer is how a marketplace says a class.
type Answer struct {
	Class         sinks.Class
	Code, Message string
	Whole         bool // it is said of the request as such
}

// Shop is a twin as the suite sees it. A dialect's twin that embeds *twin.Twin has most of it.
type Shop interface {
	// Options and Credentials are those of the store record by which the adapter finds the shop.
	Options() []byte
	Credentials() map[string]string
	// Secrets are the texts that must not get into outcomes and errors.
	Secrets() []string

	// Updates returns updates that may share a request, each of another target, to quantities that are not
	// there; n is at most the adapter's batch.
	Updates(n int) []sinks.Update
	// Others returns at least one update that may not share a request with those; none when all may.
	Others() []sinks.Update
	// Unknown returns an update of a target that the shop does not have.
	Unknown() sinks.Update

	// Shown returns what the shop has of an update's target.
	Shown(*sinks.Update) (topics.Quantity, bool)
	// Changed returns a channel that is closed by the next quantity that the shop takes.
	Changed() <-chan struct{}
	Calls() []twin.Call
	Breaches() []string

	Inject(twin.Fault)
	// ExpireAfter ends the life of the access token after n more requests, where there is one.
	ExpireAfter(n int)
	// Revoke takes the shop's consent back.
	Revoke()
}

// Stocked is a shop whose adapter lists a catalogue or reads back.
type Stocked interface {
	Shop
	// Stock adds n items.
	Stock(n int)
	Items() []twin.Item
	Put(...twin.Item)
	Sell(id twin.ID, location string, qty topics.Quantity)
	// Hung returns a channel that is closed when a request meets FaultHang.
	Hung() <-chan struct{}
}

// check is one claim of the suite.
type check struct {
	name string
	run  func(*testing.T, *bench)
}

// Run tries everything, each with a shop of its own.
func Run(t *testing.T, s Subject) {
	t.Run("every class has an answer", func(t *testing.T) { answersAreComplete(t, s) })
	for _, list := range [][]check{pushChecks(), wireChecks(), tokenChecks(), shelfChecks()} {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				b := newBench(t, s)
				c.run(t, b)
				b.noSecretWasHeard()
			})
		}
	}
}

// answersAreComplete ensures that no class is left out by oversight.
func answersAreComplete(t *testing.T, s Subject) {
	known := map[sinks.Class]bool{sinks.ClassOK: true}
	for _, a := range s.Answers {
		known[a.Class] = true
		if why, ok := s.Never[a.Class]; ok {
			t.Errorf("%s has an answer, and yet never comes: %s", a.Class, why)
		}
	}
	for _, c := range sinks.Classes() {
		if _, never := s.Never[c]; !known[c] && !never {
			t.Errorf("%s: neither an answer nor a reason why there is none", c)
		}
	}
}
