// Package webhook sends stock to any shop that can take a signed HTTP request: the generic adapter.
//
// One request carries up to options.batch updates of one store:
//
//	POST options.url
//	webhook-id: msg_..., webhook-timestamp: Unix seconds, webhook-signature: v1,base64 [v1,base64]
//	{"type":"stock.updated","timestamp":"...","data":{"store":"s","updates":[{"sku":"A","qty":3,"revision":17}]}}
//
// and the answer says per SKU what became of it, with the outcomes of sinks.Class:
//
//	{"results":[{"sku":"A","outcome":"ok","message":""}]}
//
// Quantities are absolute. A receiver keeps the highest revision it took of a SKU and ignores a lower
// one, so a late request spoils nothing. There is no catalogue: every SKU is a pair.
//
// The package knows nothing of Kafka and keeps no state between requests.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"stocksync/sinks"
	"stocksync/topics"
)

const (
	defaultBatch    = 100
	mostBatch       = 1000
	defaultInFlight = 4
	mostInFlight    = 32
)

// Adapter opens webhook stores.
type Adapter struct{}

// Options are the adapter's part of a store record.
type Options struct {
	URL      string  `json:"url"`
	Batch    int     `json:"batch"`     // updates in one request, 1 to 1000; default 100
	InFlight int     `json:"in_flight"` // requests at a time, 1 to 32; default 4
	Rate     float64 `json:"rate"`      // requests per second; default no limit
}

// Marketplace returns "webhook".
func (Adapter) Marketplace() string { return "webhook" }

// Listed returns false: there is no catalogue, every SKU is a pair.
func (Adapter) Listed() bool { return false }

// Open checks URL and limits.
func (Adapter) Open(a sinks.Account) (sinks.Session, error) {
	o := Options{Batch: defaultBatch, InFlight: defaultInFlight}
	if len(a.Options) > 0 {
		if err := json.Unmarshal(a.Options, &o); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
	}
	if _, err := a.HTTP.CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("options.url: %w", err)
	}
	switch {
	case o.Batch < 1 || o.Batch > mostBatch:
		return nil, fmt.Errorf("options.batch is %d, want 1 to %d", o.Batch, mostBatch)
	case o.InFlight < 1 || o.InFlight > mostInFlight:
		return nil, fmt.Errorf("options.in_flight is %d, want 1 to %d", o.InFlight, mostInFlight)
	case o.Rate < 0:
		return nil, fmt.Errorf("options.rate is %v, want 0 or more", o.Rate)
	}
	s := &session{account: a, options: o}
	if _, err := s.signer(); err != nil {
		return nil, err
	}
	return s, nil
}

// session is one store.
type session struct {
	account sinks.Account
	options Options
}

// Traits returns the limits that the store's options set.
func (s *session) Traits() sinks.Traits {
	t := sinks.Traits{Batch: s.options.Batch, InFlight: s.options.InFlight}
	if s.options.Rate > 0 {
		t.Rate = sinks.Rate{PerSecond: s.options.Rate, Burst: 1}
	}
	return t
}

// Group returns the empty key: any updates of a store share a request.
func (s *session) Group(*sinks.Update) string { return "" }

// message is the body of a request.
type message struct {
	Type      string      `json:"type"`
	Timestamp topics.Time `json:"timestamp"`
	Data      data        `json:"data"`
}

type data struct {
	Store   string   `json:"store"`
	Updates []update `json:"updates"`
}

type update struct {
	SKU      string          `json:"sku"`
	Qty      topics.Quantity `json:"qty"`
	Revision int64           `json:"revision"`
}

// answer is the body of a response.
type answer struct {
	Results []struct {
		SKU     string `json:"sku"`
		Outcome string `json:"outcome"`
		Message string `json:"message"`
	} `json:"results"`
}

// Push sends one signed request.
func (s *session) Push(ctx context.Context, updates []sinks.Update) sinks.Reply {
	signer, err := s.signer()
	if err != nil {
		return whole(sinks.Outcome{Class: sinks.ClassConfig, Code: sinks.CodeCredentials, Message: err.Error()})
	}
	now := time.Now()
	body, err := json.Marshal(bodyOf(s.account.Store, now, updates))
	if err != nil {
		return whole(sinks.Outcome{Class: sinks.ClassQuantity, Code: "encode", Message: err.Error()})
	}
	id := messageID()
	header := signer.header(id, now, body)
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "stocksync")
	resp, err := s.account.HTTP.Do(ctx, sinks.Request{
		Method: http.MethodPost, URL: s.options.URL, Header: header, Body: body,
	})
	if err != nil {
		r := whole(sinks.ClassifyError(err))
		r.RequestID = id
		return r
	}
	r := read(resp, updates)
	r.RequestID = id
	r.RetryAfter = sinks.RetryAfter(resp.Header, now)
	return r
}

func bodyOf(store string, now time.Time, updates []sinks.Update) message {
	m := message{Type: "stock.updated", Timestamp: topics.TimeOf(now), Data: data{Store: store}}
	m.Data.Updates = make([]update, len(updates))
	for i, u := range updates {
		m.Data.Updates[i] = update{SKU: u.SKU, Qty: u.Qty, Revision: u.Revision}
	}
	return m
}

func whole(o sinks.Outcome) sinks.Reply { return sinks.Reply{Whole: o} }

// read classifies an answer. A status of success says nothing of the updates: the results do.
func read(resp *sinks.Response, updates []sinks.Update) sinks.Reply {
	o := sinks.ClassifyStatus(resp.Status)
	if o.Class != sinks.ClassOK {
		return whole(o)
	}
	var a answer
	if err := json.Unmarshal(resp.Body, &a); err != nil {
		return whole(sinks.Outcome{
			Class: sinks.ClassTransient, Code: "bad_answer", Message: "the answer is not JSON with results",
		})
	}
	said := make(map[string]sinks.Outcome, len(a.Results))
	for _, r := range a.Results {
		o := outcome(r.Outcome, r.Message)
		if before, twice := said[r.SKU]; twice && before.Class != o.Class {
			o = sinks.Outcome{Class: sinks.ClassTransient, Code: "bad_answer", Message: "the answer says two things of one sku"}
		}
		said[r.SKU] = o
	}
	items := make([]sinks.Outcome, len(updates))
	for i, u := range updates {
		items[i] = said[u.SKU] // a zero Outcome when nothing was said, which the reconciler takes as transient
	}
	return sinks.Reply{Whole: o, Items: items}
}

// outcome reads one result.
func outcome(name, message string) sinks.Outcome {
	class, err := sinks.ParseClass(name)
	if err != nil {
		return sinks.Outcome{Class: sinks.ClassTransient, Code: "bad_outcome", Message: err.Error()}
	}
	return sinks.Outcome{Class: class, Code: name, Message: message}
}

func (s *session) signer() (*signer, error) {
	c, err := s.account.Credentials()
	if err != nil {
		return nil, err
	}
	if c.Get("secret") == "" {
		return nil, errors.New("credentials_ref names no secret")
	}
	return newSigner(c.Get("secret"), c.Get("secret_next"))
}
