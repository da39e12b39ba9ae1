package lazada_test

import (
	"testing"

	"stocksync/sinks"
	"stocksync/sinks/conformance"
	"stocksync/sinks/lazada"
	"stocksync/sinks/token"
	"stocksync/testenv/twin"
	shop "stocksync/testenv/twin/lazada"
)

// subject is what the suite tries.
func subject(t *testing.T, cfg shop.Config) conformance.Subject {
	dir := t.TempDir()
	restart := func() sinks.Adapter { return lazada.Adapter{Tokens: token.NewSafe(dir)} }
	return conformance.Subject{
		Adapter: restart(), Restart: restart,
		Start: func(t *testing.T) conformance.Shop { return shop.Start(t, cfg) },
		Answers: []conformance.Answer{
			{Class: sinks.ClassNotFound, Code: "207", Message: "E207: SKU not exist"},
			{Class: sinks.ClassNotFound, Code: "4137", Message: "ITEM_NOT_FOUND"},
			{Class: sinks.ClassNotEditable, Code: "4155", Message: "BIZ_CHECK_NO_EDIT_ITEM_LOCK"},
			{Class: sinks.ClassPromoLock, Code: "THD_IC_ERR_F_IC_ABILITY_PG_003", Message: "edit was blocked by tag"},
			{Class: sinks.ClassRaiseOnly, Code: "4170", Message: "Sellers can increase stocks, but may not decrease stocks.", Whole: true},
			{Class: sinks.ClassBelowReserved, Code: "E0501", Message: "negative sellable on channel inventory,entityId=17"},
			{Class: sinks.ClassQuantity, Code: "4152", Message: "THD_INVENTORY_ERR_INV_PARAM_ILLEGAL"},
			{Class: sinks.ClassLocation, Code: "E0501", Message: "the warehouse code is not one of this seller"},
			{Class: sinks.ClassManagedElsewhere, Code: "4225", Message: "Your product participated in semi-hosted program", Whole: true},
			{Class: sinks.ClassToken, Code: "IllegalAccessToken", Message: "The specified access token is invalid or expired", Whole: true},
			{Class: sinks.ClassShopUnauthorised, Code: "E0501", Message: "SELLER_NOT_PERMITTED"},
			{Class: sinks.ClassShopUnauthorised, Code: "SellerNotActive", Message: "Seller not active", Whole: true},
			{Class: sinks.ClassConfig, Code: "IncompleteSignature", Message: "The request signature does not conform", Whole: true},
			{Class: sinks.ClassThrottle, Code: "ApiCallLimit", Message: "the ban will last 3 seconds", Whole: true},
			{Class: sinks.ClassThrottle, Code: "998", Message: "closed during the campaign", Whole: true},
			{Class: sinks.ClassTransient, Code: "501", Message: "E501: Update product failed", Whole: true},
			{Class: sinks.ClassTransient, Code: "4147", Message: "THD_IC_ERR_F_IC_SERVICE_EDIT_002"},
		},
		Cannot: map[twin.Kind]string{
			twin.FaultWrongSKU: "a success names no SKU; detail that names a wrong one is a test of its own",
		},
	}
}

func TestConformance(t *testing.T) { conformance.Run(t, subject(t, shop.Config{})) }

func TestConformance_WithWarehouses(t *testing.T) {
	conformance.Run(t, subject(t, shop.Config{Warehouses: []string{"dropshipping", "ID10RV7-WH-10002"}}))
}
