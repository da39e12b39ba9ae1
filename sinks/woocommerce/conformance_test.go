package woocommerce_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/woocommerce"
	twinwoo "stocksync/testenv/twin/woocommerce"
)

func TestConformance(t *testing.T) {
	for _, auth := range []string{"oauth", "basic", "query"} {
		t.Run(auth, func(t *testing.T) { conformance.Run(t, subject(auth)) })
	}
}

// subject is what the suite tries: a shop that takes keys in one way.
func subject(auth string) conformance.Subject {
	return conformance.Subject{
		Adapter: woocommerce.Adapter{},
		Start:   func(t *testing.T) conformance.Shop { return twinwoo.Start(t, twinwoo.Config{Auth: auth}) },
		Answers: []conformance.Answer{
			{Class: sinks.ClassNotFound, Code: "woocommerce_rest_product_invalid_id", Message: "Invalid ID."},
			{Class: sinks.ClassNotFound, Code: "woocommerce_rest_product_variation_invalid_id", Message: "Invalid ID."},
			{Class: sinks.ClassQuantity, Code: "rest_invalid_param", Message: "Invalid parameter(s): stock_quantity"},
			{Class: sinks.ClassQuantity, Code: "rest_invalid_param", Message: "Invalid parameter(s): update", Whole: true},
			{Class: sinks.ClassQuantity, Code: "woocommerce_rest_request_entity_too_large", Message: "Unable to accept more than 20 items for this request.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "woocommerce_rest_authentication_error", Message: "Consumer secret is invalid.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "woocommerce_rest_authentication_error", Message: "The API key provided does not have write permissions.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "woocommerce_rest_cannot_batch", Message: "Sorry, you are not allowed to batch manipulate this resource.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "woocommerce_rest_cannot_edit", Message: "Sorry, you are not allowed to edit this resource."},
			{Class: sinks.ClassConfig, Code: "rest_no_route", Message: "No route was found matching the URL and request method.", Whole: true},
			{Class: sinks.ClassConfig, Code: "woocommerce_rest_authentication_error", Message: "Invalid timestamp.", Whole: true},
			{Class: sinks.ClassTransient, Code: "woocommerce_rest_authentication_error", Message: "Invalid nonce - nonce has already been used.", Whole: true},
			{Class: sinks.ClassTransient, Code: "internal_server_error", Message: "<p>There has been a critical error on this website.</p>", Whole: true},
			{Class: sinks.ClassTransient, Code: "some_plugins_own_error", Message: "Not today."},
		},
		Never: map[sinks.Class]string{
			sinks.ClassToken:            "keys don't expire",
			sinks.ClassNotEditable:      "a number is ignored without a word; a test of its own has products without stock management",
			sinks.ClassManagedElsewhere: "the same; a test of its own has variations with their product's stock",
			sinks.ClassPromoLock:        "there are no campaigns",
			sinks.ClassRaiseOnly:        "there are no campaigns",
			sinks.ClassBelowReserved:    "nothing is reserved in the number",
			sinks.ClassLocation:         "there are no locations",
			sinks.ClassThrottle:         "the shop has no limit; a host says 429 with a page",
		},
	}
}
