package testenv_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stocksync/testenv"
	"stocksync/topics"
)

// update is one item as a client sends it.
type update struct {
	SKU      string  `json:"sku"`
	Qty      float64 `json:"qty"`
	Revision int64   `json:"revision"`
}

// message returns a signed request with these items.
func message(t *testing.T, s *testenv.Sandbox, store string, items ...update) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"type": "stock.updated", "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"data": map[string]any{"store": store, "updates": items},
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, s.URL(store), testenv.DefaultSecret, body)
}

func signed(t *testing.T, url, secret string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(limit(t), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac, err := testenv.SignWebhook("msg_1", stamp, body, secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("webhook-id", "msg_1")
	r.Header.Set("webhook-timestamp", stamp)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac))
	return r
}

// do sends a request without following redirects and returns the answer's status and body.
func do(r *http.Request) (int, string, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(b), err
}

func mustDo(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	status, body, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func TestSandbox_TakesQuantitiesInOrder(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{
		Sells: func(_, sku string) bool { return sku != "GONE" },
	})
	status, body := mustDo(t, message(t, s, "toko a/b", update{"A", 5, 10}, update{"GONE", 1, 1}, update{"B", -1, 1}))
	want := `{"results":[{"sku":"A","outcome":"ok"},` +
		`{"sku":"GONE","outcome":"not_found","message":"this store does not sell it"},` +
		`{"sku":"B","outcome":"quantity","message":"a quantity is never below 0"}]}`
	if status != 200 || body != want {
		t.Errorf("got %d %s\nwant %s", status, body, want)
	}
	mustDo(t, message(t, s, "toko a/b", update{"A", 2.5, 11}))
	quantities := map[string]topics.Quantity{"A": 2_500_000}
	if diff := cmp.Diff(quantities, s.Quantities("toko a/b")); diff != "" {
		t.Error(diff)
	}
	if qty, rev, ok := s.Quantity("toko a/b", "A"); qty != 2_500_000 || rev != 11 || !ok {
		t.Errorf("got %s at %d, %v, want 2.5 at 11", qty, rev, ok)
	}
	writes := []testenv.Write{
		{Seq: 1, ID: "msg_1", Store: "toko a/b", SKU: "A", Qty: 5 * topics.One, Revision: 10},
		{Seq: 2, ID: "msg_1", Store: "toko a/b", SKU: "A", Qty: 2_500_000, Revision: 11},
	}
	if diff := cmp.Diff(writes, s.Writes(), cmpopts.IgnoreFields(testenv.Write{}, "At")); diff != "" {
		t.Error(diff)
	}
	if got := len(s.Refusals()); got != 2 {
		t.Errorf("got %d refusals, want those of GONE and B: %+v", got, s.Refusals())
	}
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("got violations %+v, want none", v)
	}
	r, err := http.NewRequestWithContext(limit(t), http.MethodGet, s.URL("toko a/b"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := mustDo(t, r); got != `{"quantities":{"A":2.5},"store":"toko a/b"}`+"\n" {
		t.Errorf("shown: got %s", got)
	}
}

// The vector of the Standard Webhooks specification.
func TestSandbox_VerifiesTheSpecificationsVector(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const body = `{"test": 2432232314}`
	now := time.Unix(1614265330, 0)
	header := http.Header{}
	header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("webhook-timestamp", "1614265330")
	header.Set("webhook-signature", "v1,AAAA v1a,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	verify := func() error { return testenv.VerifyWebhook(header, []byte(body), secret, time.Minute, now) }
	if err := verify(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(){
		"late":           func() { now = now.Add(61 * time.Second) },
		"early":          func() { now = time.Unix(1614265330-61, 0) },
		"other id":       func() { now = time.Unix(1614265330, 0); header.Set("webhook-id", "msg_x") },
		"no id":          func() { header.Del("webhook-id") },
		"no signature":   func() { header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"); header.Del("webhook-signature") },
		"time is a text": func() { header.Set("webhook-timestamp", "2021-02-25T15:02:10Z") },
	} {
		h, n := header.Clone(), now
		change()
		if err := verify(); err == nil {
			t.Errorf("%s: want an error", name)
		}
		header, now = h, n
	}
}

func TestSandbox_RefusesWhatIsNotTheDialect(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{MaxBatch: 2})
	const head = `{"type":"stock.updated","timestamp":"2026-01-02T03:04:05Z","data":{"store":"s","updates":`
	for name, body := range map[string]string{
		"no JSON":       `{`,
		"other type":    `{"type":"order.created"}`,
		"no time":       `{"type":"stock.updated","data":{"store":"s","updates":[{"sku":"A","qty":1,"revision":1}]}}`,
		"other store":   strings.Replace(head, `"s"`, `"t"`, 1) + `[{"sku":"A","qty":1,"revision":1}]}}`,
		"no items":      head + `[]}}`,
		"too many":      head + `[{"sku":"A","qty":1,"revision":1},{"sku":"B","qty":1,"revision":1},{"sku":"C","qty":1,"revision":1}]}}`,
		"no quantity":   head + `[{"sku":"A","revision":1}]}}`,
		"no revision":   head + `[{"sku":"A","qty":1}]}}`,
		"one SKU twice": head + `[{"sku":"A","qty":1,"revision":1},{"sku":"A","qty":2,"revision":2}]}}`,
		"seven places":  head + `[{"sku":"A","qty":0.0000001,"revision":1}]}}`,
	} {
		before := s.Stats().Violations
		if status, _ := mustDo(t, signed(t, s.URL("s"), testenv.DefaultSecret, []byte(body))); status != 400 {
			t.Errorf("%s: got %d, want 400", name, status)
		}
		if s.Stats().Violations != before+1 {
			t.Errorf("%s: want it noted as a violation", name)
		}
	}
	status, _ := mustDo(t, signed(t, s.URL("s"), testenv.DefaultSecret, make([]byte, 2<<20)))
	if status != 413 {
		t.Errorf("2 MB: got %d, want 413", status)
	}
	if status, _ := mustDo(t, signed(t, s.URL("s"), "whsec_b3RoZXI=", []byte("{}"))); status != 401 {
		t.Errorf("other secret: got %d, want 401", status)
	}
	if got := len(s.Writes()); got != 0 {
		t.Errorf("got %d writes, want none", got)
	}
}

func TestSandbox_FailsAsAsked(t *testing.T) {
	type answer struct {
		status  int
		applied string // SKUs whose quantity changed
		fails   bool   // the client gets no whole answer
	}
	for kind, want := range map[testenv.FaultKind]answer{
		testenv.FaultThrottle:     {status: 429},
		testenv.FaultUnavailable:  {status: 503},
		testenv.FaultUnauthorised: {status: 401},
		testenv.FaultReset:        {fails: true},
		testenv.FaultRedirect:     {status: 307},
		testenv.FaultAppliedError: {status: 500, applied: "A B C"},
		testenv.FaultHang:         {fails: true, applied: "A B C"},
		testenv.FaultSlow:         {status: 200, applied: "A B C"},
		testenv.FaultPartial:      {status: 200, applied: "B"},
		testenv.FaultRefuse:       {status: 200},
		testenv.FaultNotApplied:   {status: 200},
		testenv.FaultWrongSKU:     {status: 200, applied: "A B C"},
		testenv.FaultGarbage:      {status: 200, applied: "A B C"},
		testenv.FaultEndlessBody:  {status: 200, applied: "A B C"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			s := testenv.StartSandbox(t, testenv.SandboxConfig{})
			parsed, err := testenv.ParseFault(string(kind))
			if err != nil {
				t.Fatal(err)
			}
			in := s.Inject(testenv.SandboxFault{Kind: parsed, Delay: 20 * time.Millisecond})
			r := message(t, s, "s", update{"A", 1, 1}, update{"B", 1, 1}, update{"C", 1, 1})
			if kind == testenv.FaultHang {
				r = giveUpAfter(t, r, s, 3)
			}
			status, body, err := do(r)
			got := answer{status: status, fails: err != nil}
			var applied []string
			for _, w := range s.Writes() {
				applied = append(applied, w.SKU)
			}
			got.applied = strings.Join(applied, " ")
			if got != want {
				t.Errorf("got %+v, want %+v; answer %.200s, error %v", got, want, body, err)
			}
			if in.Hits() != 1 || s.Stats().Faults[kind] != 1 {
				t.Errorf("got %d hits, %v, want the fault counted once", in.Hits(), s.Stats().Faults)
			}
			if len(applied) < 3 && len(s.Refusals()) == 0 {
				t.Error("something was refused silently")
			}
			if status, _ := mustDo(t, message(t, s, "s", update{"A", 2, 2})); status != 200 {
				t.Errorf("after the fault: got %d, want 200", status)
			}
			if v := s.Violations(); len(v) > 0 {
				t.Errorf("got violations %+v, want none", v)
			}
		})
	}
	if _, err := testenv.ParseFault("meltdown"); err == nil {
		t.Error("an unknown fault: want an error")
	}
	if got := len(testenv.FaultKinds()); got != 14 {
		t.Errorf("got %d kinds, want each of them in the table above", got)
	}
}

func TestSandbox_GivesFaultsToWhatTheyFit(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{Seed: 1})
	bySKU := s.Inject(testenv.SandboxFault{Kind: testenv.FaultThrottle, SKU: "B", Count: 2, RetryAfter: "-1"})
	byStore := s.Inject(testenv.SandboxFault{Kind: testenv.FaultUnavailable, Store: "t", Count: -1})
	ask := func(store, sku string) int {
		status, _ := mustDo(t, message(t, s, store, update{sku, 1, 1}))
		return status
	}
	var got []int
	for _, sku := range []string{"A", "B", "B", "B"} {
		got = append(got, ask("s", sku), ask("t", sku))
	}
	if diff := cmp.Diff([]int{200, 503, 429, 429, 200, 503, 200, 503}, got); diff != "" {
		t.Error(diff)
	}
	byStore.Remove()
	if got := ask("t", "A"); got != 200 {
		t.Errorf("removed: got %d, want 200", got)
	}
	if bySKU.Hits() != 2 || byStore.Hits() != 3 {
		t.Errorf("got %d and %d hits, want 2 and 3", bySKU.Hits(), byStore.Hits())
	}
	chance := s.Inject(testenv.SandboxFault{Kind: testenv.FaultUnavailable, Count: -1, Chance: 0.5})
	for range 100 {
		ask("s", "A")
	}
	if h := chance.Hits(); h < 30 || h > 70 {
		t.Errorf("got %d faults of 100 at a chance of one half", h)
	}
	s.ClearFaults()
	if got := ask("s", "A"); got != 200 {
		t.Errorf("cleared: got %d, want 200", got)
	}
}

func TestSandbox_LimitsRequestsOfEachStore(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{Rate: 0.1, Burst: 2})
	var got []int
	for range 3 {
		status, _ := mustDo(t, message(t, s, "s", update{"A", 1, 1}))
		got = append(got, status)
	}
	other, _ := mustDo(t, message(t, s, "t", update{"A", 1, 1}))
	if diff := cmp.Diff([]int{200, 200, 429, 200}, append(got, other)); diff != "" {
		t.Error(diff)
	}
	resp, err := http.DefaultTransport.RoundTrip(message(t, s, "s", update{"A", 1, 1}))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 5 || after > 10 {
		t.Errorf("Retry-After: got %q, want up to 10 s", resp.Header.Get("Retry-After"))
	}
}

