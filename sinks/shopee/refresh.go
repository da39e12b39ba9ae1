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
	const path = "/api/v2/auth/access_token/get"
	now := time.Now()
	stamp := strconv.FormatInt(now.Unix(), 10)
	params := url.Values{
		"partner_id": {c.partnerID}, "timestamp": {stamp}, "sign": {sign(c.partnerKey, c.partnerID, path, stamp, "", "")},
	}
	text, err := json.Marshal(map[string]any{
		"refresh_token": refresh, "partner_id": json.Number(c.partnerID), "shop_id": s.options.ShopID,
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
		return token.Pair{}, refused(o)
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

// refused says what it means that a refresh failed: only what the marketplace says of the consent is for the
// seller to mend.
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
