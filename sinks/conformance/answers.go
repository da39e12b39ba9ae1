package conformance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stocksync/sinks"
	"stocksync/topics"
)

// Answering returns the address of a server that answers every request the same, after a look at it.
func Answering(t *testing.T, status int, answer string, look func(r *http.Request, body string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		if look != nil {
			look(r, string(body))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Classes tells a reply in short: the class of the request, with its code unless that is ok, and those of the items,
// "-" for none.
func Classes(r sinks.Reply) string {
	parts := []string{r.Whole.Class.String()}
	if r.Whole.Class != sinks.ClassOK {
		parts = append(parts, r.Whole.Code)
	}
	for _, o := range r.Items {
		if o.Class == 0 {
			parts = append(parts, "-")
		} else {
			parts = append(parts, o.Class.String())
		}
	}
	return strings.Join(parts, " ")
}

// Lines runs a pass over a catalogue, or a look-up, and returns what it finds, sorted:
// "SKU: product/variant status platform locations quantity".
func Lines(t *testing.T, pass func(found func(topics.Listing) error) error) []string {
	t.Helper()
	var all []string
	err := pass(func(l topics.Listing) error {
		for _, x := range l.Targets {
			all = append(all, fmt.Sprintf("%s: %s/%s %s %s %v %s",
				l.SKU, x.ProductID, x.VariantID, x.Status, x.Platform, x.Locations, x.MarketplaceQty))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// WantOpen checks that an adapter opens a store, or that its error says what is wanted and none of the secrets.
func WantOpen(
	t *testing.T, name string, adapter sinks.Adapter, options string, credentials map[string]string, want string,
) {
	t.Helper()
	_, err := Open(t, adapter, options, credentials)
	got := fmt.Sprint(err)
	if (err == nil) != (want == "") || err != nil && !strings.Contains(got, want) {
		t.Errorf("%s: got %s, want %q", name, got, want)
	}
	for key, secret := range credentials {
		if len(secret) >= 8 && strings.Contains(got, secret) {
			t.Errorf("%s: the error tells %s: %s", name, key, got)
		}
	}
}

// Without returns credentials but for some.
func Without(credentials map[string]string, names ...string) map[string]string {
	rest := map[string]string{}
	for name, value := range credentials {
		if !slices.Contains(names, name) {
			rest[name] = value
		}
	}
	return rest
}

// RefreshAnswer is an answer to a refresh, and the class that it means.
type RefreshAnswer struct {
	Status int
	Answer string
	Want   sinks.Class
}

// WantRefreshes checks what becomes of a refresh by each answer. open opens a store at an address that has no access
// token yet, so that its update must be refreshed for first; asks tells whether a request is the refresh that is due.
func WantRefreshes(t *testing.T, answers map[string]RefreshAnswer, open func(url string) sinks.Session,
	one []sinks.Update, asks func(r *http.Request, body string) bool,
) {
	t.Helper()
	for name, a := range answers {
		asked := 0
		s := open(Answering(t, a.Status, a.Answer, func(r *http.Request, body string) {
			asked++
			if !asks(r, body) {
				t.Errorf("%s: got %s %s %s", name, r.Method, r.URL, body)
			}
		}))
		if r := s.Push(t.Context(), one); r.Whole.Class != sinks.ClassToken || asked > 0 {
			t.Errorf("%s: without a token: got %+v after %d requests, want token after none", name, r.Whole, asked)
		}
		refresher, ok := s.(sinks.Refresher)
		if !ok {
			t.Fatalf("%s: the session can't refresh", name)
		}
		o := refresher.Refresh(t.Context())
		if o.Class != a.Want || strings.Contains(o.Message, "canary") || asked != 1 {
			t.Errorf("%s: got %+v after %d requests, want %s after one", name, o, asked, a.Want)
		}
	}
}
