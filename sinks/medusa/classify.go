package medusa

import (
	"net/http"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/rest"
)

// classOf says what a type of error means; false for one that is not known, and for those whose status says more.
func classOf(kind string) (sinks.Class, bool) {
	switch kind {
	case "not_found":
		return sinks.ClassNotFound, true
	case "invalid_data":
		return sinks.ClassQuantity, true
	case "not_allowed":
		return sinks.ClassNotEditable, true
	case "unauthorized", "forbidden":
		return sinks.ClassShopUnauthorised, true
	case "invalid_argument", "duplicate_error", "unknown_modules", "payment_authorization_error",
		"payment_requires_more_error":
		return sinks.ClassConfig, true
	case "conflict", "database_error", "unexpected_state",
		"QueryRunnerAlreadyReleasedError", "TransactionAlreadyStartedError", "TransactionNotStartedError":
		return sinks.ClassTransient, true
	}
	return 0, false
}

// classify returns the outcome of a request as such.
func classify(a *rest.Answer) sinks.Outcome {
	o := sinks.ClassifyStatus(a.Status)
	if a.OK() {
		return o
	}
	var said struct {
		Code    string `json:"code"`
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	if !a.Read(&said) || said.Message == "" {
		return o // a page of what is before the shop
	}
	o.Message = said.Message
	if said.Type != "" {
		o.Code = said.Type
	}
	class, known := classOf(said.Type)
	switch {
	case !known:
	case class == sinks.ClassQuantity && !strings.Contains(said.Message, "stocked_quantity"):
		o.Class = sinks.ClassConfig // a field that is not known, or no JSON: the number has no part in it
	case a.Status == http.StatusConflict, a.Status >= http.StatusInternalServerError && class != sinks.ClassConfig:
		o.Class = sinks.ClassTransient
	default:
		o.Class = class
	}
	return o
}
