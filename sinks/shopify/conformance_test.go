package shopify_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/shopify"
	"stocksync/sinks/token"
	twinshopify "stocksync/testenv/twin/shopify"
)

func TestConformance(t *testing.T) {
	for _, auth := range []twinshopify.Auth{twinshopify.Lasting, twinshopify.Signed, twinshopify.Granted} {
		t.Run(string(auth), func(t *testing.T) { conformance.Run(t, subject(t, auth)) })
	}
}

// subject is what the suite tries: a shop that gives one kind of token.
func subject(t *testing.T, auth twinshopify.Auth) conformance.Subject {
	s := conformance.Subject{
		Adapter: shopify.Adapter{Tokens: token.NewSafe(t.TempDir())}, SignsIn: auth == twinshopify.Signed,
		Start: func(t *testing.T) conformance.Shop { return twinshopify.Start(t, twinshopify.Config{Auth: auth}) },
		Answers: []conformance.Answer{
			{Class: sinks.ClassNotFound, Code: "INVALID_INVENTORY_ITEM", Message: "The specified inventory item could not be found."},
			{Class: sinks.ClassNotEditable, Code: "NON_MUTABLE_INVENTORY_ITEM", Message: "The specified inventory item is not allowed to be adjusted via API."},
			{Class: sinks.ClassLocation, Code: "INVALID_LOCATION", Message: "The specified location could not be found."},
			{Class: sinks.ClassLocation, Code: "ITEM_NOT_STOCKED_AT_LOCATION", Message: "The inventory item is not stocked at the location."},
			{Class: sinks.ClassQuantity, Code: "INVALID_QUANTITY_NEGATIVE", Message: "The quantity can't be negative."},
			{Class: sinks.ClassQuantity, Code: "INVALID_QUANTITY_TOO_HIGH", Message: "The total quantity can't be higher than 1,000,000,000."},
			{Class: sinks.ClassTransient, Code: "CHANGE_FROM_QUANTITY_STALE", Message: "The changeFromQuantity value does not match persisted value."},
			{Class: sinks.ClassTransient, Code: "IDEMPOTENCY_CONCURRENT_REQUEST", Message: "This request is currently in progress, please try again.", Whole: true},
			{Class: sinks.ClassTransient, Code: "INTERNAL_SERVER_ERROR", Message: "Internal error.", Whole: true},
			{Class: sinks.ClassTransient, Code: "SOMETHING_NEW", Message: "What was that?"},
			{Class: sinks.ClassThrottle, Code: "THROTTLED", Message: "Throttled", Whole: true},
			{Class: sinks.ClassConfig, Code: "ACCESS_DENIED", Message: "Access denied for inventorySetQuantities field. Required access: `write_inventory`.", Whole: true},
			{Class: sinks.ClassConfig, Code: "BAD_REQUEST", Message: "The @idempotent directive is required for this mutation but was not provided.", Whole: true},
			{Class: sinks.ClassConfig, Code: "INVALID_FIELD_ARGUMENTS", Message: "InventoryQuantityInput must include changeFromQuantity", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "402", Message: "Unavailable Shop", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "403", Message: "[API] This action requires merchant approval for write_inventory scope.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "423", Message: "Locked", Whole: true},
			{Class: sinks.ClassConfig, Code: "404", Message: "Not Found", Whole: true},
		},
		Never: map[sinks.Class]string{
			sinks.ClassPromoLock:        "there are no campaigns that lock stock",
			sinks.ClassRaiseOnly:        "there are no campaigns that lock stock",
			sinks.ClassBelowReserved:    "the number is net of orders",
			sinks.ClassManagedElsewhere: "an item that a fulfilment service keeps can't be set: NON_MUTABLE_INVENTORY_ITEM",
		},
	}
	if auth == twinshopify.Lasting {
		s.Never[sinks.ClassToken] = "the token lasts"
	} else {
		s.Answers = append(s.Answers, conformance.Answer{
			Class: sinks.ClassToken, Code: "401", Message: "[API] Invalid API key or access token", Whole: true,
		})
	}
	return s
}
