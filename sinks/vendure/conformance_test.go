package vendure_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/vendure"
	"stocksync/testenv/twin"
	twinvendure "stocksync/testenv/twin/vendure"
)

// subject is what the suite tries: a shop that takes a key, or a user and a password.
func subject(signIn bool) conformance.Subject {
	answers := []conformance.Answer{
		{Class: sinks.ClassNotFound, Code: "ENTITY_NOT_FOUND", Message: `No ProductVariant with the id "99999" could be found`},
		{Class: sinks.ClassQuantity, Code: "USER_INPUT_ERROR", Message: "stockOnHand cannot be a negative value"},
		{Class: sinks.ClassQuantity, Code: "BAD_USER_INPUT", Message: "Int cannot represent non-integer value: 1.5"},
		{Class: sinks.ClassLocation, Message: "SqliteError: FOREIGN KEY constraint failed"},
		{Class: sinks.ClassLocation, Message: `insert or update on table "stock_level" violates foreign key constraint "FK_1"`},
		{Class: sinks.ClassTransient, Message: "deadlock detected"},
		{Class: sinks.ClassTransient, Code: "INTERNAL_SERVER_ERROR", Message: "Unexpected error"},
		{Class: sinks.ClassConfig, Code: "CHANNEL_NOT_FOUND", Message: `No Channel with the token "nope" could be found`},
		{Class: sinks.ClassConfig, Code: "GRAPHQL_VALIDATION_FAILED", Message: `Field "x" is not defined`},
	}
	for i := range answers {
		answers[i].Whole = true
	}
	refused := conformance.Answer{
		Class: sinks.ClassShopUnauthorised, Code: "FORBIDDEN", Message: "You are not currently authorized to perform this action",
		Whole: true,
	}
	never := map[sinks.Class]string{
		sinks.ClassNotEditable:      "a variant that is switched off is written as any other",
		sinks.ClassPromoLock:        "there are no campaigns",
		sinks.ClassBelowReserved:    "less than is allocated is taken: the shop then offers nothing",
		sinks.ClassRaiseOnly:        "there are no campaigns",
		sinks.ClassThrottle:         "the shop has no limit; a proxy before it may say 429",
		sinks.ClassManagedElsewhere: "the shop's stock is its seller's",
	}
	if signIn {
		refused.Class = sinks.ClassToken
		never[sinks.ClassShopUnauthorised] = "a session that ended and a permission that is missing look the same: the login tells"
	} else {
		never[sinks.ClassToken] = "a key does not expire"
	}
	return conformance.Subject{
		Adapter: vendure.Adapter{}, Answers: append(answers, refused), Never: never, SignsIn: signIn,
		Start:  func(t *testing.T) conformance.Shop { return twinvendure.Start(t, twinvendure.Config{SignIn: signIn}) },
		Cannot: map[twin.Kind]string{twin.FaultPartial: "a mutation is all or nothing; a test of its own has variants that are gone"},
	}
}

func TestConformance_WithAKey(t *testing.T) { conformance.Run(t, subject(false)) }

func TestConformance_WithAPassword(t *testing.T) { conformance.Run(t, subject(true)) }
