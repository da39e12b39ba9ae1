package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// Limits of the HTTP server and of stopping.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = 2 * time.Second
	// stopTimeout is how long the parts have to finish after SIGTERM. The process promises 15 s.
	stopTimeout = 14 * time.Second
)

// errStopTimeout is the error of a stop that had to be cut short.
var errStopTimeout = errors.New("still busy 14 s after the signal: stopped without waiting")

// part is one long-running piece of a service.
type part struct {
	name  string
	run   func(context.Context) error // blocks; nil when the context ended and all is in order
	ready func() error                // nil, or why not
}

// listen opens the port of the HTTP server and logs it; the caller serves on it or closes it.
func (c *call) listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on HTTP_ADDR: %w", err)
	}
	c.log.Info("http server listens", "url", "http://"+listener.Addr().String())
	return listener, nil
}

// serve runs the parts and the HTTP server until the context ends or one of them fails; the others are then
// stopped. Ending by the context is success.
func (c *call) serve(ctx context.Context, listener net.Listener, reg *prometheus.Registry, parts []part) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(ctx, listener, newMux(reg, parts)) })
	for _, p := range parts {
		group.Go(func() error {
			if err := p.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if ctx.Err() == nil {
				return fmt.Errorf("%s: ended by itself", p.name)
			}
			return nil
		})
	}
	return waitFor(ctx, c.log, group.Wait)
}

// waitFor waits for the end; once the context is done it waits no longer than stopTimeout.
func waitFor(ctx context.Context, log *slog.Logger, wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }() // ends with wait; a stop that is cut short ends the process
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errStopTimeout
	}
}

// serveHTTP answers until the context ends.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // what is still open is cut
		}
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", err)
	}
	return nil
}

// newMux routes /metrics, /healthz and /readyz.
//
// /healthz says that the process answers; a supervisor restarts it when it does not. A halted task is no
// reason to restart, only /readyz tells of it. /readyz is 200 when every part is ready and 503 otherwise, with
// one line a part that says why.
func newMux(reg *prometheus.Registry, parts []part) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusOK
		var lines strings.Builder
		for _, p := range parts {
			if err := p.ready(); err != nil {
				status = http.StatusServiceUnavailable
				fmt.Fprintf(&lines, "%s: not ready: %v\n", p.name, err)
				continue
			}
			fmt.Fprintf(&lines, "%s: ready\n", p.name)
		}
		answer(w, status, lines.String())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "stocksync\n/metrics\n/healthz\n/readyz\n")
	})
	return mux
}

// answer writes a short plain text. A client that went away is not our concern.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
