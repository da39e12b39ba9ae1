package testenv

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"stocksync/topics"
)

// refusalsKept is how many refusals, the newest, and violations, the first, a sandbox remembers at most.
const refusalsKept = 1000

// SandboxConfig says what a sandbox shop is like. The zero value takes every store and SKU, signed with
// DefaultSecret, without limits.
type SandboxConfig struct {
	Secret    string                       // whsec_ and base64; default DefaultSecret
	Secrets   map[string]string            // by store, where it differs
	Tolerance time.Duration                // between a request's timestamp and now; default 5 min
	MaxBatch  int                          // items in a request; default 100
	MaxWrites int                          // newest writes to remember; 0 is all
	Rate      rate.Limit                   // requests per second and store, then 429; 0 is no limit
	Burst     int                          // with Rate; default 1
	KeepNew   bool                         // keep what has a higher revision than a late write (and say ok)
	Sells     func(store, sku string) bool // false is answered not_found; default everything
	Overlap   time.Duration                // patience with an earlier request of a pair; default 2 s
	Seed      uint64                       // decides which requests get a fault with a Chance
	Log       *slog.Logger                 // refusals and violations; default none
}

// DefaultSecret signs for all stores of a sandbox that has no other secret.
const DefaultSecret = "whsec_c2FuZGJveC1zZWNyZXQtbm90LWEtcmVhbC1vbmU="

// Write is one quantity that the sandbox took.
type Write struct {
	Seq      int64 // 1 for the first write of the sandbox
	At       time.Time
	ID       string // webhook-id of the request
	Store    string
	SKU      string
	Qty      topics.Quantity
	Revision int64
}

// Refusal is a request, or one item of it, that changed nothing.
type Refusal struct {
	At       time.Time
	ID       string // webhook-id, as far as there was one
	Store    string
	SKU      string // empty when the whole request was refused
	Qty      topics.Quantity
	Revision int64
	Status   int    // HTTP
	Outcome  string // of the item, "" for a whole request
	Why      string
}

// Violation is something that no client may do.
type Violation struct {
	At    time.Time
	Kind  ViolationKind
	Store string
	SKU   string
	Text  string
}

// ViolationKind names a rule of design 5 that was broken.
type ViolationKind string

// The rules that a sandbox watches.
const (
	ViolationOverlap  ViolationKind = "two requests in flight for one pair"
	ViolationRevision ViolationKind = "revision went back"
	ViolationDialect  ViolationKind = "not the webhook dialect"
)

// SandboxStats counts what a sandbox has seen.
type SandboxStats struct {
	Requests   int64 // all
	Refused    int64 // whole requests: signature, limit, form, faults
	Writes     int64
	Refusals   int64 // of requests and items
	Violations int64
	Faults     map[FaultKind]int64
}

// Sandbox is a shop that speaks the webhook dialect (Standard Webhooks, results per item). It keeps one
// quantity per store and SKU, checks what it is sent, and fails on request. It is an http.Handler; Listen
// serves it on a port. All methods may be called from any goroutine.
//
// A store's address is /stores/NAME: POST writes, GET shows what the shop has.
type Sandbox struct {
	cfg     SandboxConfig
	log     *slog.Logger
	mux     *http.ServeMux
	flights flights
	faults  faults
	stop    chan struct{} // closed by Close: requests that hang end
	close   func() error

	mu         sync.Mutex
	addr       string
	server     *http.Server
	stores     map[string]*sandboxStore
	writes     []Write // oldest first, from writes[head] on when it is a ring
	head       int
	refusals   []Refusal
	violations []Violation
	stats      SandboxStats
}

type sandboxStore struct {
	limit *rate.Limiter
	items map[string]*sandboxItem
}

type sandboxItem struct {
	qty     topics.Quantity
	applied int64 // revision of qty
	seen    int64 // highest revision received
	known   bool  // something was applied
}

// NewSandbox returns a sandbox that does not listen yet.
func NewSandbox(cfg SandboxConfig) *Sandbox {
	cfg.Secret = cmp.Or(cfg.Secret, DefaultSecret)
	cfg.Tolerance = cmp.Or(cfg.Tolerance, 5*time.Minute)
	cfg.MaxBatch = cmp.Or(cfg.MaxBatch, 100)
	cfg.Burst = max(1, cfg.Burst)
	cfg.Overlap = cmp.Or(cfg.Overlap, 2*time.Second)
	if cfg.Sells == nil {
		cfg.Sells = func(string, string) bool { return true }
	}
	s := &Sandbox{
		cfg: cfg, log: cfg.Log, mux: http.NewServeMux(), stop: make(chan struct{}),
		faults: newFaults(cfg.Seed), flights: newFlights(), stores: map[string]*sandboxStore{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.stats.Faults = map[FaultKind]int64{}
	s.close = sync.OnceValue(s.shutDown)
	s.mux.HandleFunc("POST /stores/{store}", s.serveUpdates)
	s.mux.HandleFunc("GET /stores/{store}", s.serveItems)
	return s
}

// StartSandbox returns a sandbox that listens on a free loopback port and ends with the test.
func StartSandbox(tb testing.TB, cfg SandboxConfig) *Sandbox {
	tb.Helper()
	s := NewSandbox(cfg)
	if err := s.Listen("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close sandbox: %v", err)
		}
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Listen serves the sandbox on addr, once, until Close; port 0 takes a free one.
func (s *Sandbox) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("start sandbox: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = ln.Addr().String()
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	server := s.server
	go func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("sandbox ended", "error", err)
		}
	}()
	return nil
}

// URL returns where a store takes updates, once Listen has returned.
func (s *Sandbox) URL(store string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.addr + "/stores/" + url.PathEscape(store)
}

// Close ends the requests that hang, and the listener.
func (s *Sandbox) Close() error { return s.close() }

func (s *Sandbox) shutDown() error {
	close(s.stop)
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Close()
}

// Quantities returns what the store shows, by SKU.
func (s *Sandbox) Quantities(store string) map[string]topics.Quantity {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]topics.Quantity{}
	if st := s.stores[store]; st != nil {
		for sku, it := range st.items {
			if it.known {
				out[sku] = it.qty
			}
		}
	}
	return out
}

// Quantity returns what the store shows for one SKU, and the revision that brought it; ok is false when
// nothing was ever written.
func (s *Sandbox) Quantity(store, sku string) (qty topics.Quantity, revision int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stores[store]
	if st == nil || st.items[sku] == nil {
		return 0, 0, false
	}
	it := st.items[sku]
	return it.qty, it.applied, it.known
}

// Stores returns the stores for which signed requests have come, sorted.
func (s *Sandbox) Stores() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.stores))
}

// Writes returns what was taken, in order; with MaxWrites the newest of it.
func (s *Sandbox) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.writes[s.head:], s.writes[:s.head])
}

// Refusals returns what was refused, in order; in long runs the newest 900 or more.
func (s *Sandbox) Refusals() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals)
}

// Violations returns what no client may do and one did, in order, the first 1000.
func (s *Sandbox) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Stats returns the counts so far.
func (s *Sandbox) Stats() SandboxStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Faults = maps.Clone(s.stats.Faults)
	return out
}
