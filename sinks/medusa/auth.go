package medusa

import (
	"context"
	"encoding/base64"
	"net/http"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/rest"
)

// The names of the credentials.
const (
	secretKey = "secret_key"
	email     = "email"
	password  = "password"
)

// loginSession is a shop whose token is got by signing in.
type loginSession struct{ *session }

// Refresh signs in again.
func (s loginSession) Refresh(ctx context.Context) sinks.Outcome { return s.refresh(ctx) }

// refresh is Refresh for passes over the catalogue; only a session that was got by signing in is ever told to.
func (s *session) refresh(ctx context.Context) sinks.Outcome {
	c, err := s.account.Credentials()
	if err != nil {
		return dialect.Unreadable(err)
	}
	return s.login.Refresh(ctx, c)
}

// authorise returns the headers of a request, and the token in them that may expire.
func (s *session) authorise(ctx context.Context) (h http.Header, token string, o sinks.Outcome) {
	c, err := s.account.Credentials()
	if err != nil {
		return nil, "", dialect.Unreadable(err)
	}
	if s.login == nil { // the key is a user's name without a password; as a bearer's it is refused
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Get(secretKey)+":"))
		return http.Header{"Authorization": {basic}}, "", sinks.Outcome{Class: sinks.ClassOK}
	}
	token, o = s.login.Use(ctx, c)
	return http.Header{"Authorization": {"Bearer " + token}}, token, o
}

// signIn gets a token, which the shop takes for a day unless it is set up otherwise.
func (s *session) signIn(ctx context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	a, err := rest.Do(ctx, s.account.HTTP, rest.Request{
		Method: http.MethodPost, URL: s.options.URL + "/auth/user/emailpass",
		Body: map[string]string{"email": c.Get(email), "password": c.Get(password)},
	})
	if err != nil {
		return "", sinks.ClassifyError(err)
	}
	o := classify(a)
	switch o.Class {
	case sinks.ClassOK:
	case sinks.ClassThrottle, sinks.ClassTransient, sinks.ClassConfig:
		return "", o
	default:
		o.Class = sinks.ClassShopUnauthorised
		return "", o
	}
	var result struct {
		Token string `json:"token"`
	}
	if !a.Read(&result) || result.Token == "" {
		return "", dialect.BadAnswer("the answer has no token")
	}
	return result.Token, o
}
