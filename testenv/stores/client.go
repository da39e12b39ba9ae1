package stores

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"
)

// answerMost is more than any answer of a shop here.
const answerMost = 16 << 20

// client speaks JSON with a shop, without any part of ours.
type client struct {
	base   string
	header http.Header
	http   *http.Client
}

// newClient returns a client with a jar of its own, as a buyer's browser has.
func newClient(base string) *client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &client{base: base, header: http.Header{}, http: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// call sends a body, nil for none, and reads the answer into result, nil for nothing of it. A status of failure is an
// error with the answer in it.
func (c *client) call(ctx context.Context, method, path string, body, result any) (http.Header, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMost))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %d: %.500s", method, path, resp.StatusCode, text)
	}
	if result == nil {
		return resp.Header, nil
	}
	if err := json.Unmarshal(text, result); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %.500s", method, path, err, text)
	}
	return resp.Header, nil
}

// query asks a GraphQL API. An error of its own is an error, and so is a result with an errorCode in it.
func (c *client) query(ctx context.Context, path, document string, variables map[string]any, result any,
) (http.Header, error) {
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	header, err := c.call(ctx, http.MethodPost, path, map[string]any{"query": document, "variables": variables}, &answer)
	switch {
	case err != nil:
		return nil, err
	case len(answer.Errors) > 0:
		return nil, fmt.Errorf("%.60s: %s", document, answer.Errors[0].Message)
	case strings.Contains(string(answer.Data), `"errorCode"`):
		return nil, fmt.Errorf("%.60s: %s", document, answer.Data)
	}
	if result == nil {
		return header, nil
	}
	if err := json.Unmarshal(answer.Data, result); err != nil {
		return nil, fmt.Errorf("%.60s: %w: %.500s", document, err, answer.Data)
	}
	return header, nil
}
