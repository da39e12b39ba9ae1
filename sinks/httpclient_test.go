package sinks_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stocksync/sinks"
)

// serve answers requests and returns the address to send them to and a client that may.
func serve(t *testing.T, f http.HandlerFunc) (string, *sinks.HTTP) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	h := sinks.NewHTTP(true)
	t.Cleanup(h.Close)
	return server.URL, h
}

// post sends a request whose query holds a secret.
func post(ctx context.Context, h *sinks.HTTP, url string) (*sinks.Response, error) {
	return h.Do(ctx, sinks.Request{
		Method: http.MethodPost, URL: url + "/hook?key=s3cr3t", Body: []byte("body"),
		Header: http.Header{"Authorization": {"Bearer s3cr3t"}},
	})
}

func TestHTTP_SendsARequestAndReturnsTheAnswerWhole(t *testing.T) {
	url, h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", fmt.Sprint(r.Method, r.URL.Query(), string(body), r.Header.Get("Authorization"), err))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "answer")
	})
	resp, err := post(t.Context(), h, url)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusTeapot || string(resp.Body) != "answer" ||
		resp.Header.Get("X-Saw") != "POSTmap[key:[s3cr3t]]bodyBearer s3cr3t<nil>" {
		t.Errorf("got %d %q %v", resp.Status, resp.Body, resp.Header)
	}
}

// TestHTTP_FollowsNoRedirect ensures that neither the body nor the credentials go where an answer points.
func TestHTTP_FollowsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int32
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for _, to := range []string{other, "http://169.254.169.254/latest/meta-data/", "/hook", "file:///etc/passwd", "//[::1]:1/"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var hits atomic.Int32
			url, h := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				hits.Add(1)
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			})
			resp, err := post(t.Context(), h, url)
			if err != nil || resp.Status != status || hits.Load() != 1 {
				t.Errorf("%d to %s: got %+v, %v after %d requests, want the redirect itself", status, to, resp, err, hits.Load())
			}
			if o := sinks.ClassifyStatus(status); o.Class != sinks.ClassConfig {
				t.Errorf("%d: got class %s, want config", status, o.Class)
			}
		}
	}
	if elsewhere.Load() != 0 {
		t.Errorf("%d requests went elsewhere", elsewhere.Load())
	}
}

// TestHTTP_IgnoresProxyVariables ensures that a request goes to the shop itself, although TestMain names a
// proxy: net/http reads these variables once in a process.
func TestHTTP_IgnoresProxyVariables(t *testing.T) {
	h := sinks.NewHTTP(true)
	defer h.Close()
	h.ResolveWith(names(t, nil))
	if _, err := post(t.Context(), h, "http://shop.example"); !strings.Contains(errText(err), "lookup shop.example") {
		t.Errorf("got %v, want that the shop's name was looked up", err)
	}
}

func TestHTTP_CapsAnswers(t *testing.T) {
	fill := func(w io.Writer, n int) {
		block := make([]byte, 1<<16)
		for ; n > 0; n -= len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"with a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<20))
			fill(w, 1<<20)
		},
		"in chunks":   func(w http.ResponseWriter, _ *http.Request) { fill(w, 1<<20) },
		"without end": func(w http.ResponseWriter, _ *http.Request) { fill(w, 1<<60) },
		"an error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); fill(w, 1<<60) },
		"packed small": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fill(z, 8<<20) // 8 KiB on the wire
			_ = z.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, h := serve(t, answer)
			h.CapBodies(512 << 10)
			_, err := post(t.Context(), h, url)
			if !errors.Is(err, sinks.ErrBodyTooLarge) {
				t.Fatalf("got %v, want %v", err, sinks.ErrBodyTooLarge)
			}
			if o := sinks.ClassifyError(err); o.Class != sinks.ClassTransient || o.Code != "answer_too_large" {
				t.Errorf("got %s %s, want transient answer_too_large", o.Class, o.Code)
			}
		})
	}
	url, h := serve(t, func(w http.ResponseWriter, _ *http.Request) { fill(w, 512<<10) })
	h.CapBodies(512 << 10)
	if resp, err := post(t.Context(), h, url); err != nil || len(resp.Body) != 512<<10 {
		t.Errorf("just the cap: got %v, want it whole", err)
	}
	url, h = serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	if _, err := post(t.Context(), h, url); err == nil {
		t.Error("a header of 1 MiB: want an error")
	}
}

