package graphql_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/graphql"
)

// ask sends one request to a server that answers so.
func ask(t *testing.T, status int, answer string, variables any) (a *graphql.Answer, seen string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		seen = fmt.Sprint(r.Method, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("X-Own"), " ", string(body))
		w.Header().Set("X-Token", "t")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	h := sinks.NewHTTP(true)
	defer h.Close()
	a, err = graphql.Do(t.Context(), h, graphql.Request{
		URL: server.URL, Header: http.Header{"X-Own": {"1"}}, Query: `{ a(b: "c") }`, Variables: variables,
	})
	return a, seen, err
}

func TestDo_SendsADocumentWithItsVariables(t *testing.T) {
	for want, variables := range map[string]any{
		`POST application/json 1 {"query":"{ a(b: \"c\") }"}`:                     nil,
		`POST application/json 1 {"query":"{ a(b: \"c\") }","variables":{"x":1}}`: map[string]int{"x": 1},
	} {
		if _, got, err := ask(t, 200, `{"data":{}}`, variables); err != nil || got != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	if _, seen, err := ask(t, 200, `{"data":{}}`, map[string]any{"x": make(chan int)}); err == nil || seen != "" {
		t.Errorf("variables that are none: got %v and a request %q, want an error and none", err, seen)
	}
}

func TestDo_TakesAnswersApart(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"data":              {200, `{"data":{"a":1},"extensions":{"cost":2}}`, `200 {"a":1} [] {"cost":2}`},
		"an error":          {200, `{"errors":[{"message":"no","path":["a",0],"extensions":{"code":"X"}}],"data":null}`, `200  [{no X}] `},
		"both":              {200, `{"errors":[{"message":"no"}],"data":{"a":null}}`, `200 {"a":null} [{no }] `},
		"a mere text":       {401, `{"errors":"[API] Invalid API key"}`, `401  [{[API] Invalid API key }] `},
		"a failing page":    {503, `<html>`, `503  [] `},
		"an odd code":       {400, `{"errors":[{"message":"no","extensions":{"code":7}}]}`, `400  [] `},
		"errors are no one": {200, `{"data":{"a":1},"errors":{}}`, `200 {"a":1} [] `},
		"a page":            {200, `<html>`, "the answer is not one of GraphQL"},
		"nothing":           {200, ``, "the answer is not one of GraphQL"},
		"null":              {200, `{"data":null}`, "the answer is not one of GraphQL"},
		"a list":            {200, `[]`, "the answer is not one of GraphQL"},
		"something else":    {200, `{"products":[]}`, "the answer is not one of GraphQL"},
	} {
		a, _, err := ask(t, tc.status, tc.answer, nil)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(a.Status, " ", string(a.Data), " ", a.Errors, " ", string(a.Extensions))
			if a.Header.Get("X-Token") != "t" {
				t.Errorf("%s: the header is not there", name)
			}
		} else if !errors.Is(err, graphql.ErrNotAnswer) {
			t.Errorf("%s: got %v, want ErrNotAnswer", name, err)
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}
