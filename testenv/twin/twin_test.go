package twin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stocksync/testenv/twin"
	"stocksync/topics"
)

// plain is a dialect of a few words: POST /push with {"product":{"variant":quantity}}, GET /list.
type plain struct{ *twin.Twin }

func start(t *testing.T, cfg twin.Config) *plain {
	t.Helper()
	p := &plain{}
	cfg.Dialect = p
	p.Twin = twin.Start(t, cfg)
	p.Fill(3, 3, "here")
	return p
}

func (p *plain) Operation(r *http.Request) twin.Op {
	switch r.URL.Path {
	case "/push":
		return twin.OpPush
	case "/list":
		return twin.OpList
	}
	return twin.OpUnknown
}

func (p *plain) Throttled(x *twin.Exchange) twin.Answer {
	return twin.Answer{Status: http.StatusTooManyRequests, Header: x.RetryAfter(), Body: []byte(`"slow down"`)}
}

func (p *plain) Serve(x *twin.Exchange) twin.Answer {
	if x.Op == twin.OpUnknown {
		return twin.JSON(http.StatusNotFound, "no")
	}
	if r, ok := x.RefusedWhole(); ok {
		return twin.JSON(http.StatusOK, "whole "+r.Code)
	}
	var in []struct {
		Product, Variant string
		Qty              int64
	}
	if x.Op == twin.OpPush {
		if err := json.Unmarshal(x.Body, &in); err != nil {
			return twin.JSON(http.StatusBadRequest, err.Error())
		}
	}
	said := []string{}
	for i, one := range in {
		word := "ok"
		if r, ok := x.Refused(i); ok {
			word = r.Code
		} else if !x.Set(twin.ID{Product: one.Product, Variant: one.Variant}, "", topics.Quantity(one.Qty)*topics.One) {
			word = "gone"
		}
		said = append(said, x.Echo(one.Variant)+" "+word)
	}
	return twin.JSON(http.StatusOK, said)
}

// push sends quantities for the first n items and returns status and answer.
func (p *plain) push(t *testing.T, n int, qty int64) (int, string, http.Header, error) {
	t.Helper()
	var items []map[string]any
	for _, it := range p.Items()[:n] {
		items = append(items, map[string]any{"Product": it.Product, "Variant": it.Variant, "Qty": qty})
	}
	body, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return p.ask(t.Context(), http.MethodPost, "/push", string(body))
}

// ask sends a request without following redirects.
func (p *plain) ask(ctx context.Context, method, path, body string) (int, string, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.URL()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return resp.StatusCode, string(text), resp.Header, err
}

