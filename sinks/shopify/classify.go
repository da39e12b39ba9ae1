package shopify

import (
	"net/http"

	"stocksync/sinks"
	"stocksync/sinks/dialect"
	"stocksync/sinks/graphql"
)

// statusSecurity is what Shopify says to clients that look malicious; they are to slow down.
const statusSecurity = 430

// codeTooDear is what a query gets that costs more than a single one may.
const codeTooDear = "MAX_COST_EXCEEDED"

// classOf says what a code means, be it one of a row (InventorySetQuantitiesUserErrorCode) or of the request; false
// for one that is not known.
func classOf(code string) (sinks.Class, bool) {
	switch code {
	case "INVALID_INVENTORY_ITEM":
		return sinks.ClassNotFound, true
	case "NON_MUTABLE_INVENTORY_ITEM": // such as that of a bundle
		return sinks.ClassNotEditable, true
	case "INVALID_LOCATION", "ITEM_NOT_STOCKED_AT_LOCATION":
		return sinks.ClassLocation, true
	case "INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH", "INVALID_QUANTITY_TOO_LOW":
		return sinks.ClassQuantity, true
	case "CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE", // read and sent again
		"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", // the next attempt has another key
		"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT":
		return sinks.ClassTransient, true
	case "THROTTLED":
		return sinks.ClassThrottle, true
	case "SHOP_INACTIVE":
		return sinks.ClassShopUnauthorised, true
	case "COMPARE_QUANTITY_REQUIRED", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT",
		"NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
		"ACCESS_DENIED", codeTooDear, "BAD_REQUEST", "INVALID_FIELD_ARGUMENTS", "INVALID_VARIABLE",
		"undefinedField", "undefinedType", "undefinedDirective", "argumentNotAccepted", "argumentLiteralsIncompatible",
		"missingRequiredArguments", "missingRequiredInputObjectAttribute", "selectionMismatch", "variableMismatch",
		"variableNotDefined", "variableNotUsed", "parseError":
		return sinks.ClassConfig, true
	}
	return 0, false
}

// classify returns the outcome of a request as such. Of several errors the first counts.
func classify(a *graphql.Answer) sinks.Outcome {
	o := ofStatus(a.Status)
	switch {
	case o.Class != sinks.ClassOK:
		if len(a.Errors) > 0 && a.Errors[0].Message != "" {
			o.Message = a.Errors[0].Message
		}
		return o
	case len(a.Errors) > 0:
		return outcomeOf(a.Errors[0].Code, a.Errors[0].Message)
	case a.Data == nil:
		return dialect.BadAnswer("the answer has no data")
	}
	return o
}

// ofStatus returns the outcome that a status stands for.
func ofStatus(status int) sinks.Outcome {
	o := sinks.ClassifyStatus(status)
	switch status {
	case http.StatusPaymentRequired, http.StatusLocked: // frozen, or locked
		o.Class = sinks.ClassShopUnauthorised
	case http.StatusNotFound: // the host answers for all shops: this one is not there
		o.Class = sinks.ClassConfig
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotAcceptable:
		o.Class = sinks.ClassConfig // numbers that are refused are said otherwise
	case statusSecurity:
		o.Class = sinks.ClassThrottle
	}
	return o
}

// outcomeOf returns the outcome that an error stands for. One that is not known is tried again, ever more seldom, and
// shows its code.
func outcomeOf(code, message string) sinks.Outcome {
	o := sinks.Outcome{Class: sinks.ClassTransient, Code: code, Message: message}
	if class, known := classOf(code); known {
		o.Class = class
	}
	return o
}
