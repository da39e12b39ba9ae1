// Package graphql sends the requests of adapters whose shops speak GraphQL, and reads their answers. What an
// answer means is the adapter's to say: a server of this kind says nearly everything with status 200.
//
// The package knows no marketplace and keeps no state.
package graphql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"stocksync/sinks"
)

// ErrNotAnswer reports a status of success with something else than an answer behind it, such as a page.
var ErrNotAnswer = errors.New("the answer is not one of GraphQL")

// Request is one operation.
type Request struct {
	URL       string
	Header    http.Header // beside those of JSON
	Query     string
	Variables any // nil: none
}

// Answer is what a server said, whatever its status.
type Answer struct {
	Status     int
	Header     http.Header
	Data       json.RawMessage // nil when there is none, or null
	Errors     []Error
	Extensions json.RawMessage
}

// Error is one of the errors of an answer.
type Error struct {
	Message string
	Code    string // extensions.code; empty when there is none
}

// Do sends a request. An error is that there was no answer, or ErrNotAnswer; an answer with a status of failure
// is none, whatever its body.
func Do(ctx context.Context, h *sinks.HTTP, r Request) (*Answer, error) {
	body, err := json.Marshal(struct {
		Query     string `json:"query"`
		Variables any    `json:"variables,omitempty"`
	}{r.Query, r.Variables})
	if err != nil {
		return nil, fmt.Errorf("encode variables: %w", err)
	}
	const kind = "application/json"
	header := http.Header{"Content-Type": {kind}, "Accept": {kind}, "User-Agent": {"stocksync"}}
	maps.Copy(header, r.Header)
	resp, err := h.Do(ctx, sinks.Request{Method: http.MethodPost, URL: r.URL, Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: resp.Status, Header: resp.Header}
	if !a.read(resp.Body) && resp.Status >= 200 && resp.Status < 300 {
		return nil, ErrNotAnswer
	}
	return a, nil
}

// read takes an answer apart; false when the body is none.
func (a *Answer) read(body []byte) bool {
	var w struct {
		Data       json.RawMessage `json:"data"`
		Errors     json.RawMessage `json:"errors"`
		Extensions json.RawMessage `json:"extensions"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return false
	}
	if string(w.Data) != "null" {
		a.Data = w.Data
	}
	a.Errors, a.Extensions = readErrors(w.Errors), w.Extensions
	return a.Data != nil || len(a.Errors) > 0
}

// readErrors reads a list of errors; some gateways say one as a mere text.
func readErrors(raw json.RawMessage) []Error {
	var list []struct {
		Message    string `json:"message"`
		Extensions struct {
			Code string `json:"code"`
		} `json:"extensions"`
	}
	if json.Unmarshal(raw, &list) == nil {
		all := make([]Error, len(list))
		for i, e := range list {
			all[i] = Error{Message: e.Message, Code: e.Extensions.Code}
		}
		return all
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return []Error{{Message: text}}
	}
	return nil
}
