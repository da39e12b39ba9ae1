package lazada

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

// Refresh gets a new pair of tokens for the seller's consent, which several countries may share.
func (s *session) Refresh(ctx context.Context) sinks.Outcome {
	c, err := s.open()
	if err != nil {
		return dialect.Unreadable(err)
	}
	return c.grant.Hide(c.grant.Refresh(ctx, func(ctx context.Context, refresh string) (token.Pair, sinks.Outcome) {
		return s.pair(ctx, c, refresh)
	}))
}

// pair gets a pair for a refresh token.
func (s *session) pair(ctx context.Context, c consent, refresh string) (token.Pair, sinks.Outcome) {
	now := time.Now()
	var data struct { // beside the code, not in data
		Access       string `json:"access_token"`
		Life         text   `json:"expires_in"` // seconds
		Refresh      string `json:"refresh_token"`
		RefreshLives text   `json:"refresh_expires_in"` // of the consent: a refresh does not move it
	}
	a, o := s.send(ctx, c, request{
		method: http.MethodPost, base: s.options.AuthURL, path: "/auth/token/refresh",
		params: url.Values{"refresh_token": {refresh}},
	})
	if o.Class != sinks.ClassOK {
		return token.Pair{}, refused(o)
	}
	if json.Unmarshal(a.body, &data) != nil {
		return token.Pair{}, dialect.BadAnswer("the answer has no tokens")
	}
	p := token.Pair{Access: data.Access, Refresh: data.Refresh}
	if n := data.Life.int(); n > 0 {
		p.AccessUntil = now.Add(time.Duration(n) * time.Second).UTC()
	}
	if n := data.RefreshLives.int(); n > 0 {
		p.RefreshUntil = now.Add(time.Duration(n) * time.Second).UTC()
	}
	return p, o
}

// refused says what it means that a refresh failed: only what the marketplace says of the consent is for the seller
// to mend.
func refused(o sinks.Outcome) sinks.Outcome {
	switch o.Class {
	case sinks.ClassThrottle, sinks.ClassTransient, sinks.ClassConfig, sinks.ClassShopUnauthorised:
	case sinks.ClassToken:
		o.Class = sinks.ClassShopUnauthorised
	default:
		o.Class = sinks.ClassTransient
	}
	return o
}
