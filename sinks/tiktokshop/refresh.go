package tiktokshop

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

// Refresh gets a new pair of tokens for the seller's consent, which several shops may share.
func (s *session) Refresh(ctx context.Context) sinks.Outcome {
	return s.keys().Refresh(ctx, s.account, s.tokens, s.pair)
}

// pair gets a pair for a refresh token. The request is not signed: the secret is in its query, which no error
// names.
func (s *session) pair(ctx context.Context, c dialect.Consent, refresh string) (token.Pair, sinks.Outcome) {
	query := url.Values{
		"app_key": {c.App}, "app_secret": {c.Secret}, "refresh_token": {refresh}, "grant_type": {"refresh_token"},
	}
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{
		Method: http.MethodGet, URL: s.options.AuthURL + "/api/v2/token/refresh?" + query.Encode(),
		Header: http.Header{"User-Agent": {"stocksync"}},
	})
	if err != nil {
		return token.Pair{}, sinks.ClassifyError(err)
	}
	e, o := read(resp)
	if o.Class != sinks.ClassOK {
		return token.Pair{}, refused(o)
	}
	var data struct {
		Access       string `json:"access_token"`
		AccessUntil  int64  `json:"access_token_expire_in"` // both are moments, whatever their names say
		Refresh      string `json:"refresh_token"`
		RefreshUntil int64  `json:"refresh_token_expire_in"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return token.Pair{}, dialect.BadAnswer("the answer has no tokens")
	}
	return token.Pair{
		Access: data.Access, AccessUntil: moment(data.AccessUntil),
		Refresh: data.Refresh, RefreshUntil: moment(data.RefreshUntil),
	}, o
}

// moment is a Unix time; none when there is none.
func moment(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// refused says what it means that a refresh failed.
func refused(o sinks.Outcome) sinks.Outcome {
	if _, err := strconv.Atoi(o.Code); err != nil || o.Class == sinks.ClassThrottle {
		return o // not said by the marketplace, or said of every request
	}
	if class, ok := refusals().Class(o.Code, o.Message); ok {
		o.Class = class
	} else if o.Class != sinks.ClassConfig {
		o.Class = sinks.ClassTransient
	}
	return o
}
