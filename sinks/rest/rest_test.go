package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/rest"
)

func TestDo_SendsJSONAndReturnsTheAnswerWhateverItIs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		w.Header().Set("X-Saw", fmt.Sprint(r.Method, " ", r.URL, " ", h.Get("Content-Type"), " ", h.Get("X-Own"), " ", string(body), "."))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, `{"n":1}`)
	}))
	defer server.Close()
	h := sinks.NewHTTP(true)
	defer h.Close()
	for want, r := range map[string]rest.Request{
		`GET /a?b=c  1 .`:                                    {URL: server.URL + "/a?b=c"},
		`POST /a application/json 1 {"x":[1,2]}.`:            {Method: http.MethodPost, URL: server.URL + "/a", Body: map[string][]int{"x": {1, 2}}},
		`POST /a application/x-www-form-urlencoded 1 x=1+2.`: {Method: http.MethodPost, URL: server.URL + "/a", Form: url.Values{"x": {"1 2"}}},
	} {
		r.Header = http.Header{"X-Own": {"1"}}
		a, err := rest.Do(t.Context(), h, r)
		if err != nil {
			t.Fatal(err)
		}
		var into struct{ N int }
		if got := a.Header.Get("X-Saw"); got != want || a.Status != http.StatusTeapot || a.OK() || !a.Read(&into) || into.N != 1 {
			t.Errorf("got %s, %d %s, want %s", got, a.Status, a.Body, want)
		}
	}
	if _, err := rest.Do(t.Context(), h, rest.Request{URL: server.URL, Body: make(chan int)}); err == nil {
		t.Error("a body that is none: want an error")
	}
	server.Close()
	if _, err := rest.Do(t.Context(), h, rest.Request{URL: server.URL}); err == nil {
		t.Error("nobody there: want an error")
	}
}

func TestAnswer_ReadsOnlyWhatFits(t *testing.T) {
	var into struct{ N int }
	for body, want := range map[string]bool{`{"n":2}`: true, `{}`: true, `<html>`: false, ``: false, `[]`: false, `{"n":"x"}`: false} {
		if got := (&rest.Answer{Status: 200, Body: []byte(body)}).Read(&into); got != want {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
}
