package shopee

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

// envelope is what every answer is.
type envelope struct {
	Error     *string         `json:"error"`
	Message   string          `json:"message"`
	RequestID string          `json:"request_id"`
	Response  json.RawMessage `json:"response"`
}

// said is what an answer tells.
type said struct {
	response   json.RawMessage
	requestID  string
	retryAfter time.Duration
	grant      *token.Grant // nil when no request was made
}

// ask sends a reading request and reads the response into result. The outcome's class is ClassOK when it is there:
// a list without a response is not an empty one.
func (s *session) ask(ctx context.Context, path string, query url.Values, result any) sinks.Outcome {
	a, o := s.call(ctx, http.MethodGet, path, query, nil)
	if o.Class == sinks.ClassOK && (!isObject(a.response) || json.Unmarshal(a.response, result) != nil) {
		return dialect.BadAnswer("the answer has no response")
	}
	return o
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(raw, []byte("{")) }

// call sends a signed request in the shop's name; body is nil for none.
func (s *session) call(ctx context.Context, method, path string, query url.Values, body any) (said, sinks.Outcome) {
	c, access, o := s.keys().Use(s.account, s.tokens)
	if o.Class != sinks.ClassOK {
		return said{}, o
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	shop := s.options.ShopID.String()
	params := url.Values{
		"partner_id": {c.App}, "timestamp": {stamp}, "access_token": {access}, "shop_id": {shop},
		"sign": {sign(c.Secret, c.App, path, stamp, access, shop)},
	}
	maps.Copy(params, query)
	e, header, o := s.send(ctx, method, path, params, body)
	if o.Class == sinks.ClassToken {
		c.Grant.Refused(access)
	}
	now := time.Now()
	wait := sinks.RetryAfter(header, now)
	if o.Class == sinks.ClassThrottle && o.Code == quotaSpent {
		wait = max(wait, untilQuota(now))
	}
	return said{e.Response, e.RequestID, wait, c.Grant}, c.Grant.Hide(o)
}

// send sends a request and classifies its answer.
func (s *session) send(
	ctx context.Context, method, path string, params url.Values, body any,
) (envelope, http.Header, sinks.Outcome) {
	var text []byte
	header := http.Header{"User-Agent": {"stocksync"}}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return envelope{}, nil, sinks.Outcome{Class: sinks.ClassQuantity, Code: "encode", Message: err.Error()}
		}
		header.Set("Content-Type", "application/json")
	}
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{
		Method: method, URL: s.options.URL + path + "?" + params.Encode(), Header: header, Body: text,
	})
	if err != nil {
		return envelope{}, nil, sinks.ClassifyError(err)
	}
	e, o := read(resp)
	return e, resp.Header, o
}

// read classifies an answer by its error, and one that has no such field by its status.
func read(resp *sinks.Response) (envelope, sinks.Outcome) {
	var e envelope
	if json.Unmarshal(resp.Body, &e) != nil || e.Error == nil {
		if resp.Status >= 200 && resp.Status < 300 {
			return e, dialect.BadAnswer("the answer does not say whether there is an error")
		}
		return e, dialect.Gateway(resp.Status)
	}
	switch {
	case resp.Status == http.StatusTooManyRequests:
		return e, sinks.Outcome{Class: sinks.ClassThrottle, Code: *e.Error, Message: e.Message}
	case *e.Error != "":
		return e, classify(*e.Error, e.Message)
	case resp.Status < 200 || resp.Status >= 300:
		return e, dialect.Gateway(resp.Status)
	}
	return e, sinks.Outcome{Class: sinks.ClassOK}
}

// sign returns the signature of a request. Neither its body nor its other parameters are signed. Requests that are
// of no shop have neither access token nor id.
func sign(partnerKey, partnerID, path, stamp, access, id string) string {
	return dialect.HMAC(partnerKey, partnerID+path+stamp+access+id)
}

// untilQuota is how long it is until the application's requests of a day are counted anew: at midnight in
// Singapore, which knows no summer time.
func untilQuota(now time.Time) time.Duration {
	const zone = 8 * time.Hour
	return now.Add(zone).Truncate(24 * time.Hour).Add(24*time.Hour - zone).Sub(now)
}
