package token_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/token"
)

// server gives pairs as a marketplace does: each refresh token is good for one.
type server struct {
	mu    sync.Mutex
	asked []string
	valid string
	n     int
	hook  func() // runs while a question is answered
}

func (s *server) ask(_ context.Context, refresh string) (token.Pair, sinks.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, refresh)
	if s.hook != nil {
		s.hook()
	}
	if refresh != s.valid {
		return token.Pair{}, sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "spent", Message: refresh}
	}
	s.n++
	s.valid = fmt.Sprint("refresh-", s.n)
	return token.Pair{Access: fmt.Sprint("access-", s.n), Refresh: s.valid, AccessUntil: time.Now().Add(time.Hour)},
		sinks.Outcome{Class: sinks.ClassOK}
}

func newServer() *server { return &server{valid: "refresh-0"} }

var seed = token.Seed{
	Marketplace: "shopee", App: "17", Scope: "4", Pair: token.Pair{Access: "access-0", Refresh: "refresh-0"},
}

// grant opens the seed's grant in a directory, as a process does that has just started.
func grant(t *testing.T, dir string, s token.Seed) *token.Grant {
	t.Helper()
	g, err := token.NewSafe(dir).Grant(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func wantClass(t *testing.T, o sinks.Outcome, want sinks.Class) {
	t.Helper()
	if o.Class != want {
		t.Errorf("got %s (%s: %s), want %s", o.Class, o.Code, o.Message, want)
	}
}

// wantAccess checks which token is sent.
func wantAccess(t *testing.T, g *token.Grant, want string) {
	t.Helper()
	got, o := g.Use(time.Now())
	wantClass(t, o, sinks.ClassOK)
	if got != want {
		t.Errorf("got token %q, want %q", got, want)
	}
}

// obstruct makes a directory take no pair, also for root, and returns what ends that.
func obstruct(t *testing.T, dir string, s token.Seed) func() {
	t.Helper()
	path := filepath.Join(dir, token.Name(s)+".tmp")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func TestGrant_BeginsWithTheSeedAndGoesOnWithWhatWasSaved(t *testing.T) {
	dir, m := filepath.Join(t.TempDir(), "new"), newServer()
	g := grant(t, dir, seed)
	wantAccess(t, g, "access-0")
	for n := range 3 {
		g.Refused(fmt.Sprint("access-", n))
		wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
		wantAccess(t, g, fmt.Sprint("access-", n+1))
		g = grant(t, dir, seed)
		wantAccess(t, g, fmt.Sprint("access-", n+1))
	}
	if got := fmt.Sprint(m.asked); got != "[refresh-0 refresh-1 refresh-2]" {
		t.Errorf("asked with %s, want each refresh token once", got)
	}
}

func TestGrant_FilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	g := grant(t, dir, seed)
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), newServer().ask), sinks.ClassOK)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", f.Name(), info.Mode())
		}
		if strings.Contains(f.Name(), "refresh") || strings.Contains(f.Name(), "access") {
			t.Errorf("%s tells a token", f.Name())
		}
		names++
	}
	if names != 2 { // the pair and its lock
		t.Errorf("got %d files: %v", names, files)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
}

// TestRefresh_WhatIsNotRefusedStays is T1 within a process: of many that ask at a time one refreshes.
func TestRefresh_WhatIsNotRefusedStays(t *testing.T) {
	g, m := grant(t, t.TempDir(), seed), newServer()
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	if len(m.asked) != 0 {
		t.Errorf("a token that nobody refused was refreshed with %v", m.asked)
	}
	g.Refused("access-0")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK) })
	}
	all.Wait()
	if len(m.asked) != 1 {
		t.Errorf("asked %d times, want once", len(m.asked))
	}
	g.Refused("access-0") // an answer that comes late
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	if len(m.asked) != 1 {
		t.Error("a token that was replaced, and refused once more, led to another refresh")
	}
}

