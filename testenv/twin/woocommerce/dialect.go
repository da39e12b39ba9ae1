package woocommerce

import (
	"net/http"
	"regexp"
	"strings"

	"stocksync/testenv/twin"
)

// dialect answers for a shop.
type dialect struct{ shop *Shop }

const apiPath = "/wp-json/wc/v3/products"

// route takes an address apart: of which product's variations it is, "" for products themselves, and whether it is
// that of a batch.
func route(path string) (parent string, batch, ok bool) {
	m := regexp.MustCompile(`^` + apiPath + `(?:/(\d+)/variations)?(/batch)?$`).FindStringSubmatch(path)
	if m == nil {
		return "", false, false
	}
	return m[1], m[2] != "", true
}

// Operation goes by method and path, and by whether single products are asked for.
func (dialect) Operation(r *http.Request) twin.Op {
	_, batch, ok := route(r.URL.Path)
	switch {
	case !ok:
		return twin.OpUnknown
	case batch && r.Method == http.MethodPost:
		return twin.OpPush
	case !batch && r.Method == http.MethodGet && r.URL.Query().Has("include"):
		return twin.OpRead
	case !batch && r.Method == http.MethodGet:
		return twin.OpList
	}
	return twin.OpUnknown
}

// Throttled is what a host says: the shop itself has no limit.
func (dialect) Throttled(x *twin.Exchange) twin.Answer {
	h := x.RetryAfter()
	h.Set("Content-Type", "text/html")
	return twin.Answer{Status: http.StatusTooManyRequests, Header: h, Body: []byte("<html>Too Many Requests</html>")}
}

// statusOf is the status that goes with a code.
func statusOf(code string) int {
	switch code {
	case "woocommerce_rest_cannot_view", "woocommerce_rest_cannot_edit", "woocommerce_rest_cannot_batch",
		"woocommerce_rest_authentication_error", "woocommerce_rest_authentication_missing_parameter":
		return http.StatusUnauthorized
	case "rest_forbidden":
		return http.StatusForbidden
	case "rest_no_route":
		return http.StatusNotFound
	case "woocommerce_rest_request_entity_too_large":
		return http.StatusRequestEntityTooLarge
	case "internal_server_error":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func failed(code, message string) twin.Answer {
	status := statusOf(code)
	return twin.JSON(status, map[string]any{"code": code, "message": message, "data": map[string]int{"status": status}})
}

// Serve answers a request.
func (d dialect) Serve(x *twin.Exchange) twin.Answer {
	if x.Op == twin.OpUnknown {
		return failed("rest_no_route", "No route was found matching the URL and request method.")
	}
	if code, message := d.shop.authorise(x); code != "" {
		return failed(code, message)
	}
	if r, refused := x.RefusedWhole(); refused {
		return failed(r.Code, r.Message)
	}
	parent, _, _ := route(x.Request.URL.Path)
	if x.Op == twin.OpPush {
		return d.batch(x, parent)
	}
	return d.list(x, parent)
}

// refusal is an element of a batch that failed.
func refusal(id any, code, message string) map[string]any {
	return map[string]any{"id": id, "error": map[string]any{
		"code": code, "message": strings.TrimSpace(message), "data": map[string]int{"status": http.StatusBadRequest},
	}}
}
