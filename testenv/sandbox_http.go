package testenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"stocksync/topics"
)

// sandboxBodyCap is what a request may weigh: far more than a hundred items.
const sandboxBodyCap = 1 << 20

// sandboxUpdate is one item of a request.
type sandboxUpdate struct {
	SKU      string
	Qty      topics.Quantity
	Revision int64
}

// sandboxResult is one item of an answer.
type sandboxResult struct {
	SKU     string `json:"sku"`
	Outcome string `json:"outcome"`
	Message string `json:"message,omitempty"`
}

// sandboxRequest is one request on its way through the sandbox.
type sandboxRequest struct {
	w       http.ResponseWriter
	r       *http.Request
	id      string // webhook-id
	store   string
	updates []sandboxUpdate
	flight  *flight
}

// serveUpdates takes one request: prove who sent it, read it, put it in flight, let it fail if a fault says
// so, apply it, answer.
func (s *Sandbox) serveUpdates(w http.ResponseWriter, r *http.Request) {
	q := &sandboxRequest{w: w, r: r, id: r.Header.Get("webhook-id"), store: r.PathValue("store")}
	s.count(func(st *SandboxStats) { st.Requests++ })
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sandboxBodyCap))
	if err != nil {
		status := http.StatusBadRequest
		if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
			status = http.StatusRequestEntityTooLarge
		}
		s.refuse(q, status, fmt.Sprintf("body: %v", err))
		return
	}
	if err := verifyWebhook(r.Header, body, s.secret(q.store), s.cfg.Tolerance, time.Now()); err != nil {
		s.refuse(q, http.StatusUnauthorized, err.Error())
		return
	}
	if wait, ok := s.allowed(q.store); !ok {
		seconds := int64((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(max(1, seconds), 10))
		s.refuse(q, http.StatusTooManyRequests, "more requests than this store takes")
		return
	}
	if q.updates, err = decodeUpdates(body, q.store, s.cfg.MaxBatch); err != nil {
		s.violate(ViolationDialect, q.store, "", err.Error())
		s.refuse(q, http.StatusBadRequest, err.Error())
		return
	}
	pairs := make([]pair, len(q.updates))
	for i, u := range q.updates {
		pairs[i] = pair{q.store, u.SKU}
	}
	flight, overlaps := s.flights.enter(r.Context(), pairs, s.cfg.Overlap)
	q.flight = flight
	defer s.flights.leave(flight, false)
	for _, p := range overlaps {
		s.violate(ViolationOverlap, p.store, p.sku, "request "+q.id)
	}
	s.watchRevisions(q)
	f := s.faults.pick(q.store, q.updates)
	if f == nil {
		s.answer(q, s.apply(q, nil))
		return
	}
	s.log.Info("sandbox fault", "fault", string(f.spec.Kind), "store", q.store, "id", q.id)
	s.count(func(st *SandboxStats) { st.Faults[f.spec.Kind]++ })
	s.fail(q, f)
}

// fail carries out a fault.
func (s *Sandbox) fail(q *sandboxRequest, in *Injected) {
	f := &in.spec
	why := "fault " + string(f.Kind)
	switch f.Kind {
	case FaultThrottle:
		if f.RetryAfter != "-" {
			q.w.Header().Set("Retry-After", f.RetryAfter)
		}
		s.refuse(q, http.StatusTooManyRequests, why)
	case FaultUnavailable:
		s.refuse(q, http.StatusServiceUnavailable, why)
	case FaultUnauthorised:
		s.refuse(q, http.StatusUnauthorized, why)
	case FaultRedirect:
		q.w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
		s.refuse(q, http.StatusTemporaryRedirect, why)
	case FaultReset:
		s.note(q, http.StatusBadGateway, why)
		s.cut(q)
	case FaultAppliedError:
		s.apply(q, nil)
		s.reply(q, http.StatusInternalServerError, "text/plain", []byte("internal error\n"))
	case FaultHang:
		s.apply(q, nil)
		s.outwait(q, nil, nil)
	case FaultSlow:
		results := s.apply(q, nil)
		var then <-chan time.Time // never
		if f.Delay > 0 {
			timer := time.NewTimer(f.Delay)
			defer timer.Stop()
			then = timer.C
		}
		if s.outwait(q, then, in.release) {
			s.answer(q, results)
		}
	case FaultPartial:
		s.answer(q, s.apply(q, func(i int) string {
			if i%2 == 0 {
				return f.Outcome
			}
			return ""
		}))
	case FaultRefuse:
		s.answer(q, s.apply(q, func(int) string { return f.Outcome }))
	case FaultNotApplied:
		results := make([]sandboxResult, len(q.updates))
		for i, u := range q.updates {
			results[i] = sandboxResult{SKU: u.SKU, Outcome: "ok"}
			s.noteItem(q, u, "ok", why)
		}
		s.answer(q, results)
	case FaultWrongSKU:
		results := s.apply(q, nil)
		for i := range results {
			results[i].SKU = "not-" + results[i].SKU
		}
		s.answer(q, results)
	case FaultGarbage:
		s.apply(q, nil)
		s.reply(q, http.StatusOK, "text/html", []byte("<html><body>We'll be back soon!</body></html>"))
	case FaultEndlessBody:
		s.apply(q, nil)
		s.endless(q)
	}
}

