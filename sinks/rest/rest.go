// Package rest sends the requests of adapters whose shops speak JSON over HTTP, and reads their answers. What an
// answer means is the adapter's to say.
//
// The package knows no marketplace and keeps no state.
package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"stocksync/sinks"
)

// Request is one request.
type Request struct {
	Method string // GET when empty
	URL    string // with its query
	Header http.Header
	Body   any        // nil: none
	Form   url.Values // in the place of a Body; nil: none
}

// Answer is what a server said, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. An error is that there was no answer.
func Do(ctx context.Context, h *sinks.HTTP, r Request) (*Answer, error) {
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {"stocksync"}}
	maps.Copy(header, r.Header)
	request := sinks.Request{Method: r.Method, URL: r.URL, Header: header}
	if request.Method == "" {
		request.Method = http.MethodGet
	}
	switch {
	case r.Form != nil:
		request.Body = []byte(r.Form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	case r.Body != nil:
		body, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		request.Body = body
		header.Set("Content-Type", "application/json")
	}
	resp, err := h.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	return &Answer{Status: resp.Status, Header: resp.Header, Body: resp.Body}, nil
}

// OK tells whether the status is one of success.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Read reads the body into a value; false when it is not JSON of that form.
func (a *Answer) Read(into any) bool { return json.Unmarshal(a.Body, into) == nil }
