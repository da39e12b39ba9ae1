// Package twin holds what the sandbox twins of the marketplaces share. A twin is one shop on one
// marketplace: an HTTP server that speaks the marketplace's dialect, checks signatures and tokens, keeps
// limits, keeps stock, and fails on request. Each dialect is a package below, which answers requests; all
// else is here:
//
//	twin.go      a shop: recorded calls in order, and a request's way through it
//	exchange.go  one request, as its dialect sees it
//	fault.go     the ways to fail, by name, on request
//	shelf.go     what the shop sells: products, SKUs, locations, quantities, and who wrote them
//	tokens.go    access and refresh tokens: issue, expiry, rotation, consent taken back
//	window.go    limits of requests in a sliding window
//
// A twin believes nothing that its marketplace does not: what the real server refuses, it refuses. What the
// reference does not tell is decided against the client, and said in the dialect's doc comment.
package twin

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// requestMost is what a request may weigh: far more than the largest batch.
const requestMost = 4 << 20

// Op is what a request asks of a shop, in words that all marketplaces share.
type Op string

// The operations.
const (
	OpPush    Op = "push"    // set quantities
	OpList    Op = "list"    // what the shop sells
	OpRead    Op = "read"    // quantities of some of it
	OpRefresh Op = "refresh" // a new access token
	OpOther   Op = "other"   // the rest that the marketplace offers
	OpUnknown Op = ""        // nothing that it offers
)

// Dialect is what makes a twin the twin of one marketplace. Its methods are called from several goroutines.
type Dialect interface {
	// Operation says what a request asks for, from its method, path and body, which it may read.
	Operation(*http.Request) Op
	// Serve answers a request. It sets quantities through the exchange alone.
	Serve(*Exchange) Answer
	// Throttled is how the marketplace says that there were too many requests.
	Throttled(*Exchange) Answer
}

// Config says what a twin is like.
type Config struct {
	Dialect Dialect
	Limits  map[Op]Window    // requests in a sliding window; no entry is no limit
	Tokens  TokensConfig     // of marketplaces whose tokens expire
	Now     func() time.Time // default time.Now
	Log     *slog.Logger     // faults; default none
}

// Twin is one shop. Its methods may be called from any goroutine.
type Twin struct {
	*Shelf
	*Tokens

	cfg    Config
	faults faults
	stop   chan struct{} // closed by Close: requests that hang end
	hung   chan struct{} // closed by the first request that hangs
	hang   func()
	close  func() error
	server *http.Server
	addr   string

	mu       sync.Mutex
	calls    []*Call
	limits   map[Op]*window
	breaches []string
}

// Call is one request that a twin got.
type Call struct {
	Seq    int // 1 for the first
	At     time.Time
	Ended  time.Time // just before the answer left, or when the client was seen to have gone; zero: it is under way
	Op     Op
	Method string
	Target string // path and query
	Header http.Header
	Body   []byte
	Fault  Kind // that it met; "" for none
	Status int  // of the answer; 0 as long as there is none, and when there never was
}

// Start returns a shop that listens on a free loopback port and ends with the test.
func Start(tb testing.TB, cfg Config) *Twin {
	tb.Helper()
	t, err := Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Errorf("close twin: %v", err)
		}
	})
	return t
}

// Listen returns a shop that listens on a free loopback port until Close.
func Listen(cfg Config) (*Twin, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Tokens.Now = cfg.Now
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start twin: %w", err)
	}
	t := &Twin{
		Shelf: newShelf(cfg.Now), Tokens: newTokens(cfg.Tokens),
		cfg: cfg, stop: make(chan struct{}), hung: make(chan struct{}), addr: ln.Addr().String(), limits: map[Op]*window{},
	}
	t.hang = sync.OnceFunc(func() { close(t.hung) })
	for op, w := range cfg.Limits {
		t.limits[op] = &window{Window: w}
	}
	t.server = &http.Server{
		Handler: t, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- t.server.Serve(ln) }()
	t.close = sync.OnceValue(func() error {
		close(t.stop)
		err := t.server.Close()
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			return end
		}
		return err
	})
	return t, nil
}