// outwait waits until then or the release, each of which may be never, and returns true, or until the client
// hangs up or the sandbox closes, and returns false.
func (s *Sandbox) outwait(q *sandboxRequest, then <-chan time.Time, release <-chan struct{}) bool {
	select {
	case <-then:
		return true
	case <-release:
		return true
	case <-q.r.Context().Done():
	case <-s.stop:
	}
	s.flights.leave(q.flight, true)
	return false
}

// endless answers with a body that never ends.
func (s *Sandbox) endless(q *sandboxRequest) {
	defer s.flights.leave(q.flight, true)
	q.w.Header().Set("Content-Type", "application/json")
	filler := append([]byte(`{"results":[`), bytes.Repeat([]byte(" "), 32<<10)...)
	for {
		if _, err := q.w.Write(filler); err != nil {
			return
		}
		select {
		case <-q.r.Context().Done():
			return
		case <-s.stop:
			return
		default:
			filler = filler[len(filler)-32<<10:]
		}
	}
}

// cut ends the connection without an answer.
func (s *Sandbox) cut(q *sandboxRequest) {
	conn, _, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		s.reply(q, http.StatusBadGateway, "text/plain", nil) // no connection to cut, as in a recorder
		return
	}
	s.flights.leave(q.flight, false)
	_ = conn.Close() // which is all that can be done with it
}

// answer sends results.
func (s *Sandbox) answer(q *sandboxRequest, results []sandboxResult) {
	body, err := json.Marshal(map[string]any{"results": results})
	if err != nil {
		s.refuse(q, http.StatusInternalServerError, err.Error())
		return
	}
	s.reply(q, http.StatusOK, "application/json", body)
}

// refuse notes why a whole request is not taken, and says so.
func (s *Sandbox) refuse(q *sandboxRequest, status int, why string) {
	s.note(q, status, why)
	body, err := json.Marshal(map[string]string{"error": why})
	if err != nil {
		body = nil
	}
	s.reply(q, status, "application/json", body)
}

// reply ends the request's flight and then sends the answer, in this order.
func (s *Sandbox) reply(q *sandboxRequest, status int, kind string, body []byte) {
	if q.flight != nil {
		s.flights.leave(q.flight, false)
	}
	q.w.Header().Set("Content-Type", kind)
	q.w.WriteHeader(status)
	if _, err := q.w.Write(body); err != nil {
		s.log.Info("sandbox answer not sent", "id", q.id, "error", err)
	}
}

// serveItems shows what a store has, for people.
func (s *Sandbox) serveItems(w http.ResponseWriter, r *http.Request) {
	store := r.PathValue("store")
	w.Header().Set("Content-Type", "application/json")
	err := json.NewEncoder(w).Encode(map[string]any{"store": store, "quantities": s.Quantities(store)})
	if err != nil {
		s.log.Info("sandbox answer not sent", "store", store, "error", err)
	}
}

// decodeUpdates reads a request body and holds it to the dialect.
func decodeUpdates(body []byte, store string, batch int) ([]sandboxUpdate, error) {
	var msg struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			Store   string `json:"store"`
			Updates []struct {
				SKU      string           `json:"sku"`
				Qty      *topics.Quantity `json:"qty"`
				Revision *int64           `json:"revision"`
			} `json:"updates"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &msg); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	updates := msg.Data.Updates
	switch {
	case msg.Type != "stock.updated":
		return nil, fmt.Errorf("type is %q, want stock.updated", msg.Type)
	case msg.Timestamp.IsZero():
		return nil, errors.New("timestamp is missing")
	case msg.Data.Store != store:
		return nil, fmt.Errorf("store is %q at the address of %q", msg.Data.Store, store)
	case len(updates) == 0 || len(updates) > batch:
		return nil, fmt.Errorf("%d updates, want 1 to %d", len(updates), batch)
	}
	seen := map[string]bool{}
	out := make([]sandboxUpdate, len(updates))
	for i, u := range updates {
		switch {
		case u.SKU == "" || u.Qty == nil || u.Revision == nil:
			return nil, fmt.Errorf("update %d: want sku, qty and revision", i)
		case seen[u.SKU]:
			return nil, fmt.Errorf("update %d: sku %q is there twice", i, u.SKU)
		}
		seen[u.SKU] = true
		out[i] = sandboxUpdate{u.SKU, *u.Qty, *u.Revision}
	}
	return out, nil
}
