package signin_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/signin"
)

func secrets(password string) sinks.Credentials {
	return sinks.NewCredentials(map[string]string{"username": "shop", "password": password, "other": password})
}

// desk signs in: each time with another token, or with the outcome that is set.
type desk struct {
	calls   atomic.Int32
	outcome sinks.Outcome
	came    chan struct{} // nil: nobody asks
	wait    chan struct{} // closed: nobody waits
}

func (d *desk) signIn(context.Context, sinks.Credentials) (string, sinks.Outcome) {
	n := d.calls.Add(1)
	if d.came != nil {
		d.came <- struct{}{}
	}
	if d.wait != nil {
		<-d.wait
	}
	if d.outcome.Class != 0 {
		return "", d.outcome
	}
	return fmt.Sprintf("token-%d", n), sinks.Outcome{Class: sinks.ClassOK}
}

func wantUse(t *testing.T, token *signin.Token, c sinks.Credentials, want string) {
	t.Helper()
	got, o := token.Use(t.Context(), c)
	if got != want || o.Class != sinks.ClassOK {
		t.Errorf("got %q (%s), want %q", got, o.Class, want)
	}
}

func TestToken_IsGotOnceAndKept(t *testing.T) {
	d := &desk{}
	token := signin.New(d.signIn, "username", "password")
	wantUse(t, token, secrets("one"), "token-1")
	wantUse(t, token, secrets("one"), "token-1")
	if o := token.Refresh(t.Context(), secrets("one")); o.Class != sinks.ClassOK || d.calls.Load() != 1 {
		t.Errorf("got %s after %d calls, want a token that nobody refused to stay", o.Class, d.calls.Load())
	}
	token.Refused("token-0")
	token.Refresh(t.Context(), secrets("one"))
	wantUse(t, token, secrets("one"), "token-1")
	token.Refused("token-1")
	wantUse(t, token, secrets("one"), "token-1")
	token.Refresh(t.Context(), secrets("one"))
	wantUse(t, token, secrets("one"), "token-2")
}

func TestToken_FollowsTheCredentials(t *testing.T) {
	d := &desk{}
	token := signin.New(d.signIn, "username", "password")
	wantUse(t, token, secrets("one"), "token-1")
	wantUse(t, token, secrets("two"), "token-2")
	wantUse(t, token, secrets("two"), "token-2")
}

func TestToken_OneSignsInForAllThatWait(t *testing.T) {
	d := &desk{wait: make(chan struct{})}
	token := signin.New(d.signIn, "username", "password")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { wantUse(t, token, secrets("one"), "token-1") })
	}
	close(d.wait)
	all.Wait()
	token.Refused("token-1")
	for range 8 {
		all.Go(func() {
			if o := token.Refresh(t.Context(), secrets("one")); o.Class != sinks.ClassOK {
				t.Errorf("got %+v, want ok", o)
			}
		})
	}
	all.Wait()
	wantUse(t, token, secrets("one"), "token-2")
}

func TestToken_AFailureSaysWhyAndChangesNothing(t *testing.T) {
	d := &desk{outcome: sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "WRONG"}}
	token := signin.New(d.signIn, "username", "password")
	if got, o := token.Use(t.Context(), secrets("one")); got != "" || o.Code != "WRONG" {
		t.Errorf("got %q, %+v, want no token", got, o)
	}
	d.outcome = sinks.Outcome{}
	wantUse(t, token, secrets("one"), "token-2")
	d.outcome = sinks.Outcome{Class: sinks.ClassTransient}
	token.Refused("token-2")
	if o := token.Refresh(t.Context(), secrets("one")); o.Class != sinks.ClassTransient {
		t.Errorf("got %s, want transient", o.Class)
	}
	wantUse(t, token, secrets("one"), "token-2")
}

func TestToken_WaitsNoLongerThanTheContext(t *testing.T) {
	d := &desk{came: make(chan struct{}), wait: make(chan struct{})}
	token := signin.New(d.signIn, "username", "password")
	var first sync.WaitGroup
	first.Go(func() { wantUse(t, token, secrets("one"), "token-1") })
	<-d.came
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, o := token.Use(ctx, secrets("one")); o.Class != sinks.ClassTransient {
		t.Errorf("got %+v, want transient", o)
	}
	close(d.wait)
	first.Wait()
}

func TestToken_HidesThoseThatItGave(t *testing.T) {
	d := &desk{}
	token := signin.New(d.signIn, "username", "password")
	wantUse(t, token, secrets("one"), "token-1")
	wantUse(t, token, secrets("two"), "token-2")
	if got, want := token.Hide("not token-1, token-2 or token-3"), "not ***, *** or token-3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
