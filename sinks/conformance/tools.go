package conformance

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"stocksync/sinks"
	"stocksync/topics"
)

// Open opens a store with an adapter, for the tests that its package has beside the suite.
func Open(t *testing.T, a sinks.Adapter, options string, secrets map[string]string) (sinks.Session, error) {
	t.Helper()
	h := sinks.NewHTTP(true)
	t.Cleanup(h.Close)
	return a.Open(sinks.Account{
		Store: "shop-1", Options: []byte(options), HTTP: h,
		Credentials: func() (sinks.Credentials, error) { return sinks.NewCredentials(secrets), nil },
	})
}

// Stub is a server that answers every request the same.
type Stub struct {
	URL    string
	Status int
	Header http.Header
	Body   string

	mu   sync.Mutex
	seen []*http.Request
}

// StartStub returns a stub that answers so and ends with the test.
func StartStub(t *testing.T, status int, body string) *Stub {
	t.Helper()
	s := &Stub{Status: status, Header: http.Header{}, Body: body}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, r)
		maps.Copy(w.Header(), s.Header)
		w.WriteHeader(s.Status)
		_, _ = io.WriteString(w, s.Body)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Seen returns the requests so far; their bodies are gone.
func (s *Stub) Seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Listed runs a pass over a catalogue, or a look-up, and returns the targets by SKU.
func Listed(t *testing.T, pass func(found func(topics.Listing) error) error) map[string][]topics.Target {
	t.Helper()
	all := map[string][]topics.Target{}
	err := pass(func(l topics.Listing) error {
		all[l.SKU] = append(all[l.SKU], l.Targets...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