// TestRefresh_ProcessesThatShareADirectoryTakeTurns is T1 over processes: each has a safe of its own.
func TestRefresh_ProcessesThatShareADirectoryTakeTurns(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	var all sync.WaitGroup
	grants := make([]*token.Grant, 6)
	for i := range grants {
		grants[i] = grant(t, dir, seed)
		all.Go(func() {
			grants[i].Refused("access-0")
			wantClass(t, grants[i].Refresh(t.Context(), m.ask), sinks.ClassOK)
			wantAccess(t, grants[i], "access-1")
		})
	}
	all.Wait()
	if len(m.asked) != 1 {
		t.Errorf("asked %d times, want once", len(m.asked))
	}
}

func TestRefresh_WaitsForTheLockNoLongerThanItsDeadline(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	first, second := grant(t, dir, seed), grant(t, dir, seed)
	asked, answer := make(chan struct{}), make(chan struct{})
	m.hook = func() { close(asked); <-answer }
	first.Refused("access-0")
	second.Refused("access-0")
	var one sync.WaitGroup
	one.Go(func() { wantClass(t, first.Refresh(t.Context(), m.ask), sinks.ClassOK) })
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	o := second.Refresh(ctx, m.ask)
	if wantClass(t, o, sinks.ClassTransient); o.Code != token.CodeBusy {
		t.Errorf("got code %q, want %q", o.Code, token.CodeBusy)
	}
	close(answer)
	one.Wait()
	wantClass(t, second.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, second, "access-1")
}

// TestRefresh_AsksOnlyWhenAPairCanBeSaved is T3.
func TestRefresh_AsksOnlyWhenAPairCanBeSaved(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	free := obstruct(t, dir, seed)
	g := grant(t, dir, seed)
	g.Refused("access-0")
	o := g.Refresh(t.Context(), m.ask)
	if wantClass(t, o, sinks.ClassTransient); o.Code != token.CodeNotSaved || len(m.asked) != 0 {
		t.Errorf("got code %q after %d questions, want %q after none", o.Code, len(m.asked), token.CodeNotSaved)
	}
	free()
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, g, "access-1")
}

// TestRefresh_APairThatCouldNotBeSavedIsNotLost is T2 and T4: it is not used, and it is the next thing saved.
func TestRefresh_APairThatCouldNotBeSavedIsNotLost(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	g := grant(t, dir, seed)
	g.Refused("access-0")
	var free func()
	m.hook = func() { free = obstruct(t, dir, seed) }
	for range 2 {
		o := g.Refresh(t.Context(), m.ask)
		if wantClass(t, o, sinks.ClassTransient); o.Code != token.CodeNotSaved {
			t.Errorf("got code %q, want %q", o.Code, token.CodeNotSaved)
		}
		m.hook = nil
		wantAccess(t, g, "access-0")
	}
	free()
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	if len(m.asked) != 1 {
		t.Errorf("asked %v, want once", m.asked)
	}
	wantAccess(t, g, "access-1")
	wantAccess(t, grant(t, dir, seed), "access-1")
}

