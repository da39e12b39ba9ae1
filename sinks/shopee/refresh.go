package shopee

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

// Refresh gets a new pair of tokens for the shop.
func (s *session) Refresh(ctx context.Context) sinks.Outcome {
	return s.keys().Refresh(ctx, s.account, s.tokens, s.pair)
}

// pair gets a pair for a refresh token.
func (s *session) pair(ctx context.Context, c dialect.Consent, refresh string) (token.Pair, sinks.Outcome) {
	const path = "/api/v2/auth/access_token/get"
	now := time.Now()
	stamp := strconv.FormatInt(now.Unix(), 10)
	params := url.Values{
		"partner_id": {c.App}, "timestamp": {stamp}, "sign": {sign(c.Secret, c.App, path, stamp, "", "")},
	}
	text, err := json.Marshal(map[string]any{
		"refresh_token": refresh, "partner_id": json.Number(c.App), "shop_id": s.options.ShopID,
	})
	if err != nil {
		return token.Pair{}, dialect.BadAnswer("a refresh token that can't be encoded")
	}
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{
		Method: http.MethodPost, URL: s.options.URL + path + "?" + params.Encode(), Body: text,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"stocksync"}},
	})
	if err != nil {
		return token.Pair{}, sinks.ClassifyError(err)
	}
	if _, o := read(resp); o.Class != sinks.ClassOK {
		return token.Pair{}, dialect.Refused(o)
	}
	var data struct { // beside the error, not in a response
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Life    int64  `json:"expire_in"` // seconds
	}
	if json.Unmarshal(resp.Body, &data) != nil {
		return token.Pair{}, dialect.BadAnswer("the answer has no tokens")
	}
	p := token.Pair{Access: data.Access, Refresh: data.Refresh}
	if data.Life > 0 {
		p.AccessUntil = now.Add(time.Duration(data.Life) * time.Second).UTC()
	}
	return p, sinks.Outcome{Class: sinks.ClassOK}
}
