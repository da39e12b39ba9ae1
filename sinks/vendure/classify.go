package vendure

import (
	"net/http"
	"strings"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/graphql"
)

// classOf says what a code of the shop means; false for one that is not known.
func classOf(code string) (sinks.Class, bool) {
	switch code {
	case "ENTITY_NOT_FOUND":
		return sinks.ClassNotFound, true
	case "USER_INPUT_ERROR", "BAD_USER_INPUT", "ILLEGAL_OPERATION":
		return sinks.ClassQuantity, true
	case "FORBIDDEN", "UNAUTHORIZED", "UNVERIFIED_EXTERNAL_EMAIL":
		// No session, a bad key or one that was revoked, a permission that is missing.
		return sinks.ClassShopUnauthorised, true
	case "CHANNEL_NOT_FOUND",
		"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE",
		"PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_NOT_SUPPORTED":
		return sinks.ClassConfig, true
	case "INTERNAL_SERVER_ERROR":
		return sinks.ClassTransient, true
	}
	return 0, false
}

// classify returns the outcome of a request as such. Of several errors the first counts: a mutation is all or
// nothing.
func classify(a *graphql.Answer) sinks.Outcome {
	if len(a.Errors) > 0 {
		return ofError(a.Errors[0])
	}
	o := sinks.ClassifyStatus(a.Status)
	switch {
	case a.Status == http.StatusInternalServerError:
		// A body beyond what the server takes looks like any failure of its own: smaller ones may pass, and the
		// reconciler sends those after a transient failure.
		o.Message = "the server failed, or the request was too large for it"
	case o.Class == sinks.ClassOK && a.Data == nil:
		return dialect.BadAnswer("the answer is not what was asked for")
	}
	return o
}

// ofError returns the outcome that an error stands for. The database's own errors have no code, and their texts
// differ from one database to the other.
func ofError(e graphql.Error) sinks.Outcome {
	o := sinks.Outcome{Class: sinks.ClassTransient, Code: e.Code, Message: e.Message}
	class, known := classOf(e.Code)
	switch {
	case known && class != sinks.ClassTransient:
		o.Class = class
	case strings.Contains(strings.ToLower(e.Message), "foreign key"):
		// The variant was found before: it is the stock location that is not there.
		o.Class = sinks.ClassLocation
	}
	if o.Code == "" {
		o.Code = "database"
	}
	return o
}

// missing returns the id that an error about a variant which is not there names; "" when it names none.
func missing(o sinks.Outcome) string {
	if o.Class != sinks.ClassNotFound || !strings.Contains(o.Message, "ProductVariant") {
		return ""
	}
	_, after, _ := strings.Cut(o.Message, `"`)
	id, _, _ := strings.Cut(after, `"`)
	return id
}
