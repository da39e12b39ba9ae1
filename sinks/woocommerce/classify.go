package woocommerce

import (
	"net/http"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/rest"
)

// classOf says what a code of the shop means; false for one that is not known.
func classOf(code string) (sinks.Class, bool) {
	switch code {
	case "woocommerce_rest_product_invalid_id", "woocommerce_rest_product_variation_invalid_id",
		"woocommerce_rest_product_variation_invalid_parent", "woocommerce_rest_invalid_product_id", "rest_post_invalid_id":
		return sinks.ClassNotFound, true
	case "woocommerce_rest_cannot_view", "woocommerce_rest_cannot_edit", "woocommerce_rest_cannot_batch",
		"woocommerce_rest_authentication_error", "woocommerce_rest_authentication_missing_parameter",
		"rest_forbidden", "rest_not_logged_in", "rest_cannot_access", "rest_cannot_edit", "rest_cannot_view":
		return sinks.ClassShopUnauthorised, true
	case "rest_invalid_param", "woocommerce_rest_invalid_param", "rest_missing_callback_param",
		"woocommerce_rest_request_entity_too_large": // smaller batches find out which it was
		return sinks.ClassQuantity, true
	case "rest_no_route", "rest_invalid_json", "rest_disabled":
		return sinks.ClassConfig, true
	case "internal_server_error", "db_update_error", "woocommerce_rest_product_not_created", "rest_cookie_invalid_nonce":
		return sinks.ClassTransient, true
	}
	return 0, false
}

// said is an error as the shop says it, of a request and of an element.
type said struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// outcome returns what an error stands for. Where OAuth is used, two faults have the code of a bad key: a nonce that
// was used, as when a connection that had been cut was replaced, and a clock that is wrong, ours or the shop's. Their
// texts may be in the shop's language; the English ones are known.
func (e *said) outcome(fallback sinks.Class) sinks.Outcome {
	o := sinks.Outcome{Class: fallback, Code: e.Code, Message: e.Message}
	if class, known := classOf(e.Code); known {
		o.Class = class
	}
	if e.Code == "woocommerce_rest_authentication_error" {
		switch {
		case strings.HasPrefix(e.Message, "Invalid nonce"):
			o.Class = sinks.ClassTransient
		case strings.HasPrefix(e.Message, "Invalid timestamp"):
			o.Class = sinks.ClassConfig
		}
	}
	return o
}

// classify returns the outcome of a request as such. A page in the place of an answer comes from the host or a
// firewall: it says nothing of the shop's keys.
func classify(a *rest.Answer) sinks.Outcome {
	o := sinks.ClassifyStatus(a.Status)
	if a.OK() {
		return o
	}
	var e said
	switch {
	case a.Read(&e) && e.Code != "":
		if a.Status == http.StatusTooManyRequests {
			return sinks.Outcome{Class: o.Class, Code: e.Code, Message: e.Message}
		}
		return e.outcome(o.Class)
	case a.Status == http.StatusForbidden, a.Status == http.StatusNotAcceptable:
		o.Class, o.Message = sinks.ClassTransient, "the host or a firewall before it refuses the request"
	}
	return o
}
