package medusa

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/rest"
)

// get asks for something and reads it into result. The outcome's class is ClassOK when all of it is there.
func (s *session) get(ctx context.Context, path string, query url.Values, result any) sinks.Outcome {
	_, o := s.call(ctx, rest.Request{URL: s.options.URL + path + "?" + query.Encode()}, result)
	return o
}

// call sends a request in the shop's name and reads its answer into result. wait is how long the shop, or what is
// before it, asks to be left alone.
func (s *session) call(ctx context.Context, r rest.Request, result any) (wait time.Duration, o sinks.Outcome) {
	header, token, o := s.authorise(ctx)
	if o.Class != sinks.ClassOK {
		return 0, o
	}
	r.Header = header
	a, err := rest.Do(ctx, s.account.HTTP, r)
	if err != nil {
		return 0, sinks.ClassifyError(err)
	}
	o = classify(a)
	switch {
	case a.Status == http.StatusUnauthorized && token != "":
		s.login.Refused(token)
		o.Class = sinks.ClassToken
	case o.Class == sinks.ClassOK && !a.Read(result):
		o = dialect.BadAnswer("the answer is not what was asked for")
	}
	if token != "" {
		o.Code, o.Message = s.login.Hide(o.Code), s.login.Hide(o.Message)
	}
	return sinks.RetryAfter(a.Header, time.Now()), o
}
