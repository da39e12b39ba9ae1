package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/webhook"
	"stocksync/topics"
)

// account is a store whose secrets a test may change while it is open.
type account struct {
	sinks.Account
	secrets map[string]string
	fault   error
}

func newAccount(t *testing.T, options string) *account {
	t.Helper()
	a := &account{secrets: map[string]string{"secret": oldSecret}}
	a.Account = sinks.Account{Store: "shop-1", Options: []byte(options), HTTP: sinks.NewHTTP(true)}
	a.Credentials = func() (sinks.Credentials, error) { return sinks.NewCredentials(a.secrets), a.fault }
	t.Cleanup(a.HTTP.Close)
	return a
}

// open opens a store at an address.
func open(t *testing.T, url string) (sinks.Session, *account) {
	t.Helper()
	a := newAccount(t, fmt.Sprintf(`{"url":%q}`, url))
	s, err := webhook.Adapter{}.Open(a.Account)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// shop answers every request the same, after it has looked at it.
func shop(t *testing.T, status int, answer string, look func(r *http.Request, body []byte)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		if look != nil {
			look(r, body)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook"
}

func updates(skus ...string) []sinks.Update {
	list := make([]sinks.Update, len(skus))
	for i, sku := range skus {
		list[i] = sinks.Update{SKU: sku, Qty: topics.Quantity(i+1) * topics.One, Revision: 1790388903011 + int64(i)}
	}
	return list
}

func TestOpen_ChecksOptionsAndSecrets(t *testing.T) {
	for options, want := range map[string]string{
		`{"url":"https://shop.example/hook"}`:                                       "",
		`{"url":"http://127.0.0.1/hook","batch":1,"in_flight":1,"rate":0.5}`:        "",
		`{"url":"https://shop.example/hook","batch":1000,"in_flight":32,"other":1}`: "",
		``:                                   "options.url",
		`{}`:                                 "options.url",
		`{"url":""}`:                         "options.url",
		`{"url":"ftp://shop.example"}`:       "options.url",
		`{"url":"https://a:b@shop.example"}`: "options.url",
		`{"url":"https://shop.example","batch":0}`:                       "options.batch is 0",
		`{"url":"https://shop.example","batch":1001}`:                    "options.batch is 1001",
		`{"url":"https://shop.example","in_flight":0}`:                   "options.in_flight is 0",
		`{"url":"https://shop.example","in_flight":33}`:                  "options.in_flight is 33",
		`{"url":"https://shop.example","rate":-1}`:                       "options.rate is -1",
		`{"url":"https://shop.example","batch":"ten"}`:                   "options:",
		`{"url":["https://shop.example/?key=s3cr3t"]}`:                   "options:",
		`{"url":"https://shop.example/?key=s3cr3t","rate":"s3cr3t"}`:     "options:",
		`{"url":"http://shop example/?key=s3cr3t"}`:                      "options.url",
		`{"url":"https://127.1/hook"}`:                                   "options.url",
		`{"url":"https://shop.example","batch":99999999999999999999999}`: "options:",
	} {
		_, err := webhook.Adapter{}.Open(newAccount(t, options).Account)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
		if strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: the error repeats what may be a secret: %s", options, got)
		}
	}
	for name, change := range map[string]func(a *account){
		"no secret":       func(a *account) { a.secrets = nil },
		"empty":           func(a *account) { a.secrets["secret"] = "" },
		"malformed":       func(a *account) { a.secrets["secret"] = "s3cr3t" },
		"next malformed":  func(a *account) { a.secrets["secret_next"] = "s3cr3t" },
		"cannot be read":  func(a *account) { a.fault = errors.New("no such file") },
		"next alone does": func(a *account) { a.secrets = map[string]string{"secret_next": oldSecret} },
	} {
		a := newAccount(t, `{"url":"https://shop.example"}`)
		change(a)
		if _, err := (webhook.Adapter{}).Open(a.Account); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got %v, want an error that repeats nothing", name, err)
		}
	}
}

func TestTraits_AreTheOptions(t *testing.T) {
	for options, want := range map[string]sinks.Traits{
		`{"url":"https://shop.example"}`: {Batch: 100, InFlight: 4},
		`{"url":"https://shop.example","batch":7,"in_flight":2,"rate":2.5}`: {
			Batch: 7, InFlight: 2, Rate: sinks.Rate{PerSecond: 2.5, Burst: 1},
		},
	} {
		s, err := webhook.Adapter{}.Open(newAccount(t, options).Account)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Traits(); got != want {
			t.Errorf("%s: got %+v, want %+v", options, got, want)
		}
	}
	if a := (webhook.Adapter{}); a.Marketplace() != "webhook" || a.Listed() {
		t.Errorf("got marketplace %q, listed %v, want webhook, without listings", a.Marketplace(), a.Listed())
	}
}

