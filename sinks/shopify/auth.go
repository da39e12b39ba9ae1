package shopify

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/rest"
	"stocksync/sinks/signin"
	"stocksync/sinks/token"
)

// The names of the credentials.
const (
	accessToken  = "access_token"
	refreshToken = "refresh_token"
	clientID     = "client_id"
	clientSecret = "client_secret"
)

// auth is where a shop's access token comes from.
type auth interface {
	// use returns the token to send; the outcome's class is ClassOK when there is one.
	use(context.Context, sinks.Credentials) (string, sinks.Outcome)
	// refused notes that the shop refused a token, and returns what that means.
	refused(token string) sinks.Class
	// refresh replaces a token that was refused.
	refresh(context.Context, sinks.Credentials) sinks.Outcome
	// hide puts stars in the place of tokens.
	hide(sinks.Outcome) sinks.Outcome
}

// withAuth returns the session with the kind of token that its credentials are for.
func (s *session) withAuth(safe *token.Safe) (sinks.Session, error) {
	c, err := s.account.Credentials()
	if err != nil {
		return nil, err
	}
	app := c.Get(clientID) != "" && c.Get(clientSecret) != ""
	switch {
	case c.Get(refreshToken) != "" && app:
		grant, err := safe.Grant(token.Seed{
			Marketplace: "shopify", App: c.Get(clientID), Scope: s.options.Shop,
			Pair: token.Pair{Access: c.Get(accessToken), Refresh: c.Get(refreshToken)},
		})
		if err != nil {
			return nil, err
		}
		s.auth = granted{s, grant}
	case c.Get(accessToken) != "" && c.Get(refreshToken) == "":
		s.auth = lasting{}
		return s, nil
	case app && c.Get(accessToken) == "" && c.Get(refreshToken) == "":
		s.auth = signed{signin.New(s.signIn, clientID, clientSecret)}
	default:
		return nil, errors.New("credentials_ref names neither access_token, nor client_id and client_secret, nor " +
			"these and refresh_token")
	}
	return refreshing{s}, nil
}

// refreshing is a session whose token expires.
type refreshing struct{ *session }

// Refresh gets a new token.
func (s refreshing) Refresh(ctx context.Context) sinks.Outcome {
	c, err := s.account.Credentials()
	if err != nil {
		return dialect.Unreadable(err)
	}
	return s.auth.hide(s.auth.refresh(ctx, c))
}

// lasting is a token that does not expire: a shop that refuses it has removed the app.
type lasting struct{}

func (lasting) use(_ context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	return c.Get(accessToken), sinks.Outcome{Class: sinks.ClassOK}
}

func (lasting) refused(string) sinks.Class { return sinks.ClassShopUnauthorised }

func (lasting) refresh(context.Context, sinks.Credentials) sinks.Outcome {
	return sinks.Outcome{Class: sinks.ClassShopUnauthorised, Code: "401", Message: "the access token can't be renewed"}
}

func (lasting) hide(o sinks.Outcome) sinks.Outcome { return o }

// signed is a token that is got with the app's own credentials. It lasts a day.
type signed struct{ token *signin.Token }

func (a signed) use(ctx context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	return a.token.Use(ctx, c)
}

func (a signed) refused(token string) sinks.Class {
	a.token.Refused(token)
	return sinks.ClassToken
}

func (a signed) refresh(ctx context.Context, c sinks.Credentials) sinks.Outcome {
	return a.token.Refresh(ctx, c)
}

func (a signed) hide(o sinks.Outcome) sinks.Outcome {
	o.Code, o.Message = a.token.Hide(o.Code), a.token.Hide(o.Message)
	return o
}

// granted is an offline token that lasts an hour, with a refresh token that is good for one.
type granted struct {
	s     *session
	grant *token.Grant
}

func (a granted) use(context.Context, sinks.Credentials) (string, sinks.Outcome) {
	return a.grant.Use(time.Now())
}

func (a granted) refused(token string) sinks.Class {
	a.grant.Refused(token)
	return sinks.ClassToken
}

func (a granted) refresh(ctx context.Context, c sinks.Credentials) sinks.Outcome {
	return a.grant.Refresh(ctx, func(ctx context.Context, refresh string) (token.Pair, sinks.Outcome) {
		given, o := a.s.ask(ctx, url.Values{
			clientID: {c.Get(clientID)}, clientSecret: {c.Get(clientSecret)},
			"grant_type": {"refresh_token"}, refreshToken: {refresh},
		})
		return given.pair(time.Now()), o
	})
}

func (a granted) hide(o sinks.Outcome) sinks.Outcome { return a.grant.Hide(o) }

// signIn gets a token with the app's own credentials.
func (s *session) signIn(ctx context.Context, c sinks.Credentials) (string, sinks.Outcome) {
	given, o := s.ask(ctx, url.Values{
		clientID: {c.Get(clientID)}, clientSecret: {c.Get(clientSecret)}, "grant_type": {"client_credentials"},
	})
	return given.Access, o
}

// given is what the shop gives at its token endpoint, or why not.
type given struct {
	Access         string `json:"access_token"`
	Seconds        int64  `json:"expires_in"`
	Refresh        string `json:"refresh_token"`
	RefreshSeconds int64  `json:"refresh_token_expires_in"`
	Error          string `json:"error"`
	Description    string `json:"error_description"`
}

func (g *given) pair(now time.Time) token.Pair {
	until := func(seconds int64) time.Time {
		if seconds <= 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(seconds) * time.Second)
	}
	return token.Pair{
		Access: g.Access, AccessUntil: until(g.Seconds), Refresh: g.Refresh, RefreshUntil: until(g.RefreshSeconds),
	}
}

// ask asks the token endpoint. What its errors mean is OAuth's (RFC 6749): a client that is not known is a fault of
// ours, all else that is refused asks for the seller's consent. The documentation lists no codes of its own.
func (s *session) ask(ctx context.Context, form url.Values) (given, sinks.Outcome) {
	a, err := rest.Do(ctx, s.account.HTTP, rest.Request{
		Method: http.MethodPost, URL: s.options.URL + "/admin/oauth/access_token", Form: form,
	})
	if err != nil {
		return given{}, sinks.ClassifyError(err)
	}
	var g given
	read := a.Read(&g)
	o := ofStatus(a.Status)
	switch {
	case a.OK() && read && g.Access != "":
		return g, o
	case a.OK():
		return given{}, dialect.BadAnswer("the answer has no access token")
	case o.Class == sinks.ClassThrottle || o.Class == sinks.ClassTransient:
		return given{}, o
	}
	o.Class = sinks.ClassShopUnauthorised
	if read && g.Error != "" {
		o.Code, o.Message = g.Error, g.Description
	}
	switch o.Code {
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "404":
		o.Class = sinks.ClassConfig
	}
	return given{}, o
}
