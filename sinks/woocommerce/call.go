package woocommerce

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/rest"
)

// apiPath leads from a site to the API. Sites without pretty permalinks don't have it: they answer 404.
const apiPath = "/wp-json/wc/v3"

// call sends a request in the shop's name and reads its answer into result. Without an answer a is nil.
func (s *session) call(ctx context.Context, method, path string, query url.Values, body, result any,
) (a *rest.Answer, o sinks.Outcome) {
	k, err := s.keys()
	if err != nil {
		return nil, dialect.Unreadable(err)
	}
	address, header := s.options.URL+apiPath+path, http.Header{}
	if query == nil {
		query = url.Values{}
	}
	k.sign(s.options.Auth, method, address, query, header, time.Now())
	r := rest.Request{Method: method, URL: address, Header: header, Body: body}
	if len(query) > 0 {
		r.URL += "?" + query.Encode()
	}
	a, err = rest.Do(ctx, s.account.HTTP, r)
	if err != nil {
		return nil, sinks.ClassifyError(err)
	}
	o = classify(a)
	if o.Class == sinks.ClassOK && !a.Read(result) {
		o = dialect.BadAnswer("the answer is not what was asked for")
	}
	return a, o
}
