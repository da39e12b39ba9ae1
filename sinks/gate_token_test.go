package sinks_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/signin"
	"stocksync/testenv"
	"stocksync/topics"
)

// clerk is a pager whose shop wants to be signed in at.
type clerk struct{ pager }

func (c *clerk) Open(a sinks.Account) (sinks.Session, error) {
	s := &clerkSession{pagerSession: pagerSession{&c.pager, a}}
	s.token = signin.New(func(ctx context.Context, _ sinks.Credentials) (string, sinks.Outcome) {
		resp, err := a.HTTP.Do(ctx, sinks.Request{Method: http.MethodGet, URL: "http://localhost:81/token"})
		if err != nil {
			return "", sinks.ClassifyError(err)
		}
		return string(resp.Body), sinks.Outcome{Class: sinks.ClassOK}
	})
	return s, nil
}

type clerkSession struct {
	pagerSession
	token *signin.Token
}

func (s *clerkSession) Refresh(ctx context.Context) sinks.Outcome {
	return s.token.Refresh(ctx, sinks.Credentials{})
}

func (s *clerkSession) ask(ctx context.Context, path string) sinks.Outcome {
	token, o := s.token.Use(ctx, sinks.Credentials{})
	if o.Class != sinks.ClassOK {
		return o
	}
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{Method: http.MethodGet, URL: "http://localhost:81" + path + "?" + token})
	switch {
	case err != nil:
		return sinks.ClassifyError(err)
	case resp.Status == http.StatusUnauthorized:
		s.token.Refused(token)
		return sinks.Outcome{Class: sinks.ClassToken, Code: "ended"}
	}
	return sinks.Outcome{Class: sinks.ClassOK}
}

func (s *clerkSession) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	if o := s.ask(ctx, "/push"); o.Class != sinks.ClassOK {
		return sinks.Reply{Whole: o}
	}
	return ok(updates, nil)
}

func (s *clerkSession) Catalogue(ctx context.Context, _ func(topics.Listing) error) error {
	for range s.pages {
		o := s.ask(ctx, "/page")
		if o.Class == sinks.ClassToken {
			if o = s.Refresh(ctx); o.Class == sinks.ClassOK {
				o = s.ask(ctx, "/page")
			}
		}
		if o.Class != sinks.ClassOK {
			return &sinks.OutcomeError{Outcome: o}
		}
	}
	return nil
}

// TestGate_ATokenIsNotWaitedForBehindTheUpdatesThatWaitForIt ensures that a pass over the catalogue that finds out
// that the token has ended gets another at once, though updates wait and reading comes after them.
func TestGate_ATokenIsNotWaitedForBehindTheUpdatesThatWaitForIt(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		var mu sync.Mutex
		tokens, pages := 0, 0
		ended, renewed := time.Time{}, time.Time{}
		w.serve(func(rw http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch r.URL.Path {
			case "/token":
				if tokens++; tokens == 2 {
					renewed = time.Now()
				}
				fmt.Fprint(rw, tokens)
				return
			case "/page":
				if pages++; pages == 3 {
					ended = time.Now()
				}
			}
			if !ended.IsZero() && r.URL.RawQuery == "1" {
				rw.WriteHeader(http.StatusUnauthorized)
			}
		})
		c := &clerk{pager{pages: 10, traits: sinks.Traits{Batch: 1, InFlight: 2, Rate: sinks.Rate{PerSecond: 10}}}}
		w.stock(hundreds("A", 100, 5))
		for n := range 100 {
			w.list(fmt.Sprintf("A%03d", n), "p")
		}
		w.reads(c)
		w.eventually("another token", func() error {
			mu.Lock()
			defer mu.Unlock()
			if renewed.IsZero() {
				return fmt.Errorf("%d pages, %d tokens", pages, tokens)
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		if took := renewed.Sub(ended); took > time.Second {
			t.Errorf("got another token after %s, want at once", took)
		}
	})
}