func TestSandbox_ReportsTwoRequestsInFlightForOnePair(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{Overlap: time.Minute})
	slow := s.Inject(testenv.SandboxFault{Kind: testenv.FaultSlow, Delay: -1})
	var both sync.WaitGroup
	first, second := message(t, s, "s", update{"A", 1, 1}, update{"B", 1, 1}), message(t, s, "s", update{"B", 2, 2})
	send := func(r *http.Request) func() {
		return func() {
			if _, _, err := do(r); err != nil {
				t.Error(err)
			}
		}
	}
	both.Go(send(first))
	wait(t, func() bool { return len(s.Writes()) == 2 })
	mustDo(t, message(t, s, "s", update{"C", 1, 1}))
	mustDo(t, message(t, s, "t", update{"A", 1, 1}))
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("other pairs: got violations %+v, want none", v)
	}
	both.Go(send(second))
	wait(t, func() bool { return s.FlightWaits() == 1 })
	slow.Release()
	both.Wait()
	want := []testenv.Violation{{
		Kind: testenv.ViolationOverlap, Store: "s", SKU: "B", Text: "request msg_1",
	}}
	if diff := cmp.Diff(want, s.Violations(), cmpopts.IgnoreFields(testenv.Violation{}, "At")); diff != "" {
		t.Error(diff)
	}
}

