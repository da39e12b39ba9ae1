package testenv

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind names one way in which a shop fails.
type FaultKind string

// The faults of a sandbox. "Applied" means that the quantities are changed whatever the answer says.
const (
	FaultThrottle     FaultKind = "throttle"            // 429 with Retry-After; not applied
	FaultUnavailable  FaultKind = "unavailable"         // 503; not applied
	FaultUnauthorised FaultKind = "unauthorised"        // 401; not applied
	FaultReset        FaultKind = "reset"               // connection cut without an answer; not applied
	FaultRedirect     FaultKind = "redirect"            // 307 to a cloud's metadata address; not applied
	FaultAppliedError FaultKind = "applied-error"       // applied, and then 500
	FaultHang         FaultKind = "timeout-after-apply" // applied, and never an answer
	FaultSlow         FaultKind = "slow"                // applied, answered after Delay
	FaultPartial      FaultKind = "partial"             // items 1, 3, 5... get Outcome; the rest is applied
	FaultRefuse       FaultKind = "refuse"              // every item gets Outcome; not applied
	FaultNotApplied   FaultKind = "not-applied"         // every item is said to be ok; not applied
	FaultWrongSKU     FaultKind = "wrong-sku"           // applied; the results name SKUs that nobody sent
	FaultGarbage      FaultKind = "garbage"             // applied; 200 and a page instead of JSON
	FaultEndlessBody  FaultKind = "endless-body"        // applied; 200 and an answer that never ends
)

// FaultKinds returns all of them.
func FaultKinds() []FaultKind {
	return []FaultKind{
		FaultThrottle, FaultUnavailable, FaultUnauthorised, FaultReset, FaultRedirect, FaultAppliedError,
		FaultHang, FaultSlow, FaultPartial, FaultRefuse, FaultNotApplied, FaultWrongSKU, FaultGarbage,
		FaultEndlessBody,
	}
}

// ParseFault returns the fault of that name, for faults that are asked for in text.
func ParseFault(name string) (FaultKind, error) {
	k := FaultKind(name)
	if !slices.Contains(FaultKinds(), k) {
		var known []string
		for _, k := range FaultKinds() {
			known = append(known, string(k))
		}
		return "", fmt.Errorf("fault %q: want one of %s", name, strings.Join(known, " "))
	}
	return k, nil
}

// SandboxFault makes requests fail. Of the faults that fit a request the oldest is taken.
type SandboxFault struct {
	Kind       FaultKind
	Store      string        // only this store; "" is all
	SKU        string        // only requests that carry this SKU; "" is all
	Count      int           // how many requests; 0 is one, negative is all until removed
	Chance     float64       // of a request that fits to get it; 0 is always
	RetryAfter string        // throttle: the header, as it stands; default "1", "-" is no header
	Delay      time.Duration // slow; default 1 s, negative is until Injected.Release
	Outcome    string        // partial, refuse: outcome of the items; default "transient"
}

// Injected is a fault that is in force.
type Injected struct {
	fs      *faults
	spec    SandboxFault
	release chan struct{}
	once    sync.Once

	// Guarded by fs.mu.
	left int
	hits int
}

// Inject puts a fault in force.
func (s *Sandbox) Inject(f SandboxFault) *Injected {
	f.RetryAfter = cmp.Or(f.RetryAfter, "1")
	f.Delay = cmp.Or(f.Delay, time.Second)
	f.Outcome = cmp.Or(f.Outcome, "transient")
	in := &Injected{fs: &s.faults, spec: f, left: cmp.Or(f.Count, 1), release: make(chan struct{})}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = append(s.faults.all, in)
	return in
}

// ClearFaults removes all faults. Requests that hang go on hanging.
func (s *Sandbox) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = nil
}

// Hits returns how many requests the fault has been given to.
func (in *Injected) Hits() int {
	in.fs.mu.Lock()
	defer in.fs.mu.Unlock()
	return in.hits
}

// Release lets slow requests go on at once, those that come later too.
func (in *Injected) Release() { in.once.Do(func() { close(in.release) }) }

// Remove takes the fault out of force.
func (in *Injected) Remove() {
	in.fs.mu.Lock()
	defer in.fs.mu.Unlock()
	in.fs.drop(in)
}

// faults are those in force, oldest first.
type faults struct {
	mu  sync.Mutex
	all []*Injected
	rng *rand.Rand
}

func newFaults(seed uint64) faults { return faults{rng: rand.New(rand.NewPCG(seed, 0))} }

// drop removes one. The caller holds the mutex.
func (fs *faults) drop(in *Injected) {
	fs.all = slices.DeleteFunc(fs.all, func(o *Injected) bool { return o == in })
}

// pick returns the fault of a request, nil for none, and counts it.
func (fs *faults) pick(store string, items []sandboxUpdate) *Injected {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, in := range fs.all {
		f := &in.spec
		if f.Store != "" && f.Store != store {
			continue
		}
		if f.SKU != "" && !slices.ContainsFunc(items, func(u sandboxUpdate) bool { return u.SKU == f.SKU }) {
			continue
		}
		if f.Chance > 0 && fs.rng.Float64() >= f.Chance {
			continue
		}
		in.hits++
		if in.left > 0 {
			if in.left--; in.left == 0 {
				fs.drop(in)
			}
		}
		return in
	}
	return nil
}
