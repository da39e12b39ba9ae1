package stores_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/testenv/twin"
	"stocksync/topics"
)

// front stands before a real shop so that the suite of the adapters can be run against it: it passes requests on,
// keeps a record of them, and does what the network does to them on request. What the shop itself answers is its own.
type front struct {
	*twin.Twin

	t           *testing.T
	to          string // the real shop's address, without a path
	operation   func(*http.Request) twin.Op
	path        string // of the options' URL, behind the front's address
	credentials map[string]string
	updates     []sinks.Update // to quantities that are not there
	unknown     sinks.Update
	held        func(ctx context.Context, variant string) (units int64, ok bool, err error)
	revoke      func() // of a key; nil: of the password

	mu      sync.Mutex
	left    int             // requests before the tokens of now expire; negative: they don't
	seen    map[string]bool // tokens that came with requests
	dead    map[string]bool // those that have expired
	locked  bool            // the password is none any more
	changed chan struct{}
}

// start starts the front; what it needs to know is set.
func (f *front) start() conformance.Shop {
	f.left, f.seen, f.dead, f.changed = -1, map[string]bool{}, map[string]bool{}, make(chan struct{})
	f.Twin = twin.Start(f.t, twin.Config{Dialect: f})
	return f
}

// Operation says what a request asks for, as the twin of the shop does.
func (f *front) Operation(r *http.Request) twin.Op { return f.operation(r) }

// Throttled is what a proxy says.
func (f *front) Throttled(x *twin.Exchange) twin.Answer {
	return twin.Answer{Status: http.StatusTooManyRequests, Header: x.RetryAfter(), Body: []byte("Too Many Requests")}
}

// Serve passes a request on and returns the shop's answer.
func (f *front) Serve(x *twin.Exchange) twin.Answer {
	body := x.Body
	header := x.Request.Header.Clone()
	header.Del("Accept-Encoding")
	f.expire(x.Op, header)
	f.mu.Lock()
	if f.locked {
		body = []byte(strings.ReplaceAll(string(body), f.credentials["password"], "changed since"))
	}
	f.mu.Unlock()
	req, err := http.NewRequestWithContext(context.WithoutCancel(x.Request.Context()), x.Request.Method,
		f.to+x.Request.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return twin.Answer{Status: http.StatusBadGateway}
	}
	req.Header = header
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Error(err)
		return twin.Answer{Status: http.StatusBadGateway}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.note(x.Op, resp.StatusCode, string(answer))
	resp.Header.Del("Content-Length")
	return twin.Answer{Status: resp.StatusCode, Header: resp.Header, Body: answer}
}

// note sees what an answer changes. A token that is given in the second in which it expired is the same one.
func (f *front) note(op twin.Op, status int, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == twin.OpPush && status == http.StatusOK {
		close(f.changed)
		f.changed = make(chan struct{})
	}
	maps.DeleteFunc(f.dead, func(token string, _ bool) bool {
		return op == twin.OpRefresh && strings.Contains(answer, strings.TrimPrefix(token, "Bearer "))
	})
}

// expire spoils a token that has expired: the shop says its own words to one that it doesn't know.
func (f *front) expire(op twin.Op, header http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := header.Get("Authorization")
	if op == twin.OpRefresh || !strings.HasPrefix(token, "Bearer ") {
		return
	}
	f.seen[token] = true
	switch {
	case f.left == 0:
		maps.Copy(f.dead, f.seen)
		f.left = -1
	case f.left > 0:
		f.left--
	}
	if f.dead[token] || f.locked {
		header.Set("Authorization", "Bearer expired")
	}
}

// Options are those of the store record, with the front's address.
func (f *front) Options() []byte { return []byte(`{"url":"` + f.URL() + f.path + `"}`) }

// Credentials are what credentials_ref names.
func (f *front) Credentials() map[string]string { return f.credentials }

// Secrets are the texts that must not get out.
func (f *front) Secrets() []string {
	var all []string
	for name, text := range f.credentials {
		if name == "api_key" || name == "secret_key" {
			all = append(all, text)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for token := range f.seen {
		all = append(all, strings.TrimPrefix(token, "Bearer "))
	}
	return all
}

// Updates returns the first n.
func (f *front) Updates(n int) []sinks.Update { return f.updates[:n:n] }

// Others returns none: all may share a request.
func (f *front) Others() []sinks.Update { return nil }

// Unknown returns an update of something that the shop does not have.
func (f *front) Unknown() sinks.Update { return f.unknown }

// Shown returns what lies in the shop of an update's target.
func (f *front) Shown(u *sinks.Update) (topics.Quantity, bool) {
	units, ok, err := f.held(f.t.Context(), u.Target.VariantID)
	if err != nil {
		f.t.Error(err)
	}
	return topics.Quantity(units) * topics.One, ok
}

// Changed returns a channel that is closed by the next push that the shop takes.
func (f *front) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// ExpireAfter ends the life of the tokens of now after n more requests.
func (f *front) ExpireAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// Revoke takes the key or the password away.
func (f *front) Revoke() {
	if f.revoke != nil {
		f.revoke()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked = true
}

// realSubject is an adapter before a real shop: what the shop is not asked to say is tried on its twin.
func realSubject(a sinks.Adapter, signIn bool, start func(*testing.T) conformance.Shop) conformance.Subject {
	s := conformance.Subject{
		Adapter: a, SignsIn: signIn, Start: start, Never: map[sinks.Class]string{},
		Cannot: map[twin.Kind]string{}, Unstocked: "a test of its own goes through the shop's catalogue",
	}
	for _, c := range sinks.Classes() {
		s.Never[c] = "a real shop fails as it likes"
	}
	for _, k := range []twin.Kind{twin.FaultPartial, twin.FaultNotApplied, twin.FaultWrongSKU} {
		s.Cannot[k] = "a real shop fails as it likes"
	}
	return s
}
