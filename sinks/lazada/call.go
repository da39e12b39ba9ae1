package lazada

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
	Code      text            `json:"code"`
	Message   string          `json:"message"`
	RequestID string          `json:"request_id"`
	Data      json.RawMessage `json:"data"`
	Result    json.RawMessage `json:"result"`
	Detail    json.RawMessage `json:"detail"`
}

// text is a value that is at times a text and at times a number.
type text string

// UnmarshalJSON takes a text or a number.
func (t *text) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		return json.Unmarshal(raw, (*string)(t))
	}
	var n json.Number
	err := json.Unmarshal(raw, &n)
	*t = text(n)
	return err
}

// int returns the number that it is; 0 when it is none.
func (t text) int() int64 {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// said is what an answer tells.
type said struct {
	envelope

	body       []byte
	retryAfter time.Duration
	grant      *token.Grant // nil when no request was made
}

// ask sends a reading request and reads the data of the answer into result. The outcome's class is ClassOK when it is
// there: a list without data is not an empty one.
func (s *session) ask(ctx context.Context, path string, params url.Values, result any) sinks.Outcome {
	a, o := s.call(ctx, http.MethodGet, path, params)
	data := a.Data
	if len(a.Result) > 0 {
		data = a.Result
	}
	if o.Class == sinks.ClassOK && (!bytes.HasPrefix(data, []byte("{")) || json.Unmarshal(data, result) != nil) {
		return dialect.BadAnswer("the answer has no data")
	}
	return o
}

// call sends a signed request in the shop's name.
func (s *session) call(ctx context.Context, method, path string, params url.Values) (said, sinks.Outcome) {
	c, access, o := s.keys().Use(s.account, s.tokens)
	if o.Class != sinks.ClassOK {
		return said{}, o
	}
	a, o := s.send(ctx, c, request{
		method: method, base: s.options.URL, path: path, system: url.Values{"access_token": {access}}, params: params,
	})
	if o.Class == sinks.ClassToken {
		c.Grant.Refused(access)
	}
	a.grant = c.Grant
	return a, c.Grant.Hide(o)
}

// request is one request before it is signed.
type request struct {
	method, base, path string
	system             url.Values // beside those that every request has
	params             url.Values // of the call
}

// send signs a request, sends it and classifies its answer. The system's parameters go into the query, those of the
// call too when it reads, and else into the body; the signature is of all.
func (s *session) send(ctx context.Context, c dialect.Consent, q request) (said, sinks.Outcome) {
	query := url.Values{
		"app_key": {c.App}, "sign_method": {"sha256"}, "timestamp": {strconv.FormatInt(time.Now().UnixMilli(), 10)},
	}
	maps.Copy(query, q.system)
	all := maps.Clone(query)
	maps.Copy(all, q.params)
	query.Set("sign", sign(c.Secret, q.path, all))
	r := sinks.Request{Method: q.method, Header: http.Header{"User-Agent": {"stocksync"}}}
	if q.method == http.MethodGet {
		maps.Copy(query, q.params)
	} else {
		r.Body = []byte(q.params.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	}
	r.URL = q.base + q.path + "?" + query.Encode()
	resp, err := s.account.HTTP.Do(ctx, r)
	if err != nil {
		return said{}, sinks.ClassifyError(err)
	}
	e, o := s.read(resp)
	wait := sinks.RetryAfter(resp.Header, time.Now())
	if o.Class == sinks.ClassThrottle {
		wait = max(wait, banOf(o.Message))
	}
	return said{envelope: e, body: resp.Body, retryAfter: wait}, o
}

// read classifies an answer by its code, and one without a code by its status.
func (s *session) read(resp *sinks.Response) (envelope, sinks.Outcome) {
	var e envelope
	if json.Unmarshal(resp.Body, &e) != nil || e.Code == "" {
		if resp.Status >= 200 && resp.Status < 300 {
			return e, dialect.BadAnswer("the answer has no code")
		}
		return e, dialect.Gateway(resp.Status)
	}
	switch {
	case resp.Status == http.StatusTooManyRequests:
		return e, sinks.Outcome{Class: sinks.ClassThrottle, Code: string(e.Code), Message: e.Message}
	case e.Code != "0":
		return e, s.classify(string(e.Code), e.Message)
	case resp.Status < 200 || resp.Status >= 300:
		return e, dialect.Gateway(resp.Status)
	}
	return e, sinks.Outcome{Class: sinks.ClassOK}
}

// sign returns the signature of a request: of its path, which begins behind the base, and its parameters in order.
// Those without a name or a value are no part of it.
func sign(secret, path string, params url.Values) string {
	var b strings.Builder
	b.WriteString(path)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if value := params.Get(name); name != "" && value != "" && name != "sign" {
			b.WriteString(name)
			b.WriteString(value)
		}
	}
	return strings.ToUpper(dialect.HMAC(secret, b.String()))
}