// TestPush_SendsTheDialectSigned ensures the bytes that receivers rely on.
func TestPush_SendsTheDialectSigned(t *testing.T) {
	var ids []string
	url := shop(t, 200, `{"results":[{"sku":"A","outcome":"ok"},{"sku":"B \"é|","outcome":"ok","message":"fine"}]}`,
		func(r *http.Request, body []byte) {
			if err := receive(r.Header, body, oldSecret, time.Now()); err != nil {
				t.Errorf("signature: %v", err)
			}
			got := fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("User-Agent"))
			if got != "POST /hook application/json stocksync" {
				t.Errorf("got %s", got)
			}
			before, after, _ := strings.Cut(string(body), `"timestamp":"`)
			stamp, after, _ := strings.Cut(after, `"`)
			want := `{"type":"stock.updated",,"data":{"store":"shop-1","updates":[` +
				`{"sku":"A","qty":1,"revision":1790388903011},{"sku":"B \"é|","qty":2,"revision":1790388903012}]}}`
			if got := before + after; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if at, err := time.Parse(time.RFC3339, stamp); err != nil || time.Since(at).Abs() > time.Minute {
				t.Errorf("timestamp is %q (%v), want now", stamp, err)
			}
			ids = append(ids, r.Header.Get("webhook-id"))
		})
	s, _ := open(t, url)
	for range 2 {
		r := s.Push(t.Context(), updates("A", `B "é|`))
		if r.Whole.Class != sinks.ClassOK || len(r.Items) != 2 || r.Items[0].Class != sinks.ClassOK || r.Items[1].Class != sinks.ClassOK {
			t.Errorf("got %+v, want all ok", r)
		}
		if len(ids) == 0 || r.RequestID != ids[len(ids)-1] {
			t.Errorf("got request id %q, want that of %q", r.RequestID, ids)
		}
	}
	if len(ids) == 2 && ids[0] == ids[1] {
		t.Errorf("two messages have the id %s", ids[0])
	}
}

func TestPush_UsesARotatedSecretAtOnce(t *testing.T) {
	secret := oldSecret
	url := shop(t, 200, `{"results":[]}`, func(r *http.Request, body []byte) {
		if err := receive(r.Header, body, secret, time.Now()); err != nil {
			t.Errorf("signature: %v", err)
		}
	})
	s, a := open(t, url)
	s.Push(t.Context(), updates("A"))
	a.secrets = map[string]string{"secret": oldSecret, "secret_next": newSecret}
	secret = newSecret
	s.Push(t.Context(), updates("A"))
	secret = oldSecret
	s.Push(t.Context(), updates("A"))
	a.secrets = map[string]string{"secret": newSecret}
	secret = newSecret
	s.Push(t.Context(), updates("A"))
}

func TestPush_WithoutAReadableSecretSendsNothing(t *testing.T) {
	url := shop(t, 200, `{}`, func(*http.Request, []byte) { t.Error("a request was sent") })
	s, a := open(t, url)
	for name, change := range map[string]func(){
		"unreadable": func() { a.fault = errors.New("no such file") },
		"malformed":  func() { a.fault, a.secrets = nil, map[string]string{"secret": "s3cr3t"} },
		"gone":       func() { a.fault, a.secrets = nil, nil },
	} {
		change()
		r := s.Push(t.Context(), updates("A"))
		if r.Whole.Class != sinks.ClassConfig || r.Whole.Code != sinks.CodeCredentials || strings.Contains(r.Whole.Message, "s3cr3t") {
			t.Errorf("%s: got %+v, want config credentials", name, r.Whole)
		}
	}
}