// Ensure a client that gave up and tries again at once is not accused.
func TestSandbox_KnowsARetryFromAnOverlap(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{Overlap: time.Minute})
	for rev := range int64(30) {
		s.Inject(testenv.SandboxFault{Kind: testenv.FaultHang})
		r := giveUpAfter(t, message(t, s, "s", update{"A", 1, rev}), s, 2*int(rev)+1)
		if _, _, err := do(r); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want no answer", err)
		}
		mustDo(t, message(t, s, "s", update{"A", 1, rev}))
	}
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("got violations %+v, want none", v)
	}
}

// Ensure a client that sends again without having given up is.
func TestSandbox_ReportsAnOverlapWithARequestThatHangs(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{Overlap: 50 * time.Millisecond})
	s.Inject(testenv.SandboxFault{Kind: testenv.FaultHang})
	var hangs sync.WaitGroup
	first, second := message(t, s, "s", update{"A", 1, 100}), message(t, s, "s", update{"A", 1, 101})
	ctx, cancel := context.WithCancel(t.Context())
	hangs.Go(func() { _, _, _ = do(first.WithContext(ctx)) })
	wait(t, func() bool { return len(s.Writes()) == 1 })
	mustDo(t, second)
	cancel()
	hangs.Wait()
	if v := s.Violations(); len(v) != 1 || v[0].Kind != testenv.ViolationOverlap {
		t.Errorf("got violations %+v, want one", v)
	}
}

