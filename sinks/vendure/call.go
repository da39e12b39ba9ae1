package vendure

import (
	"context"
	"encoding/json"
	"errors"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/graphql"
)

// call sends a request in the shop's name and reads what it is asked for into result. The outcome's class is
// ClassOK when all of it is there; without an answer a is nil.
func (s *session) call(ctx context.Context, document string, variables, result any,
) (a *graphql.Answer, o sinks.Outcome) {
	header, token, o := s.authorise(ctx)
	if o.Class != sinks.ClassOK {
		return nil, o
	}
	a, err := graphql.Do(ctx, s.account.HTTP, graphql.Request{
		URL: s.options.URL, Header: header, Query: document, Variables: variables,
	})
	if err != nil {
		return nil, failure(err)
	}
	o = classify(a)
	switch {
	case o.Class == sinks.ClassShopUnauthorised && token != "":
		s.login.Refused(token)
		o.Class = sinks.ClassToken
	case o.Class == sinks.ClassOK && json.Unmarshal(a.Data, result) != nil:
		o = dialect.BadAnswer("the answer is not what was asked for")
	}
	if token != "" {
		o.Code, o.Message = s.login.Hide(o.Code), s.login.Hide(o.Message)
	}
	return a, o
}

// failure is the outcome of a request without an answer.
func failure(err error) sinks.Outcome {
	if errors.Is(err, graphql.ErrNotAnswer) {
		return dialect.BadAnswer("the answer is not what was asked for")
	}
	return sinks.ClassifyError(err)
}
