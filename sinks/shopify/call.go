package shopify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/graphql"
)

// cost is what an answer says of points.
type cost struct {
	Requested float64 `json:"requestedQueryCost"`
	Status    struct {
		Maximum   float64 `json:"maximumAvailable"`
		Available float64 `json:"currentlyAvailable"`
		Restore   float64 `json:"restoreRate"`
	} `json:"throttleStatus"`
}

// bucket returns it as the limiter wants it.
func (c *cost) bucket() sinks.Bucket {
	return sinks.Bucket{
		Cost: c.Requested, Available: c.Status.Available, Maximum: c.Status.Maximum, Restore: c.Status.Restore,
	}
}

// wait is how long until the bucket holds what the request costs.
func (c *cost) wait() time.Duration {
	missing := c.Requested - c.Status.Available
	if missing <= 0 || c.Status.Restore <= 0 {
		return 0
	}
	return min(time.Duration(missing/c.Status.Restore*float64(time.Second)), waitMost)
}

// waitMost bounds what is believed of an answer: no bucket takes longer to fill.
const waitMost = time.Minute

// said is what an answer says beside the data.
type said struct {
	bucket    sinks.Bucket
	wait      time.Duration // to be left alone
	requestID string
}

// call sends a request in the shop's name and reads what it is asked for into result. The outcome's class is ClassOK
// when all of it is there.
func (s *session) call(ctx context.Context, document string, variables, result any) (said, sinks.Outcome) {
	c, err := s.account.Credentials()
	if err != nil {
		return said{}, dialect.Unreadable(err)
	}
	token, o := s.auth.use(ctx, c)
	if o.Class != sinks.ClassOK {
		return said{}, s.auth.hide(o)
	}
	a, err := graphql.Do(ctx, s.account.HTTP, graphql.Request{
		URL: s.options.URL + "/admin/api/" + s.options.Version + "/graphql.json", Query: document, Variables: variables,
		Header: http.Header{"X-Shopify-Access-Token": {token}},
	})
	switch {
	case errors.Is(err, graphql.ErrNotAnswer):
		return said{}, dialect.BadAnswer("the answer is not one of GraphQL")
	case err != nil:
		return said{}, sinks.ClassifyError(err)
	}
	told, o := s.judge(a)
	switch {
	case a.Status == http.StatusUnauthorized:
		o.Class = s.auth.refused(token)
	case o.Class == sinks.ClassOK && json.Unmarshal(a.Data, result) != nil:
		o = dialect.BadAnswer("the answer is not what was asked for")
	}
	return told, s.auth.hide(o)
}

// judge takes an answer apart.
func (s *session) judge(a *graphql.Answer) (said, sinks.Outcome) {
	told := said{requestID: a.Header.Get("X-Request-Id"), wait: sinks.RetryAfter(a.Header, time.Now())}
	var extensions struct {
		Cost *cost `json:"cost"`
	}
	o := classify(a)
	if json.Unmarshal(a.Extensions, &extensions) == nil && extensions.Cost != nil {
		told.bucket = extensions.Cost.bucket()
		if o.Class == sinks.ClassThrottle {
			told.wait = max(told.wait, extensions.Cost.wait())
		}
	}
	return told, o
}

// query is call for what is not a push: what the answer says of points is passed on.
func (s *session) query(ctx context.Context, document string, variables, result any) sinks.Outcome {
	told, o := s.call(ctx, document, variables, result)
	s.account.Told(told.bucket)
	return o
}
