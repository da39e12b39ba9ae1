package medusa_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/medusa"
	"stocksync/testenv/twin"
	twinmedusa "stocksync/testenv/twin/medusa"
)

// subject is what the suite tries: a shop that takes a key, or a user and a password.
func subject(signIn bool) conformance.Subject {
	answers := []conformance.Answer{
		{Class: sinks.ClassNotFound, Code: "not_found", Message: "InventoryItem with id: iitem_X was not found"},
		{Class: sinks.ClassQuantity, Code: "invalid_data", Message: "Invalid request: Value for field 'update, 1, stocked_quantity' too small, expected at least: '0'"},
		{Class: sinks.ClassConfig, Code: "invalid_data", Message: "Invalid request: Unrecognized fields: 'upd'"},
		{Class: sinks.ClassConfig, Code: "invalid_data", Message: "Expected property name or '}' in JSON at position 1"},
		{Class: sinks.ClassConfig, Code: "duplicate_error", Message: "Inventory level already exists."},
		{Class: sinks.ClassNotEditable, Code: "not_allowed", Message: "It is not allowed"},
		{Class: sinks.ClassTransient, Code: "conflict", Message: "The request conflicted with another request. You may retry the request with the provided Idempotency-Key."},
		{Class: sinks.ClassTransient, Code: "database_error", Message: "no connection"},
		{Class: sinks.ClassTransient, Code: "unknown_error", Message: "An unknown error occurred."},
		{Class: sinks.ClassTransient, Code: "unexpected_state", Message: "that should not be"},
		{Class: sinks.ClassShopUnauthorised, Code: "forbidden", Message: "Forbidden"},
	}
	refused := conformance.Answer{Class: sinks.ClassShopUnauthorised, Message: "Unauthorized"}
	never := map[sinks.Class]string{
		sinks.ClassPromoLock:        "there are no campaigns",
		sinks.ClassBelowReserved:    "less than is reserved is taken: the shop then offers nothing",
		sinks.ClassRaiseOnly:        "there are no campaigns",
		sinks.ClassThrottle:         "the shop has no limit; a proxy before it may say 429",
		sinks.ClassManagedElsewhere: "the shop's stock is its seller's",
		sinks.ClassLocation:         "the shop says what it says of an unknown item; a test of its own has one that is not kept there",
	}
	if signIn {
		refused.Class = sinks.ClassToken
	} else {
		never[sinks.ClassToken] = "a key does not expire"
	}
	answers = append(answers, refused)
	for i := range answers {
		answers[i].Whole = true
	}
	return conformance.Subject{
		Adapter: medusa.Adapter{}, Answers: answers, Never: never, SignsIn: signIn,
		Start:  func(t *testing.T) conformance.Shop { return twinmedusa.Start(t, twinmedusa.Config{SignIn: signIn}) },
		Cannot: map[twin.Kind]string{twin.FaultPartial: "a batch is all or nothing; a test of its own has items that are gone"},
	}
}

func TestConformance_WithAKey(t *testing.T) { conformance.Run(t, subject(false)) }

func TestConformance_WithAPassword(t *testing.T) { conformance.Run(t, subject(true)) }