// TestRefresh_APairIsOnThePlatterBeforeItIsUsed is T2 step by step: the new pair is synced while the old one is in its
// place, and then the name that leads to it. A sync that fails is a pair that was not saved.
func TestRefresh_APairIsOnThePlatterBeforeItIsUsed(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	safe := token.NewSafe(dir)
	var steps []string
	var fault error
	token.OnSync(safe, func(f *os.File) error {
		text, err := os.ReadFile(filepath.Join(dir, token.Name(seed)+".json"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		steps = append(steps, fmt.Sprint(filepath.Ext(f.Name()), " with access-1 in place: ", strings.Contains(string(text), "access-1")))
		if m.n > 0 { // the intent is saved, the pair is not yet
			return fault
		}
		return nil
	})
	grant, err := safe.Grant(seed)
	if err != nil {
		t.Fatal(err)
	}
	grant.Refused("access-0")
	fault = errors.New("the disk is gone")
	o := grant.Refresh(t.Context(), m.ask)
	if wantClass(t, o, sinks.ClassTransient); o.Code != token.CodeNotSaved {
		t.Errorf("got code %q, want %q", o.Code, token.CodeNotSaved)
	}
	wantAccess(t, grant, "access-0")
	fault, steps = nil, nil
	wantClass(t, grant.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, grant, "access-1")
	if got := strings.Join(steps, ", "); got != ".tmp with access-1 in place: false,  with access-1 in place: true" {
		t.Errorf("synced %s, want the file before it is in its place, and then the directory", got)
	}
}

// TestRefresh_ACancelledContextThrowsNoPairAway ensures that a store which moves to another instance takes its
// consent along.
func TestRefresh_ACancelledContextThrowsNoPairAway(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	g := grant(t, dir, seed)
	g.Refused("access-0")
	ctx, cancel := context.WithCancel(t.Context())
	m.hook = cancel
	wantClass(t, g.Refresh(ctx, func(ctx context.Context, refresh string) (token.Pair, sinks.Outcome) {
		p, o := m.ask(ctx, refresh)
		if ctx.Err() != nil {
			t.Error("the request was cut short")
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the request may take for ever")
		}
		return p, o
	}), sinks.ClassOK)
	wantAccess(t, grant(t, dir, seed), "access-1")
}

func TestRefresh_ARefusalLeavesThePairAsItIs(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	m.valid = "another"
	g := grant(t, dir, seed)
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassShopUnauthorised)
	m.valid = "refresh-0"
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
}

func TestRefresh_AnAnswerWithoutATokenIsNone(t *testing.T) {
	g := grant(t, t.TempDir(), seed)
	g.Refused("access-0")
	o := g.Refresh(t.Context(), func(context.Context, string) (token.Pair, sinks.Outcome) {
		return token.Pair{}, sinks.Outcome{Class: sinks.ClassOK}
	})
	wantClass(t, o, sinks.ClassTransient)
	o = g.Refresh(t.Context(), func(context.Context, string) (token.Pair, sinks.Outcome) {
		return token.Pair{Access: "access-1"}, sinks.Outcome{Class: sinks.ClassOK}
	})
	wantClass(t, o, sinks.ClassOK)
	g.Refused("access-1")
	wantClass(t, g.Refresh(t.Context(), newServer().ask), sinks.ClassOK) // the refresh token stayed
}

func TestRefresh_WithoutARefreshTokenTheSellerMustConsent(t *testing.T) {
	s := seed
	s.Pair = token.Pair{Access: "access-0"}
	g, m := grant(t, t.TempDir(), s), newServer()
	wantAccess(t, g, "access-0")
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassShopUnauthorised)
	if len(m.asked) != 0 {
		t.Errorf("asked with %q", m.asked)
	}
}

func TestUse_ATokenThatEndsIsRefreshedFirst(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	s := seed
	s.Pair.Access = ""
	g := grant(t, dir, s)
	_, o := g.Use(time.Now())
	wantClass(t, o, sinks.ClassToken)
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, g, "access-1")
	if _, o := g.Use(time.Now().Add(59*time.Minute + time.Second)); o.Class != sinks.ClassToken {
		t.Errorf("a minute before its end: got %+v, want token", o)
	}
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, g, "access-2")
}

// TestUse_AClockThatIsWrongDoesNotRefreshForEver ensures that a token whose end has passed by our clock is sent
// when it is new.
func TestUse_AClockThatIsWrongDoesNotRefreshForEver(t *testing.T) {
	g := grant(t, t.TempDir(), seed)
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), func(context.Context, string) (token.Pair, sinks.Outcome) {
		return token.Pair{Access: "access-1", Refresh: "refresh-1", AccessUntil: time.Now().Add(-time.Hour)},
			sinks.Outcome{Class: sinks.ClassOK}
	}), sinks.ClassOK)
	wantAccess(t, g, "access-1")
}