func TestTwin_RecordsCallsInOrder(t *testing.T) {
	p := start(t, twin.Config{})
	for i, path := range []string{"/list?page=1", "/nothing"} {
		if _, _, _, err := p.ask(t.Context(), http.MethodGet, path, ""); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, answer, _, err := p.push(t, 2, 5); err != nil || answer != `["5000000 ok","5000001 ok"]` {
		t.Errorf("got %s, %v", answer, err)
	}
	var got []string
	for _, c := range p.Calls() {
		got = append(got, fmt.Sprintf("%d %q %s %s %d", c.Seq, c.Op, c.Method, c.Target, c.Status))
	}
	want := []string{`1 "list" GET /list?page=1 200`, `2 "" GET /nothing 404`, `3 "push" POST /push 200`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	writes := p.Writes()
	if len(writes) != 2 || writes[1].Call != 3 || writes[1].Qty != 5*topics.One || writes[1].ID.Variant != "5000001" {
		t.Errorf("got %+v, want two writes of call 3", writes)
	}
}

// TestTwin_FailsAsAsked ensures of each fault what the client gets, and whether the shop took it.
func TestTwin_FailsAsAsked(t *testing.T) {
	type want struct {
		status  int    // 0: no answer
		answer  string // that it begins with
		applied int    // of 3 items
	}
	refusal := twin.Refusal{Code: "no", Message: "m"}
	for kind, want := range map[twin.Kind]want{
		twin.FaultThrottle:     {429, `"slow down"`, 0},
		twin.FaultUnavailable:  {503, "<html>", 0},
		twin.FaultReset:        {0, "", 0},
		twin.FaultRedirect:     {307, "<html>", 0},
		twin.FaultRefuse:       {200, `["5000000 no","5000001 no","5000002 no"]`, 0},
		twin.FaultPartial:      {200, `["5000000 no","5000001 ok","5000002 no"]`, 1},
		twin.FaultNotApplied:   {200, `["5000000 ok","5000001 ok","5000002 ok"]`, 0},
		twin.FaultAppliedError: {500, "<html>", 3},
		twin.FaultHang:         {0, "", 3},
		twin.FaultWrongSKU:     {200, `["95000000 ok","95000001 ok","95000002 ok"]`, 3},
		twin.FaultGarbage:      {200, "<html>", 3},
		twin.FaultHugeBody:     {200, `["5000000 ok"`, 3},
		twin.FaultEndlessBody:  {200, `{"data":`, 3},
	} {
		t.Run(string(kind), func(t *testing.T) {
			p := start(t, twin.Config{})
			p.Inject(twin.Fault{Kind: kind, Refusal: refusal, RetryAfter: "7"})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if kind == twin.FaultHang {
				go func() { <-p.Hung(); cancel() }()
			}
			body := `[{"Product":"1000000","Variant":"5000000","Qty":5},{"Product":"1000000","Variant":"5000001","Qty":5},{"Product":"1000000","Variant":"5000002","Qty":5}]`
			status, answer, header, err := p.ask(ctx, http.MethodPost, "/push", body)
			if want.status == 0 && err == nil || status != want.status || !strings.HasPrefix(answer, want.answer) {
				t.Errorf("got %d %.80s, %v, want %+v", status, answer, err, want)
			}
			if n := len(p.Writes()); n != want.applied {
				t.Errorf("got %d writes, want %d", n, want.applied)
			}
			if kind == twin.FaultThrottle && header.Get("Retry-After") != "7" {
				t.Errorf("got header %v, want Retry-After 7", header)
			}
			if kind == twin.FaultHugeBody && len(answer) != twin.HugeBody {
				t.Errorf("got %d bytes, want %d", len(answer), twin.HugeBody)
			}
			if c := p.Calls()[0]; c.Fault != kind {
				t.Errorf("the call tells fault %q", c.Fault)
			}
			if status, _, _, err := p.push(t, 3, 6); status != 200 || err != nil || len(p.Writes()) != want.applied+3 {
				t.Errorf("after the fault: got %d, %v", status, err)
			}
		})
	}
	if got := len(twin.Kinds()); got != 13 {
		t.Errorf("got %d kinds, want each of them in the table above", got)
	}
}

func TestTwin_GivesFaultsToWhatTheyFit(t *testing.T) {
	p := start(t, twin.Config{})
	p.Inject(twin.Fault{Kind: twin.FaultUnavailable, Status: 502, Skip: 1, Count: 2})
	p.Inject(twin.Fault{Kind: twin.FaultRefuse, Refusal: twin.Refusal{Code: "x", Whole: true}, Count: -1, Op: twin.OpList})
	var got []int
	for range 4 {
		status, _, _, err := p.push(t, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if !slices.Equal(got, []int{200, 502, 502, 200}) {
		t.Errorf("got %v, want one that passes, two that fail, and one that passes", got)
	}
	for range 3 {
		if _, answer, _, _ := p.ask(t.Context(), http.MethodGet, "/list", ""); answer != `"whole x"` {
			t.Errorf("got %s, want the refusal of the whole each time", answer)
		}
	}
	p.Heal()
	if _, answer, _, _ := p.ask(t.Context(), http.MethodGet, "/list", ""); answer != "[]" {
		t.Errorf("healed: got %s", answer)
	}
}

func TestTwin_NotesARedirectThatIsFollowed(t *testing.T) {
	p := start(t, twin.Config{})
	p.Inject(twin.Fault{Kind: twin.FaultRedirect})
	_, _, header, err := p.push(t, 1, 1)
	if err != nil || len(p.Breaches()) != 0 {
		t.Fatalf("got %v, breaches %q", err, p.Breaches())
	}
	to, ok := strings.CutPrefix(header.Get("Location"), p.URL())
	if !ok {
		t.Fatalf("the redirect leads to %q", header.Get("Location"))
	}
	if _, _, _, err := p.ask(t.Context(), http.MethodPost, to, ""); err != nil {
		t.Fatal(err)
	}
	if got := p.Breaches(); len(got) != 1 || !strings.Contains(got[0], "redirect") {
		t.Errorf("got breaches %q, want one", got)
	}
}

// TestTwin_LimitsAnyTimeOfAWindow ensures that the limit holds of each span of its length, and not from one full
// second to the next.
func TestTwin_LimitsAnyTimeOfAWindow(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 900_000_000, time.UTC)
	p := start(t, twin.Config{
		Now:    func() time.Time { return now },
		Limits: map[twin.Op]twin.Window{twin.OpPush: {Most: 2, Per: time.Second}},
	})
	var got []string
	for _, after := range []time.Duration{0, 200 * time.Millisecond, 200 * time.Millisecond, 599 * time.Millisecond, time.Millisecond, 0} {
		now = now.Add(after)
		status, _, header, err := p.push(t, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(status, header.Get("Retry-After")))
	}
	if want := []string{"200", "200", "4291", "4291", "200", "4291"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(p.Breaches()); n != 3 {
		t.Errorf("got %d breaches, want one for each that was refused", n)
	}
	if status, _, _, _ := p.ask(t.Context(), http.MethodGet, "/list", ""); status != 200 {
		t.Errorf("another operation: got %d, want no limit", status)
	}
}

func TestTokens_AreIssuedRotatedAndTakenBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := start(t, twin.Config{
		Now:    func() time.Time { return now },
		Tokens: twin.TokensConfig{Life: time.Hour, RefreshLife: 10 * time.Hour, Overlap: time.Minute, FixedEnd: true},
	})
	want := func(step string, got, want twin.TokenState) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", step, got, want)
		}
	}
	first := p.Issue()
	want("a new one", p.Check(first.Access), twin.TokenGood)
	want("another", p.Check("x"), twin.TokenUnknown)
	now = now.Add(30 * time.Minute)
	second, state := p.Spend(first.Refresh)
	want("a refresh", state, twin.TokenGood)
	if _, state := p.Spend(first.Refresh); state != twin.TokenSpent {
		t.Errorf("the same refresh: got %s", state)
	}
	if !second.RefreshUntil.Equal(first.RefreshUntil) || second.AccessUntil.Sub(now) != time.Hour {
		t.Errorf("got %v, want an hour, and the end of the consent", second)
	}
	want("the old one for a while", p.Check(first.Access), twin.TokenGood)
	now = now.Add(time.Minute)
	want("the old one later", p.Check(first.Access), twin.TokenExpired)
	want("the new one", p.Check(second.Access), twin.TokenGood)
	p.ExpireAfter(1)
	want("one more", p.Check(second.Access), twin.TokenGood)
	want("and no more", p.Check(second.Access), twin.TokenExpired)
	now = now.Add(10 * time.Hour)
	if _, state := p.Spend(second.Refresh); state != twin.TokenExpired {
		t.Errorf("after its end: got %s", state)
	}
	third := p.Issue()
	p.Expire()
	want("expired by hand", p.Check(third.Access), twin.TokenExpired)
	p.Revoke()
	want("taken back", p.Check(third.Access), twin.TokenRevoked)
	if _, state := p.Spend(third.Refresh); state != twin.TokenRevoked {
		t.Errorf("a refresh of it: got %s", state)
	}
	if issued := p.Issued(); len(issued) != 6 || p.Refreshes() != 1 || slices.ContainsFunc(issued, func(token string) bool { return !strings.Contains(token, "canary") }) {
		t.Errorf("got %d refreshes and tokens %q, want canaries", p.Refreshes(), issued)
	}
}

func TestShelf_KeepsWhatTheShopSells(t *testing.T) {
	p := start(t, twin.Config{})
	p.Fill(4, 2, "there", "L1", "L2")
	if got := p.Products(); len(got) != 3 || len(p.Variants(got[1])) != 2 {
		t.Fatalf("got products %q, want one of three and two of two", got)
	}
	last := p.Items()[6]
	updates := twin.Updates([]twin.Item{last})
	if u := updates[0]; u.Qty != 100*topics.One || len(u.Locations) != 2 || u.Locations[0].Qty+u.Locations[1].Qty != u.Qty {
		t.Errorf("got %+v, want 100 over two locations", u)
	}
	if qty, ok := p.Shown(&updates[0]); !ok || qty != 14*topics.One {
		t.Errorf("got %s, %v, want the sum over locations", qty, ok)
	}
	p.Sell(last.ID, "L1", 3*topics.One)
	if qty, _ := p.Shown(&updates[0]); qty != 11*topics.One {
		t.Errorf("sold 3: got %s", qty)
	}
	last.Levels["L1"] = twin.Level{Qty: topics.One}
	if it, _ := p.Item(last.ID); it.Levels["L1"].Qty != 4*topics.One {
		t.Errorf("a copy that was changed changed the shop: %+v", it)
	}
	p.Drop(last.ID)
	if _, ok := p.Shown(&updates[0]); ok || len(p.Items()) != 6 {
		t.Error("what was dropped is still there")
	}
	gone := p.Unknown()
	if _, ok := p.Shown(&gone); ok {
		t.Error("the shop has what no shop has")
	}
}

func TestTwin_ClosesWhileRequestsHang(t *testing.T) {
	p := &plain{}
	var err error
	if p.Twin, err = twin.Listen(twin.Config{Dialect: p}); err != nil {
		t.Fatal(err)
	}
	p.Fill(1, 1, "here")
	p.Inject(twin.Fault{Kind: twin.FaultHang})
	asked := make(chan error)
	go func() {
		_, _, _, err := p.ask(context.Background(), http.MethodPost, "/push", "[]")
		asked <- err
	}()
	<-p.Hung()
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-asked; err == nil {
		t.Error("a request that hangs got an answer")
	}
}
