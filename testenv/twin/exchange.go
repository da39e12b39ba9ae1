package twin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stocksync/topics"
)

// Exchange is one request on its way through a twin, as its dialect sees it.
type Exchange struct {
	Op      Op
	Request *http.Request // its body has been read
	Body    []byte
	Query   url.Values
	At      time.Time

	twin       *Twin
	w          http.ResponseWriter
	call       *Call
	fault      *Fault // nil: none
	retryAfter time.Duration
}

// Answer is what a dialect answers: status 200 if none is given, JSON if no other type is.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON returns an answer with a value in it.
func JSON(status int, value any) Answer {
	body, err := json.Marshal(value)
	if err != nil {
		return Answer{Status: http.StatusInternalServerError, Body: []byte(err.Error())}
	}
	return Answer{Status: status, Body: body}
}

// Refused tells whether a fault refuses the item with that index, and in which words. FaultRefuse refuses
// all, FaultPartial the items 0, 2, 4...
func (x *Exchange) Refused(index int) (Refusal, bool) {
	if x.fault == nil {
		return Refusal{}, false
	}
	switch x.fault.Kind {
	case FaultRefuse:
		return x.fault.Refusal, !x.fault.Refusal.Whole
	case FaultPartial:
		return x.fault.Refusal, index%2 == 0
	default: // refuse no item
	}
	return Refusal{}, false
}

// RefusedWhole tells whether a fault refuses the request as such, and in which words. A dialect asks when it
// has found nothing wrong with the request itself.
func (x *Exchange) RefusedWhole() (Refusal, bool) {
	if x.fault == nil || x.fault.Kind != FaultRefuse {
		return Refusal{}, false
	}
	return x.fault.Refusal, x.fault.Refusal.Whole
}

// Echo returns the id that the answer names in the place of one that was sent: the same, unless
// FaultWrongSKU is in force. A number stays one.
func (x *Exchange) Echo(id string) string {
	if x.fault == nil || x.fault.Kind != FaultWrongSKU {
		return id
	}
	if strings.Trim(id, "0123456789") == "" {
		return "9" + id
	}
	return "not-" + id
}

// Set gives an item a quantity at a location; "" is the location of a shop that has one. It returns false
// when the shop has no such item or the item no such location. With FaultNotApplied it only says so.
func (x *Exchange) Set(id ID, location string, qty topics.Quantity) bool {
	if x.fault != nil && x.fault.Kind == FaultNotApplied {
		return x.twin.has(id, location)
	}
	return x.twin.set(x.call.Seq, id, location, qty)
}

// RetryAfter returns the header by which a throttled client learns how long to wait; empty when it does not.
func (x *Exchange) RetryAfter() http.Header {
	text := ""
	switch {
	case x.fault != nil:
		text = x.fault.RetryAfter
	case x.retryAfter > 0:
		text = strconv.FormatInt(int64((x.retryAfter+time.Second-1)/time.Second), 10)
	}
	if text == "" {
		return http.Header{}
	}
	return http.Header{"Retry-After": {text}}
}