// TestGrant_ANewConsentBeginsAnew ensures that nobody must say which of two pairs is newer.
func TestGrant_ANewConsentBeginsAnew(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	g := grant(t, dir, seed)
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	for name, change := range map[string]func(*token.Seed){
		"another refresh token": func(s *token.Seed) { s.Pair.Refresh = "refresh-x" },
		"another shop":          func(s *token.Seed) { s.Scope = "5" },
		"another application":   func(s *token.Seed) { s.App = "18" },
		"another marketplace":   func(s *token.Seed) { s.Marketplace = "lazada" },
	} {
		other := seed
		change(&other)
		t.Run(name, func(t *testing.T) { wantAccess(t, grant(t, dir, other), "access-0") })
	}
	same := seed
	same.Pair.Access = "access-x" // which the refresh token says enough of
	wantAccess(t, grant(t, dir, same), "access-1")
}

func TestSafe_StoresOfOneConsentShareAGrant(t *testing.T) {
	s := token.NewSafe(t.TempDir())
	a, errA := s.Grant(seed)
	b, errB := s.Grant(seed)
	if a != b || errA != nil || errB != nil {
		t.Errorf("got two grants, %v, %v", errA, errB)
	}
	for _, s := range []*token.Safe{nil, token.NewSafe("")} {
		if _, err := s.Grant(seed); !errors.Is(err, token.ErrNoPlace) {
			t.Errorf("got %v, want %v", err, token.ErrNoPlace)
		}
	}
}

func TestGrant_SurvivesWhatACrashLeaves(t *testing.T) {
	dir, m := t.TempDir(), newServer()
	g := grant(t, dir, seed)
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	half := filepath.Join(dir, token.Name(seed)+".tmp")
	if err := os.WriteFile(half, []byte(`{"format":1,"acc`), 0o600); err != nil {
		t.Fatal(err)
	}
	g = grant(t, dir, seed)
	wantAccess(t, g, "access-1")
	g.Refused("access-1")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	wantAccess(t, g, "access-2")
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the crash left is still there: %v", err)
	}
}

// TestGrant_ADamagedFileIsSaidAndNotGuessed ensures that the seed, whose refresh token was spent, is not tried in
// its place, and that a later release's file is left alone.
func TestGrant_ADamagedFileIsSaidAndNotGuessed(t *testing.T) {
	for text, want := range map[string]string{
		`{"format":1,"access_tok`: "damaged", `{}`: "damaged", ``: "damaged", `[]`: "damaged",
		`{"format":2,"access_token":"canary"}`: "format 2",
	} {
		dir, m := t.TempDir(), newServer()
		if err := os.WriteFile(filepath.Join(dir, token.Name(seed)+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g := grant(t, dir, seed)
		_, used := g.Use(time.Now())
		for _, o := range []sinks.Outcome{used, g.Refresh(t.Context(), m.ask)} {
			wantClass(t, o, sinks.ClassTransient)
			if !strings.Contains(o.Message, want) || strings.Contains(o.Message, "canary") {
				t.Errorf("%s: got %q, want %q and nothing of the file", text, o.Message, want)
			}
		}
		if len(m.asked) != 0 {
			t.Errorf("%s: asked with %v", text, m.asked)
		}
	}
}

func TestTokens_AreNeverPrinted(t *testing.T) {
	g, m := grant(t, t.TempDir(), seed), newServer()
	g.Refused("access-0")
	wantClass(t, g.Refresh(t.Context(), m.ask), sinks.ClassOK)
	text, err := seed.Pair.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v %+v %#v %s", seed, seed, seed, seed.Pair), fmt.Sprintf("%v %+v %#v", g, g, g), string(text),
		seed.Pair.LogValue().String(),
	} {
		if strings.Contains(printed, "access-") || strings.Contains(printed, "refresh-") {
			t.Errorf("printed %s", printed)
		}
	}
	o := g.Hide(sinks.Outcome{Code: "access-0", Message: "you sent access-1 after refresh-0, then refresh-1"})
	if o.Code != "***" || o.Message != "you sent *** after ***, then ***" {
		t.Errorf("got %+v, want stars", o)
	}
}
