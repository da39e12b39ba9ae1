package medusa

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"stocksync/testenv/twin"
)

// bodyMost is about what the server takes of a request.
const bodyMost = 2 << 20

// The paths that the twin offers.
const (
	pathAuth      = "/auth/user/emailpass"
	pathItems     = "/admin/inventory-items"
	pathLevels    = "/admin/inventory-items/location-levels/batch"
	pathLocations = "/admin/stock-locations"
)

// dialect answers for a shop.
type dialect struct{ shop *Shop }

// Operation goes by method and path, and by whether single items are asked for.
func (dialect) Operation(r *http.Request) twin.Op { return Operation(r) }

// Operation says what a request to a Medusa asks for.
func Operation(r *http.Request) twin.Op {
	switch r.Method + " " + r.URL.Path {
	case "POST " + pathLevels:
		return twin.OpPush
	case "POST " + pathAuth:
		return twin.OpRefresh
	case "GET " + pathItems:
		if r.URL.Query().Has("id[]") {
			return twin.OpRead
		}
		return twin.OpList
	case "GET " + pathLocations:
		return twin.OpOther
	}
	return twin.OpUnknown
}

// Throttled is what a proxy before the shop says: the shop itself has no limit.
func (dialect) Throttled(x *twin.Exchange) twin.Answer {
	return twin.Answer{Status: http.StatusTooManyRequests, Header: x.RetryAfter(), Body: []byte("Too Many Requests")}
}

// failed is an error of a type, as the server says it.
func failed(kind, message string) twin.Answer {
	status, code := http.StatusInternalServerError, ""
	switch kind {
	case "":
		return twin.JSON(http.StatusUnauthorized, map[string]string{"message": message})
	case "invalid_data", "not_allowed":
		status = http.StatusBadRequest
	case "unauthorized":
		status = http.StatusUnauthorized
	case "forbidden":
		status = http.StatusForbidden
	case "not_found":
		status = http.StatusNotFound
	case "duplicate_error":
		status, code = http.StatusUnprocessableEntity, "invalid_request_error"
	case "conflict":
		status, code = http.StatusConflict, "invalid_state_error"
	case "database_error":
		code = "api_error"
	}
	said := map[string]string{"type": kind, "message": message}
	if code != "" {
		said["code"] = code
	}
	return twin.JSON(status, said)
}

// Serve answers a request.
func (d dialect) Serve(x *twin.Exchange) twin.Answer {
	path := x.Request.URL.Path
	if x.Op == twin.OpUnknown {
		return twin.Answer{
			Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/html"}},
			Body: []byte("<!DOCTYPE html><pre>Cannot " + x.Request.Method + " " + path + "</pre>"),
		}
	}
	if len(x.Body) > bodyMost {
		return twin.JSON(http.StatusRequestEntityTooLarge, map[string]string{
			"message": "request entity too large", "type": "unknown_error",
		})
	}
	if path == pathAuth {
		return d.auth(x)
	}
	if refusal, ok := d.authorised(x.Request.Header); !ok {
		return refusal
	}
	if r, refused := x.RefusedWhole(); refused {
		return failed(r.Code, r.Message)
	}
	switch path {
	case pathLevels:
		return d.setLevels(x)
	case pathItems:
		return d.listItems(x)
	}
	return d.listLocations(x)
}

// authorised tells whether a request comes with a key or a token that is good.
func (d dialect) authorised(h http.Header) (twin.Answer, bool) {
	refusal := failed("", "Unauthorized")
	header := h.Get("Authorization")
	if token, bearer := strings.CutPrefix(header, "Bearer "); bearer {
		if strings.HasPrefix(token, "sk_") {
			return failed("", "A secret API key was passed as a Bearer token. You must use Basic authentication"), false
		}
		return refusal, d.shop.cfg.SignIn && d.shop.Check(token) == twin.TokenGood
	}
	basic, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
	return refusal, err == nil && !d.shop.cfg.SignIn && !d.shop.isRevoked() && string(basic) == d.shop.key+":"
}

// auth gives a token.
func (d dialect) auth(x *twin.Exchange) twin.Answer {
	var in struct{ Email, Password string }
	err := json.Unmarshal(x.Body, &in)
	wrong := err != nil || in.Email != "stocksync@example.com" || in.Password != d.shop.password
	if wrong || !d.shop.cfg.SignIn || d.shop.isRevoked() {
		return failed("unauthorized", "Invalid email or password")
	}
	return twin.JSON(http.StatusOK, map[string]string{"token": d.shop.Issue().Access})
}
