package vendure

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"stocksync/testenv/twin"
	"stocksync/testenv/twin/graphql"
)

// bodyMost is what the server takes of a request: Express's default.
const bodyMost = 100 << 10

// dialect answers for a shop.
type dialect struct{ shop *Shop }

// Operation goes by the root field.
func (dialect) Operation(r *http.Request) twin.Op { return Operation(r) }

// Operation says what a request to a Vendure asks for.
func Operation(r *http.Request) twin.Op {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/admin-api" {
		return twin.OpUnknown
	}
	op, err := graphql.ReadBody(body)
	if err != nil {
		return twin.OpUnknown
	}
	has := func(name string) bool {
		return slices.ContainsFunc(op.Fields, func(f graphql.Field) bool { return f.Name == name })
	}
	switch {
	case has("updateProductVariants"):
		return twin.OpPush
	case has("login"):
		return twin.OpRefresh
	case has("productVariants") && strings.Contains(string(body), `"id":{"in"`):
		return twin.OpRead
	case has("productVariants"):
		return twin.OpList
	}
	return twin.OpOther
}

// Throttled is what a proxy before the shop says: the shop itself has no limit.
func (dialect) Throttled(x *twin.Exchange) twin.Answer {
	return twin.Answer{Status: http.StatusTooManyRequests, Header: x.RetryAfter(), Body: []byte("Too Many Requests")}
}

// fault is an error with a code, as the server says it.
type fault struct{ code, message string }

func (f *fault) Error() string { return f.message }

func forbidden() error {
	return &fault{"FORBIDDEN", "You are not currently authorized to perform this action"}
}

// failed is an answer with an error in it. Those of a document that does not fit the schema have status 400.
func failed(err error) twin.Answer {
	f := &fault{"GRAPHQL_VALIDATION_FAILED", err.Error()}
	_ = errors.As(err, &f)
	extensions := map[string]any{}
	if f.code != "" {
		extensions["code"] = f.code
	}
	a := twin.JSON(http.StatusOK, map[string]any{
		"errors": []any{map[string]any{"message": f.message, "extensions": extensions}}, "data": nil,
	})
	if strings.HasPrefix(f.code, "GRAPHQL_") {
		a.Status = http.StatusBadRequest
	}
	return a
}

// Serve answers a request.
func (d dialect) Serve(x *twin.Exchange) twin.Answer {
	if len(x.Body) > bodyMost {
		return twin.JSON(http.StatusInternalServerError, map[string]any{
			"statusCode": 500, "message": "", "path": x.Request.URL.Path,
		})
	}
	op, err := graphql.ReadBody(x.Body)
	if err != nil {
		return failed(&fault{"GRAPHQL_PARSE_FAILED", err.Error()})
	}
	header := http.Header{}
	guarded := func(resolve func(graphql.Field) (any, error)) func(graphql.Field) (any, error) {
		return func(f graphql.Field) (any, error) {
			if !d.authorised(x.Request.Header) {
				return nil, forbidden()
			}
			return resolve(f)
		}
	}
	root := graphql.Object{graphql.TypeName: "Query"}
	if op.Kind == "mutation" {
		root = graphql.Object{
			graphql.TypeName:        "Mutation",
			"login":                 func(f graphql.Field) (any, error) { return d.login(x, f, header) },
			"updateProductVariants": guarded(func(f graphql.Field) (any, error) { return d.update(x, f) }),
		}
	} else {
		root["productVariants"] = guarded(d.variants)
		root["globalSettings"] = guarded(func(graphql.Field) (any, error) { return d.settings(), nil })
	}
	if r, refused := x.RefusedWhole(); refused {
		return failed(&fault{r.Code, r.Message})
	}
	data, err := graphql.Project(root, op.Fields)
	if err != nil {
		return failed(err)
	}
	a := twin.JSON(http.StatusOK, map[string]any{"data": data})
	a.Header = header
	return a
}

// authorised tells whether a request comes with a key or a session that is good.
func (d dialect) authorised(h http.Header) bool {
	if d.shop.isRevoked() {
		return false
	}
	if !d.shop.cfg.SignIn {
		return h.Get("Vendure-Api-Key") == d.shop.key
	}
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	return ok && d.shop.Check(token) == twin.TokenGood
}

// login gives a session. The token is in the header.
func (d dialect) login(x *twin.Exchange, f graphql.Field, header http.Header) (any, error) {
	wrong := f.Args["username"] != "stocksync" || f.Args["password"] != d.shop.password
	if wrong || !d.shop.cfg.SignIn || d.shop.isRevoked() {
		return graphql.Object{
			graphql.TypeName: "InvalidCredentialsError", "errorCode": "INVALID_CREDENTIALS_ERROR",
			"message": "The provided credentials are invalid",
		}, nil
	}
	header.Set("Vendure-Auth-Token", d.shop.Issue().Access)
	return graphql.Object{
		graphql.TypeName: "CurrentUser", "id": x.Echo("1"),
		"channels": []graphql.Object{{"permissions": []string{"Authenticated", "ReadProduct", "UpdateProduct"}}},
	}, nil
}
