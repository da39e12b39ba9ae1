package vendure

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/graphql"
)

// The names of the credentials.
const (
	apiKey   = "api_key"
	username = "username"
	password = "password"
)

// tokenHeader carries the session's token in the answer to a login.
const tokenHeader = "Vendure-Auth-Token" //nolint:gosec // a name, not a secret

// loginSession is a shop whose token is got by signing in.
type loginSession struct{ *session }

// Refresh signs in again. A person who may not change stock is told so now: a request that is refused for it
// looks like one without a session.
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
	h = s.channel()
	c, err := s.account.Credentials()
	if err != nil {
		return nil, "", dialect.Unreadable(err)
	}
	if s.login == nil {
		h.Set("Vendure-Api-Key", c.Get(apiKey))
		return h, "", sinks.Outcome{Class: sinks.ClassOK}
	}
	token, o = s.login.Use(ctx, c)
	h.Set("Authorization", "Bearer "+token)
	return h, token, o
}

func (s *session) channel() http.Header {
	h := http.Header{}
	if s.options.Channel != "" {
		h.Set("Vendure-Token", s.options.Channel)
	}
	return h
}

const loginDocument = `mutation Login($username:String!,$password:String!){
  login(username:$username,password:$password,rememberMe:true){
    __typename
    ... on CurrentUser { channels { permissions } }
    ... on ErrorResult { errorCode message }
  }
}`

// loginResult is what a login says.
type loginResult struct {
	Login struct {
		Type      string `json:"__typename"`
		ErrorCode string `json:"errorCode"`
		Message   string `json:"message"`
		Channels  []struct {
			Permissions []string `json:"permissions"`
		} `json:"channels"`
	} `json:"login"`
}

// signIn gets a session's token.
func (s *session) signIn(ctx context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	a, err := graphql.Do(ctx, s.account.HTTP, graphql.Request{
		URL: s.options.URL, Header: s.channel(), Query: loginDocument,
		Variables: map[string]string{username: c.Get(username), password: c.Get(password)},
	})
	if err != nil {
		return "", failure(err)
	}
	if o := classify(a); o.Class != sinks.ClassOK {
		switch o.Class {
		case sinks.ClassThrottle, sinks.ClassTransient, sinks.ClassConfig:
		default:
			o.Class = sinks.ClassShopUnauthorised
		}
		return "", o
	}
	var r loginResult
	if err := json.Unmarshal(a.Data, &r); err != nil {
		return "", dialect.BadAnswer("the login is not what was asked for")
	}
	token := a.Header.Get(tokenHeader)
	switch {
	case r.Login.Type != "CurrentUser":
		return "", sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: r.Login.ErrorCode, Message: r.Login.Message}
	case token == "":
		return "", sinks.Outcome{
			Class: sinks.ClassConfig, Code: "no_token",
			Message: "the shop gives no bearer token: its tokenMethod lacks 'bearer'",
		}
	case !r.mayUpdate():
		return "", sinks.Outcome{
			Class: sinks.ClassShopUnauthorised, Code: "FORBIDDEN",
			Message: "the user lacks the permission UpdateProduct or UpdateCatalog",
		}
	}
	return token, sinks.Outcome{Class: sinks.ClassOK}
}

// mayUpdate tells whether the user may change the stock of variants in some channel; that it is the right one
// the first request shows.
func (r *loginResult) mayUpdate() bool {
	for _, c := range r.Login.Channels {
		for _, one := range []string{"UpdateProduct", "UpdateCatalog", "SuperAdmin"} {
			if slices.Contains(c.Permissions, one) {
				return true
			}
		}
	}
	return false
}