// TestPush_BelievesOnlyResultsThatNameTheUpdate ensures that a success is one of each SKU and not of the
// request, whatever a shop answers.
func TestPush_BelievesOnlyResultsThatNameTheUpdate(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		answer string
		whole  string // class and code of the request
		items  string // classes of A, B and C; "-" for none
	}{
		"all":               {200, results("A ok", "B ok", "C ok"), "ok 200", "ok ok ok"},
		"partial":           {200, results("A ok", "B not_found", "C quantity"), "ok 200", "ok not_found quantity"},
		"every other class": {200, results("A promo_lock", "B raise_only", "C below_reserved"), "ok 200", "promo_lock raise_only below_reserved"},
		"status 202":        {202, results("A ok", "B ok", "C throttle"), "ok 202", "ok ok throttle"},
		"one missing":       {200, results("A ok", "C ok"), "ok 200", "ok - ok"},
		"another order":     {200, results("C ok", "B not_found", "A ok"), "ok 200", "ok not_found ok"},
		"wrong SKUs":        {200, results("a ok", "B  ok", "not-C ok"), "ok 200", "- - -"},
		"unknown outcome":   {200, results("A done", "B ", "C OK"), "ok 200", "transient transient transient"},
		"said twice":        {200, results("A ok", "A ok", "B ok", "C ok"), "ok 200", "ok ok ok"},
		"contradiction":     {200, results("A ok", "A not_found", "B not_found", "B ok", "C ok"), "ok 200", "transient transient ok"},
		"empty results":     {200, `{"results":[]}`, "ok 200", "- - -"},
		"no results":        {200, `{}`, "ok 200", "- - -"},
		"null":              {200, `null`, "ok 200", "- - -"},
		"results are null":  {200, `{"results":null}`, "ok 200", "- - -"},
		"a page":            {200, `<html>We'll be back soon!</html>`, "transient bad_answer", ""},
		"nothing":           {200, ``, "transient bad_answer", ""},
		"no content":        {204, ``, "transient bad_answer", ""},
		"cut":               {200, `{"results":[{"sku":"A","outcome":"ok"}`, "transient bad_answer", ""},
		"more behind":       {200, `{"results":[]} {}`, "transient bad_answer", ""},
		"a list":            {200, `[]`, "transient bad_answer", ""},
		"results no list":   {200, `{"results":{"A":"ok"}}`, "transient bad_answer", ""},
		"deep":              {200, strings.Repeat("[", 20_000), "transient bad_answer", ""},
		"throttled":         {429, ``, "throttle 429", ""},
		"unavailable":       {503, results("A ok", "B ok", "C ok"), "transient 503", ""},
		"refused":           {400, ``, "quantity 400", ""},
		"unauthorised":      {401, ``, "shop_unauthorised 401", ""},
		"gone":              {410, ``, "config 410", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t, shop(t, tc.status, tc.answer, nil))
			r := s.Push(t.Context(), updates("A", "B", "C"))
			if got := r.Whole.Class.String() + " " + r.Whole.Code; got != tc.whole {
				t.Errorf("got the request %s, want %s", got, tc.whole)
			}
			var items []string
			for _, o := range r.Items {
				if o.Class == 0 {
					items = append(items, "-")
				} else {
					items = append(items, o.Class.String())
				}
			}
			if got := strings.Join(items, " "); got != tc.items {
				t.Errorf("got the items %q, want %q", got, tc.items)
			}
		})
	}
}

// results is an answer with results of "sku outcome".
func results(list ...string) string {
	var items []string
	for _, one := range list {
		i := strings.LastIndex(one, " ")
		items = append(items, fmt.Sprintf(`{"sku":%q,"outcome":%q,"message":"m"}`, one[:i], one[i+1:]))
	}
	return `{"results":[` + strings.Join(items, ",") + `]}`
}

func TestPush_PassesOnHowLongToWait(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	s, _ := open(t, server.URL)
	if r := s.Push(t.Context(), updates("A")); r.RetryAfter != 7*time.Second || r.RequestID == "" {
		t.Errorf("got %s, request id %q, want 7 s and one", r.RetryAfter, r.RequestID)
	}
}

func TestPush_ANoAnswerIsTransientAndHasAnID(t *testing.T) {
	s, _ := open(t, "http://127.0.0.1:1/hook?key=s3cr3t")
	r := s.Push(t.Context(), updates("A"))
	if r.Whole.Class != sinks.ClassTransient || r.RequestID == "" || strings.Contains(r.Whole.Message, "s3cr3t") {
		t.Errorf("got %+v, want transient without the query", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.Push(ctx, updates("A")); r.Whole.Class != sinks.ClassTransient {
		t.Errorf("context ended: got %+v, want transient", r)
	}
}

// TestPush_AnAddressInsideIsAFaultOfTheStore ensures that a store's URL cannot be used to reach what is
// near us.
func TestPush_AnAddressInsideIsAFaultOfTheStore(t *testing.T) {
	a := newAccount(t, `{"url":"https://localhost/hook"}`)
	a.HTTP = sinks.NewHTTP(false)
	defer a.HTTP.Close()
	s, err := webhook.Adapter{}.Open(a.Account)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Push(t.Context(), updates("A"))
	if r.Whole.Class != sinks.ClassConfig || r.Whole.Code != "forbidden_address" {
		t.Errorf("got %+v, want config forbidden_address", r.Whole)
	}
}

func FuzzPush_Answers(f *testing.F) {
	f.Add(200, []byte(results("A ok", "B not_found")))
	f.Add(200, []byte(`{"results":[{"sku":"A","outcome":"ok"},{"sku":null,"outcome":1}]}`))
	f.Add(503, []byte(`{}`))
	var status int
	var answer []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}))
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		if code < 200 || code > 599 {
			t.Skip("not a final status")
		}
		status, answer = code, body
		s, _ := open(t, server.URL)
		r := s.Push(t.Context(), updates("A", "B"))
		if r.Whole.Class == 0 || r.Whole.Class == sinks.ClassOK && len(r.Items) != 2 {
			t.Errorf("got %+v, want an outcome for each update", r)
		}
		for i, o := range r.Items {
			if o.Class == sinks.ClassOK && !strings.Contains(string(body), "ok") {
				t.Errorf("update %d is ok by %q", i, body)
			}
		}
	})
}
