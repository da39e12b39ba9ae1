package shopify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"stocksync/testenv/twin"
	"stocksync/testenv/twin/graphql"
)

// dialect answers for a shop.
type dialect struct{ shop *Shop }

const pathOAuth = "/admin/oauth/access_token"

// isAPI tells whether a path is that of the API from 2026-04 on.
func isAPI(path string) bool {
	m := regexp.MustCompile(`^/admin/api/(20\d\d-\d\d)/graphql\.json$`).FindStringSubmatch(path)
	return m != nil && m[1] >= "2026-04"
}

// Operation goes by the path, and by the root field.
func (dialect) Operation(r *http.Request) twin.Op {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || r.Method != http.MethodPost:
		return twin.OpUnknown
	case r.URL.Path == pathOAuth:
		return twin.OpRefresh
	case !isAPI(r.URL.Path):
		return twin.OpUnknown
	}
	op, err := graphql.ReadBody(body)
	if err != nil {
		return twin.OpOther
	}
	has := func(name string) bool {
		return slices.ContainsFunc(op.Fields, func(f graphql.Field) bool { return f.Name == name })
	}
	switch {
	case has("inventorySetQuantities"):
		return twin.OpPush
	case has("nodes"):
		return twin.OpRead
	case has("productVariants"):
		return twin.OpList
	}
	return twin.OpOther
}

// Throttled says how many points are missing: clients work out the time from that.
func (d dialect) Throttled(x *twin.Exchange) twin.Answer {
	if x.Op == twin.OpRefresh {
		return twin.Answer{Status: http.StatusTooManyRequests, Header: x.RetryAfter()}
	}
	cost := 10.0
	if seconds, err := strconv.ParseFloat(x.RetryAfter().Get("Retry-After"), 64); err == nil {
		cost = seconds * d.shop.cfg.Restore
	}
	return d.throttled(cost, 0)
}

func (d dialect) throttled(cost, left float64) twin.Answer {
	return twin.JSON(http.StatusOK, map[string]any{
		"errors":     []any{problem("THROTTLED", "Throttled")},
		"extensions": d.shop.extensions(cost, left),
	})
}

// problem is an error of a request.
func problem(code, message string) map[string]any {
	p := map[string]any{"message": message}
	if code != "" {
		p["extensions"] = map[string]string{"code": code}
	}
	return p
}

// fault is an error with a code.
type fault struct{ code, message string }

func (f *fault) Error() string { return f.message }

// Serve answers a request.
func (d dialect) Serve(x *twin.Exchange) twin.Answer {
	switch {
	case x.Op == twin.OpUnknown:
		return twin.JSON(http.StatusNotFound, map[string]string{"errors": "Not Found"})
	case x.Op == twin.OpRefresh:
		return d.shop.oauth(x)
	case !d.shop.authorised(x.Request.Header):
		return twin.JSON(http.StatusUnauthorized, map[string]string{
			"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)",
		})
	}
	if r, refused := x.RefusedWhole(); refused {
		if status, err := strconv.Atoi(r.Code); err == nil {
			return twin.JSON(status, map[string]string{"errors": r.Message})
		}
		return twin.JSON(http.StatusOK, map[string]any{"errors": []any{problem(r.Code, r.Message)}})
	}
	op, err := graphql.ReadBody(x.Body)
	if err != nil {
		return twin.JSON(http.StatusOK, map[string]any{"errors": []any{problem("parseError", err.Error())}})
	}
	cost := costOf(op.Fields)
	if cost > queryMost {
		return twin.JSON(http.StatusOK, map[string]any{"errors": []any{problem("MAX_COST_EXCEEDED",
			fmt.Sprintf("Query cost is %v, which exceeds the single query max cost limit (%v).", cost, queryMost))}})
	}
	left, ok := d.shop.pay(cost, x.At)
	if !ok {
		return d.throttled(cost, left)
	}
	a := d.run(x, op, cost, left)
	a.Header = http.Header{"X-Request-Id": {fmt.Sprintf("twin-%d", x.At.UnixNano())}}
	return a
}

// run carries out an operation.
func (d dialect) run(x *twin.Exchange, op *graphql.Operation, cost, left float64) twin.Answer {
	root := graphql.Object{graphql.TypeName: "QueryRoot"}
	if op.Kind == "mutation" {
		root["inventorySetQuantities"] = func(f graphql.Field) (any, error) { return d.set(x, f) }
	} else {
		root["productVariants"] = d.variants
		root["locations"] = d.locations
		root["nodes"] = d.nodes
	}
	data, err := graphql.Project(root, op.Fields)
	if err != nil {
		f := &fault{"undefinedField", err.Error()}
		_ = errors.As(err, &f)
		return twin.JSON(http.StatusOK, map[string]any{
			"errors": []any{problem(f.code, f.message)}, "extensions": d.shop.extensions(cost, left),
		})
	}
	return twin.JSON(http.StatusOK, map[string]any{"data": data, "extensions": d.shop.extensions(cost, left)})
}
