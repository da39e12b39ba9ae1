package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	connectTimeout  = 5 * time.Second  // a host that is up answers a SYN in less
	idleTimeout     = 60 * time.Second // below the idle timeouts of common load balancers
	headerBytesMost = 64 << 10
	// DefaultBodyMost caps an answer. The largest batch is a thousand results of some hundred bytes.
	DefaultBodyMost = 4 << 20
	// retryAfterMost is the longest a marketplace may ask to be left alone: a longer one is a mistake.
	retryAfterMost = time.Hour
)

// ErrBodyTooLarge reports an answer beyond the cap.
var ErrBodyTooLarge = errors.New("the answer is too large")

// HTTP is the one way to the outside: every adapter sends through it. Time and size of answers are
// capped, redirects are not followed, proxy variables are ignored, user-supplied URLs stay on the public
// internet, and no error names more of a URL than its host. It is safe for concurrent use.
type HTTP struct {
	client   *retryablehttp.Client
	dialer   *net.Dialer
	guard    guard
	bodyMost int64
	gate     *gate // nil: requests of no store in particular
}

// Request is one request of an adapter.
type Request struct {
	Method, URL string
	Header      http.Header
	Body        []byte
}

// Response is an answer, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewHTTP returns a client. allowPrivate lets it reach private and loopback addresses and plain http:
// for the demo and for tests.
func NewHTTP(allowPrivate bool) *HTTP {
	h := &HTTP{guard: guard{allowPrivate: allowPrivate}, bodyMost: DefaultBodyMost}
	h.dialer = &net.Dialer{Timeout: connectTimeout, Control: h.guard.control}
	h.client = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: &http.Transport{
				Proxy: nil, DialContext: h.dialer.DialContext, ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: connectTimeout, IdleConnTimeout: idleTimeout,
				MaxIdleConnsPerHost: 16, MaxResponseHeaderBytes: headerBytesMost,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		// The reconciler retries, with what is true by then. Here only a kept connection that the other
		// side had closed is replaced, once.
		RetryMax: 1, RetryWaitMin: 10 * time.Millisecond, RetryWaitMax: 100 * time.Millisecond,
		CheckRetry: retryConnection, Backoff: retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return h
}

// CheckURL parses a URL that a person supplied, or says why no store may have it.
func (h *HTTP) CheckURL(text string) (*url.URL, error) { return h.guard.checkURL(text) }

// through returns the client whose requests pass a gate.
func (h *HTTP) through(g *gate) *HTTP {
	own := *h
	own.gate = g
	return &own
}

// Do waits until the store's limits allow a request, sends it and reads the answer whole. The context bounds all
// of it.
func (h *HTTP) Do(ctx context.Context, r Request) (*Response, error) {
	if h.gate == nil {
		return h.do(ctx, r)
	}
	ctx, leave, err := h.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the store's limits: %w", err)
	}
	defer leave()
	return h.do(ctx, r)
}

func (h *HTTP) do(ctx context.Context, r Request) (*Response, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, r.Method, r.URL, r.Body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", withoutURL(err))
	}
	maps.Copy(req.Header, r.Header)
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("request to %s: %w", req.URL.Host, withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }() // all of it was read, or there is an error to return
	var body bytes.Buffer
	n, err := io.Copy(&body, io.LimitReader(resp.Body, h.bodyMost+1))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", req.URL.Host, err)
	}
	if n > h.bodyMost {
		return nil, fmt.Errorf("read answer of %s: %w: more than %d bytes", req.URL.Host, ErrBodyTooLarge, h.bodyMost)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body.Bytes()}, nil
}

// Close ends the connections that are kept.
func (h *HTTP) Close() { h.client.HTTPClient.CloseIdleConnections() }

// withoutURL takes the URL out of an error: its query may hold a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func retryConnection(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil || ctx.Err() != nil {
		return false, ctx.Err()
	}
	gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "server closed idle connection")
	return gone, nil
}

// ClassifyError returns the outcome of a request that got no answer.
func ClassifyError(err error) Outcome {
	o := Outcome{Class: ClassTransient, Code: "no_answer", Message: err.Error()}
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		o.Class, o.Code = ClassConfig, "forbidden_address"
	case errors.Is(err, ErrBodyTooLarge):
		o.Code = "answer_too_large"
	case errors.Is(err, context.DeadlineExceeded):
		o.Code = "timeout"
	}
	return o
}

// ClassifyStatus returns the outcome that an HTTP status stands for where a marketplace says nothing
// more precise.
func ClassifyStatus(status int) Outcome {
	o := Outcome{Code: strconv.Itoa(status), Message: http.StatusText(status)}
	switch {
	case status >= 200 && status < 300:
		o.Class = ClassOK
	case status == http.StatusTooManyRequests:
		o.Class = ClassThrottle
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		o.Class = ClassShopUnauthorised
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge,
		status == http.StatusUnprocessableEntity:
		o.Class = ClassQuantity // of one of the updates: the reconciler sends smaller batches to find it
	case status == http.StatusNotFound, status == http.StatusRequestTimeout, status == http.StatusConflict,
		status == http.StatusTooEarly, status >= 500:
		o.Class = ClassTransient // 404 too: what a proxy says while nothing is behind it
	default:
		o.Class = ClassConfig
	}
	return o
}

// RetryAfter reads the header of that name: seconds or a date. It returns 0 for none and for nonsense,
// and an hour at most.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(retryAfterMost/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), retryAfterMost)
}
