package tiktokshop_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/tiktokshop"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	shop "stocksync/testenv/twin/tiktokshop"
)

// subject is what the suite tries.
func subject(t *testing.T, cfg shop.Config) conformance.Subject {
	dir := t.TempDir()
	restart := func() sinks.Adapter { return tiktokshop.Adapter{Tokens: token.NewSafe(dir)} }
	return conformance.Subject{
		Adapter: restart(), Restart: restart,
		Start: func(t *testing.T) conformance.Shop { return shop.Start(t, cfg) },
		Answers: []conformance.Answer{
			{Class: sinks.ClassNotFound, Code: "12052557", Message: "The SKU does not belong to the product"},
			{Class: sinks.ClassNotFound, Code: "12052260", Message: "The product ID does not exist", Whole: true},
			{Class: sinks.ClassNotEditable, Code: "12052308", Message: "There's an ongoing appeal."},
			{Class: sinks.ClassNotEditable, Code: "12052901", Message: "The product in its current status is not available", Whole: true},
			{Class: sinks.ClassRaiseOnly, Code: "12052393", Message: "Product locked for Promotion and stock can't be updated below current stock"},
			{Class: sinks.ClassBelowReserved, Code: "12052146", Message: "below locked quantity"},
			{Class: sinks.ClassQuantity, Code: "12052055", Message: "The SKU inventory quantity must be within allowed limits."},
			{Class: sinks.ClassLocation, Code: "12052097", Message: "The warehouse does not exist"},
			{Class: sinks.ClassManagedElsewhere, Code: "12052382", Message: "Dilayani Tokopedia"},
			{Class: sinks.ClassToken, Code: "105002", Message: "Expired credentials.", Whole: true},
			{Class: sinks.ClassToken, Code: "36009004", Message: "Invalid credentials. The `x-tts-access-token` header is invalid.", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "105005", Message: "Access denied. The app lacks the scope.", Whole: true},
			{Class: sinks.ClassConfig, Code: "106001", Message: "Invalid credentials. The `sign` query parameter is invalid.", Whole: true},
			{Class: sinks.ClassConfig, Code: "36009004", Message: "Invalid timestamp.", Whole: true},
			{Class: sinks.ClassThrottle, Code: "12052109", Message: "merchant request limit", Whole: true},
			{Class: sinks.ClassTransient, Code: "36009003", Message: "Internal error. Please try again.", Whole: true},
			{Class: sinks.ClassTransient, Code: "99999999", Message: "something new"},
		},
		Never: map[sinks.Class]string{
			sinks.ClassPromoLock: "a promotion lets stock go up: raise_only",
		},
		Cannot: map[twin.Kind]string{
			twin.FaultWrongSKU: "a success names no SKU; an error that names a wrong one is a test of its own",
		},
	}
}

func TestConformance(t *testing.T) { conformance.Run(t, subject(t, shop.Config{})) }

func TestConformance_WithWarehouses(t *testing.T) {
	conformance.Run(t, subject(t, shop.Config{Warehouses: []string{"7068517275539719942", "7068517275539719943"}}))
}