// Close ends the requests that hang, and the listener.
func (t *Twin) Close() error { return t.close() }

// URL returns the shop's address, without a path.
func (t *Twin) URL() string { return "http://" + t.addr }

// Hung returns a channel that is closed when a request meets FaultHang.
func (t *Twin) Hung() <-chan struct{} { return t.hung }

// Now returns the shop's time.
func (t *Twin) Now() time.Time { return t.cfg.Now() }

// Calls returns the requests so far, in order.
func (t *Twin) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Call, len(t.calls))
	for i, c := range t.calls {
		list[i] = *c
	}
	return list
}

// Breaches returns what no client may do and one did, in order: more requests than the limits allow, a
// redirect that was followed.
func (t *Twin) Breaches() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.breaches)
}

// redirected is where FaultRedirect leads. A client must not come here.
const redirected = "/redirected"

// ServeHTTP takes one request: note it, count it, let it fail if a fault says so, let the dialect answer.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestMost))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // for dialects whose one path leads to everything
	x := &Exchange{
		Op: t.cfg.Dialect.Operation(r), Request: r, Body: body, Query: r.URL.Query(), At: t.cfg.Now(), twin: t, w: w,
	}
	t.note(x)
	defer t.ended(x)
	if r.URL.Path == redirected {
		t.breach("a redirect was followed")
	}
	if wait, ok := t.allow(x); !ok {
		x.retryAfter = wait
		t.send(x, t.cfg.Dialect.Throttled(x))
		return
	}
	x.fault = t.faults.pick(x.Op)
	if x.fault == nil {
		t.send(x, t.cfg.Dialect.Serve(x))
		return
	}
	t.mu.Lock()
	x.call.Fault = x.fault.Kind
	t.mu.Unlock()
	t.cfg.Log.Info("twin fault", "fault", string(x.fault.Kind), "operation", string(x.Op))
	t.fail(x)
}

// note records a call.
func (t *Twin) note(x *Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.call = &Call{
		Seq: len(t.calls) + 1, At: x.At, Op: x.Op, Method: x.Request.Method, Target: x.Request.URL.RequestURI(),
		Header: x.Request.Header, Body: x.Body,
	}
	t.calls = append(t.calls, x.call)
}

// allow counts a request against the limit of its operation.
func (t *Twin) allow(x *Exchange) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.limits[x.Op]
	if limit == nil {
		return 0, true
	}
	if wait, ok = limit.allow(x.At); !ok {
		t.breaches = append(t.breaches, fmt.Sprintf("request %d: more than %d %q in %s",
			x.call.Seq, limit.Most, x.Op, limit.Per))
	}
	return wait, ok
}

func (t *Twin) breach(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaches = append(t.breaches, text)
}

// send answers a request.
func (t *Twin) send(x *Exchange, a Answer) {
	status := cmp.Or(a.Status, http.StatusOK)
	maps.Copy(x.w.Header(), a.Header)
	if x.w.Header().Get("Content-Type") == "" {
		x.w.Header().Set("Content-Type", "application/json")
	}
	t.answered(x, status)
	x.w.WriteHeader(status)
	if _, err := x.w.Write(a.Body); err != nil {
		t.cfg.Log.Info("twin's answer not sent", "error", err)
	}
}

// answered notes what the answer will be. It must come before the answer, whose reader may send the next request at
// once.
func (t *Twin) answered(x *Exchange, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.call.Status, x.call.Ended = status, t.cfg.Now()
}

// ended notes the end of a request that got no answer.
func (t *Twin) ended(x *Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.call.Ended.IsZero() {
		x.call.Ended = t.cfg.Now()
	}
}
