package sinks_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// TestSend_ADaysBudgetSurvivesARestart ensures that a restart brings no requests back, that the last of them are
// kept for stock-outs, and that the next day of the marketplace's zone brings new ones.
func TestSend_ADaysBudgetSurvivesARestart(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		d := &dialect{traits: sinks.Traits{Batch: 1, InFlight: 4, Rate: sinks.Rate{PerDay: 100, Zone: "Atlantic/Azores"}}}
		i := w.speak(d)
		midnight := w.midnight("Atlantic/Azores") // in an hour
		for n := range 8 {
			w.stock(many("A", 20, 10+n))
			w.pass(time.Minute)
		}
		w.pass(45 * time.Minute)
		used, _ := d.counts()
		if used < 65 || used > 80 {
			t.Errorf("got %d requests for increases, want up to 80 of 100", used)
		}
		i.stop()
		i.again()
		w.stock(many("A", 20, 100))
		w.pass(time.Minute)
		if got, _ := d.counts(); got > used+1 {
			t.Errorf("after a restart: got %d requests more, want none", got-used)
		}
		used, _ = d.counts()
		w.stock("A00=0")
		w.says("s", "A00", "synced zero_available")
		if got, _ := d.counts(); got != used+1 {
			t.Errorf("got %d requests, want one for the stock-out", got-used)
		}
		if !time.Now().Before(midnight) {
			t.Fatal("the test took until the next day")
		}
		w.pass(time.Until(midnight) + time.Minute)
		for n := 1; n < 20; n++ {
			w.says("s", fmt.Sprintf("A%02d", n), "synced in_sync")
		}
	})
}

// midnight is when the present day ends in a zone.
func (w *world) midnight(zone string) time.Time {
	w.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		w.Fatal(err)
	}
	y, m, d := time.Now().In(location).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, location)
}

// pager is an adapter for tests that speaks HTTP: a catalogue of many pages, and one request for each update.
type pager struct {
	traits sinks.Traits
	pages  int
}

func (p *pager) Marketplace() string { return "test" }
func (p *pager) Listed() bool        { return true }

func (p *pager) Open(a sinks.Account) (sinks.Session, error) { return &pagerSession{p, a}, nil }

type pagerSession struct {
	*pager
	account sinks.Account
}

func (s *pagerSession) Traits() sinks.Traits       { return s.traits }
func (s *pagerSession) Group(*sinks.Update) string { return "" }

func (s *pagerSession) get(ctx context.Context, path string) error {
	_, err := s.account.HTTP.Do(ctx, sinks.Request{Method: http.MethodGet, URL: "http://localhost:81" + path})
	return err
}

func (s *pagerSession) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	if err := s.get(ctx, "/push"); err != nil {
		return sinks.Reply{Whole: sinks.ClassifyError(err)}
	}
	return ok(updates, nil)
}

func (s *pagerSession) Catalogue(ctx context.Context, found func(topics.Listing) error) error {
	for page := range s.pages {
		if err := s.get(ctx, "/page"); err != nil {
			return err
		}
		sku := fmt.Sprintf("A%03d", page)
		err := found(topics.Listing{SKU: sku, Targets: []topics.Target{{ProductID: sku, Status: topics.TargetActive, Tracked: true}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// serve answers what a pager asks.
func (w *world) serve(handler http.HandlerFunc) {
	w.Helper()
	listener, err := w.c.Network.Listen("tcp", "localhost:81")
	if err != nil {
		w.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	w.closed = append(w.closed, func() { _ = server.Close(); <-served })
}

// TestGate_NoRequestOfAStoreIsBeyondItsLimits ensures that the pages of a catalogue keep the rate and the requests in
// flight together with the updates, and that the updates have most of both.
func TestGate_NoRequestOfAStoreIsBeyondItsLimits(t *testing.T) {
	bubble(t, testenv.SandboxConfig{}, func(w *world) {
		var mu sync.Mutex
		var at []time.Time
		counts := map[string]int{}
		flying, most := 0, 0
		w.serve(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			at = append(at, time.Now())
			counts[r.URL.Path]++
			flying++
			most = max(most, flying)
			mu.Unlock()
			w.pass(150 * time.Millisecond)
			mu.Lock()
			flying--
			mu.Unlock()
		})

		p := &pager{pages: 100, traits: sinks.Traits{Batch: 1, InFlight: 2, Rate: sinks.Rate{PerSecond: 10}}}
		w.stock(hundreds("A", 100, 5))
		for n := range 100 {
			w.list(fmt.Sprintf("A%03d", n), "p")
		}
		w.reads(p)
		w.becomes("s", "synced in_sync", 100)
		mu.Lock()
		if counts["/page"] > 45 {
			t.Errorf("got %d pages before the last of 100 updates, want one request in four", counts["/page"])
		}
		mu.Unlock()
		w.pass(20 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if counts["/page"] != 100 || counts["/push"] != 100 {
			t.Errorf("got requests %v, want 100 each", counts)
		}
		for i := range len(at) - 10 {
			if span := at[i+10].Sub(at[i]); span < time.Second {
				t.Fatalf("11 requests within %s, want 10 a second", span)
			}
		}
		if most > 2 {
			t.Errorf("got %d requests in flight, want 2 at most", most)
		}
	})
}