func TestHTTP_TheContextBoundsConnectHeaderAndBody(t *testing.T) {
	release := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		},
		"no end of the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-release:
			}
		},
	} {
		url, h := serve(t, answer)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := post(ctx, h, url)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want the deadline", name, err)
		}
		if o := sinks.ClassifyError(err); o.Class != sinks.ClassTransient || o.Code != "timeout" {
			t.Errorf("%s: got %s %s, want transient timeout", name, o.Class, o.Code)
		}
	}
	close(release)
}

func TestHTTP_ErrorsNameTheHostAndNoMoreOfTheURL(t *testing.T) {
	url, h := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, "not HTTP at all\n\n")
			_ = conn.Close()
		}
	})
	for _, to := range []string{url, "http://127.0.0.1:1", "http://%zz", "gopher://127.0.0.1:1"} {
		_, err := post(t.Context(), h, to)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "/hook") {
			t.Errorf("%s: got %v, want an error without path and query", to, err)
		}
	}
}

// TestHTTP_ReplacesAConnectionThatWasClosedOnce ensures that a shop which closes kept connections costs no
// failed attempt, and that one which cuts every connection is not asked for ever.
func TestHTTP_ReplacesAConnectionThatWasClosedOnce(t *testing.T) {
	var hits, cuts atomic.Int32
	url, h := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := hits.Add(1); n <= cuts.Load() {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}
	})
	for _, tc := range []struct {
		cuts, hits int32
		fails      bool
	}{{0, 1, false}, {1, 2, false}, {100, 2, true}} {
		hits.Store(0)
		cuts.Store(tc.cuts)
		resp, err := post(t.Context(), h, url)
		if (err != nil) != tc.fails || hits.Load() != tc.hits {
			t.Errorf("%d cut: got %+v, %v after %d requests, want %d", tc.cuts, resp, err, hits.Load(), tc.hits)
		}
	}
}

func TestClassifyStatus_TellsTheShopFromTheUpdateAndTheMoment(t *testing.T) {
	for status, want := range map[int]sinks.Class{
		200: sinks.ClassOK, 201: sinks.ClassOK, 204: sinks.ClassOK, 299: sinks.ClassOK,
		301: sinks.ClassConfig, 304: sinks.ClassConfig, 307: sinks.ClassConfig, 405: sinks.ClassConfig, 410: sinks.ClassConfig,
		400: sinks.ClassQuantity, 413: sinks.ClassQuantity, 422: sinks.ClassQuantity,
		401: sinks.ClassShopUnauthorised, 403: sinks.ClassShopUnauthorised,
		404: sinks.ClassTransient, 408: sinks.ClassTransient, 409: sinks.ClassTransient, 425: sinks.ClassTransient,
		429: sinks.ClassThrottle, 500: sinks.ClassTransient, 502: sinks.ClassTransient, 503: sinks.ClassTransient, 599: sinks.ClassTransient,
	} {
		if got := sinks.ClassifyStatus(status); got.Class != want || got.Code != fmt.Sprint(status) {
			t.Errorf("%d: got %s %s, want %s", status, got.Class, got.Code, want)
		}
	}
}

func TestRetryAfter_ReadsSecondsAndDatesAndNoNonsense(t *testing.T) {
	now := time.Date(2026, 9, 26, 2, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, " 120 ": 2 * time.Minute, "3600": time.Hour, "3601": time.Hour,
		"315360000": time.Hour, "9223372036854775807": time.Hour, // ten years; as long as fits
		"99999999999999999999": 0, "-1": 0, "-9223372036854775808": 0, "1.5": 0, "soon": 0, "0x10": 0, "1e3": 0,
		"Sat, 26 Sep 2026 02:00:30 GMT": 30 * time.Second, "Sat, 26 Sep 2026 01:00:00 GMT": 0,
		"Saturday, 26-Sep-26 02:01:00 GMT": time.Minute, "Sat Sep 26 02:02:00 2026": 2 * time.Minute,
		"Wed, 26 Sep 2125 02:00:00 GMT": time.Hour, "Mon, 01 Jan 0001 00:00:00 GMT": 0, "2026-09-26T03:00:00Z": 0,
	} {
		if got := sinks.RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got := sinks.RetryAfter(http.Header{}, now); got != 0 {
		t.Errorf("no header: got %s, want none", got)
	}
}
