package tiktokshop

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/token"
)

// envelope is what every answer is.
type envelope struct {
	Code      *int64          `json:"code"`
	Message   string          `json:"message"`
	RequestID string          `json:"request_id"`
	Data      json.RawMessage `json:"data"`
}

// said is what an answer tells.
type said struct {
	data       json.RawMessage
	requestID  string
	retryAfter time.Duration
	grant      *token.Grant // nil when no request was made
}

// ask sends a request and reads the data of the answer into result. The outcome's class is ClassOK when it is
// there: a search without data is not one that found nothing.
func (s *session) ask(ctx context.Context, path string, query url.Values, body, result any) sinks.Outcome {
	a, o := s.call(ctx, path, query, body)
	if o.Class == sinks.ClassOK && (!bytes.HasPrefix(a.data, []byte("{")) || json.Unmarshal(a.data, result) != nil) {
		return dialect.BadAnswer("the answer has no data")
	}
	return o
}

// call sends a signed request in the shop's name.
func (s *session) call(ctx context.Context, path string, query url.Values, body any) (said, sinks.Outcome) {
	c, access, o := s.keys().Use(s.account, s.tokens)
	if o.Class != sinks.ClassOK {
		return said{}, o
	}
	text, err := json.Marshal(body)
	if err != nil {
		return said{}, sinks.Outcome{Class: sinks.ClassQuantity, Code: "encode", Message: err.Error()}
	}
	params := url.Values{
		"app_key": {c.App}, "shop_cipher": {s.options.ShopCipher},
		"timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
	}
	maps.Copy(params, query)
	params.Set("sign", sign(c.Secret, path, params, string(text)))
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{
		Method: http.MethodPost, URL: s.options.URL + path + "?" + params.Encode(), Body: text,
		Header: http.Header{
			"Content-Type": {"application/json"}, "X-Tts-Access-Token": {access}, "User-Agent": {"stocksync"},
		},
	})
	if err != nil {
		return said{}, c.Grant.Hide(sinks.ClassifyError(err))
	}
	e, o := read(resp)
	if o.Class == sinks.ClassToken {
		c.Grant.Refused(access)
	}
	return said{e.Data, e.RequestID, sinks.RetryAfter(resp.Header, time.Now()), c.Grant}, c.Grant.Hide(o)
}

// read classifies an answer by its code, and one without a code by its status.
func read(resp *sinks.Response) (envelope, sinks.Outcome) {
	var e envelope
	if json.Unmarshal(resp.Body, &e) != nil || e.Code == nil {
		if resp.Status >= 200 && resp.Status < 300 {
			return e, dialect.BadAnswer("the answer has no code")
		}
		return e, dialect.Gateway(resp.Status)
	}
	status := dialect.Gateway(resp.Status)
	switch {
	case resp.Status == http.StatusTooManyRequests:
		return e, sinks.Outcome{Class: sinks.ClassThrottle, Code: strconv.FormatInt(*e.Code, 10), Message: e.Message}
	case *e.Code != 0:
		return e, classify(strconv.FormatInt(*e.Code, 10), e.Message)
	case resp.Status < 200 || resp.Status >= 300:
		return e, status
	}
	return e, sinks.Outcome{Class: sinks.ClassOK}
}

// sign returns the signature of a request: of its path, its parameters in order, and its body.
func sign(secret, path string, params url.Values, body string) string {
	var b strings.Builder
	b.WriteString(secret)
	b.WriteString(path)
	names := make([]string, 0, len(params))
	for name := range params {
		if name != "sign" && name != "access_token" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name)
		b.WriteString(params.Get(name))
	}
	b.WriteString(body)
	b.WriteString(secret)
	return dialect.HMAC(secret, b.String())
}