func TestSandbox_ReportsRevisionsThatGoBack(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("KeepNew=%v", keep), func(t *testing.T) {
			s := testenv.StartSandbox(t, testenv.SandboxConfig{KeepNew: keep})
			for _, u := range []update{{"A", 1, 5}, {"A", 1, 5}, {"A", 2, 6}, {"A", 1, 5}} {
				mustDo(t, message(t, s, "s", u))
			}
			if v := s.Violations(); len(v) != 1 || v[0].Kind != testenv.ViolationRevision {
				t.Errorf("got violations %+v, want one for the last", v)
			}
			want := int64(5)
			if keep {
				want = 6
			}
			if _, got, _ := s.Quantity("s", "A"); got != want {
				t.Errorf("shows revision %d, want %d", got, want)
			}
		})
	}
}

func TestSandbox_RemembersNoMoreThanAsked(t *testing.T) {
	s := testenv.StartSandbox(t, testenv.SandboxConfig{MaxWrites: 3, Sells: func(_, sku string) bool { return sku == "A" }})
	for rev := range int64(10) {
		mustDo(t, message(t, s, "s", update{"A", 1, rev}))
	}
	var revisions []int64
	for _, w := range s.Writes() {
		revisions = append(revisions, w.Revision)
	}
	if diff := cmp.Diff([]int64{7, 8, 9}, revisions); diff != "" {
		t.Error(diff)
	}
	for rev := range int64(1100) {
		mustDo(t, message(t, s, "s", update{"X", 1, rev}))
	}
	stats := s.Stats()
	if got := len(s.Refusals()); got > 1000 || got < 900 || stats.Refusals != 1100 || stats.Writes != 10 {
		t.Errorf("got %d refusals and %+v, want the newest of 1100 and 10 writes", got, stats)
	}
	if last := s.Refusals()[len(s.Refusals())-1]; last.Revision != 1099 {
		t.Errorf("last refusal: got %+v, want revision 1099", last)
	}
}

// giveUpAfter returns a request whose client hangs up once the sandbox has taken so many writes.
func giveUpAfter(t *testing.T, r *http.Request, s *testenv.Sandbox, writes int) *http.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	t.Cleanup(cancel)
	go func() {
		defer cancel()
		_ = testenv.Until(ctx, time.Millisecond, func(context.Context) error {
			if len(s.Writes()) < writes {
				return errors.New("not yet")
			}
			return nil
		})
	}()
	return r.WithContext(ctx)
}

// wait waits until cond holds.
func wait(t *testing.T, cond func() bool) {
	t.Helper()
	err := testenv.Until(limit(t), time.Millisecond, func(context.Context) error {
		if !cond() {
			return errors.New("the condition does not hold")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
