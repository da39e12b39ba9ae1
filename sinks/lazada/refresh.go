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
	return s.keys().Refresh(ctx, s.account, s.tokens, s.pair)
}

// pair gets a pair for a refresh token.
func (s *session) pair(ctx context.Context, c dialect.Consent, refresh string) (token.Pair, sinks.Outcome) {
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
		return token.Pair{}, dialect.Refused(o)
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
